//! The form of every answer.

use crate::{access::Denial, calls::Trouble};
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Envelope<T> {
    code: i8,
    message: String,
    data: T,
}

#[derive(Serialize)]
pub(super) struct Nothing {}

/// What was asked for.
pub(super) fn ok<T: Serialize>(data: T) -> Json<Envelope<T>> {
    Json(Envelope {
        code: 0,
        message: String::new(),
        data,
    })
}

/// It was done, and there is nothing to tell.
pub(super) fn done() -> Json<Envelope<Nothing>> {
    ok(Nothing {})
}

/// What is wrong with the request.
pub(super) fn fail(message: &str) -> Json<Envelope<Nothing>> {
    Json(Envelope {
        code: -1,
        message: message.into(),
        data: Nothing {},
    })
}

/// Why a request was not carried out.
pub(super) enum Failure {
    /// Something is wrong with it.
    Wrong(&'static str),
    /// Who sent it may not do that.
    Denied(Denial),
    /// The broker gave no answer.
    Trouble(Trouble),
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Wrong(message) => fail(message).into_response(),
            Self::Denied(denial) => super::refuse(denial),
            Self::Trouble(trouble) => {
                (StatusCode::SERVICE_UNAVAILABLE, fail(trouble.text())).into_response()
            }
        }
    }
}

pub(super) const NOT_FOUND: Failure = Failure::Wrong("not found");
