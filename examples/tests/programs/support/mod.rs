//! What the tests share: a program that runs, an MQTT client that does nothing by itself, and requests by HTTP.

mod client;
mod http;
mod program;

pub(crate) use client::{Client, Message, Who};
pub(crate) use http::http;
pub(crate) use program::Program;

use std::time::Duration;

/// Long, because it passes only when a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
