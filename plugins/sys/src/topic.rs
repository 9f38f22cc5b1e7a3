//! The topics under `$SYS/broker/`, and what is published on them: a table.

use crate::load::{Load, WINDOWS};
use sanderling_core::{
    packet::PacketType,
    stats::{ByType, Statistics},
};
use std::time::Duration;

/// What all of these topics begin with.
pub(crate) const PREFIX: &str = "$SYS/broker/";

/// What the broker looked like at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight {
    pub(crate) statistics: Statistics,
    pub(crate) retained_bytes: u64,
    pub(crate) clients_maximum: u32,
    pub(crate) uptime: Duration,
}

/// A topic with a number, or the beginning of three with its rate.
struct Topic {
    name: &'static str,
    meaning: &'static str,
    read: fn(&Sight) -> u64,
}

const fn topic(name: &'static str, meaning: &'static str, read: fn(&Sight) -> u64) -> Topic {
    Topic {
        name,
        meaning,
        read,
    }
}

const COUNTERS: &[Topic] = &[
    topic("clients/connected", "clients connected now", active),
    topic("clients/active", "the same, by its older name", active),
    topic(
        "clients/disconnected",
        "sessions without a connection now",
        inactive,
    ),
    topic("clients/inactive", "the same, by its older name", inactive),
    topic(
        "clients/total",
        "sessions now, with a connection or without",
        |sight| active(sight) + inactive(sight),
    ),
    topic(
        "clients/maximum",
        "the most clients that were connected at a time",
        |sight| sight.clients_maximum.into(),
    ),
    topic(
        "clients/expired",
        "sessions that ended because nobody came back in time",
        |sight| sight.statistics.sessions_expired,
    ),
    topic(
        "messages/received",
        "packets of any type received",
        packets_received,
    ),
    topic("messages/sent", "packets of any type sent", packets_sent),
    topic(
        "messages/stored",
        "messages kept now: retained, and waiting in queues",
        stored,
    ),
    topic(
        "store/messages/count",
        "the same, by its newer name",
        stored,
    ),
    topic("store/messages/bytes", "their bytes", |sight| {
        sight.retained_bytes + sight.statistics.queued_bytes_current
    }),
    topic(
        "publish/messages/received",
        "PUBLISH packets received",
        published,
    ),
    topic("publish/messages/sent", "PUBLISH packets sent", delivered),
    topic(
        "publish/messages/dropped",
        "messages lost for one receiver",
        dropped,
    ),
    topic(
        "publish/bytes/received",
        "bytes of PUBLISH packets received",
        |sight| {
            sight
                .statistics
                .packet_bytes_received
                .of(PacketType::Publish)
        },
    ),
    topic(
        "publish/bytes/sent",
        "bytes of PUBLISH packets sent",
        |sight| sight.statistics.packet_bytes_sent.of(PacketType::Publish),
    ),
    topic(
        "bytes/received",
        "bytes of packets received",
        bytes_received,
    ),
    topic("bytes/sent", "bytes of packets sent", bytes_sent),
    topic("subscriptions/count", "subscriptions now", |sight| {
        sight.statistics.subscriptions_current.into()
    }),
    topic(
        "retained messages/count",
        "retained messages now, these topics included",
        |sight| sight.statistics.retained_current.into(),
    ),
    topic(
        "connections/socket/count",
        "network connections now",
        |sight| sight.statistics.connections_current.into(),
    ),
];

const RATES: &[Topic] = &[
    topic(
        "load/messages/received",
        "packets of any type received",
        packets_received,
    ),
    topic(
        "load/messages/sent",
        "packets of any type sent",
        packets_sent,
    ),
    topic(
        "load/publish/received",
        "PUBLISH packets received",
        published,
    ),
    topic("load/publish/sent", "PUBLISH packets sent", delivered),
    topic(
        "load/publish/dropped",
        "messages lost for one receiver",
        dropped,
    ),
    topic(
        "load/bytes/received",
        "bytes of packets received",
        bytes_received,
    ),
    topic("load/bytes/sent", "bytes of packets sent", bytes_sent),
    topic("load/sockets", "network connections opened", |sight| {
        sight.statistics.connections_opened
    }),
    topic("load/connections", "CONNECTs accepted", |sight| {
        sight.statistics.clients_connected
    }),
];

fn active(sight: &Sight) -> u64 {
    sight.statistics.sessions_active_current.into()
}

fn inactive(sight: &Sight) -> u64 {
    sight.statistics.sessions_inactive_current.into()
}

fn stored(sight: &Sight) -> u64 {
    sight.statistics.messages_queued_current + u64::from(sight.statistics.retained_current)
}

fn packets_received(sight: &Sight) -> u64 {
    sight.statistics.packets_received.sum()
}

fn packets_sent(sight: &Sight) -> u64 {
    sight.statistics.packets_sent.sum()
}

fn published(sight: &Sight) -> u64 {
    sight.statistics.messages_received.iter().sum()
}

fn delivered(sight: &Sight) -> u64 {
    sight.statistics.messages_sent.iter().sum()
}

fn dropped(sight: &Sight) -> u64 {
    sight.statistics.messages_dropped.iter().sum()
}

fn bytes_received(sight: &Sight) -> u64 {
    sight.statistics.packet_bytes_received.sum()
}

fn bytes_sent(sight: &Sight) -> u64 {
    sight.statistics.packet_bytes_sent.sum()
}

/// Every topic under `$SYS/broker/` with what it says, in the order in which they are published.
pub fn topics() -> Vec<(String, String)> {
    let mut topics = vec![
        (
            format!("{PREFIX}version"),
            "the broker and its version".into(),
        ),
        (
            format!("{PREFIX}uptime"),
            "how long it runs, such as `86400 seconds`".into(),
        ),
    ];
    for Topic { name, meaning, .. } in COUNTERS {
        topics.push((format!("{PREFIX}{name}"), (*meaning).into()));
    }
    for packet in PacketType::ALL {
        for way in ["received", "sent"] {
            topics.push((of_packet(packet, way), format!("{packet} packets {way}")));
        }
    }
    for Topic { name, meaning, .. } in RATES {
        for (window, minutes) in WINDOWS {
            let what = format!("{meaning}, in a minute, averaged over {minutes}");
            topics.push((format!("{PREFIX}{name}/{window}"), what));
        }
    }
    topics
}

fn of_packet(packet: PacketType, way: &str) -> String {
    let packet = packet.to_string().to_lowercase();
    format!("{PREFIX}mqtt/{packet}/{way}")
}

/// What has been published, and what rates are made of.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    loads: [Load; RATES.len()],
    uptime: Duration,
}

impl Readings {
    /// Each topic with what it says now, in the order of [`topics`].
    pub(crate) fn of(&mut self, sight: &Sight) -> Vec<(String, String)> {
        let since = sight.uptime.saturating_sub(self.uptime);
        self.uptime = sight.uptime;
        let mut readings = vec![
            concat!("sanderling ", env!("CARGO_PKG_VERSION")).to_owned(),
            format!("{} seconds", sight.uptime.as_secs()),
        ];
        readings.extend(COUNTERS.iter().map(|one| (one.read)(sight).to_string()));
        let Statistics {
            packets_received,
            packets_sent,
            ..
        } = &sight.statistics;
        let count = |of: &ByType, packet| of.of(packet).to_string();
        for packet in PacketType::ALL {
            readings.push(count(packets_received, packet));
            readings.push(count(packets_sent, packet));
        }
        for (load, Topic { read, .. }) in self.loads.iter_mut().zip(RATES) {
            load.update(read(sight), since);
            readings.extend(load.averages().map(|average| format!("{average:.2}")));
        }
        let names = topics().into_iter().map(|(name, _)| name);
        names.zip(readings).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_topic_has_a_reading_and_a_name_of_its_own() {
        let (topics, mut readings) = (topics(), Readings::default());
        let read = readings.of(&Sight::default());
        assert_eq!(topics.len(), read.len());
        let names: HashSet<_> = read.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), topics.len());
    }

    #[test]
    fn what_is_read_stands_beside_its_name() {
        let mut sight = Sight {
            uptime: Duration::from_secs(60),
            clients_maximum: 7,
            ..Sight::default()
        };
        sight.statistics.clients_connected = 120;
        let read = Readings::default().of(&sight);
        let of = |name: &str| {
            let topic = format!("{PREFIX}{name}");
            read.iter()
                .find(|(name, _)| *name == topic)
                .map(|(_, text)| &**text)
        };
        assert_eq!(of("uptime"), Some("60 seconds"));
        assert_eq!(of("clients/maximum"), Some("7"));
        assert_eq!(of("mqtt/auth/sent"), Some("0"));
        assert_eq!(of("load/connections/1min"), Some("75.85"));
    }
}
