//! Clients: what their last CONNECT said, and where they came from.

use super::{
    envelope::{self, Envelope, Failure, NOT_FOUND},
    page::{Page, PageRequest},
};
use crate::{
    access::Caller,
    calls::ROWS,
    roll::{CameBy, Member},
    shared::{Shared, State},
    stamp::Stamp,
};
use axum::{
    Json,
    extract::{Path, State as Extract},
    response::IntoResponse,
};
use sanderling_core::{
    broker::{Command, SessionView},
    packet::QoS,
    reason::ReasonCode,
    time::WallClock,
};
use sanderling_runtime::Address;
use serde::Serialize;
use tracing::info;

#[derive(Serialize)]
pub(super) struct Client {
    client_id: String,
    username: String,
    password: String,
    keep_alive: u16,
    clean_session: bool,
    #[serde(flatten)]
    will: Will,
    remote_addr: String,
    local_addr: String,
    connected_at: Stamp,
    disconnected_at: Stamp,
}

#[derive(Default, Serialize)]
struct Will {
    will_flag: bool,
    will_retain: bool,
    will_qos: u8,
    will_topic: String,
    will_payload: String,
}

/// Stands for a password that is there and not shown.
const MASK: &str = "******";

pub(super) async fn list(
    Extract(shared): State,
    request: PageRequest,
) -> Result<Json<Envelope<Page<Client>>>, Failure> {
    let calls = shared.calls();
    let (members, total) = shared.roll.page(request.skip(), request.count());
    let mut clients = Vec::new();
    for some in members.chunks(ROWS) {
        let (some, show) = (some.to_vec(), shared.show_passwords);
        let found = calls.look(move |view| {
            let found = some.into_iter().filter_map(|member| {
                let session = view.session(&member.client_id)?;
                Some((Client::of(session, show), member.came_by))
            });
            found.collect::<Vec<_>>()
        });
        let found = found.await?.into_iter();
        clients.extend(found.map(|(client, came_by)| client.from(came_by, &shared)));
    }
    Ok(envelope::ok(request.page(clients, total)))
}

pub(super) async fn one(
    Extract(shared): State,
    Path(client_id): Path<String>,
) -> Result<Json<Envelope<Client>>, Failure> {
    let Some(Member { client_id, came_by }) = shared.roll.find(&client_id) else {
        return Err(NOT_FOUND);
    };
    let show = shared.show_passwords;
    let look = move |view: sanderling_core::broker::View<'_>| {
        view.session(&client_id)
            .map(|session| Client::of(session, show))
    };
    let client = shared.calls().look(look).await?.ok_or(NOT_FOUND)?;
    Ok(envelope::ok(client.from(came_by, &shared)))
}

/// That there is nobody to close is fine.
pub(super) async fn close(
    Extract(shared): State,
    caller: Caller,
    Path(client_id): Path<String>,
) -> Result<impl IntoResponse, Failure> {
    info!(by = caller.name(), ?client_id, "closing a client");
    let command = Command::Close {
        client_id: client_id.into(),
        reason: ReasonCode::ADMINISTRATIVE_ACTION,
    };
    shared.calls().order(command).await?;
    Ok(envelope::done())
}

impl Client {
    fn of(session: SessionView<'_>, show_password: bool) -> Self {
        let connect = session.connect();
        let password = connect.as_ref().and_then(|connect| connect.password);
        let kept = connect.as_ref().and_then(|connect| connect.will.as_ref());
        let will = match (kept, session.will()) {
            (Some(will), _) => Will::of(will.topic.as_str(), will.payload, will.qos, will.retain),
            (None, Some(will)) => Will::of(will.topic, will.payload, will.qos, will.retain),
            (None, None) => Will::default(),
        };
        Self {
            client_id: session.client_id().into(),
            username: session.username().unwrap_or_default().into(),
            password: match password {
                Some(password) if show_password => String::from_utf8_lossy(password).into(),
                Some(_) => MASK.into(),
                None => String::new(),
            },
            keep_alive: session.keep_alive_s(),
            clean_session: session.clean_start(),
            will,
            remote_addr: String::new(),
            local_addr: String::new(),
            connected_at: or_epoch(session.connected_at()),
            disconnected_at: or_epoch(session.disconnected_at()),
        }
    }

    fn from(self, came_by: CameBy, shared: &Shared) -> Self {
        let remote = came_by.remote.map(|remote| remote.to_string());
        let endpoint = shared.endpoint(came_by.listener);
        let local = endpoint.map(|endpoint| match &endpoint.address {
            Address::Ip(address) => address.to_string(),
            Address::Unix(file) => file.display().to_string(),
        });
        Self {
            remote_addr: remote.unwrap_or_default(),
            local_addr: local.unwrap_or_default(),
            ..self
        }
    }
}

impl Will {
    fn of(topic: &str, payload: &[u8], qos: QoS, retain: bool) -> Self {
        Self {
            will_flag: true,
            will_retain: retain,
            will_qos: qos as u8,
            will_topic: topic.into(),
            will_payload: String::from_utf8_lossy(payload).into(),
        }
    }
}

/// What has not happened was in 1970.
pub(super) fn or_epoch(at: Option<WallClock>) -> Stamp {
    Stamp(at.unwrap_or(WallClock(0)))
}
