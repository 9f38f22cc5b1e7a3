//! Clients: who is connected, from where, and how to get rid of one.

use super::{
    extract::{Path, Query},
    page::{Limit, Listed, Number, Page},
    problem::Problem,
    sessions::page_of_sessions,
    text::Brief,
};
use crate::{
    access::Caller,
    shared::{Shared, State},
    stamp::Stamp,
};
use axum::{Json, extract::State as Extract, http::StatusCode};
use sanderling_core::{
    broker::{Answer, Command, SessionView, View},
    packet::Version,
    reason::ReasonCode,
};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use tracing::info;
use utoipa::{IntoParams, ToSchema};

/// A client that is connected.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Client {
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    protocol_version: ProtocolVersion,
    /// The listener that it came in by; missing for a client inside the broker's own program.
    #[serde(skip_serializing_if = "Option::is_none")]
    listener: Option<String>,
    /// Where it came from, unless that was a Unix socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    remote_address: Option<SocketAddr>,
    /// Whether a proxy gave that address.
    announced_by_proxy: bool,
    /// Whether it proved who it is by a certificate.
    has_certificate: bool,
    clean_start: bool,
    /// Seconds; 0 for none.
    keep_alive_s: u16,
    #[schema(value_type = String, format = DateTime)]
    connected_at: Stamp,
    /// Bytes sent to it that the network has not taken yet.
    outbound_bytes: u32,
}

/// A version of MQTT.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) enum ProtocolVersion {
    #[serde(rename = "3.1")]
    V31,
    #[serde(rename = "3.1.1")]
    V311,
    #[serde(rename = "5.0")]
    V5,
}

impl From<Version> for ProtocolVersion {
    fn from(version: Version) -> Self {
        match version {
            Version::V31 => Self::V31,
            Version::V311 => Self::V311,
            Version::V5 => Self::V5,
        }
    }
}

/// Which clients are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListClients {
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
    /// Only those with this user name.
    username: Option<String>,
    /// Only those that came in by the listener with this name.
    listener: Option<String>,
}

/// List the clients that are connected
///
/// Their order means nothing, and stays. One that is connected all the time is on one page.
#[utoipa::path(
    get, path = "/api/v1/clients", tag = "clients",
    params(ListClients),
    responses((status = 200, description = "A page of clients.", body = Page<Client>)),
    security(("token" = ["read"])),
)]
pub(super) async fn list_clients(
    Extract(shared): State,
    Query(query): Query<ListClients>,
) -> Listed<Client> {
    let ListClients { limit, cursor, .. } = query;
    let prefix = query.client_id_prefix.unwrap_or_default();
    let username = query.username;
    let listener = query.listener.map(|name| shared.numbers_of(&name));
    let names = shared.names();
    let row = move |view: View<'_>, session: SessionView<'_>| {
        let is_wanted = session.client_id().starts_with(&prefix)
            && username
                .as_deref()
                .is_none_or(|name| session.username() == Some(name))
            && listener.as_ref().is_none_or(|numbers| {
                session
                    .link()
                    .is_some_and(|link| numbers.contains(&link.listener))
            });
        is_wanted
            .then(|| Client::of(view, session, &names))
            .flatten()
    };
    page_of_sessions(&shared, cursor, limit, row).await
}

/// Get a client that is connected
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}", tag = "clients",
    params(("client_id" = String, Path, description = "A client identifier.", min_length = 1, max_length = 2048)),
    responses(
        (status = 200, description = "The client.", body = Client),
        (status = 404, description = "No such client is connected.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["read"])),
)]
pub(super) async fn get_client(
    Extract(shared): State,
    Path(Brief(client_id)): Path<Brief<String>>,
) -> Result<Json<Client>, Problem> {
    let names = shared.names();
    let look = move |view: View<'_>| Client::of(view, view.session(&client_id)?, &names);
    let client = shared.calls().look(look).await?;
    client.map(Json).ok_or_else(not_connected)
}

/// What a client is told when its connection is closed.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum CloseReason {
    #[default]
    AdministrativeAction,
    NotAuthorized,
    Banned,
    ServerBusy,
    QuotaExceeded,
    MessageRateTooHigh,
    MaximumConnectTime,
    UseAnotherServer,
    ServerMoved,
    UnspecifiedError,
}

impl From<CloseReason> for ReasonCode {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::AdministrativeAction => Self::ADMINISTRATIVE_ACTION,
            CloseReason::NotAuthorized => Self::NOT_AUTHORIZED,
            CloseReason::Banned => Self::BANNED,
            CloseReason::ServerBusy => Self::SERVER_BUSY,
            CloseReason::QuotaExceeded => Self::QUOTA_EXCEEDED,
            CloseReason::MessageRateTooHigh => Self::MESSAGE_RATE_TOO_HIGH,
            CloseReason::MaximumConnectTime => Self::MAXIMUM_CONNECT_TIME,
            CloseReason::UseAnotherServer => Self::USE_ANOTHER_SERVER,
            CloseReason::ServerMoved => Self::SERVER_MOVED,
            CloseReason::UnspecifiedError => Self::UNSPECIFIED_ERROR,
        }
    }
}

/// How to close a connection.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CloseClient {
    /// What a client of MQTT 5.0 is told.
    #[serde(default)]
    #[param(inline, required = false)]
    reason: CloseReason,
}

/// Close a client's connection
///
/// Its will is published. Its session stays as long as it would if the network had failed.
#[utoipa::path(
    delete, path = "/api/v1/clients/{client_id}", tag = "clients",
    params(("client_id" = String, Path, description = "A client identifier.", min_length = 1, max_length = 2048), CloseClient),
    responses(
        (status = 204, description = "It is closed."),
        (status = 404, description = "No such client is connected.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["manage"])),
)]
pub(super) async fn close_client(
    Extract(shared): State,
    caller: Caller,
    Path(Brief(client_id)): Path<Brief<String>>,
    Query(CloseClient { reason }): Query<CloseClient>,
) -> Result<StatusCode, Problem> {
    info!(by = caller.name(), ?client_id, ?reason, "closing a client");
    let command = Command::Close {
        client_id: client_id.into(),
        reason: reason.into(),
    };
    match shared.calls().order(command).await? {
        Answer::Closed(true) => Ok(StatusCode::NO_CONTENT),
        _ => Err(not_connected()),
    }
}

fn not_connected() -> Problem {
    Problem::not_found("no such client is connected")
}

impl Client {
    /// None if it is not connected.
    fn of(view: View<'_>, session: SessionView<'_>, names: &[Box<str>]) -> Option<Self> {
        let (link, conn) = (session.link()?, session.conn()?);
        let listener = names.get(usize::from(link.listener));
        Some(Self {
            client_id: session.client_id().into(),
            username: session.username().map(Into::into),
            protocol_version: session.version().into(),
            listener: listener.map(|name| name.to_string()),
            remote_address: link.remote,
            announced_by_proxy: link.is_announced,
            has_certificate: link.identity.is_some(),
            clean_start: session.clean_start(),
            keep_alive_s: session.keep_alive_s(),
            connected_at: Stamp(session.connected_at()?),
            outbound_bytes: view.outbound_bytes(conn).unwrap_or(0),
        })
    }
}

impl Shared {
    /// The numbers of the listeners with this name.
    pub(super) fn numbers_of(&self, name: &str) -> Vec<u16> {
        let endpoints = (0..).zip(self.handle.endpoints());
        let these = endpoints.filter(|(_, endpoint)| *endpoint.name == *name);
        these.map(|(number, _)| number).collect()
    }

    /// The names of all listeners, by number.
    pub(super) fn names(&self) -> Vec<Box<str>> {
        let endpoints = self.handle.endpoints().iter();
        endpoints.map(|endpoint| endpoint.name.clone()).collect()
    }
}
