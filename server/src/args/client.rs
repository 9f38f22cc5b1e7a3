//! Options of `pub` and `sub`: the letters are those of mosquitto's clients.

use clap::{ArgAction, Args, builder::NonEmptyStringValueParser, value_parser};
use sanderling_core::{
    packet::{QoS, Version},
    topic::{TopicFilter, TopicName},
};
use std::path::PathBuf;

const PUB_EXAMPLES: &str = "\
Examples:
  sanderling pub -t home/kitchen -m 21.5 -q 1      wait until the broker has it
  sanderling pub -t home/kitchen -m 21.5 -r        keep it for those who subscribe later
  sanderling pub -t home/kitchen -n -r             remove the kept one
  tail -f app.log | sanderling pub -t log -l       one message a line
  sanderling pub -L mqtts://broker.lan/log -n --cafile certs/ca.pem     over TLS

Exit status: 0 all was published; 1 it was not; 2 the command line is wrong";

const SUB_EXAMPLES: &str = "\
Examples:
  sanderling sub -t 'home/#' -v                    everything below home/, with its topic
  sanderling sub -t home/kitchen -C 1 -W 10        one message, or status 27 after 10 seconds
  sanderling sub -t jobs -i worker-1 -c -q 1       get what came while this client was away
  sanderling sub -t 'home/#' -L wss://broker.lan/mqtt     over WebSocket and TLS

Exit status: 0 stopped, or -C was reached; 1 failed; 2 the command line is wrong; 27 -W has passed";

/// Publish messages to a broker.
///
/// With QoS 1 and 2 the command ends when the broker has acknowledged every message.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, after_help = PUB_EXAMPLES, after_long_help = PUB_EXAMPLES)]
pub(crate) struct PubArgs {
    /// The topic to publish to
    #[arg(short, long, required_unless_present = "url", value_parser = parse_topic)]
    pub(crate) topic: Option<String>,
    /// Have the broker keep the message for those who subscribe later
    #[arg(short, long)]
    pub(crate) retain: bool,
    /// Publish the message this many times
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = value_parser!(u64).range(1..))]
    #[arg(conflicts_with = "lines")]
    pub(crate) repeat: u64,
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    /// The QoS to publish with: 0, 1 or 2
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = parse_qos)]
    pub(crate) qos: QoS,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Where the payload comes from: exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct MessageArgs {
    /// The payload
    #[arg(short, long, allow_hyphen_values = true)]
    pub(crate) message: Option<String>,
    /// Publish an empty payload; with -r this removes the kept message
    #[arg(short, long)]
    pub(crate) null_message: bool,
    /// Publish the content of a file
    #[arg(short, long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
    /// Publish each line of standard input
    #[arg(short = 'l', long = "stdin-line")]
    pub(crate) lines: bool,
    /// Publish all of standard input as one message
    #[arg(short = 's', long = "stdin-file")]
    pub(crate) stdin: bool,
}

/// Subscribe to topics of a broker and print each payload that arrives, followed by a newline.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, after_help = SUB_EXAMPLES, after_long_help = SUB_EXAMPLES)]
pub(crate) struct SubArgs {
    /// The topic filter to subscribe to, with + and # as wildcards; may be given many times
    #[arg(short, long = "topic", value_name = "FILTER", required_unless_present = "url", value_parser = parse_filter)]
    pub(crate) topics: Vec<String>,
    /// Print the topic before the payload
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Print no newline after a payload
    #[arg(short = 'N')]
    pub(crate) no_newline: bool,
    /// Print no message that the broker had kept from before
    #[arg(short = 'R')]
    pub(crate) no_retained: bool,
    /// End after this many messages
    #[arg(short = 'C', value_name = "COUNT", value_parser = value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// End with status 27 after this many seconds
    #[arg(short = 'W', value_name = "SECONDS", value_parser = value_parser!(u32).range(1..))]
    pub(crate) wait_s: Option<u32>,
    /// The highest QoS to receive with: 0, 1 or 2
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = parse_qos)]
    pub(crate) qos: QoS,
    /// Go on with the session of an earlier run, and leave this one behind; needs -i
    #[arg(short = 'c', long = "disable-clean-session", requires = "id")]
    pub(crate) keep_session: bool,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// How to reach the broker and who to be.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectArgs {
    /// The broker's name or address [default: localhost]
    #[arg(short = 'h', long)]
    pub(crate) host: Option<String>,
    /// The broker's port [default: 1883, or 8883 with TLS]; with 8883 TLS is spoken
    #[arg(short, long)]
    pub(crate) port: Option<u16>,
    /// The broker's Unix socket
    #[arg(long, value_name = "PATH", conflicts_with_all = ["host", "port"])]
    pub(crate) unix: Option<PathBuf>,
    /// All about the broker in one: `mqtt://USER:PASSWORD@HOST:PORT/TOPIC` or mqtts://; ws:// and wss:// with a path in
    /// place of the topic, /mqtt if there is none; or `unix:///PATH`. Only scheme and host must be there
    #[arg(short = 'L', long, value_name = "URL", conflicts_with_all = ["host", "port", "unix"])]
    pub(crate) url: Option<String>,
    /// The client identifier [default: a random one]
    #[arg(short, long)]
    pub(crate) id: Option<String>,
    /// The user name
    #[arg(short, long)]
    pub(crate) username: Option<String>,
    /// The password. Other users of this machine can see it in the list of processes
    #[arg(short = 'P', long = "pw")]
    pub(crate) password: Option<String>,
    /// The version to speak: mqttv31, mqttv311 or mqttv5; 31, 311 or 5 for short
    #[arg(short = 'V', long, value_name = "VERSION", default_value = "mqttv5")]
    #[arg(value_parser = parse_version)]
    pub(crate) protocol_version: Version,
    /// The keep alive; 0 turns it off
    #[arg(short, long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) keepalive: u16,
    /// How long the broker keeps the session after the connection has ended; mqttv5 only
    /// [default: 0, or for ever with -c]
    #[arg(short = 'x', long, value_name = "SECONDS")]
    pub(crate) session_expiry_interval: Option<u32>,
    /// Print what is sent and received, but no payload, to standard error
    #[arg(short, long)]
    pub(crate) debug: bool,
    /// Print this help
    #[arg(long, action = ArgAction::HelpShort)]
    help: Option<bool>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) will: WillArgs,
}

/// How TLS is spoken.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "TLS, spoken with mqtts:// and wss://, with port 8883 and with any of these"
)]
pub(crate) struct TlsArgs {
    /// Trust servers with a certificate of these authorities, in PEM [default: those that the system trusts]
    #[arg(long, value_name = "FILE")]
    pub(crate) cafile: Option<PathBuf>,
    /// Trust servers with a certificate of an authority that the system trusts
    #[arg(long, conflicts_with = "cafile")]
    pub(crate) tls_use_os_certs: bool,
    /// This client's certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The certificate's private key, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Do not check that the certificate is made out to the broker's name: everybody with a certificate of a trusted
    /// authority can be the broker then
    #[arg(long)]
    pub(crate) insecure: bool,
    /// The protocol to ask for by ALPN, such as mqtt [default: none]
    #[arg(long, value_name = "PROTOCOL", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) tls_alpn: Option<String>,
    /// The only version to speak: tlsv1.2 or tlsv1.3 [default: both]
    #[arg(long, value_name = "VERSION", value_parser = parse_tls_version)]
    pub(crate) tls_version: Option<TlsVersion>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TlsVersion {
    V12,
    V13,
}

impl TlsArgs {
    /// True if one of them is given.
    pub(crate) fn is_asked_for(&self) -> bool {
        let Self {
            cafile,
            tls_use_os_certs,
            cert,
            key: _,
            insecure,
            tls_alpn,
            tls_version,
        } = self;
        cafile.is_some()
            || *tls_use_os_certs
            || cert.is_some()
            || *insecure
            || tls_alpn.is_some()
            || tls_version.is_some()
    }
}

/// The message that the broker publishes if this client vanishes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Will, published by the broker if this client vanishes")]
pub(crate) struct WillArgs {
    /// Its topic
    #[arg(long, value_name = "TOPIC", value_parser = parse_topic)]
    pub(crate) will_topic: Option<String>,
    /// Its payload [default: empty]
    #[arg(
        long,
        value_name = "PAYLOAD",
        requires = "will_topic",
        allow_hyphen_values = true
    )]
    pub(crate) will_payload: Option<String>,
    /// Its QoS [default: 0]
    #[arg(long, value_name = "QOS", requires = "will_topic", value_parser = parse_qos)]
    pub(crate) will_qos: Option<QoS>,
    /// Have it kept
    #[arg(long, requires = "will_topic")]
    pub(crate) will_retain: bool,
}

pub(super) fn parse_qos(text: &str) -> Result<QoS, String> {
    let number = text.parse().ok().and_then(QoS::from_bits);
    number.ok_or_else(|| "a QoS is 0, 1 or 2".to_owned())
}

pub(super) fn parse_version(text: &str) -> Result<Version, String> {
    match text {
        "mqttv31" | "31" => Ok(Version::V31),
        "mqttv311" | "311" => Ok(Version::V311),
        "mqttv5" | "5" => Ok(Version::V5),
        _ => Err("a version is mqttv31, mqttv311 or mqttv5".to_owned()),
    }
}

fn parse_tls_version(text: &str) -> Result<TlsVersion, String> {
    match text {
        "tlsv1.2" => Ok(TlsVersion::V12),
        "tlsv1.3" => Ok(TlsVersion::V13),
        _ => Err("a version of TLS is tlsv1.2 or tlsv1.3".to_owned()),
    }
}

fn parse_topic(text: &str) -> Result<String, String> {
    match TopicName::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("it {error}")),
    }
}

fn parse_filter(text: &str) -> Result<String, String> {
    match TopicFilter::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("it {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Cli, Command},
        *,
    };
    use clap::{CommandFactory, Parser, error::ErrorKind};

    fn parse(line: &str) -> Result<Command, ErrorKind> {
        let cli = Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind())?;
        Ok(cli.command.expect("a subcommand is given"))
    }

    fn parse_pub(line: &str) -> PubArgs {
        match parse(line) {
            Ok(Command::Pub(args)) => *args,
            other => panic!("{other:?}"),
        }
    }

    fn parse_sub(line: &str) -> SubArgs {
        match parse(line) {
            Ok(Command::Sub(args)) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_not_given_has_the_value_that_help_tells() {
        let args = parse_pub("sanderling pub -t a -m x");
        assert_eq!(
            (args.qos, args.retain, args.repeat),
            (QoS::AtMostOnce, false, 1)
        );
        let connect = args.connect;
        assert_eq!((connect.host, connect.port), (None, None));
        assert!(!connect.tls.is_asked_for());
        assert_eq!(
            (connect.protocol_version, connect.keepalive),
            (Version::V5, 60)
        );
        assert_eq!((connect.id, connect.session_expiry_interval), (None, None));
    }

    #[test]
    fn the_letters_are_those_of_mosquitto_pub() {
        let args = parse_pub(
            "sanderling pub -h ::1 -p 1884 -t a/b -m -5 -q 2 -r -i me -u bob -P pass -V mqttv311 -k 5 -d \
             --will-topic w --will-payload gone --will-qos 1 --will-retain",
        );
        assert_eq!(
            (args.topic.as_deref(), args.message.message.as_deref()),
            (Some("a/b"), Some("-5"))
        );
        assert_eq!((args.qos, args.retain), (QoS::ExactlyOnce, true));
        let connect = args.connect;
        assert_eq!(
            (connect.host.as_deref(), connect.port),
            (Some("::1"), Some(1884))
        );
        assert_eq!(connect.id.as_deref(), Some("me"));
        assert_eq!(connect.username.as_deref(), Some("bob"));
        assert_eq!(connect.password.as_deref(), Some("pass"));
        assert_eq!(
            (connect.protocol_version, connect.keepalive),
            (Version::V311, 5)
        );
        assert!(connect.debug);
        assert_eq!(connect.will.will_topic.as_deref(), Some("w"));
        assert_eq!(connect.will.will_payload.as_deref(), Some("gone"));
        assert_eq!(connect.will.will_qos, Some(QoS::AtLeastOnce));
        assert!(connect.will.will_retain);
    }

    #[test]
    fn the_letters_are_those_of_mosquitto_sub() {
        let args =
            parse_sub("sanderling sub -t a -t b/# -v -N -R -C 3 -W 9 -c -i me -q 1 -V 31 -x 60");
        assert_eq!(args.topics, ["a", "b/#"]);
        assert!(args.verbose && args.no_newline && args.no_retained && args.keep_session);
        assert_eq!(
            (args.count, args.wait_s, args.qos),
            (Some(3), Some(9), QoS::AtLeastOnce)
        );
        assert_eq!(args.connect.protocol_version, Version::V31);
        assert_eq!(args.connect.session_expiry_interval, Some(60));
    }

    #[test]
    fn a_message_has_exactly_one_source() {
        for (sources, error) in [
            ("", ErrorKind::MissingRequiredArgument),
            (" -m x -n", ErrorKind::ArgumentConflict),
            (" -l -s", ErrorKind::ArgumentConflict),
            (" -f path -m x", ErrorKind::ArgumentConflict),
            (" -l --repeat 2", ErrorKind::ArgumentConflict),
        ] {
            let line = format!("sanderling pub -t a{sources}");
            assert_eq!(parse(&line).unwrap_err(), error, "{line}");
        }
    }

    #[test]
    fn values_that_mqtt_does_not_know_are_refused() {
        for line in [
            "sanderling pub -t a/+ -n",
            "sanderling pub -t a -n -q 3",
            "sanderling pub -t a -n -V 4",
            "sanderling pub -t a -n -k 65536",
            "sanderling pub -t a -n --will-topic #",
            "sanderling sub -t a#",
            "sanderling sub -t $share/group",
            "sanderling sub -t a -C 0",
        ] {
            assert_eq!(
                parse(line).unwrap_err(),
                ErrorKind::ValueValidation,
                "{line}"
            );
        }
    }

    #[test]
    fn options_that_need_another_one_say_so() {
        for line in [
            "sanderling sub -t a -c",
            "sanderling pub -t a -n --will-payload x",
            "sanderling pub -t a -n --will-retain",
        ] {
            assert_eq!(
                parse(line).unwrap_err(),
                ErrorKind::MissingRequiredArgument,
                "{line}"
            );
        }
    }
}
