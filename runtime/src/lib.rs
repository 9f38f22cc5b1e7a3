//! What every driver of [`sanderling_core`] shares, and no event loop.
//!
//! A driver knows sockets and readiness. Everything else about turning them into events and actions is here: the
//! pipeline from bytes to packets ([`Layers`] and [`Packets`]), the [`Outbox`] of pending output, the table of
//! connections, and the [`Engine`] that ties them to a [`Broker`](sanderling_core::broker::Broker). The [`Handle`] is
//! the way in for the program around it. The `engine` module says how to write a driver.

mod clock;
pub mod engine;
mod guard;
mod handle;
mod hook_sets;
mod inline;
mod listener;
mod log;
mod measures;
mod outbox;
mod owner;
mod pipeline;
mod plugin;
mod random_id;
mod setup;
mod slots;
mod spare;
pub mod value;

pub use clock::{Clock, Entropy, seed, wall_clock};
pub use engine::{Engine, Finished};
pub use handle::{
    Answerer, ClientInfo, Handle, HandleError, Inbox, LETTERS_MAX, MessageInfo, Reply,
    RetainedStore, SessionsPage, SubscriptionCounts, SubscriptionInfo, SubscriptionStore, Wake,
    WillInfo, Workers,
};
pub use hook_sets::HookSets;
pub use inline::{Inline, InlineError, InlineMessage, InlineOptions, RequestError, Requester};
pub use listener::{
    Address, Bound, Endpoint, ListenError, Listener, ListeningSocket, SocketFile, UrlError,
};
pub use log::Log;
pub use measures::Measures;
pub use outbox::{Outbox, SLICES_MAX};
pub use owner::{Owner, Sleep};
pub use pipeline::{Arrival, Layers, Packets, Proxies, Received, Transport, WebSocketOptions};
#[cfg(feature = "tls")]
pub use pipeline::{
    CertificateFiles, Certificates, CertificatesError, CertificatesWatch, ClientCertificates,
    Issuers, TlsFiles, TlsVersion, UsernameFrom,
};
pub use plugin::{LoadError, Plugin, PluginError, Plugins};
pub use random_id::random_id;
pub use setup::{Builder, Driver, Setup};
pub use slots::Slots;
use spare::Spare;
pub use value::Value;
