//! Runs steps one after the other, however many fail, and says at the end how each went.

use crate::steps::Step;
use std::{
    env,
    path::PathBuf,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

/// How a step went.
struct Report {
    step: &'static str,
    took: Duration,
    /// The command that failed, if one did.
    failed: Option<&'static str>,
}

/// Runs the steps and prints the table. Success if all of them succeed.
pub(crate) fn steps(steps: impl Iterator<Item = &'static Step>) -> ExitCode {
    let reports: Vec<_> = steps.map(perform).collect();
    print!("\n{}", table(&reports));
    match reports.iter().any(|report| report.failed.is_some()) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

fn perform(step: &'static Step) -> Report {
    println!("\n=== {}: {}", step.name, step.proves);
    let begun = Instant::now();
    let failed = step.commands.iter().copied().find(|line| !succeeds(line));
    Report {
        step: step.name,
        took: begun.elapsed(),
        failed,
    }
}

/// Runs one line in a shell at the root of the repository.
pub(crate) fn succeeds(line: &str) -> bool {
    println!("$ {line}");
    let status = Command::new("sh")
        .args(["-c", line])
        .current_dir(root())
        .status();
    match status {
        Ok(status) => status.success(),
        Err(error) => {
            eprintln!("xtask: sh does not start: {error}");
            false
        }
    }
}

/// The root of the repository. Cargo names the directory of this package, one below it.
pub(crate) fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| "xtask".into(), PathBuf::from);
    package.join("..")
}

fn table(reports: &[Report]) -> String {
    let mut text = format!("{:<14}{:<10}{:>8}\n", "step", "result", "min:s");
    for report in reports {
        let result = if report.failed.is_some() {
            "FAILED"
        } else {
            "ok"
        };
        text += &format!("{:<14}{result:<10}{:>8}\n", report.step, clock(report.took));
    }
    let total = reports.iter().map(|report| report.took).sum();
    text += &format!("{:<24}{:>8}\n", "total", clock(total));
    for report in reports {
        if let Some(line) = report.failed {
            text += &format!("\n{} failed. To repeat it:\n{line}\n", report.step);
        }
    }
    text
}

/// Minutes and seconds.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &'static str, commands: &'static [&'static str]) -> &'static Step {
        Box::leak(Box::new(Step {
            name,
            proves: "nothing",
            commands,
        }))
    }

    #[test]
    fn a_step_ends_with_its_first_failing_command() {
        let report = perform(step("three", &["true", "exit 3", "exit 4"]));
        assert_eq!(report.failed, Some("exit 3"));
    }

    #[test]
    fn all_steps_run_though_one_fails() {
        let bad = step("bad", &["false"]);
        let good = step("good", &["true"]);
        assert_eq!(steps([bad, good].into_iter()), ExitCode::FAILURE);
        assert_eq!(steps([good].into_iter()), ExitCode::SUCCESS);
    }

    #[test]
    fn the_table_shows_times_results_and_how_to_repeat_a_failure() {
        let reports = [
            Report {
                step: "format",
                took: Duration::from_millis(1_499),
                failed: None,
            },
            Report {
                step: "clippy",
                took: Duration::from_secs(83),
                failed: Some("cargo clippy"),
            },
        ];
        assert_eq!(
            table(&reports),
            "\
step          result       min:s
format        ok            0:01
clippy        FAILED        1:23
total                       1:24

clippy failed. To repeat it:
cargo clippy
"
        );
    }
}
