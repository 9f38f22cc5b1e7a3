//! Subscriptions of all clients, or of one: listed, made and ended. Hooks are neither asked nor told.

use super::{
    extract::{Body, Query},
    page::{Limit, Listed, Page},
    problem::{Code, Problem},
    text::{Brief, ClientId, Filter, Qos, Topic},
};
use crate::{
    access::Caller,
    calls::{PIECE, Piece},
    shared::State,
    stamp::Stamp,
};
use axum::{Json, extract::State as Extract, http::StatusCode};
use sanderling_core::{
    broker::{Answer, Command, Filters, NewSubscription, SessionView, SubscriptionView, View},
    packet::{RetainHandling, SubscribeOptions},
    reason::ReasonCode,
    topic,
};
use serde::{Deserialize, Deserializer, Serialize, de};
use tracing::info;
use utoipa::{IntoParams, ToSchema};

/// A subscription.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Subscription {
    client_id: String,
    filter: String,
    /// The highest QoS that messages are delivered with.
    qos: Qos,
    no_local: bool,
    retain_as_published: bool,
    /// 0 for none.
    identifier: u32,
    /// When it was made or replaced last.
    #[schema(value_type = String, format = DateTime)]
    at: Stamp,
}

/// Which subscriptions are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListSubscriptions {
    /// Items on the page, at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 1000, default = 100)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default)]
    #[param(value_type = String, pattern = r"^[0-9]{1,10}(\.[^\u0000]*)?$", required = false)]
    cursor: Cursor,
    /// Only those of this client. If it has no session: those that wait for its first one.
    #[param(value_type = Option<String>, pattern = r"^[^\u0000]+$", min_length = 1, max_length = 2048)]
    client_id: Option<Brief<ClientId>>,
    /// Only those with exactly this filter.
    #[param(value_type = Option<String>, pattern = r"^(\$share/[^/+#\u0000]+/)?((([^/+#\u0000]*|\+)/)+([^/+#\u0000]+|\+|#)?|[^/+#\u0000]+|\+|#)$", min_length = 1, max_length = 2048)]
    filter: Option<Brief<Filter>>,
    /// Only those that match this topic name.
    #[param(value_type = Option<String>, pattern = r"^[^+#\u0000]+$", min_length = 1, max_length = 2048)]
    matches: Option<Brief<Topic>>,
}

/// Where a page begins: with a session, after one of its filters.
#[derive(Clone, Debug, Default)]
struct Cursor {
    session: u32,
    after: Option<Box<str>>,
}

/// What subscriptions are compared with.
#[derive(Clone)]
struct Wanted {
    filter: Option<Filter>,
    matches: Option<Topic>,
}

/// List subscriptions
///
/// Their order means nothing, and stays. One that is there all the time is on one page.
#[utoipa::path(
    get, path = "/api/v1/subscriptions", tag = "subscriptions",
    params(ListSubscriptions),
    responses((status = 200, description = "A page of subscriptions.", body = Page<Subscription>)),
    security(("token" = ["read"])),
)]
pub(super) async fn list_subscriptions(
    Extract(shared): State,
    Query(query): Query<ListSubscriptions>,
) -> Listed<Subscription> {
    let wanted = Wanted {
        filter: query.filter.map(|Brief(filter)| filter),
        matches: query.matches.map(|Brief(topic)| topic),
    };
    let limit = query.limit.get();
    let calls = shared.calls();
    let found = match query.client_id {
        Some(Brief(ClientId(client_id))) => {
            let piece = move |view: View<'_>, from, room| {
                piece_of_client(view, &client_id, from, room, &wanted)
            };
            calls.walk(query.cursor, limit, piece, |_| false).await?
        }
        None => {
            let piece = move |view: View<'_>, from, room| piece_of_all(view, from, room, &wanted);
            calls.walk(query.cursor, limit, piece, |_| false).await?
        }
    };
    Ok(Json(Page {
        items: found.rows,
        next: found.next.map(|cursor| cursor.to_text()),
    }))
}

/// Subscriptions of one client, in the order of their filters.
fn piece_of_client(
    view: View<'_>,
    client_id: &str,
    from: Cursor,
    room: usize,
    wanted: &Wanted,
) -> Piece<Cursor, Subscription> {
    let after = from.after.as_deref();
    let row = |one| wanted.row(client_id, one);
    let placed = |one: &SubscriptionView<'_>| Cursor {
        session: 0,
        after: Some(one.filter.into()),
    };
    match view.session(client_id) {
        Some(session) => {
            let some = session.subscriptions_after(after);
            Piece::of(some.map(|one| (placed(&one), one)), room, row)
        }
        None => {
            let some = view.reserved_after(client_id, after);
            Piece::of(some.map(|one| (placed(&one), one)), room, row)
        }
    }
}

/// Subscriptions of all sessions, in the order of their numbers. A session without any counts for one that is looked at.
fn piece_of_all(
    view: View<'_>,
    from: Cursor,
    room: usize,
    wanted: &Wanted,
) -> Piece<Cursor, Subscription> {
    let mut looked_at = 0;
    let mut rows = Vec::new();
    for (number, session) in wanted.sessions(view, from.session) {
        let mut after = from.after.clone().filter(|_| number == from.session);
        for one in session.subscriptions_after(after.clone().as_deref()) {
            if rows.len() >= room || looked_at >= PIECE {
                let next = Some(Cursor {
                    session: number,
                    after,
                });
                return Piece { rows, next };
            }
            looked_at += 1;
            after = Some(one.filter.into());
            rows.extend(wanted.row(session.client_id(), one));
        }
        looked_at += 1;
        if rows.len() >= room || looked_at >= PIECE {
            let session = number + 1;
            let next = Some(Cursor {
                session,
                after: None,
            });
            return Piece { rows, next };
        }
    }
    Piece { rows, next: None }
}

impl Wanted {
    /// The sessions that may have such subscriptions, from a number on: as few as can be told without a look at them.
    fn sessions<'a>(
        &self,
        view: View<'a>,
        from: u32,
    ) -> Box<dyn Iterator<Item = (u32, SessionView<'a>)> + 'a> {
        let filter = self.filter.as_ref();
        let topic = self.matches.as_ref();
        let of_filter = filter.and_then(|Filter(one)| view.few_subscribers(one, from, PIECE));
        if let Some(those) = of_filter {
            return Box::new(those);
        }
        match topic.and_then(|Topic(topic)| view.few_matching(topic, from, PIECE)) {
            Some(those) => Box::new(those),
            None => Box::new(view.sessions_from(from)),
        }
    }

    fn row(&self, client_id: &str, one: SubscriptionView<'_>) -> Option<Subscription> {
        let filter = self.filter.as_ref();
        let topic = self.matches.as_ref();
        let is_wanted = filter.is_none_or(|Filter(filter)| filter == one.filter)
            && topic.is_none_or(|Topic(topic)| topic::matches(topic::path_of(one.filter), topic));
        is_wanted.then(|| Subscription {
            client_id: client_id.into(),
            filter: one.filter.into(),
            qos: one.options.qos.into(),
            no_local: one.options.no_local,
            retain_as_published: one.options.retain_as_published,
            identifier: one.identifier,
            at: Stamp(one.at),
        })
    }
}

/// A subscription to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOne {
    client_id: ClientId,
    filter: Filter,
    #[serde(default)]
    #[schema(required = false)]
    qos: Qos,
    /// Do not deliver what the client published itself.
    #[serde(default)]
    #[schema(required = false)]
    no_local: bool,
    /// Tell of live messages whether they were published to be retained.
    #[serde(default)]
    #[schema(required = false)]
    retain_as_published: bool,
}

/// Whether there was one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Made {
    /// There was one with this filter.
    replaced: bool,
}

/// Make or replace a subscription
///
/// Hooks are not asked, and retained messages are not sent. If the client has no session it waits for its first one.
#[utoipa::path(
    post, path = "/api/v1/subscriptions", tag = "subscriptions",
    request_body = NewOne,
    responses(
        (status = 200, description = "It is made.", body = Made),
        (status = 409, description = "The filter has too many levels or contradicts `no_local`, or a limit is reached.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["manage"])),
)]
pub(super) async fn make_subscription(
    Extract(shared): State,
    caller: Caller,
    Body(new): Body<NewOne>,
) -> Result<Json<Made>, Problem> {
    let (ClientId(client_id), Filter(filter)) = (new.client_id, new.filter);
    let depth = topic::depth(topic::path_of(&filter));
    if new.no_local && filter.starts_with("$share/") {
        // [MQTT-3.8.3-4]
        return Err(Problem::conflict(
            Code::Conflict,
            "a shared subscription cannot have no_local",
        ));
    }
    info!(
        by = caller.name(),
        ?client_id,
        ?filter,
        "making a subscription"
    );
    let options = SubscribeOptions {
        qos: new.qos.into(),
        no_local: new.no_local,
        retain_as_published: new.retain_as_published,
        retain_handling: RetainHandling::default(),
    };
    let command = Command::Subscribe {
        client_id: client_id.into(),
        subscriptions: vec![NewSubscription {
            options,
            ..NewSubscription::new(filter, options.qos)
        }],
    };
    let calls = shared.calls();
    let levels_max = calls.look(|view| view.config().limits.topic_levels_max);
    if depth > usize::from(levels_max.await?) {
        return Err(Problem::too_deep());
    }
    let Answer::Subscribed(outcomes) = calls.order(command).await? else {
        unreachable!("a subscription was to be made");
    };
    match outcomes.first() {
        Some(Ok(replaced)) => Ok(Json(Made {
            replaced: *replaced,
        })),
        Some(Err(ReasonCode::TOPIC_FILTER_INVALID)) => {
            Err(Problem::conflict(Code::Conflict, "the filter is refused"))
        }
        _ => Err(Problem::conflict(
            Code::LimitReached,
            "there is no room for one more subscription",
        )),
    }
}

/// Which subscription is to be ended.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveSubscription {
    /// Whose.
    #[param(value_type = String, pattern = r"^[^\u0000]+$", min_length = 1, max_length = 2048)]
    client_id: Brief<ClientId>,
    /// Its filter.
    #[param(value_type = String, pattern = r"^(\$share/[^/+#\u0000]+/)?((([^/+#\u0000]*|\+)/)+([^/+#\u0000]+|\+|#)?|[^/+#\u0000]+|\+|#)$", min_length = 1, max_length = 2048)]
    filter: Brief<Filter>,
}

/// End a subscription
///
/// Hooks are not told.
#[utoipa::path(
    delete, path = "/api/v1/subscriptions", tag = "subscriptions",
    params(RemoveSubscription),
    responses(
        (status = 204, description = "It is ended."),
        (status = 404, description = "There was none.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["manage"])),
)]
pub(super) async fn remove_subscription(
    Extract(shared): State,
    caller: Caller,
    Query(query): Query<RemoveSubscription>,
) -> Result<StatusCode, Problem> {
    let (Brief(ClientId(client_id)), Brief(Filter(filter))) = (query.client_id, query.filter);
    info!(
        by = caller.name(),
        ?client_id,
        ?filter,
        "ending a subscription"
    );
    let command = Command::Unsubscribe {
        client_id: client_id.into(),
        filters: Filters::These(vec![filter.into()]),
    };
    match shared.calls().order(command).await? {
        Answer::Unsubscribed(outcomes) if outcomes == [true] => Ok(StatusCode::NO_CONTENT),
        _ => Err(Problem::not_found("there is no such subscription")),
    }
}

impl Cursor {
    fn to_text(&self) -> String {
        match &self.after {
            None => self.session.to_string(),
            Some(after) => format!("{}.{after}", self.session),
        }
    }

    /// One beyond all sessions is at the end.
    fn parse(text: &str) -> Option<Self> {
        let (number, after) = match text.split_once('.') {
            None => (text, None),
            Some((number, after)) => (number, Some(after.into())),
        };
        Some(Self {
            session: super::page::Number::parse(number)?.short(),
            after,
        })
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("a cursor comes from a page before"))
    }
}
