//! `pub` and `sub` over everything that a listener speaks, and what they say when it is something else.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{fs, path::PathBuf};
use support::{Process, RUNTIMES, Served, folder};

/// A broker with a listener of each kind, and certificates for it.
struct World {
    served: Served,
    folder: PathBuf,
}

impl World {
    fn start(runtime: &str, name: &str) -> Self {
        let folder = folder(name);
        support::certificates(&folder, &["--client", "pump-7"]);
        let at = |file: &str| folder.join(file).display().to_string();
        let (cert, key, ca) = (at("server.pem"), at("server.key"), at("ca.pem"));
        let served = Served::start(
            runtime,
            &[
                "mqtt://127.0.0.1:0".to_owned(),
                format!("mqtts://127.0.0.1:0?cert={cert}&key={key}"),
                "ws://127.0.0.1:0/mqtt".to_owned(),
                format!("wss://127.0.0.1:0?cert={cert}&key={key}"),
                format!("unix://{}", at("mqtt.sock")),
                format!("mqtts://127.0.0.1:0?cert={cert}&key={key}&client-ca={ca}&username=cn"),
            ],
        );
        Self { served, folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The port of the first listener whose URL begins so.
    fn port(&self, url: &str) -> String {
        self.served.port(url)
    }

    /// Options that reach the listener which is called so.
    fn reach(&self, listener: &str) -> Vec<String> {
        let ca = || ["--cafile".to_owned(), self.file("ca.pem")];
        let port = |url: &str| self.port(url);
        match listener {
            "mqtt" => vec!["-L".into(), format!("mqtt://localhost:{}", port("mqtt://"))],
            "mqtts" => [
                ca().to_vec(),
                ["-h", "localhost", "-p", &port("mqtts://")]
                    .map(Into::into)
                    .to_vec(),
            ]
            .concat(),
            "ws" => vec!["-L".into(), format!("ws://127.0.0.1:{}", port("ws://"))],
            "wss" => [
                ca().to_vec(),
                vec![
                    "-L".into(),
                    format!("wss://127.0.0.1:{}/ws", port("wss://")),
                ],
            ]
            .concat(),
            "unix" => vec!["--unix".into(), self.file("mqtt.sock")],
            "unix by URL" => vec!["-L".into(), format!("unix://{}", self.file("mqtt.sock"))],
            "mutual" => {
                let mut options = self.anonymous();
                options.extend(["--cert".into(), self.file("pump-7.pem")]);
                options.extend(["--key".into(), self.file("pump-7.key")]);
                options
            }
            other => panic!("no listener {other}"),
        }
    }

    /// To the listener that wants a certificate, without one.
    fn anonymous(&self) -> Vec<String> {
        let port = self.served.last_port();
        let options = ["-h", "127.0.0.1", "-p", &port, "--cafile"];
        let mut options = options.map(str::to_owned).to_vec();
        options.push(self.file("ca.pem"));
        options
    }
}

fn client(command: &str, reach: &[String], options: &[&str]) -> Process {
    let reach = reach.iter().map(String::as_str);
    let options = options.iter().copied();
    Process::start([command].into_iter().chain(reach).chain(options))
}

/// The one line in which `pub` gives up.
#[track_caller]
fn complaint(code: i32, reach: &[String], options: &[&str]) -> String {
    let mut process = client(
        "pub",
        reach,
        &[&["-t", "a", "-n", "-q", "1"], options].concat(),
    );
    process.ends_with(code);
    let lines = process.stderr.read_to_end();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0].clone()
}

const LISTENERS: [&str; 7] = [
    "mqtt",
    "mqtts",
    "ws",
    "wss",
    "unix",
    "unix by URL",
    "mutual",
];

#[test]
fn messages_arrive_over_every_transport() {
    for runtime in RUNTIMES {
        let world = World::start(runtime, &format!("arrive-{runtime}"));
        for listener in LISTENERS {
            let reach = world.reach(listener);
            for qos in ["0", "1", "2"] {
                let mut sub = client(
                    "sub",
                    &reach,
                    &["-t", "home/#", "-q", qos, "-v", "-C", "1", "-d"],
                );
                sub.stderr.expect("received SUBACK");
                client(
                    "pub",
                    &reach,
                    &["-t", "home/x", "-q", qos, "-m", listener, "-d"],
                )
                .ends_with(0);
                sub.ends_with(0);
                let printed = sub.stdout.read_to_end();
                assert_eq!(printed, [format!("home/x {listener}")], "QoS {qos}");
            }
        }
        world.served.stop();
    }
}

#[test]
fn large_messages_and_many_lines_arrive_whole_over_every_transport() {
    for runtime in RUNTIMES {
        let world = World::start(runtime, &format!("large-{runtime}"));
        let payload = "0123456789abcdef".repeat(20_000);
        let lines: Vec<_> = (0..2000).map(|number| format!("line {number}")).collect();
        for listener in LISTENERS {
            let reach = world.reach(listener);
            for (option, sent, count) in [
                ("-s", vec![payload.clone()], "1"),
                ("-l", lines.clone(), "2000"),
            ] {
                let mut sub = client("sub", &reach, &["-t", "a", "-q", "2", "-C", count, "-d"]);
                sub.stderr.expect("received SUBACK");
                let mut publisher = client("pub", &reach, &["-t", "a", "-q", "2", option]);
                publisher.feed(sent.join("\n").as_bytes());
                publisher.ends_with(0);
                sub.ends_with(0);
                // Not assert_eq, which would print both.
                assert!(sub.stdout.read_to_end() == sent, "{listener} on {runtime}");
            }
        }
        world.served.stop();
    }
}

#[test]
fn the_name_in_the_certificate_is_the_user() {
    let mut world = World::start("mio", "user");
    client("pub", &world.reach("mutual"), &["-t", "a", "-n"]).ends_with(0);
    let line = world.served.process.stderr.expect("connected");
    assert!(line.contains("user=\"pump-7\""), "{line}");
}

#[test]
fn a_server_that_is_not_trusted_is_refused_with_what_to_do() {
    let world = World::start("mio", "trust");
    let port = world.port("mqtts://");
    let other = folder("trust-other");
    support::certificates(&other, &[]);
    let at = |options: &[&str]| -> Vec<String> {
        let fixed = ["-h", "127.0.0.1", "-p", &port];
        fixed.iter().chain(options).map(|&one| one.into()).collect()
    };
    let line = complaint(1, &at(&["--tls-use-os-certs"]), &[]);
    assert!(line.contains("--cafile"), "{line}");
    let other_ca = other.join("ca.pem").display().to_string();
    let line = complaint(1, &at(&["--cafile", &other_ca]), &[]);
    assert!(
        line.contains("not trusted") && line.contains("--cafile"),
        "{line}"
    );
    // Not even then.
    let line = complaint(1, &at(&["--cafile", &other_ca]), &["--insecure"]);
    assert!(line.contains("not trusted"), "{line}");
}

#[test]
fn a_certificate_for_other_names_is_refused_unless_that_is_not_to_be_checked() {
    let folder = folder("names");
    support::certificates(
        &folder,
        &["--host", "broker.example", "--host", "192.0.2.7"],
    );
    let at = |file: &str| folder.join(file).display().to_string();
    let url = format!(
        "mqtts://127.0.0.1:0?cert={}&key={}",
        at("server.pem"),
        at("server.key")
    );
    let served = Served::start("mio", &[url]);
    let reach = [
        "-h",
        "127.0.0.1",
        "-p",
        &served.port("mqtts://"),
        "--cafile",
        &at("ca.pem"),
    ]
    .map(str::to_owned);
    let line = complaint(1, &reach, &[]);
    for part in ["broker.example, 192.0.2.7", "--insecure"] {
        assert!(line.contains(part), "{line}");
    }
    for version in ["tlsv1.2", "tlsv1.3"] {
        let options = [
            "-t",
            "a",
            "-n",
            "-q",
            "1",
            "--insecure",
            "--tls-version",
            version,
        ];
        client("pub", &reach, &options).ends_with(0);
    }
    served.stop();
}

#[test]
fn a_server_that_wants_a_certificate_is_given_one_that_it_accepts() {
    let world = World::start("tokio", "wanted");
    let reach = world.anonymous();
    let pair = |cert: &str, key: &str| [world.file(cert), world.file(key)];
    for version in ["tlsv1.2", "tlsv1.3"] {
        let options = ["--tls-version", version];
        let line = complaint(1, &reach, &options);
        assert!(line.contains("--cert") && line.contains("--key"), "{line}");
        let [cert, key] = pair("server.pem", "server.key");
        let line = complaint(
            1,
            &reach,
            &[&options[..], &["--cert", &cert, "--key", &key]].concat(),
        );
        assert!(line.contains("does not accept"), "{version}: {line}");
    }
    let [cert, key] = pair("pump-7.pem", "server.key");
    let line = complaint(1, &reach, &["--cert", &cert, "--key", &key]);
    assert!(
        line.contains("server.key") && line.contains("pump-7.pem"),
        "{line}"
    );
    let [cert, key] = pair("none.pem", "ca.pem");
    let line = complaint(1, &reach, &["--cert", &cert, "--key", &key]);
    assert!(line.contains("none.pem"), "{line}");
    let line = complaint(2, &reach, &["--cert", &cert]);
    assert!(line.contains("--key"), "{line}");
}

#[test]
fn whoever_speaks_something_else_is_told_what_would_be_right() {
    let world = World::start("mio", "else");
    let (mqtt, mqtts) = (world.port("mqtt://"), world.port("mqtts://"));
    let (ws, wss) = (world.port("ws://"), world.port("wss://"));
    let ca = world.file("ca.pem");
    let url = |scheme: &str, port: &str| format!("{scheme}://localhost:{port}");
    let at = |port: &str| {
        vec![
            "-h".to_owned(),
            "localhost".into(),
            "-p".into(),
            port.into(),
        ]
    };
    let by = |url: String| vec!["-L".to_owned(), url];
    for (reach, options, parts) in [
        (at(&mqtts), &[][..], ["TLS", "--cafile"]),
        (by(url("mqtt", &ws)), &[], ["HTTP", "ws://"]),
        (
            at(&mqtt),
            &["--cafile", &ca],
            ["ended the connection", "TLS handshake"],
        ),
        (
            at(&mqtts),
            &["--cafile", &ca, "--tls-alpn", "h2"],
            ["--tls-alpn", "does not speak"],
        ),
        (by(url("ws", &ws) + "/elsewhere"), &[], ["404", "path"]),
        (
            by(url("ws", &mqtt)),
            &[],
            ["WebSocket", "ended the connection"],
        ),
        (by(url("ws", &wss)), &[], ["no WebSocket server", "no HTTP"]),
        (
            by(url("wss", &ws)),
            &["--cafile", &ca],
            ["does not speak TLS", "-p"],
        ),
    ] {
        let line = complaint(1, &reach, options);
        for part in parts {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
    let line = complaint(1, &["--unix".into(), world.file("none.sock")], &[]);
    assert!(line.contains("none.sock"), "{line}");
    let line = complaint(2, &by(url("mqtt", &mqtt)), &["--insecure"]);
    assert!(line.contains("mqtts://"), "{line}");
}

#[test]
fn a_url_carries_user_and_topic_and_its_password_is_never_shown() {
    let mut world = World::start("mio", "secret");
    let port = world.port("mqtt://");
    let good = format!("mqtt://bob:s3cret@localhost:{port}/home/kitchen");
    let mut sub = Process::start(["sub", "-L", &good, "-C", "1", "-v", "-d"]);
    sub.stderr.expect("received SUBACK");
    let mut publisher = Process::start(["pub", "-L", &good, "-m", "21.5", "-q", "1", "-d"]);
    publisher.ends_with(0);
    sub.ends_with(0);
    assert_eq!(sub.stdout.read_to_end(), ["home/kitchen 21.5"]);
    let line = world.served.process.stderr.expect("connected");
    assert!(line.contains("user=\"bob\""), "{line}");
    let mut shown = sub.stderr.read_to_end().to_vec();
    shown.extend_from_slice(publisher.stderr.read_to_end());

    for (url, code) in [
        ("mqtt://bob:s3cret@localhost:1x/a", 2),
        ("http://bob:s3cret@localhost/a", 2),
        ("mqtt://bob:s3cret@localhost/a b", 2),
        ("mqtt://bob:s3cret@no-such-host.invalid/a", 1),
    ] {
        let mut process = Process::start(["pub", "-L", url, "-n"]);
        process.ends_with(code);
        shown.extend_from_slice(process.stderr.read_to_end());
    }
    let twice = [good.as_str(), "-P", "0ther-s3cret"];
    let mut process = Process::start(["pub", "-n", "-L"].iter().chain(&twice));
    process.ends_with(2);
    shown.extend_from_slice(process.stderr.read_to_end());
    assert!(
        !shown.iter().any(|line| line.contains("s3cret")),
        "{shown:#?}"
    );
}

#[test]
fn files_that_contain_no_certificates_are_named() {
    let world = World::start("mio", "files");
    let port = world.port("mqtts://");
    fs::write(world.folder.join("empty.pem"), "").unwrap();
    for file in ["empty.pem", "ca.key", "none.pem"] {
        let path = world.file(file);
        let reach = ["-h", "localhost", "-p", &port, "--cafile", &path].map(str::to_owned);
        let line = complaint(1, &reach, &[]);
        assert!(line.contains(file), "{line}");
    }
}
