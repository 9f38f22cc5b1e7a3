//! `sanderling pub` and `sanderling sub`: blocking clients on the broker's own codec.
//!
//! One thread reads the socket, one waits for signals, one may read standard input; all report to the main thread, which
//! alone decides and writes.

mod connection;
mod dial;
mod error;
mod event;
mod input;
mod publish;
mod reader;
mod subscribe;
mod trace;

pub(crate) use error::ClientError;
pub(crate) use publish::publish;
pub(crate) use subscribe::subscribe;
