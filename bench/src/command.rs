//! What the command line says is done here: one function for each subcommand.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use serde::Serialize;

use crate::cli::{Cli, Command, CompareArgs, LoadArgs, RelayArgs, ReportArgs};
use crate::failure::Failure;
use crate::load;
use crate::watch::{Progress, Watch};
use crate::workload::Tick;
use crate::{compare, machine, page, relay, suite, usage};

/// The program `sanderling-bench`. The exit status is 0 for a valid run, 1 for a void one, 2 for none.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Load(args) => load(&args),
        Command::Compare(args) => compare(&args),
        Command::Report(args) => report(&args),
        Command::Relay(args) => relay(&args),
    };
    match result {
        Ok(valid) => ExitCode::from(if valid { 0 } else { 1 }),
        Err(failure) => {
            eprintln!("sanderling-bench: {failure}");
            ExitCode::from(2)
        }
    }
}

/// True if nothing was lost, repeated or out of order beyond what is allowed.
fn load(args: &LoadArgs) -> Result<bool, Failure> {
    let interrupted = on_signals()?;
    let tell = |tick: &Tick| tell_progress(tick, args.broker_pid);
    let watch = Watch {
        broker_pid: args.broker_pid,
        loss_allowed: args.checks.allow_loss,
        stall: args.checks.stall,
        progress: args.progress.map(|every| Progress { every, tell: &tell }),
        count_calls: false,
        stops_gently: false,
        interrupted: &interrupted,
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let report = load::run(&args.plan.plan(), address, &watch)?;
    match args.json.as_deref() {
        Some(path) if path == Path::new("-") => println!("{}", json(&report)?),
        path => {
            println!("{report}");
            write_json(path, &report)?;
        }
    }
    Ok(report.violations == 0)
}

/// A line of progress.
fn tell_progress(tick: &Tick, broker_pid: Option<u32>) {
    let memory = broker_pid.and_then(|pid| usage::resident_bytes_max(pid).ok());
    let memory = memory.map_or(String::new(), |bytes| format!(", broker RSS max {bytes} B"));
    eprintln!(
        "{:>6} s: {:.0} sent and {:.0} delivered per second, {} under way{memory}",
        tick.elapsed.as_secs(),
        tick.sent_per_second,
        tick.delivered_per_second,
        tick.under_way
    );
}

fn compare(args: &CompareArgs) -> Result<bool, Failure> {
    let interrupted = on_signals()?;
    let watch = Watch {
        broker_pid: None,
        loss_allowed: args.checks.allow_loss,
        stall: args.checks.stall,
        progress: None,
        count_calls: false,
        stops_gently: false,
        interrupted: &interrupted,
    };
    let (plan, runs) = (args.plan.plan(), args.runs as usize);
    let comparison = compare::compare(&plan, &args.brokers, runs, args.syscalls, &watch)?;
    println!("{}", comparison.table());
    write_json(args.json.as_deref(), &comparison)?;
    Ok(comparison
        .brokers
        .iter()
        .all(|summary| summary.void_runs == 0))
}

/// True if all scenarios could be done and every run was valid.
fn report(args: &ReportArgs) -> Result<bool, Failure> {
    let interrupted = on_signals()?;
    let watch = Watch {
        broker_pid: None,
        loss_allowed: args.checks.allow_loss,
        stall: args.checks.stall,
        progress: None,
        count_calls: machine::has_strace() && !args.quick,
        stops_gently: false,
        interrupted: &interrupted,
    };
    let runs = if args.quick { 1 } else { args.runs as usize };
    let entries = suite::entries(&args.scenarios)?;
    let outcomes = suite::run(&entries, &args.brokers, runs, args.quick, &watch)?;
    let whole = args.scenarios.is_empty() && !args.quick;
    if let Some(directory) = args.docs.as_deref().filter(|_| whole) {
        page::write(directory, &outcomes, &args.command)?;
        println!("written: {}", directory.join("benchmarks.md").display());
    }
    let mut compared = outcomes.iter().map(|(_, outcome)| outcome.as_ref());
    Ok(compared.all(|outcome| {
        outcome.is_ok_and(|comparison| {
            comparison
                .brokers
                .iter()
                .all(|broker| broker.void_runs == 0)
        })
    }))
}

fn relay(args: &RelayArgs) -> Result<bool, Failure> {
    let every = args.fault_every;
    let faults = args.fault.map(|fault| relay::Faults { fault, every });
    relay::run(args.port, faults).map(|()| true)
}

/// A flag that SIGINT and SIGTERM set, so that brokers started here are ended before this program is.
fn on_signals() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&flag))
            .map_err(Failure::io("signal handler"))?;
    }
    Ok(flag)
}

fn write_json(path: Option<&Path>, value: &impl Serialize) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let doing = || path.display().to_string();
    std::fs::write(path, json(value)?).map_err(Failure::io(doing()))
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::Io {
        doing: "JSON".into(),
        error: error.into(),
    })
}
