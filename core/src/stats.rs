//! Counters. They only rise, except those named `current`.

use crate::{
    hooks::DropCause,
    packet::{PacketType, QoS},
    reason::ReasonCode,
};
use core::time::Duration;

/// What has happened since the broker was made.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Statistics {
    /// Packets decoded, by type.
    pub packets_received: ByType,
    /// Packets handed to connections, by type.
    pub packets_sent: ByType,
    /// Bytes of packets decoded, by type.
    pub packet_bytes_received: ByType,
    /// Bytes of packets handed to connections, by type.
    pub packet_bytes_sent: ByType,
    /// PUBLISH packets decoded, by QoS.
    pub messages_received: [u64; 3],
    /// PUBLISH packets handed to connections, by QoS.
    pub messages_sent: [u64; 3],
    /// Messages lost for one receiver, by QoS.
    pub messages_dropped: [u64; 3],
    /// The same by [cause](crate::hooks::DropCause), in the order of [`DropCause::ALL`](crate::hooks::DropCause::ALL).
    pub messages_dropped_by_cause: [u64; DropCause::ALL.len()],
    /// Messages that nobody subscribed to, but for the server's own.
    pub messages_unrouted: u64,
    /// Network connections opened.
    pub connections_opened: u64,
    /// Network connections now.
    pub connections_current: u32,
    /// CONNECTs accepted.
    pub clients_connected: u64,
    /// Accepted connections that ended.
    pub clients_disconnected: u64,
    /// CONNECTs refused.
    pub connects_refused: u64,
    /// The same by reason.
    pub connects_refused_by_reason: ByReason,
    /// From each CONNECT to the CONNACK that accepts or refuses it: what hooks took to rule later, and the steps of an
    /// enhanced authentication with the client's part in them. Within one turn no time passes.
    pub connects_took: Durations,
    /// Connections ended because of what they sent.
    pub protocol_errors: u64,
    /// Sessions with a connection now.
    pub sessions_active_current: u32,
    /// Sessions without one now.
    pub sessions_inactive_current: u32,
    /// Sessions made.
    pub sessions_created: u64,
    /// Sessions ended because their connection ended and they were not to outlive it.
    pub sessions_ended: u64,
    /// Sessions ended because a new connection wanted a clean start, or took over one that was not to outlive it.
    pub sessions_discarded: u64,
    /// Sessions ended because nobody came back in time.
    pub sessions_expired: u64,
    /// Subscriptions now.
    pub subscriptions_current: u32,
    /// Subscriptions ever made.
    pub subscriptions_made: u64,
    /// Messages waiting in queues now.
    pub messages_queued_current: u64,
    /// Bytes waiting in queues now.
    pub queued_bytes_current: u64,
    /// Messages that could not be retained for want of room.
    pub retained_refused: u64,
    /// Retained messages now.
    pub retained_current: u32,
    /// Verdicts that came after their ticket had ended.
    pub verdicts_late: u64,
}

/// What one session has sent, received and lost since it was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SessionStatistics {
    /// PUBLISH packets decoded, by QoS.
    pub messages_received: [u64; 3],
    /// PUBLISH packets handed to its connections, by QoS.
    pub messages_sent: [u64; 3],
    /// Messages lost for it, by QoS.
    pub messages_dropped: [u64; 3],
}

/// One counter for each packet type.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ByType([u64; 16]);

impl ByType {
    /// The counts of all packet types together.
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The count of one packet type.
    pub fn of(&self, packet: PacketType) -> u64 {
        self.0[packet as usize]
    }

    pub(crate) fn add(&mut self, packet: PacketType, count: u64) {
        self.0[packet as usize] += count;
    }
}

/// One counter for each reason to refuse a CONNECT. [MQTT 5.0, 3.2.2.2]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ByReason([u64; Self::ALL.len()]);

impl ByReason {
    /// The reasons that are told apart. Others, which older versions have no number for, count as the first.
    pub const ALL: [ReasonCode; 21] = [
        ReasonCode::UNSPECIFIED_ERROR,
        ReasonCode::MALFORMED_PACKET,
        ReasonCode::PROTOCOL_ERROR,
        ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
        ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
        ReasonCode::BAD_USER_NAME_OR_PASSWORD,
        ReasonCode::NOT_AUTHORIZED,
        ReasonCode::SERVER_UNAVAILABLE,
        ReasonCode::SERVER_BUSY,
        ReasonCode::BANNED,
        ReasonCode::BAD_AUTHENTICATION_METHOD,
        ReasonCode::TOPIC_NAME_INVALID,
        ReasonCode::PACKET_TOO_LARGE,
        ReasonCode::QUOTA_EXCEEDED,
        ReasonCode::PAYLOAD_FORMAT_INVALID,
        ReasonCode::RETAIN_NOT_SUPPORTED,
        ReasonCode::QOS_NOT_SUPPORTED,
        ReasonCode::USE_ANOTHER_SERVER,
        ReasonCode::SERVER_MOVED,
        ReasonCode::CONNECTION_RATE_EXCEEDED,
    ];

    /// Each reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (ReasonCode, u64)> {
        Self::ALL.into_iter().zip(self.0)
    }

    fn add(&mut self, reason: ReasonCode) {
        let reason = match reason.is_error() {
            true => reason,
            false => ReasonCode::from_connect_return_code(reason.0),
        };
        let place = Self::ALL.iter().position(|one| *one == reason);
        self.0[place.unwrap_or(0)] += 1;
    }
}

/// How long something took, each time: counts by bounds, and the sum.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Durations {
    /// How many were within each bound and above the one before; last those above all.
    counts: [u64; Self::BOUNDS.len() + 1],
    sum: Duration,
}

impl Durations {
    /// The bounds, rising.
    pub const BOUNDS: [Duration; 13] = [
        Duration::from_micros(10),
        Duration::from_micros(30),
        Duration::from_micros(100),
        Duration::from_micros(300),
        Duration::from_millis(1),
        Duration::from_millis(3),
        Duration::from_millis(10),
        Duration::from_millis(30),
        Duration::from_millis(100),
        Duration::from_millis(300),
        Duration::from_secs(1),
        Duration::from_secs(3),
        Duration::from_secs(10),
    ];

    /// One more.
    pub fn record(&mut self, took: Duration) {
        let place = Self::BOUNDS.partition_point(|bound| *bound < took);
        self.counts[place] += 1;
        self.sum = self.sum.saturating_add(took);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// Each bound with how many were within it.
    pub fn within(&self) -> impl Iterator<Item = (Duration, u64)> {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        Self::BOUNDS.into_iter().zip(counts)
    }
}

impl Statistics {
    pub(crate) fn received(&mut self, packet: PacketType, bytes: u32) {
        self.packets_received.add(packet, 1);
        self.packet_bytes_received.add(packet, u64::from(bytes));
    }

    /// A run of PUBLISH.
    pub(crate) fn received_run(&mut self, qos: QoS, count: u32, bytes: u32) {
        self.received_several(PacketType::Publish, count, bytes);
        self.messages_received[qos as usize] += u64::from(count);
    }

    /// Packets in a row.
    pub(crate) fn received_several(&mut self, packet: PacketType, count: u32, bytes: u32) {
        self.packets_received.add(packet, u64::from(count));
        self.packet_bytes_received.add(packet, u64::from(bytes));
    }

    pub(crate) fn sent(&mut self, packet: PacketType, bytes: u32) {
        self.sent_several(packet, 1, bytes);
    }

    /// Packets in a row.
    pub(crate) fn sent_several(&mut self, packet: PacketType, count: u32, bytes: u32) {
        self.packets_sent.add(packet, u64::from(count));
        self.packet_bytes_sent.add(packet, u64::from(bytes));
    }

    pub(crate) fn delivered(&mut self, qos: QoS, bytes: u32) {
        self.sent(PacketType::Publish, bytes);
        self.messages_sent[qos as usize] += 1;
    }

    /// Runs of PUBLISH, all of so many packets and so many bytes.
    pub(crate) fn delivered_runs(&mut self, qos: QoS, runs: u32, count: u32, bytes: usize) {
        let [runs, count, bytes] = [u64::from(runs), u64::from(count), bytes as u64];
        self.packets_sent.add(PacketType::Publish, runs * count);
        self.packet_bytes_sent
            .add(PacketType::Publish, runs * bytes);
        self.messages_sent[qos as usize] += runs * count;
    }

    pub(crate) fn dropped(&mut self, qos: QoS, why: DropCause) {
        self.messages_dropped[qos as usize] += 1;
        self.messages_dropped_by_cause[why as usize] += 1;
    }

    /// A CONNECT was refused after so long.
    pub(crate) fn refused(&mut self, reason: ReasonCode, took: Duration) {
        self.connects_refused += 1;
        self.connects_refused_by_reason.add(reason);
        self.connects_took.record(took);
    }

    /// A CONNECT was accepted after so long.
    pub(crate) fn accepted(&mut self, took: Duration) {
        self.clients_connected += 1;
        self.connects_took.record(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_counts_by_its_reason_however_it_was_given() {
        let mut refused = ByReason::default();
        let given = [
            ReasonCode::BANNED,
            ReasonCode(4),
            ReasonCode(99),
            ReasonCode(0xF0),
        ];
        given.into_iter().for_each(|reason| refused.add(reason));
        let counted: alloc::vec::Vec<_> = refused.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(
            counted,
            [
                (ReasonCode::UNSPECIFIED_ERROR, 2),
                (ReasonCode::BAD_USER_NAME_OR_PASSWORD, 1),
                (ReasonCode::BANNED, 1),
            ]
        );
    }

    #[test]
    fn a_duration_counts_within_every_bound_that_it_does_not_pass() {
        let mut durations = Durations::default();
        let [first, .., last] = Durations::BOUNDS;
        for took in [Duration::ZERO, first, last, last + first] {
            durations.record(took);
        }
        let within: alloc::vec::Vec<_> = durations.within().collect();
        assert_eq!(within[0], (first, 2));
        assert_eq!(within[within.len() - 1], (last, 3));
        assert_eq!(
            (durations.count(), durations.sum()),
            (4, 2 * first + 2 * last)
        );
    }
}
