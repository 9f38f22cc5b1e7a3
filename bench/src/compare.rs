//! The comparison: brokers take turns in one invocation, each run with a freshly started broker; medians and spread.
//!
//! The figure that counts is the broker's CPU time per delivered message, as a ratio to the broker called `mosquitto`,
//! or else to the first one of the list: ratios move less with the noise of the machine.

use std::fmt::Write as _;

use serde::Serialize;

use crate::broker::{BrokerKind, RunningBroker};
use crate::failure::Failure;
use crate::load::{self, Watch};
use crate::plan::Plan;
use crate::report::Report;

/// All runs, and what they come to.
#[derive(Serialize)]
pub(crate) struct Comparison {
    /// How CPU time was read.
    method: &'static str,
    pub(crate) brokers: Vec<Summary>,
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct Run {
    broker: String,
    report: Report,
}

/// One broker's runs together.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    broker: String,
    runs: usize,
    /// Runs in which something was lost, duplicated or out of order.
    pub(crate) void_runs: usize,
    cpu_ns_per_delivery: Spread,
    /// Of the medians, to the baseline.
    ratio: f64,
    delivered_per_second: Spread,
    generator_cpu_ns_per_delivery: Spread,
    resident_bytes_max: Spread,
    /// Resident bytes for each connection, filter or retained message.
    resident_bytes_each: Option<Spread>,
    resident_of: Option<&'static str>,
    /// CPU of the broker for each time something was done that is not a delivery.
    phases: Vec<(&'static str, Spread)>,
    latency_median_us: Option<Spread>,
    latency_p99_us: Option<Spread>,
    latency_p999_us: Option<Spread>,
    latency_max_us: Option<Spread>,
}

/// Median, smallest and largest of some runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

/// Runs `plan` `runs` times against each broker, in turn.
pub(crate) fn compare(
    plan: &Plan,
    brokers: &[BrokerKind],
    runs: usize,
    watch: &Watch<'_>,
) -> Result<Comparison, Failure> {
    let brokers = fit(plan, brokers)?;
    let mut done = Vec::new();
    for run in 1..=runs {
        for kind in &brokers {
            let broker = RunningBroker::start(kind, plan.transport)?;
            let watch = Watch {
                broker_pid: Some(broker.pid()),
                ..*watch
            };
            let report =
                load::run(plan, broker.address, &watch).map_err(|failure| match failure {
                    Failure::Interrupted | Failure::Usage(_) => failure,
                    other => Failure::Broker(format!(
                        "{}, run {run}: {other}\n{}",
                        kind.name(),
                        broker.last_output()
                    )),
                })?;
            eprintln!("run {run}, {}: {}", kind.name(), line(&report));
            done.push(Run {
                broker: kind.name().into(),
                report,
            });
        }
    }
    let names: Vec<_> = brokers.iter().map(|kind| kind.name()).collect();
    let mut summaries: Vec<_> = names.iter().map(|name| Summary::of(name, &done)).collect();
    let baseline = names
        .iter()
        .position(|name| *name == "mosquitto")
        .unwrap_or(0);
    let base = summaries[baseline].cpu_ns_per_delivery.median;
    for summary in &mut summaries {
        summary.ratio = summary.cpu_ns_per_delivery.median / base;
    }
    let method = "sum of /proc/PID/task/*/schedstat over all threads, user and system, \
                  from the first publish to the last delivery and acknowledgement";
    Ok(Comparison {
        method,
        brokers: summaries,
        runs: done,
    })
}

/// The brokers that can do what `plan` asks for: the relay leaves most to others.
fn fit<'a>(plan: &Plan, brokers: &'a [BrokerKind]) -> Result<Vec<&'a BrokerKind>, Failure> {
    let (mut fit, mut unfit) = (Vec::new(), 0);
    for kind in brokers {
        match kind {
            BrokerKind::Relay if !plan.suits_relay() => unfit += 1,
            kind => fit.push(kind),
        }
    }
    if unfit > 0 {
        eprintln!(
            "relay: left out, it only copies QoS 0 messages of a publisher to always the same subscribers"
        );
    }
    match fit.is_empty() {
        true => Err(Failure::Usage("no broker is left to compare".into())),
        false => Ok(fit),
    }
}

impl Summary {
    fn of(name: &str, runs: &[Run]) -> Self {
        let reports: Vec<_> = runs
            .iter()
            .filter(|run| run.broker == name)
            .map(|run| &run.report)
            .collect();
        let spread = |value: &dyn Fn(&Report) -> f64| {
            Spread::of(reports.iter().map(|report| value(report)).collect())
        };
        let broker = |value: fn(&crate::report::BrokerUse) -> f64| {
            spread(&|report| report.broker.as_ref().map_or(0.0, value))
        };
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
            ratio: 1.0,
            delivered_per_second: spread(&|report| report.delivered_per_second),
            generator_cpu_ns_per_delivery: spread(&|report| report.generator_cpu_ns_per_delivery),
            resident_bytes_max: broker(|broker| broker.resident_bytes_max as f64),
            resident_bytes_each: optional(|report| Some(report.resident?.bytes_each)),
            resident_of: reports.first().and_then(|report| Some(report.resident?.of)),
            phases: phases(&reports),
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

/// One run in one line.
fn line(report: &Report) -> String {
    let cpu = report
        .broker
        .map_or(f64::NAN, |broker| broker.cpu_ns_per_delivery);
    let verdict = match report.violations {
        0 => String::new(),
        count => format!(", VOID: {count} violations\n{report}"),
    };
    format!(
        "{:.3} us CPU per delivery, {:.0} per second, generator {:.3} us{verdict}",
        cpu / 1_000.0,
        report.delivered_per_second,
        report.generator_cpu_ns_per_delivery / 1_000.0
    )
}

impl Comparison {
    /// A table in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut table = String::from(
            "| broker | CPU us per delivery | min to max | ratio | delivered per second | RSS max MiB \
             | generator us | void runs |",
        );
        // Columns that only some scenarios have.
        let optional = |summary: &Summary| {
            let of = summary.resident_of.unwrap_or_default();
            let mut columns = vec![(format!("bytes per {of}"), summary.resident_bytes_each)];
            for (name, spread) in &summary.phases {
                columns.push((format!("CPU ns per {name}"), Some(*spread)));
            }
            for (share, spread) in [
                ("median", summary.latency_median_us),
                ("99 %", summary.latency_p99_us),
                ("99.9 %", summary.latency_p999_us),
                ("max", summary.latency_max_us),
            ] {
                columns.push((format!("latency us, {share}"), spread));
            }
            columns
                .into_iter()
                .filter_map(|(title, spread)| Some((title, spread?)))
        };
        let titles = self
            .brokers
            .first()
            .map_or(Vec::new(), |first| optional(first).collect());
        // Writing to a string cannot fail.
        for (title, _) in &titles {
            let _ = write!(table, " {title} |");
        }
        table.push_str("\n|");
        table += &" --- |".repeat(8 + titles.len());
        table.push('\n');
        for summary in &self.brokers {
            let cpu = summary.cpu_ns_per_delivery;
            let _ = write!(
                table,
                "| {} | {:.3} | {:.3} to {:.3} | {:.3} | {:.0} | {:.1} | {:.3} | {} of {} |",
                summary.broker,
                cpu.median / 1_000.0,
                cpu.min / 1_000.0,
                cpu.max / 1_000.0,
                summary.ratio,
                summary.delivered_per_second.median,
                summary.resident_bytes_max.median / 1_048_576.0,
                summary.generator_cpu_ns_per_delivery.median / 1_000.0,
                summary.void_runs,
                summary.runs,
            );
            for (_, spread) in optional(summary) {
                let _ = write!(table, " {:.0} |", spread.median);
            }
            table.push('\n');
        }
        table
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
