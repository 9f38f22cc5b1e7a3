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
        .skip_while(|line| *line != "[dependencies]");
    let section = lines.skip(1).take_while(|line| !line.starts_with('['));
    let entries = section.filter_map(|line| line.split_once('='));
    entries.map(|(name, _)| name.trim()).collect()
}

/// The dependencies of core that it may not have, or that the workspace gives their default features.
fn unfit_dependencies(core: &str, workspace: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for name in dependencies(core) {
        let start = format!("{name} = ");
        let version = workspace.lines().find(|line| line.starts_with(&start));
        if !DEPENDENCIES.contains(&name) {
            complaints.push(format!("core depends on {name}"));
        } else if !version.is_some_and(|line| line.contains("default-features = false")) {
            complaints.push(format!("core gets the default features of {name}"));
        }
    }
    complaints
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
        let file = files.iter().find(|file| file.path == path);
        &file.expect("a manifest").text
    };
    let core = manifest("core/Cargo.toml");
    assert!(dependencies(core).contains(&"bytes"));
    assert_none(unfit_dependencies(core, manifest("Cargo.toml")));
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

#[test]
fn an_unfit_dependency_is_seen() {
    let core = "[dependencies]\nbytes = { workspace = true }\nrand = \"1\"\nhashbrown = \"1\"";
    let workspace = "bytes = { version = \"1\", default-features = false }\nhashbrown = \"1\"";
    assert_eq!(
        unfit_dependencies(core, workspace),
        [
            "core depends on rand",
            "core gets the default features of hashbrown"
        ]
    );
}
