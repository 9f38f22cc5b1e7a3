//! A scrape: one look at the broker, shared by all who ask at nearly the same time.

use crate::{encode::encode, sight::Sight, token::Token};
use axum::{
    Router,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use prometheus::TEXT_FORMAT;
use sanderling_runtime::{Handle, HandleError};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;
use tracing::warn;

/// How old the figures of a scrape may be.
const SHARED: Duration = Duration::from_millis(100);

/// What scrapes share.
#[derive(Clone)]
pub(crate) struct Scrapes {
    handle: Handle,
    token: Option<Token>,
    /// The names of the listeners, by their numbers.
    listeners: Arc<[Arc<str>]>,
    /// Locked while somebody looks: the others wait for what he finds.
    last: Arc<Mutex<Option<Scrape>>>,
}

#[derive(Clone)]
struct Scrape {
    at: Instant,
    text: Bytes,
}

impl Scrapes {
    pub(crate) fn new(handle: Handle, token: Option<Token>) -> Self {
        let names = handle.endpoints().iter().map(|one| Arc::from(&*one.name));
        Self {
            listeners: names.collect(),
            handle,
            token,
            last: Arc::default(),
        }
    }

    /// All metrics, no older than [`SHARED`] at the time of the call.
    async fn text(&self) -> Result<Bytes, HandleError> {
        let mut last = self.last.lock().await;
        if let Some(last) = last.as_ref().filter(|last| last.at.elapsed() < SHARED) {
            return Ok(last.text.clone());
        }
        // The figures are of this moment or a later one.
        let at = Instant::now();
        let listeners = Arc::clone(&self.listeners);
        let look = move |view: sanderling_core::broker::View<'_>, measures: &_| {
            Sight::of(view, measures, &listeners)
        };
        let sight = self.handle.measure_async(look).await?;
        let text = Bytes::from(encode(&sight));
        *last = Some(Scrape {
            at,
            text: text.clone(),
        });
        Ok(text)
    }
}

/// Answers at this path and nowhere else.
pub(crate) fn router(path: &str, scrapes: Scrapes) -> Router {
    Router::new().route(path, get(answer)).with_state(scrapes)
}

async fn answer(State(scrapes): State<Scrapes>, headers: HeaderMap) -> Response {
    if scrapes
        .token
        .as_ref()
        .is_some_and(|token| !token.is_in(&headers))
    {
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    match scrapes.text().await {
        Ok(text) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            warn!(%error, "metrics cannot be read");
            (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response()
        }
    }
}
