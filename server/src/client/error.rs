//! What can go wrong for a client: what, where, why, and what to do.

use sanderling_core::{codec::EncodeError, reason::ReasonCode};
use std::{error::Error, fmt, io, path::PathBuf, time::Duration};

/// Why `pub` or `sub` did not do what was asked.
#[derive(Debug)]
pub(crate) enum ClientError {
    /// Options that do not go together.
    Usage(String),
    /// The host name means nothing here.
    Resolve { host: String, cause: io::Error },
    /// Nobody answered at that address.
    Connect {
        peer: String,
        cause: io::Error,
        advice: &'static str,
    },
    /// A file for TLS cannot be used, or the options for it do not go together.
    Tls(String),
    /// A layer below MQTT ended, or cannot go on.
    Link { peer: String, what: String },
    /// CONNACK said no.
    ConnectRefused {
        peer: String,
        reason: ReasonCode,
        text: Option<String>,
    },
    /// The connection ended without a word.
    Lost {
        peer: String,
        cause: Option<io::Error>,
    },
    /// The server sent DISCONNECT.
    Disconnected {
        peer: String,
        reason: ReasonCode,
        text: Option<String>,
    },
    /// The server did not answer in time.
    Silent {
        peer: String,
        awaited: &'static str,
        after: Duration,
    },
    /// The server sent what a server must not send.
    Protocol { peer: String, what: String },
    /// SUBACK refused every filter.
    SubscribeRefused {
        filter: String,
        reason: ReasonCode,
        text: Option<String>,
    },
    /// PUBACK or PUBREC refused a message.
    PublishRefused {
        topic: String,
        reason: ReasonCode,
        text: Option<String>,
    },
    /// What was asked for does not fit into a packet.
    Encode(EncodeError),
    /// The server said in CONNACK that it cannot do this.
    Unsupported { peer: String, what: String },
    /// A payload could not be read.
    Input {
        path: Option<PathBuf>,
        cause: io::Error,
    },
    /// A payload could not be printed.
    Output(io::Error),
    /// A signal came before all was acknowledged.
    Interrupted,
    /// The time given with -W has passed.
    TimedOut,
    /// The machine refused a thread or a signal handler.
    System(io::Error),
}

impl ClientError {
    /// 27 for -W, as mosquitto's clients do; 2 for a wrong command line; else 1.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::TimedOut => 27,
            _ => 1,
        }
    }
}

impl Error for ClientError {}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => f.write_str(what),
            Self::Resolve { host, cause } => {
                write!(
                    f,
                    "cannot find the host {host:?}: {cause}; check the name given with -h"
                )
            }
            Self::Connect {
                peer,
                cause,
                advice,
            } => write!(f, "cannot connect to {peer}: {cause}; {advice}"),
            Self::Tls(what) => write!(f, "cannot speak TLS: {what}"),
            Self::Link { peer, what } => write!(f, "{peer} {what}"),
            Self::ConnectRefused { peer, reason, text } => {
                write!(f, "{peer} refused the connection: {reason}{}", Said(text))?;
                f.write_str(hint(*reason))
            }
            Self::Lost {
                peer,
                cause: Some(cause),
            } => {
                write!(f, "the connection to {peer} was lost: {cause}")
            }
            Self::Lost { peer, cause: None } => write!(f, "{peer} closed the connection"),
            Self::Disconnected { peer, reason, text } => {
                write!(f, "{peer} ended the connection: {reason}{}", Said(text))
            }
            Self::Silent {
                peer,
                awaited,
                after,
            } => {
                write!(f, "{peer} sent no {awaited} within {} s", after.as_secs())
            }
            Self::Protocol { peer, what } => {
                write!(
                    f,
                    "{peer} broke the protocol: {what}; is it an MQTT server?"
                )
            }
            Self::SubscribeRefused {
                filter,
                reason,
                text,
            } => {
                write!(
                    f,
                    "the subscription to {filter:?} was refused: {reason}{}",
                    Said(text)
                )
            }
            Self::PublishRefused {
                topic,
                reason,
                text,
            } => {
                write!(
                    f,
                    "the message to {topic:?} was refused: {reason}{}",
                    Said(text)
                )
            }
            Self::Encode(error) => error.fmt(f),
            Self::Unsupported { peer, what } => write!(f, "{peer} {what}"),
            Self::Input {
                path: Some(path),
                cause,
            } => {
                write!(f, "cannot read {}: {cause}", path.display())
            }
            Self::Input { path: None, cause } => write!(f, "cannot read standard input: {cause}"),
            Self::Output(cause) => write!(f, "cannot write to standard output: {cause}"),
            Self::Interrupted => f.write_str("interrupted before all was published"),
            Self::TimedOut => f.write_str("the time given with -W has passed"),
            Self::System(cause) => write!(f, "cannot start: {cause}"),
        }
    }
}

/// The server's own words, if it has any.
struct Said<'a>(&'a Option<String>);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(text) => write!(f, ", {text:?}"),
            None => Ok(()),
        }
    }
}

/// What to try when a CONNECT was refused.
fn hint(reason: ReasonCode) -> &'static str {
    match reason {
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION => "; try -V mqttv311",
        ReasonCode::CLIENT_IDENTIFIER_NOT_VALID => "; try another -i",
        ReasonCode::BAD_USER_NAME_OR_PASSWORD | ReasonCode::NOT_AUTHORIZED => "; check -u and -P",
        ReasonCode::SERVER_UNAVAILABLE | ReasonCode::SERVER_BUSY => "; try again later",
        _ => "",
    }
}
