//! What every driver of [`sanderling_core`] shares, and no event loop.
//!
//! A driver knows sockets and readiness. Everything else about turning them into events and actions is here: the
//! [`Pipeline`] from bytes to packets, the [`Outbox`] of pending output, the table of connections, and the [`Engine`]
//! that ties them to a [`Broker`](sanderling_core::broker::Broker). The [`Handle`] is the way in for the program around
//! it. The `engine` module says how to write a driver.

mod clock;
pub mod engine;
mod guard;
mod handle;
mod listener;
mod outbox;
mod owner;
mod pipeline;
mod setup;
mod slots;
mod spare;

pub use clock::{Clock, Entropy, seed, wall_clock};
pub use engine::Engine;
pub use handle::{Answerer, COMMANDS_MAX, Handle, HandleError, Inbox, Reply, Wake};
pub use listener::{
    Address, Bound, Endpoint, ListenError, Listener, ListeningSocket, SocketFile, UrlError,
};
pub use outbox::{Outbox, SLICES_MAX};
pub use owner::{Owner, Sleep};
pub use pipeline::{Arrival, Layers, Packets, Proxies, Received, Transport, WebSocketOptions};
#[cfg(feature = "tls")]
pub use pipeline::{
    CertificateFiles, Certificates, CertificatesError, CertificatesWatch, ClientCertificates,
    Issuers, TlsFiles, TlsVersion, UsernameFrom,
};
pub use setup::{Builder, Driver, Setup};
pub use slots::Slots;
use spare::Spare;
