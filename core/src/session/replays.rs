//! Retained messages that are still to be sent for new subscriptions, in the order of subscribing.

use crate::retained::Replay;
use alloc::{boxed::Box, collections::BTreeMap};

/// At most one for each filter. A client may have very many filters, so none is looked for one by one.
#[derive(Debug, Default)]
pub(super) struct Replays {
    queue: BTreeMap<u64, Replay>,
    /// Places in the queue, by filter.
    places: BTreeMap<Box<str>, u64>,
    next: u64,
}

impl Replays {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Adds one at the end, and takes out the one of the same filter.
    pub(super) fn push(&mut self, replay: Replay) {
        let former = self.places.insert(replay.filter.clone(), self.next);
        if let Some(former) = former {
            self.queue.remove(&former);
        }
        self.queue.insert(self.next, replay);
        self.next += 1;
    }

    pub(super) fn remove(&mut self, filter: &str) {
        if let Some(place) = self.places.remove(filter) {
            self.queue.remove(&place);
        }
    }

    pub(super) fn first_mut(&mut self) -> Option<&mut Replay> {
        self.queue.first_entry().map(|first| first.into_mut())
    }

    pub(super) fn pop_first(&mut self) {
        if let Some((_, replay)) = self.queue.pop_first() {
            self.places.remove(&replay.filter);
        }
    }
}
