//! Features of the crates that programs embed strip what they name: who wants no TLS compiles none of it.

use std::{env, path::Path, process::Command};

/// Crates that only TLS needs.
const TLS: [&str; 4] = ["rustls", "x509-parser", "notify", "arc-swap"];
const PROVIDERS: [&str; 2] = ["aws-lc-rs", "ring"];
const CRATES: [&str; 3] = ["sanderling-runtime", "sanderling-mio", "sanderling-tokio"];

/// Which of these crates are compiled for a program that depends on `package` with these options.
fn compiled(package: &str, options: &[&str], wanted: &[&'static str]) -> Vec<&'static str> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root)
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none"])
        .args(["--package", package])
        .args(options)
        .output()
        .expect("cargo starts");
    let (tree, complaint) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{complaint}");
    let tree = String::from_utf8(tree).expect("text");
    let names: Vec<_> = tree
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    assert!(names.iter().any(|&(name, _)| name == package), "{tree}");
    let is_there = |one: &&str| names.iter().any(|(name, _)| name == one);
    wanted.iter().copied().filter(is_there).collect()
}

#[test]
fn without_tls_nothing_of_it_is_compiled() {
    for package in CRATES {
        let without = ["--no-default-features"];
        assert!(compiled(package, &without, &TLS).is_empty(), "{package}");
        let none: [&str; 0] = [];
        assert_eq!(compiled(package, &without, &PROVIDERS), none, "{package}");
    }
}

#[test]
fn one_provider_of_cryptography_is_compiled_and_it_is_the_one_asked_for() {
    for package in CRATES {
        let ring = ["--no-default-features", "--features", "ring"];
        assert_eq!(compiled(package, &[], &TLS), TLS, "{package}");
        assert_eq!(
            compiled(package, &[], &PROVIDERS),
            ["aws-lc-rs"],
            "{package}"
        );
        assert_eq!(compiled(package, &ring, &TLS), TLS, "{package}");
        assert_eq!(compiled(package, &ring, &PROVIDERS), ["ring"], "{package}");
    }
}
