//! Metrics and `$SYS` topics of the command: where they are, and who may read them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};
use support::{Broker, DEADLINE, Process, RUNTIMES, folder};

/// The answer to a request.
fn get(url: &str, headers: &str) -> String {
    let (address, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let request =
        format!("GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Where a broker that has just started says its metrics are.
fn url(broker: &mut Broker) -> String {
    let line = broker.process.stdout.expect("metrics on http://127.0.0.1:");
    line.strip_prefix("metrics on ").unwrap().to_owned()
}

#[test]
fn b1_metrics_are_where_the_command_says() {
    for runtime in RUNTIMES {
        let mut broker = Broker::start(runtime, &["--metrics", "127.0.0.1:0"]);
        let url = url(&mut broker);
        assert!(url.ends_with("/metrics"), "{url}");
        let answer = get(&url, "");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let version = format!(
            "sanderling_build_info{{version=\"{}\"}} 1\n",
            env!("CARGO_PKG_VERSION")
        );
        assert!(answer.contains(&version), "{answer}");
        broker.process.signal(rustix::process::Signal::TERM);
        broker.process.ends_with(0);
    }
}

#[test]
fn a60_a_token_opens_them_and_stands_in_no_log() {
    let file = folder("metrics-token").join("token");
    fs::write(&file, "canary-of-metrics\n").unwrap();
    let name = file.display().to_string();
    let options = [
        "--metrics",
        "127.0.0.1:0",
        "--metrics-token",
        &name,
        "--log-level",
        "trace",
    ];
    let mut broker = Broker::start("mio", &options);
    let url = url(&mut broker);
    let right = "Authorization: Bearer canary-of-metrics\r\n";
    assert!(get(&url, right).starts_with("HTTP/1.1 200 "));
    assert!(get(&url, "").starts_with("HTTP/1.1 401 "));
    broker.process.signal(rustix::process::Signal::TERM);
    broker.process.ends_with(0);
    let lines = broker.process.stderr.read_to_end();
    assert!(
        lines.iter().all(|line| !line.contains("canary")),
        "{lines:#?}"
    );
}

#[track_caller]
fn complaint(code: i32, options: &[&str]) -> String {
    let mut process = Process::start(["--listen", "127.0.0.1:0"].iter().chain(options));
    process.ends_with(code);
    process.stderr.read_to_end().last().unwrap().clone()
}

#[test]
fn b1_what_is_wrong_with_metrics_is_told_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = complaint(1, &["--metrics", &address]);
    for part in [&*address, "in use", "--metrics"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let file = folder("metrics-no-token").join("token");
    let name = file.display().to_string();
    let options = ["--metrics", "127.0.0.1:0", "--metrics-token", &name];
    assert!(complaint(1, &options).contains(&name));
    fs::write(&file, "\n").unwrap();
    assert!(complaint(1, &options).contains("it is empty"));
    let line = complaint(2, &["--metrics", "127.0.0.1:0", "--no-metrics"]);
    assert!(line.contains("--no-metrics"), "{line}");
}

#[test]
fn sys_topics_are_told_to_clients_of_this_machine() {
    for runtime in RUNTIMES {
        let broker = Broker::start(runtime, &["--sys-interval", "1"]);
        let mut sub = broker.client("sub", &["-t", "$SYS/broker/version", "-C", "1"]);
        let version = format!("sanderling {}", env!("CARGO_PKG_VERSION"));
        assert_eq!(sub.stdout.next().as_deref(), Some(&*version));
        sub.ends_with(0);
    }
}
