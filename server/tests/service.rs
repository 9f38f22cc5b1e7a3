//! The service as a process: listeners, signals, log.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use rustix::process::Signal;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};
use support::{Broker, DEADLINE, Process, RUNTIMES};

/// A connection that sends bytes of its own making.
struct Raw {
    stream: TcpStream,
    address: SocketAddr,
}

impl Raw {
    fn connect(broker: &Broker) -> Self {
        let stream = TcpStream::connect(broker.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let address = stream.local_addr().unwrap();
        Self { stream, address }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// CONNECT of 3.1.1 with a clean session, and its CONNACK.
    fn join(&mut self, client_id: &str) {
        let id = client_id.as_bytes();
        let mut connect = vec![0x10, 12 + id.len() as u8, 0, 4];
        connect.extend_from_slice(b"MQTT\x04\x02\x00\x3c\x00");
        connect.push(id.len() as u8);
        connect.extend_from_slice(id);
        self.send(&connect);
        let mut connack = [0; 4];
        self.stream.read_exact(&mut connack).unwrap();
        assert_eq!(connack, [0x20, 2, 0, 0]);
    }

    fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).unwrap();
        bytes
    }
}

#[test]
fn a_broker_that_looks_for_work_serves() {
    let broker = Broker::start("mio", &["--busy-poll", "1000000"]);
    let mut sub = broker.subscriber(&["-t", "a", "-C", "1"]);
    broker.publish(&["-t", "a", "-m", "seen"]);
    sub.stdout.expect("seen");
}

#[test]
fn each_listener_is_announced_with_its_port() {
    for runtime in RUNTIMES {
        let options = [
            "--listen",
            "127.0.0.1:0",
            "--listen",
            "localhost:0",
            "--runtime",
            runtime,
        ];
        let mut process = Process::start(options);
        for _ in 0..2 {
            let line = process.stdout.expect("listening on mqtt://");
            let address: SocketAddr = line.rsplit('/').next().unwrap().parse().unwrap();
            assert_ne!(address.port(), 0);
            TcpStream::connect(address).unwrap();
        }
    }
}

/// [B1]
#[test]
fn signals_stop_gracefully_and_clients_are_told() {
    for runtime in RUNTIMES {
        for signal in [Signal::TERM, Signal::INT] {
            let mut broker = Broker::start(runtime, &[]);
            // Accepted before the subscriber, because connections are accepted in order.
            let mut early = Raw::connect(&broker);
            let mut sub = broker.subscriber(&["-t", "a"]);
            broker.process.signal(signal);
            assert_eq!(
                early.read_to_end(),
                b"",
                "a connection without CONNECT is closed, too"
            );
            drop(early);
            sub.ends_with(1);
            let last = sub.stderr.read_to_end().last().unwrap();
            assert!(last.contains("Server shutting down"), "{last}");
            broker.process.ends_with(0);
        }
    }
}

/// [G1]
#[test]
fn a_malformed_packet_is_logged_with_client_address_and_rule() {
    for runtime in RUNTIMES {
        let mut broker = Broker::start(runtime, &[]);
        let mut raw = Raw::connect(&broker);
        raw.join("broken");
        // SUBSCRIBE with flags 0. [MQTT-3.8.1-1]
        raw.send(&[0x80, 6, 0, 1, 0, 1, b'a', 0]);
        assert_eq!(
            raw.read_to_end(),
            b"",
            "3.1.1 knows no DISCONNECT by the server"
        );
        let line = broker.process.stderr.expect("closed");
        for part in [
            "WARN",
            "client=\"broken\"",
            &format!("addr={}", raw.address),
            "rule=\"MQTT-3.8.1-1\"",
        ] {
            assert!(line.contains(part), "{part} is missing in {line}");
        }
        drop(raw);
        broker.stop();
    }
}

/// [G1]
#[test]
fn bytes_before_connect_are_logged_with_address_and_rule() {
    for runtime in RUNTIMES {
        let mut broker = Broker::start(runtime, &[]);
        let mut raw = Raw::connect(&broker);
        raw.send(b"GET / HTTP/1.1\r\n\r\n");
        raw.read_to_end();
        let line = broker.process.stderr.expect("closed");
        for part in ["WARN", &format!("addr={}", raw.address), "rule=\"MQTT"] {
            assert!(line.contains(part), "{part} is missing in {line}");
        }
    }
}

#[test]
fn a_client_identifier_cannot_forge_lines_or_colours() {
    for format in ["text", "json"] {
        let mut broker = Broker::start("mio", &["--log", format]);
        let mut raw = Raw::connect(&broker);
        raw.join("a\n2030-01-01T00:00:00Z  INFO \u{1b}[31mforged\" x=\"");
        raw.send(&[0xE0, 0]);
        raw.read_to_end();
        let line = broker.process.stderr.expect("connected");
        assert!(line.contains("forged"), "one line holds all of it: {line}");
        assert!(!line.contains('\u{1b}'), "{line:?}");
        let line = broker.process.stderr.expect("closed");
        assert!(line.contains("forged"), "{line}");
    }
}

#[test]
fn the_json_log_is_one_object_a_line() {
    let mut broker = Broker::start("mio", &["--log", "json"]);
    let mut raw = Raw::connect(&broker);
    raw.join("j");
    raw.send(&[0xE0, 0]);
    raw.read_to_end();
    broker.process.signal(Signal::TERM);
    broker.process.ends_with(0);
    let lines = broker.process.stderr.read_to_end();
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with('{') && line.ends_with('}')),
        "{lines:#?}"
    );
    let connected = lines
        .iter()
        .find(|line| line.contains("\"connected\""))
        .unwrap();
    assert!(connected.contains("\"client\":\"j\""), "{connected}");
    assert!(
        connected.contains(&format!("\"addr\":\"{}\"", raw.address)),
        "{connected}"
    );
}

#[test]
fn only_what_others_can_reach_is_warned_of() {
    for (host, warned) in [("0.0.0.0:0", true), ("127.0.0.1:0", false)] {
        let mut process = Process::start(["--listen", host]);
        process.stdout.expect("listening on mqtt://");
        process.signal(Signal::TERM);
        process.ends_with(0);
        let lines = process.stderr.read_to_end();
        let found = lines
            .iter()
            .any(|line| line.contains("without authentication"));
        assert_eq!(found, warned, "{lines:#?}");
    }
}

/// [G1]
#[test]
fn passwords_and_payloads_are_never_logged() {
    let mut broker = Broker::start("mio", &["--log-level", "trace"]);
    let secret = ["-u", "bob", "-P", "s3cr3t-password"];
    broker.publish(
        &[
            &secret[..],
            &["-t", "a", "-m", "s3cr3t-payload", "-q", "2", "-r"],
        ]
        .concat(),
    );
    let mut sub = broker.client("sub", &["-t", "a", "-C", "1"]);
    sub.ends_with(0);
    assert_eq!(sub.stdout.read_to_end(), ["s3cr3t-payload"]);
    broker.process.signal(Signal::TERM);
    broker.process.ends_with(0);
    let lines = broker.process.stderr.read_to_end();
    assert!(
        lines.iter().any(|line| line.contains("user=\"bob\"")),
        "{lines:#?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("s3cr3t")),
        "{lines:#?}"
    );
}
