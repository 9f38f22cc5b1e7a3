//! Values under dense numbers that are used again.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a number comes from the slab it is used on, which frees each once"
)]

use alloc::vec::Vec;
use core::{
    mem,
    ops::{Index, IndexMut},
};

/// No value: the numbers of a slab are smaller.
pub(super) const NONE: u32 = u32::MAX;
/// There are never more values, so that twice a number is one too.
const VALUES_MAX: u32 = 1 << 31;

/// Values under dense numbers. The law: the number given next depends only on what was done before.
pub(super) struct Slab<T> {
    values: Vec<T>,
    free: Vec<u32>,
}

impl<T: Default> Slab<T> {
    pub(super) const fn new() -> Self {
        Self {
            values: Vec::new(),
            free: Vec::new(),
        }
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.values.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(number) = self.free.pop() {
            self[number] = value;
            return number;
        }
        let number = u32::try_from(self.values.len()).unwrap_or(NONE);
        assert!(
            number < VALUES_MAX,
            "a slab numbers its values with 31 bits"
        );
        self.values.push(value);
        number
    }

    pub(super) fn remove(&mut self, number: u32) -> T {
        self.free.push(number);
        mem::take(&mut self[number])
    }
}

impl<T> Slab<T> {
    /// The values from number `from` on, with their numbers; what was removed is there by its default.
    pub(super) fn iter_from(&self, from: u32) -> impl Iterator<Item = (u32, &T)> {
        let values = self.values.get(from as usize..).unwrap_or_default();
        // The values first: beyond the last number there is no number.
        values
            .iter()
            .zip(from..)
            .map(|(value, number)| (number, value))
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, number: u32) -> &T {
        &self.values[number as usize]
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, number: u32) -> &mut T {
        &mut self.values[number as usize]
    }
}
