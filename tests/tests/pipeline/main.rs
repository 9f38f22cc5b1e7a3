//! The layers below MQTT: the same packets whatever the transport and however its bytes are cut, and TLS as operators
//! and clients meet it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod memory;
mod pair;
mod reload;
mod split;
mod tls;
