//! What the repository holds that shows rows: stories and tests, and the drivers they run on.

use super::number;
use crate::{
    repository::{self, Source},
    story::{Need, Story},
};
use std::{collections::BTreeSet, fmt, io};

/// Not searched: texts about tests.
const ABOUT_TESTS: &[&str] = &["tests/src/requirements/", "tests/src/conformance/"];

/// What runs beneath a test.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Driver {
    /// The state machine alone.
    Core,
    /// What drivers share, without one.
    Runtime,
    /// A plugin without a broker.
    Plugin,
    /// The driver with one loop.
    Mio,
    /// The driver in a tokio runtime.
    Tokio,
    /// The driver that needs nothing but the public API.
    AsyncStd,
    /// The command as a process.
    Command,
}

impl Driver {
    const REAL: [Self; 3] = [Self::Mio, Self::Tokio, Self::AsyncStd];

    /// The real drivers that a text names.
    fn named_in(text: &str) -> BTreeSet<Self> {
        let names: [(&str, Self); 6] = [
            ("over_mio", Self::Mio),
            ("sanderling_mio", Self::Mio),
            ("over_tokio", Self::Tokio),
            ("sanderling_tokio", Self::Tokio),
            ("over_async_std", Self::AsyncStd),
            ("async_std::", Self::AsyncStd),
        ];
        let named = names.iter().filter(|(name, _)| text.contains(name));
        named.map(|(_, driver)| *driver).collect()
    }

    /// What tests in a file run on that name no driver.
    fn of_path(path: &str) -> Self {
        let begins: [(&str, Self); 9] = [
            ("runtime-mio/", Self::Mio),
            ("runtime-tokio/", Self::Tokio),
            ("runtime/", Self::Runtime),
            ("tests/tests/pipeline/", Self::Runtime),
            ("plugins/", Self::Plugin),
            ("tests/tests/management/", Self::Plugin),
            ("server/", Self::Command),
            ("tests/tests/interop/", Self::Command),
            ("examples/", Self::Command),
        ];
        let mut found = begins.iter().filter(|(begin, _)| path.starts_with(begin));
        found.next().map_or(Self::Core, |(_, driver)| *driver)
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Core => "core",
            Self::Runtime => "runtime",
            Self::Plugin => "plugin",
            Self::Mio => "mio",
            Self::Tokio => "tokio",
            Self::AsyncStd => "async-std",
            Self::Command => "command",
        })
    }
}

/// A story or a test that names rows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shown {
    /// What it is called.
    pub name: String,
    /// Its file, from the root of the repository.
    pub path: String,
    /// The rows.
    pub rows: BTreeSet<String>,
    /// On what it runs.
    pub drivers: BTreeSet<Driver>,
}

impl Shown {
    /// All of the repository, stories first.
    ///
    /// # Errors
    /// A file that cannot be read, a story that cannot be understood.
    pub fn all() -> io::Result<Vec<Self>> {
        let mut all = Vec::new();
        for (name, text) in repository::stories()? {
            all.extend(Self::of_story(&name, &text).map_err(io::Error::other)?);
        }
        let tree = repository::tree()?;
        for file in tree.iter().filter(|file| file.is_rust()) {
            if !ABOUT_TESTS.iter().any(|about| file.path.starts_with(about)) {
                all.extend(Self::of_file(file, program(&tree, &file.path)));
            }
        }
        Ok(all)
    }

    /// A story runs by hand, and on every driver unless it bends time or the network.
    pub(super) fn of_story(name: &str, text: &str) -> Result<Option<Self>, String> {
        let comments = text.lines().filter(|line| line.starts_with('#'));
        let rows: BTreeSet<_> = comments.flat_map(number::in_text).collect();
        if rows.is_empty() {
            return Ok(None);
        }
        let story = Story::parse(name, text).map_err(|error| error.to_string())?;
        let bends = |need: &Need| matches!(need, Need::Time | Need::Stalls);
        let mut drivers: BTreeSet<_> = [Driver::Core].into();
        if !story.needs.iter().any(bends) {
            drivers.extend(Driver::REAL);
        }
        Ok(Some(Self {
            name: name.into(),
            path: format!("tests/stories/{name}.txt"),
            rows,
            drivers,
        }))
    }

    /// The tests of a file; `program` is the example that they run, if they do.
    pub(super) fn of_file(file: &Source, program: Option<&str>) -> Vec<Self> {
        let every = listed(&file.text, "on_every_driver! {");
        let shipped = listed(&file.text, "on_shipped_drivers! {");
        let lines: Vec<_> = file.text.lines().collect();
        let mut found = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = item(line) else { continue };
            let above = above(&lines[..at]);
            let docs = above.iter().filter(|line| line.trim().starts_with("///"));
            let docs: String = docs.map(|line| format!("{line}\n")).collect();
            let mut rows: BTreeSet<_> = number::in_name(name).into_iter().collect();
            rows.extend(number::in_text(&docs));
            let drivers = if every.contains(name) {
                Driver::REAL.into()
            } else if shipped.contains(name) {
                [Driver::Mio, Driver::Tokio].into()
            } else if above.iter().any(|line| line.trim() == "#[test]") || docs.contains("```") {
                let text = docs + &body(&lines[at..]) + program.unwrap_or_default();
                let named = Driver::named_in(&text);
                match named.is_empty() {
                    true => [Driver::of_path(&file.path)].into(),
                    false => named,
                }
            } else {
                continue;
            };
            if !rows.is_empty() {
                found.push(Self {
                    name: name.into(),
                    path: file.path.clone(),
                    rows,
                    drivers,
                });
            }
        }
        found
    }
}

/// The example that the tests at `path` run.
fn program<'a>(tree: &'a [Source], path: &str) -> Option<&'a str> {
    let name = path.strip_prefix("examples/tests/programs/")?;
    let name = name.strip_suffix(".rs")?;
    let paths = [
        format!("examples/{name}.rs"),
        format!("examples/{name}/main.rs"),
    ];
    let program = tree.iter().find(|file| paths.contains(&file.path))?;
    Some(&program.text)
}

/// What a macro makes a test of, for each of its drivers.
fn listed<'a>(text: &'a str, begin: &str) -> BTreeSet<&'a str> {
    let lists = text.split(begin).skip(1);
    let lists = lists.filter_map(|rest| rest.split_once('}'));
    lists
        .flat_map(|(list, _)| list.split_whitespace())
        .collect()
}

/// The name of the function or module that begins on a line.
fn item(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let rest = line.strip_prefix("fn ").or(line.strip_prefix("mod "))?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    Some(&rest[..end.unwrap_or(rest.len())])
}

/// Documentation and attributes of what follows.
fn above<'a, 'b>(lines: &'b [&'a str]) -> &'b [&'a str] {
    let belongs = |line: &&&str| {
        let line = line.trim();
        line.starts_with("///") || line.starts_with("#[")
    };
    let count = lines.iter().rev().take_while(belongs).count();
    &lines[lines.len() - count..]
}

/// From the first line to the brace that ends it.
fn body(lines: &[&str]) -> String {
    let first = lines.first().copied().unwrap_or_default();
    let indent = &first[..first.len() - first.trim_start().len()];
    let end = format!("{indent}}}");
    let upto = lines.iter().position(|line| *line == end);
    lines[..upto.unwrap_or(lines.len())].join("\n")
}
