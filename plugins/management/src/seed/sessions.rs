//! Sessions: how full they are, and what they have sent and lost.

use super::{
    clients::or_epoch,
    envelope::{self, Envelope, Failure, NOT_FOUND},
    page::{Page, PageRequest},
};
use crate::{calls::ROWS, shared::State, stamp::Stamp};
use axum::{
    Json,
    extract::{Path, State as Extract},
};
use sanderling_core::{
    broker::{SessionView, View},
    config::Limits,
};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Session {
    client_id: String,
    status: &'static str,
    clean_session: bool,
    subscriptions: usize,
    max_inflight: u16,
    inflight_len: usize,
    max_msg_queue: u32,
    msg_queue_len: usize,
    max_await_rel: u16,
    await_rel_len: usize,
    qos0_msg_dropped_total: u64,
    qos1_msg_dropped_total: u64,
    qos2_msg_dropped_total: u64,
    msg_dropped_total: u64,
    qos0_msg_delivered_total: u64,
    qos1_msg_delivered_total: u64,
    qos2_msg_delivered_total: u64,
    msg_delivered_total: u64,
    connected_at: Stamp,
    disconnected_at: Stamp,
}

pub(super) async fn list(
    Extract(shared): State,
    request: PageRequest,
) -> Result<Json<Envelope<Page<Session>>>, Failure> {
    let calls = shared.calls();
    let (members, total) = shared.roll.page(request.skip(), request.count());
    let mut sessions = Vec::new();
    for some in members.chunks(ROWS) {
        let some = some.to_vec();
        let found = calls.look(move |view| {
            let found = some.into_iter();
            found
                .filter_map(|member| Session::find(view, &member.client_id))
                .collect::<Vec<_>>()
        });
        sessions.extend(found.await?);
    }
    Ok(envelope::ok(request.page(sessions, total)))
}

pub(super) async fn one(
    Extract(shared): State,
    Path(client_id): Path<String>,
) -> Result<Json<Envelope<Session>>, Failure> {
    let look = move |view: View<'_>| Session::find(view, &client_id);
    let session = shared.calls().look(look).await?;
    session.map(envelope::ok).ok_or(NOT_FOUND)
}

impl Session {
    fn find(view: View<'_>, client_id: &str) -> Option<Self> {
        let session = view.session(client_id)?;
        Some(Self::of(session, &view.config().limits))
    }

    fn of(session: SessionView<'_>, limits: &Limits) -> Self {
        let statistics = session.statistics();
        let (dropped, sent) = (statistics.messages_dropped, statistics.messages_sent);
        Self {
            client_id: session.client_id().into(),
            status: match session.conn() {
                Some(_) => "online",
                None => "offline",
            },
            clean_session: session.clean_start(),
            subscriptions: session.subscriptions().len(),
            max_inflight: session.inflight_max(),
            inflight_len: session.inflight_len(),
            max_msg_queue: limits.queue_messages_max,
            msg_queue_len: session.queue_len(),
            max_await_rel: limits.awaiting_release_max,
            await_rel_len: session.awaiting_release_len(),
            qos0_msg_dropped_total: dropped[0],
            qos1_msg_dropped_total: dropped[1],
            qos2_msg_dropped_total: dropped[2],
            msg_dropped_total: dropped.iter().sum(),
            qos0_msg_delivered_total: sent[0],
            qos1_msg_delivered_total: sent[1],
            qos2_msg_delivered_total: sent[2],
            msg_delivered_total: sent.iter().sum(),
            connected_at: or_epoch(session.connected_at()),
            disconnected_at: or_epoch(session.disconnected_at()),
        }
    }
}
