//! Options of `bench`. Where `pub` and `sub` have the same option, it has the same letter.

use super::client::{parse_qos, parse_version};
use clap::{ArgAction, Args, ValueEnum, value_parser};
use sanderling_core::packet::{QoS, Version};

const EXAMPLES: &str = "\
Examples:
  sanderling bench                                          50 pairs, QoS 0, for 10 seconds
  sanderling bench fan-out --clients 500 -q 1               1 publisher to 500 subscribers
  sanderling bench --rate 5000 --latency --seconds 60       how long messages take at a steady rate
  sanderling bench connections --clients 10000              how fast clients can connect

Exit status: 0 everything was delivered; 1 it was not, or the load failed; 2 the command line is wrong";

/// Put a load on a broker, and check that every message arrives once and in order.
///
/// Clients and topics have names of their own, `bench-` and a number, so other clients are not disturbed; the load may
/// disturb them all the same. Ctrl-C ends it early: what is under way is still received, and the report printed.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    /// Who publishes to whom
    #[arg(value_enum, default_value_t = Pattern::Pairs)]
    pub(crate) pattern: Pattern,
    /// Clients on the side, or the sides, that have many
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = value_parser!(u32).range(1..=10_000))]
    pub(crate) clients: u32,
    /// The QoS of messages and subscriptions: 0, 1 or 2
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = parse_qos)]
    pub(crate) qos: QoS,
    /// The length of each payload
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = value_parser!(u32).range(20..=262_144))]
    pub(crate) payload: u32,
    /// Messages per second of all publishers together [default: as many as the broker takes]
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u64).range(1..))]
    pub(crate) rate: Option<u64>,
    /// How long to publish
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,
    /// End after so many messages of all publishers together
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u64).range(1..))]
    pub(crate) messages: Option<u64>,
    /// Messages of one publisher that may be undelivered
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = value_parser!(u16).range(1..=65_000))]
    pub(crate) in_flight: u16,
    /// Measure how long deliveries take; with --rate from when a message was due
    #[arg(long)]
    pub(crate) latency: bool,
    /// The broker's name or address
    #[arg(short = 'h', long, default_value = "localhost")]
    pub(crate) host: String,
    /// The broker's port
    #[arg(short, long, default_value_t = 1883)]
    pub(crate) port: u16,
    /// The user name
    #[arg(short, long)]
    pub(crate) username: Option<String>,
    /// The password. Other users of this machine can see it in the list of processes
    #[arg(short = 'P', long = "pw", requires = "username")]
    pub(crate) password: Option<String>,
    /// The version to speak: mqttv311 or mqttv5; 311 or 5 for short
    #[arg(short = 'V', long, value_name = "VERSION", default_value = "mqttv5")]
    #[arg(value_parser = parse_spoken_version)]
    pub(crate) protocol_version: Version,
    /// Print this help
    #[arg(long, action = ArgAction::HelpShort)]
    help: Option<bool>,
}

/// Who publishes to whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Pattern {
    /// As many publishers as subscribers, each pair with a topic of its own
    Pairs,
    /// All publish to one subscriber
    FanIn,
    /// One publishes to all
    FanOut,
    /// All publish to one shared subscription of as many members
    Shared,
    /// Clients connect, and that is all
    Connections,
}

/// The generator speaks what nearly everybody does.
fn parse_spoken_version(text: &str) -> Result<Version, String> {
    match parse_version(text) {
        Ok(version) if version != Version::V31 => Ok(version),
        _ => Err("a version is mqttv311 or mqttv5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Cli, Command},
        *,
    };
    use clap::{Parser, error::ErrorKind};

    fn parse(line: &str) -> Result<BenchArgs, ErrorKind> {
        let cli = Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind())?;
        match cli.command {
            Some(Command::Bench(args)) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_given_has_the_value_that_help_tells() {
        let args = parse("sanderling bench").unwrap();
        assert_eq!(
            (args.pattern, args.clients, args.qos),
            (Pattern::Pairs, 50, QoS::AtMostOnce)
        );
        assert_eq!((args.payload, args.seconds, args.rate), (64, 10, None));
        assert_eq!((args.host.as_str(), args.port), ("localhost", 1883));
        assert_eq!(args.protocol_version, Version::V5);
    }

    #[test]
    fn the_letters_are_those_of_the_other_clients() {
        let args =
            parse("sanderling bench fan-in -h ::1 -p 1884 -q 2 -u bob -P pass -V 311").unwrap();
        assert_eq!((args.pattern, args.qos), (Pattern::FanIn, QoS::ExactlyOnce));
        assert_eq!((args.host.as_str(), args.port), ("::1", 1884));
        assert_eq!(args.username.as_deref(), Some("bob"));
        assert_eq!(args.password.as_deref(), Some("pass"));
        assert_eq!(args.protocol_version, Version::V311);
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for line in [
            "sanderling bench -V 31",
            "sanderling bench --payload 19",
            "sanderling bench --clients 0",
            "sanderling bench --rate 0",
        ] {
            assert_eq!(
                parse(line).unwrap_err(),
                ErrorKind::ValueValidation,
                "{line}"
            );
        }
        let error = parse("sanderling bench -P pass").unwrap_err();
        assert_eq!(error, ErrorKind::MissingRequiredArgument);
        assert_eq!(
            parse("sanderling bench sideways").unwrap_err(),
            ErrorKind::InvalidValue
        );
    }
}
