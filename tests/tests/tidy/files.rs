//! What holds for every file: it is short, begins with what it is, and names no machine.

use super::{
    assert_none,
    source::{self, Source},
};

const LINES_MAX: usize = 500;

/// The files that may be longer, and why.
const LONG: &[(&str, &str)] = &[];

/// Paths of somebody's machine. In two parts, so that this file does not contain them.
const MACHINE_PATHS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/tm", "p/"),
    concat!("/wo", "rk/"),
];

/// Where packages come from is the business of the machine that fetches them.
const REGISTRIES: &[&str] = &[
    concat!("crates.io", "-index"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("files.python", "hosted.org"),
    concat!("pypi.org/", "simple"),
    concat!("proxy.gol", "ang.org"),
    concat!("--index", "-url"),
];

/// The only form in which a `Cargo.lock` may name a registry.
const LOCKED: &str = concat!(
    "source = \"registry+https://github.com/rust-lang/crates.io",
    "-index\""
);

fn is_long(file: &Source) -> bool {
    file.text.lines().count() > LINES_MAX
}

fn says_what_it_is(file: &Source) -> bool {
    file.text.starts_with("//! ")
}

fn machine_names(file: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let registry = match file.path.ends_with("Cargo.lock") {
            true => (line.starts_with("source = ") && line != LOCKED).then_some("another registry"),
            false => REGISTRIES.iter().copied().find(|name| line.contains(name)),
        };
        let path = MACHINE_PATHS
            .iter()
            .copied()
            .find(|path| names_path(line, path));
        if let Some(name) = registry.or(path) {
            complaints.push(format!("{}:{number}: names {name}", file.path));
        }
    }
    complaints
}

/// Whether an absolute path that begins with `path` is in the line; `a/b/` does not begin with `/b/`.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| {
            !c.is_alphanumeric() && !matches!(c, '/' | '+' | '#' | '$' | '}' | '.' | '_' | '-')
        })
    })
}

#[test]
fn files_are_short() {
    let files = source::tree();
    let long = files.iter().filter(|file| file.is_rust() && is_long(file));
    let unexpected = long.filter(|file| !LONG.iter().any(|(path, _)| *path == file.path));
    assert_none(
        unexpected
            .map(|file| {
                format!(
                    "{} has more than {LINES_MAX} lines: split it, or list it with a reason",
                    file.path
                )
            })
            .collect(),
    );
}

#[test]
fn every_long_file_on_the_list_is_long() {
    let files = source::tree();
    for (path, _) in LONG {
        assert!(
            files.iter().any(|file| file.path == *path && is_long(file)),
            "{path} is short or gone"
        );
    }
}

#[test]
fn every_rust_file_begins_with_what_it_is() {
    let files = source::tree();
    let silent = files
        .iter()
        .filter(|file| file.is_rust() && !says_what_it_is(file));
    assert_none(
        silent
            .map(|file| format!("{} does not begin with //!", file.path))
            .collect(),
    );
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    assert_none(source::tree().iter().flat_map(machine_names).collect());
}

#[test]
fn a_long_file_is_seen() {
    let file = |lines| Source {
        path: "a.rs".into(),
        text: "x\n".repeat(lines),
    };
    assert!(is_long(&file(LINES_MAX + 1)) && !is_long(&file(LINES_MAX)));
}

#[test]
fn a_silent_file_is_seen() {
    let file = |text: &str| Source {
        path: "a.rs".into(),
        text: text.into(),
    };
    assert!(says_what_it_is(&file("//! The clock.\n")));
    assert!(!says_what_it_is(&file("// The clock.\n")) && !says_what_it_is(&file("//!\n")));
}

#[test]
fn a_machine_or_a_registry_is_seen() {
    let seen = |path: &str, text: String| {
        machine_names(&Source {
            path: path.into(),
            text,
        })
        .len()
    };
    for path in MACHINE_PATHS {
        assert_eq!(seen("a.md", format!("see `{path}x`")), 1);
        assert_eq!(seen("a.md", format!("topic a{path}x, pattern +{path}#")), 0);
    }
    for registry in REGISTRIES {
        assert_eq!(
            seen("package-lock.json", format!("https://{registry}/x")),
            1
        );
    }
    assert_eq!(seen("Cargo.lock", LOCKED.into()), 0);
    assert_eq!(
        seen(
            "Cargo.lock",
            "source = \"sparse+https://elsewhere/\"".into()
        ),
        1
    );
}
