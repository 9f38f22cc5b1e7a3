//! The rows of `core/tests/codec_malformed.txt`, sent to a whole broker: what it answers, and that it closes.

use crate::story::{Peer, Received, World};
use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromServer},
    packet::{ServerPacket, Version},
};

const LIMITS: DecodeLimits = DecodeLimits {
    first_packet_bytes_max: u32::MAX,
    packet_bytes_max: u32::MAX,
};

/// 0x84: the one refusal of a CONNECT that cannot be read which every version understands.
const UNSUPPORTED_PROTOCOL: u8 = 0x84;

/// One row: bytes that are no MQTT.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// Whose rule is broken.
    pub version: Version,
    /// When the bytes come.
    pub stage: Stage,
    /// What 5.0 says of it.
    pub reason: u8,
    /// `MQTT-3.1.2-3` or a section.
    pub rule: String,
    /// What is wrong.
    pub name: String,
    /// The packet.
    pub bytes: Vec<u8>,
}

/// Who sends a row, and when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// A client, first of all.
    Connect,
    /// A client that is connected.
    Client,
    /// A server. Clients of stories decode all that they receive and refuse such bytes.
    Server,
}

impl Row {
    /// The rows of the table.
    ///
    /// # Errors
    /// The first line that cannot be understood.
    pub fn parse(text: &str) -> Result<Vec<Self>, String> {
        text.lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .filter_map(|line| {
                Self::line(line)
                    .ok_or_else(|| format!("not a row: {line:?}"))
                    .transpose()
            })
            .collect()
    }

    /// Nothing within the outer option if the row is of MQTT 3.1, whose standard has no numbered statements.
    fn line(line: &str) -> Option<Option<Self>> {
        let fields: Vec<_> = line.split(" | ").map(str::trim).collect();
        let [version, stage, reason, rule, name, hex] = fields[..] else {
            return None;
        };
        let version = match version {
            "3.1" => return Some(None),
            "3.1.1" => Version::V311,
            "5.0" => Version::V5,
            _ => return None,
        };
        let stage = match stage {
            "connect" => Stage::Connect,
            "client" => Stage::Client,
            "connack" | "server" => Stage::Server,
            _ => return None,
        };
        let digits: String = hex.split_whitespace().collect();
        let bytes = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
            .collect::<Option<Vec<_>>>()?;
        Some(Some(Self {
            version,
            stage,
            reason: u8::from_str_radix(reason, 16).ok()?,
            rule: rule.into(),
            name: name.into(),
            bytes,
        }))
    }

    /// Sends the row to a broker, which must close the connection. In 5.0 it may say why in CONNACK, and must in
    /// DISCONNECT; before 5.0 it says nothing, but that it does not know the protocol. Returns what it said.
    ///
    /// # Errors
    /// What it did instead.
    pub fn send(&self, world: &mut dyn World) -> Result<Vec<u8>, String> {
        let peer = world.open();
        let mut decoder = FromServer::new(self.version, LIMITS);
        if self.stage == Stage::Client {
            world.send(peer, connect(self.version));
            join(world, peer, &mut decoder);
        } else if self.reason == UNSUPPORTED_PROTOCOL {
            decoder = FromServer::new(Version::V311, LIMITS);
        }
        world.send(peer, &self.bytes);
        let (bytes, is_closed) = receive(world, peer);
        if !is_closed {
            return Err(self.wrong("the connection is not closed"));
        }
        self.judge_all(&mut decoder, &bytes)?;
        Ok(bytes)
    }

    fn judge_all(&self, decoder: &mut FromServer, bytes: &[u8]) -> Result<(), String> {
        match decoder.decode(bytes) {
            _ if bytes.is_empty() => match self.says_why_at_most() {
                Answer::Must => Err(self.wrong("nothing is said")),
                Answer::May | Answer::MustNot => Ok(()),
            },
            Ok(Decoded::Packet { packet, len }) if len == bytes.len() => self.judge(&packet),
            other => Err(self.wrong(&format!("the answer is not one packet: {other:?}"))),
        }
    }

    fn judge(&self, packet: &ServerPacket<'_>) -> Result<(), String> {
        let reason = match (self.stage, packet) {
            (Stage::Client, ServerPacket::Disconnect(packet)) => packet.reason.0,
            (Stage::Connect, ServerPacket::ConnAck(packet)) => match packet.reason.0 {
                1 => UNSUPPORTED_PROTOCOL,
                reason => reason,
            },
            _ => return Err(self.wrong(&format!("the answer is {packet:?}"))),
        };
        match self.says_why_at_most() {
            Answer::MustNot => Err(self.wrong("a 3.1.1 client is told something")),
            _ if reason == self.reason => Ok(()),
            _ => Err(self.wrong(&format!("the reason is 0x{reason:02X}"))),
        }
    }

    fn says_why_at_most(&self) -> Answer {
        match (self.stage, self.version) {
            (Stage::Connect, _) if self.reason == UNSUPPORTED_PROTOCOL => Answer::Must,
            (Stage::Connect, Version::V5) => Answer::May,
            (_, Version::V5) => Answer::Must,
            (_, Version::V31 | Version::V311) => Answer::MustNot,
        }
    }

    fn wrong(&self, what: &str) -> String {
        format!("{:?}, {}: {what}", self.version, self.name)
    }
}

enum Answer {
    Must,
    May,
    MustNot,
}

fn connect(version: Version) -> &'static [u8] {
    match version {
        Version::V5 => b"\x10\x0E\0\x04MQTT\x05\x02\0\0\0\0\x01c",
        Version::V31 | Version::V311 => b"\x10\x0D\0\x04MQTT\x04\x02\0\0\0\x01c",
    }
}

/// Receives the CONNACK of a client that may come in.
fn join(world: &mut dyn World, peer: Peer, decoder: &mut FromServer) {
    world.settle();
    let mut bytes = Vec::new();
    loop {
        match decoder.decode(&bytes) {
            Ok(Decoded::Packet {
                packet: ServerPacket::ConnAck(connack),
                ..
            }) if !connack.reason.is_error() => return,
            Ok(Decoded::Need(_)) => {}
            other => panic!("a sound CONNECT is answered with {other:?}"),
        }
        let received = world.receive(peer, &mut bytes);
        assert_eq!(received, Received::Bytes, "a sound CONNECT is accepted");
    }
}

/// All that the client is sent, and whether its connection is closed then.
fn receive(world: &mut dyn World, peer: Peer) -> (Vec<u8>, bool) {
    world.settle();
    let mut bytes = Vec::new();
    loop {
        match world.receive(peer, &mut bytes) {
            Received::Bytes => {}
            Received::Nothing => return (bytes, false),
            Received::Closed => return (bytes, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Direct, Manner, Settings};

    fn direct() -> Direct {
        Direct::new(&Settings::default(), Manner::Prompt, 1)
    }

    fn row(line: &str) -> Row {
        Row::parse(line).unwrap().remove(0)
    }

    #[test]
    fn a_broker_that_answers_otherwise_is_noticed() {
        let sound = row("5.0 | client | 81 | MQTT-2.1.3-1 | PINGREQ with flags | C1 00");
        assert!(sound.send(&mut direct()).is_ok());
        let other_reason = Row {
            reason: 0x82,
            ..sound.clone()
        };
        assert!(
            other_reason
                .send(&mut direct())
                .unwrap_err()
                .ends_with("0x81")
        );
        let legal = Row {
            bytes: vec![0xC0, 0],
            ..sound
        };
        assert!(
            legal
                .send(&mut direct())
                .unwrap_err()
                .ends_with("not closed")
        );
    }

    #[test]
    fn a_line_that_is_no_row_is_told() {
        assert!(Row::parse("5.0 | client | 81 | MQTT-2.1.3-1 | no bytes").is_err());
        assert!(Row::parse("5.0 | client | 81 | rule | half a byte | C").is_err());
        assert_eq!(
            Row::parse("3.1 | client | 81 | rule | old | C1 00"),
            Ok(vec![])
        );
    }
}
