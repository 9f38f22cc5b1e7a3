//! Acknowledgements in a row, as a client sends them that has read many packets at once.

use crate::packet::{Ack, ClientPacket, PacketId, PacketType};

/// PUBACK, PUBREC, PUBREL or PUBCOMP that says no more than that all is well. [MQTT 5.0, 3.4.2.1]
type Packet = [u8; 4];
/// Packets that are taken together.
const PACKETS_MAX: usize = 256;

/// Whole acknowledgements of one type in their shortest form, one behind the other.
///
/// They mean no more and no less than one by one. It is a faster way to hand them on.
#[derive(Clone, Copy, Debug)]
pub struct Acks<'a> {
    packet_type: PacketType,
    packets: &'a [Packet],
}

impl<'a> Acks<'a> {
    /// The length of each on the wire.
    pub const PACKET_BYTES: u32 = size_of::<Packet>() as u32;

    /// Those that `bytes` begin with; none if they begin with anything else, which may well be an acknowledgement.
    #[inline]
    pub(super) fn first_of(bytes: &'a [u8], bytes_max: u32) -> Option<Self> {
        let (packet_type, header) = match bytes {
            [0x40, 2, ..] => (PacketType::PubAck, [0x40, 2]),
            [0x50, 2, ..] => (PacketType::PubRec, [0x50, 2]),
            [0x62, 2, ..] => (PacketType::PubRel, [0x62, 2]),
            [0x70, 2, ..] => (PacketType::PubComp, [0x70, 2]),
            _ => return None,
        };
        if bytes_max < Self::PACKET_BYTES {
            return None;
        }
        let (packets, _) = bytes.as_chunks();
        // No more are looked at than are taken, however many follow.
        let packets = packets.get(..PACKETS_MAX).unwrap_or(packets);
        let is_one = |packet: &Packet| packet.starts_with(&header) && packet_id(packet).is_some();
        let others = packets.iter().position(|packet| !is_one(packet));
        let count = others.unwrap_or(packets.len());
        let packets = packets.get(..count)?;
        (count > 0).then_some(Self {
            packet_type,
            packets,
        })
    }

    /// The type of all of them.
    #[inline]
    pub fn packet_type(&self) -> PacketType {
        self.packet_type
    }

    /// The packets as they were received.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.packets.as_flattened()
    }

    /// How many there are; at least one.
    #[inline]
    pub fn count(&self) -> u32 {
        self.packets.len() as u32
    }

    /// What they acknowledge, in order.
    #[inline]
    pub fn packet_ids(&self) -> impl Iterator<Item = PacketId> + use<'a> {
        self.packets.iter().filter_map(packet_id)
    }

    /// The packets one by one.
    pub fn packets(&self) -> impl Iterator<Item = ClientPacket<'static>> + use<'a> {
        let packet = match self.packet_type {
            PacketType::PubRec => ClientPacket::PubRec,
            PacketType::PubRel => ClientPacket::PubRel,
            PacketType::PubComp => ClientPacket::PubComp,
            _ => ClientPacket::PubAck,
        };
        self.packet_ids().map(move |id| packet(Ack::success(id)))
    }
}

/// The identifier in it; none if there is 0.
#[inline(always)]
fn packet_id(packet: &Packet) -> Option<PacketId> {
    let [_, _, high, low] = *packet;
    PacketId::new(u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn first_of(bytes: &[u8]) -> Vec<u16> {
        let acks = Acks::first_of(bytes, 100);
        let ids = acks.iter().flat_map(Acks::packet_ids);
        ids.map(PacketId::get).collect()
    }

    #[test]
    fn they_end_before_whatever_says_more_or_less() {
        assert_eq!(
            first_of(b"\x40\x02\0\x01\x40\x02\x01\0\x40\x02\0"),
            [1, 256]
        );
        for other in [
            &b"\x40\x03\0\x01\x10"[..],
            b"\x40\x02\0\0",
            b"\x41\x02\0\x01",
            b"\x60\x02\0\x01",
            b"\x40",
            b"",
        ] {
            assert!(first_of(other).is_empty(), "{other:?}");
            let behind = [b"\x40\x02\0\x07", other].concat();
            assert_eq!(first_of(&behind), [7], "{other:?}");
        }
        assert!(Acks::first_of(b"\x40\x02\0\x01", 3).is_none());
    }

    #[test]
    fn each_row_is_of_one_type() {
        let bytes = b"\x50\x02\0\x01\x50\x02\0\x02\x62\x02\0\x01\x70\x02\0\x03\x40\x02\0\x04";
        let (mut rest, mut rows) = (&bytes[..], Vec::new());
        while let Some(acks) = Acks::first_of(rest, 100) {
            assert_eq!(acks.packets().count(), acks.count() as usize);
            for packet in acks.packets() {
                assert_eq!(packet.packet_type(), acks.packet_type());
            }
            rows.push((acks.packet_type(), acks.count()));
            rest = rest.split_at(acks.bytes().len()).1;
        }
        let expected = [
            (PacketType::PubRec, 2),
            (PacketType::PubRel, 1),
            (PacketType::PubComp, 1),
            (PacketType::PubAck, 1),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn there_are_never_very_many() {
        let bytes = b"\x40\x02\0\x01".repeat(1000);
        let acks = Acks::first_of(&bytes, 100).expect("the first ones");
        assert_eq!(acks.count() as usize, PACKETS_MAX);
        assert_eq!(acks.bytes().len(), PACKETS_MAX * size_of::<Packet>());
    }
}
