//! Each example as a process of its own, on ports that the system chooses, and clients that check what it promises.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod all;
mod axum_app;
mod hooks;
mod ports;
mod service;
mod support;
mod wswss;
