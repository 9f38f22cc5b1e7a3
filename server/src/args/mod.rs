//! The command line.

mod client;
mod usage;

pub(crate) use client::{ConnectArgs, MessageArgs, PubArgs, SubArgs};
pub(crate) use usage::one_line;

use clap::{Parser, Subcommand};

/// Small MQTT clients for the versions 3.1, 3.1.1 and 5.0.
#[derive(Debug, Parser)]
#[command(
    name = "sanderling",
    version,
    max_term_width = 120,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publish messages to a broker
    Pub(Box<PubArgs>),
    /// Subscribe to topics of a broker and print what arrives
    Sub(Box<SubArgs>),
}
