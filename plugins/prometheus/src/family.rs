//! The metrics: a table. A family without the prefix `sanderling_` has the name that it had in the broker that Sanderling
//! succeeds.

use crate::{names, sight::Sight};
use sanderling_core::{
    hooks::DropCause,
    packet::PacketType,
    stats::{ByType, Durations},
};

/// What is called by one name: a number, one for each value of a label, or a distribution.
#[derive(Debug)]
#[non_exhaustive]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// The label that tells its numbers apart.
    pub label: Option<&'static str>,
    /// What is counted or measured.
    pub unit: &'static str,
    /// What it means.
    pub help: &'static str,
    /// The requirement that it fulfils (`docs/requirements.md`); empty for our own.
    pub row: &'static str,
    pub(crate) values: Values,
}

/// How a metric moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Rises only; from 0 at the broker's start.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by bounds.
    Histogram,
}

/// Where its numbers come from.
#[derive(Debug)]
pub(crate) enum Values {
    One(fn(&Sight) -> f64),
    /// With values of the label.
    Many(fn(&Sight) -> Vec<(String, f64)>),
    Durations(fn(&Sight) -> &Durations),
}

/// All families, in the order in which they are told.
pub fn families() -> &'static [Family] {
    FAMILIES
}

impl Family {
    const fn counter(name: &'static str, read: fn(&Sight) -> f64) -> Self {
        Self::new(name, Kind::Counter, Values::One(read))
    }

    const fn gauge(name: &'static str, read: fn(&Sight) -> f64) -> Self {
        Self::new(name, Kind::Gauge, Values::One(read))
    }

    const fn histogram(name: &'static str, read: fn(&Sight) -> &Durations) -> Self {
        Self::new(name, Kind::Histogram, Values::Durations(read))
    }

    const fn new(name: &'static str, kind: Kind, values: Values) -> Self {
        Self {
            name,
            kind,
            label: None,
            unit: "",
            help: "",
            row: "",
            values,
        }
    }

    const fn counters(
        name: &'static str,
        label: &'static str,
        read: fn(&Sight) -> Vec<(String, f64)>,
    ) -> Self {
        Self::new(name, Kind::Counter, Values::Many(read)).by(label)
    }

    const fn gauges(
        name: &'static str,
        label: &'static str,
        read: fn(&Sight) -> Vec<(String, f64)>,
    ) -> Self {
        Self::new(name, Kind::Gauge, Values::Many(read)).by(label)
    }

    const fn by(self, label: &'static str) -> Self {
        let label = Some(label);
        Self { label, ..self }
    }

    const fn of(self, unit: &'static str, help: &'static str) -> Self {
        Self { unit, help, ..self }
    }

    const fn row(self, row: &'static str) -> Self {
        Self { row, ..self }
    }
}

const FAMILIES: &[Family] = &[
    Family::counters("mqtt_packets_received_total", "type", |sight| by_type(&sight.statistics.packets_received))
        .of("packets", "Packets received.")
        .row("D8"),
    Family::counters("mqtt_packets_sent_total", "type", |sight| by_type(&sight.statistics.packets_sent))
        .of("packets", "Packets sent.")
        .row("D8"),
    Family::counters("mqtt_packets_received_bytes_total", "type", |sight| by_type(&sight.statistics.packet_bytes_received))
        .of("bytes", "Bytes of packets received.")
        .row("D8"),
    Family::counters("mqtt_packets_sent_bytes_total", "type", |sight| by_type(&sight.statistics.packet_bytes_sent))
        .of("bytes", "Bytes of packets sent.")
        .row("D8"),
    Family::counter("mqtt_clients_connected_total", |sight| sight.statistics.clients_connected as f64)
        .of("connections", "CONNECTs accepted.")
        .row("D8"),
    Family::counter("mqtt_clients_disconnected_total", |sight| sight.statistics.clients_disconnected as f64)
        .of("connections", "Accepted connections that ended.")
        .row("D8"),
    Family::counter("mqtt_sessions_expired_total", |sight| sight.statistics.sessions_expired as f64)
        .of("sessions", "Sessions that ended because nobody came back in time.")
        .row("D8"),
    Family::gauge("mqtt_sessions_active_current", |sight| sight.statistics.sessions_active_current.into())
        .of("sessions", "Sessions with a connection.")
        .row("D8"),
    Family::gauge("mqtt_sessions_inactive_current", |sight| sight.statistics.sessions_inactive_current.into())
        .of("sessions", "Sessions without a connection.")
        .row("D8"),
    Family::counter("mqtt_subscriptions_total", |sight| sight.statistics.subscriptions_made as f64)
        .of("subscriptions", "Subscriptions ever made; to replace one does not count.")
        .row("D8"),
    Family::gauge("mqtt_subscriptions_current", |sight| sight.statistics.subscriptions_current.into())
        .of("subscriptions", "Subscriptions now.")
        .row("D8"),
    Family::counters("mqtt_messages_dropped_total", "qos", |sight| by_qos(sight.statistics.messages_dropped))
        .of("messages", "Messages lost for one receiver.")
        .row("D8"),
    Family::counters("messages_received_total", "qos", |sight| by_qos(sight.statistics.messages_received))
        .of("messages", "PUBLISH packets received.")
        .row("D8"),
    Family::counters("messages_sent_total", "qos", |sight| by_qos(sight.statistics.messages_sent))
        .of("messages", "PUBLISH packets sent.")
        .row("D8"),
    Family::gauge("messages_queued_current", |sight| sight.statistics.messages_queued_current as f64)
        .of("messages", "Messages that wait in queues.")
        .row("D8"),
    Family::counters("mqtt_messages_received_total", "qos", |sight| by_qos(sight.statistics.messages_received))
        .of("messages", "PUBLISH packets received. The same as without the prefix.")
        .row("D8"),
    Family::counters("mqtt_messages_sent_total", "qos", |sight| by_qos(sight.statistics.messages_sent))
        .of("messages", "PUBLISH packets sent. The same as without the prefix.")
        .row("D8"),
    Family::gauge("mqtt_messages_queued_current", |sight| sight.statistics.messages_queued_current as f64)
        .of("messages", "Messages that wait in queues. The same as without the prefix.")
        .row("D8"),
    Family::gauges("sanderling_build_info", "version", |_| vec![(env!("CARGO_PKG_VERSION").into(), 1.0)])
        .of("", "Always 1; the label tells the version."),
    Family::gauge("sanderling_start_time_seconds", |sight| sight.started.as_secs_f64())
        .of("seconds", "When the broker was started, since 1970."),
    Family::gauges("sanderling_listener_connections", "listener", by_listener)
        .of("connections", "Network connections now, by the listener through which they came; those inside the program are inline."),
    Family::counter("sanderling_connections_opened_total", |sight| sight.statistics.connections_opened as f64)
        .of("connections", "Network connections opened, with or without a CONNECT."),
    Family::counters("sanderling_connects_total", "result", by_result)
        .of("connects", "CONNECTs by what became of them: accepted, or the reason of the refusal."),
    Family::histogram("sanderling_connect_duration_seconds", |sight| &sight.statistics.connects_took)
        .of("seconds", "From CONNECT to CONNACK: what hooks took that answered later, and the steps of an enhanced authentication."),
    Family::counter("sanderling_protocol_errors_total", |sight| sight.statistics.protocol_errors as f64)
        .of("connections", "Connections that ended because of what they sent."),
    Family::counters("sanderling_messages_dropped_total", "cause", by_cause)
        .of("messages", "Messages lost for one receiver, by cause."),
    Family::counter("sanderling_messages_unrouted_total", |sight| sight.statistics.messages_unrouted as f64)
        .of("messages", "Messages that nobody subscribed to."),
    Family::gauge("sanderling_queued_bytes", |sight| sight.statistics.queued_bytes_current as f64)
        .of("bytes", "Bytes of messages that wait in queues."),
    Family::gauge("sanderling_waiting_output_bytes", |sight| sight.measures.waiting_bytes as f64)
        .of("bytes", "Bytes that wait because the sockets of their connections take no more now."),
    Family::histogram("sanderling_turn_duration_seconds", |sight| &sight.measures.turns)
        .of("seconds", "How long turns of the loop took, without the sleep between them, since the first scrape."),
    Family::counter("sanderling_sessions_created_total", |sight| sight.statistics.sessions_created as f64)
        .of("sessions", "Sessions made."),
    Family::counters("sanderling_sessions_terminated_total", "reason", by_end)
        .of("sessions", "Sessions ended, by the way they did."),
    Family::gauge("sanderling_retained_messages", |sight| sight.statistics.retained_current.into())
        .of("messages", "Retained messages now."),
    Family::gauge("sanderling_retained_bytes", |sight| sight.retained_bytes as f64)
        .of("bytes", "Their bytes, as they count for the limit."),
    Family::counter("sanderling_retained_refused_total", |sight| sight.statistics.retained_refused as f64)
        .of("messages", "Messages that could not be retained for want of room."),
    Family::counter("sanderling_verdicts_late_total", |sight| sight.statistics.verdicts_late as f64)
        .of("verdicts", "Answers of hooks that came after their question had ended."),
    Family::gauges("sanderling_limit", "limit", limits)
        .of("", "The bounds of what others of these metrics count, by what they bound."),
];

fn by_type(counts: &ByType) -> Vec<(String, f64)> {
    let types = PacketType::ALL.into_iter();
    types
        .map(|packet| (packet.to_string(), counts.of(packet) as f64))
        .collect()
}

fn by_qos(counts: [u64; 3]) -> Vec<(String, f64)> {
    let counts = (0..).zip(counts);
    counts
        .map(|(qos, count): (u8, _)| (qos.to_string(), count as f64))
        .collect()
}

fn by_listener(sight: &Sight) -> Vec<(String, f64)> {
    let connections = sight.connections.iter();
    connections
        .map(|(name, count)| (name.to_string(), f64::from(*count)))
        .collect()
}

fn by_result(sight: &Sight) -> Vec<(String, f64)> {
    let accepted = ("accepted".into(), sight.statistics.clients_connected as f64);
    let refused = sight.statistics.connects_refused_by_reason.iter();
    let refused = refused.map(|(reason, count)| (names::of_reason(reason), count as f64));
    std::iter::once(accepted).chain(refused).collect()
}

fn by_cause(sight: &Sight) -> Vec<(String, f64)> {
    let counts = sight.statistics.messages_dropped_by_cause;
    let causes = DropCause::ALL.into_iter().zip(counts);
    causes
        .map(|(cause, count)| (cause.name().into(), count as f64))
        .collect()
}

fn by_end(sight: &Sight) -> Vec<(String, f64)> {
    let statistics = &sight.statistics;
    vec![
        ("normal".into(), statistics.sessions_ended as f64),
        ("taken_over".into(), statistics.sessions_discarded as f64),
        ("expired".into(), statistics.sessions_expired as f64),
    ]
}

fn limits(sight: &Sight) -> Vec<(String, f64)> {
    let limits = &sight.limits;
    vec![
        ("connections".into(), limits.connections_max.into()),
        ("sessions".into(), limits.sessions_max.into()),
        ("queued_bytes".into(), limits.queue_bytes_total_max as f64),
        (
            "retained_messages".into(),
            limits.retained_messages_max.into(),
        ),
        ("retained_bytes".into(), limits.retained_bytes_max as f64),
    ]
}
