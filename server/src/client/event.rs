//! What the threads of a client report to the one that decides: owned, so that it can cross.

use sanderling_core::{
    packet::{Ack, PacketId, Properties, Property, QoS, ServerPacket},
    reason::ReasonCode,
};
use std::io;

/// What a thread reports.
#[derive(Debug)]
pub(super) enum Report {
    /// Received, as it came.
    Bytes(Vec<u8>),
    /// Nothing more will be received, perhaps because of this.
    Ended(Option<io::Error>),
    /// Nothing that concerns the connection.
    Other(Event),
}

/// Something that happened.
#[derive(Debug)]
pub(super) enum Event {
    /// The server sent a packet.
    Received(Incoming),
    /// Standard input had these lines, without their line ends.
    Lines(Vec<Vec<u8>>),
    /// Standard input has ended.
    InputEnded,
    /// Standard input failed.
    InputFailed(io::Error),
    /// SIGINT or SIGTERM.
    Signalled,
}

/// A packet of the server.
#[derive(Debug)]
pub(super) enum Incoming {
    ConnAck(Welcome),
    Publish(Message),
    PubAck(Outcome),
    PubRec(Outcome),
    PubRel(PacketId),
    PubComp(PacketId),
    SubAck {
        packet_id: PacketId,
        codes: Vec<ReasonCode>,
        text: Option<String>,
    },
    PingResp,
    Disconnect {
        reason: ReasonCode,
        text: Option<String>,
    },
    /// Legal for a server, but never an answer to what these clients send.
    Unexpected(&'static str),
}

/// What CONNACK says.
#[derive(Clone, Debug)]
pub(super) struct Welcome {
    pub(super) session_present: bool,
    pub(super) reason: ReasonCode,
    pub(super) text: Option<String>,
    /// Messages in flight towards the server. [MQTT 5.0, 3.2.2.3.3]
    pub(super) receive_maximum: u16,
    /// Bytes of one packet towards the server. [MQTT 5.0, 3.2.2.3.6]
    pub(super) packet_bytes_max: Option<u32>,
    pub(super) qos_max: QoS,
    pub(super) retain_available: bool,
    /// In seconds, in place of what CONNECT asked for. [MQTT-3.2.2-21]
    pub(super) keep_alive_s: Option<u16>,
}

/// A PUBLISH.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) dup: bool,
    pub(super) packet_id: Option<PacketId>,
}

/// What became of a message of ours.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) packet_id: PacketId,
    pub(super) reason: ReasonCode,
    pub(super) text: Option<String>,
}

impl From<ServerPacket<'_>> for Incoming {
    fn from(packet: ServerPacket<'_>) -> Self {
        match packet {
            ServerPacket::ConnAck(connack) => {
                let mut welcome = Welcome {
                    session_present: connack.session_present,
                    reason: connack.reason,
                    text: text(connack.properties),
                    ..Welcome::default()
                };
                welcome.take_limits(connack.properties);
                Self::ConnAck(welcome)
            }
            ServerPacket::Publish(publish) => Self::Publish(Message {
                topic: publish.topic.to_owned(),
                payload: publish.payload.to_vec(),
                qos: publish.qos,
                retain: publish.retain,
                dup: publish.dup,
                packet_id: publish.packet_id,
            }),
            ServerPacket::PubAck(ack) => Self::PubAck(Outcome::from(ack)),
            ServerPacket::PubRec(ack) => Self::PubRec(Outcome::from(ack)),
            ServerPacket::PubRel(ack) => Self::PubRel(ack.packet_id),
            ServerPacket::PubComp(ack) => Self::PubComp(ack.packet_id),
            ServerPacket::SubAck(suback) => Self::SubAck {
                packet_id: suback.packet_id,
                codes: suback.codes.iter().collect(),
                text: text(suback.properties),
            },
            ServerPacket::PingResp => Self::PingResp,
            ServerPacket::Disconnect(disconnect) => Self::Disconnect {
                reason: disconnect.reason,
                text: text(disconnect.properties),
            },
            ServerPacket::UnsubAck(_) => Self::Unexpected("UNSUBACK without UNSUBSCRIBE"),
            ServerPacket::Auth(_) => Self::Unexpected("AUTH without an authentication method"),
        }
    }
}

impl From<Ack<'_>> for Outcome {
    fn from(ack: Ack<'_>) -> Self {
        Self {
            packet_id: ack.packet_id,
            reason: ack.reason,
            text: text(ack.properties),
        }
    }
}

/// What holds where CONNACK says nothing.
impl Default for Welcome {
    fn default() -> Self {
        Self {
            session_present: false,
            reason: ReasonCode::SUCCESS,
            text: None,
            receive_maximum: u16::MAX,
            packet_bytes_max: None,
            qos_max: QoS::ExactlyOnce,
            retain_available: true,
            keep_alive_s: None,
        }
    }
}

impl Welcome {
    fn take_limits(&mut self, properties: Properties<'_>) {
        for property in properties.iter() {
            match property {
                Property::ReceiveMaximum(messages) => self.receive_maximum = messages,
                Property::MaximumPacketSize(bytes) => self.packet_bytes_max = Some(bytes),
                Property::MaximumQoS(bits) => {
                    self.qos_max = QoS::from_bits(bits).unwrap_or(self.qos_max);
                }
                Property::RetainAvailable(available) => self.retain_available = available,
                Property::ServerKeepAlive(seconds) => self.keep_alive_s = Some(seconds),
                _ => {}
            }
        }
    }
}

/// The Reason String.
fn text(properties: Properties<'_>) -> Option<String> {
    properties.iter().find_map(|property| match property {
        Property::ReasonString(text) => Some(text.to_owned()),
        _ => None,
    })
}
