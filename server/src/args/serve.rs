//! Options of the service.

use clap::{Args, ValueEnum};
use sanderling_runtime::Listener;
use std::path::PathBuf;
use tracing_subscriber::filter::LevelFilter;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Serve on this address or URL; may be given many times.
    ///
    /// HOST:PORT speaks plain MQTT. A URL says more: mqtt, mqtts (TLS), ws, wss (WebSocket) or unix, such as
    /// `mqtts://0.0.0.0:8883?cert=server.pem&key=server.key`, `ws://0.0.0.0:8080/ws`, `unix:///run/mqtt.sock`; the guide
    /// in docs/listeners.md has all parameters. The host may be a name, an IPv4 address or an IPv6 address in brackets;
    /// port 0 takes a free one. Each address is printed as `listening on URL` once it accepts connections. Without this
    /// option: `127.0.0.1:1883`, `[::1]:1883` and `ws://127.0.0.1:8080/ws`, so that only programs on this machine can
    /// connect.
    #[arg(long, value_name = "HOST:PORT|URL", value_parser = parse_listen)]
    pub(crate) listen: Vec<String>,

    /// Serve the management API on this address.
    ///
    /// It is printed as `management on URL`. Without --listen it is served on 127.0.0.1:8081 if that is free; with --listen
    /// only if this option or --management-tokens is there. docs/management.md tells what it can do.
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_address)]
    pub(crate) management: Option<String>,

    /// The tokens of the management API; if there is no such file it is made, and its first token printed.
    ///
    /// Without this option a token that is good for one run is made at each start, and printed.
    #[arg(long, value_name = "FILE")]
    pub(crate) management_tokens: Option<PathBuf>,

    /// Do not serve the management API.
    #[arg(long, conflicts_with_all = ["management", "management_tokens"])]
    pub(crate) no_management: bool,

    /// Serve metrics for Prometheus on this address.
    ///
    /// They are printed as `metrics on URL`. Without --listen they are served on 127.0.0.1:8082 if that is free; with
    /// --listen only if this option or --metrics-token is there. docs/metrics.md lists them.
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_address)]
    pub(crate) metrics: Option<String>,

    /// A file with the token that scrapers must send; without this option they need none.
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics_token: Option<PathBuf>,

    /// Do not serve metrics.
    #[arg(long, conflicts_with_all = ["metrics", "metrics_token"])]
    pub(crate) no_metrics: bool,

    /// How often the counters of $SYS topics are published, in seconds; 0 for never.
    ///
    /// Only connections of this machine may subscribe to $SYS topics. docs/metrics.md lists them.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) sys_interval: u32,

    /// What drives the broker.
    #[arg(long, value_enum, default_value_t = Runtime::Mio)]
    pub(crate) runtime: Runtime,

    /// How many microseconds the mio runtime looks for work again and again before it sleeps; 0 for not at all.
    ///
    /// Messages then need not wake a thread, which makes them faster, and costs a processor for so long each time there is
    /// nothing to do.
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0)]
    pub(crate) busy_poll: u32,

    /// The form of the log, which goes to standard error.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub(crate) log: LogFormat,

    /// The least important lines that are logged.
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = LogLevel::Info)]
    pub(crate) log_level: LogLevel,
}

/// Which driver runs the core. Clients see no difference.
///
/// mio is the default: one thread that hands nothing over costs the least time per message, and one processor carries
/// more clients than most installations have.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Runtime {
    /// One thread and one loop: the lowest latency and the least work per message
    Mio,
    /// Tokio's pool of threads
    Tokio,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line an event, to read
    Text,
    /// One JSON object a line, to process
    Json,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogLevel {
    /// What stops the broker or a part of it
    Error,
    /// What somebody should look at: broken rules, refused clients, lost messages
    Warn,
    /// Connections that begin and end
    Info,
    /// Subscriptions and sessions
    Debug,
    /// What the libraries have to say
    Trace,
}

impl LogLevel {
    pub(crate) const fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// Checks the form of HOST:PORT; whether the host exists shows when it is bound.
fn parse_listen(text: &str) -> Result<String, String> {
    if text.contains("://") {
        return match Listener::parse(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(error) => Err(error.to_string()),
        };
    }
    match text.contains(':') {
        true => parse_address(text),
        false => Err(format!("no port; write {text}:1883")),
    }
}

/// The same for what is no listener of MQTT.
fn parse_address(text: &str) -> Result<String, String> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("no port; write HOST:PORT, not {text}"));
    };
    if host.is_empty() {
        return Err(format!(
            "no host; write 127.0.0.1:{port}, or 0.0.0.0:{port} for every network"
        ));
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err(format!(
            "an IPv6 address stands in brackets; write [{host}]:{port}"
        ));
    }
    if port.parse::<u16>().is_err() {
        return Err(format!("the port {port:?} is not a number from 0 to 65535"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse_listen;

    #[test]
    fn a_listen_address_has_host_and_port() {
        for good in [
            "127.0.0.1:0",
            "[::1]:1883",
            "localhost:65535",
            "0.0.0.0:1883",
        ] {
            assert_eq!(parse_listen(good).as_deref(), Ok(good));
        }
    }

    #[test]
    fn a_wrong_listen_address_is_told_how_to_be_right() {
        for (wrong, told) in [
            ("localhost", "localhost:1883"),
            (":1883", "127.0.0.1:1883"),
            ("::1:1883", "[::1]:1883"),
            ("localhost:65536", "65535"),
            ("localhost:mqtt", "\"mqtt\""),
        ] {
            let error = parse_listen(wrong).unwrap_err();
            assert!(error.contains(told), "{wrong}: {error}");
        }
    }
}
