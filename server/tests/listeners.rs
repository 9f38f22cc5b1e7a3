//! Listeners as operators write them: what is served, what is refused at the start and why, certificates that are
//! exchanged, and what the log says of those who speak something else.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use rustix::process::Signal;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use support::{DEADLINE, Process, RUNTIMES, Served, certificates, folder};

/// The file of the certificates, as a URL has it.
fn at(folder: &Path, file: &str) -> String {
    folder.join(file).display().to_string()
}

/// `mqtts` on a free port with the server's certificate of this folder, and more parameters.
fn secured(folder: &Path, more: &str) -> String {
    let (cert, key) = (at(folder, "server.pem"), at(folder, "server.key"));
    format!("mqtts://127.0.0.1:0?cert={cert}&key={key}{more}")
}

/// The one line with which the service does not start.
#[track_caller]
fn complaint(code: i32, url: &str) -> String {
    let mut process = Process::start(["--listen", url]);
    process.ends_with(code);
    let lines = process.stderr.read_to_end();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0].clone()
}

#[test]
fn every_listener_is_told_by_the_url_that_clients_use() {
    let folder = folder("told");
    certificates(&folder, &[]);
    let socket = at(&folder, "mqtt.sock");
    for runtime in RUNTIMES {
        let served = Served::start(
            runtime,
            &[
                "mqtt://127.0.0.1:0".to_owned(),
                secured(&folder, "&name=field"),
                "ws://127.0.0.1:0/broker?path=/other".to_owned(),
                secured(&folder, "").replace("mqtts", "wss"),
                format!("unix://{socket}?mode=600"),
            ],
        );
        for (url, (start, end)) in served.urls.iter().zip([
            ("mqtt://127.0.0.1:", ""),
            ("mqtts://127.0.0.1:", ""),
            ("ws://127.0.0.1:", "/broker"),
            ("wss://127.0.0.1:", "/ws"),
            ("unix://", "/mqtt.sock"),
        ]) {
            assert!(url.starts_with(start) && url.ends_with(end), "{url}");
        }
        let mode = fs::metadata(&socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        served.stop();
        assert!(!Path::new(&socket).exists(), "it goes with the service");
    }
}

#[test]
fn a_parameter_that_is_not_understood_is_refused_with_those_that_are() {
    for (url, part) in [
        ("mqtt://127.0.0.1:0?certt=x", "certt is no parameter"),
        ("mqtt://127.0.0.1:0?cert=x", "cert means nothing to mqtt"),
        ("mqtts://127.0.0.1:0", "cert=FILE and key=FILE"),
        ("ws://127.0.0.1/ws", "port is missing"),
        ("unix://mqtt.sock", "unix:///run/mqtt.sock"),
        ("http://127.0.0.1:0", "mqtt, mqtts, ws, wss and unix"),
        (
            "mqtts://127.0.0.1:0?cert=a&key=b&username=cn",
            "need client-ca=FILE",
        ),
    ] {
        let line = complaint(2, url);
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn the_guide_has_every_parameter() {
    let line = complaint(2, "mqtt://127.0.0.1:0?certt=x");
    let (_, all) = line.split_once("there are: ").unwrap();
    let (all, _) = all.split_once(';').unwrap();
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/listeners.md");
    let guide = fs::read_to_string(guide).unwrap();
    for parameter in all.split(", ") {
        let quoted = format!("`{parameter}`");
        let row = |line: &str| line.starts_with("| `") && line.contains(&quoted);
        assert!(guide.lines().any(row), "{parameter} is not in the guide");
    }
}

#[test]
fn files_that_cannot_be_used_are_named_with_the_reason() {
    let folder = folder("files");
    certificates(&folder, &["--client", "other"]);
    fs::write(folder.join("empty.pem"), "").unwrap();
    let url = |cert: &str, key: &str| {
        let (cert, key) = (at(&folder, cert), at(&folder, key));
        format!("mqtts://127.0.0.1:0?cert={cert}&key={key}")
    };
    for (url, file, reason) in [
        (url("none.pem", "server.key"), "none.pem", "no such file"),
        (url("server.pem", "none.key"), "none.key", "no such file"),
        (
            url("empty.pem", "server.key"),
            "empty.pem",
            "no certificate",
        ),
        (
            url("server.pem", "server.pem"),
            "server.pem",
            "no private key",
        ),
        (
            url("server.pem", "other.key"),
            "other.key",
            "does not belong to the certificate",
        ),
        (
            secured(&folder, &format!("&client-ca={}", at(&folder, "empty.pem"))),
            "empty.pem",
            "no certificate",
        ),
        (
            format!("unix://{}", at(&folder, "server.pem")),
            "server.pem",
            "no socket",
        ),
    ] {
        let line = complaint(1, &url);
        assert!(line.contains(file) && line.contains(reason), "{line}");
    }
}

#[test]
fn what_others_can_reach_is_warned_of_whatever_is_spoken() {
    let folder = folder("warned");
    certificates(&folder, &[]);
    for url in [
        secured(&folder, "").replace("127.0.0.1", "0.0.0.0"),
        "ws://0.0.0.0:0/ws".to_owned(),
    ] {
        let mut served = Served::start("mio", &[url]);
        let line = served.process.stderr.expect("without authentication");
        assert!(line.contains("WARN"), "{line}");
    }
}

/// A `sub` that is connected over TLS.
fn subscribed(ca: &str, port: &str) -> Process {
    let mut sub = Process::start([
        "sub",
        "-t",
        "a",
        "-h",
        "127.0.0.1",
        "-p",
        port,
        "--cafile",
        ca,
        "-d",
        "-C",
        "1",
    ]);
    sub.stderr.expect("received SUBACK");
    sub
}

fn published(ca: &str, port: &str) -> i32 {
    let mut publisher = Process::start([
        "pub",
        "-t",
        "a",
        "-m",
        "x",
        "-h",
        "127.0.0.1",
        "-p",
        port,
        "--cafile",
        ca,
    ]);
    publisher.wait().code().unwrap()
}

/// Copies what `from` has for a server to `to`, as somebody who renews certificates does: the files are never half
/// written.
fn replace(from: &Path, to: &Path) {
    for file in ["server.key", "server.pem"] {
        let beside = to.join("new");
        fs::copy(from.join(file), &beside).unwrap();
        fs::rename(beside, to.join(file)).unwrap();
    }
}

/// Two authorities, and a server's certificate of the first in a folder of its own.
fn authorities(name: &str) -> [PathBuf; 3] {
    let root = folder(name);
    let [one, two, used] = ["one", "two", "used"].map(|name| root.join(name));
    certificates(&one, &[]);
    certificates(&two, &[]);
    fs::create_dir(&used).unwrap();
    replace(&one, &used);
    [one, two, used]
}

#[test]
fn certificates_are_exchanged_under_connections_that_go_on() {
    for (runtime, is_told) in [("mio", true), ("tokio", true), ("mio", false)] {
        let [one, two, used] = authorities(&format!("exchanged-{runtime}-{is_told}"));
        let (first, second) = (at(&one, "ca.pem"), at(&two, "ca.pem"));
        let mut served = Served::start(runtime, &[secured(&used, "")]);
        let port = served.port("mqtts://");
        let mut before = subscribed(&first, &port);
        replace(&two, &used);
        if is_told {
            served.process.signal(Signal::HUP);
        }
        // Without a signal the change of the files is noticed.
        served.process.stderr.expect("certificates read again");
        assert_eq!(published(&first, &port), 1, "the new one is of another CA");
        assert_eq!(published(&second, &port), 0);
        before.ends_with(0);
        assert_eq!(before.stdout.read_to_end(), ["x"]);
        served.stop();
    }
}

#[test]
fn a_broken_file_leaves_the_certificates_in_use() {
    let [one, _, used] = authorities("broken");
    let ca = at(&one, "ca.pem");
    let mut served = Served::start("mio", &[secured(&used, "")]);
    fs::write(used.join("server.pem"), "nothing").unwrap();
    served.process.signal(Signal::HUP);
    let line = served.process.stderr.expect("cannot be read again");
    assert!(
        line.contains("ERROR") && line.contains("server.pem"),
        "{line}"
    );
    assert_eq!(published(&ca, &served.port("mqtts://")), 0);
    served.stop();
}

#[test]
fn garbage_is_logged_with_the_layer_that_refused_it() {
    let folder = folder("garbage");
    certificates(&folder, &[]);
    for runtime in RUNTIMES {
        let mut served = Served::start(
            runtime,
            &[
                secured(&folder, ""),
                "ws://127.0.0.1:0/ws".to_owned(),
                "mqtt://127.0.0.1:0?proxy=127.0.0.1".to_owned(),
                "mqtt://127.0.0.1:0?proxy=192.0.2.1&name=elsewhere".to_owned(),
            ],
        );
        let ports: Vec<_> = ["mqtts://", "ws://", "mqtt://"]
            .iter()
            .map(|scheme| served.port(scheme))
            .chain([served.last_port()])
            .collect();
        for (port, bytes, layer, reason) in [
            (&ports[0], &b"\x10\x0c\0\x04MQTT"[..], "TLS", "no TLS"),
            (
                &ports[1],
                b"GET /elsewhere HTTP/1.1\r\n\r\n",
                "WebSocket",
                "a path that is not served",
            ),
            (&ports[1], b"\x10\x0c\0\x04MQTT", "WebSocket", "no HTTP"),
            (&ports[2], b"\x10\x0c\0\x04MQTT", "PROXY", "no header"),
            (&ports[3], b"PROXY UNKNOWN\r\n", "PROXY", "trusted"),
        ] {
            let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            let address = stream.local_addr().unwrap();
            stream.write_all(bytes).unwrap();
            // It may be reset, or ended after an answer.
            let _ = stream.read_to_end(&mut Vec::new());
            let line = served.process.stderr.expect("closed");
            for part in ["WARN", &format!("addr={address}"), layer, reason] {
                assert!(line.contains(part), "{part} is missing in {line}");
            }
        }
        served.stop();
    }
}
