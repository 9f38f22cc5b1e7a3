//! Options of `pub` and `sub`: the letters are those of mosquitto's clients.

use clap::{ArgAction, Args, value_parser};
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

Exit status: 0 all was published; 1 it was not; 2 the command line is wrong";

const SUB_EXAMPLES: &str = "\
Examples:
  sanderling sub -t 'home/#' -v                    everything below home/, with its topic
  sanderling sub -t home/kitchen -C 1 -W 10        one message, or status 27 after 10 seconds
  sanderling sub -t jobs -i worker-1 -c -q 1       get what came while this client was away

Exit status: 0 stopped, or -C was reached; 1 failed; 2 the command line is wrong; 27 -W has passed";

/// Publish messages to a broker.
///
/// With QoS 1 and 2 the command ends when the broker has acknowledged every message.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, after_help = PUB_EXAMPLES, after_long_help = PUB_EXAMPLES)]
pub(crate) struct PubArgs {
    /// The topic to publish to
    #[arg(short, long, value_parser = parse_topic)]
    pub(crate) topic: String,
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
    #[arg(short, long = "topic", value_name = "FILTER", required = true, value_parser = parse_filter)]
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
    /// The broker's name or address
    #[arg(short = 'h', long, default_value = "localhost")]
    pub(crate) host: String,
    /// The broker's port
    #[arg(short, long, default_value_t = 1883)]
    pub(crate) port: u16,
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
    pub(crate) will: WillArgs,
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

fn parse_qos(text: &str) -> Result<QoS, String> {
    let number = text.parse().ok().and_then(QoS::from_bits);
    number.ok_or_else(|| "a QoS is 0, 1 or 2".to_owned())
}

fn parse_version(text: &str) -> Result<Version, String> {
    match text {
        "mqttv31" | "31" => Ok(Version::V31),
        "mqttv311" | "311" => Ok(Version::V311),
        "mqttv5" | "5" => Ok(Version::V5),
        _ => Err("a version is mqttv31, mqttv311 or mqttv5".to_owned()),
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
