//! A set of packet identifiers: 8 KiB of bits.

/// Packet identifiers that are in use.
pub(crate) struct PacketIds {
    bits: Vec<u64>,
    count: usize,
}

impl PacketIds {
    pub(crate) fn new() -> Self {
        Self {
            bits: vec![0; 1024],
            count: 0,
        }
    }

    /// Adds one; false if it was there.
    #[inline]
    pub(crate) fn insert(&mut self, id: u16) -> bool {
        let (word, bit) = (&mut self.bits[usize::from(id >> 6)], 1 << (id & 63));
        let new = *word & bit == 0;
        *word |= bit;
        self.count += usize::from(new);
        new
    }

    /// Removes one; false if it was not there.
    #[inline]
    pub(crate) fn remove(&mut self, id: u16) -> bool {
        let (word, bit) = (&mut self.bits[usize::from(id >> 6)], 1 << (id & 63));
        let present = *word & bit != 0;
        *word &= !bit;
        self.count -= usize::from(present);
        present
    }

    /// Whether `id` is in use.
    #[inline]
    pub(crate) fn contains(&self, id: u16) -> bool {
        self.bits[usize::from(id >> 6)] & 1 << (id & 63) != 0
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_in_use_once() {
        let mut ids = PacketIds::new();
        for id in [1, 64, 65_535] {
            assert!(ids.insert(id) && !ids.insert(id) && ids.contains(id));
        }
        assert_eq!(ids.len(), 3);
        assert!(ids.remove(64) && !ids.remove(64) && !ids.contains(64));
        assert_eq!(ids.len(), 2);
    }
}
