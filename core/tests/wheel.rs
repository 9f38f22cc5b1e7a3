//! The wheel against a sorted map: nothing early, nothing lost, nothing twice, the same order.

use proptest::prelude::*;
use sanderling_core::{
    time::Instant,
    timer::{TimerKey, Wheel},
};
use std::{collections::BTreeMap, time::Duration};

const TICK: u64 = 1_000_000;

/// Timers by the tick they fire in and the order in which they were set.
struct Oracle {
    timers: BTreeMap<(u64, u32), Instant>,
    set: u32,
    now: Instant,
    /// The tick fired last.
    position: u64,
}

impl Oracle {
    fn new(now: Instant) -> Self {
        Self {
            timers: BTreeMap::new(),
            set: 0,
            now,
            position: now.as_millis(),
        }
    }

    fn insert(&mut self, at: Instant) -> (u64, u32) {
        let mut tick = at.as_nanos() / TICK + u64::from(!at.as_nanos().is_multiple_of(TICK));
        if at <= self.now {
            tick = tick.min(self.now.as_millis());
        }
        let key = (tick.max(self.position), self.set);
        self.timers.insert(key, at);
        self.set += 1;
        key
    }

    fn pop_due(&mut self, now: Instant) -> Option<u32> {
        self.now = self.now.max(now);
        match self.timers.first_entry() {
            Some(first) if first.key().0 <= self.now.as_millis() => {
                assert!(*first.get() <= self.now, "the oracle itself is never early");
                self.position = first.key().0;
                Some(first.remove_entry().0.1)
            }
            _ => {
                self.position = self.now.as_millis();
                None
            }
        }
    }
}

/// Both, in step.
struct Pair {
    wheel: Wheel<u32>,
    oracle: Oracle,
    keys: Vec<(TimerKey, (u64, u32))>,
    now: Instant,
}

impl Pair {
    fn new(now: Instant) -> Self {
        Self {
            wheel: Wheel::new(now),
            oracle: Oracle::new(now),
            keys: Vec::new(),
            now,
        }
    }

    fn insert(&mut self, at: Instant) {
        let expected = self.oracle.insert(at);
        self.keys
            .push((self.wheel.insert(at, expected.1), expected));
    }

    /// Cancels any timer ever set, most of which have fired or been cancelled.
    fn cancel(&mut self, choice: usize) {
        if self.keys.is_empty() {
            return;
        }
        let (key, expected) = self.keys[choice % self.keys.len()];
        let set = self.oracle.timers.remove(&expected).is_some();
        assert_eq!(self.wheel.cancel(key), set.then_some(expected.1));
        assert_eq!(self.wheel.cancel(key), None);
    }

    fn advance(&mut self, by: Duration, pops_max: usize) {
        self.now = self.now + by;
        for _ in 0..pops_max {
            let expected = self.oracle.pop_due(self.now);
            assert_eq!(self.wheel.pop_due(self.now), expected);
            if expected.is_none() {
                assert!(
                    self.wheel
                        .next_deadline()
                        .is_none_or(|next| next > self.now),
                    "no busy loop"
                );
                return;
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.wheel.len(), self.oracle.timers.len());
        assert_eq!(self.wheel.is_empty(), self.oracle.timers.is_empty());
        let first = self
            .oracle
            .timers
            .first_key_value()
            .map(|(&(tick, _), _)| Instant::from_millis(tick));
        let next = self.wheel.next_deadline();
        assert_eq!(next.is_some(), first.is_some());
        assert!(next <= first, "never late: {next:?} {first:?}");
    }
}

#[derive(Clone, Debug)]
enum Operation {
    InsertAfter(u64),
    InsertBefore(u64),
    InsertAt(u64),
    Cancel(usize),
    Advance(u64, usize),
}

/// Lengths of time of every magnitude, with whole ticks and whole slots more often than chance has it.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..5 * TICK,
        (0..200u64).prop_map(|ticks| ticks * TICK),
        (0..42u32, 0..3u64).prop_map(|(bits, off)| ((1u64 << bits) + off).saturating_sub(1) * TICK),
        (0..50u32).prop_flat_map(|bits| 0..=1u64 << bits),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let pops = prop_oneof![Just(usize::MAX), 0..4usize];
    prop_oneof![
        8 => span().prop_map(Operation::InsertAfter),
        1 => span().prop_map(Operation::InsertBefore),
        1 => prop_oneof![any::<u64>(), Just(u64::MAX)].prop_map(Operation::InsertAt),
        4 => any::<usize>().prop_map(Operation::Cancel),
        6 => (span(), pops).prop_map(|(by, pops)| Operation::Advance(by, pops)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_wheel_is_a_sorted_map(
        start in prop_oneof![Just(0), 0..1u64 << 50],
        operations in prop::collection::vec(operation(), 1..150),
    ) {
        let mut pair = Pair::new(Instant::from_nanos(start));
        for operation in operations {
            let now = pair.now;
            match operation {
                Operation::InsertAfter(span) => pair.insert(now + Duration::from_nanos(span)),
                Operation::InsertBefore(span) => {
                    pair.insert(Instant::from_nanos(now.as_nanos().saturating_sub(span)));
                }
                Operation::InsertAt(at) => pair.insert(Instant::from_nanos(at)),
                Operation::Cancel(choice) => pair.cancel(choice),
                Operation::Advance(by, pops) => pair.advance(Duration::from_nanos(by), pops),
            }
            pair.check();
        }
    }
}

#[test]
fn a_driver_that_sleeps_as_told_is_never_early_late_or_busy() {
    let origin = Instant::from_nanos(123_456_789);
    let deadline = origin + Duration::from_secs(90_000);
    let mut wheel = Wheel::new(origin);
    for item in 0..100 {
        wheel.insert(deadline + Duration::from_nanos(item * 1_700_000), item);
    }
    let (mut fired, mut wakes) = (0, 0);
    while let Some(now) = wheel.next_deadline() {
        wakes += 1;
        while let Some(item) = wheel.pop_due(now) {
            let wanted = deadline + Duration::from_nanos(item * 1_700_000);
            assert_eq!(item, fired, "in order");
            assert!(now >= wanted && now < wanted + Duration::from_millis(1));
            fired += 1;
        }
    }
    assert_eq!(fired, 100);
    assert!(wakes <= 120, "{wakes} wakes");
}

#[test]
fn a_deadline_that_has_passed_is_due_at_once() {
    let now = Instant::from_nanos(7_500_000);
    let mut wheel = Wheel::new(Instant::ORIGIN);
    assert_eq!(wheel.pop_due(now), None);
    for (item, at) in [
        (1, now),
        (2, Instant::ORIGIN),
        (3, Instant::from_nanos(7_400_000)),
    ] {
        wheel.insert(at, item);
    }
    assert!(wheel.next_deadline() <= Some(now));
    assert_eq!(
        [(); 4].map(|()| wheel.pop_due(now)),
        [Some(1), Some(2), Some(3), None]
    );
}

#[test]
fn far_future_never_comes() {
    let mut wheel = Wheel::new(Instant::ORIGIN);
    let key = wheel.insert(Instant::FAR_FUTURE, ());
    assert_eq!(wheel.next_deadline(), Some(Instant::FAR_FUTURE));
    let last_but_one = Instant::from_nanos(u64::MAX - 1);
    assert_eq!(wheel.pop_due(last_but_one), None);
    assert_eq!(wheel.cancel(key), Some(()));
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn a_stale_key_does_not_touch_the_timer_that_took_the_place() {
    let mut wheel = Wheel::new(Instant::ORIGIN);
    let first = wheel.insert(Instant::from_millis(1), 1);
    assert_eq!(wheel.pop_due(Instant::from_millis(1)), Some(1));
    let second = wheel.insert(Instant::from_millis(2), 2);
    assert_eq!(wheel.cancel(first), None);
    assert_eq!(wheel.cancel(second), Some(2));
    assert_eq!(wheel.cancel(second), None);
    assert!(wheel.is_empty());
}

#[test]
fn a58_a_million_timers_in_one_tick() {
    const TIMERS: u32 = 1_000_000;
    let at = Instant::from_millis(90_000);
    let mut wheel = Wheel::new(Instant::ORIGIN);
    for item in 0..TIMERS {
        wheel.insert(at, item);
    }
    assert_eq!(wheel.pop_due(Instant::from_nanos(at.as_nanos() - 1)), None);
    for item in 0..TIMERS {
        assert_eq!(wheel.pop_due(at), Some(item));
    }
    assert_eq!(wheel.pop_due(at), None);
}

#[test]
fn a_jump_of_centuries_is_one_step() {
    let mut wheel = Wheel::new(Instant::ORIGIN);
    for item in 0..64u64 {
        wheel.insert(Instant::from_nanos(1 << item), item);
    }
    let end = Instant::from_nanos(u64::MAX - TICK);
    let fired: Vec<_> = std::iter::from_fn(|| wheel.pop_due(end)).collect();
    assert!(fired.into_iter().eq(0..64));
}
