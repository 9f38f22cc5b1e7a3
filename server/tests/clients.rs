//! `pub` and `sub` against the service, as processes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use rustix::process::Signal;
use std::{
    io::{Read, Write},
    net::TcpListener,
    os::unix::process::ExitStatusExt,
};
use support::{Broker, DEADLINE, Process, RUNTIMES};

const VERSIONS: [&str; 3] = ["mqttv31", "mqttv311", "mqttv5"];

#[test]
fn a_message_arrives_at_each_qos_in_each_version_on_each_runtime() {
    for runtime in RUNTIMES {
        let broker = Broker::start(runtime, &[]);
        for version in VERSIONS {
            for qos in ["0", "1", "2"] {
                let common = ["-t", "home/kitchen", "-q", qos, "-V", version];
                let mut sub = broker.subscriber(&[&common[..], &["-v", "-C", "1"]].concat());
                broker.publish(&[&common[..], &["-m", version]].concat());
                sub.ends_with(0);
                let printed = sub.stdout.read_to_end();
                assert_eq!(
                    printed,
                    [format!("home/kitchen {version}")],
                    "QoS {qos} on {runtime}"
                );
            }
        }
        broker.stop();
    }
}

#[test]
fn an_exchange_of_qos_2_runs_to_its_end() {
    let broker = Broker::start("mio", &[]);
    let mut sub = broker.subscriber(&["-t", "a", "-q", "2", "-C", "2"]);
    let mut publisher = broker.client("pub", &["-t", "a", "-q", "2", "-m", "x", "-d"]);
    for line in [
        "sent PUBLISH",
        "received PUBREC",
        "sent PUBREL",
        "received PUBCOMP",
    ] {
        publisher.stderr.expect(line);
    }
    publisher.ends_with(0);
    for line in [
        "received PUBLISH",
        "sent PUBREC",
        "received PUBREL",
        "sent PUBCOMP",
    ] {
        sub.stderr.expect(line);
    }
}

#[test]
fn a_retained_message_waits_for_the_subscriber_until_it_is_removed() {
    for runtime in RUNTIMES {
        let broker = Broker::start(runtime, &[]);
        broker.publish(&["-t", "state", "-m", "on", "-r", "-q", "1"]);
        let mut sub = broker.client("sub", &["-t", "state", "-C", "1"]);
        sub.ends_with(0);
        assert_eq!(sub.stdout.read_to_end(), ["on"]);

        // With -R it is not shown, and the live message after it is the first.
        for version in VERSIONS {
            let mut sub = broker.subscriber(&["-t", "state", "-C", "1", "-R", "-V", version]);
            broker.publish(&["-t", "state", "-m", "live", "-q", "1"]);
            sub.ends_with(0);
            assert_eq!(sub.stdout.read_to_end(), ["live"], "{version}");
        }

        broker.publish(&["-t", "state", "-n", "-r", "-q", "1"]);
        let mut sub = broker.subscriber(&["-t", "state", "-C", "1"]);
        broker.publish(&["-t", "state", "-m", "first", "-q", "1"]);
        sub.ends_with(0);
        assert_eq!(sub.stdout.read_to_end(), ["first"]);
    }
}

#[test]
fn waiting_in_vain_ends_with_status_27() {
    let broker = Broker::start("mio", &[]);
    let mut sub = broker.client("sub", &["-t", "silence", "-W", "1"]);
    sub.ends_with(27);
    assert_eq!(sub.stderr.read_to_end().len(), 1);
}

#[test]
fn every_line_of_standard_input_is_a_message_in_order() {
    let broker = Broker::start("mio", &[]);
    let lines: Vec<String> = (0..3000).map(|number| format!("line {number}")).collect();
    for qos in ["0", "1", "2"] {
        let mut sub = broker.subscriber(&["-t", "log", "-q", qos, "-C", "3000"]);
        let mut publisher = broker.client("pub", &["-t", "log", "-q", qos, "-l"]);
        publisher.feed(lines.join("\n").as_bytes());
        publisher.ends_with(0);
        sub.ends_with(0);
        assert_eq!(sub.stdout.read_to_end(), lines, "QoS {qos}");
    }
}

#[test]
fn a_line_is_published_while_standard_input_stays_open() {
    let broker = Broker::start("mio", &[]);
    let mut sub = broker.subscriber(&["-t", "log"]);
    let mut publisher = broker.client("pub", &["-t", "log", "-l"]);
    publisher.write(b"one\n");
    assert_eq!(sub.stdout.next().as_deref(), Some("one"));
    publisher.write(b"two\n");
    assert_eq!(sub.stdout.next().as_deref(), Some("two"));
    publisher.feed(b"last, without newline");
    assert_eq!(sub.stdout.next().as_deref(), Some("last, without newline"));
    publisher.ends_with(0);
}

#[test]
fn standard_input_and_files_are_taken_whole() {
    let broker = Broker::start("mio", &[]);
    let mut sub = broker.subscriber(&["-t", "whole", "-C", "2", "-N"]);
    let mut publisher = broker.client("pub", &["-t", "whole", "-s"]);
    publisher.feed(b"two\nlines\n");
    publisher.ends_with(0);
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    broker.publish(&["-t", "whole", "-f", manifest]);
    sub.ends_with(0);
    let expected = format!("two\nlines\n{}", std::fs::read_to_string(manifest).unwrap());
    assert_eq!(
        sub.stdout.read_to_end(),
        expected.lines().collect::<Vec<_>>()
    );
}

#[test]
fn a_payload_larger_than_every_buffer_arrives_whole() {
    for runtime in RUNTIMES {
        let broker = Broker::start(runtime, &[]);
        let mut sub = broker.subscriber(&["-t", "big", "-C", "1", "-q", "1"]);
        let payload = "0123456789abcdef".repeat(50_000);
        let mut publisher = broker.client("pub", &["-t", "big", "-s", "-q", "1"]);
        publisher.feed(payload.as_bytes());
        publisher.ends_with(0);
        sub.ends_with(0);
        assert!(
            sub.stdout.read_to_end() == [payload],
            "not the {} bytes that were sent",
            800_000
        );
    }
}

#[test]
fn what_came_while_the_client_was_away_is_delivered_when_it_returns() {
    for runtime in RUNTIMES {
        let broker = Broker::start(runtime, &[]);
        for version in VERSIONS {
            let id = format!("worker-{version}");
            let options = ["-t", "jobs", "-i", &id, "-c", "-q", "1", "-V", version];
            let sub = broker.subscriber(&options);
            sub.signal(Signal::TERM);
            let mut sub = sub;
            sub.ends_with(0);
            broker.publish(&["-t", "jobs", "-m", "job 1", "-q", "1"]);
            broker.publish(&["-t", "jobs", "-m", "job 2", "-q", "1"]);
            let mut sub = broker.client("sub", &[&options[..], &["-C", "2"]].concat());
            sub.ends_with(0);
            assert_eq!(
                sub.stdout.read_to_end(),
                ["job 1", "job 2"],
                "{version} on {runtime}"
            );
        }
    }
}

#[test]
fn a_client_that_vanishes_leaves_its_will_and_one_that_says_goodbye_does_not() {
    for runtime in RUNTIMES {
        let broker = Broker::start(runtime, &[]);
        let mut watcher = broker.subscriber(&["-t", "gone/#", "-v"]);
        let will = |id: &'static str| {
            [
                "-t",
                "x",
                "-i",
                id,
                "--will-topic",
                "gone/client",
                "--will-payload",
                id,
            ]
        };
        let mut polite = broker.subscriber(&will("polite"));
        polite.signal(Signal::INT);
        polite.ends_with(0);
        let rude = broker.subscriber(&will("rude"));
        rude.signal(Signal::KILL);
        assert_eq!(watcher.stdout.next().as_deref(), Some("gone/client rude"));
    }
}

#[test]
fn many_filters_are_one_subscribe() {
    let broker = Broker::start("mio", &[]);
    let mut sub = broker.subscriber(&["-t", "a/+", "-t", "b/#", "-v", "-C", "2"]);
    broker.publish(&["-t", "a/1", "-m", "x"]);
    broker.publish(&["-t", "c/1", "-m", "y"]);
    broker.publish(&["-t", "b/1/2", "-m", "z"]);
    sub.ends_with(0);
    assert_eq!(sub.stdout.read_to_end(), ["a/1 x", "b/1/2 z"]);
}

#[test]
fn a_connection_without_traffic_is_kept_alive() {
    let broker = Broker::start("mio", &[]);
    let mut sub = broker.subscriber(&["-t", "a", "-k", "4", "-C", "1"]);
    // Two pings take longer than the six seconds after which the broker gives up.
    for _ in 0..2 {
        sub.stderr.expect("received PINGRESP");
    }
    broker.publish(&["-t", "a", "-m", "still here"]);
    sub.ends_with(0);
    assert_eq!(sub.stdout.read_to_end(), ["still here"]);
}

#[test]
fn a_flood_keeps_neither_the_keep_alive_nor_the_deadline_from_their_turn() {
    let broker = Broker::start("mio", &[]);
    let mut sub = broker.subscriber(&["-t", "flood", "-k", "3", "-W", "6", "-N"]);
    let _flood = broker.client(
        "pub",
        &["-t", "flood", "-m", "x", "--repeat", "1000000000000"],
    );
    // Without a PINGREQ the broker would end the connection after four and a half seconds.
    sub.ends_with(27);
    assert!(
        sub.stderr
            .read_to_end()
            .iter()
            .any(|line| line == "sent PINGREQ")
    );
}

#[test]
fn a_second_client_with_the_same_identifier_is_the_end_of_the_first() {
    let broker = Broker::start("mio", &[]);
    let mut first = broker.subscriber(&["-t", "a", "-i", "twin"]);
    let _second = broker.subscriber(&["-t", "a", "-i", "twin"]);
    first.ends_with(1);
    let last = first.stderr.read_to_end().last().unwrap();
    assert!(last.contains("Session taken over"), "{last}");
}

#[test]
fn the_second_signal_does_not_wait_for_a_server_that_stands_still() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let mut sub = Process::start([
        "sub",
        "-V",
        "311",
        "-t",
        "a",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-d",
    ]);
    let (mut stream, _) = server.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // CONNACK and SUBACK at once.
    stream
        .write_all(&[0x20, 2, 0, 0, 0x90, 3, 0, 1, 0])
        .unwrap();
    sub.stderr.expect("received SUBACK");
    sub.signal(Signal::INT);
    let mut sent = Vec::new();
    stream.read_to_end(&mut sent).unwrap();
    assert!(
        sent.ends_with(&[0xE0, 0]),
        "the last packet is DISCONNECT: {sent:x?}"
    );
    // Now it waits for the server to close, which never happens.
    sub.signal(Signal::INT);
    assert_eq!(sub.wait().signal(), Some(Signal::INT.as_raw()));
}

#[test]
fn a_server_that_breaks_the_protocol_is_reported_with_the_rule() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let mut sub = Process::start(["sub", "-t", "a", "-h", "127.0.0.1", "-p", &port]);
    let (mut stream, _) = server.accept().unwrap();
    stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap();
    sub.ends_with(1);
    let line = sub.stderr.read_to_end().last().unwrap();
    for part in [
        &format!("127.0.0.1:{port}"),
        "[MQTT",
        "is it an MQTT server?",
    ] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_refused_connect_names_the_reason_and_what_to_try() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    // CONNACKs that say no: 3.1.1 with return code 5, 5.0 with 0x84 and no property.
    let refusals: [(&str, &[u8], &str, &str); 2] = [
        ("311", &[0x20, 2, 0, 5], "Not authorized", "-u and -P"),
        (
            "5",
            &[0x20, 3, 0, 0x84, 0],
            "Unsupported Protocol Version",
            "-V mqttv311",
        ),
    ];
    for (version, connack, reason, remedy) in refusals {
        let common = [
            "-V",
            version,
            "-t",
            "a",
            "-m",
            "x",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
        ];
        let mut publisher = Process::start(["pub"].iter().chain(&common));
        let (mut stream, _) = server.accept().unwrap();
        stream.write_all(connack).unwrap();
        publisher.ends_with(1);
        let line = publisher.stderr.read_to_end().last().unwrap();
        for part in [&format!("127.0.0.1:{port}"), reason, remedy] {
            assert!(line.contains(part), "{line}");
        }
    }
}

#[test]
fn a_server_that_has_fallen_silent_is_given_up() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let options = [
        "sub",
        "-V",
        "311",
        "-k",
        "1",
        "-t",
        "a",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
    ];
    let mut sub = Process::start(options);
    let (mut stream, _) = server.accept().unwrap();
    // CONNACK and SUBACK at once, and nothing more.
    stream
        .write_all(&[0x20, 2, 0, 0, 0x90, 3, 0, 1, 0])
        .unwrap();
    sub.ends_with(1);
    let line = sub.stderr.read_to_end().last().unwrap();
    assert!(
        line.contains("PINGRESP") && line.contains("within 1 s"),
        "{line}"
    );
}
