//! The nine routes of the broker that this one succeeds, as its clients know them.
//!
//! Answers are `{"code", "message", "data"}` with status 200, also those that say what is wrong with a request. Only who
//! may not call at all, or calls a broker that does not answer, gets another status.

mod clients;
mod envelope;
mod fields;
mod page;
mod publish;
mod sessions;
mod subscriptions;

use crate::{
    access::{Denial, Scope},
    shared::{Shared, State},
};
use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::{Method, StatusCode, header::WWW_AUTHENTICATE},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post},
};
use std::sync::Arc;

/// The routes, each with the scope that a token needs for it. An account may call all.
pub(crate) fn router(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    let client = get(clients::one).merge(delete(clients::close));
    let routes: [(&str, MethodRouter<Arc<Shared>>); 8] = [
        ("/clients", get(clients::list)),
        ("/client/{id}", client),
        ("/sessions", get(sessions::list)),
        ("/session/{id}", get(sessions::one)),
        ("/subscriptions/{id}", get(subscriptions::of_client)),
        ("/subscribe", post(subscriptions::subscribe)),
        ("/unsubscribe", post(subscriptions::unsubscribe)),
        ("/publish", post(publish::publish)),
    ];
    let mut router = Router::new();
    for (path, methods) in routes {
        router = router.route(path, methods);
    }
    router
        .method_not_allowed_fallback(|| async { StatusCode::NOT_FOUND })
        .route_layer(from_fn_with_state(Arc::clone(shared), check))
}

fn scope_of(method: &Method, path: &str) -> Scope {
    match (method, path) {
        (&Method::GET | &Method::HEAD, _) => Scope::Read,
        (_, "/publish") => Scope::Publish,
        _ => Scope::Manage,
    }
}

/// Lets a request pass whose sender may send it.
async fn check(
    axum::extract::State(shared): State,
    path: MatchedPath,
    mut request: Request,
    next: Next,
) -> Response {
    let scope = scope_of(request.method(), path.as_str());
    match shared.keys.check(request.headers(), Some(scope)).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(denial) => refuse(denial),
    }
}

/// The answer to one who may not do what was asked for.
fn refuse(denial: Denial) -> Response {
    match denial {
        Denial::Unknown => {
            let asks = [
                (
                    WWW_AUTHENTICATE,
                    "Basic realm=\"sanderling\", charset=\"UTF-8\"",
                ),
                (WWW_AUTHENTICATE, "Bearer realm=\"sanderling\""),
            ];
            let body = envelope::fail("authentication is needed");
            let mut response = (StatusCode::UNAUTHORIZED, body).into_response();
            for (name, value) in asks {
                response
                    .headers_mut()
                    .append(name, value.parse().expect("a header value"));
            }
            response
        }
        Denial::Scope(scope) => {
            let text = format!("the token has not the scope {}", scope.name());
            (StatusCode::FORBIDDEN, envelope::fail(&text)).into_response()
        }
        Denial::Later => {
            let body = envelope::fail("too many logins are being tried; try again later");
            let later = [("retry-after", "1")];
            (StatusCode::TOO_MANY_REQUESTS, later, body).into_response()
        }
    }
}
