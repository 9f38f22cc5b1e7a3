//! What hostile, broken and unlucky peers do, each with the outcome that is required. `docs/attacks.md` lists them by
//! number, with those that stories tell and those that other tests show; a test here keeps that page true.
//!
//! Most are shown on a broker called by hand, with limits so small that a bound is reached at once; what is about sockets
//! is shown over the drivers that ship.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod accounts;
mod cost;
mod flow;
mod got;
mod meddling;
mod memory;
mod odd;
mod packets;
mod parsing;
mod rights;
mod sessions;
mod sockets;
mod table;
mod time;
mod upstream;
mod world;
