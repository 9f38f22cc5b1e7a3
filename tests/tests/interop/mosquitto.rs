//! mosquitto_pub and mosquitto_sub: the clients that everybody has, and the oldest in use.
//!
//! mosquitto_sub tells with `-d` when its subscriptions are acknowledged, so nothing here waits by the clock.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Version;
use crate::broker::{Broker, CLIENT, Driver, Served, certificate, secured};
use crate::haproxy::Haproxy;
use crate::process::Process;

pub(crate) fn run(driver: Driver, version: Version, scenario: &str) {
    let broker = Broker::start(driver);
    play(&World::new(version, at(broker.address)), scenario);
}

/// Over TLS of this version only.
pub(crate) fn over_tls(driver: Driver, version: &str, scenario: &str) {
    let served = Served::start(driver, &secured("mqtts", ""));
    let mut reach = over_tls_at(served.address);
    reach.extend(["--tls-version", version].map(str::to_owned));
    play(&World::new(Version::V5_0, reach), scenario);
}

/// Over TLS with a certificate, of which this name is that of the user.
pub(crate) fn over_mutual_tls(driver: Driver, username_from: &str, scenario: &str) {
    let ca = certificate("ours/ca.pem");
    let mutual = format!("&client-ca={ca}&username={username_from}");
    let mut served = Served::start(driver, &secured("mqtts", &mutual));
    let mut reach = over_tls_at(served.address);
    if scenario == "refused_without_certificate" {
        return refused(served, &reach, "the client presented no certificate");
    }
    for (option, extension) in [("--cert", "pem"), ("--key", "key")] {
        reach.push(option.to_owned());
        reach.push(certificate(&format!("ours/{CLIENT}.{extension}")));
    }
    let world = World::new(Version::V5_0, reach);
    if scenario == "user_name" {
        world.publish(&["-t", "topic", "-m", "text"]);
        served.process.line_with(&format!("user=\"{CLIENT}\""));
        return;
    }
    play(&world, scenario);
}

/// Behind HAProxy, which sends a header of this version. With version 2 TLS goes through it.
pub(crate) fn behind_haproxy(driver: Driver, header: &str, scenario: &str) {
    let trusted = match scenario {
        "untrusted_proxy" => "192.0.2.1",
        _ => "127.0.0.1",
    };
    let has_tls = header == "send-proxy-v2";
    let listen = match has_tls {
        true => secured("mqtts", &format!("&proxy={trusted}")),
        false => format!("mqtt://127.0.0.1:0?proxy={trusted}"),
    };
    let mut served = Served::start(driver, &listen);
    let front = Haproxy::start(served.address, header);
    let mut reach = match has_tls {
        true => over_tls_at(front.address),
        false => at(front.address),
    };
    // An address of this machine that nobody else connects from.
    reach.extend(["-A", "127.0.0.9"].map(str::to_owned));
    if scenario == "untrusted_proxy" {
        return refused(served, &reach, "not one of the proxies that are trusted");
    }
    let world = World::new(Version::V5_0, reach);
    if scenario == "client_address" {
        world.publish(&["-t", "topic", "-m", "text"]);
        let line = served.process.line_with(" connected ");
        assert!(line.contains("addr=127.0.0.9:"), "{line}");
        return;
    }
    play(&world, scenario);
}

/// The client must fail, and the log tells why.
fn refused(mut served: Served, reach: &[String], reason: &str) {
    let mut command = Command::new("mosquitto_pub");
    command.args(reach).args(["-t", "topic", "-m", "text"]);
    let ended = Process::start("mosquitto_pub", command).wait();
    assert!(!ended.success(), "mosquitto_pub was served");
    served.process.line_with(reason);
}

/// Options to connect to this address.
fn at(address: SocketAddr) -> Vec<String> {
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    ["-h", &ip, "-p", &port].map(str::to_owned).to_vec()
}

fn over_tls_at(address: SocketAddr) -> Vec<String> {
    let mut options = at(address);
    options.push("--cafile".to_owned());
    options.push(certificate("ours/ca.pem"));
    options
}

fn play(world: &World, scenario: &str) {
    match scenario {
        "qos0" => qos(world, 0),
        "qos1" => qos(world, 1),
        "qos2" => qos(world, 2),
        "retained" => retained(world),
        "will" => will(world),
        "resumed_session" => resumed_session(world),
        "large_message" => large_message(world),
        "wildcards" => wildcards(world),
        "unsubscribe" => unsubscribe(world),
        "clean_session" => clean_session(world),
        "properties" => properties(world),
        _ => panic!("no scenario {scenario}"),
    }
}

fn qos(world: &World, qos: u8) {
    let (topic, level) = (world.topic("messages"), &qos.to_string());
    let mut subscriber = world.subscribe(&["-q", level, "-t", &topic]);
    let mut lower = world.subscribe(&["-q", "0", "-t", &topic]);
    for payload in ["first", "second", "", "third"] {
        world.publish(&["-q", level, "-t", &topic, "-m", payload]);
    }
    for payload in ["first", "second", "", "third"] {
        subscriber.receive(qos, false, &topic, payload);
        lower.receive(0, false, &topic, payload);
    }
    subscriber.nothing_more(world);
}

fn retained(world: &World) {
    let topic = world.topic("state");
    let mut live = world.subscribe(&["-q", "1", "-t", &topic]);
    world.publish(&["-r", "-q", "1", "-t", &topic, "-m", "old"]);
    world.publish(&["-r", "-q", "1", "-t", &topic, "-m", "new"]);
    live.receive(1, false, &topic, "old");
    live.receive(1, false, &topic, "new");
    let mut late = world.subscribe(&["-q", "1", "-t", &topic]);
    late.receive(1, true, &topic, "new");
    world.publish(&["-r", "-q", "1", "-t", &topic, "-n"]);
    live.receive(1, false, &topic, "");
    late.receive(1, false, &topic, "");
    world
        .subscribe(&["-q", "1", "-t", &topic])
        .nothing_more(world);
}

fn will(world: &World) {
    let (lost, polite) = (&world.topic("will/lost"), &world.topic("will/polite"));
    let mut observer = world.subscribe(&["-q", "2", "-t", &world.topic("will/+")]);
    let dying = [
        "--will-topic",
        lost,
        "--will-payload",
        "lost",
        "--will-qos",
        "2",
        "--will-retain",
    ];
    let dying: Vec<&str> = dying.into_iter().chain(["-t", "unused"]).collect();
    world.subscribe(&dying).process.kill();
    observer.receive(2, false, lost, "lost");
    world
        .subscribe(&["-q", "2", "-t", lost])
        .receive(2, true, lost, "lost");
    let living = [
        "--will-topic",
        polite,
        "--will-payload",
        "never",
        "-t",
        "unused",
        "-m",
        "goodbye",
    ];
    world.publish(&living);
    observer.nothing_more(world);
    world.publish(&["-r", "-t", lost, "-n"]);
}

fn resumed_session(world: &World) {
    let (topic, name) = (world.topic("away"), world.name());
    let resumed = ["-c", "-i", &name];
    world.subscribe_and_leave(&[&resumed[..], &["-q", "2", "-t", &topic]].concat());
    for number in 0..6 {
        let qos = if number % 2 == 0 { "1" } else { "2" };
        world.publish(&["-q", qos, "-t", &topic, "-m", &number.to_string()]);
    }
    // Only the marker is subscribed now: what comes for the topic comes through the session.
    let mut subscriber = world.subscribe(&resumed);
    let arrived: Vec<String> = (0..6)
        .map(|_| subscriber.process.line_with(MESSAGE))
        .collect();
    // Order holds within a QoS level only: a QoS 2 message is handed over when its exchange ends.
    for (qos, numbers) in [(1, [0, 2, 4]), (2, [1, 3, 5])] {
        let wanted = numbers.map(|number| format!("{MESSAGE}{qos} 0 {topic} {number}"));
        let got: Vec<&String> = arrived
            .iter()
            .filter(|line| line.starts_with(&format!("{MESSAGE}{qos}")))
            .collect();
        assert_eq!(
            got,
            wanted.iter().collect::<Vec<_>>(),
            "QoS {qos} messages of the resumed session"
        );
    }
    subscriber.nothing_more(world);
    world.publish(&["-q", "1", "-t", &topic, "-m", "still subscribed"]);
    subscriber.receive(1, false, &topic, "still subscribed");
}

fn large_message(world: &World) {
    let topic = world.topic("large");
    let payload: String = (0..200_000_u32)
        .map(|n| char::from(b'a' + (n * 7 % 26) as u8))
        .collect();
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(world.name());
    fs::write(&file, &payload).expect("a temporary file can be written");
    let path = file
        .to_str()
        .expect("the target folder has a printable name");
    let mut subscriber = world.subscribe(&["-q", "2", "-t", &topic]);
    for qos in [0, 1, 2] {
        world.publish(&["-q", &qos.to_string(), "-t", &topic, "-f", path]);
        let line = subscriber.process.line_with(MESSAGE);
        // Not assert_eq, which would print both.
        assert!(
            line == format!("{MESSAGE}{qos} 0 {topic} {payload}"),
            "a QoS {qos} message of {} bytes came changed: {} bytes, {:.60}",
            payload.len(),
            line.len(),
            line
        );
    }
    fs::remove_file(file).expect("the temporary file can be removed");
}

fn wildcards(world: &World) {
    let topics = ["a", "a/b", "a/b/c", "a//c", "a/b/c/d", "x/y", "A/b/C"];
    let matches: [(&str, &[&str]); 4] = [
        ("a/+/c", &["a/b/c", "a//c"]),
        ("a/#", &["a", "a/b", "a/b/c", "a//c", "a/b/c/d"]),
        ("+/+", &["a/b", "x/y"]),
        ("a/+", &["a/b"]),
    ];
    let mut subscribers: Vec<Subscriber> = matches
        .iter()
        .map(|(filter, _)| world.subscribe(&["-q", "1", "-t", &world.topic(filter)]))
        .collect();
    for topic in topics {
        world.publish(&["-q", "1", "-t", &world.topic(topic), "-m", topic]);
    }
    for (subscriber, (_, expected)) in subscribers.iter_mut().zip(matches) {
        for topic in expected {
            subscriber.receive(1, false, &world.topic(topic), topic);
        }
        subscriber.nothing_more(world);
    }
}

fn unsubscribe(world: &World) {
    let (gone, kept, name) = (world.topic("gone"), world.topic("kept"), world.name());
    world.subscribe_and_leave(&["-c", "-i", &name, "-q", "1", "-t", &gone, "-t", &kept]);
    let mut subscriber = world.subscribe(&["-c", "-i", &name, "-U", &gone]);
    subscriber.process.line_with("received UNSUBACK");
    world.publish(&["-q", "1", "-t", &gone, "-m", "after"]);
    world.publish(&["-q", "1", "-t", &kept, "-m", "other"]);
    subscriber.receive(1, false, &kept, "other");
    subscriber.nothing_more(world);
}

fn clean_session(world: &World) {
    let (topic, name) = (world.topic("dropped"), world.name());
    world.subscribe_and_leave(&["-c", "-i", &name, "-q", "1", "-t", &topic]);
    world.publish(&["-q", "1", "-t", &topic, "-m", "dropped with the session"]);
    world.subscribe_and_leave(&["-i", &name, "-t", &world.topic("other")]);
    let mut subscriber = world.subscribe(&["-c", "-i", &name]);
    world.publish(&["-q", "1", "-t", &topic, "-m", "to nobody"]);
    subscriber.nothing_more(world);
}

fn properties(world: &World) {
    let topic = world.topic("properties");
    let format = format!("{MESSAGE}%q|%C|%R|%D|%F|%P|%p");
    let mut subscriber = world.subscribe(&["-q", "1", "-t", &topic, "-F", &format]);
    let given = [
        ["content-type", "text/plain"],
        ["response-topic", "answers"],
        ["correlation-data", "c0ffee"],
        ["payload-format-indicator", "1"],
    ];
    let mut publish = vec!["-q", "1", "-t", &topic, "-m", "text"];
    for [name, value] in given {
        publish.extend(["-D", "publish", name, value]);
    }
    publish.extend(["-D", "publish", "user-property", "name", "value"]);
    world.publish(&publish);
    let line = subscriber.process.line_with(MESSAGE);
    assert_eq!(
        line,
        format!("{MESSAGE}1|text/plain|answers|c0ffee|1|name:value|text")
    );
}

/// What a line of a message begins with, so that it differs from a line about packets.
const MESSAGE: &str = "MESSAGE ";

struct World {
    version: Version,
    /// Options that lead to the broker.
    reach: Vec<String>,
    run: String,
}

/// A mosquitto_sub whose subscriptions are acknowledged, one of them to its marker.
struct Subscriber {
    process: Process,
    marker: String,
}

impl World {
    fn new(version: Version, reach: Vec<String>) -> Self {
        Self {
            version,
            reach,
            run: unique(),
        }
    }

    /// A topic or filter that no other test uses.
    fn topic(&self, rest: &str) -> String {
        format!("interop/{}/{rest}", self.run)
    }

    /// A client identifier that no other test uses.
    fn name(&self) -> String {
        unique()
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        // Without stdbuf, what is written to a pipe would wait for a full buffer.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", program, "-d"]);
        command.args(&self.reach).arg("-V");
        command.arg(match self.version {
            Version::V3_1 => "mqttv31",
            Version::V3_1_1 => "mqttv311",
            Version::V5_0 => "mqttv5",
        });
        command.args(arguments);
        command
    }

    /// Publishes and waits for the end of the exchange.
    fn publish(&self, arguments: &[&str]) {
        Process::start("mosquitto_pub", self.command("mosquitto_pub", arguments)).succeed();
    }

    /// Subscribes and waits for SUBACK.
    fn subscribe(&self, arguments: &[&str]) -> Subscriber {
        let marker = format!("interop-marker/{}", unique());
        let mut command = self.command("mosquitto_sub", &["-t", &marker]);
        command
            .args(["-F", &format!("{MESSAGE}%q %r %t %p")])
            .args(arguments);
        let mut process = Process::start("mosquitto_sub", command);
        process.line_with("received SUBACK");
        Subscriber { process, marker }
    }

    /// Subscribes, waits for SUBACK and disconnects.
    fn subscribe_and_leave(&self, arguments: &[&str]) {
        let mut command = self.command("mosquitto_sub", arguments);
        command.arg("-E");
        Process::start("mosquitto_sub", command).succeed();
    }
}

impl Subscriber {
    /// The next message must be this one.
    fn receive(&mut self, qos: u8, retain: bool, topic: &str, payload: &str) {
        let line = self.process.line_with(MESSAGE);
        assert_eq!(
            line,
            format!("{MESSAGE}{qos} {} {topic} {payload}", u8::from(retain))
        );
    }

    /// Proves that no message waits for this client: a marker is what arrives next.
    fn nothing_more(&mut self, world: &World) {
        world.publish(&["-q", "1", "-t", &self.marker, "-m", "marker"]);
        let line = self.process.line_with(MESSAGE);
        assert!(
            line.ends_with(&format!("{} marker", self.marker)),
            "an unwanted message: {line}"
        );
    }
}

/// At most 23 bytes, which 3.1 allows for a client identifier.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "mosq{:x}-{}",
        process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}
