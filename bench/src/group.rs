//! The books of a shared subscription: every message must reach exactly one member, whoever that is.
//!
//! Members run side by side, so a message may well arrive after a later one that went to another member. Within one
//! member the messages of a topic must keep their order. [MQTT 5.0, 4.8.2 and 4.6]

use crate::check::{Arrival, Faults};

/// Numbers of each stream over all members.
pub(crate) struct Group {
    streams: Vec<Stream>,
    /// By member and stream: above the highest number that came.
    above: Vec<u64>,
    /// By QoS.
    pub(crate) faults: [Faults; 3],
}

/// Which numbers of a stream have come.
struct Stream {
    /// All below this.
    below: u64,
    /// And these: a bit for each number from `below` on, in a ring as long as the window needs.
    ahead: Vec<u64>,
    /// How many have come, each once.
    seen: u64,
}

impl Group {
    /// `in_flight` is how many messages of one stream may be under way.
    pub(crate) fn new(members: usize, streams: usize, in_flight: u64) -> Self {
        let words = (in_flight as usize / 64 + 2).next_power_of_two();
        let stream = || Stream {
            below: 0,
            ahead: vec![0; words],
            seen: 0,
        };
        Self {
            streams: (0..streams).map(|_| stream()).collect(),
            above: vec![0; members * streams],
            faults: Default::default(),
        }
    }

    /// Takes down that message `number` of `stream` arrived at `member`.
    pub(crate) fn arrived(
        &mut self,
        member: usize,
        stream: usize,
        number: u64,
        qos: u8,
        dup: bool,
    ) -> Arrival {
        let faults = &mut self.faults[usize::from(qos)];
        let above = &mut self.above[member * self.streams.len() + stream];
        if !self.streams[stream].insert(number) {
            match qos == 1 && dup {
                true => faults.redelivered += 1,
                false => faults.duplicated += 1,
            }
            return Arrival::Again;
        }
        // One that another member had and did not acknowledge comes again, with DUP, and later than it should.
        if number < *above && !dup {
            faults.reordered += 1;
        }
        *above = (number + 1).max(*above);
        Arrival::Next
    }

    /// Closes the books: `sent(stream)` tells how many messages were sent, and at which QoS.
    pub(crate) fn count_lost(&mut self, sent: impl Fn(usize) -> (u64, u8)) {
        for (number, stream) in self.streams.iter().enumerate() {
            let (sent, qos) = sent(number);
            self.faults[usize::from(qos)].lost += sent.saturating_sub(stream.seen);
        }
    }
}

impl Stream {
    /// False if it was there.
    fn insert(&mut self, number: u64) -> bool {
        let (word, bit) = self.place(number);
        if number < self.below || self.ahead[word] & bit != 0 {
            return false;
        }
        self.ahead[word] |= bit;
        self.seen += 1;
        loop {
            let (word, bit) = self.place(self.below);
            if self.ahead[word] & bit == 0 {
                return true;
            }
            self.ahead[word] &= !bit;
            self.below += 1;
        }
    }

    fn place(&self, number: u64) -> (usize, u64) {
        let word = (number / 64) as usize & (self.ahead.len() - 1);
        (word, 1 << (number % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_reaches_one_member_is_delivered_whatever_the_order_between_members() {
        let mut group = Group::new(2, 1, 100);
        for start in (0..1_000).step_by(2) {
            assert_eq!(group.arrived(0, 0, start + 1, 1, false), Arrival::Next);
            assert_eq!(group.arrived(1, 0, start, 1, false), Arrival::Next);
        }
        group.count_lost(|_| (1_000, 1));
        assert_eq!(group.faults, [Faults::default(); 3]);
    }

    #[test]
    fn a_message_at_two_members_is_a_duplicate_and_one_at_none_is_lost() {
        let mut group = Group::new(2, 1, 100);
        assert_eq!(group.arrived(0, 0, 0, 1, false), Arrival::Next);
        assert_eq!(group.arrived(1, 0, 0, 1, false), Arrival::Again);
        assert_eq!(group.arrived(1, 0, 0, 1, true), Arrival::Again);
        assert_eq!(group.arrived(1, 0, 2, 1, false), Arrival::Next);
        group.count_lost(|_| (3, 1));
        let expected = Faults {
            lost: 1,
            duplicated: 1,
            redelivered: 1,
            ..Faults::default()
        };
        assert_eq!(group.faults[1], expected);
    }

    #[test]
    fn one_member_sees_a_topic_in_order() {
        let mut group = Group::new(2, 1, 100);
        group.arrived(0, 0, 1, 1, false);
        group.arrived(0, 0, 0, 1, false);
        assert_eq!(group.faults[1].reordered, 1);
    }
}
