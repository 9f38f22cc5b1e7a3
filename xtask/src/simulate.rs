//! `cargo xtask simulate`: builds the simulator with optimisation and hands it the rest of the command line.

use crate::run;
use std::process::{Command, ExitCode};

const USAGE: &str =
    "simulate takes --seed 7, --seeds 0..1500, --minutes 5, --commit 1500, --grid or --write-grid";

/// The page that counts which fault met which state.
const GRID: &str = "docs/simulator-grid.md";

/// Builds and runs the simulator.
///
/// # Errors
/// The arguments are none that it takes, or there is no commit to go by.
pub(crate) fn run(arguments: &[&str]) -> Result<ExitCode, String> {
    let (option, value) = match *arguments {
        [option @ ("--grid" | "--write-grid")] => (option, GRID.to_owned()),
        ["--commit", count] => ("--seeds", seeds_of(&head()?, count)?),
        [option, value] if is_right(option, value) => (option, value.to_owned()),
        _ => return Err(format!("{arguments:?} is no simulation; {USAGE}")),
    };
    let line = format!(
        "cargo run --release --quiet --locked --package sanderling-tests --no-default-features --bin simulate -- \
         {option} {value}"
    );
    Ok(match run::succeeds(&line) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn is_right(option: &str, value: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match option {
        "--seed" | "--minutes" => is_number(value),
        "--seeds" | "--hashes" => value
            .split_once("..")
            .is_some_and(|(from, to)| is_number(from) && is_number(to)),
        _ => false,
    }
}

/// The commit that is checked out.
fn head() -> Result<String, String> {
    let git = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(run::root())
        .output();
    match git {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        _ => Err("--commit goes by the commit that is checked out, and git knows none".into()),
    }
}

/// So many seeds that begin at a number of this commit's own.
fn seeds_of(commit: &str, count: &str) -> Result<String, String> {
    let count: u64 = count
        .parse()
        .map_err(|_| format!("--commit takes a number of seeds, not {count:?}"))?;
    let first = commit.get(..12).unwrap_or(commit);
    let first =
        u64::from_str_radix(first, 16).map_err(|_| format!("{commit:?} is no name of a commit"))?;
    Ok(format!("{first}..{}", first + count))
}

#[cfg(test)]
mod tests {
    use super::{run, seeds_of};

    #[test]
    fn only_numbers_and_ranges_are_taken() {
        for wrong in [
            &["--seed", "x"][..],
            &["--seeds", "5"],
            &["--seed"],
            &["--sed", "5"],
            &["--commit", "all"],
        ] {
            assert!(run(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn each_commit_has_seeds_of_its_own() {
        let seeds = |commit| seeds_of(commit, "1500").unwrap();
        assert_eq!(seeds("00000000000a9999"), "10..1510");
        assert_ne!(seeds("00000000000b9999"), seeds("00000000000a9999"));
        assert!(seeds_of("no commit", "1").is_err());
    }
}
