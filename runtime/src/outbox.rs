//! Bytes on their way to one connection.

use bytes::Bytes;
use std::{collections::VecDeque, io::IoSlice};

/// Pending output: small packets copied one behind the other, large payloads shared between them.
///
/// The broker's byte account bounds it; an empty one owns no memory.
#[derive(Debug, Default)]
pub struct Outbox {
    copied: Vec<u8>,
    /// Bytes of `copied` that are done with.
    start: usize,
    /// Shared payloads, if there are any; most connections never have one.
    tails: Option<Box<Tails>>,
}

/// Payloads that are shared with others.
#[derive(Debug, Default)]
struct Tails {
    /// Each with the place in `copied` it comes before.
    queue: VecDeque<(usize, Bytes)>,
    /// Bytes in them.
    bytes: usize,
}

/// Slices handed to one vectored write.
pub const SLICES_MAX: usize = 16;

impl Outbox {
    /// Appends bytes by copying them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
    }

    /// Appends a packet and writes `patch` over the two bytes at `at` of it.
    pub fn push_patched(&mut self, packet: &[u8], at: usize, patch: [u8; 2]) {
        let start = self.copied.len();
        self.copied.extend_from_slice(packet);
        self.copied[start + at..start + at + 2].copy_from_slice(&patch);
    }

    /// Appends bytes by sharing them.
    pub fn push_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            let tails = self.tails.get_or_insert_default();
            tails.bytes += bytes.len();
            tails.queue.push_back((self.copied.len(), bytes));
        }
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        let tail_bytes = self.tails.as_deref().map_or(0, |tails| tails.bytes);
        self.copied.len() - self.start + tail_bytes
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What waits, in order, in the pieces in which it stands.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = self.start;
        let queue = self.tails.as_deref().map(|tails| &tails.queue);
        let tails = queue.into_iter().flatten().flat_map(move |(before, tail)| {
            let copied = &self.copied[at.min(*before)..*before];
            at = at.max(*before);
            [copied, tail]
        });
        let last = queue.and_then(VecDeque::back);
        let last = last.map_or(self.start, |&(before, _)| before);
        let rest = &self.copied[last.max(self.start)..];
        tails
            .chain(std::iter::once(rest))
            .filter(|chunk| !chunk.is_empty())
    }

    /// The first slices of what waits, in order; returns how many of `slices` are filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        if self.tails.is_none() {
            // Small packets only: the usual case.
            slices[0] = IoSlice::new(&self.copied[self.start..]);
            return usize::from(!slices[0].is_empty());
        }
        let mut count = 0;
        for (slice, chunk) in slices.iter_mut().zip(self.chunks()) {
            *slice = IoSlice::new(chunk);
            count += 1;
        }
        count
    }

    /// Takes off the first `bytes` bytes: they were written.
    pub fn consume(&mut self, mut bytes: usize) {
        let mut tails = self.tails.as_deref_mut();
        while let Some(tails) = &mut tails
            && let Some((before, tail)) = tails.queue.front_mut()
        {
            let copied = (*before - self.start).min(bytes);
            self.start += copied;
            bytes -= copied;
            if self.start < *before {
                return;
            }
            if bytes < tail.len() {
                let _ = tail.split_to(bytes);
                tails.bytes -= bytes;
                return;
            }
            bytes -= tail.len();
            tails.bytes -= tail.len();
            tails.queue.pop_front();
        }
        self.start += bytes;
        assert!(
            self.start <= self.copied.len(),
            "more was written than was pending"
        );
        if self.start == self.copied.len() {
            self.copied.clear();
            self.start = 0;
        } else if self.start > COMPACT_BYTES && self.start * 2 > self.copied.len() {
            self.copied.drain(..self.start);
            self.start = 0;
        }
    }

    /// Exchanges the memory of an empty outbox for `spare`, which must be empty too.
    pub fn exchange_memory(&mut self, spare: Vec<u8>) -> Vec<u8> {
        debug_assert!(self.is_empty() && spare.is_empty());
        self.start = 0;
        if self.tails.is_some() {
            self.tails = None;
        }
        core::mem::replace(&mut self.copied, spare)
    }

    /// True if it owns memory for copied bytes.
    pub fn has_memory(&self) -> bool {
        self.copied.capacity() > 0
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Written bytes are moved out once there are this many of them and they are the greater part.
const COMPACT_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push(Vec<u8>),
        Patched(Vec<u8>),
        Shared(Vec<u8>),
        Consume(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            bytes().prop_map(Step::Push),
            prop::collection::vec(any::<u8>(), 4..20).prop_map(Step::Patched),
            bytes().prop_map(Step::Shared),
            (0usize..120).prop_map(Step::Consume),
        ]
    }

    fn contents(outbox: &Outbox) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = outbox.slices(&mut slices);
        slices[..count]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect()
    }

    proptest! {
        #[test]
        fn equals_a_plain_vector(steps in prop::collection::vec(step(), 0..60)) {
            let mut outbox = Outbox::default();
            let mut model: Vec<u8> = Vec::new();
            for step in steps {
                match step {
                    Step::Push(bytes) => {
                        outbox.push(&bytes);
                        model.extend(bytes);
                    }
                    Step::Patched(mut bytes) => {
                        outbox.push_patched(&bytes, 1, [7, 9]);
                        bytes[1..3].copy_from_slice(&[7, 9]);
                        model.extend(bytes);
                    }
                    Step::Shared(bytes) => {
                        outbox.push_shared(bytes.clone().into());
                        model.extend(bytes);
                    }
                    Step::Consume(count) => {
                        let count = count.min(contents(&outbox).len());
                        outbox.consume(count);
                        model.drain(..count);
                    }
                }
                prop_assert_eq!(outbox.len(), model.len());
                let contents = contents(&outbox);
                prop_assert_eq!(&contents[..], &model[..contents.len()]);
                prop_assert!(contents.is_empty() == model.is_empty());
            }
        }
    }

    #[test]
    fn what_is_written_leaves_no_memory_behind_in_a_long_stream() {
        let mut outbox = Outbox::default();
        for _ in 0..1000 {
            outbox.push(&[0; 1000]);
            outbox.consume(outbox.len() - 1);
        }
        assert!(outbox.copied.len() < 3 * COMPACT_BYTES);
    }
}
