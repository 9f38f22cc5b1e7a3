//! What publishers and subscribers of one run must both know: how many messages were sent, how far their delivery has
//! come, and what is wrong.
//!
//! A publisher's window moves by whole *steps* of messages: a step is done when every message in it has reached every
//! subscriber that must have it. So one addition per delivery suffices, whatever the fan-out.

use crate::check::{Arrival, Faults, Ledger};
use crate::group::Group;
use crate::latency::Histogram;
use crate::plan::{Plan, STAMP_BYTES, Shape};
use crate::wire::Publish;

/// The books of a run.
pub(crate) struct Books {
    ledger: Ledger,
    /// In place of the ledger, where subscribers share a subscription.
    group: Option<Group>,
    pub(crate) progress: Vec<Progress>,
    /// Topic names by stream.
    topics: Vec<Vec<u8>>,
    topics_each: usize,
    /// Messages handed to sockets, of all publishers.
    pub(crate) sent: u64,
    /// Deliveries seen, wrong ones included.
    pub(crate) delivered: u64,
    /// First deliveries, and those given up because a later one came.
    pub(crate) settled: u64,
    /// Publishers whose window moved.
    pub(crate) moved: Vec<usize>,
    /// From when a message was due until it was delivered, if the plan asks for it.
    pub(crate) latencies: Option<Histogram>,
    /// Nanoseconds since the start of the run, as of this turn.
    pub(crate) now_ns: u64,
}

/// How far one publisher has come.
pub(crate) struct Progress {
    pub(crate) qos: u8,
    /// Messages handed to the socket.
    pub(crate) sent: u64,
    /// All messages below this have been delivered to everybody.
    pub(crate) delivered_below: u64,
    step_bits: u32,
    /// Deliveries that make a step complete.
    full: u32,
    /// Deliveries so far by step, in a ring as long as the window needs.
    steps: Vec<u32>,
    /// Stands in `Books::moved`.
    listed: bool,
}

impl Books {
    pub(crate) fn new(plan: &Plan) -> Self {
        let streams = plan.streams();
        let shared = plan.shape == Shape::Group;
        let ledgers = if shared { 0 } else { plan.subscribers };
        Self {
            ledger: Ledger::new(ledgers, streams, |s, t| plan.expects(s, t)),
            group: shared.then(|| Group::new(plan.subscribers, streams, plan.in_flight)),
            progress: (0..plan.publishers)
                .map(|p| Progress::new(plan, p))
                .collect(),
            topics: (0..streams)
                .map(|stream| plan.topic(stream).into_bytes())
                .collect(),
            topics_each: plan.topics_each,
            sent: 0,
            delivered: 0,
            settled: 0,
            moved: Vec::new(),
            latencies: plan.latency.then(Histogram::new),
            now_ns: 0,
        }
    }

    /// Takes down one delivery to `subscriber`.
    #[inline]
    pub(crate) fn delivered(&mut self, subscriber: usize, publish: &Publish<'_>) {
        self.delivered += 1;
        let Some((publisher, number)) = read_stamp(publish.payload) else {
            return self.ledger.stray(publish.qos);
        };
        let (each, qos) = (self.topics_each as u64, publish.qos);
        let known = self.progress.get(publisher);
        if known.is_none_or(|known| number >= known.sent || known.qos != qos) {
            return self.ledger.stray(qos);
        }
        // Dividing is dear, and most plans have one topic for each publisher.
        let (turn, topic) = if each == 1 {
            (number, 0)
        } else {
            (number / each, number % each)
        };
        let stream = publisher * self.topics_each + topic as usize;
        if self.topics[stream] != publish.topic {
            return self.ledger.stray(qos);
        }
        let arrival = match &mut self.group {
            None => self
                .ledger
                .arrived(subscriber, stream, turn, qos, publish.dup),
            Some(group) => group.arrived(subscriber, stream, turn, qos, publish.dup),
        };
        match arrival {
            Arrival::Next => self.settle(publisher, number),
            Arrival::Gap(from) => {
                (from..=turn).for_each(|turn| self.settle(publisher, turn * each + topic));
            }
            Arrival::Late | Arrival::Again | Arrival::Stray => return,
        }
        if let Some(latencies) = &mut self.latencies
            && let Some(due_ns) = read_due(publish.payload)
        {
            latencies.add(self.now_ns.saturating_sub(due_ns));
        }
    }

    #[inline]
    fn settle(&mut self, publisher: usize, number: u64) {
        self.settled += 1;
        let progress = &mut self.progress[publisher];
        if progress.settle(number) && !progress.listed {
            progress.listed = true;
            self.moved.push(publisher);
        }
    }

    /// Puts a publisher on the list of those that may be able to send.
    pub(crate) fn list(&mut self, publisher: usize) {
        let progress = &mut self.progress[publisher];
        if !progress.listed {
            progress.listed = true;
            self.moved.push(publisher);
        }
    }

    /// Takes a publisher off the list.
    pub(crate) fn unlist(&mut self) -> Option<usize> {
        let publisher = self.moved.pop()?;
        self.progress[publisher].listed = false;
        Some(publisher)
    }

    /// Gives up everything that is under way, so that windows open again.
    pub(crate) fn give_up_undelivered(&mut self) {
        let (each, progress) = (self.topics_each, &self.progress);
        self.ledger
            .give_up(|stream| progress[stream / each].turns(stream % each, each));
        self.settled = 0;
        for publisher in 0..self.progress.len() {
            self.settled += self.progress[publisher].give_up();
            self.list(publisher);
        }
    }

    /// Closes the ledger. Faults by QoS.
    pub(crate) fn close(mut self) -> [Faults; 3] {
        let each = self.topics_each;
        let sent = |stream: usize| {
            let progress = &self.progress[stream / each];
            (progress.turns(stream % each, each), progress.qos)
        };
        let mut faults = self.ledger.faults;
        match &mut self.group {
            None => {
                self.ledger.count_lost(sent);
                faults = self.ledger.faults;
            }
            Some(group) => {
                group.count_lost(sent);
                for (all, more) in faults.iter_mut().zip(group.faults) {
                    *all = all.plus(more);
                }
            }
        }
        faults
    }
}

impl Progress {
    fn new(plan: &Plan, publisher: usize) -> Self {
        let step_bits = (plan.in_flight / 16).max(1).ilog2();
        let steps = (plan.in_flight >> step_bits) as usize + 2;
        Self {
            qos: plan.qos_of(publisher),
            sent: 0,
            delivered_below: 0,
            step_bits,
            full: (plan.fan_out() as u32) << step_bits,
            steps: vec![0; steps.next_power_of_two()],
            listed: false,
        }
    }

    /// Counts one delivery of message `number`; true when the window moved.
    #[inline]
    fn settle(&mut self, number: u64) -> bool {
        let mask = self.steps.len() - 1;
        let step = &mut self.steps[(number >> self.step_bits) as usize & mask];
        *step += 1;
        *step == self.full && self.advance()
    }

    fn advance(&mut self) -> bool {
        let mask = self.steps.len() - 1;
        let before = self.delivered_below;
        loop {
            let first = (self.delivered_below >> self.step_bits) as usize & mask;
            if self.steps[first] < self.full {
                return self.delivered_below != before;
            }
            self.steps[first] = 0;
            self.delivered_below += 1 << self.step_bits;
        }
    }

    /// How many messages went to topic `topic` of `each`.
    fn turns(&self, topic: usize, each: usize) -> u64 {
        (self.sent + (each - 1 - topic) as u64) / each as u64
    }

    /// Counts everything sent as delivered, and returns how many deliveries that makes.
    fn give_up(&mut self) -> u64 {
        let step = 1 << self.step_bits;
        self.steps.fill(0);
        self.delivered_below = self.sent / step * step;
        let mask = self.steps.len() - 1;
        let newest = (self.sent >> self.step_bits) as usize & mask;
        let fan_out = self.full >> self.step_bits;
        self.steps[newest] = (self.sent % step) as u32 * fan_out;
        self.sent * u64::from(fan_out)
    }
}

/// When the message was due, behind the number.
fn read_due(payload: &[u8]) -> Option<u64> {
    let due = payload.get(STAMP_BYTES..)?.first_chunk::<8>()?;
    Some(u64::from_be_bytes(*due))
}

/// Publisher and number at the start of a payload.
#[inline]
fn read_stamp(payload: &[u8]) -> Option<(usize, u64)> {
    let (publisher, rest) = payload.split_first_chunk::<4>()?;
    let (number, _) = rest.split_first_chunk::<8>()?;
    Some((
        u32::from_be_bytes(*publisher) as usize,
        u64::from_be_bytes(*number),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Scenario;

    fn deliver(books: &mut Books, subscriber: usize, publisher: u32, number: u64) {
        let mut payload = publisher.to_be_bytes().to_vec();
        payload.extend_from_slice(&number.to_be_bytes());
        let topic = books.topics[publisher as usize].clone();
        let publish = Publish {
            qos: 0,
            dup: false,
            topic: &topic,
            packet_id: 0,
            payload: &payload,
        };
        books.delivered(subscriber, &publish);
    }

    #[test]
    fn a_window_moves_when_the_slowest_subscriber_has_the_step() {
        let plan = Plan {
            in_flight: 32,
            subscribers: 3,
            ..Plan::of(Scenario::C)
        };
        let mut books = Books::new(&plan);
        books.progress[0].sent = 10;
        for number in 0..10 {
            deliver(&mut books, 0, 0, number);
            deliver(&mut books, 1, 0, number);
        }
        assert_eq!(books.progress[0].delivered_below, 0);
        for number in 0..5 {
            deliver(&mut books, 2, 0, number);
        }
        assert_eq!(books.progress[0].delivered_below, 4); // a step is 2
        assert_eq!(books.unlist(), Some(0));
    }

    #[test]
    fn a_skipped_message_frees_its_place_in_the_window_and_is_lost() {
        let plan = Plan {
            in_flight: 1,
            publishers: 1,
            subscribers: 1,
            ..Plan::of(Scenario::A)
        };
        let mut books = Books::new(&plan);
        books.progress[0].sent = 4;
        deliver(&mut books, 0, 0, 0);
        deliver(&mut books, 0, 0, 3);
        assert_eq!((books.progress[0].delivered_below, books.settled), (4, 4));
        assert_eq!(books.close()[0].lost, 2);
    }

    #[test]
    fn what_nobody_sent_is_stray() {
        let plan = Plan {
            publishers: 1,
            subscribers: 1,
            ..Plan::of(Scenario::A)
        };
        let mut books = Books::new(&plan);
        deliver(&mut books, 0, 0, 0);
        books.progress[0].sent = 1;
        let short = Publish {
            qos: 0,
            dup: false,
            topic: b"bench/00000",
            packet_id: 0,
            payload: b"",
        };
        books.delivered(0, &short);
        let mut other = short;
        let payload = [0; 12];
        other.payload = &payload;
        other.topic = b"bench/00001";
        books.delivered(0, &other);
        other.topic = b"bench/00000";
        other.qos = 1;
        books.delivered(0, &other);
        let faults = books.close();
        assert_eq!(
            (faults[0].stray, faults[1].stray, faults[0].lost),
            (3, 1, 1)
        );
    }
}
