//! Who may do what: the check before every operation, by what the document says.

use super::problem::{Code, Problem};
use crate::{
    access::{Denial, Scope},
    shared::Shared,
};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header::WWW_AUTHENTICATE},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{collections::HashMap, sync::Arc};
use utoipa::openapi::{OpenApi, path::Operation};

/// Which scope each operation needs.
pub(super) struct Guard {
    shared: Arc<Shared>,
    needs: HashMap<(Method, String), Need>,
}

/// What an operation needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Need {
    Nothing,
    Token(Option<Scope>),
}

impl Guard {
    pub(super) fn new(shared: Arc<Shared>, document: &OpenApi) -> Self {
        let mut needs = HashMap::new();
        for (path, item) in &document.paths.paths {
            let methods = [
                (Method::GET, &item.get),
                (Method::HEAD, &item.get),
                (Method::PUT, &item.put),
                (Method::POST, &item.post),
                (Method::DELETE, &item.delete),
                (Method::PATCH, &item.patch),
            ];
            for (method, operation) in methods {
                if let Some(operation) = operation {
                    needs.insert((method, path.clone()), Need::of(operation));
                }
            }
        }
        Self { shared, needs }
    }

    /// What is not in the document needs a token, too, if only to be told so.
    fn need(&self, method: &Method, path: &str) -> Need {
        let need = self.needs.get(&(method.clone(), path.to_owned()));
        need.copied().unwrap_or(Need::Token(None))
    }
}

impl Need {
    fn of(operation: &Operation) -> Self {
        let Some(security) = &operation.security else {
            return Self::Nothing;
        };
        let text = serde_json::to_string(security).expect("texts");
        let named = Scope::ALL.into_iter().find(|scope| {
            let scope = format!("\"{}\"", scope.name());
            text.contains(&scope)
        });
        let scope = named.expect("every operation with a token names its scope");
        Self::Token(Some(scope))
    }
}

/// Lets a request pass whose sender may send it.
pub(super) async fn check(
    State(guard): State<Arc<Guard>>,
    path: MatchedPath,
    mut request: Request,
    next: Next,
) -> Response {
    let Need::Token(scope) = guard.need(request.method(), path.as_str()) else {
        return next.run(request).await;
    };
    match guard.shared.keys.check_token(request.headers(), scope) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(denial) => refuse(denial),
    }
}

/// The answer to one who may not do what was asked for.
pub(super) fn refuse(denial: Denial) -> Response {
    let mut response = Problem::from(denial).into_response();
    if denial == Denial::Unknown {
        let asks = HeaderValue::from_static("Bearer realm=\"sanderling\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, asks);
    }
    response
}

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Unknown => Self::new(
                StatusCode::UNAUTHORIZED,
                Code::Unauthorized,
                "this needs a token: Authorization: Bearer ...",
            ),
            Denial::Scope(scope) => Self::new(
                StatusCode::FORBIDDEN,
                Code::Forbidden,
                format!("the token has not the scope {}", scope.name()),
            ),
            Denial::Later => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                Code::Busy,
                "too many requests with a wrong token; try again later",
            ),
        }
    }
}
