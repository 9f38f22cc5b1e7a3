//! A rate: so many at once, and then so many a second.

use std::time::{Duration, Instant};

/// Tokens of a bucket that is full at first.
#[derive(Debug)]
pub(super) struct Bucket {
    max: u32,
    /// In which one comes back.
    interval: Duration,
    left: u32,
    /// When the last one came back.
    since: Instant,
}

impl Bucket {
    pub(super) fn new(max: u32, interval: Duration, now: Instant) -> Self {
        Self {
            max,
            interval,
            left: max,
            since: now,
        }
    }

    /// Takes one out. False if there is none.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since);
        let back = passed.as_nanos() / self.interval.as_nanos();
        let back = u32::try_from(back).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(back).min(self.max);
        self.since = match self.left == self.max {
            true => now,
            false => self.since + self.interval * back,
        };
        let has_one = self.left > 0;
        self.left -= u32::from(has_one);
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_at_once_and_then_one_at_a_time() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut bucket = Bucket::new(2, Duration::from_millis(100), begin);
        let taken = [0, 0, 0, 99, 101, 150, 250, 1000, 1000, 1000].map(|ms| bucket.take(at(ms)));
        let t = true;
        assert_eq!(taken, [t, t, false, false, t, false, t, t, t, false]);
    }
}
