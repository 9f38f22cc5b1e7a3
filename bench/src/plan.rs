//! What one run does: who publishes what to whom, how fast, and how much may be under way.
//!
//! The named scenarios are plans with everything filled in; options of the command line override single fields.

use std::time::Duration;

use clap::ValueEnum;

use crate::channel::Transport;
use crate::wire::{Login, Version};

/// Length of what the generator writes at the start of every payload: publisher, number, and when it was due.
pub(crate) const STAMP_BYTES: usize = 12;
/// The stamp with the time in it, which only latency runs need.
pub(crate) const TIMED_STAMP_BYTES: usize = 20;

/// The scenarios by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "verbatim")]
pub(crate) enum Scenario {
    /// One to one, QoS 0: 50 pairs, 16 B, writes of 32 packets, up to 500 undelivered per pair.
    A,
    /// Fan-in, QoS 0: 100 publishers to 1 subscriber, 64 B.
    B,
    /// Fan-out, QoS 0: 1 publisher to 200 subscribers, 64 B.
    C,
    /// One to one, QoS 1: 50 pairs, 64 B, window 100.
    D,
    /// One to one, QoS 2: 50 pairs, 64 B, window 100.
    E,
    /// Latency, QoS 0: 50 pairs, 64 B, 20,000 messages per second in all, one write each, open loop.
    F0,
    /// Latency, QoS 1: as F0.
    F1,
    /// Connection storm: 10,000 connections, 64 at a time; CPU "per delivery" is per connection.
    G,
    /// Idle: 19,500 connections with one subscription each; resident bytes per connection, all answer a ping.
    H,
    /// Large payloads, QoS 0: 20 pairs, 1 KiB.
    I1,
    /// Large payloads, QoS 0: 20 pairs, 16 KiB.
    I16,
    /// Many wildcard filters, QoS 0: 100 subscribers with 1,000 filters each, 10 publishers, 64 B.
    J,
    /// As J, with 1,000 subscribers and 1,000,000 filters.
    J1M,
    /// Shared subscription, QoS 1: 64 publishers to one group of 8, 64 B, window 100.
    K,
    /// Retained, QoS 0: 50,000 messages are stored on as many topics, then one client subscribes to `#`, 64 B.
    R,
    /// As R, with 1,000,000 messages.
    R1M,
    /// Stalled readers, QoS 0: 10,000 subscribers on `#` that never read, 100 that do, 10 publishers, 250 messages of
    /// 8 KiB: 2 MiB for each. The readers must lose nothing, and the broker must keep to 4 GiB.
    S,
    /// Each publisher has its own topics, each subscriber follows one publisher: 50 pairs, 64 B, 1,000,000 messages.
    #[value(name = "pairs")]
    Pairs,
    /// Every subscriber receives everything through one wildcard filter: 10 publishers, 10 subscribers, 64 B.
    #[value(name = "all")]
    All,
    /// A long run at a steady rate: 51 pairs, a third of them at each QoS, 64 B, 20,000 messages per second, 60 s.
    #[value(name = "soak")]
    Soak,
}

/// Which subscriber follows which publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Subscriber `s` follows publisher `s % publishers`, by exact topics.
    Pairs,
    /// Everybody follows everybody, through one filter.
    All,
    /// Subscribers share the topics among themselves, a block of single-device wildcard filters each.
    Devices {
        /// How many filters one subscriber has.
        filters_each: usize,
    },
    /// Every message goes to one of the subscribers, who share a subscription.
    Group,
    /// Publishers store retained messages, then one client subscribes to all of them.
    Retained,
    /// Nobody publishes; `subscribers` clients connect.
    Connections,
}

/// One run, complete.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) shape: Shape,
    pub(crate) version: Version,
    pub(crate) transport: Transport,
    /// What client identifiers and topics begin with.
    pub(crate) prefix: String,
    pub(crate) login: Option<Login>,
    pub(crate) publishers: usize,
    pub(crate) subscribers: usize,
    /// Further subscribers who never read what comes.
    pub(crate) stalled: usize,
    /// Topics of each publisher, used in turn.
    pub(crate) topics_each: usize,
    /// Publishes of all publishers together.
    pub(crate) messages: u64,
    /// The QoS of publisher `p` is the entry at `p % 3`.
    pub(crate) qos: [u8; 3],
    pub(crate) payload_bytes: usize,
    /// How many messages of one publisher may be undelivered or unacknowledged.
    pub(crate) in_flight: u64,
    /// A publisher waits until it may send so many, and writes at most so many at once.
    pub(crate) batch: (u64, u64),
    /// Messages per second of all publishers together; without it as fast as the window allows.
    pub(crate) rate: Option<u64>,
    /// Stop publishing after this time, whatever `messages` says.
    pub(crate) duration: Option<Duration>,
    /// Write the time into every payload and report how long deliveries took.
    pub(crate) latency: bool,
    /// The run is void when the broker's resident set grows beyond so many bytes.
    pub(crate) memory_max: Option<u64>,
    /// Never sleep, so that what is due leaves at once: a sleep is only exact to a millisecond.
    pub(crate) busy: bool,
}

impl Plan {
    /// The plan of a named scenario.
    pub(crate) fn of(scenario: Scenario) -> Self {
        let pairs = Self {
            scenario,
            shape: Shape::Pairs,
            version: Version::V311,
            transport: Transport::Tcp,
            prefix: "bench".into(),
            login: None,
            publishers: 50,
            subscribers: 50,
            stalled: 0,
            topics_each: 1,
            messages: 1_000_000,
            qos: [0; 3],
            payload_bytes: 64,
            in_flight: 500,
            batch: (1, 32),
            rate: None,
            duration: None,
            latency: false,
            memory_max: None,
            busy: false,
        };
        let open_loop = Self {
            in_flight: 65_000,
            batch: (1, 1),
            rate: Some(20_000),
            messages: 200_000,
            latency: true,
            busy: true,
            ..pairs.clone()
        };
        match scenario {
            Scenario::Pairs => pairs,
            Scenario::A => Self {
                payload_bytes: 16,
                batch: (32, 32),
                messages: 2_000_000,
                ..pairs
            },
            Scenario::B => Self {
                shape: Shape::All,
                publishers: 100,
                subscribers: 1,
                ..pairs
            },
            Scenario::C => Self {
                shape: Shape::All,
                publishers: 1,
                subscribers: 200,
                messages: 10_000,
                ..pairs
            },
            Scenario::D => Self {
                qos: [1; 3],
                in_flight: 100,
                batch: (1, 100),
                messages: 500_000,
                ..pairs
            },
            Scenario::E => Self {
                qos: [2; 3],
                in_flight: 100,
                batch: (1, 100),
                messages: 250_000,
                ..pairs
            },
            Scenario::F0 => open_loop,
            Scenario::F1 => Self {
                qos: [1; 3],
                ..open_loop
            },
            Scenario::G | Scenario::H => Self {
                shape: Shape::Connections,
                publishers: 0,
                subscribers: if scenario == Scenario::G {
                    10_000
                } else {
                    19_500
                },
                messages: 0,
                ..pairs
            },
            Scenario::I1 | Scenario::I16 => {
                let large = scenario == Scenario::I16;
                Self {
                    publishers: 20,
                    subscribers: 20,
                    payload_bytes: if large { 16 * 1024 } else { 1024 },
                    in_flight: if large { 32 } else { 200 },
                    batch: if large { (1, 4) } else { (1, 32) },
                    messages: if large { 50_000 } else { 500_000 },
                    ..pairs
                }
            }
            Scenario::J | Scenario::J1M => Self {
                shape: Shape::Devices {
                    filters_each: 1_000,
                },
                publishers: 10,
                subscribers: if scenario == Scenario::J { 100 } else { 1_000 },
                topics_each: 1_000,
                messages: 300_000,
                ..pairs
            },
            Scenario::K => Self {
                shape: Shape::Group,
                publishers: 64,
                subscribers: 8,
                qos: [1; 3],
                in_flight: 100,
                batch: (1, 100),
                messages: 500_000,
                ..pairs
            },
            Scenario::R | Scenario::R1M => Self {
                shape: Shape::Retained,
                publishers: 10,
                subscribers: 1,
                messages: if scenario == Scenario::R {
                    50_000
                } else {
                    1_000_000
                },
                ..pairs
            },
            Scenario::S => Self {
                shape: Shape::All,
                publishers: 10,
                subscribers: 100,
                stalled: 10_000,
                payload_bytes: 8 * 1024,
                in_flight: 5,
                batch: (1, 5),
                messages: 250,
                memory_max: Some(4 << 30),
                ..pairs
            },
            Scenario::All => Self {
                shape: Shape::All,
                publishers: 10,
                subscribers: 10,
                ..pairs
            },
            Scenario::Soak => Self {
                publishers: 51,
                subscribers: 51,
                qos: [0, 1, 2],
                rate: Some(20_000),
                in_flight: 1_000,
                messages: u64::MAX,
                duration: Some(Duration::from_secs(60)),
                latency: true,
                ..pairs
            },
        }
    }

    /// Says what is wrong with a plan that options have changed.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.shape == Shape::Connections {
            if self.transport != Transport::Tcp {
                return Err("this scenario is for --transport tcp only".into());
            }
            return match self.subscribers {
                1..=28_000 => Ok(()),
                _ => Err("--subscribers must be from 1 to 28000, the ports of loopback".into()),
            };
        }
        if self.shape == Shape::Retained && (self.qos_max() > 0 || self.messages > 10_000_000) {
            return Err("this scenario is for QoS 0 and at most 10,000,000 messages".into());
        }
        let needed = if self.latency {
            TIMED_STAMP_BYTES
        } else {
            STAMP_BYTES
        };
        if self.publishers == 0 || self.subscribers == 0 || self.topics_each == 0 {
            return Err("--publishers, --subscribers and --topics must each be at least 1".into());
        }
        if self.publishers > 10_000 || self.subscribers > 10_000 || self.topics_each > 10_000 {
            return Err("--publishers, --subscribers and --topics go up to 10,000".into());
        }
        if self.publishers * self.topics_each * self.subscribers > 1 << 28 {
            return Err("too many pairs of topic and subscriber to keep books on".into());
        }
        if self.payload_bytes < needed {
            return Err(format!(
                "--payload must be at least {needed}, for publisher and number"
            ));
        }
        if self.payload_bytes > 256 * 1024 {
            return Err("--payload goes up to 262144 bytes".into());
        }
        if self.in_flight == 0 || self.in_flight > 65_000 {
            return Err("--in-flight must be from 1 to 65000".into());
        }
        if self.batch.0 == 0 || self.batch.0 > self.batch.1 {
            return Err("--batch must be at least 1".into());
        }
        if self.shape == Shape::Pairs && !self.subscribers.is_multiple_of(self.publishers) {
            return Err("--subscribers must be a multiple of --publishers, or use `all`".into());
        }
        if let Shape::Devices { filters_each } = self.shape {
            let devices = filters_each * self.subscribers;
            if self.publishers * self.topics_each > devices {
                return Err(format!("more topics than the {devices} filters receive"));
            }
        }
        Ok(())
    }

    /// The topic of stream `stream`, which is topic `stream % topics_each` of its publisher.
    pub(crate) fn topic(&self, stream: usize) -> String {
        let (publisher, topic) = (stream / self.topics_each, stream % self.topics_each);
        match self.shape {
            Shape::Devices { .. } => {
                format!("site/{publisher:05}/dev/{:06}/state", self.device(stream))
            }
            _ if self.topics_each == 1 => format!("{}/{publisher:05}", self.prefix),
            _ => format!("{}/{publisher:05}/{topic:05}", self.prefix),
        }
    }

    /// The filters of subscriber `subscriber`.
    pub(crate) fn filters(&self, subscriber: usize) -> Vec<String> {
        match self.shape {
            Shape::Pairs => {
                let first = subscriber % self.publishers * self.topics_each;
                (first..first + self.topics_each)
                    .map(|stream| self.topic(stream))
                    .collect()
            }
            Shape::All if self.stalled > 0 => vec!["#".into()],
            Shape::Group => vec![format!("$share/bench/{}/#", self.prefix)],
            Shape::All if self.streams() == 1 => vec![self.topic(0)],
            Shape::All => vec![format!("{}/#", self.prefix)],
            Shape::Connections | Shape::Retained => Vec::new(),
            Shape::Devices { filters_each } => {
                let first = subscriber * filters_each;
                let devices = first..first + filters_each;
                devices
                    .map(|device| format!("site/+/dev/{device:06}/#"))
                    .collect()
            }
        }
    }

    /// Whether subscriber `subscriber` must receive stream `stream`.
    pub(crate) fn expects(&self, subscriber: usize, stream: usize) -> bool {
        match self.shape {
            Shape::Pairs => stream / self.topics_each == subscriber % self.publishers,
            Shape::All | Shape::Group => true,
            Shape::Connections | Shape::Retained => false,
            Shape::Devices { filters_each } => self.device(stream) / filters_each == subscriber,
        }
    }

    /// How many subscribers receive one message.
    pub(crate) fn fan_out(&self) -> u64 {
        match self.shape {
            Shape::Pairs => (self.subscribers / self.publishers) as u64,
            Shape::All => self.subscribers as u64,
            Shape::Devices { .. } | Shape::Group => 1,
            Shape::Connections | Shape::Retained => 0,
        }
    }

    /// Whether the relay can do it: it speaks plain TCP, bounds little, does not acknowledge, and looks only once where a publisher's messages go.
    pub(crate) fn suits_relay(&self) -> bool {
        self.transport == Transport::Tcp
            && self.qos_max() == 0
            && self.stalled == 0
            && matches!(self.shape, Shape::Pairs | Shape::All | Shape::Connections)
    }

    /// How many topics there are in all.
    pub(crate) fn streams(&self) -> usize {
        self.publishers * self.topics_each
    }

    /// The QoS that publisher `publisher` publishes at.
    pub(crate) fn qos_of(&self, publisher: usize) -> u8 {
        self.qos[publisher % 3]
    }

    /// The highest QoS of any publisher; subscribers ask for it.
    pub(crate) fn qos_max(&self) -> u8 {
        self.qos.iter().copied().max().unwrap_or(0)
    }

    /// How many messages publisher `publisher` sends: an even share, the first ones take what is left over.
    pub(crate) fn share(&self, publisher: usize) -> u64 {
        let publishers = self.publishers as u64;
        let extra = (publisher as u64) < self.messages % publishers;
        self.messages / publishers + u64::from(extra)
    }

    /// Spreads the streams over all devices, so that neighbours in time lie far apart in the tree of topics.
    fn device(&self, stream: usize) -> usize {
        let Shape::Devices { filters_each } = self.shape else {
            return 0;
        };
        // A prime that divides no round number of devices: the map is one to one.
        stream * 7_919 % (filters_each * self.subscribers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_scenario_is_a_valid_plan() {
        for scenario in Scenario::value_variants() {
            let plan = Plan::of(*scenario);
            assert_eq!(plan.check(), Ok(()), "{scenario:?}");
        }
    }

    #[test]
    fn shares_add_up_to_all_messages() {
        let plan = Plan {
            messages: 1_003,
            ..Plan::of(Scenario::Pairs)
        };
        assert_eq!(
            (0..plan.publishers).map(|p| plan.share(p)).sum::<u64>(),
            1_003
        );
    }

    #[test]
    fn every_stream_has_as_many_readers_as_the_fan_out_says() {
        for scenario in Scenario::value_variants() {
            let plan = Plan::of(*scenario);
            for stream in (0..plan.streams()).step_by(97) {
                let readers = (0..plan.subscribers)
                    .filter(|s| plan.expects(*s, stream))
                    .count() as u64;
                // A group counts as one.
                let wanted = if plan.shape == Shape::Group {
                    8
                } else {
                    plan.fan_out()
                };
                assert_eq!(readers, wanted, "{scenario:?}, stream {stream}");
            }
        }
    }

    #[test]
    fn a_device_filter_covers_the_device_of_its_stream() {
        let plan = Plan::of(Scenario::J);
        let stream = 4_321;
        let reader = (0..plan.subscribers)
            .find(|s| plan.expects(*s, stream))
            .unwrap();
        let device = format!("/dev/{:06}/", plan.device(stream));
        assert!(plan.topic(stream).contains(&device));
        assert!(
            plan.filters(reader)
                .iter()
                .any(|filter| filter.contains(&device))
        );
    }
}
