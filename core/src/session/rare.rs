//! Room for what most sessions never have.

use alloc::boxed::Box;

/// A value that takes eight bytes until it is wanted.
#[derive(Debug)]
pub(crate) struct Rare<T>(Option<Box<T>>);

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Default> Rare<T> {
    /// The value, if there ever was one.
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// The value, made now if there was none.
    pub(crate) fn make(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }

    /// Gives the memory back if nothing of the value is wanted any more.
    pub(crate) fn free_if(&mut self, is_done: impl FnOnce(&T) -> bool) {
        if self.get().is_some_and(is_done) {
            self.0 = None;
        }
    }
}
