//! `openssl s_client`: TLS by another library than the broker's. MQTT goes through it as through a pipe, spoken by this
//! project's own codec.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{self, Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use sanderling_core::codec::{DecodeLimits, Decoded, FromServer};
use sanderling_core::packet::{
    Ack, ClientPacket, Connect, Disconnect, PacketId, Properties, Publish, QoS, ServerPacket,
    Subscribe, SubscribeEntry, SubscribeOptions, Version,
};
use sanderling_core::reason::ReasonCode;
use sanderling_core::topic::TopicFilter;

use crate::broker::{CLIENT, Driver, OTHER_HOST, Served, certificate, secured};
use crate::process::DEADLINE;

/// One scenario; those about versions run with each.
pub(crate) fn run(driver: Driver, version: &str, scenario: &str) {
    match scenario {
        "messages" => messages(driver, version),
        "handshake" => handshake(driver, version),
        "server_name" => server_name(driver, version),
        "client_certificate" => client_certificate(driver, version),
        "resumption" => resumption(driver, version),
        _ => panic!("no scenario {scenario}"),
    }
}

/// Every QoS in both directions, and a payload that is longer than every record and buffer.
fn messages(driver: Driver, version: &str) {
    let served = Served::start(driver, &secured("mqtts", ""));
    let mut peer = Peer::connect(&served, version, &[]);
    peer.subscribe("topic");
    let long: Vec<u8> = (0..200_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        for payload in [&b"text"[..], b"", &long] {
            peer.publish("topic", payload, qos);
        }
    }
    peer.disconnect();
}

/// The chain, the name, ALPN and the version.
fn handshake(driver: Driver, version: &str) {
    let served = Served::start(driver, &secured("mqtts", ""));
    let told = talk(
        &served,
        &[version, "-alpn", "h2,mqtt", "-verify_hostname", "localhost"],
    );
    let name = if version == "-tls1_2" {
        "TLSv1.2"
    } else {
        "TLSv1.3"
    };
    for part in [
        "Verify return code: 0 (ok)",
        "ALPN protocol: mqtt",
        &format!("New, {name}"),
    ] {
        assert!(told.contains(part), "{part} is missing in\n{told}");
    }
    let told = talk(&served, &[version, "-alpn", "h2"]);
    assert!(told.contains("no application protocol"), "{told}");
}

/// Of two certificates the client gets the one for the name that it asks for.
fn server_name(driver: Driver, version: &str) {
    let (cert, key) = (
        certificate("other/server.pem"),
        certificate("other/server.key"),
    );
    let served = Served::start(
        driver,
        &secured("mqtts", &format!("&cert={cert}&key={key}")),
    );
    for (options, subject) in [
        (["-servername", "localhost"], "localhost"),
        (["-servername", OTHER_HOST], OTHER_HOST),
        (["-servername", "somebody.else"], "localhost"),
        (["-noservername", "-showcerts"], "localhost"),
    ] {
        let told = talk(&served, &[&[version][..], &options].concat());
        assert!(
            told.contains(&format!("subject=CN = {subject}\n")),
            "{told}"
        );
    }
}

/// Without a certificate a client is told so; with one it is served.
fn client_certificate(driver: Driver, version: &str) {
    let mutual = format!("&client-ca={}&username=cn", certificate("ours/ca.pem"));
    let mut served = Served::start(driver, &secured("mqtts", &mutual));
    let told = talk(&served, &[version]);
    assert!(told.contains("alert certificate required"), "{told}");
    served
        .process
        .line_with("the client presented no certificate");
    let (cert, key) = (
        certificate(&format!("ours/{CLIENT}.pem")),
        certificate(&format!("ours/{CLIENT}.key")),
    );
    let mut peer = Peer::connect(&served, version, &["-cert", &cert, "-key", &key]);
    peer.subscribe("topic");
    peer.publish("topic", b"text", QoS::ExactlyOnce);
    peer.disconnect();
    served.process.line_with(&format!("user=\"{CLIENT}\""));
}

/// A client that was here before need not go through the whole handshake again.
fn resumption(driver: Driver, version: &str) {
    let served = Served::start(driver, &secured("mqtts", ""));
    let name = format!("session-{}-{driver:?}{version}", process::id());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let path = file.display().to_string();
    let first = talk(&served, &[version, "-sess_out", &path]);
    assert!(first.contains("New, TLSv1."), "{first}");
    let second = talk(&served, &[version, "-sess_in", &path]);
    assert!(second.contains("Reused, TLSv1."), "{second}");
    fs::remove_file(file).expect("the session was written");
}

/// Connects, says CONNECT and DISCONNECT, and returns all that `openssl` says of it.
fn talk(served: &Served, options: &[&str]) -> String {
    let mut child = s_client(served, options);
    let mut input = child.stdin.take().expect("piped");
    // Fails where the handshake does.
    let _ = input.write_all(&[connect(), disconnect()].concat());
    let (told, ended) = channel();
    let output = child.stdout.take().expect("piped");
    let errors = child.stderr.take().expect("piped");
    read_to_end(output, told.clone());
    read_to_end(errors, told);
    let mut text = String::new();
    for _ in 0..2 {
        let part = ended.recv_timeout(DEADLINE);
        text.push_str(&part.unwrap_or_else(|_| panic!("openssl does not end; before: {text}")));
    }
    child.wait().expect("it has ended");
    text
}

fn read_to_end(mut stream: impl Read + Send + 'static, told: Sender<String>) {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error counts.
        let _ = stream.read_to_end(&mut bytes);
        // The test may have given up.
        let _ = told.send(String::from_utf8_lossy(&bytes).into_owned());
    });
}

fn s_client(served: &Served, options: &[&str]) -> Child {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &served.address.to_string()]);
    // Its input are packets, not commands, and it ends when the broker closes.
    command.args(["-ign_eof", "-CAfile", &certificate("ours/ca.pem")]);
    command.args(options);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    let child = command.spawn();
    child.unwrap_or_else(|error| panic!("openssl: {error}; run tests/interop/install.sh"))
}

fn connect() -> Vec<u8> {
    encoded(&ClientPacket::Connect(Box::new(Connect {
        version: Version::V5,
        client_id: "openssl",
        clean_start: true,
        keep_alive_s: 60,
        username: None,
        password: None,
        will: None,
        properties: Properties::EMPTY,
    })))
}

fn disconnect() -> Vec<u8> {
    encoded(&ClientPacket::Disconnect(Disconnect {
        reason: ReasonCode::NORMAL_DISCONNECTION,
        properties: Properties::EMPTY,
    }))
}

fn encoded(packet: &ClientPacket<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(Version::V5, &mut bytes).expect("it fits");
    bytes
}

/// What of a packet matters here.
#[derive(Debug, Eq, PartialEq)]
enum Got {
    ConnAck,
    SubAck,
    PubAck,
    PubRec,
    PubRel(PacketId),
    PubComp,
    Message(QoS, Vec<u8>, Option<PacketId>),
    Other(String),
}

/// An MQTT client that goes through `openssl`.
struct Peer {
    child: Child,
    input: ChildStdin,
    packets: Receiver<Got>,
}

impl Peer {
    fn connect(served: &Served, version: &str, options: &[&str]) -> Self {
        let quiet = ["-quiet", "-verify_return_error", version];
        let mut child = s_client(served, &[&quiet[..], options].concat());
        let output = child.stdout.take().expect("piped");
        let (sender, packets) = channel();
        thread::spawn(move || read_packets(output, &sender));
        let mut peer = Self {
            input: child.stdin.take().expect("piped"),
            child,
            packets,
        };
        peer.send(&connect());
        peer.expect(&Got::ConnAck);
        peer
    }

    fn send(&mut self, bytes: &[u8]) {
        self.input.write_all(bytes).expect("openssl takes it");
        self.input.flush().expect("openssl takes it");
    }

    fn next(&self) -> Got {
        let packet = self.packets.recv_timeout(DEADLINE);
        packet.expect("a packet before the deadline")
    }

    fn expect(&self, wanted: &Got) {
        assert_eq!(self.next(), *wanted);
    }

    fn subscribe(&mut self, topic: &str) {
        let options = SubscribeOptions {
            qos: QoS::ExactlyOnce,
            ..SubscribeOptions::default()
        };
        let filter = TopicFilter::parse(topic).expect("a filter");
        let subscribe = Subscribe {
            packet_id: PacketId::MIN,
            entries: [SubscribeEntry { filter, options }].into_iter().collect(),
            properties: Properties::EMPTY,
        };
        self.send(&encoded(&ClientPacket::Subscribe(Box::new(subscribe))));
        self.expect(&Got::SubAck);
    }

    /// Publishes to itself, and sees both exchanges to their ends.
    fn publish(&mut self, topic: &str, payload: &[u8], qos: QoS) {
        let id = PacketId::MIN;
        self.send(&encoded(&ClientPacket::Publish(Publish {
            topic,
            payload,
            qos,
            retain: false,
            dup: false,
            packet_id: (qos != QoS::AtMostOnce).then_some(id),
            properties: Properties::EMPTY,
        })));
        let mut awaited = match qos {
            QoS::AtMostOnce => 1,
            QoS::AtLeastOnce => 2,
            QoS::ExactlyOnce => 4,
        };
        while awaited > 0 {
            awaited -= 1;
            let answer = match self.next() {
                Got::Message(as_qos, bytes, packet_id) => {
                    // Not assert_eq, which would print both.
                    assert!(bytes == payload, "{} bytes came changed", payload.len());
                    assert_eq!(as_qos, qos);
                    match (qos, packet_id) {
                        (QoS::AtLeastOnce, Some(id)) => ClientPacket::PubAck(Ack::success(id)),
                        (QoS::ExactlyOnce, Some(id)) => ClientPacket::PubRec(Ack::success(id)),
                        _ => continue,
                    }
                }
                Got::PubRec => ClientPacket::PubRel(Ack::success(id)),
                Got::PubRel(id) => ClientPacket::PubComp(Ack::success(id)),
                Got::PubAck | Got::PubComp => continue,
                other => panic!("{other:?} in an exchange of QoS {qos}"),
            };
            self.send(&encoded(&answer));
        }
    }

    /// Says DISCONNECT; the broker closes, and `openssl` ends well.
    fn disconnect(mut self) {
        self.send(&disconnect());
        let after = self.packets.recv_timeout(DEADLINE);
        assert!(after.is_err(), "nothing comes after DISCONNECT: {after:?}");
        let ended = self.child.wait().expect("its output has ended");
        assert!(ended.success(), "openssl: {ended}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_packets(mut stream: impl Read, packets: &Sender<Got>) {
    let limits = DecodeLimits {
        first_packet_bytes_max: 1 << 20,
        packet_bytes_max: 1 << 20,
    };
    let mut decoder = FromServer::new(Version::V5, limits);
    let (mut buffer, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(len @ 1..) = stream.read(&mut chunk) {
        buffer.extend_from_slice(&chunk[..len]);
        while let Decoded::Packet { packet, len } =
            decoder.decode(&buffer).expect("packets come through")
        {
            // The test may have given up.
            let _ = packets.send(got(packet));
            buffer.drain(..len);
        }
    }
}

fn got(packet: ServerPacket<'_>) -> Got {
    match packet {
        ServerPacket::ConnAck(answer) if !answer.reason.is_error() => Got::ConnAck,
        ServerPacket::SubAck(_) => Got::SubAck,
        ServerPacket::PubAck(_) => Got::PubAck,
        ServerPacket::PubRec(_) => Got::PubRec,
        ServerPacket::PubRel(ack) => Got::PubRel(ack.packet_id),
        ServerPacket::PubComp(_) => Got::PubComp,
        ServerPacket::Publish(message) => {
            Got::Message(message.qos, message.payload.to_vec(), message.packet_id)
        }
        other => Got::Other(format!("{other:?}")),
    }
}
