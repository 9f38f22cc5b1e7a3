//! The service: listeners, driver, log, signals.

mod certificates;
mod error;
mod listen;
mod management;
mod metrics;
mod open_files;
mod run;
mod web;

pub(crate) use error::ServeError;
pub(crate) use run::serve;
