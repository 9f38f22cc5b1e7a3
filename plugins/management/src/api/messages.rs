//! The messages that wait for a session, and those in flight to it.

use super::{
    extract::{Path, Query},
    message::{Message, is_heavy, piece_of},
    page::{Limit, Listed, Number, Page},
    problem::Problem,
    text::Brief,
};
use crate::{calls::Piece, shared::State};
use axum::{Json, extract::State as Extract};
use sanderling_core::{broker::View, packet::PacketId};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which messages are wanted, and how much of each.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListMessages {
    /// Items on the page, at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 1000, default = 100)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default)]
    #[param(value_type = String, pattern = "^[0-9]{1,10}$", required = false)]
    cursor: Number,
    /// Bytes of each payload that are shown, at most.
    #[serde(default)]
    #[param(value_type = u32, minimum = 0, maximum = 65536, default = 1024)]
    payload_bytes_max: Shown,
}

/// How much of a payload is shown.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u32")]
pub(super) struct Shown(u32);

impl Shown {
    pub(super) fn get(self) -> usize {
        self.0 as usize
    }
}

impl Default for Shown {
    fn default() -> Self {
        Self(1024)
    }
}

impl TryFrom<u32> for Shown {
    type Error = &'static str;

    fn try_from(bytes: u32) -> Result<Self, Self::Error> {
        match bytes {
            0..=65_536 => Ok(Self(bytes)),
            _ => Err("up to 65536 bytes of a payload are shown"),
        }
    }
}

/// List the messages that wait for a session
///
/// Next first. The queue goes on while it is listed: a message that waits all the time is on one page.
#[utoipa::path(
    get, path = "/api/v1/sessions/{client_id}/queue", tag = "sessions",
    params(("client_id" = String, Path, description = "A client identifier.", min_length = 1, max_length = 2048), ListMessages),
    responses(
        (status = 200, description = "A page of messages.", body = Page<Message>),
        (status = 404, description = "There is no such session.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["read"])),
)]
pub(super) async fn list_queue(
    Extract(shared): State,
    Path(Brief(client_id)): Path<Brief<String>>,
    Query(query): Query<ListMessages>,
) -> Listed<Message> {
    let shown = query.payload_bytes_max.get();
    let piece = move |view: View<'_>, after: u64, wanted: usize| {
        let Some(session) = view.session(&client_id) else {
            return gone();
        };
        let queue = session.queue_after(after);
        let wanted = wanted.min(piece_of(shown));
        Piece::of(queue, wanted, |one| Some(Ok(Message::of(one, shown))))
    };
    list(&shared, query.cursor.0, query.limit, piece).await
}

/// List the messages in flight to a session
///
/// Those whose acknowledgement is awaited and which are kept to be sent again, oldest first.
#[utoipa::path(
    get, path = "/api/v1/sessions/{client_id}/inflight", tag = "sessions",
    params(("client_id" = String, Path, description = "A client identifier.", min_length = 1, max_length = 2048), ListMessages),
    responses(
        (status = 200, description = "A page of messages.", body = Page<Message>),
        (status = 404, description = "There is no such session.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["read"])),
)]
pub(super) async fn list_inflight(
    Extract(shared): State,
    Path(Brief(client_id)): Path<Brief<String>>,
    Query(query): Query<ListMessages>,
) -> Listed<Message> {
    let shown = query.payload_bytes_max.get();
    let piece = move |view: View<'_>, after: u64, wanted: usize| {
        let Some(session) = view.session(&client_id) else {
            return gone();
        };
        let wanted = wanted.min(piece_of(shown));
        let placed = |one: sanderling_core::broker::MessageView<'_>| {
            (
                u64::from(one.packet_id.unwrap_or(0)),
                Ok(Message::of(one, shown)),
            )
        };
        let after = u16::try_from(after).ok().and_then(PacketId::new);
        match after {
            Some(after) => Piece::of(session.inflight_after(after).map(placed), wanted, Some),
            None => Piece::of(session.inflight().map(placed), wanted, Some),
        }
    };
    list(&shared, query.cursor.0, query.limit, piece).await
}

/// A row, or the session is not there.
type Row = Result<Message, ()>;

fn gone() -> Piece<u64, Row> {
    Piece {
        rows: vec![Err(())],
        next: None,
    }
}

async fn list(
    shared: &crate::shared::Shared,
    cursor: u64,
    limit: Limit,
    piece: impl Fn(View<'_>, u64, usize) -> Piece<u64, Row> + Clone + Send + 'static,
) -> Listed<Message> {
    let weight = |rows: &[Row]| rows.iter().flatten().map(Message::weight).sum::<usize>();
    let calls = shared.calls();
    let found = calls
        .walk(cursor, limit.get(), piece, |rows| is_heavy(weight(rows)))
        .await?;
    let items = found.rows.into_iter().collect::<Result<_, _>>();
    Ok(Json(Page {
        items: items.map_err(|()| Problem::not_found("there is no such session"))?,
        next: found.next.map(|number| number.to_string()),
    }))
}
