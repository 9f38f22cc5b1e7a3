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
        assert!(number != NONE, "a slab numbers its values with 32 bits");
        self.values.push(value);
        number
    }

    pub(super) fn remove(&mut self, number: u32) -> T {
        self.free.push(number);
        mem::take(&mut self[number])
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
