//! The project's own commands, run as `cargo xtask`. Without dependencies, so that the first of them starts at once.

mod bench;
mod budgets;
mod bugs;
mod fuzz;
mod run;
mod simulate;
mod steps;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask test                          the whole check, all steps in order
cargo xtask test --list                   the steps and their commands
cargo xtask test --only STEP...           some of the steps
cargo xtask conformance                   write docs/conformance.md from tests/conformance/
cargo xtask requirements                  write docs/requirements.md from tests/requirements.txt and the names of tests
cargo xtask fuzz TARGET [--minutes M]     fuzz one target, for 5 minutes if not told otherwise
cargo xtask simulate --seed N             repeat one simulated run; a failure is made short and told in full
cargo xtask simulate --seeds A..B         run all seeds from A to B - 1
cargo xtask simulate --minutes M          run fresh seeds until the time is over
cargo xtask simulate --commit N           run N seeds that go by the commit that is checked out
cargo xtask simulate --grid               run the seeds that are always run, and see that they meet what they met
cargo xtask simulate --write-grid         the same, to write docs/simulator-grid.md
cargo xtask bench                         measure both drivers beside mosquitto, and write docs/benchmarks.md
cargo xtask bench SCENARIO... [--runs N]  measure in some scenarios, such as A and F0; --quick for a first look
cargo xtask budgets                       compare what hot paths cost with bench/budgets/budgets.txt
cargo xtask budgets --write               write that table
cargo xtask budgets --hot CASE...         show where the instructions go; --list names the cases
cargo xtask bugs [NAME...]                put deliberate bugs into a copy of the core; the simulator must find each
";

/// Writes the table of the statements and their tests.
const CONFORMANCE: &str = "cargo run --quiet --package sanderling-tests --example conformance";

/// Writes the table of the rows and their tests.
const REQUIREMENTS: &str = "cargo run --quiet --package sanderling-tests --example requirements";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command(&arguments) {
        Ok(code) => code,
        Err(complaint) => {
            eprintln!("xtask: {complaint}");
            ExitCode::from(2)
        }
    }
}

/// Obeys the command line.
///
/// # Errors
/// What is wrong with the arguments, and what would be right.
fn command(arguments: &[&str]) -> Result<ExitCode, String> {
    Ok(match *arguments {
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        ["test"] => run::steps(steps::STEPS.iter()),
        ["test", "--list"] => {
            print!("{}", steps::list());
            ExitCode::SUCCESS
        }
        ["test", "--only", ref names @ ..] if !names.is_empty() => {
            run::steps(steps::named(names)?.into_iter())
        }
        ["conformance"] => written(CONFORMANCE),
        ["requirements"] => written(REQUIREMENTS),
        ["fuzz", target] => fuzz::run(target, 5)?,
        ["fuzz", target, "--minutes", minutes] => {
            let minutes = minutes.parse().map_err(|_| {
                format!("--minutes takes a whole number of minutes, not {minutes:?}")
            })?;
            fuzz::run(target, minutes)?
        }
        ["bench", ref arguments @ ..] => bench::run(arguments)?,
        ["budgets", ref options @ ..] => budgets::run(options)?,
        ["bugs", ref names @ ..] => bugs::run(names)?,
        ["simulate", ref rest @ ..] => simulate::run(rest)?,
        _ => {
            return Err(format!(
                "{arguments:?} is not a command. These are:\n{USAGE}"
            ));
        }
    })
}

fn written(command: &str) -> ExitCode {
    match run::succeeds(command) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_is_answered_with_the_known_ones() {
        let complaint = command(&["tset"]).unwrap_err();
        assert!(complaint.contains("tset") && complaint.contains("cargo xtask test --only"));
    }

    #[test]
    fn only_without_a_step_is_no_command() {
        assert!(command(&["test", "--only"]).is_err());
    }

    #[test]
    fn minutes_are_a_number() {
        let complaint = command(&["fuzz", "topics", "--minutes", "soon"]).unwrap_err();
        assert!(complaint.contains("soon"));
    }
}
