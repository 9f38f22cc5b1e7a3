//! What the repository holds that may be named as a proof.

use super::{Proof, Row, Standing, Statement};
use crate::{
    repository,
    story::{Action, Story},
};
use sanderling_core::packet::Version;
use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind},
};

/// Stories, rows and tests, by name.
#[derive(Debug, Default)]
pub struct Evidence {
    /// The texts of the stories, by the names of their files.
    pub stories: BTreeMap<String, String>,
    /// The table of malformed packets.
    pub rows: Vec<Row>,
    /// The texts of the files with tests, by their paths from the root.
    pub tests: BTreeMap<String, String>,
}

impl Evidence {
    /// All stories and rows, and the files with the tests that `statements` name, if they are there.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn for_statements(statements: &[Statement]) -> io::Result<Self> {
        let root = repository::root();
        let stories = repository::stories()?;
        let table = fs::read_to_string(root.join("core/tests/codec_malformed.txt"))?;
        let mut tests = BTreeMap::new();
        for file in test_files(statements) {
            match fs::read_to_string(root.join(file)) {
                Ok(text) => drop(tests.insert(file.to_owned(), text)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            stories,
            rows: Row::parse(&table).map_err(io::Error::other)?,
            tests,
        })
    }

    /// The rows of one version with one rule.
    pub fn rows(&self, version: Version, rule: &str) -> impl Iterator<Item = &Row> {
        self.rows
            .iter()
            .filter(move |row| row.version == version && row.rule == rule)
    }
}

fn test_files(statements: &[Statement]) -> impl Iterator<Item = &str> {
    let proofs = statements
        .iter()
        .flat_map(|statement| match &statement.standing {
            Standing::Proven(proofs) => &proofs[..],
            Standing::Unprovable(_) | Standing::ClientOnly => &[],
        });
    proofs.filter_map(|proof| match proof {
        Proof::Test { file, .. } => Some(file.as_str()),
        Proof::Story(_) | Proof::Rows(_) => None,
    })
}

/// Whether a client of `version` does something in the story.
pub(super) fn has_client(story: &Story, version: Version) -> bool {
    let actions = story.steps.iter().flat_map(|step| &step.actions);
    actions.into_iter().any(|line| match &line.what {
        Action::Open {
            version: opened, ..
        } => *opened == version,
        Action::Packet(_, words) => Story::connect_version(words) == Some(version),
        _ => false,
    })
}
