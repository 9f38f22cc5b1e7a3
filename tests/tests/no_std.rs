//! The core links and runs without `std`: `core/no-std` is a program that has none, built and run here.
//!
//! The program defines a panic handler. A program may have only one, and `std` has one too, so the linked program is the
//! proof; the last test shows that the compiler really objects.

use std::{
    env,
    path::Path,
    process::{Command, Output},
};

/// Runs cargo on the program, with a target directory of its own, and gathers what it says.
fn cargo(command: &str, arguments: &[&str]) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/no-std/Cargo.toml");
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([command, "--locked", "--manifest-path"])
        .arg(program)
        .args(arguments)
        .env(
            "CARGO_TARGET_DIR",
            concat!(env!("CARGO_TARGET_TMPDIR"), "/no-std"),
        )
        .output()
        .expect("cargo starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_core_links_and_runs_without_std() {
    let output = cargo("run", &[]);
    assert!(
        output.status.success(),
        "{:?}\n{}",
        output.status,
        stderr(&output)
    );
}

#[test]
fn no_dependency_of_the_core_has_its_std_feature_on() {
    let output = cargo(
        "tree",
        &[
            "--edges",
            "no-dev,no-build",
            "--prefix",
            "none",
            "--format",
            "{p} [{f}]",
        ],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(
        tree.lines().any(|line| line.starts_with("hashbrown v")),
        "{tree}"
    );
    assert_eq!(with_std(&tree), Vec::<&str>::new());
}

/// The lines of `cargo tree` that name a package whose feature `std` or `default` is on.
fn with_std(tree: &str) -> Vec<&str> {
    let names_std = |line: &&str| {
        let features = line
            .rsplit_once('[')
            .map_or("", |(_, list)| list.trim_end_matches(']'));
        features
            .split(',')
            .any(|feature| matches!(feature, "std" | "default"))
    };
    tree.lines().filter(names_std).collect()
}

#[test]
fn a_std_feature_would_be_noticed() {
    let tree = "core v1 []\nbytes v1 [default,std]\nsmallvec v1 [union]\nfoldhash v0.2 [std]";
    assert_eq!(
        with_std(tree),
        ["bytes v1 [default,std]", "foldhash v0.2 [std]"]
    );
}

#[test]
fn std_in_the_program_would_be_noticed() {
    let output = cargo(
        "rustc",
        &["--profile", "release", "--", "--cfg", "counter_example"],
    );
    assert!(!output.status.success());
    assert!(
        stderr(&output).contains("duplicate lang item"),
        "{}",
        stderr(&output)
    );
}
