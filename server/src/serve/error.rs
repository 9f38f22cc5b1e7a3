//! Why the service did not start or did not go on: what, where, why, and what to do.

use sanderling_management::TokensError;
use sanderling_runtime::ListenError;
use std::{
    error::Error,
    fmt,
    io::{self, ErrorKind},
    path::PathBuf,
};

#[derive(Debug)]
pub(crate) enum ServeError {
    /// The host name means nothing here.
    Resolve { address: String, cause: ListenError },
    /// There cannot be listened.
    Listen(ListenError),
    /// There cannot be listened for HTTP.
    Web {
        option: &'static str,
        address: String,
        cause: io::Error,
    },
    /// The token of metrics cannot be used.
    MetricsToken { file: PathBuf, what: String },
    /// The tokens of the management API cannot be used.
    Tokens(TokensError),
    /// The runtime that was chosen does not look for work by itself.
    BusyPoll,
    /// The driver could not start or failed.
    Driver(io::Error),
    /// The machine refused a thread or a signal handler.
    System(io::Error),
}

impl Error for ServeError {}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve { address, cause } => {
                write!(f, "cannot find the host of --listen {address}")?;
                if let Some(system) = cause.source() {
                    write!(f, ": {system}")?;
                }
                f.write_str("; check its name")
            }
            Self::Listen(ListenError::Socket { address, source }) => {
                let advice = advice(source.kind(), "--listen");
                write!(f, "cannot listen on {address}: {source}; {advice}")
            }
            Self::Listen(cause) => cause.fmt(f),
            Self::Web {
                option,
                address,
                cause,
            } => {
                let advice = advice(cause.kind(), option);
                write!(f, "cannot listen on {address}: {cause}; {advice}")
            }
            Self::Tokens(cause) => cause.fmt(f),
            Self::BusyPoll => {
                f.write_str("--busy-poll is for --runtime mio only; leave one of the two out")
            }
            Self::MetricsToken { file, what } => {
                write!(
                    f,
                    "cannot use the file of --metrics-token {}: {what}",
                    file.display()
                )
            }
            Self::Driver(cause) => write!(f, "cannot go on: {cause}"),
            Self::System(cause) => write!(f, "cannot start: {cause}"),
        }
    }
}

fn advice(cause: ErrorKind, option: &str) -> String {
    let what = match cause {
        ErrorKind::AddrInUse => {
            "stop the program that listens there, perhaps another broker, or choose another port"
        }
        ErrorKind::PermissionDenied => "a port below 1024 needs privileges; choose a higher one",
        ErrorKind::AddrNotAvailable => {
            "no network interface of this machine has this address; choose another"
        }
        _ => "choose another address",
    };
    format!("{what} with {option} HOST:PORT")
}
