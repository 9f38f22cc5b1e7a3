//! The comparison: brokers take turns in one invocation, each run with a freshly started broker.

use std::collections::HashMap;

use crate::broker::{BrokerKind, RunningBroker};
use crate::channel::Transport;
use crate::failure::Failure;
use crate::load;
use crate::plan::Plan;
use crate::report::Report;
use crate::strace::SystemCalls;
use crate::summary::{Comparison, Run};
use crate::watch::Watch;

/// Of the messages, one in so many is sent while system calls are counted: strace slows a broker down up to a hundred times,
/// and what is called for each message does not change.
const COUNTED_OF: u64 = 50;
/// Fewer are not sent for that, if the plan has so many.
const COUNTED_MIN: u64 = 2_000;

/// Runs `plan` `runs` times against each broker, in turn; then, if asked to, once more to count system calls.
pub(crate) fn compare(
    plan: &Plan,
    brokers: &[BrokerKind],
    runs: usize,
    count_calls: bool,
    watch: &Watch<'_>,
) -> Result<Comparison, Failure> {
    let brokers = fit(plan, brokers)?;
    let mut done = Vec::new();
    for run in 1..=runs {
        for kind in &brokers {
            let report = run_once(plan, kind, false, watch)?;
            eprintln!("run {run}, {}: {}", kind.name(), line(&report));
            done.push(Run {
                broker: kind.name().into(),
                report,
            });
        }
    }
    let mut calls = HashMap::new();
    let counted_plan = Plan {
        messages: (plan.messages / COUNTED_OF).max(plan.messages.min(COUNTED_MIN)),
        ..plan.clone()
    };
    for kind in brokers.iter().filter(|_| count_calls) {
        let counted = run_once(&counted_plan, kind, true, watch)?.system_calls;
        if let Some(counted) = counted {
            eprintln!("{}: {}", kind.name(), calls_line(&counted));
            calls.insert(kind.name(), counted);
        }
    }
    let names: Vec<_> = brokers.iter().map(|kind| kind.name()).collect();
    Ok(Comparison::new(&names, done, calls))
}

/// One run with a freshly started broker.
fn run_once(
    plan: &Plan,
    kind: &BrokerKind,
    count_calls: bool,
    watch: &Watch<'_>,
) -> Result<Report, Failure> {
    let broker = RunningBroker::start(kind, plan.transport)?;
    let watch = Watch {
        broker_pid: Some(broker.pid()),
        count_calls,
        ..*watch
    };
    load::run(plan, broker.address, &watch).map_err(|failure| match failure {
        Failure::Interrupted | Failure::Usage(_) => failure,
        other => {
            let (name, output) = (kind.name(), broker.last_output());
            Failure::Broker(format!("{name}: {other}\n{output}"))
        }
    })
}

/// The brokers that can do what `plan` asks for: the relay leaves most to others, and a command is for one transport.
fn fit<'a>(plan: &Plan, brokers: &'a [BrokerKind]) -> Result<Vec<&'a BrokerKind>, Failure> {
    let mut fit = Vec::new();
    for kind in brokers {
        match kind {
            BrokerKind::Relay if !plan.suits_relay() => eprintln!(
                "relay: left out, it only copies QoS 0 messages of a publisher to always the same subscribers"
            ),
            BrokerKind::Command { transport, .. } if *transport != plan.transport => {}
            kind => fit.push(kind),
        }
    }
    match (fit.is_empty(), plan.transport) {
        (false, _) => Ok(fit),
        (true, Transport::Tcp) => Err(Failure::Usage("no broker is left to compare".into())),
        (true, Transport::Tls) => Err(Failure::Usage(
            "no broker is left: write NAME@tls=COMMAND".into(),
        )),
        (true, Transport::Ws) => Err(Failure::Usage(
            "no broker is left: write NAME@ws=COMMAND".into(),
        )),
    }
}

/// System calls in one line.
fn calls_line(calls: &SystemCalls) -> String {
    let frequent = calls.by_name.iter().take(6);
    let frequent: Vec<_> = frequent
        .map(|(name, calls)| format!("{name} {calls:.3}"))
        .collect();
    format!(
        "{:.3} system calls per delivery: {}",
        calls.per_delivery,
        frequent.join(", ")
    )
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
