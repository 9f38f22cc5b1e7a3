//! The log: what happens to clients, one line each, to standard error.
//!
//! It holds no payload and no password. What clients choose (identifiers, user names, topics) is escaped, so that no
//! client can write lines of its own into the log.

mod setup;
mod writer;

pub(crate) use setup::start;
