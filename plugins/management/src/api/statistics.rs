//! The counters.

use super::problem::Problem;
use crate::shared::State;
use axum::{Json, extract::State as Extract};
use sanderling_core::{
    hooks::DropCause,
    packet::PacketType,
    stats::{ByType, Statistics},
};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What has happened since the broker was started. Counters only rise, except those named `current`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Counters {
    /// By packet type.
    packets_received: BTreeMap<String, u64>,
    packets_sent: BTreeMap<String, u64>,
    packet_bytes_received: BTreeMap<String, u64>,
    packet_bytes_sent: BTreeMap<String, u64>,
    /// By QoS.
    messages_received: [u64; 3],
    messages_sent: [u64; 3],
    messages_dropped: [u64; 3],
    /// By cause.
    messages_dropped_by_cause: BTreeMap<String, u64>,
    /// Messages that nobody subscribed to.
    messages_unrouted: u64,
    messages_queued_current: u64,
    queued_bytes_current: u64,
    connections_opened: u64,
    connections_current: u32,
    clients_connected: u64,
    clients_disconnected: u64,
    connects_refused: u64,
    protocol_errors: u64,
    /// With a connection.
    sessions_active_current: u32,
    /// Without one.
    sessions_inactive_current: u32,
    sessions_created: u64,
    sessions_ended: u64,
    sessions_discarded: u64,
    sessions_expired: u64,
    subscriptions_current: u32,
    subscriptions_made: u64,
    retained_current: u32,
    retained_bytes_current: u64,
    retained_refused: u64,
    /// Answers of hooks that came too late.
    verdicts_late: u64,
}

/// Get the counters
#[utoipa::path(
    get, path = "/api/v1/statistics", tag = "broker",
    responses((status = 200, description = "The counters.", body = Counters)),
    security(("token" = ["read"])),
)]
pub(super) async fn get_statistics(Extract(shared): State) -> Result<Json<Counters>, Problem> {
    let calls = shared.calls();
    let copy = calls.look(|view| (view.statistics().clone(), view.retained_bytes()));
    let (statistics, retained_bytes) = copy.await?;
    Ok(Json(Counters::of(statistics, retained_bytes)))
}

const PACKETS: [PacketType; 15] = [
    PacketType::Connect,
    PacketType::ConnAck,
    PacketType::Publish,
    PacketType::PubAck,
    PacketType::PubRec,
    PacketType::PubRel,
    PacketType::PubComp,
    PacketType::Subscribe,
    PacketType::SubAck,
    PacketType::Unsubscribe,
    PacketType::UnsubAck,
    PacketType::PingReq,
    PacketType::PingResp,
    PacketType::Disconnect,
    PacketType::Auth,
];

fn by_type(counts: &ByType) -> BTreeMap<String, u64> {
    let each = PACKETS.map(|packet| (packet.to_string().to_lowercase(), counts.of(packet)));
    each.into()
}

impl Counters {
    fn of(from: Statistics, retained_bytes: u64) -> Self {
        let by_cause = DropCause::ALL
            .into_iter()
            .zip(from.messages_dropped_by_cause);
        Self {
            packets_received: by_type(&from.packets_received),
            packets_sent: by_type(&from.packets_sent),
            packet_bytes_received: by_type(&from.packet_bytes_received),
            packet_bytes_sent: by_type(&from.packet_bytes_sent),
            messages_received: from.messages_received,
            messages_sent: from.messages_sent,
            messages_dropped: from.messages_dropped,
            messages_dropped_by_cause: by_cause
                .map(|(cause, count)| (cause.name().to_owned(), count))
                .collect(),
            messages_unrouted: from.messages_unrouted,
            messages_queued_current: from.messages_queued_current,
            queued_bytes_current: from.queued_bytes_current,
            connections_opened: from.connections_opened,
            connections_current: from.connections_current,
            clients_connected: from.clients_connected,
            clients_disconnected: from.clients_disconnected,
            connects_refused: from.connects_refused,
            protocol_errors: from.protocol_errors,
            sessions_active_current: from.sessions_active_current,
            sessions_inactive_current: from.sessions_inactive_current,
            sessions_created: from.sessions_created,
            sessions_ended: from.sessions_ended,
            sessions_discarded: from.sessions_discarded,
            sessions_expired: from.sessions_expired,
            subscriptions_current: from.subscriptions_current,
            subscriptions_made: from.subscriptions_made,
            retained_current: from.retained_current,
            retained_bytes_current: retained_bytes,
            retained_refused: from.retained_refused,
            verdicts_late: from.verdicts_late,
        }
    }
}
