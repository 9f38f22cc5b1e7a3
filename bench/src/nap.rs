//! How long the generator looks away between turns, so that one read brings many messages and costs little.
//!
//! It aims at finding a quarter of the messages under way when it looks again: the broker has the other three
//! quarters to work on meanwhile and does not run idle. A pure rule, fed with counts.

use std::time::Duration;

/// Shorter naps cost more than they save.
const NAP_MIN: Duration = Duration::from_micros(30);
/// Longer ones help no more.
const NAP_MAX: Duration = Duration::from_millis(50);

/// The length of the next nap.
pub(crate) struct Nap {
    nap: Duration,
}

impl Nap {
    pub(crate) fn new() -> Self {
        Self { nap: NAP_MIN }
    }

    /// What to do after a turn that found `found` deliveries of which `under_way` were awaited before it.
    pub(crate) fn next(&mut self, found: u64, under_way: u64) -> Option<Duration> {
        let wanted = under_way as f64 / 4.0;
        // Down fast, up slowly: a nap too long leaves the broker idle, one too short only costs a little.
        let factor = (wanted / (found.max(1) as f64)).clamp(0.5, 1.25);
        self.nap = self.nap.mul_f64(factor).clamp(NAP_MIN / 2, NAP_MAX);
        (self.nap >= NAP_MIN && under_way > 0).then_some(self.nap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets a broker deliver at a steady rate, never more than the window, and returns how much the last nap brought.
    fn found_at(deliveries_per_second: f64, window: u64) -> u64 {
        let (mut nap, mut found) = (Nap::new(), 1);
        for _ in 0..100 {
            let length = nap.next(found, window).unwrap_or(Duration::from_micros(5));
            found = (deliveries_per_second * length.as_secs_f64()).min(window as f64) as u64;
        }
        found
    }

    #[test]
    fn a_nap_brings_about_a_quarter_of_the_window() {
        for rate in [50e3, 200e3, 1e6, 5e6] {
            let found = found_at(rate, 25_000);
            let longest = (rate * NAP_MAX.as_secs_f64()) as u64;
            assert!(
                (4_500..8_000).contains(&found) || found == longest,
                "{rate}: {found}"
            );
        }
    }

    #[test]
    fn a_window_that_is_gone_in_no_time_leaves_no_time_to_nap() {
        let mut nap = Nap::new();
        for _ in 0..10 {
            nap.next(50, 50);
        }
        assert_eq!(nap.next(50, 50), None);
    }
}
