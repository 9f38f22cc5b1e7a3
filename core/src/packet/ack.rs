//! The packets that are little more than a reason code. [MQTT 5.0, 3.4 to 3.7, 3.14, 3.15]

use super::{PacketId, Properties};
use crate::reason::ReasonCode;

/// PUBACK, PUBREC, PUBREL or PUBCOMP; the packet's variant says which.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ack<'a> {
    /// That of the PUBLISH it belongs to. [MQTT-2.2.1-5]
    pub packet_id: PacketId,
    /// Always success before 5.0.
    pub reason: ReasonCode,
    /// Empty before 5.0.
    pub properties: Properties<'a>,
}

impl Ack<'_> {
    /// Success, without properties.
    pub const fn success(packet_id: PacketId) -> Self {
        Self::with_reason(packet_id, ReasonCode::SUCCESS)
    }

    /// Any reason code, without properties.
    pub const fn with_reason(packet_id: PacketId, reason: ReasonCode) -> Self {
        Self {
            packet_id,
            reason,
            properties: Properties::EMPTY,
        }
    }
}

/// The last packet of a connection. Only clients send it before 5.0. [MQTT 5.0, 3.14]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Disconnect<'a> {
    /// Why the connection ends. Always normal before 5.0.
    pub reason: ReasonCode,
    /// Empty before 5.0.
    pub properties: Properties<'a>,
}

/// A step of an enhanced authentication, 5.0 only. [MQTT 5.0, 3.15]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Auth<'a> {
    /// Success, continue, or re-authenticate.
    pub reason: ReasonCode,
    /// Holds method and data.
    pub properties: Properties<'a>,
}
