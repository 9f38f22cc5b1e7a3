//! `cargo xtask fuzz`: runs one target of `fuzz/` for some minutes. What the fuzzer finds on its way is kept under
//! `target/`; the committed corpus only seeds it. See docs/fuzzing.md.

use crate::run;
use std::{fs, process::ExitCode};

/// Said when the fuzzer is missing. Both parts are downloaded, so nothing is installed unasked.
const INSTALL: &str =
    "fuzzing needs a nightly compiler and cargo-fuzz, and one of them is missing. Install them with
    rustup toolchain install nightly --profile minimal
    cargo install cargo-fuzz --locked
cargo-fuzz needs a C++ compiler too: on Debian, apt-get install g++";

/// Fuzzes `target` for `minutes`.
///
/// # Errors
/// No such target, or the fuzzer is not installed.
pub(crate) fn run(target: &str, minutes: u32) -> Result<ExitCode, String> {
    let known = targets();
    if !known.iter().any(|name| name == target) {
        return Err(format!(
            "no fuzz target is named {target:?}; there are: {}",
            known.join(", ")
        ));
    }
    if !run::succeeds("cargo +nightly fuzz --version") {
        return Err(INSTALL.into());
    }
    let found = format!("target/fuzz-corpus/{target}");
    let ok = run::succeeds(&format!(
        "mkdir -p {found} && cargo +nightly fuzz run {target} {found} fuzz/corpus/{target} -- \
         -max_total_time={} -print_final_stats=1",
        u64::from(minutes) * 60
    ));
    Ok(match ok {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The targets: one file each.
fn targets() -> Vec<String> {
    let files = fs::read_dir(run::root().join("fuzz/fuzz_targets"));
    let mut names: Vec<_> = files
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_target_is_answered_with_the_known_ones() {
        let complaint = run("nothing", 1).unwrap_err();
        assert!(complaint.contains("\"nothing\"") && complaint.contains("topics"));
    }
}
