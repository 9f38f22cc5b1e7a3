//! Why a run could not be done at all; a run that was done but broke a promise is a report with violations.

use std::{fmt, io};

/// A run that came to no result.
#[derive(Debug)]
pub enum Failure {
    /// The operating system refused something.
    Io {
        /// What was being done.
        doing: String,
        /// What it said.
        error: io::Error,
    },
    /// The broker answered something else than MQTT or this run needs.
    Broker(String),
    /// The options do not make a run.
    Usage(String),
    /// A signal asked to stop.
    Interrupted,
}

impl Failure {
    /// For `map_err`: an I/O error with what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io {
            doing: doing.into(),
            error,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, error } => write!(f, "{doing}: {error}"),
            Self::Broker(what) | Self::Usage(what) => f.write_str(what),
            Self::Interrupted => f.write_str("stopped by a signal"),
        }
    }
}

impl std::error::Error for Failure {}
