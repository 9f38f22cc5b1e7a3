//! `bench` against the service, as processes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use rustix::process::Signal;
use support::{Broker, Process, RUNTIMES};

#[test]
fn every_pattern_delivers_everything_on_each_runtime() {
    for runtime in RUNTIMES {
        let broker = Broker::start(runtime, &[]);
        for (pattern, version, delivered) in [
            ("pairs", "mqttv5", "2000 delivered"),
            ("fan-in", "mqttv311", "2000 delivered"),
            ("fan-out", "mqttv5", "10000 delivered"),
            ("shared", "mqttv5", "2000 delivered"),
        ] {
            let options = [
                pattern,
                "--clients",
                "5",
                "--messages",
                "2000",
                "-q",
                "1",
                "-V",
                version,
            ];
            let mut bench = broker.client("bench", &options);
            bench.ends_with(0);
            let printed = bench.stdout.read_to_end().join("\n");
            assert!(
                printed.contains(delivered),
                "{pattern} on {runtime}: {printed}"
            );
        }
        broker.stop();
    }
}

#[test]
fn connections_are_counted() {
    let broker = Broker::start("mio", &[]);
    let mut bench = broker.client("bench", &["connections", "--clients", "100"]);
    bench.ends_with(0);
    assert!(
        bench
            .stdout
            .read_to_end()
            .join("\n")
            .contains("100 delivered")
    );
    broker.stop();
}

#[test]
fn a_signal_ends_it_early_with_a_report() {
    let broker = Broker::start("mio", &[]);
    let options = [
        "--clients",
        "2",
        "--rate",
        "200",
        "--seconds",
        "600",
        "--latency",
    ];
    let mut bench = broker.client("bench", &options);
    // The line of progress of the first second.
    bench.stderr.expect("delivered/s");
    bench.signal(Signal::INT);
    bench.ends_with(0);
    let printed = bench.stdout.read_to_end().join("\n");
    assert!(
        printed.contains("latency us: median") && printed.contains("valid"),
        "{printed}"
    );
    broker.stop();
}

#[test]
fn a_broker_that_is_not_there_is_told_in_one_line() {
    let mut bench = Process::start(["bench", "-h", "no-such-host.invalid"]);
    bench.ends_with(1);
    let lines = bench.stderr.read_to_end();
    assert!(
        lines.len() == 1 && lines[0].contains("no-such-host.invalid"),
        "{lines:?}"
    );
}
