//! The timer wheel against a naive list of timers.
//!
//! The input is operations of three bytes: what, how far, and exactly how far. Even ones move time, odd ones do not.

use sanderling_core::{
    time::Instant,
    timer::{TimerKey, Wheel},
};
use std::time::Duration;

const TICK_NANOS: u64 = 1_000_000;

/// Applies the operations to a wheel and to a list, and compares all that can be seen.
pub fn wheel(input: &[u8]) {
    let (start, operations) = input.split_first_chunk::<2>().unwrap_or((&[0; 2], &[]));
    let mut twins = Twins::new(instant(far(start[0], start[1])));
    for operation in operations.chunks_exact(3) {
        let [what, far_by, exactly] = *operation else {
            unreachable!("chunks of three");
        };
        let distance = far(far_by, exactly);
        match what % 8 {
            0 => twins.advance(distance),
            2 => twins.advance_to_next(exactly),
            4 => drop(twins.pop_one()),
            1 | 3 => twins.insert(twins.now.as_nanos().saturating_add(distance)),
            5 => twins.insert(twins.now.as_nanos().saturating_sub(distance)),
            _ => twins.cancel(usize::from(exactly)),
        }
        twins.compare();
    }
    twins.drain();
}

/// Nanoseconds: a power of two and a little beside it, so that every level of the wheel and its edges come up.
fn far(power: u8, beside: u8) -> u64 {
    let around = 1_u64 << (power % 64);
    match power / 64 {
        0 => around.saturating_add(beside.into()),
        1 => around.saturating_sub(beside.into()),
        2 => (u64::from(beside) * TICK_NANOS).saturating_add(around % TICK_NANOS),
        _ => around.saturating_add(u64::from(beside) * TICK_NANOS),
    }
}

/// The last whole tick that can be told: what is set for later never fires.
const LAST_NANOS: u64 = u64::MAX / TICK_NANOS * TICK_NANOS;

fn instant(nanos: u64) -> Instant {
    Instant::ORIGIN + Duration::from_nanos(nanos.min(LAST_NANOS))
}

struct Twins {
    wheel: Wheel<usize>,
    /// The tick in which each timer fires, by its number; none once it has fired or was cancelled.
    list: Vec<Option<u64>>,
    keys: Vec<TimerKey>,
    now: Instant,
    /// The tick up to which everything has fired.
    position: u64,
}

impl Twins {
    fn new(now: Instant) -> Self {
        Self {
            wheel: Wheel::new(now),
            list: Vec::new(),
            keys: Vec::new(),
            now,
            position: now.as_millis(),
        }
    }

    fn insert(&mut self, at_nanos: u64) {
        let at = instant(at_nanos);
        let mut tick = at.as_nanos().div_ceil(TICK_NANOS);
        if at <= self.now {
            // It has passed, so it does not wait for the end of its tick.
            tick = tick.min(self.now.as_millis());
        }
        self.keys.push(self.wheel.insert(at, self.list.len()));
        self.list.push(Some(tick.max(self.position)));
    }

    fn cancel(&mut self, number: usize) {
        let Some(number) = number.checked_rem(self.keys.len()) else {
            return;
        };
        let expected = self.list[number].take().map(|_| number);
        assert_eq!(self.wheel.cancel(self.keys[number]), expected);
    }

    /// The number and the tick of the timer that fires first: the earliest tick, and in it the one set first.
    fn first(&self) -> Option<(usize, u64)> {
        let set = self.list.iter().enumerate();
        let set = set.filter_map(|(number, tick)| Some((number, (*tick)?)));
        set.min_by_key(|(number, tick)| (*tick, *number))
    }

    fn pop_one(&mut self) -> bool {
        let due = self
            .first()
            .filter(|(_, tick)| *tick <= self.now.as_millis());
        let popped = self.wheel.pop_due(self.now);
        assert_eq!(popped, due.map(|(number, _)| number), "at {}", self.now);
        match due {
            Some((number, tick)) => {
                self.list[number] = None;
                self.position = tick;
            }
            None => self.position = self.now.as_millis(),
        }
        due.is_some()
    }

    fn advance(&mut self, nanos: u64) {
        self.now = instant(self.now.as_nanos().saturating_add(nanos));
        while self.pop_one() {}
    }

    /// To when the wheel wants to be called, a little before or after.
    fn advance_to_next(&mut self, beside: u8) {
        let Some(next) = self.wheel.next_deadline() else {
            return;
        };
        let next = next
            .as_nanos()
            .saturating_add(beside.into())
            .saturating_sub(128);
        self.advance(next.saturating_sub(self.now.as_nanos()));
    }

    fn compare(&self) {
        let left = self.list.iter().flatten().count();
        assert_eq!((self.wheel.len(), self.wheel.is_empty()), (left, left == 0));
        match (self.wheel.next_deadline(), self.first()) {
            (None, None) => {}
            (Some(next), Some((_, tick))) => {
                assert!(next.as_millis() <= tick, "{next} is later than tick {tick}");
            }
            (next, first) => panic!("the wheel says {next:?}, and the list {first:?}"),
        }
    }

    /// Whoever calls when the wheel wants to be called gets every timer, in bounded time.
    fn drain(&mut self) {
        let calls_max = 16 * (self.list.len() + 1);
        for _ in 0..calls_max {
            let Some(next) = self.wheel.next_deadline() else {
                assert_eq!(self.first(), None);
                return;
            };
            self.advance(next.as_nanos().saturating_sub(self.now.as_nanos()));
        }
        panic!("the wheel wants to be called without end");
    }
}
