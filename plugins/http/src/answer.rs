//! One request: what is too large or takes too long is refused here, all else is the router's.

use crate::Limits;
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    http::{
        StatusCode,
        header::{CONNECTION, HeaderValue},
    },
    response::{IntoResponse, Response},
};
use http_body_util::Limited;
use hyper::body::{Body as _, Incoming};
use std::{convert::Infallible, net::SocketAddr};
use tokio::time::timeout;
use tower::ServiceExt;

/// Answers a request from `remote`, which handlers find as [`ConnectInfo<SocketAddr>`].
pub(crate) async fn answer(
    router: Router,
    limits: Limits,
    remote: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let body_bytes = request.body().size_hint().lower();
    if body_bytes > limits.body_bytes_max as u64 {
        return Ok(last(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let mut request = request.map(|body| Body::new(Limited::new(body, limits.body_bytes_max)));
    request.extensions_mut().insert(ConnectInfo(remote));
    let answer = timeout(limits.answer_time_max, router.oneshot(request));
    match answer.await {
        Ok(Ok(response)) => Ok(response),
        Err(_) => Ok(last(StatusCode::REQUEST_TIMEOUT)),
    }
}

/// The last answer on its connection: what is left of the request is not read.
fn last(status: StatusCode) -> Response {
    let mut response = status.into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}
