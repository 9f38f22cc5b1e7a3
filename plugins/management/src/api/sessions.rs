//! Sessions, connected or not: how full they are, and what they have sent and lost.

use super::{
    clients::ProtocolVersion,
    extract::{Path, Query},
    page::{Limit, Listed, Number, Page},
    problem::Problem,
    text::Brief,
};
use crate::{
    access::Caller,
    calls::Piece,
    shared::{Shared, State},
    stamp::Stamp,
};
use axum::{Json, extract::State as Extract, http::StatusCode};
use sanderling_core::broker::{Answer, Command, SessionView, View};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::{IntoParams, ToSchema};

/// What a client has with the broker, also while it is away.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    connected: bool,
    /// What its last connection spoke.
    protocol_version: ProtocolVersion,
    clean_start: bool,
    /// Seconds that it outlives its connection; missing if for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_after_s: Option<u32>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    connected_at: Option<Stamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    disconnected_at: Option<Stamp>,
    subscriptions: usize,
    /// Messages that wait for it.
    queue_messages: usize,
    queue_bytes: u64,
    /// Messages to it whose end is awaited.
    inflight_messages: usize,
    inflight_messages_max: u16,
    /// QoS 2 messages to it between PUBREC and PUBCOMP.
    awaiting_pubcomp: usize,
    /// QoS 2 messages from it that await their PUBREL.
    awaiting_pubrel: usize,
    /// PUBLISH packets from it, by QoS.
    messages_received: [u64; 3],
    /// PUBLISH packets to it, by QoS.
    messages_sent: [u64; 3],
    /// Messages lost for it, by QoS.
    messages_dropped: [u64; 3],
}

/// Which sessions are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListSessions {
    /// Items on the page, at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 1000, default = 100)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default)]
    #[param(value_type = String, pattern = "^[0-9]{1,10}$", required = false)]
    cursor: Number,
    /// Only those whose client identifier begins with this.
    client_id_prefix: Option<String>,
    /// Only those that are connected, or only those that are not.
    connected: Option<bool>,
}

/// List sessions
///
/// Their order means nothing, and stays. One that is there all the time is on one page.
#[utoipa::path(
    get, path = "/api/v1/sessions", tag = "sessions",
    params(ListSessions),
    responses((status = 200, description = "A page of sessions.", body = Page<Session>)),
    security(("token" = ["read"])),
)]
pub(super) async fn list_sessions(
    Extract(shared): State,
    Query(query): Query<ListSessions>,
) -> Listed<Session> {
    let prefix = query.client_id_prefix.unwrap_or_default();
    let connected = query.connected;
    let row = move |_: View<'_>, session: SessionView<'_>| {
        let is_wanted = session.client_id().starts_with(&prefix)
            && connected.is_none_or(|connected| session.conn().is_some() == connected);
        is_wanted.then(|| Session::of(session))
    };
    page_of_sessions(&shared, query.cursor, query.limit, row).await
}

/// A page of what `row` makes of sessions; it makes nothing of those that are not wanted.
pub(super) async fn page_of_sessions<T: ToSchema + Send + 'static>(
    shared: &Shared,
    cursor: Number,
    limit: Limit,
    row: impl Fn(View<'_>, SessionView<'_>) -> Option<T> + Clone + Send + 'static,
) -> Listed<T> {
    let piece = move |view: View<'_>, from: u32, wanted: usize| {
        let sessions = view.sessions_from(from);
        let placed = sessions.map(|(number, session)| (number + 1, session));
        Piece::of(placed, wanted, |session| row(view, session))
    };
    let calls = shared.calls();
    let found = calls
        .walk(cursor.short(), limit.get(), piece, |_| false)
        .await?;
    Ok(Json(Page {
        items: found.rows,
        next: found.next.map(|number| number.to_string()),
    }))
}

/// Get a session
#[utoipa::path(
    get, path = "/api/v1/sessions/{client_id}", tag = "sessions",
    params(("client_id" = String, Path, description = "A client identifier.", min_length = 1, max_length = 2048)),
    responses(
        (status = 200, description = "The session.", body = Session),
        (status = 404, description = "There is no such session.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["read"])),
)]
pub(super) async fn get_session(
    Extract(shared): State,
    Path(Brief(client_id)): Path<Brief<String>>,
) -> Result<Json<Session>, Problem> {
    let look = move |view: View<'_>| view.session(&client_id).map(Session::of);
    let session = shared.calls().look(look).await?;
    session.map(Json).ok_or_else(none)
}

/// End a session
///
/// Its connection is closed before; its subscriptions and messages are gone.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{client_id}", tag = "sessions",
    params(("client_id" = String, Path, description = "A client identifier.", min_length = 1, max_length = 2048)),
    responses(
        (status = 204, description = "It is ended."),
        (status = 404, description = "There is no such session.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["manage"])),
)]
pub(super) async fn end_session(
    Extract(shared): State,
    caller: Caller,
    Path(Brief(client_id)): Path<Brief<String>>,
) -> Result<StatusCode, Problem> {
    info!(by = caller.name(), ?client_id, "ending a session");
    let client_id = client_id.into();
    let command = Command::EndSession { client_id };
    match shared.calls().order(command).await? {
        Answer::Closed(true) => Ok(StatusCode::NO_CONTENT),
        _ => Err(none()),
    }
}

fn none() -> Problem {
    Problem::not_found("there is no such session")
}

impl Session {
    fn of(session: SessionView<'_>) -> Self {
        let statistics = session.statistics();
        let expiry_s = session.expiry_s();
        Self {
            client_id: session.client_id().into(),
            username: session.username().map(Into::into),
            connected: session.conn().is_some(),
            protocol_version: session.version().into(),
            clean_start: session.clean_start(),
            expires_after_s: (expiry_s != u32::MAX).then_some(expiry_s),
            created_at: Stamp(session.created_at()),
            connected_at: session.connected_at().map(Stamp),
            disconnected_at: session.disconnected_at().map(Stamp),
            subscriptions: session.subscriptions().len(),
            queue_messages: session.queue_len(),
            queue_bytes: session.queue_bytes(),
            inflight_messages: session.inflight_len(),
            inflight_messages_max: session.inflight_max(),
            awaiting_pubcomp: session.awaiting_release_len(),
            awaiting_pubrel: session.inbound_len(),
            messages_received: statistics.messages_received,
            messages_sent: statistics.messages_sent,
            messages_dropped: statistics.messages_dropped,
        }
    }
}
