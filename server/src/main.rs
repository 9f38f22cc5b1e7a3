//! The `sanderling` command: an MQTT broker, and two small clients to try it with.

mod args;
mod client;
mod log;
mod serve;
mod signal;

use args::{Cli, Command, one_line};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            eprintln!("{}", one_line(&error));
            return ExitCode::from(2);
        }
        // --help and --version
        Err(page) => page.exit(),
    };
    match cli.command {
        None => match serve::serve(&cli.serve) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("sanderling: {error}");
                ExitCode::FAILURE
            }
        },
        Some(Command::Pub(args)) => client_exit_code(client::publish(&args)),
        Some(Command::Sub(args)) => client_exit_code(client::subscribe(&args)),
    }
}

fn client_exit_code(outcome: Result<(), client::ClientError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sanderling: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
