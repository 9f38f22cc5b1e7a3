//! The list of rows: from text to [`Requirement`]s.

const LIST: &str = include_str!("../../requirements.txt");

/// One row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requirement {
    /// A letter or two and a number, or a section: `L13`, `§6`.
    pub number: String,
    /// What it asks, in our words.
    pub words: String,
}

impl Requirement {
    /// All rows, in the order of the list.
    ///
    /// # Errors
    /// The first line that cannot be understood.
    pub fn all() -> Result<Vec<Self>, String> {
        Self::parse(LIST)
    }

    /// The rows in a text.
    ///
    /// # Errors
    /// The first line that cannot be understood.
    pub fn parse(text: &str) -> Result<Vec<Self>, String> {
        text.lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| match line.split_once('|') {
                Some((number, words)) if !words.trim().is_empty() => Ok(Self {
                    number: number.trim().into(),
                    words: words.trim().into(),
                }),
                _ => Err(format!("expected number | words in {line:?}")),
            })
            .collect()
    }
}
