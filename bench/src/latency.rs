//! How long deliveries took, in a histogram with three digits of each value.

use hdrhistogram::Histogram as Digits;
use serde::Serialize;

/// Whatever takes longer counts as this long.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// How often each duration was seen.
pub(crate) struct Histogram(Digits<u64>);

/// How long deliveries took from when they were due, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Latency {
    /// Half of them took no longer.
    pub(crate) median_us: f64,
    /// Nor did 99 %.
    pub(crate) p99_us: f64,
    /// Nor did 99.9 %.
    pub(crate) p999_us: f64,
    /// The longest.
    pub(crate) max_us: f64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        let digits = Digits::new_with_bounds(1, LONGEST_NS, 3);
        Self(digits.expect("an hour and three digits are within bounds"))
    }

    pub(crate) fn add(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// The usual figures; `None` when nothing was added.
    pub(crate) fn latency(&self) -> Option<Latency> {
        let at = |share| self.0.value_at_quantile(share) as f64 / 1_000.0;
        (!self.0.is_empty()).then(|| Latency {
            median_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: at(1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_thousand_values() {
        let mut histogram = Histogram::new();
        assert!(histogram.latency().is_none());
        (1..=1_000).for_each(|us| histogram.add(us * 1_000));
        let latency = histogram.latency().unwrap();
        for (value, expected) in [
            (latency.median_us, 500.0),
            (latency.p99_us, 990.0),
            (latency.p999_us, 999.0),
            (latency.max_us, 1_000.0),
        ] {
            assert!((expected..expected * 1.002).contains(&value), "{latency:?}");
        }
    }
}
