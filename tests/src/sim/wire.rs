//! What one event brought forth, taken apart: packets by connection, orders, notices.

use super::policy::Heard;
use sanderling_core::{
    broker::{Answer, Close, Flow},
    id::{ConnId, Ticket},
    packet::{PacketType, PropertiesBuf, Property, QoS, ServerPacket},
    reason::ReasonCode,
};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    ops::Deref,
};

/// What a message says. Said in a failure, it is cut short.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Payload(Vec<u8>);

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beginning = String::from_utf8_lossy(&self.0[..self.0.len().min(16)]);
        write!(f, "{beginning:?} of {} bytes", self.0.len())
    }
}

/// A packet of the server that owns what it says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Out {
    ConnAck {
        session_present: bool,
        reason: ReasonCode,
        properties: PropertiesBuf,
    },
    Publish(Delivery),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    Ack {
        packet: PacketType,
        packet_id: u16,
        reason: ReasonCode,
    },
    SubAck {
        packet_id: u16,
        codes: Vec<u8>,
    },
    UnsubAck {
        packet_id: u16,
        codes: Vec<u8>,
    },
    PingResp,
    Disconnect {
        reason: ReasonCode,
    },
    Auth {
        reason: ReasonCode,
        properties: PropertiesBuf,
    },
}

/// A PUBLISH of the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Delivery {
    pub(super) topic: String,
    pub(super) payload: Payload,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) dup: bool,
    pub(super) packet_id: Option<u16>,
    pub(super) properties: PropertiesBuf,
    /// On the wire.
    pub(super) bytes: usize,
}

impl Out {
    pub(super) fn of(packet: &ServerPacket<'_>, bytes: usize) -> Self {
        let ack = |packet, ack: &sanderling_core::packet::Ack<'_>| Self::Ack {
            packet,
            packet_id: ack.packet_id.get(),
            reason: ack.reason,
        };
        match packet {
            ServerPacket::ConnAck(connack) => Self::ConnAck {
                session_present: connack.session_present,
                reason: connack.reason,
                properties: copy(connack.properties),
            },
            ServerPacket::Publish(publish) => Self::Publish(Delivery {
                topic: publish.topic.into(),
                payload: publish.payload.into(),
                qos: publish.qos,
                retain: publish.retain,
                dup: publish.dup,
                packet_id: publish.packet_id.map(|id| id.get()),
                properties: copy(publish.properties),
                bytes,
            }),
            ServerPacket::PubAck(a) => ack(PacketType::PubAck, a),
            ServerPacket::PubRec(a) => ack(PacketType::PubRec, a),
            ServerPacket::PubRel(a) => ack(PacketType::PubRel, a),
            ServerPacket::PubComp(a) => ack(PacketType::PubComp, a),
            ServerPacket::SubAck(suback) => Self::SubAck {
                packet_id: suback.packet_id.get(),
                codes: suback.codes.0.into(),
            },
            ServerPacket::UnsubAck(unsuback) => Self::UnsubAck {
                packet_id: unsuback.packet_id.get(),
                codes: unsuback.codes.0.into(),
            },
            ServerPacket::PingResp => Self::PingResp,
            ServerPacket::Disconnect(disconnect) => Self::Disconnect {
                reason: disconnect.reason,
            },
            ServerPacket::Auth(auth) => Self::Auth {
                reason: auth.reason,
                properties: copy(auth.properties),
            },
        }
    }
}

/// Whether a packet says more than a client takes that asks for no problem information. [MQTT-3.1.2-29]
pub(super) fn gives_reasons(packet: &ServerPacket<'_>) -> bool {
    let properties = match packet {
        ServerPacket::PubAck(ack)
        | ServerPacket::PubRec(ack)
        | ServerPacket::PubRel(ack)
        | ServerPacket::PubComp(ack) => ack.properties,
        ServerPacket::SubAck(suback) => suback.properties,
        ServerPacket::UnsubAck(unsuback) => unsuback.properties,
        ServerPacket::Auth(auth) => auth.properties,
        ServerPacket::Publish(_)
        | ServerPacket::ConnAck(_)
        | ServerPacket::Disconnect(_)
        | ServerPacket::PingResp => return false,
    };
    let is_reason = |property| {
        matches!(
            property,
            Property::ReasonString(_) | Property::UserProperty(..)
        )
    };
    properties.iter().any(is_reason)
}

/// Properties that own what they say.
pub(super) fn copy(properties: sanderling_core::packet::Properties<'_>) -> PropertiesBuf {
    let mut copy = PropertiesBuf::new();
    for property in properties.iter() {
        copy.push(property).expect("it was decoded");
    }
    copy
}

/// All that one event brought forth. The model takes out what it expects; what is left was not called for.
#[derive(Debug)]
pub(super) struct Turn {
    /// PUBLISH packets, by connection, with their place among all packets to it.
    pub(super) deliveries: BTreeMap<ConnId, VecDeque<(usize, Delivery)>>,
    /// All other packets, likewise.
    pub(super) packets: BTreeMap<ConnId, VecDeque<(usize, Out)>>,
    /// In the order of the orders.
    pub(super) closes: Vec<(ConnId, Close)>,
    pub(super) resumes: Vec<ConnId>,
    pub(super) drains: Vec<ConnId>,
    pub(super) consults: Vec<(Ticket, u16, [u8; 16])>,
    pub(super) answers: Vec<Answer>,
    pub(super) heard: Vec<Heard>,
    pub(super) flow: Flow,
}

impl Turn {
    pub(super) fn new(flow: Flow) -> Self {
        Self {
            deliveries: BTreeMap::new(),
            packets: BTreeMap::new(),
            closes: Vec::new(),
            resumes: Vec::new(),
            drains: Vec::new(),
            consults: Vec::new(),
            answers: Vec::new(),
            heard: Vec::new(),
            flow,
        }
    }

    pub(super) fn push(&mut self, conn: ConnId, packet: Out) {
        let place = self.deliveries.get(&conn).map_or(0, VecDeque::len)
            + self.packets.get(&conn).map_or(0, VecDeque::len);
        match packet {
            Out::Publish(delivery) => {
                self.deliveries
                    .entry(conn)
                    .or_default()
                    .push_back((place, delivery));
            }
            other => self
                .packets
                .entry(conn)
                .or_default()
                .push_back((place, other)),
        }
    }

    /// Takes the first packet to this connection that is no PUBLISH.
    pub(super) fn take(&mut self, conn: ConnId) -> Option<Out> {
        Some(self.packets.get_mut(&conn)?.pop_front()?.1)
    }

    /// The first packet to this connection that is no PUBLISH.
    pub(super) fn peek(&self, conn: ConnId) -> Option<&Out> {
        Some(&self.packets.get(&conn)?.front()?.1)
    }

    /// Takes the order to close this connection.
    pub(super) fn take_close(&mut self, conn: ConnId) -> Option<Close> {
        let at = self.closes.iter().position(|(closed, _)| *closed == conn)?;
        Some(self.closes.remove(at).1)
    }
}
