//! `sanderling pub` and `sanderling sub`: blocking clients on the broker's own codec.
//!
//! One thread reads the socket, one waits for signals, one may read standard input; all report to the main thread, which
//! alone decides and writes. TLS and WebSocket are there, too: so they need neither locks nor sockets.

mod connection;
mod dial;
mod error;
mod event;
mod input;
mod link;
mod packets;
mod publish;
mod reader;
mod socket;
mod subscribe;
mod target;
mod trace;

pub(crate) use error::ClientError;
pub(crate) use publish::publish;
pub(crate) use subscribe::subscribe;
