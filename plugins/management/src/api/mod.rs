//! `/api/v1`: the broker as resources, with a document that says all of it.
//!
//! The document is made of the very routes, and the check of a request reads in it which scope an operation needs: what
//! is not documented cannot be called.
#![allow(
    unused_qualifications,
    reason = "what `utoipa::path` makes names things from above"
)]

mod clients;
mod config;
mod document;
mod extract;
mod guard;
mod health;
mod listeners;
mod message;
mod messages;
mod page;
mod problem;
mod properties;
mod publish;
mod retained;
mod sessions;
mod statistics;
mod subscriptions;
mod text;
mod topics;

use crate::shared::{Shared, State};
use axum::{
    Router,
    extract::State as Extract,
    http::{HeaderMap, Method, StatusCode, Uri},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
pub(crate) use health::Pulse;
pub(crate) use problem::{Code, Problem};
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes and their document.
pub(crate) fn router(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    let (router, document) = document::finish(routes());
    let guard = guard::Guard::new(Arc::clone(shared), &document);
    router
        .method_not_allowed_fallback(wrong_method)
        .route_layer(from_fn_with_state(Arc::new(guard), guard::check))
}

/// The answer where there is nothing.
pub(crate) async fn unknown(Extract(shared): State, headers: HeaderMap, uri: Uri) -> Response {
    if !uri.path().starts_with("/api/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    match shared.keys.check_token(&headers, None) {
        Ok(_) => Problem::not_found("there is nothing here").into_response(),
        Err(denial) => guard::refuse(denial),
    }
}

/// The document, as it is served.
pub(crate) fn document() -> String {
    let (_, document) = document::finish(routes());
    let mut text = document.to_pretty_json().expect("texts and numbers");
    text.push('\n');
    text
}

fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(document::begin())
        .routes(routes!(clients::list_clients))
        .routes(routes!(clients::get_client, clients::close_client))
        .routes(routes!(sessions::list_sessions))
        .routes(routes!(sessions::get_session, sessions::end_session))
        .routes(routes!(messages::list_queue))
        .routes(routes!(messages::list_inflight))
        .routes(routes!(publish::publish_to_session))
        .routes(routes!(
            subscriptions::list_subscriptions,
            subscriptions::make_subscription,
            subscriptions::remove_subscription
        ))
        .routes(routes!(topics::list_topics))
        .routes(routes!(retained::list_retained, retained::remove_matching))
        .routes(routes!(retained::get_retained, retained::remove_retained))
        .routes(routes!(publish::publish))
        .routes(routes!(listeners::list_listeners))
        .routes(routes!(config::get_config))
        .routes(routes!(statistics::get_statistics))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(document::get_document))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        Code::MethodNotAllowed,
        format!("there is no {method} of {}", uri.path()),
    )
}
