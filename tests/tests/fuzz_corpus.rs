//! Replays what is kept from fuzzing, with the stable compiler. An input that once failed stays here for good.

use sanderling_fuzz::{TARGETS, seeds};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

/// Longer beginnings take long and show nothing new: what follows is payload.
const BEGINNING_BYTES_MAX: usize = 600;

/// The files of a target's corpus, in the order of their names.
fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = corpus().join(target);
    let files =
        fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<_> = files
        .map(|file| file.expect("a readable directory").path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read(&path).expect("a readable file")))
        .collect()
}

/// The inputs that make a check panic.
fn failing(check: fn(&[u8]), inputs: Vec<(PathBuf, Vec<u8>)>) -> Vec<PathBuf> {
    inputs
        .into_iter()
        .filter(|(_, bytes)| catch_unwind(AssertUnwindSafe(|| check(bytes))).is_err())
        .map(|(path, _)| path)
        .collect()
}

#[test]
fn no_input_of_the_corpus_fails() {
    for &(target, check) in TARGETS {
        let inputs = inputs(target);
        assert!(
            inputs.len() >= 10,
            "the corpus of {target} is small: {}",
            inputs.len()
        );
        let failing = failing(check, inputs);
        assert!(failing.is_empty(), "{target} fails on {failing:#?}");
    }
}

#[test]
fn beginnings_of_inputs_do_not_fail() {
    for &(target, check) in TARGETS {
        for (path, bytes) in inputs(target) {
            let mut beginnings = (0..bytes.len().min(BEGINNING_BYTES_MAX)).map(|end| &bytes[..end]);
            let failing = beginnings.find(|part| catch_unwind(|| check(part)).is_err());
            assert!(
                failing.is_none(),
                "{target} fails on a part of {path:?}: {failing:?}"
            );
        }
    }
}

#[test]
fn the_seeds_are_committed_as_they_are_generated() {
    for seed in seeds() {
        let path = corpus().join(seed.target).join(seed.name);
        let committed = fs::read(&path).unwrap_or_default();
        assert!(
            committed == seed.bytes,
            "{} is not what fuzz/src/seeds/ says. To write it again:\n\
             cargo run --manifest-path fuzz/Cargo.toml --example write_seeds",
            path.display()
        );
    }
}

/// Shows that the replay can fail.
#[test]
fn a_failing_input_is_named() {
    fn check(input: &[u8]) {
        assert!(input.len() < 3, "too long");
    }
    let inputs = vec![("short".into(), vec![1]), ("long".into(), vec![1, 2, 3])];
    assert_eq!(failing(check, inputs), [PathBuf::from("long")]);
}
