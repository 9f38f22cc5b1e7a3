//! From packets to bytes. [MQTT 5.0, 3]

#![expect(
    clippy::arithmetic_side_effects,
    reason = "a length that is written was bounded before: at most 268,435,455 bytes and a header"
)]

use super::{
    DecodeErrorKind as Kind, ack, connect,
    error::{Fault, Sender},
    fixed_header, publish,
    publish::PublishForm,
    subscribe,
    write::{Count, Sink, VARIABLE_MAX, variable_len},
};
use crate::packet::{ClientPacket, PacketType, ServerPacket, Version};
use alloc::vec::Vec;
use core::{error::Error, fmt};

/// A packet that no receiver would take. Nothing was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EncodeError {
    fault: Fault,
    packet: PacketType,
}

impl EncodeError {
    /// Which rule the packet breaks.
    pub const fn kind(&self) -> Kind {
        self.fault.kind
    }

    /// The type of the packet.
    pub const fn packet(&self) -> PacketType {
        self.packet
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { kind, field } = self.fault;
        write!(
            f,
            "{} cannot be encoded, {field}: {}",
            self.packet,
            kind.text()
        )
    }
}

impl Error for EncodeError {}

impl ClientPacket<'_> {
    /// Appends the packet as a client of this version sends it. A CONNECT has its own version. What a version before 5.0
    /// does not know (properties, reason codes, most subscription options) is left out.
    ///
    /// # Errors
    /// The packet breaks a rule of this version; nothing was written.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode(self, version, out)
    }

    /// The length of what [`encode`](Self::encode) appends.
    ///
    /// # Errors
    /// As there.
    pub fn encoded_len(&self, version: Version) -> Result<usize, EncodeError> {
        encoded_len(self, version)
    }
}

impl ServerPacket<'_> {
    /// Appends the packet as a server sends it to a client of this version. What a version before 5.0 does not know is
    /// left out; a SUBACK says 0x80 for every failure there, and a CONNACK one of five return codes.
    ///
    /// # Errors
    /// The packet breaks a rule of this version; nothing was written.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode(self, version, out)
    }

    /// The length of what [`encode`](Self::encode) appends.
    ///
    /// # Errors
    /// As there.
    pub fn encoded_len(&self, version: Version) -> Result<usize, EncodeError> {
        encoded_len(self, version)
    }
}

fn encode(packet: &impl Encode, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let remaining = remaining_len(packet, version)?;
    out.reserve(1 + variable_len(remaining) + remaining);
    fixed_header::put(out, packet.packet_type(), packet.flags(), remaining);
    let start = out.len();
    packet.write(version, out);
    debug_assert_eq!(out.len() - start, remaining, "length and bytes agree");
    Ok(())
}

fn encoded_len(packet: &impl Encode, version: Version) -> Result<usize, EncodeError> {
    let remaining = remaining_len(packet, version)?;
    Ok(1 + variable_len(remaining) + remaining)
}

fn remaining_len(packet: &impl Encode, version: Version) -> Result<usize, EncodeError> {
    let error = |fault| EncodeError {
        fault,
        packet: packet.packet_type(),
    };
    packet.check(version).map_err(error)?;
    let mut count = Count::default();
    packet.write(version, &mut count);
    if count.0 > VARIABLE_MAX {
        return Err(error(Kind::TooLarge.of("remaining length")));
    }
    Ok(count.0)
}

/// A packet of either direction.
trait Encode {
    fn packet_type(&self) -> PacketType;

    /// The lower half of the first byte.
    fn flags(&self) -> u8;

    /// What its types do not promise.
    fn check(&self, version: Version) -> Result<(), Fault>;

    /// All that follows the fixed header.
    fn write(&self, version: Version, out: &mut dyn Sink);
}

impl Encode for ClientPacket<'_> {
    fn packet_type(&self) -> PacketType {
        self.packet_type()
    }

    fn flags(&self) -> u8 {
        match self {
            Self::Publish(publish) => PublishForm::of(Version::V5, publish).flags(),
            _ => fixed_header::flags_of(self.packet_type()),
        }
    }

    fn check(&self, version: Version) -> Result<(), Fault> {
        match self {
            Self::Connect(connect) => connect::check(connect),
            Self::Publish(publish) => publish::check(version, Sender::Client, publish),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                let packet = self.packet_type();
                ack::check(packet, version, Sender::Client, ack.reason, ack.properties)
            }
            Self::Subscribe(subscribe) => subscribe::check(version, subscribe),
            Self::Unsubscribe(unsubscribe) => subscribe::check_unsubscribe(version, unsubscribe),
            Self::PingReq => Ok(()),
            Self::Disconnect(disconnect) => {
                let (reason, properties) = (disconnect.reason, disconnect.properties);
                ack::check(
                    PacketType::Disconnect,
                    version,
                    Sender::Client,
                    reason,
                    properties,
                )
            }
            Self::Auth(auth) => {
                needs_5(version)?;
                ack::check_auth(Sender::Client, auth)
            }
        }
    }

    fn write(&self, version: Version, out: &mut dyn Sink) {
        match self {
            Self::Connect(connect) => connect::write(connect, out),
            Self::Publish(publish) => publish::write(version, publish, out),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                ack::write(version, ack, out);
            }
            Self::Subscribe(subscribe) => subscribe::write(version, subscribe, out),
            Self::Unsubscribe(unsubscribe) => {
                subscribe::write_unsubscribe(version, unsubscribe, out);
            }
            Self::PingReq => {}
            Self::Disconnect(disconnect) => {
                ack::write_reason(version, disconnect.reason, disconnect.properties, out);
            }
            Self::Auth(auth) => ack::write_auth(auth, out),
        }
    }
}

impl Encode for ServerPacket<'_> {
    fn packet_type(&self) -> PacketType {
        self.packet_type()
    }

    fn flags(&self) -> u8 {
        match self {
            Self::Publish(publish) => PublishForm::of(Version::V5, publish).flags(),
            _ => fixed_header::flags_of(self.packet_type()),
        }
    }

    fn check(&self, version: Version) -> Result<(), Fault> {
        match self {
            Self::ConnAck(connack) => connect::check_ack(version, connack),
            Self::Publish(publish) => publish::check(version, Sender::Server, publish),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                let packet = self.packet_type();
                ack::check(packet, version, Sender::Server, ack.reason, ack.properties)
            }
            Self::SubAck(suback) => subscribe::check_suback(version, suback),
            Self::UnsubAck(unsuback) => subscribe::check_unsuback(version, unsuback),
            Self::PingResp => Ok(()),
            Self::Disconnect(disconnect) => {
                needs_5(version)?;
                let (reason, properties) = (disconnect.reason, disconnect.properties);
                ack::check(
                    PacketType::Disconnect,
                    version,
                    Sender::Server,
                    reason,
                    properties,
                )
            }
            Self::Auth(auth) => {
                needs_5(version)?;
                ack::check_auth(Sender::Server, auth)
            }
        }
    }

    fn write(&self, version: Version, out: &mut dyn Sink) {
        match self {
            Self::ConnAck(connack) => connect::write_ack(version, connack, out),
            Self::Publish(publish) => publish::write(version, publish, out),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                ack::write(version, ack, out);
            }
            Self::SubAck(suback) => subscribe::write_suback(version, suback, out),
            Self::UnsubAck(unsuback) => subscribe::write_unsuback(version, unsuback, out),
            Self::PingResp => {}
            Self::Disconnect(disconnect) => {
                ack::write_reason(version, disconnect.reason, disconnect.properties, out);
            }
            Self::Auth(auth) => ack::write_auth(auth, out),
        }
    }
}

/// The packet exists in 5.0 only, or in this direction only there.
fn needs_5(version: Version) -> Result<(), Fault> {
    match version {
        Version::V5 => Ok(()),
        Version::V31 | Version::V311 => Err(Kind::PacketType.of("packet type")),
    }
}
