//! Retained messages.

use super::{
    extract::{Path, Query},
    message::{Message, is_heavy, piece_of},
    messages::Shown,
    page::{Limit, Listed, Page},
    problem::Problem,
    text::{Brief, Filter, Topic},
};
use crate::{
    access::Caller,
    calls::{Calls, Piece, ROWS, Trouble},
    shared::State,
};
use axum::{Json, extract::State as Extract, http::StatusCode};
use sanderling_core::{
    broker::{Command, Publication, View},
    topic,
};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::{IntoParams, ToSchema};

/// Which retained messages are wanted, and how much of each.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListRetained {
    /// Items on the page, at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 1000, default = 100)]
    limit: Limit,
    /// `next` of the page before: the topic that this page begins after.
    cursor: Option<String>,
    /// Only those whose topics match.
    #[param(value_type = Option<String>, pattern = r"^(\$share/[^/+#\u0000]+/)?((([^/+#\u0000]*|\+)/)+([^/+#\u0000]+|\+|#)?|[^/+#\u0000]+|\+|#)$", min_length = 1, max_length = 2048)]
    filter: Option<Brief<Filter>>,
    /// Bytes of each payload that are shown, at most.
    #[serde(default)]
    #[param(value_type = u32, minimum = 0, maximum = 65536, default = 1024)]
    payload_bytes_max: Shown,
}

/// List retained messages
///
/// In the order of their topics.
#[utoipa::path(
    get, path = "/api/v1/retained", tag = "retained",
    params(ListRetained),
    responses((status = 200, description = "A page of messages.", body = Page<Message>)),
    security(("token" = ["read"])),
)]
pub(super) async fn list_retained(
    Extract(shared): State,
    Query(query): Query<ListRetained>,
) -> Listed<Message> {
    let shown = query.payload_bytes_max.get();
    let filter = query.filter.map(|Brief(filter)| filter);
    let piece = move |view: View<'_>, after: Option<Box<str>>, wanted: usize| {
        let messages = view.retained_after(after.as_deref());
        let placed = messages.map(|message| (Some(message.topic.into()), message));
        Piece::of(placed, wanted.min(piece_of(shown)), |message| {
            is_wanted(filter.as_ref(), message.topic).then(|| Message::of(message, shown))
        })
    };
    let after = query.cursor.map(Into::into);
    let weight = |rows: &[Message]| rows.iter().map(Message::weight).sum();
    let calls = shared.calls();
    let found = calls
        .walk(after, query.limit.get(), piece, |rows| {
            is_heavy(weight(rows))
        })
        .await?;
    Ok(Json(Page {
        items: found.rows,
        next: found.next.flatten().map(Into::into),
    }))
}

/// Which retained messages are to be removed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveMatching {
    /// Those whose topics match.
    #[param(value_type = String, pattern = r"^(\$share/[^/+#\u0000]+/)?((([^/+#\u0000]*|\+)/)+([^/+#\u0000]+|\+|#)?|[^/+#\u0000]+|\+|#)$", min_length = 1, max_length = 2048)]
    filter: Brief<Filter>,
}

/// How many retained messages were removed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Removed {
    removed: u64,
}

/// Remove the retained messages whose topics match a filter
///
/// One after the other: messages that are retained meanwhile may be spared. Nobody is told.
#[utoipa::path(
    delete, path = "/api/v1/retained", tag = "retained",
    params(RemoveMatching),
    responses((status = 200, description = "They are removed.", body = Removed)),
    security(("token" = ["manage"])),
)]
pub(super) async fn remove_matching(
    Extract(shared): State,
    caller: Caller,
    Query(RemoveMatching {
        filter: Brief(filter),
    }): Query<RemoveMatching>,
) -> Result<Json<Removed>, Problem> {
    info!(by = caller.name(), filter = ?filter.0, "removing retained messages");
    let mut removed = 0;
    let mut after = None;
    loop {
        // Each piece has its own time: there may be millions, and whoever asked waits for all.
        let calls = shared.calls();
        let filter = filter.clone();
        let look = move |view: View<'_>| topics(view, after, &filter);
        let Piece { rows, next } = calls.look(look).await?;
        removed += rows.len() as u64;
        for topic in rows {
            remove(&calls, topic).await?;
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(Json(Removed { removed })),
        }
    }
}

/// Some topics of retained messages that match.
fn topics(view: View<'_>, after: Option<Box<str>>, filter: &Filter) -> Piece<Box<str>, String> {
    let messages = view.retained_after(after.as_deref());
    let placed = messages.map(|message| (message.topic.into(), message.topic));
    Piece::of(placed, ROWS, |topic| {
        is_wanted(Some(filter), topic).then(|| topic.to_owned())
    })
}

fn is_wanted(filter: Option<&Filter>, topic: &str) -> bool {
    filter.is_none_or(|Filter(filter)| topic::matches(topic::path_of(filter), topic))
}

async fn remove(calls: &Calls, topic: String) -> Result<(), Trouble> {
    let nothing = Publication::new(topic, "").retained();
    calls.order(Command::Retain(Box::new(nothing))).await?;
    Ok(())
}

/// How much of a message is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GetRetained {
    /// Bytes of the payload that are shown, at most.
    #[serde(default)]
    #[param(value_type = u32, minimum = 0, maximum = 65536, default = 1024)]
    payload_bytes_max: Shown,
}

/// Get the retained message of a topic
#[utoipa::path(
    get, path = "/api/v1/retained/{topic}", tag = "retained",
    params(("topic" = String, Path, description = "A topic name; its slashes are written %2F.", pattern = r"^[^+#\u0000]+$", min_length = 1, max_length = 2048), GetRetained),
    responses(
        (status = 200, description = "The message.", body = Message),
        (status = 404, description = "There is none.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["read"])),
)]
pub(super) async fn get_retained(
    Extract(shared): State,
    Path(Brief(Topic(topic))): Path<Brief<Topic>>,
    Query(query): Query<GetRetained>,
) -> Result<Json<Message>, Problem> {
    let shown = query.payload_bytes_max.get();
    let look = move |view: View<'_>| Some(Message::of(view.retained(&topic)?, shown));
    let message = shared.calls().look(look).await?;
    message.map(Json).ok_or_else(none)
}

/// Remove the retained message of a topic
///
/// Nobody is told.
#[utoipa::path(
    delete, path = "/api/v1/retained/{topic}", tag = "retained",
    params(("topic" = String, Path, description = "A topic name; its slashes are written %2F.", pattern = r"^[^+#\u0000]+$", min_length = 1, max_length = 2048)),
    responses(
        (status = 204, description = "It is removed."),
        (status = 404, description = "There was none.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["manage"])),
)]
pub(super) async fn remove_retained(
    Extract(shared): State,
    caller: Caller,
    Path(Brief(Topic(topic))): Path<Brief<Topic>>,
) -> Result<StatusCode, Problem> {
    info!(by = caller.name(), ?topic, "removing a retained message");
    let calls = shared.calls();
    let looked_for = topic.clone();
    let is_there = calls.look(move |view| view.retained(&looked_for).is_some());
    if !is_there.await? {
        return Err(none());
    }
    remove(&calls, topic).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn none() -> Problem {
    Problem::not_found("there is no retained message of this topic")
}
