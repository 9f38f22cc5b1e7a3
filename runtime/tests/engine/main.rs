//! The engine with sockets made of memory: what a turn does, to the byte.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod ends;
mod measures;
mod turns;
mod world;
