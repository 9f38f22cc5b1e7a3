//! PUBACK packets in a row, as a client sends them that has read many messages at once.

use crate::packet::PacketId;

/// A PUBACK that says no more than that the message has come. [MQTT 5.0, 3.4.2.1]
type Packet = [u8; 4];
/// Its fixed header.
const HEADER: [u8; 2] = [0x40, 2];
/// Packets that are taken together.
const PACKETS_MAX: usize = 256;

/// Whole PUBACK packets in their shortest form, one behind the other.
///
/// They mean no more and no less than one by one. It is a faster way to hand them on.
#[derive(Clone, Copy, Debug)]
pub struct Acks<'a> {
    packets: &'a [Packet],
}

impl<'a> Acks<'a> {
    /// The length of each on the wire.
    pub const PACKET_BYTES: u32 = size_of::<Packet>() as u32;

    /// Those that `bytes` begin with; none if they begin with anything else, which may well be a PUBACK.
    #[inline]
    pub(super) fn first_of(bytes: &'a [u8], bytes_max: u32) -> Option<Self> {
        if bytes.first() != Some(&HEADER[0]) || bytes_max < Self::PACKET_BYTES {
            return None;
        }
        let (packets, _) = bytes.as_chunks();
        // No more are looked at than are taken, however many follow.
        let packets = packets.get(..PACKETS_MAX).unwrap_or(packets);
        let others = packets
            .iter()
            .position(|packet| packet_id(packet).is_none());
        let count = others.unwrap_or(packets.len());
        let packets = packets.get(..count)?;
        (count > 0).then_some(Self { packets })
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
}

/// Which message a packet acknowledges; none if it is not one of these.
#[inline(always)]
fn packet_id(packet: &Packet) -> Option<PacketId> {
    let [first, len, high, low] = *packet;
    match [first, len] {
        HEADER => PacketId::new(u16::from_be_bytes([high, low])),
        _ => None,
    }
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
            b"\x50\x02\0\x01",
            b"\x41\x02\0\x01",
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
    fn there_are_never_very_many() {
        let bytes = b"\x40\x02\0\x01".repeat(1000);
        let acks = Acks::first_of(&bytes, 100).expect("the first ones");
        assert_eq!(acks.count() as usize, PACKETS_MAX);
        assert_eq!(acks.bytes().len(), PACKETS_MAX * size_of::<Packet>());
    }
}
