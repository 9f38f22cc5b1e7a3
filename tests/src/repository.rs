//! The files of the repository, for the tests that read them: their texts, and which of them are stories.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Made by tools or installed, never committed.
const NOT_OURS: &[&str] = &[
    ".git",
    ".venv",
    "target",
    "node_modules",
    "artifacts",
    "coverage",
];

/// A text file of the repository.
#[derive(Clone, Debug)]
pub struct Source {
    /// From the root of the repository, with `/`.
    pub path: String,
    /// What it contains.
    pub text: String,
}

impl Source {
    /// Whether it is written in Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All text files, in the order of their paths.
///
/// # Errors
/// A directory that cannot be read.
pub fn tree() -> io::Result<Vec<Source>> {
    let mut files = Vec::new();
    gather(&root(), "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The texts of the stories, by the names of their files.
///
/// # Errors
/// A file that cannot be read.
pub fn stories() -> io::Result<BTreeMap<String, String>> {
    let mut stories = BTreeMap::new();
    for entry in fs::read_dir(root().join("tests/stories"))? {
        let path = entry?.path();
        let is_story = path.extension().is_some_and(|extension| extension == "txt");
        if let Some(name) = path.file_stem().and_then(|name| name.to_str())
            && is_story
        {
            stories.insert(name.to_owned(), fs::read_to_string(&path)?);
        }
    }
    Ok(stories)
}

fn gather(directory: &Path, prefix: &str, files: &mut Vec<Source>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type()?;
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        } else if kind.is_dir() {
            gather(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            files.push(Source {
                path: format!("{prefix}{name}"),
                text,
            });
        }
    }
    Ok(())
}
