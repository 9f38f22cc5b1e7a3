//! The command line. Without a subcommand the command serves; `pub` and `sub` are small clients, `bench` is many, and
//! `cert` makes certificates.

mod bench;
mod cert;
mod client;
mod serve;
mod usage;

pub(crate) use bench::{BenchArgs, Pattern};
pub(crate) use cert::{CertArgs, Host};
pub(crate) use client::{ConnectArgs, MessageArgs, PubArgs, SubArgs, TlsArgs, TlsVersion};
pub(crate) use serve::{LogFormat, LogLevel, Runtime, ServeArgs};
pub(crate) use usage::one_line;

use clap::{Parser, Subcommand};

/// What a newcomer reads first.
const EXAMPLES: &str = "\
Examples:
  sanderling                                 serve this machine only: MQTT on port 1883, management on 8081, metrics on 8082
  sanderling --listen 0.0.0.0:1883           serve every network this machine is in
  sanderling cert                            make certificates, and print how to serve with TLS
  sanderling sub -t 'home/#' -v              print what is published below home/
  sanderling pub -t home/kitchen -m 21.5     publish one message

Exit status:
  0   stopped by SIGINT or SIGTERM, after every client was told
  1   could not start, or failed
  2   the command line is wrong";

/// An MQTT broker for the versions 3.1, 3.1.1 and 5.0.
///
/// Without a subcommand it serves, and only this machine can reach it until --listen says otherwise. It needs no
/// configuration file. Stop it with Ctrl-C: clients are told, and a second Ctrl-C ends it at once.
#[derive(Debug, Parser)]
#[command(name = "sanderling", version, after_help = EXAMPLES, after_long_help = EXAMPLES)]
#[command(
    max_term_width = 120,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publish messages to a broker
    Pub(Box<PubArgs>),
    /// Subscribe to topics of a broker and print what arrives
    Sub(Box<SubArgs>),
    /// Make certificates for trying out TLS
    Cert(CertArgs),
    /// Put a load on a broker and measure it
    Bench(Box<BenchArgs>),
}
