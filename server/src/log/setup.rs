//! Starts the log once, for the whole process.

use super::writer::{Queue, Writer};
use crate::args::{LogFormat, LogLevel};
use std::io::{self, IsTerminal};
use tracing::subscriber::set_global_default;

/// Has everything that is logged from here on written to standard error. The log ends with the returned writer.
pub(crate) fn start(format: LogFormat, level: LogLevel) -> io::Result<Writer> {
    let (queue, writer) = Queue::start(io::stderr(), lost_line(format))?;
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level.filter())
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(queue);
    let installed = match format {
        LogFormat::Text => set_global_default(subscriber.finish()),
        LogFormat::Json => set_global_default(subscriber.json().flatten_event(true).finish()),
    };
    installed.map_err(io::Error::other)?;
    Ok(writer)
}

/// The line that stands for lines that standard error was too slow for.
fn lost_line(format: LogFormat) -> fn(u64) -> String {
    match format {
        LogFormat::Text => {
            |lost| format!(" WARN log lines lost, standard error is slow lost={lost}\n")
        }
        LogFormat::Json => |lost| {
            let message = "log lines lost, standard error is slow";
            format!("{{\"level\":\"WARN\",\"message\":\"{message}\",\"lost\":{lost}}}\n")
        },
    }
}
