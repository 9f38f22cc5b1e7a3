//! The two to five bytes that every packet begins with. [MQTT 5.0, 2.1]

use super::{DecodeErrorKind as Kind, error::Fault, write::Sink};
use crate::packet::{PacketType, QoS, Version};

/// A fixed header as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct FixedHeader {
    /// Its own length.
    pub(super) len: usize,
    /// The bytes that follow it.
    pub(super) remaining: usize,
    /// Whether the remaining length has no more bytes than it needs.
    is_minimal: bool,
}

impl FixedHeader {
    /// Reads the header; `None` if it is not complete yet.
    #[inline]
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        // Most packets are short.
        if let [_, remaining @ ..0x80, ..] = *bytes {
            return Ok(Some(Self {
                len: 2,
                remaining: usize::from(remaining),
                is_minimal: true,
            }));
        }
        Self::read_long(bytes)
    }

    #[expect(
        clippy::arithmetic_side_effects,
        reason = "an index below 4: shifts of at most 21 bits, lengths of at most 5"
    )]
    fn read_long(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let rest = bytes.get(1..).unwrap_or_default();
        let mut remaining = 0;
        for (index, &byte) in rest.iter().take(4).enumerate() {
            remaining |= usize::from(byte & 0x7F) << (7 * index);
            if byte < 0x80 {
                return Ok(Some(Self {
                    len: index + 2,
                    remaining,
                    is_minimal: byte != 0 || index == 0,
                }));
            }
        }
        if rest.len() < 4 {
            return Ok(None);
        }
        Err(Kind::VariableByteInteger.of("remaining length"))
    }

    /// The length of the whole packet.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "at most 5 and 268,435,455, which fits 32 bits"
    )]
    pub(super) const fn packet_len(&self) -> usize {
        self.len + self.remaining
    }

    /// 5.0 wants the shortest form of the remaining length; the older versions do not say. [MQTT-1.5.5-1]
    #[inline]
    pub(super) fn check_length(&self, version: Version) -> Result<(), Fault> {
        if version == Version::V5 && !self.is_minimal {
            return Err(Kind::NotMinimal.of("remaining length"));
        }
        Ok(())
    }
}

/// Appends a fixed header.
pub(super) fn put(out: &mut impl Sink, packet: PacketType, flags: u8, remaining: usize) {
    out.put_byte((packet as u8) << 4 | flags);
    out.put_variable(remaining);
}

/// The type that a first byte names; `None` for the reserved type 0.
pub(super) const fn packet_type(first: u8) -> Option<PacketType> {
    Some(match first >> 4 {
        1 => PacketType::Connect,
        2 => PacketType::ConnAck,
        3 => PacketType::Publish,
        4 => PacketType::PubAck,
        5 => PacketType::PubRec,
        6 => PacketType::PubRel,
        7 => PacketType::PubComp,
        8 => PacketType::Subscribe,
        9 => PacketType::SubAck,
        10 => PacketType::Unsubscribe,
        11 => PacketType::UnsubAck,
        12 => PacketType::PingReq,
        13 => PacketType::PingResp,
        14 => PacketType::Disconnect,
        15 => PacketType::Auth,
        _ => return None,
    })
}

/// Whether a first byte names a PUBLISH.
pub(super) const fn is_publish(first: u8) -> bool {
    first >> 4 == PacketType::Publish as u8
}

/// The flags that every packet but PUBLISH must have. [MQTT-2.1.3-1]
pub(super) const fn flags_of(packet: PacketType) -> u8 {
    match packet {
        PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => 0b0010,
        _ => 0,
    }
}

/// Checks the flags of any packet but PUBLISH. 3.1 reserves none; a CONNECT must have them right in any version, since its
/// first byte is looked at before its version is known.
pub(super) fn check_flags(
    packet: PacketType,
    first: u8,
    version: Option<Version>,
) -> Result<(), Fault> {
    let are_reserved = version != Some(Version::V31) || packet == PacketType::Connect;
    if are_reserved && first & 0x0F != flags_of(packet) {
        return Err(Kind::Flags.of("fixed header flags"));
    }
    Ok(())
}

/// The flags of a PUBLISH. [MQTT 5.0, 3.3.1]
#[derive(Clone, Copy)]
pub(super) struct PublishFlags {
    pub(super) dup: bool,
    pub(super) qos: QoS,
    pub(super) retain: bool,
}

impl PublishFlags {
    /// [MQTT-3.3.1-4] [MQTT-3.3.1-2]; 3.1 does not forbid DUP with QoS 0.
    #[inline]
    pub(super) fn parse(first: u8, version: Version) -> Result<Self, Fault> {
        let dup = first & 0b1000 != 0;
        let qos = QoS::from_bits(first >> 1 & 0b11).ok_or(Kind::QoS.of("QoS"))?;
        if dup && qos == QoS::AtMostOnce && version != Version::V31 {
            return Err(Kind::Dup.of("DUP"));
        }
        let retain = first & 1 != 0;
        Ok(Self { dup, qos, retain })
    }

    pub(super) const fn bits(self) -> u8 {
        (self.dup as u8) << 3 | (self.qos as u8) << 1 | self.retain as u8
    }
}
