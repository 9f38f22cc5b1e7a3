//! What happens in a minute, smoothed over 1, 5 and 15 of them, as the load of a Unix system is.

use std::time::Duration;

/// The levels and the minutes that they stand for.
pub(crate) const WINDOWS: [(&str, f64); 3] = [("1min", 1.0), ("5min", 5.0), ("15min", 15.0)];

/// The averages of one counter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load {
    counted: u64,
    averages: [f64; WINDOWS.len()],
}

impl Load {
    /// The counter stands at `count`, so long after the last time.
    pub(crate) fn update(&mut self, count: u64, since: Duration) {
        let minutes = since.as_secs_f64() / 60.0;
        if minutes <= 0.0 {
            return;
        }
        let rate = count.saturating_sub(self.counted) as f64 / minutes;
        self.counted = count;
        for (average, (_, window)) in self.averages.iter_mut().zip(WINDOWS) {
            let kept = (-minutes / window).exp();
            *average = *average * kept + rate * (1.0 - kept);
        }
    }

    /// For each window, what happens in a minute.
    pub(crate) fn averages(&self) -> [f64; WINDOWS.len()] {
        self.averages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_reached_sooner_by_the_shorter_window() {
        let mut load = Load::default();
        for tick in 1..=6_u64 {
            load.update(tick * 100, Duration::from_secs(10));
        }
        // 600 in the first minute.
        let [one, five, fifteen] = load.averages();
        let reached = |window: f64| 600.0 * (1.0 - (-1.0 / window).exp());
        for (average, window) in [(one, 1.0), (five, 5.0), (fifteen, 15.0)] {
            assert!((average - reached(window)).abs() < 1e-6, "{average}");
        }
        assert!(one > five && five > fifteen);
    }

    #[test]
    fn silence_lowers_it_and_no_time_changes_nothing() {
        let mut load = Load::default();
        load.update(60, Duration::from_secs(60));
        let before = load;
        load.update(99, Duration::ZERO);
        assert_eq!(load, before);
        load.update(60, Duration::from_secs(60));
        assert!(load.averages()[0] < before.averages()[0]);
    }
}
