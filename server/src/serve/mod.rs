//! The service: listeners, driver, log, signals.

mod certificates;
mod error;
mod listen;
mod open_files;
mod run;

pub(crate) use error::ServeError;
pub(crate) use run::serve;
