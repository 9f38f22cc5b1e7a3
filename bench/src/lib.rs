//! The load generator: it drives brokers over loopback, measures what they cost, and checks every message.
//!
//! `load` drives a broker that is listening, `compare` starts several and lets them take turns, `relay` is the
//! yardstick. The generator costs far less than a broker: packets are encoded once, reads and writes carry many, and
//! incoming frames are scanned by length. [`run`] puts a load on a broker from within another program. No crate of Sanderling is used: a generator that shared the broker's codec
//! would share its mistakes.

mod books;
mod broker;
mod channel;
mod check;
mod cli;
mod command;
mod compare;
mod connections;
mod dial;
mod failure;
mod group;
mod latency;
mod link;
mod load;
mod machine;
mod nap;
mod packet_ids;
mod page;
mod plan;
mod plot;
mod publisher;
mod relay;
mod report;
mod retained;
mod strace;
mod subscriber;
mod suite;
mod summary;
mod table;
mod tls;
mod usage;
mod watch;
mod websocket;
mod wire;
mod workload;

pub use command::main;
pub use failure::Failure;
pub use report::Report;
pub use workload::{Pattern, Protocol, Tick, Workload, run};
