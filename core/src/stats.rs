//! Counters. They only rise, except those named `current`.

use crate::{
    hooks::DropCause,
    packet::{PacketType, QoS},
};

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
    /// Messages that nobody subscribed to.
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

impl Statistics {
    pub(crate) fn received(&mut self, packet: PacketType, bytes: u32) {
        self.packets_received.add(packet, 1);
        self.packet_bytes_received.add(packet, u64::from(bytes));
    }

    /// A run of PUBLISH of QoS 0.
    pub(crate) fn received_run(&mut self, count: u32, bytes: u32) {
        let packet = PacketType::Publish;
        self.packets_received.add(packet, u64::from(count));
        self.packet_bytes_received.add(packet, u64::from(bytes));
        self.messages_received[QoS::AtMostOnce as usize] += u64::from(count);
    }

    pub(crate) fn sent(&mut self, packet: PacketType, bytes: u32) {
        self.packets_sent.add(packet, 1);
        self.packet_bytes_sent.add(packet, u64::from(bytes));
    }

    pub(crate) fn delivered(&mut self, qos: QoS, bytes: u32) {
        self.sent(PacketType::Publish, bytes);
        self.messages_sent[qos as usize] += 1;
    }

    /// Runs of PUBLISH of QoS 0.
    pub(crate) fn delivered_runs(&mut self, count: u64, bytes: u64) {
        self.packets_sent.add(PacketType::Publish, count);
        self.packet_bytes_sent.add(PacketType::Publish, bytes);
        self.messages_sent[QoS::AtMostOnce as usize] += count;
    }

    pub(crate) fn dropped(&mut self, qos: QoS, why: DropCause) {
        self.messages_dropped[qos as usize] += 1;
        self.messages_dropped_by_cause[why as usize] += 1;
    }
}
