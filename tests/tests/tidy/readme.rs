//! The README says what is so.

use super::source::{self, Source};

/// What makes the programs of the README tests of documentation.
const INCLUDED: &str = "#[cfg(doctest)]\n#[doc = include_str!(\"../../README.md\")]";

/// The programs in a page, each with what its fence says.
fn programs(page: &str) -> Vec<(&str, &str)> {
    let fences = page.split("\n```").skip(1).step_by(2);
    let parts = fences.filter_map(|part| part.split_once('\n'));
    parts
        .filter(|(fence, _)| fence.starts_with("rust"))
        .collect()
}

fn text<'a>(files: &'a [Source], path: &str) -> &'a str {
    let file = files.iter().find(|file| file.path == path);
    &file.expect("it is there").text
}

/// It is compiled, and run, by `cargo test` of sanderling_mio, whose documentation includes it.
#[test]
fn b3_the_program_in_the_readme_is_a_test() {
    let files = source::tree();
    let programs = programs(text(&files, "README.md"));
    let [(fence, program)] = programs[..] else {
        panic!("one program: {programs:?}");
    };
    assert_eq!(fence, "rust", "neither ignored nor only compiled");
    for part in ["fn main()", ".listen(", ".start()", ".join()"] {
        assert!(program.contains(part), "{part}");
    }
    assert!(text(&files, "runtime-mio/src/lib.rs").contains(INCLUDED));
}

#[test]
fn programs_are_told_from_commands() {
    let page = "a\n```sh\nls\n```\nb\n```rust,ignore\nfn main() {}\n```\n";
    assert_eq!(programs(page), [("rust,ignore", "fn main() {}")]);
}
