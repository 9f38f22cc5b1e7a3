//! Who must receive what, and whether it did: loss, duplicates and order, for each subscriber and topic.
//!
//! A *stream* is one topic of one publisher: its messages are numbered from 0 without gaps, and whoever subscribed to
//! it must see 0, 1, 2, ... [MQTT-4.6.0-5]. The usual arrival costs one comparison; everything else is kept
//! in sets beside it, so that a gap that is filled later counts as disorder and not as loss.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

/// No message of this stream may come to this subscriber.
const UNEXPECTED: u64 = u64::MAX;

/// What an arrival was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The next one of its stream.
    Next,
    /// Newer than the next: those from here to the arrived one are missing so far.
    Gap(u64),
    /// One that was missing: it comes after a later one.
    Late,
    /// It had been there before.
    Again,
    /// This subscriber did not ask for this stream.
    Stray,
}

/// What was wrong, in messages delivered at one QoS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Faults {
    /// Sent and never delivered.
    pub(crate) lost: u64,
    /// Delivered again without the DUP flag; at QoS 2 with or without it.
    pub(crate) duplicated: u64,
    /// Delivered again with the DUP flag, at QoS 1: allowed.
    pub(crate) redelivered: u64,
    /// Delivered after a later one of its topic.
    pub(crate) reordered: u64,
    /// Delivered to somebody who did not subscribe to it, or not as it was sent (QoS, topic).
    pub(crate) stray: u64,
}

impl Faults {
    /// How many of these break what MQTT promises; lost QoS 0 messages count unless `loss_allowed`.
    pub(crate) fn violations(&self, loss_allowed: bool) -> u64 {
        let lost = if loss_allowed { 0 } else { self.lost };
        lost + self.duplicated + self.reordered + self.stray
    }

    /// Both together.
    pub(crate) fn plus(self, more: Self) -> Self {
        Self {
            lost: self.lost + more.lost,
            duplicated: self.duplicated + more.duplicated,
            redelivered: self.redelivered + more.redelivered,
            reordered: self.reordered + more.reordered,
            stray: self.stray + more.stray,
        }
    }
}

/// Numbers of each stream at each subscriber.
pub(crate) struct Ledger {
    streams: usize,
    /// By subscriber and stream: the number that must come next.
    next: Vec<u64>,
    /// Only where something was skipped.
    missing: HashMap<usize, BTreeSet<u64>>,
    /// By QoS.
    pub(crate) faults: [Faults; 3],
}

impl Ledger {
    /// A ledger where subscriber `s` must receive stream `t` if `expects(s, t)`.
    pub(crate) fn new(
        subscribers: usize,
        streams: usize,
        expects: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let mut next = Vec::with_capacity(subscribers * streams);
        for subscriber in 0..subscribers {
            next.extend(
                (0..streams).map(|stream| match expects(subscriber, stream) {
                    true => 0,
                    false => UNEXPECTED,
                }),
            );
        }
        Self {
            streams,
            next,
            missing: HashMap::new(),
            faults: Default::default(),
        }
    }

    /// Takes down that message `number` of `stream` arrived at `subscriber`.
    #[inline]
    pub(crate) fn arrived(
        &mut self,
        subscriber: usize,
        stream: usize,
        number: u64,
        qos: u8,
        dup: bool,
    ) -> Arrival {
        let at = subscriber * self.streams + stream;
        match self.next.get_mut(at) {
            Some(next) if *next == number && stream < self.streams => {
                *next += 1;
                Arrival::Next
            }
            _ => self.arrived_unusually(at, stream, number, qos, dup),
        }
    }

    #[cold]
    fn arrived_unusually(
        &mut self,
        at: usize,
        stream: usize,
        number: u64,
        qos: u8,
        dup: bool,
    ) -> Arrival {
        let faults = &mut self.faults[usize::from(qos)];
        let expected = self.next.get_mut(at).filter(|next| **next != UNEXPECTED);
        let Some(next) = expected.filter(|_| stream < self.streams) else {
            faults.stray += 1;
            return Arrival::Stray;
        };
        if number > *next {
            let from = *next;
            *next = number + 1;
            self.missing.entry(at).or_default().extend(from..number);
            return Arrival::Gap(from);
        }
        if self
            .missing
            .get_mut(&at)
            .is_some_and(|missing| missing.remove(&number))
        {
            faults.reordered += 1;
            return Arrival::Late;
        }
        match qos == 1 && dup {
            true => faults.redelivered += 1,
            false => faults.duplicated += 1,
        }
        Arrival::Again
    }

    /// Counts something delivered that nobody sent like this.
    #[cold]
    pub(crate) fn stray(&mut self, qos: u8) {
        self.faults[usize::from(qos).min(2)].stray += 1;
    }

    /// Gives up what has not come yet: what comes all the same is late. `sent(stream)` tells how many were sent.
    pub(crate) fn give_up(&mut self, sent: impl Fn(usize) -> u64) {
        for (at, next) in self
            .next
            .iter_mut()
            .enumerate()
            .filter(|(_, next)| **next != UNEXPECTED)
        {
            let sent = sent(at % self.streams);
            if *next < sent {
                self.missing.entry(at).or_default().extend(*next..sent);
                *next = sent;
            }
        }
    }

    /// Closes the books: `sent(stream)` tells how many messages of a stream were sent, and at which QoS.
    pub(crate) fn count_lost(&mut self, sent: impl Fn(usize) -> (u64, u8)) {
        for (at, next) in self
            .next
            .iter()
            .enumerate()
            .filter(|(_, next)| **next != UNEXPECTED)
        {
            let (sent, qos) = sent(at % self.streams);
            let never_arrived = sent.saturating_sub(*next);
            let skipped = self
                .missing
                .get(&at)
                .map_or(0, |missing| missing.len() as u64);
            self.faults[usize::from(qos)].lost += never_arrived + skipped;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        Ledger::new(2, 2, |subscriber, stream| subscriber == stream)
    }

    #[test]
    fn numbers_in_order_are_no_fault() {
        let mut ledger = ledger();
        for number in 0..3 {
            assert_eq!(ledger.arrived(1, 1, number, 0, false), Arrival::Next);
        }
        ledger.count_lost(|stream| (3 * stream as u64, 0));
        assert_eq!(ledger.faults, [Faults::default(); 3]);
    }

    #[test]
    fn a_gap_is_loss_and_a_gap_filled_late_is_disorder() {
        let mut ledger = ledger();
        assert_eq!(ledger.arrived(0, 0, 3, 1, false), Arrival::Gap(0));
        assert_eq!(ledger.arrived(0, 0, 1, 1, false), Arrival::Late);
        ledger.count_lost(|stream| if stream == 0 { (6, 1) } else { (0, 1) });
        assert_eq!(
            ledger.faults[1],
            Faults {
                lost: 4,
                reordered: 1,
                ..Faults::default()
            }
        );
    }

    #[test]
    fn a_repeat_is_allowed_at_qos_1_with_dup_only() {
        for (qos, dup, allowed) in [
            (0, false, false),
            (0, true, false),
            (1, false, false),
            (1, true, true),
            (2, false, false),
            (2, true, false),
        ] {
            let mut ledger = ledger();
            assert_eq!(ledger.arrived(0, 0, 0, qos, false), Arrival::Next);
            assert_eq!(ledger.arrived(0, 0, 0, qos, dup), Arrival::Again);
            let violations = ledger.faults[usize::from(qos)].violations(false);
            assert_eq!(violations == 0, allowed, "QoS {qos}, DUP {dup}");
        }
    }

    #[test]
    fn what_was_not_subscribed_to_is_stray() {
        let mut ledger = ledger();
        assert_eq!(ledger.arrived(0, 1, 0, 2, false), Arrival::Stray);
        assert_eq!(ledger.arrived(0, 9, 0, 2, false), Arrival::Stray);
        assert_eq!(ledger.arrived(9, 0, 0, 2, false), Arrival::Stray);
        assert_eq!(ledger.faults[2].stray, 3);
    }

    #[test]
    fn loss_is_forgiven_at_qos_0_only_when_said() {
        let faults = Faults {
            lost: 2,
            ..Faults::default()
        };
        assert_eq!(faults.violations(true), 0);
        assert_eq!(faults.violations(false), 2);
    }
}
