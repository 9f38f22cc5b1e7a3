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
mod outbox;
mod owner;
mod pipeline;
mod setup;
mod slots;
mod spare;

pub use clock::{Clock, Entropy, seed, wall_clock};
pub use engine::Engine;
pub use handle::{Answerer, COMMANDS_MAX, Handle, HandleError, Inbox, Reply, Wake};
pub use outbox::{Outbox, SLICES_MAX};
pub use owner::{Owner, Sleep};
pub use pipeline::{Pipeline, Received};
pub use setup::{Builder, Driver, ListenError, Setup};
pub use slots::Slots;
use spare::Spare;
