//! The result of one run, for people and as JSON.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::check::Faults;
use crate::latency::Latency;
use crate::plan::Plan;
use crate::strace::SystemCalls;
use crate::usage::Cpu;
use crate::watch::Reading;

/// What one run measured and found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub(crate) scenario: String,
    pub(crate) version: String,
    pub(crate) publishers: usize,
    pub(crate) subscribers: usize,
    pub(crate) payload_bytes: usize,
    pub(crate) qos_of_publishers: Vec<u8>,
    pub(crate) published: u64,
    pub(crate) delivered: u64,
    /// From the first publish until everything is delivered and acknowledged.
    pub(crate) seconds: f64,
    pub(crate) delivered_per_second: f64,
    pub(crate) generator_cpu_ns_per_delivery: f64,
    /// Only when the broker's process is known.
    pub(crate) broker: Option<BrokerUse>,
    pub(crate) latency: Option<Latency>,
    /// Only in scenarios that count connections, filters or retained messages.
    pub(crate) resident: Option<Resident>,
    /// What was done before the deliveries, where that is of interest.
    pub(crate) phases: Vec<Phase>,
    /// Only in a run that counts them.
    pub(crate) system_calls: Option<SystemCalls>,
    pub(crate) faults_by_qos: [Faults; 3],
    /// Acknowledgements with a reason code of 0x80 or above.
    pub(crate) refused: u64,
    /// Acknowledgements for nothing that waited for one.
    pub(crate) unexpected_acknowledgements: u64,
    /// The broker used more memory than the scenario allows.
    pub(crate) outgrown: bool,
    /// Nothing moved any more before everything was delivered.
    pub(crate) stalled: bool,
    /// How often lost QoS 0 messages were given up so that the run went on.
    pub(crate) gave_up: u64,
    /// Everything above that breaks a promise; 0 makes the run valid.
    pub(crate) violations: u64,
}

impl Report {
    /// Nothing was lost, repeated or out of order beyond what the QoS allows, and nothing stood still.
    pub fn is_valid(&self) -> bool {
        self.violations == 0
    }

    /// A report that says what was planned, and nothing yet of what happened.
    pub(crate) fn of(plan: &Plan) -> Self {
        let qos: BTreeSet<u8> = (0..plan.publishers.min(3))
            .map(|p| plan.qos_of(p))
            .collect();
        Self {
            scenario: format!("{:?}", plan.scenario),
            version: format!("{:?}", plan.version),
            publishers: plan.publishers,
            subscribers: plan.subscribers,
            payload_bytes: plan.payload_bytes,
            qos_of_publishers: qos.into_iter().collect(),
            ..Self::default()
        }
    }
}

/// What the broker used during the run.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct BrokerUse {
    pub(crate) cpu_ns_per_delivery: f64,
    /// User and system part, from coarse clock ticks.
    pub(crate) user_ns_per_delivery: f64,
    pub(crate) system_ns_per_delivery: f64,
    /// Since the broker started.
    pub(crate) resident_bytes_max: u64,
}

impl BrokerUse {
    pub(crate) fn new(cpu: Cpu, resident_bytes_max: u64, delivered: u64) -> Self {
        let each = |ns: u64| ns as f64 / delivered.max(1) as f64;
        Self {
            cpu_ns_per_delivery: each(cpu.total_ns),
            user_ns_per_delivery: each(cpu.user_ns),
            system_ns_per_delivery: each(cpu.system_ns),
            resident_bytes_max,
        }
    }
}

/// How much the broker's resident set grew for each of many things.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Resident {
    pub(crate) of: &'static str,
    pub(crate) bytes_each: f64,
}

impl Resident {
    pub(crate) fn of(
        of: &'static str,
        before: Option<u64>,
        after: Option<u64>,
        count: u64,
    ) -> Option<Self> {
        let grown = after?.saturating_sub(before?);
        Some(Self {
            of,
            bytes_each: grown as f64 / count.max(1) as f64,
        })
    }
}

/// Work of the broker that is not a delivery.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) count: u64,
    pub(crate) seconds: f64,
    /// Only when the broker's process is known.
    pub(crate) broker_cpu_ns_each: Option<f64>,
    pub(crate) generator_cpu_ns_each: f64,
}

impl Phase {
    pub(crate) fn new(
        name: &'static str,
        count: u64,
        took: Duration,
        before: &Reading,
        after: &Reading,
    ) -> Self {
        let each = |ns: u64| ns as f64 / count.max(1) as f64;
        let broker = before.broker.zip(after.broker);
        Self {
            name,
            count,
            seconds: took.as_secs_f64(),
            broker_cpu_ns_each: broker.map(|(before, after)| each(after.since(before).total_ns)),
            generator_cpu_ns_each: each(after.own_ns - before.own_ns),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} {}: {} publishers, {} subscribers, {} B, QoS {:?}",
            self.scenario,
            self.version,
            self.publishers,
            self.subscribers,
            self.payload_bytes,
            self.qos_of_publishers
        )?;
        writeln!(
            f,
            "  {} published, {} delivered in {:.3} s: {:.0} per second",
            self.published, self.delivered, self.seconds, self.delivered_per_second
        )?;
        writeln!(
            f,
            "  generator {:.0} ns CPU per delivery",
            self.generator_cpu_ns_per_delivery
        )?;
        if let Some(broker) = &self.broker {
            writeln!(
                f,
                "  broker {:.0} ns CPU per delivery (user {:.0}, system {:.0}), RSS max {:.1} MiB",
                broker.cpu_ns_per_delivery,
                broker.user_ns_per_delivery,
                broker.system_ns_per_delivery,
                broker.resident_bytes_max as f64 / 1_048_576.0
            )?;
        }
        for phase in &self.phases {
            let broker = phase.broker_cpu_ns_each;
            writeln!(
                f,
                "  {} {} times in {:.3} s{}, generator {:.0} ns",
                phase.name,
                phase.count,
                phase.seconds,
                broker.map_or(String::new(), |ns| format!(": broker {ns:.0} ns CPU each")),
                phase.generator_cpu_ns_each
            )?;
        }
        if let Some(Resident { of, bytes_each }) = self.resident {
            writeln!(f, "  broker {bytes_each:.0} resident bytes for each {of}")?;
        }
        if let Some(latency) = &self.latency {
            writeln!(
                f,
                "  latency us: median {:.0}, 99 % {:.0}, 99.9 % {:.0}, max {:.0}",
                latency.median_us, latency.p99_us, latency.p999_us, latency.max_us
            )?;
        }
        for (qos, faults) in self.faults_by_qos.iter().enumerate() {
            if *faults != Faults::default() {
                writeln!(
                    f,
                    "  QoS {qos}: {} lost, {} duplicated, {} redelivered with DUP, {} out of order, {} stray",
                    faults.lost,
                    faults.duplicated,
                    faults.redelivered,
                    faults.reordered,
                    faults.stray
                )?;
            }
        }
        if self.refused + self.unexpected_acknowledgements > 0 {
            writeln!(
                f,
                "  acknowledgements: {} refused, {} unexpected",
                self.refused, self.unexpected_acknowledgements
            )?;
        }
        if self.gave_up > 0 {
            writeln!(
                f,
                "  gave up waiting for lost QoS 0 messages {} times",
                self.gave_up
            )?;
        }
        if self.outgrown {
            writeln!(f, "  the broker used more memory than this scenario allows")?;
        }
        match (self.violations, self.stalled) {
            (0, _) => f.write_str(
                "  valid: nothing lost, duplicated or out of order beyond what is allowed",
            ),
            (count, false) => write!(f, "  VOID: {count} violations"),
            (count, true) => write!(f, "  VOID: stalled, {count} violations"),
        }
    }
}
