//! The generator as a library: a load for a broker that is listening, with figures while it runs and a report at the end.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::failure::Failure;
use crate::load;
use crate::plan::{Plan, Scenario, Shape};
use crate::report::Report;
use crate::watch::{Progress, Watch};
use crate::wire::{Login, Version};

/// Who publishes to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// As many publishers as subscribers, each pair with a topic of its own.
    Pairs,
    /// All publish to one subscriber.
    FanIn,
    /// One publishes to all.
    FanOut,
    /// All publish to one shared subscription of as many members.
    Shared,
    /// Clients connect, and that is all.
    Connections,
}

/// The version of MQTT that the clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// 3.1.1.
    V311,
    /// 5.0.
    V5,
}

/// A load to put on a broker.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Where the broker listens.
    pub address: SocketAddr,
    /// Who publishes to whom.
    pub pattern: Pattern,
    /// How many clients there are on the side, or the sides, that have many.
    pub clients: usize,
    /// The version of MQTT.
    pub protocol: Protocol,
    /// User name and password.
    pub login: Option<(String, Vec<u8>)>,
    /// The QoS of messages and subscriptions: 0, 1 or 2.
    pub qos: u8,
    /// Bytes of each payload, at least 12, or 20 with `latency`.
    pub payload_bytes: usize,
    /// Messages of one publisher that may be undelivered.
    pub in_flight: u64,
    /// Messages per second of all publishers together; as many as the broker takes without it.
    pub rate: Option<u64>,
    /// Messages of all publishers together; without it the time is up first.
    pub messages: Option<u64>,
    /// How long to publish.
    pub duration: Duration,
    /// Measure how long deliveries take.
    pub latency: bool,
}

/// What happened since the figures before.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// Since the first message.
    pub elapsed: Duration,
    /// Messages published each second.
    pub sent_per_second: f64,
    /// Messages delivered each second.
    pub delivered_per_second: f64,
    /// Messages published, and not yet delivered to everybody who is to have them.
    pub under_way: u64,
}

/// Puts the load on the broker, and tells `tick` every second how it goes. Setting `stop` ends it early; what is under
/// way is still received then.
///
/// # Errors
/// The load is none, or the broker cannot be reached or does not speak MQTT. Lost messages are no error: see
/// [`Report::is_valid`].
pub fn run(
    workload: &Workload,
    stop: &AtomicBool,
    tick: &dyn Fn(&Tick),
) -> Result<Report, Failure> {
    let watch = Watch {
        broker_pid: None,
        loss_allowed: false,
        stall: Duration::from_secs(10),
        progress: Some(Progress {
            every: Duration::from_secs(1),
            tell: tick,
        }),
        count_calls: false,
        stops_gently: true,
        interrupted: stop,
    };
    load::run(&workload.plan(), workload.address, &watch)
}

impl Workload {
    fn plan(&self) -> Plan {
        let one_to_one = Plan::of(Scenario::Pairs);
        let (shape, publishers, subscribers) = match self.pattern {
            Pattern::Pairs => (Shape::Pairs, self.clients, self.clients),
            Pattern::FanIn => (Shape::All, self.clients, 1),
            Pattern::FanOut => (Shape::All, 1, self.clients),
            Pattern::Shared => (Shape::Group, self.clients, self.clients),
            Pattern::Connections => (Shape::Connections, 0, self.clients),
        };
        Plan {
            shape,
            publishers,
            subscribers,
            // Other clients of the broker may be at work, perhaps another one of these.
            prefix: format!("bench-{}", std::process::id()),
            version: match self.protocol {
                Protocol::V311 => Version::V311,
                Protocol::V5 => Version::V5,
            },
            login: self
                .login
                .clone()
                .map(|(username, password)| Login { username, password }),
            qos: [self.qos; 3],
            payload_bytes: self.payload_bytes,
            in_flight: self.in_flight,
            rate: self.rate,
            messages: self.messages.unwrap_or(u64::MAX),
            duration: Some(self.duration),
            latency: self.latency,
            ..one_to_one
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_a_valid_plan() {
        for pattern in [
            Pattern::Pairs,
            Pattern::FanIn,
            Pattern::FanOut,
            Pattern::Shared,
            Pattern::Connections,
        ] {
            let workload = Workload {
                address: SocketAddr::from(([127, 0, 0, 1], 1883)),
                pattern,
                clients: 20,
                protocol: Protocol::V5,
                login: None,
                qos: 1,
                payload_bytes: 64,
                in_flight: 100,
                rate: None,
                messages: None,
                duration: Duration::from_secs(1),
                latency: true,
            };
            assert_eq!(workload.plan().check(), Ok(()), "{pattern:?}");
        }
    }
}
