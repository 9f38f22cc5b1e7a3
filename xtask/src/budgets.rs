//! `cargo xtask budgets`: builds the cases as the release is built and hands the rest of the command line on.

use crate::run;
use std::process::ExitCode;

/// Installs what counts, builds, and counts.
///
/// # Errors
/// An argument that cannot be one.
pub(crate) fn run(options: &[&str]) -> Result<ExitCode, String> {
    let is_plain = |option: &&str| {
        option
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if let Some(wrong) = options.iter().find(|option| !is_plain(option)) {
        return Err(format!("budgets has no option and no case {wrong:?}"));
    }
    let package = "--profile budgets --locked --package sanderling-budgets";
    let options = options.join(" ");
    let lines = [
        "bench/budgets/install.sh".to_owned(),
        format!("cargo build --quiet {package}"),
        format!("cargo run --quiet {package} --bin budgets -- {options}"),
    ];
    Ok(match lines.iter().all(|line| run::succeeds(line)) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn nothing_that_a_shell_would_obey_is_handed_on() {
        let complaint = run(&["--hot", "a; b"]).unwrap_err();
        assert!(complaint.contains("a; b"));
    }
}
