//! QoS 2 messages from the client that were taken and await their PUBREL. [MQTT 5.0, 4.3.3]

use super::rare::Rare;
use crate::packet::PacketId;
use alloc::{boxed::Box, collections::VecDeque};

/// The packet identifiers in use by the client: at most 65,535, for 5.0 clients at most our Receive Maximum.
///
/// Clients release in the order they sent, so among few the search nearly always ends at the first. Many stand in a bit
/// map, so that no client makes its packets dear by keeping exchanges open. Who never sends QoS 2 needs no memory for it.
#[derive(Debug, Default)]
pub(crate) struct Inbound(Rare<Taken>);

/// The identifiers, in one of the two.
#[derive(Debug, Default)]
struct Taken {
    few: VecDeque<PacketId>,
    many: Option<Box<BitMap>>,
}

/// More than so many identifiers stand in the bit map, until all are released.
const FEW: usize = 64;

/// One bit for each identifier.
#[derive(Debug)]
struct BitMap {
    words: [u64; 1024],
    len: usize,
}

impl Inbound {
    pub(crate) fn len(&self) -> usize {
        self.0.get().map_or(0, Taken::len)
    }

    /// True if this identifier was taken and not released: its PUBLISH is a repeat. [MQTT-4.3.3-10]
    pub(crate) fn contains(&self, packet_id: PacketId) -> bool {
        self.0.get().is_some_and(|taken| taken.contains(packet_id))
    }

    /// Takes an identifier that is not yet in use.
    pub(crate) fn take(&mut self, packet_id: PacketId) {
        debug_assert!(
            !self.contains(packet_id),
            "I18: an identifier is in use at most once"
        );
        self.0.make().insert(packet_id);
    }

    /// Frees an identifier; false if it was not in use.
    pub(crate) fn release(&mut self, packet_id: PacketId) -> bool {
        self.0
            .get_mut()
            .is_some_and(|taken| taken.release(packet_id))
    }
}

impl Taken {
    fn len(&self) -> usize {
        self.many.as_ref().map_or(self.few.len(), |many| many.len)
    }

    fn contains(&self, packet_id: PacketId) -> bool {
        match &self.many {
            Some(many) => many.contains(packet_id),
            None => self.few.contains(&packet_id),
        }
    }

    fn insert(&mut self, packet_id: PacketId) {
        if let Some(many) = &mut self.many {
            many.insert(packet_id);
            return;
        }
        self.few.push_back(packet_id);
        if self.few.len() > FEW {
            let mut many = Box::new(BitMap {
                words: [0; 1024],
                len: 0,
            });
            self.few
                .drain(..)
                .for_each(|packet_id| many.insert(packet_id));
            self.few = VecDeque::new();
            self.many = Some(many);
        }
    }

    fn release(&mut self, packet_id: PacketId) -> bool {
        let Some(many) = &mut self.many else {
            let at = self.few.iter().position(|&taken| taken == packet_id);
            return at.is_some_and(|at| self.few.remove(at).is_some());
        };
        let was_taken = many.remove(packet_id);
        if many.len == 0 {
            self.many = None;
        }
        was_taken
    }
}

impl BitMap {
    fn contains(&self, packet_id: PacketId) -> bool {
        let (word, bit) = place(packet_id);
        self.words[word] & bit != 0
    }

    fn insert(&mut self, packet_id: PacketId) {
        let (word, bit) = place(packet_id);
        self.len += usize::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    fn remove(&mut self, packet_id: PacketId) -> bool {
        let (word, bit) = place(packet_id);
        let was_there = self.words[word] & bit != 0;
        self.len -= usize::from(was_there);
        self.words[word] &= !bit;
        was_there
    }
}

/// The word of an identifier, which there are 1,024 of, and its bit.
const fn place(packet_id: PacketId) -> (usize, u64) {
    let number = packet_id.get();
    ((number >> 6) as usize, 1 << (number & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_taken_until_it_is_released_once() {
        let mut inbound = Inbound::default();
        let id = PacketId::new(7).unwrap();
        inbound.take(id);
        assert!(inbound.contains(id));
        assert!(inbound.release(id));
        assert!(!inbound.release(id));
        assert_eq!(inbound.len(), 0);
    }

    #[test]
    fn a36_few_and_many_behave_alike() {
        let mut inbound = Inbound::default();
        let all = || (1..=u16::MAX).map(|number| PacketId::new(number).unwrap());
        for (count, id) in all().enumerate() {
            assert_eq!((inbound.contains(id), inbound.len()), (false, count));
            inbound.take(id);
            assert!(inbound.contains(id) && inbound.contains(PacketId::MIN));
        }
        for id in all().rev() {
            assert!(inbound.release(id));
            assert!(!inbound.release(id) && !inbound.contains(id));
        }
        assert_eq!(inbound.len(), 0);
        let taken = inbound.0.get().unwrap();
        assert!(taken.many.is_none(), "nothing is left of many");
    }
}
