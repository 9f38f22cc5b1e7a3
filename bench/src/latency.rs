//! A histogram of durations: 64 buckets for each power of two, so a value is off by at most 1/64 and memory is fixed.

use serde::Serialize;

/// Bits of a value that its bucket keeps below the highest one.
const BITS: u32 = 6;

/// How often each duration was seen.
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max_ns: u64,
}

/// How long deliveries took from when they were due, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) median_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            buckets: vec![0; (64 - BITS as usize + 1) << BITS],
            count: 0,
            max_ns: 0,
        }
    }

    pub(crate) fn add(&mut self, ns: u64) {
        self.buckets[bucket(ns)] += 1;
        self.count += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// The usual figures; `None` when nothing was added.
    pub(crate) fn latency(&self) -> Option<Latency> {
        let at = |share: f64| self.value_at(share) as f64 / 1_000.0;
        (self.count > 0).then(|| Latency {
            median_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: self.max_ns as f64 / 1_000.0,
        })
    }

    /// The smallest value that at least `share` of all values do not exceed, up to the width of a bucket.
    fn value_at(&self, share: f64) -> u64 {
        let rank = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        let reached = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        reached.map_or(self.max_ns, |bucket| upper_end(bucket).min(self.max_ns))
    }
}

fn bucket(ns: u64) -> usize {
    let shift = (ns | 1).ilog2().saturating_sub(BITS);
    ((shift as usize) << BITS) + (ns >> shift) as usize
}

/// The largest value of a bucket.
fn upper_end(bucket: usize) -> u64 {
    let shift = (bucket >> BITS).saturating_sub(1) as u32;
    let top = bucket as u64 - (u64::from(shift) << BITS);
    ((u128::from(top + 1) << shift) - 1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_value_and_is_narrow() {
        for ns in (0..200).chain([1_000, 4_095, 4_096, 1 << 40, u64::MAX / 3, u64::MAX]) {
            let end = upper_end(bucket(ns));
            assert!(
                end >= ns && end - ns <= ns / 64,
                "{ns} in a bucket that ends at {end}"
            );
        }
    }

    #[test]
    fn shares_of_a_thousand_values() {
        let mut histogram = Histogram::new();
        assert!(histogram.latency().is_none());
        (1..=1_000).for_each(|us| histogram.add(us * 1_000));
        let latency = histogram.latency().unwrap();
        assert!((500.0..508.0).contains(&latency.median_us), "{latency:?}");
        assert!((990.0..1_000.0).contains(&latency.p99_us), "{latency:?}");
        assert_eq!(latency.max_us, 1_000.0);
    }
}
