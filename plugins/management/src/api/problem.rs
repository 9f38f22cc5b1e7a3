//! What went wrong, as `application/problem+json`. [RFC 9457]
//!
//! [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457

use crate::calls::Trouble;
use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not carried out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The HTTP status in words.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What programs go by: it stays when words change.
    code: Code,
    /// What people read.
    detail: String,
}

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    /// Something in the request is not as the document says.
    InvalidRequest,
    /// No token, or none that is good.
    Unauthorized,
    /// The token has not the scope.
    Forbidden,
    /// The request comes from a page of another site.
    CrossOrigin,
    /// The request is for a host that this is not.
    Misdirected,
    /// There is no such thing.
    NotFound,
    /// It cannot be asked for like this.
    MethodNotAllowed,
    /// A topic name or filter has more levels than the broker's limit.
    TopicTooDeep,
    /// A limit of the broker is reached.
    LimitReached,
    /// What was asked for contradicts itself.
    Conflict,
    /// The body, or the message in it, is too long.
    TooLarge,
    /// The body is no JSON.
    UnsupportedMediaType,
    /// The broker gave no answer in time, or too many ask.
    Busy,
    /// The broker is stopping, or has stopped.
    Stopped,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: Code, detail: impl Into<String>) -> Self {
        Self {
            title: status.canonical_reason().unwrap_or_default().into(),
            status: status.as_u16(),
            code,
            detail: detail.into(),
        }
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::InvalidRequest, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, detail)
    }

    pub(super) fn conflict(code: Code, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    pub(super) fn too_deep() -> Self {
        Self::conflict(
            Code::TopicTooDeep,
            "the topic has more levels than the broker's limit",
        )
    }

    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, detail)
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        let code = match trouble {
            Trouble::Busy => Code::Busy,
            Trouble::Stopped => Code::Stopped,
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, trouble.text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).expect("it was made of one");
        let body = serde_json::to_vec(&self).expect("texts and numbers");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, kind);
        if matches!(self.status, 429 | 503) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
