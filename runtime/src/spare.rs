//! Buffers that nobody uses now. A connection takes one when it has bytes to keep and gives it back when it has none,
//! so an idle connection owns no buffer, and a busy one allocates none.

/// Bytes of capacity that are kept in all.
const KEPT_BYTES_MAX: usize = 16 << 20;
/// A larger buffer is freed instead.
const BUFFER_BYTES_MAX: usize = 512 << 10;

/// The buffers, the most recently used on top.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
    scratch: Vec<u8>,
}

impl Spare {
    /// No buffers.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An empty buffer, with memory if there is one to spare.
    #[inline]
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let buffer = self.buffers.pop().unwrap_or_default();
        self.bytes -= buffer.capacity();
        buffer
    }

    /// A buffer for nobody, with anything in it: where output is put together before TLS seals it.
    pub(crate) fn scratch(&mut self) -> &mut Vec<u8> {
        &mut self.scratch
    }

    /// Takes a buffer back.
    #[inline]
    pub(crate) fn give(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity == 0 || capacity > BUFFER_BYTES_MAX || self.bytes + capacity > KEPT_BYTES_MAX {
            return;
        }
        buffer.clear();
        self.bytes += capacity;
        self.buffers.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_empty_and_with_their_memory() {
        let mut spare = Spare::new();
        spare.give(Vec::from([1; 1000]));
        let buffer = spare.take();
        assert!(buffer.is_empty() && buffer.capacity() >= 1000);
        assert_eq!(spare.take().capacity(), 0);
    }

    #[test]
    fn neither_large_nor_too_many_buffers_are_kept() {
        let mut spare = Spare::new();
        spare.give(Vec::with_capacity(BUFFER_BYTES_MAX + 1));
        assert_eq!(spare.take().capacity(), 0);
        for _ in 0..1000 {
            spare.give(Vec::with_capacity(BUFFER_BYTES_MAX));
        }
        assert_eq!(spare.buffers.len(), KEPT_BYTES_MAX / BUFFER_BYTES_MAX);
        while spare.take().capacity() > 0 {}
        assert_eq!(spare.bytes, 0);
    }
}
