//! Core has no hidden worlds: no `std`, no IO, no clock, no randomness, no global state.

use super::{assert_none, source};

/// Crates that would let the world in.
const CRATES: &[&str] = &[
    "std",
    "libc",
    "rand",
    "getrandom",
    "fastrand",
    "log",
    "tracing",
    "tokio",
    "mio",
];

/// Names that mean a clock, a socket, a file, a thread, randomness or a global, wherever they come from.
const NAMES: &[&str] = &[
    "SystemTime",
    "TcpStream",
    "UdpSocket",
    "File",
    "RandomState",
    "thread_rng",
    "println",
    "eprintln",
    "dbg",
    "thread_local",
    "Mutex",
    "RwLock",
    "OnceCell",
    "OnceLock",
    "LazyCell",
    "LazyLock",
];

/// What core may depend on. All of it is built without default features.
const DEPENDENCIES: &[&str] = &["bytes", "foldhash", "hashbrown", "smallvec"];

fn impurities(path: &str, text: &str) -> Vec<String> {
    let words = source::words(text);
    let named = words.iter().enumerate().filter(|&(at, word)| {
        let followed = words.get(at + 1).is_some_and(|next| next.text == "::");
        let declared = at > 0 && matches!(words[at - 1].text, "crate" | "use");
        (CRATES.contains(&word.text) && (followed || declared))
            || NAMES.contains(&word.text)
            || word.text.starts_with("Atomic")
    });
    named
        .map(|(_, word)| format!("{path}:{}: core names {}", word.line, word.text))
        .collect()
}

/// The names in the section `[dependencies]`.
fn dependencies(manifest: &str) -> Vec<&str> {
    let lines = manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1);
    let section = lines.take_while(|line| !line.starts_with('['));
    section
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim())
        .collect()
}

#[test]
fn core_names_nothing_outside_itself() {
    let files = source::rust_under("core/src/");
    assert_none(
        files
            .iter()
            .flat_map(|file| impurities(&file.path, &file.text))
            .collect(),
    );
}

#[test]
fn core_depends_on_few_crates_without_their_defaults() {
    let files = source::tree();
    let manifest = |path| {
        &files
            .iter()
            .find(|file| file.path == path)
            .expect("a manifest")
            .text
    };
    let dependencies = dependencies(manifest("core/Cargo.toml"));
    assert!(!dependencies.is_empty());
    for name in dependencies {
        assert!(DEPENDENCIES.contains(&name), "core depends on {name}");
        let start = format!("{name} = ");
        let mut versions = manifest("Cargo.toml").lines();
        let version = versions
            .find(|line| line.starts_with(&start))
            .unwrap_or_default();
        assert!(
            version.contains("default-features = false"),
            "{name}: {version}"
        );
    }
}

#[test]
fn an_impurity_is_seen() {
    let seen = |text| impurities("a.rs", text).len();
    assert_eq!(seen("use std::time::Instant;"), 1);
    assert_eq!(seen("extern crate std;"), 1);
    assert_eq!(seen("let now = clock::SystemTime::now();"), 1);
    assert_eq!(seen("static COUNT: AtomicU64 = AtomicU64::new(0);"), 2);
    assert_eq!(seen("fn f() {\n    println!(\"std\");\n}"), 1);
    assert_eq!(
        seen("// std::time\nlet log = \"rand::random\"; log.push(1);"),
        0
    );
}

#[test]
fn dependencies_are_read_from_their_section() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\nb = { workspace = true }\nc = \"1\"\n\n[dev-dependencies]\nd = \"1\"";
    assert_eq!(dependencies(manifest), ["b", "c"]);
}
