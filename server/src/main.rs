//! The `sanderling` command: an MQTT broker, two small clients to try it with, a load generator, and certificates.

mod args;
mod bench;
mod cert;
mod client;
mod log;
mod serve;
mod signal;

use args::{Cli, Command, one_line};
use clap::Parser;
use std::{
    io::{self, Write},
    process::ExitCode,
};

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
        None => exit_code(serve::serve(&cli.serve)),
        Some(Command::Pub(args)) => client_exit_code(client::publish(&args)),
        Some(Command::Sub(args)) => client_exit_code(client::subscribe(&args)),
        Some(Command::Bench(args)) => match bench::bench(&args) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => exit_code(Err(error)),
        },
        Some(Command::Cert(args)) => exit_code(cert::make(&args).map(|made| {
            // Perhaps nobody reads it.
            let _ = io::stdout().write_all(made.as_bytes());
        })),
    }
}

fn exit_code(outcome: Result<(), impl std::error::Error>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sanderling: {error}");
            ExitCode::FAILURE
        }
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
