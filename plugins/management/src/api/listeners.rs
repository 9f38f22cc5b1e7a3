//! Where clients come in.

use super::{page::Listed, page::Page};
use crate::shared::State;
use axum::{Json, extract::State as Extract};
use sanderling_core::broker::View;
use sanderling_runtime::{Address, Endpoint};
use serde::Serialize;
use utoipa::ToSchema;

/// A place where clients come in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Listener {
    name: String,
    /// `mqtt`, `mqtts`, `ws`, `wss` or `unix`: what is spoken.
    scheme: &'static str,
    /// Address and port, or the file of a Unix socket.
    address: String,
    /// The path of WebSocket; empty for all others.
    path: String,
    /// Whether clients may connect that do not say who they are.
    anonymous: bool,
    /// Network connections through it now.
    connections: u32,
}

/// List the listeners
#[utoipa::path(
    get, path = "/api/v1/listeners", tag = "broker",
    responses((status = 200, description = "All listeners, on one page.", body = Page<Listener>)),
    security(("token" = ["read"])),
)]
pub(super) async fn list_listeners(Extract(shared): State) -> Listed<Listener> {
    let handle = shared.handle.clone();
    let look = move |view: View<'_>| {
        let endpoints = (0..).zip(handle.endpoints());
        endpoints
            .map(|(number, endpoint)| Listener::of(view, number, endpoint))
            .collect()
    };
    let items = shared.calls().look(look).await?;
    Ok(Json(Page { items, next: None }))
}

impl Listener {
    fn of(view: View<'_>, number: u16, endpoint: &Endpoint) -> Self {
        let own = view.config().listener(number);
        Self {
            name: endpoint.name.to_string(),
            scheme: endpoint.scheme,
            address: match &endpoint.address {
                Address::Ip(address) => address.to_string(),
                Address::Unix(file) => file.display().to_string(),
            },
            path: endpoint.path.to_string(),
            anonymous: own.is_none_or(|own| own.anonymous),
            connections: view.connections_of(number),
        }
    }
}
