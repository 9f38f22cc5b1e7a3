//! What `cargo xtask test` does: a table. Commands are lines for `sh`, run at the root of the repository, so that a
//! failing one can be pasted into a terminal.
//!
//! All test steps build the same thing (`--workspace`), so they compile once; `clippy` and `docs` share the metadata of
//! dependencies. Built as for users: the budgets, the simulator, and the command itself, which foreign clients talk to.

/// One line of the table at the end.
#[derive(Debug)]
pub(crate) struct Step {
    /// What `--only` takes.
    pub(crate) name: &'static str,
    /// What it proves.
    pub(crate) proves: &'static str,
    /// Run in order until one fails.
    pub(crate) commands: &'static [&'static str],
}

/// Each build runs each seed three times; then the two builds are compared.
const DETERMINISM: &str = "\
    simulate='--quiet --locked --package sanderling-tests --no-default-features --bin simulate -- --hashes 0..200' && \
    debug=$(cargo run $simulate) && echo \"debug:   $debug\" && \
    release=$(cargo run --release $simulate) && echo \"release: $release\" && \
    test \"$debug\" = \"$release\"";

/// In the order in which they run: what fails fastest comes first.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "toolchain",
        proves: "rustfmt and clippy are installed, or now they are",
        commands: &[
            "{ cargo fmt --version && cargo clippy --version; } || rustup component add rustfmt clippy",
        ],
    },
    Step {
        name: "format",
        proves: "all Rust is formatted",
        commands: &[
            "cargo fmt --all --check",
            "cargo fmt --manifest-path core/no-std/Cargo.toml --check",
            "cargo fmt --manifest-path fuzz/Cargo.toml --check",
        ],
    },
    Step {
        name: "clippy",
        proves: "no warning in any target with any feature",
        commands: &[
            "cargo clippy --workspace --all-targets --all-features --locked -- -D warnings",
            "cargo clippy --manifest-path core/no-std/Cargo.toml --locked -- -D warnings",
            "cargo clippy --manifest-path fuzz/Cargo.toml --lib --bins --examples --locked -- -D warnings",
        ],
    },
    Step {
        name: "features",
        proves: "what embeds the broker builds without TLS, and with the other provider of cryptography",
        commands: &[
            "cargo clippy --package sanderling-runtime --package sanderling-mio --package sanderling-tokio \
             --no-default-features --locked -- -D warnings",
            "cargo clippy --package sanderling-runtime --package sanderling-mio --package sanderling-tokio \
             --no-default-features --features sanderling-mio/ring,sanderling-tokio/ring --locked -- -D warnings",
            "cargo test --workspace --locked --test features",
        ],
    },
    Step {
        name: "docs",
        proves: "the documentation builds and its links lead somewhere",
        commands: &[
            "RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --all-features --locked",
        ],
    },
    Step {
        name: "tidy",
        proves: "core is pure, layers hold, drivers know no MQTT, files are short",
        commands: &["cargo test --workspace --locked --test tidy"],
    },
    Step {
        name: "no-std",
        proves: "core links and runs without std",
        commands: &["cargo test --workspace --locked --test no_std"],
    },
    Step {
        name: "fuzz-corpus",
        proves: "no input kept from fuzzing fails, and the fuzz targets build",
        commands: &[
            "cargo test --workspace --locked --test fuzz_corpus",
            "cargo build --manifest-path fuzz/Cargo.toml --locked",
        ],
    },
    Step {
        name: "simulate",
        proves: "no rule is broken in 17,500 simulated lives of the broker, 1,500 of them new with each commit",
        commands: &[
            "cargo xtask simulate --grid",
            "cargo xtask simulate --commit 1500",
        ],
    },
    Step {
        name: "determinism",
        proves: "a seed decides everything, in debug as in release, whatever hash maps and the clock on the wall do",
        commands: &[DETERMINISM],
    },
    Step {
        name: "test",
        proves: "every test that needs no foreign program",
        commands: &["cargo test --workspace --locked"],
    },
    Step {
        name: "budgets",
        proves: "the hot paths cost the instructions and allocations that bench/budgets/budgets.txt says",
        commands: &[
            "bench/budgets/install.sh",
            "cargo build --profile budgets --locked --package sanderling-budgets",
            "cargo run --quiet --profile budgets --locked --package sanderling-budgets --bin budgets",
        ],
    },
    Step {
        name: "interop",
        proves: "foreign clients get on with the release build of the command, the load generator with a foreign broker",
        commands: &[
            "tests/interop/install.sh",
            "cargo build --release --locked --package sanderling",
            "cargo test --workspace --features sanderling-tests/interop --locked --test interop",
            "cargo test --workspace --features sanderling-tests/interop --locked --test checks",
        ],
    },
];

/// The steps with these names, in the order of the table.
///
/// # Errors
/// A name that no step has, with all that there are.
pub(crate) fn named(names: &[&str]) -> Result<Vec<&'static Step>, String> {
    let known: Vec<_> = STEPS.iter().map(|step| step.name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        return Err(format!(
            "no step is named {unknown:?}; there are: {}",
            known.join(", ")
        ));
    }
    Ok(STEPS
        .iter()
        .filter(|step| names.contains(&step.name))
        .collect())
}

/// All steps with what they prove and their commands.
pub(crate) fn list() -> String {
    STEPS
        .iter()
        .map(|step| {
            let commands: String = step.commands.iter().map(|c| format!("    {c}\n")).collect();
            format!("{}: {}\n{commands}", step.name, step.proves)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_run_in_the_order_of_the_table() {
        let steps = named(&["test", "format"]).unwrap();
        let names: Vec<_> = steps.iter().map(|step| step.name).collect();
        assert_eq!(names, ["format", "test"]);
    }

    #[test]
    fn an_unknown_step_is_answered_with_the_known_ones() {
        let complaint = named(&["format", "formt"]).unwrap_err();
        assert!(complaint.contains("\"formt\"") && complaint.contains("clippy, features"));
    }

    #[test]
    fn every_step_is_listed_with_its_commands() {
        let list = list();
        for step in STEPS {
            assert!(list.contains(&format!("{}: {}\n", step.name, step.proves)));
            assert!(!step.commands.is_empty());
            assert!(step.commands.iter().all(|&command| list.contains(command)));
        }
    }
}
