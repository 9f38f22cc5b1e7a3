//! `cargo xtask bugs`: the proof that the simulator proves something. Each deliberate bug is put into a copy of the
//! sources, built, and must be found within 2,000 seeds. The product itself has no switch for them.

mod table;

use crate::run;
use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
};
use table::{BUGS, Bug};

/// Everything happens here, under the root of the repository.
const PLACE: &str = "target/bugs";
/// Seeds that each bug may take.
const SEEDS: &str = "0..2000";
const DOCUMENT: &str = "docs/deliberate-bugs.md";

const HEADING: &str = "\
# Deliberate bugs

What proves that the simulator proves something: each of these bugs, put into the core one at a time, must be found
within 2,000 seeds. `cargo xtask bugs` does that in a copy of the sources and writes this page; the bugs themselves stand
in `xtask/src/bugs/table.rs`. The rules are those of `INVARIANTS` in `tests/src/sim/tally.rs`.

| bug | in `core/src/` | found by seed | rule |
| --- | --- | ---: | --- |
";

/// Tries the bugs with these names, or all of them; then the page is written too.
///
/// # Errors
/// No bug has one of the names, or the copy cannot be made.
pub(crate) fn run(names: &[&str]) -> Result<ExitCode, String> {
    if let Some(unknown) = names
        .iter()
        .find(|name| BUGS.iter().all(|bug| bug.name != **name))
    {
        return Err(format!(
            "no bug is named {unknown:?}; xtask/src/bugs/table.rs has them all"
        ));
    }
    let copied = format!(
        "rm -rf {PLACE}/tree && mkdir -p {PLACE}/tree && git ls-files -z | xargs -0 cp --parents -t {PLACE}/tree"
    );
    if !run::succeeds(&copied) {
        return Err("the sources cannot be copied".into());
    }
    let chosen = BUGS
        .iter()
        .filter(|bug| names.is_empty() || names.contains(&bug.name));
    let (mut rows, mut all_found) = (String::new(), true);
    for bug in chosen {
        let (seed, rule) = match attempt(bug) {
            Ok(Some(found)) => found,
            Ok(None) => ("not found".into(), String::new()),
            Err(complaint) => (complaint, String::new()),
        };
        all_found &= !rule.is_empty();
        let row = format!("| {} | `{}` | {seed} | {rule} |\n", bug.name, bug.file);
        print!("{row}");
        rows += &row;
    }
    if names.is_empty() {
        fs::write(run::root().join(DOCUMENT), format!("{HEADING}{rows}"))
            .map_err(|error| format!("{DOCUMENT}: {error}"))?;
    }
    Ok(match all_found {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Builds with the bug and looks for it. The seed and the rule, if it is found.
fn attempt(bug: &Bug) -> Result<Option<(String, String)>, String> {
    let path = run::root().join(PLACE).join("tree/core/src").join(bug.file);
    let right = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", bug.file))?;
    fs::write(&path, spoil(bug, &right)?).map_err(|error| format!("{}: {error}", bug.file))?;
    let found = search(bug);
    fs::write(&path, right).map_err(|error| format!("{}: {error}", bug.file))?;
    found
}

/// The text with the bug in it.
fn spoil(bug: &Bug, right: &str) -> Result<String, String> {
    match right.matches(bug.right).count() {
        1 => Ok(right.replacen(bug.right, bug.wrong, 1)),
        count => Err(format!(
            "{}: {} has its place {count} times; xtask/src/bugs/table.rs must follow the change",
            bug.name, bug.file
        )),
    }
}

fn search(bug: &Bug) -> Result<Option<(String, String)>, String> {
    let root = run::root();
    let built = Command::new("cargo")
        .args([
            "build",
            "--quiet",
            "--package",
            "sanderling-tests",
            "--no-default-features",
            "--bin",
            "simulate",
        ])
        .current_dir(root.join(PLACE).join("tree"))
        .env(
            "CARGO_TARGET_DIR",
            absolute(&root.join(PLACE).join("build"))?,
        )
        .env("RUSTFLAGS", "-Awarnings")
        .status();
    if !built.is_ok_and(|status| status.success()) {
        return Err(format!("{}: the bug does not compile", bug.name));
    }
    let output = Command::new(absolute(&root.join(PLACE).join("build/debug/simulate"))?)
        .args(["--first", SEEDS])
        .output()
        .map_err(|error| format!("simulate does not start: {error}"))?;
    Ok(found_in(&String::from_utf8_lossy(&output.stdout)))
}

fn absolute(path: &Path) -> Result<std::path::PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads `seed 7 breaks I01: ...`.
fn found_in(output: &str) -> Option<(String, String)> {
    let line = output
        .split(['\r', '\n'])
        .find(|line| line.starts_with("seed ") && line.contains(" breaks "))?;
    let (seed, rest) = line.strip_prefix("seed ")?.split_once(" breaks ")?;
    let (rule, _) = rest.split_once(':')?;
    Some((seed.into(), rule.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_replaces_what_stands_there_once() {
        let bug = &BUGS[0];
        let text = format!("before{}after", bug.right);
        assert_eq!(spoil(bug, &text), Ok(format!("before{}after", bug.wrong)));
        assert!(spoil(bug, &format!("{text}{text}")).is_err() && spoil(bug, "").is_err());
    }

    #[test]
    fn every_bug_has_its_place() {
        for bug in BUGS {
            let path = run::root().join("core/src").join(bug.file);
            let text = fs::read_to_string(path).unwrap();
            assert!(spoil(bug, &text).is_ok(), "{:?}", spoil(bug, &text));
        }
    }

    #[test]
    fn names_are_not_used_twice() {
        for (number, bug) in BUGS.iter().enumerate() {
            assert!(
                BUGS[number + 1..]
                    .iter()
                    .all(|other| other.name != bug.name),
                "{}",
                bug.name
            );
        }
        assert!(BUGS.len() >= 25);
    }

    #[test]
    fn the_first_failure_is_read() {
        let found = found_in("1 seeds\rseed 17 breaks I09: x: y\nmore");
        assert_eq!(found, Some(("17".into(), "I09".into())));
        assert_eq!(found_in("2000 seeds in 9.1 s"), None);
    }
}
