//! Subscriptions of one client: listed, made and ended. Hooks are neither asked nor told.

use super::{
    envelope::{self, Envelope, Failure},
    fields::Fields,
    page::PageRequest,
    publish::{self, WRONG_TOPIC},
};
use crate::{
    access::Caller,
    calls::{Piece, ROWS},
    shared::State,
    stamp::Stamp,
};
use axum::{
    Json,
    extract::{Path, State as Extract},
    response::IntoResponse,
};
use sanderling_core::{
    broker::{Answer, Command, Filters, NewSubscription, SubscriptionView},
    reason::ReasonCode,
    topic::TopicFilter,
};
use serde::Serialize;
use tracing::info;

#[derive(Serialize)]
pub(super) struct Subscription {
    client_id: String,
    qos: u8,
    name: String,
    at: Stamp,
}

/// The answer has no pager. A client that is not known has none.
pub(super) async fn of_client(
    Extract(shared): State,
    Path(client_id): Path<String>,
    request: PageRequest,
) -> Result<Json<Envelope<Vec<Subscription>>>, Failure> {
    let calls = shared.calls();
    let (mut skip, mut after) = (request.skip(), None);
    let mut page = Vec::new();
    while page.len() < request.count() {
        let client_id = client_id.clone();
        let look = move |view: sanderling_core::broker::View<'_>| {
            let after: Option<Box<str>> = after;
            match view.session(&client_id) {
                Some(session) => piece(session.subscriptions_after(after.as_deref()), &client_id),
                None => piece(
                    view.reserved_after(&client_id, after.as_deref()),
                    &client_id,
                ),
            }
        };
        let Piece { rows, next } = calls.look(look).await?;
        let passed = skip.min(rows.len());
        skip -= passed;
        let room = request.count() - page.len();
        page.extend(rows.into_iter().skip(passed).take(room));
        match next {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    Ok(envelope::ok(page))
}

fn piece<'a>(
    subscriptions: impl Iterator<Item = SubscriptionView<'a>>,
    client_id: &str,
) -> Piece<Box<str>, Subscription> {
    let placed = subscriptions.map(|one| (one.filter.into(), one));
    Piece::of(placed, ROWS, |one| {
        Some(Subscription {
            client_id: client_id.into(),
            qos: one.options.qos as u8,
            name: one.filter.into(),
            at: Stamp(one.at),
        })
    })
}

pub(super) async fn subscribe(
    Extract(shared): State,
    caller: Caller,
    form: Fields,
) -> Result<impl IntoResponse, Failure> {
    let qos = publish::qos(&form)?;
    let filter = filter(&form)?;
    let client_id = client_id(&form)?;
    info!(
        by = caller.name(),
        ?client_id,
        ?filter,
        "making a subscription"
    );
    let command = Command::Subscribe {
        client_id,
        subscriptions: vec![NewSubscription::new(filter, qos)],
    };
    let Answer::Subscribed(outcomes) = shared.calls().order(command).await? else {
        unreachable!("a subscription was to be made");
    };
    match outcomes.first() {
        Some(Err(ReasonCode::TOPIC_FILTER_INVALID)) => Err(Failure::Wrong(WRONG_TOPIC)),
        Some(Err(_)) => Err(Failure::Wrong("quota exceeded")),
        _ => Ok(envelope::done()),
    }
}

/// That there was none is fine.
pub(super) async fn unsubscribe(
    Extract(shared): State,
    caller: Caller,
    form: Fields,
) -> Result<impl IntoResponse, Failure> {
    let filter = filter(&form)?;
    let client_id = client_id(&form)?;
    info!(
        by = caller.name(),
        ?client_id,
        ?filter,
        "ending a subscription"
    );
    let filters = Filters::These(vec![filter]);
    let command = Command::Unsubscribe { client_id, filters };
    shared.calls().order(command).await?;
    Ok(envelope::done())
}

fn filter(form: &Fields) -> Result<Box<str>, Failure> {
    let filter = form.text("topic");
    match TopicFilter::parse(filter) {
        Ok(_) => Ok(filter.into()),
        Err(_) => Err(Failure::Wrong(WRONG_TOPIC)),
    }
}

/// A client identifier as a CONNECT may have it. [MQTT-3.1.3-4]
fn client_id(form: &Fields) -> Result<Box<str>, Failure> {
    match form.text("clientID") {
        "" => Err(Failure::Wrong("invalid clientID")),
        id if id.len() > usize::from(u16::MAX) || id.contains('\0') => {
            Err(Failure::Wrong("invalid clientID"))
        }
        id => Ok(id.into()),
    }
}
