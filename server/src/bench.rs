//! `sanderling bench`: the load generator for users, with a line that tells how it goes.

use crate::args::{BenchArgs, Pattern};
use sanderling_bench::{Failure, Protocol, Tick, Workload, run};
use sanderling_core::packet::Version;
use std::{
    io::{self, IsTerminal, Write},
    net::{SocketAddr, ToSocketAddrs},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

/// Puts the load on the broker and prints the report; true if everything was delivered.
///
/// # Errors
/// The broker cannot be reached, or the load could not go on.
pub(crate) fn bench(args: &BenchArgs) -> Result<bool, Failure> {
    let workload = workload(args)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // In this order: the second signal ends the process at once.
        let registered = signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)));
        registered.map_err(|error| failure("signals", error))?;
    }
    let rewrites = io::stderr().is_terminal();
    let outcome = run(&workload, &stop, &|tick| progress(tick, rewrites));
    if rewrites {
        // Wipes the line of progress; a terminal that has gone away does not matter any more.
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    let report = outcome?;
    println!("{report}");
    Ok(report.is_valid())
}

fn workload(args: &BenchArgs) -> Result<Workload, Failure> {
    let password = args.password.clone().unwrap_or_default().into_bytes();
    Ok(Workload {
        address: address(args)?,
        pattern: match args.pattern {
            Pattern::Pairs => sanderling_bench::Pattern::Pairs,
            Pattern::FanIn => sanderling_bench::Pattern::FanIn,
            Pattern::FanOut => sanderling_bench::Pattern::FanOut,
            Pattern::Shared => sanderling_bench::Pattern::Shared,
            Pattern::Connections => sanderling_bench::Pattern::Connections,
        },
        clients: args.clients as usize,
        protocol: match args.protocol_version {
            Version::V5 => Protocol::V5,
            Version::V31 | Version::V311 => Protocol::V311,
        },
        login: args.username.clone().map(|username| (username, password)),
        qos: args.qos as u8,
        payload_bytes: args.payload as usize,
        in_flight: args.in_flight.into(),
        rate: args.rate,
        messages: args.messages,
        duration: Duration::from_secs(args.seconds.into()),
        latency: args.latency,
    })
}

/// The first address of the host; IPv4 before IPv6 where it has both, since more brokers listen there.
fn address(args: &BenchArgs) -> Result<SocketAddr, Failure> {
    let doing = || format!("the address of {}", args.host);
    let found = (args.host.as_str(), args.port).to_socket_addrs();
    let mut found: Vec<_> = found.map_err(|error| failure(doing(), error))?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    let none = || {
        failure(
            doing(),
            io::Error::new(io::ErrorKind::NotFound, "it has none"),
        )
    };
    found.first().copied().ok_or_else(none)
}

fn failure(doing: impl Into<String>, error: io::Error) -> Failure {
    Failure::Io {
        doing: doing.into(),
        error,
    }
}

/// One line, written over by the next one on a terminal.
fn progress(tick: &Tick, rewrites: bool) {
    let (begin, end) = if rewrites {
        ("\r", "\x1b[K")
    } else {
        ("", "\n")
    };
    // Nobody may be reading: the load goes on all the same.
    let _ = write!(
        io::stderr(),
        "{begin}{:>5} s  {:>9.0} sent/s  {:>9.0} delivered/s  {:>6} under way{end}",
        tick.elapsed.as_secs(),
        tick.sent_per_second,
        tick.delivered_per_second,
        tick.under_way
    );
}
