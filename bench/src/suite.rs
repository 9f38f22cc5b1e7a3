//! The scenarios of the report, with what is aimed at, and the run through all of them.
//!
//! A scenario that cannot be done is told and does not stop the others.

use crate::broker::BrokerKind;
use crate::channel::Transport;
use crate::compare;
use crate::failure::Failure;
use crate::plan::{Plan, Scenario};
use crate::summary::Comparison;
use crate::watch::Watch;

/// One line of the report.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    scenario: Scenario,
    transport: Transport,
    /// The ratio to mosquitto that the mio driver is to reach.
    pub(crate) ratio_target: Option<f64>,
    /// A target that is no ratio.
    pub(crate) target: Option<&'static str>,
}

const fn entry(name: &'static str, scenario: Scenario, what: &'static str) -> Entry {
    Entry {
        name,
        what,
        scenario,
        transport: Transport::Tcp,
        ratio_target: None,
        target: None,
    }
}

impl Entry {
    const fn ratio(self, target: f64) -> Self {
        Self {
            ratio_target: Some(target),
            ..self
        }
    }

    const fn target(self, target: &'static str) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }

    const fn over(self, transport: Transport) -> Self {
        Self { transport, ..self }
    }

    /// What is run; `quick` is a tenth of it, to see whether everything works.
    fn plan(&self, quick: bool) -> Plan {
        let plan = Plan {
            transport: self.transport,
            ..Plan::of(self.scenario)
        };
        match quick {
            false => plan,
            true => Plan {
                messages: plan.messages / 10,
                subscribers: plan.subscribers.min(1_000),
                stalled: plan.stalled / 10,
                ..plan
            },
        }
    }
}

/// All scenarios of the report.
pub(crate) const ENTRIES: &[Entry] = &[
    entry("A", Scenario::A, "one to one, QoS 0, 50 pairs, 16 B").ratio(0.03),
    entry("B", Scenario::B, "fan-in, QoS 0, 100 to 1, 64 B").ratio(0.04),
    entry("C", Scenario::C, "fan-out, QoS 0, 1 to 200, 64 B").ratio(0.012),
    entry(
        "D",
        Scenario::D,
        "one to one, QoS 1, 50 pairs, 64 B, window 100",
    )
    .ratio(0.03),
    entry(
        "E",
        Scenario::E,
        "one to one, QoS 2, 50 pairs, 64 B, window 100",
    )
    .ratio(0.025),
    entry(
        "F0",
        Scenario::F0,
        "20,000 messages per second, one write each, QoS 0, 64 B",
    )
    .ratio(0.95),
    entry("F1", Scenario::F1, "the same, QoS 1").ratio(0.90),
    entry(
        "G",
        Scenario::G,
        "10,000 connects, 64 at a time; per connection",
    )
    .target("10 us"),
    entry(
        "H",
        Scenario::H,
        "19,500 idle connections with a subscription each; per connection",
    )
    .target("600 B per connection"),
    entry("I1", Scenario::I1, "one to one, QoS 0, 20 pairs, 1 KiB").ratio(0.06),
    entry("I16", Scenario::I16, "one to one, QoS 0, 20 pairs, 16 KiB").ratio(0.37),
    entry(
        "J",
        Scenario::J,
        "100 subscribers with 1,000 wildcard filters each, QoS 0, 64 B",
    )
    .ratio(0.06)
    .target("300 B per filter"),
    entry(
        "J1M",
        Scenario::J1M,
        "1,000 subscribers with 1,000 wildcard filters each",
    )
    .target("300 B per filter"),
    entry(
        "K",
        Scenario::K,
        "shared subscription, QoS 1, 64 to a group of 8, 64 B",
    )
    .ratio(0.04),
    entry(
        "R",
        Scenario::R,
        "50,000 retained messages replayed to one subscriber, 64 B",
    )
    .target("300 B per message, 0.5 us"),
    entry("R1M", Scenario::R1M, "1,000,000 retained messages replayed")
        .target("300 B per message, 0.5 us"),
    entry(
        "S",
        Scenario::S,
        "10,000 subscribers that never read, 100 that do, QoS 0, 8 KiB",
    )
    .target("nothing lost, 4 GiB at most"),
    entry("A-tls", Scenario::A, "A over TLS").over(Transport::Tls),
    entry("D-tls", Scenario::D, "D over TLS").over(Transport::Tls),
    entry("A-ws", Scenario::A, "A over WebSocket").over(Transport::Ws),
];

/// The entries with these names; all of them if none is given.
pub(crate) fn entries(names: &[String]) -> Result<Vec<&'static Entry>, Failure> {
    if names.is_empty() {
        return Ok(ENTRIES.iter().collect());
    }
    let find = |name: &String| {
        let entry = ENTRIES
            .iter()
            .find(|entry| entry.name.eq_ignore_ascii_case(name));
        entry.ok_or_else(|| {
            let known: Vec<_> = ENTRIES.iter().map(|entry| entry.name).collect();
            Failure::Usage(format!(
                "no scenario is named {name}; there are: {}",
                known.join(" ")
            ))
        })
    };
    names.iter().map(find).collect()
}

/// An entry and what came of it: a comparison, or why there is none.
pub(crate) type Outcome = (&'static Entry, Result<Comparison, String>);

/// Compares the brokers in every scenario.
pub(crate) fn run(
    entries: &[&'static Entry],
    brokers: &[BrokerKind],
    runs: usize,
    quick: bool,
    watch: &Watch<'_>,
) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for entry in entries {
        eprintln!("\n{}: {}", entry.name, entry.what);
        let plan = entry.plan(quick);
        let outcome = match compare::compare(&plan, brokers, runs, watch.count_calls, watch) {
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(failure) => {
                eprintln!("{}: {failure}", entry.name);
                Err(failure.to_string())
            }
            Ok(comparison) => {
                println!("{}: {}\n{}", entry.name, entry.what, comparison.table());
                Ok(comparison)
            }
        };
        outcomes.push((*entry, outcome));
    }
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_a_valid_plan_quick_or_not() {
        for entry in ENTRIES {
            for quick in [false, true] {
                assert_eq!(entry.plan(quick).check(), Ok(()), "{}", entry.name);
            }
        }
    }

    #[test]
    fn entries_are_found_by_name_and_an_unknown_name_is_answered_with_all() {
        let names = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            entries(&names)
                .map(|entries| entries.iter().map(|entry| entry.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["a", "I16"]).unwrap(), ["A", "I16"]);
        assert_eq!(names(&[]).unwrap().len(), ENTRIES.len());
        assert!(names(&["Z"]).unwrap_err().to_string().contains("A-tls"));
    }
}
