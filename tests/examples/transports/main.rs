//! What transports cost the broker. Linux only, because it reads `/proc`.
//!
//! ```text
//! cargo build --release -p sanderling
//! cargo run --release -p sanderling-tests --example transports -- memory [CONNECTIONS]
//! cargo run --release -p sanderling-tests --example transports -- handshakes [HALF_OPEN]
//! ```
//!
//! `memory` prints the resident bytes of an idle connection over each transport. `handshakes` prints which part of its
//! capacity to accept the broker keeps for clients that finish their TLS handshakes while others do not.

mod broker;
mod client;
#[path = "../figures/mod.rs"]
mod figures;
mod handshakes;
mod memory;

use figures::raise_limit;
use std::{env, process::ExitCode};

/// Both drivers, as the command names them.
const DRIVERS: [&str; 2] = ["mio", "tokio"];
const USAGE: &str = "memory [CONNECTIONS] or handshakes [HALF_OPEN]";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let count = arguments.get(1).map(|text| text.parse());
    raise_limit();
    match (arguments.first().map(String::as_str), count) {
        (Some("memory"), None) => memory::run(5000),
        (Some("memory"), Some(Ok(connections))) => memory::run(connections),
        (Some("handshakes"), None) => handshakes::run(15_000),
        (Some("handshakes"), Some(Ok(half_open))) => handshakes::run(half_open),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
