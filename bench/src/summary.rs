//! What many runs come to: medians and spread, and ratios to the baseline.
//!
//! The figure that counts is the broker's CPU time per delivered message, as a ratio to the broker called `mosquitto`,
//! or else to the first one of the list: ratios move less with the noise of the machine.

use std::collections::HashMap;

use serde::Serialize;

use crate::report::{BrokerUse, Report};
use crate::strace::SystemCalls;

/// What other brokers are measured by.
const BASELINE: &str = "mosquitto";

/// All runs, and what they come to.
#[derive(Serialize)]
pub(crate) struct Comparison {
    /// How CPU time was read.
    method: &'static str,
    pub(crate) brokers: Vec<Summary>,
    runs: Vec<Run>,
}

#[derive(Serialize)]
pub(crate) struct Run {
    pub(crate) broker: String,
    pub(crate) report: Report,
}

/// One broker's runs together.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) broker: String,
    pub(crate) runs: usize,
    /// Runs in which something was lost, duplicated or out of order.
    pub(crate) void_runs: usize,
    pub(crate) cpu_ns_per_delivery: Spread,
    /// CPU time to that of the baseline.
    pub(crate) ratio: Spread,
    pub(crate) delivered_per_second: Spread,
    pub(crate) generator_cpu_ns_per_delivery: Spread,
    pub(crate) resident_bytes_max: Spread,
    /// Resident bytes for each connection, filter or retained message.
    pub(crate) resident_bytes_each: Option<Spread>,
    pub(crate) resident_of: Option<&'static str>,
    /// CPU of the broker for each time something was done that is not a delivery.
    pub(crate) phases: Vec<(&'static str, Spread)>,
    /// From one run of its own.
    pub(crate) system_calls: Option<SystemCalls>,
    pub(crate) latency_median_us: Option<Spread>,
    pub(crate) latency_p99_us: Option<Spread>,
    pub(crate) latency_p999_us: Option<Spread>,
    pub(crate) latency_max_us: Option<Spread>,
}

/// Median, smallest and largest of some runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Comparison {
    /// Sums up `runs` of the brokers with these `names`; all brokers have as many.
    pub(crate) fn new(
        names: &[&str],
        runs: Vec<Run>,
        mut calls: HashMap<&str, SystemCalls>,
    ) -> Self {
        let base = names
            .iter()
            .find(|name| **name == BASELINE)
            .or(names.first());
        let base = base.map_or(Vec::new(), |base| of(base, &runs));
        let mut summaries: Vec<_> = names
            .iter()
            .map(|name| Summary::of(name, &of(name, &runs), &base))
            .collect();
        for summary in &mut summaries {
            summary.system_calls = calls.remove(&*summary.broker);
        }
        let method = "sum of /proc/PID/task/*/schedstat over all threads, user and system, \
                      from the first publish to the last delivery and acknowledgement";
        Self {
            method,
            brokers: summaries,
            runs,
        }
    }
}

/// The reports of one broker.
fn of<'a>(name: &str, runs: &'a [Run]) -> Vec<&'a Report> {
    let runs = runs.iter().filter(|run| run.broker == name);
    runs.map(|run| &run.report).collect()
}

fn cpu_ns(report: &Report) -> f64 {
    report
        .broker
        .map_or(0.0, |broker| broker.cpu_ns_per_delivery)
}

impl Summary {
    /// The brokers take turns, so run by run a ratio compares what ran at about the same time.
    fn of(name: &str, reports: &[&Report], base: &[&Report]) -> Self {
        let spread = |value: &dyn Fn(&Report) -> f64| {
            Spread::of(reports.iter().map(|report| value(report)).collect())
        };
        let broker = |value: fn(&BrokerUse) -> f64| {
            spread(&|report| report.broker.as_ref().map_or(0.0, value))
        };
        let pairs = reports.iter().zip(base);
        let ratios = pairs
            .map(|(report, base)| cpu_ns(report) / cpu_ns(base))
            .collect();
        let optional = |value: fn(&Report) -> Option<f64>| {
            let values: Option<Vec<_>> = reports.iter().map(|report| value(report)).collect();
            values.map(Spread::of)
        };
        Self {
            broker: name.into(),
            runs: reports.len(),
            void_runs: reports
                .iter()
                .filter(|report| report.violations > 0)
                .count(),
            cpu_ns_per_delivery: broker(|broker| broker.cpu_ns_per_delivery),
            ratio: Spread::of(ratios),
            delivered_per_second: spread(&|report| report.delivered_per_second),
            generator_cpu_ns_per_delivery: spread(&|report| report.generator_cpu_ns_per_delivery),
            resident_bytes_max: broker(|broker| broker.resident_bytes_max as f64),
            resident_bytes_each: optional(|report| Some(report.resident?.bytes_each)),
            resident_of: reports.first().and_then(|report| Some(report.resident?.of)),
            phases: phases(reports),
            system_calls: None,
            latency_median_us: optional(|report| Some(report.latency?.median_us)),
            latency_p99_us: optional(|report| Some(report.latency?.p99_us)),
            latency_p999_us: optional(|report| Some(report.latency?.p999_us)),
            latency_max_us: optional(|report| Some(report.latency?.max_us)),
        }
    }
}

/// The phases that all runs have, by name.
fn phases(reports: &[&Report]) -> Vec<(&'static str, Spread)> {
    let first = reports.first().map_or(&[][..], |report| &report.phases);
    let spread = |name| {
        let of = |report: &&Report| {
            report
                .phases
                .iter()
                .find(|phase| phase.name == name)?
                .broker_cpu_ns_each
        };
        let values: Option<Vec<_>> = reports.iter().map(of).collect();
        Some((name, Spread::of(values?)))
    };
    first
        .iter()
        .filter_map(|phase| spread(phase.name))
        .collect()
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => (at(middle.saturating_sub(1)) + at(middle)) / 2.0,
            _ => at(middle),
        };
        Self {
            median,
            min: at(0),
            max: at(values.len().saturating_sub(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn medians_of_odd_and_even_numbers_of_runs() {
        assert_eq!(
            Spread::of(vec![3.0, 1.0, 2.0]),
            Spread {
                median: 2.0,
                min: 1.0,
                max: 3.0
            }
        );
        assert_eq!(
            Spread::of(vec![4.0, 1.0]),
            Spread {
                median: 2.5,
                min: 1.0,
                max: 4.0
            }
        );
    }
}
