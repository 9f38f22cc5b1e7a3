//! Metrics: where they are, and who may read them.

use super::{ServeError, web::Place};
use crate::args::ServeArgs;
use sanderling_prometheus::{DEFAULT_ADDRESS, DEFAULT_PATH, Prometheus};
use std::{fs, path::Path};

/// The plugin, and the line that whoever starts the broker is told once it runs.
pub(super) struct Measured {
    pub(super) plugin: Prometheus,
    pub(super) told: String,
}

/// The metrics that were asked for. Without any wish they are on loopback, if their usual port is free.
pub(super) fn prepare(args: &ServeArgs) -> Result<Option<Measured>, ServeError> {
    if args.no_metrics {
        return Ok(None);
    }
    let place = Place {
        what: "metrics",
        option: "--metrics",
        asked: args.metrics.as_deref(),
        port: DEFAULT_ADDRESS.port(),
        is_wanted: args.metrics_token.is_some(),
        is_usual: args.listen.is_empty(),
    };
    let token = args.metrics_token.as_deref().map(token).transpose()?;
    let Some(listener) = place.listen()? else {
        return Ok(None);
    };
    let address = listener.local_addr().map_err(ServeError::System)?;
    let plugin = Prometheus::on(listener);
    Ok(Some(Measured {
        plugin: match token {
            Some(token) => plugin.token(token),
            None => plugin,
        },
        told: format!("metrics on http://{address}{DEFAULT_PATH}"),
    }))
}

/// The first line of a file.
fn token(file: &Path) -> Result<String, ServeError> {
    let wrong = |what: String| ServeError::MetricsToken {
        file: file.into(),
        what,
    };
    let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    match text.lines().next().map(str::trim) {
        Some(token) if !token.is_empty() => Ok(token.to_owned()),
        _ => Err(wrong("it is empty".into())),
    }
}
