//! Lists the stories and the statements of the standards, so that each becomes a test of its own.

use std::{env, fmt::Write, fs, path::PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=stories");
    println!("cargo::rerun-if-changed=conformance");
    let mut stories: Vec<PathBuf> = fs::read_dir("stories")
        .expect("the directory of stories")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    stories.sort();
    let mut text = String::new();
    list(&mut text, "for_each_story", stories.iter());
    let portable = stories.iter().filter(|path| is_portable(path));
    list(&mut text, "for_each_portable_story", portable);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("stories.rs"), text).expect("the list can be written");
    let tests = statements("v311", "V311") + &statements("v5", "V5");
    fs::write(out.join("conformance.rs"), tests).expect("the list can be written");
}

/// A module with one test for each statement of a version that has a proof.
fn statements(version: &str, name: &str) -> String {
    let list = fs::read_to_string(format!("conformance/{version}.txt")).expect("the list");
    let mut text = format!("/// Statement by statement.\nmod {version} {{\n");
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split(" | ").map(str::trim);
        let (Some(id), Some(proofs)) = (fields.next(), fields.nth(1)) else {
            continue;
        };
        if proofs == "client" || proofs.starts_with("none:") {
            continue;
        }
        let test = id.replace(['.', '-'], "_");
        writeln!(
            text,
            "    #[test]\n    fn mqtt_{test}() {{\n        \
             super::prove(super::Version::{name}, \"{id}\");\n    }}"
        )
        .expect("writing to a string");
    }
    text + "}\n"
}

/// Whether real drivers can do what the story needs: not if it bends time or the network.
fn is_portable(story: &PathBuf) -> bool {
    let text = fs::read_to_string(story).expect("a story");
    let mut needs = text.lines().filter_map(|line| line.strip_prefix("needs "));
    !needs.any(|needs| needs.contains("time") || needs.contains("stalls"))
}

/// A macro that hands the names of all `stories` to another macro, with its other arguments before them.
fn list<'a>(text: &mut String, name: &str, stories: impl Iterator<Item = &'a PathBuf>) {
    let names: Vec<_> = stories
        .filter_map(|path| path.file_stem()?.to_str())
        .collect();
    let names = names.join(" ");
    writeln!(
        text,
        "macro_rules! {name} {{ ($use:ident $($first:tt)*) => {{ $use! {{ $($first)* {names} }} }} }}"
    )
    .expect("writing to a string");
}
