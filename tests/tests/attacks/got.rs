//! What a client received, as far as attacks look at it.

use sanderling_core::{
    packet::{Ack, PacketId, QoS, ServerPacket},
    reason::ReasonCode,
};

/// A packet that does not borrow.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Got {
    ConnAck {
        session_present: bool,
        reason: ReasonCode,
        /// The Session Expiry Interval that the broker tells instead of the one asked for, in seconds.
        session_expiry_s: Option<u32>,
    },
    Publish(Message),
    PubAck(u16, ReasonCode),
    PubRec(u16, ReasonCode),
    PubRel(u16),
    PubComp(u16),
    SubAck(Vec<u8>),
    UnsubAck(Vec<u8>),
    PingResp,
    Disconnect(ReasonCode),
    Auth(ReasonCode),
}

/// A PUBLISH.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: QoS,
    /// 0 for QoS 0.
    pub(crate) id: u16,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    pub(crate) alias: Option<u16>,
    /// The Message Expiry Interval that is left, in seconds.
    pub(crate) expiry_s: Option<u32>,
}

impl From<ServerPacket<'_>> for Got {
    fn from(packet: ServerPacket<'_>) -> Self {
        let id = |ack: Ack<'_>| ack.packet_id.get();
        match packet {
            ServerPacket::ConnAck(connack) => Self::ConnAck {
                session_present: connack.session_present,
                reason: connack.reason,
                session_expiry_s: connack.properties.session_expiry_interval(),
            },
            ServerPacket::Publish(publish) => Self::Publish(Message {
                topic: publish.topic.into(),
                payload: publish.payload.into(),
                qos: publish.qos,
                id: publish.packet_id.map_or(0, PacketId::get),
                dup: publish.dup,
                retain: publish.retain,
                alias: publish.properties.topic_alias(),
                expiry_s: publish.properties.message_expiry_interval(),
            }),
            ServerPacket::PubAck(ack) => Self::PubAck(id(ack), ack.reason),
            ServerPacket::PubRec(ack) => Self::PubRec(id(ack), ack.reason),
            ServerPacket::PubRel(ack) => Self::PubRel(id(ack)),
            ServerPacket::PubComp(ack) => Self::PubComp(id(ack)),
            ServerPacket::SubAck(ack) => Self::SubAck(ack.codes.0.into()),
            ServerPacket::UnsubAck(ack) => Self::UnsubAck(ack.codes.0.into()),
            ServerPacket::PingResp => Self::PingResp,
            ServerPacket::Disconnect(disconnect) => Self::Disconnect(disconnect.reason),
            ServerPacket::Auth(auth) => Self::Auth(auth.reason),
        }
    }
}
