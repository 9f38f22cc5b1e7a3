//! All packages obey the lints of the workspace, which forbid `unsafe`.

use super::{
    assert_none,
    source::{self, Source},
};

/// The packages that stand outside the workspace, with what they have instead, and why.
const OUTSIDE: &[(&str, &str)] = &[
    (
        "core/no-std/Cargo.toml",
        "an allocator and the names the linker asks for need unsafe code",
    ),
    (
        "fuzz/Cargo.toml",
        "needs nightly; its library forbids unsafe code itself",
    ),
];

fn inherits_lints(manifest: &str) -> bool {
    let mut section = manifest
        .lines()
        .skip_while(|line| *line != "[lints]")
        .skip(1);
    section.next() == Some("workspace = true")
}

fn forbids_unsafe(root: &str) -> bool {
    root.lines().any(|line| line == "#![forbid(unsafe_code)]")
}

fn is_outside(path: &str) -> bool {
    OUTSIDE.iter().any(|(outside, _)| *outside == path)
}

fn text<'a>(files: &'a [Source], path: &str) -> &'a str {
    let file = files.iter().find(|file| file.path == path);
    file.map(|file| file.text.as_str())
        .unwrap_or_else(|| panic!("{path} is gone"))
}

#[test]
fn all_packages_use_the_lints_of_the_workspace() {
    let files = source::tree();
    let manifests = files
        .iter()
        .filter(|file| file.path.ends_with("Cargo.toml") && file.text.contains("[package]"));
    let without = manifests.filter(|file| !inherits_lints(&file.text) && !is_outside(&file.path));
    assert_none(
        without
            .map(|file| format!("{} lacks [lints] workspace = true", file.path))
            .collect(),
    );
}

#[test]
fn unsafe_code_is_forbidden() {
    let files = source::tree();
    assert!(text(&files, "Cargo.toml").contains("\nunsafe_code = \"forbid\"\n"));
    assert!(forbids_unsafe(text(&files, "fuzz/src/lib.rs")));
}

#[test]
fn unsafe_code_stands_in_one_place() {
    let files = source::tree();
    let elsewhere = files
        .iter()
        .filter(|file| file.is_rust() && !file.path.starts_with("core/no-std/src/"));
    let with_unsafe = elsewhere.filter(|file| names_unsafe(&file.text));
    assert_none(
        with_unsafe
            .map(|file| format!("{} has unsafe code", file.path))
            .collect(),
    );
}

fn names_unsafe(text: &str) -> bool {
    source::words(text).iter().any(|word| word.text == "unsafe")
}

#[test]
fn a_package_on_its_own_is_seen() {
    assert!(inherits_lints(
        "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"
    ));
    assert!(!inherits_lints(
        "[package]\nname = \"a\"\nedition.workspace = true\n"
    ));
    assert!(!inherits_lints(
        "[lints]\nrust.unsafe_code = \"allow\"\n[x]\nworkspace = true"
    ));
    assert!(
        forbids_unsafe("//! x\n#![forbid(unsafe_code)]\n")
            && !forbids_unsafe("// forbid(unsafe_code)")
    );
}

#[test]
fn unsafe_code_is_seen() {
    assert!(
        names_unsafe("fn f() { unsafe { g() } }")
            && !names_unsafe("// unsafe\n\"unsafe\" unsafe_code")
    );
}

/// The modules that read what a peer chose: nothing there may panic by an index or an overflow. See docs/panics.md.
const READING: &[&str] = &[
    "core/src/codec/mod.rs",
    "core/src/packet/properties/mod.rs",
    "core/src/topic/mod.rs",
];

#[test]
fn what_reads_bytes_neither_indexes_nor_overflows_without_a_reason() {
    const LINTS: &str = "#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]";
    let files = source::tree();
    for path in READING {
        assert!(text(&files, path).contains(LINTS), "{path} lacks {LINTS}");
    }
    let excepts = |file: &&Source| {
        let of_reading = READING
            .iter()
            .any(|path| file.path.starts_with(path.trim_end_matches("mod.rs")));
        of_reading && file.text.contains("allow(clippy::")
    };
    let allowed = files.iter().filter(excepts);
    assert_none(
        allowed
            .map(|file| format!("{} allows a lint; expect it, with a reason", file.path))
            .collect(),
    );
}
