//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::broker::BrokerKind;
use crate::channel::Transport;
use crate::plan::{Plan, Scenario};
use crate::relay::Fault;
use crate::wire::Version;

/// Load generator for MQTT brokers: cheap, and it checks every message for loss, repetition and order.
#[derive(Parser)]
#[command(name = "sanderling-bench", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  sanderling-bench load --port 1883 --scenario pairs --publishers 50 --subscribers 50 --messages 1000000 --qos 2
  sanderling-bench load --port 1883 --scenario soak --duration 3600 --progress 60
  sanderling-bench compare --scenario A --broker mosquitto --broker relay --broker 'mine=./broker --port {port}'

Exit status: 0 valid, 1 messages lost, repeated or out of order, 2 the run could not be done.";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Drive a broker that is already listening on loopback.
    Load(LoadArgs),
    /// Start brokers on free loopback ports, let them take turns, and print a table of medians and ratios.
    Compare(CompareArgs),
    /// Compare brokers in many scenarios, and write a page with tables and plots.
    Report(ReportArgs),
    /// Be the yardstick: copy bytes from publishers to subscribers, QoS 0 only, no MQTT work beyond that.
    Relay(RelayArgs),
}

#[derive(Args)]
pub(crate) struct LoadArgs {
    /// The broker's port on 127.0.0.1.
    #[arg(long)]
    pub(crate) port: u16,
    /// Measure CPU and memory of the broker's process.
    #[arg(long, value_name = "PID")]
    pub(crate) broker_pid: Option<u32>,
    /// Print a line of progress every so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) progress: Option<Duration>,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    #[command(flatten)]
    pub(crate) checks: CheckArgs,
    /// Write the report to this file as JSON too; `-` is standard output, in place of the text.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct CompareArgs {
    /// `mosquitto`, `relay`, or NAME=COMMAND where {port} stands for the port; NAME@tls=COMMAND and NAME@ws=COMMAND are for
    /// other transports, {certificate} and {key} for files of TLS. Give it once for each broker.
    #[arg(long = "broker", value_name = "BROKER", required = true, value_parser = BrokerKind::parse)]
    pub(crate) brokers: Vec<BrokerKind>,
    /// Runs of each broker.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Count system calls with strace, in one more run of each broker that is not timed.
    #[arg(long)]
    pub(crate) syscalls: bool,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    #[command(flatten)]
    pub(crate) checks: CheckArgs,
    /// Write all runs and medians to this file as JSON too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// Scenarios by name, such as A or A-tls; without any all of them.
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<String>,
    /// As for `compare`; give it once for each broker.
    #[arg(long = "broker", value_name = "BROKER", required = true, value_parser = BrokerKind::parse)]
    pub(crate) brokers: Vec<BrokerKind>,
    /// Runs of each broker.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// A tenth of the work, once: to see whether everything works. The figures mean little.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Write benchmarks.md and benchmarks/*.svg here; not for some of the scenarios or with --quick.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) docs: Option<PathBuf>,
    /// What the page says one runs to repeat it.
    #[arg(long, value_name = "TEXT", default_value = "sanderling-bench report")]
    pub(crate) command: String,
    #[command(flatten)]
    pub(crate) checks: CheckArgs,
}

#[derive(Args)]
pub(crate) struct RelayArgs {
    /// The port to listen on; 0 takes a free one. The address is printed.
    #[arg(long)]
    pub(crate) port: u16,
    /// Spoil messages on purpose, to test the checks of the load generator.
    #[arg(long, hide = true)]
    pub(crate) fault: Option<Fault>,
    /// Spoil every so many messages of a publisher.
    #[arg(long, hide = true, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) fault_every: u64,
}

/// The window of a scenario that is made for QoS 0 when `--qos` raises it, the same as in D and E.
const ACKNOWLEDGED_IN_FLIGHT_MAX: u64 = 100;

/// What to send. Everything but the scenario overrides one of its values.
#[derive(Args)]
pub(crate) struct PlanArgs {
    /// What to send; `--help` explains each.
    #[arg(long, value_enum)]
    scenario: Scenario,
    /// Version of MQTT: 311 or 5.
    #[arg(long, value_parser = version, default_value = "311")]
    version: Version,
    /// How the clients reach the broker.
    #[arg(long, value_enum, default_value = "tcp")]
    transport: Transport,
    /// Publishing clients.
    #[arg(long, value_name = "N")]
    publishers: Option<usize>,
    /// Subscribing clients.
    #[arg(long, value_name = "N")]
    subscribers: Option<usize>,
    /// Clients that subscribe to `#` and never read.
    #[arg(long, value_name = "N")]
    stalled: Option<usize>,
    /// Topics of each publisher, used in turn.
    #[arg(long, value_name = "N")]
    topics: Option<usize>,
    /// Messages of all publishers together.
    #[arg(long, value_name = "N")]
    messages: Option<u64>,
    /// QoS of all publishers and subscriptions: 0, 1 or 2.
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: Option<u8>,
    /// Bytes of each payload, at least 12 (20 where latency is measured).
    #[arg(long, value_name = "BYTES")]
    payload: Option<usize>,
    /// How many messages of one publisher may be undelivered or unacknowledged; with --qos at most 100 by default.
    #[arg(long, value_name = "N")]
    in_flight: Option<u64>,
    /// Packets in one write: a publisher waits for room for so many.
    #[arg(long, value_name = "N")]
    batch: Option<u64>,
    /// Messages per second of all publishers together; 0 means as fast as possible.
    #[arg(long, value_name = "N")]
    rate: Option<u64>,
    /// Stop publishing after this time.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,
    /// The run is void when the broker's resident set grows beyond so many MiB.
    #[arg(long, value_name = "MIB")]
    memory_max: Option<u64>,
    /// Measure how long deliveries take (and put the time into each payload).
    #[arg(long)]
    latency: bool,
}

/// What counts as a failure.
#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Lost QoS 0 messages are counted, but do not make the run void.
    #[arg(long)]
    pub(crate) allow_loss: bool,
    /// Give up when nothing has moved for so long.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) stall: Duration,
}

impl PlanArgs {
    /// The scenario's plan with the options put in.
    pub(crate) fn plan(&self) -> Plan {
        let of = Plan::of(self.scenario);
        Plan {
            version: self.version,
            transport: self.transport,
            publishers: self.publishers.unwrap_or(of.publishers),
            subscribers: self.subscribers.unwrap_or(of.subscribers),
            stalled: self.stalled.unwrap_or(of.stalled),
            topics_each: self.topics.unwrap_or(of.topics_each),
            messages: self.messages.unwrap_or(of.messages),
            qos: self.qos.map_or(of.qos, |qos| [qos; 3]),
            payload_bytes: self.payload.unwrap_or(of.payload_bytes),
            in_flight: self.in_flight.unwrap_or(match self.qos {
                Some(1 | 2) => of.in_flight.min(ACKNOWLEDGED_IN_FLIGHT_MAX),
                _ => of.in_flight,
            }),
            batch: self.batch.map_or(of.batch, |batch| (batch, batch)),
            rate: self.rate.or(of.rate).filter(|rate| *rate > 0),
            duration: self.duration.or(of.duration),
            memory_max: self.memory_max.map_or(of.memory_max, |mib| Some(mib << 20)),
            latency: self.latency || of.latency,
            ..of
        }
    }
}

fn version(text: &str) -> Result<Version, String> {
    match text {
        "311" | "3.1.1" => Ok(Version::V311),
        "5" | "5.0" => Ok(Version::V5),
        _ => Err("write 311 or 5".into()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("write a number of seconds above 0".into()),
    }
}
