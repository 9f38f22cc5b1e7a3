//! Whether the broker is there. Everybody may ask, so asking often costs no more than asking sometimes.

use super::problem::{Code, Problem};
use crate::{
    calls::{Calls, Trouble},
    shared::{Shared, State},
};
use axum::{Json, extract::State as Extract, http::StatusCode};
use serde::Serialize;
use std::time::Duration;
use tokio::{sync::Mutex, time::Instant};
use utoipa::ToSchema;

/// What was found last, and when: it holds for a moment, whoever asks.
#[derive(Default)]
pub(crate) struct Pulse(Mutex<Option<(Instant, Found)>>);

/// How long what was found holds.
const MOMENT: Duration = Duration::from_millis(100);
/// A turn that takes longer is as good as none.
const TURN_TIME_MAX: Duration = Duration::from_secs(2);

type Found = Result<Turn, Trouble>;

/// What a turn of the broker says.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    is_draining: bool,
}

/// All is well.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    status: Status,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
}

const WELL: Json<Health> = Json(Health { status: Status::Ok });

/// Tell whether the broker lives
///
/// It has taken a turn. If it does not for long, it should be started anew.
#[utoipa::path(
    get, path = "/livez", tag = "health",
    responses(
        (status = 200, description = "It does.", body = Health),
        (status = 503, description = "It gave no answer in time.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn livez(Extract(shared): State) -> Result<Json<Health>, Problem> {
    match shared.feel_pulse().await {
        Ok(_) => Ok(WELL),
        Err(trouble) => Err(trouble.into()),
    }
}

/// Tell whether the broker takes clients
///
/// Its listeners are open, and it was not told to stop.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses(
        (status = 200, description = "It does.", body = Health),
        (status = 503, description = "Not yet, or not any more.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn readyz(Extract(shared): State) -> Result<Json<Health>, Problem> {
    match shared.feel_pulse().await {
        Ok(Turn { is_draining: false }) => Ok(WELL),
        Ok(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Stopped,
            "the broker is stopping",
        )),
        Err(trouble) => Err(trouble.into()),
    }
}

impl Shared {
    /// Looks at the broker, unless somebody just has.
    async fn feel_pulse(&self) -> Found {
        let mut last = self.pulse.0.lock().await;
        if let Some((at, found)) = *last
            && at.elapsed() < MOMENT
        {
            return found;
        }
        let calls = Calls::within(&self.handle, TURN_TIME_MAX);
        let found = calls
            .look(|view| Turn {
                is_draining: view.is_draining(),
            })
            .await;
        *last = Some((Instant::now(), found));
        found
    }
}
