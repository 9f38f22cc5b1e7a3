//! The driver's table of connections: dense, and each slot knows how often it was used.

use sanderling_core::id::ConnId;

/// A table whose entries are found by [`ConnId`] in one read.
#[derive(Debug)]
pub struct Slots<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    /// Files what `make` makes for the identifier that it will have.
    pub fn insert_with(&mut self, make: impl FnOnce(ConnId) -> T) -> ConnId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry {
                generation: 0,
                value: None,
            });
            u32::try_from(self.entries.len() - 1)
                .expect("connections are limited to fewer than 2^32")
        });
        let entry = &mut self.entries[slot as usize];
        let conn = ConnId {
            slot,
            generation: entry.generation,
        };
        entry.value = Some(make(conn));
        conn
    }

    /// The entry, unless it was removed.
    #[inline]
    pub fn get_mut(&mut self, conn: ConnId) -> Option<&mut T> {
        let entry = self.entries.get_mut(conn.slot as usize)?;
        if entry.generation == conn.generation {
            entry.value.as_mut()
        } else {
            None
        }
    }

    /// The entry, unless it was removed.
    pub fn get(&self, conn: ConnId) -> Option<&T> {
        let entry = self.entries.get(conn.slot as usize)?;
        if entry.generation == conn.generation {
            entry.value.as_ref()
        } else {
            None
        }
    }

    /// The entry that stands in `slot` now, with its identifier.
    pub fn current(&self, slot: usize) -> Option<ConnId> {
        let entry = self.entries.get(slot)?;
        entry.value.as_ref()?;
        Some(ConnId {
            slot: u32::try_from(slot).ok()?,
            generation: entry.generation,
        })
    }

    /// Removes an entry; its slot may be used again, under another generation.
    pub fn remove(&mut self, conn: ConnId) -> Option<T> {
        self.get(conn)?;
        let entry = &mut self.entries[conn.slot as usize];
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(conn.slot);
        entry.value.take()
    }

    /// Entries in use.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// True if no entry is in use.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All identifiers in use.
    pub fn ids(&self) -> Vec<ConnId> {
        (0..self.entries.len())
            .filter_map(|slot| self.current(slot))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_entry_is_not_found_again_in_its_reused_slot() {
        let mut slots = Slots::default();
        let first = slots.insert_with(|_| 'a');
        assert_eq!(slots.remove(first), Some('a'));
        let second = slots.insert_with(|_| 'b');
        assert_eq!(first.slot, second.slot);
        assert_eq!((slots.get(first), slots.get(second)), (None, Some(&'b')));
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.ids(), [second]);
    }
}
