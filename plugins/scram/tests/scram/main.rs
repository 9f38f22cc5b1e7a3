//! The hook by itself, and in a broker that clients reach over TCP.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod broker;
mod hook;
mod scram;
mod tcp;
