//! `cargo xtask simulate`: builds the simulator with optimisation and hands it the rest of the command line.

use crate::run;
use std::process::ExitCode;

/// Builds and runs the simulator.
///
/// # Errors
/// The arguments are none that it takes.
pub(crate) fn run(arguments: &[&str]) -> Result<ExitCode, String> {
    let [option, value] = arguments else {
        return Err("simulate takes --seed N, --seeds A..B or --minutes M".into());
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_right = match *option {
        "--seed" | "--minutes" => is_number(value),
        "--seeds" => value
            .split_once("..")
            .is_some_and(|(from, to)| is_number(from) && is_number(to)),
        _ => return Err(format!("simulate has no option {option:?}")),
    };
    if !is_right {
        return Err(format!(
            "{option} does not take {value:?}; it reads --seed 7, --seeds 0..1500, --minutes 5"
        ));
    }
    let line = format!(
        "cargo run --release --quiet --package sanderling-tests --bin simulate -- {option} {value}"
    );
    Ok(match run::succeeds(&line) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn only_numbers_and_ranges_are_taken() {
        for wrong in [
            &["--seed", "x"][..],
            &["--seeds", "5"],
            &["--seed"],
            &["--sed", "5"],
        ] {
            assert!(run(wrong).is_err(), "{wrong:?}");
        }
    }
}
