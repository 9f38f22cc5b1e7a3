//! The lists of statements: from text to [`Statement`]s.

use sanderling_core::packet::Version;

const V311: &str = include_str!("../../conformance/v311.txt");
const V5: &str = include_str!("../../conformance/v5.txt");

/// One numbered statement of one version of the standard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Statement {
    /// 3.1.1 or 5.0.
    pub version: Version,
    /// Its number: `3.1.2-3`.
    pub id: String,
    /// What it asks, in our words.
    pub words: String,
    /// How we stand to it.
    pub standing: Standing,
}

/// What there is to show for a statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// At least one proof.
    Proven(Vec<Proof>),
    /// Why there can be no proof.
    Unprovable(String),
    /// It says nothing to a server.
    ClientOnly,
}

/// Something that fails when the statement is broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Proof {
    /// A story, by the name of its file.
    Story(String),
    /// All lines of the table of malformed packets that name this rule.
    Rows(String),
    /// A test elsewhere.
    Test {
        /// From the root of the repository.
        file: String,
        /// Its name.
        function: String,
    },
}

impl Statement {
    /// All statements, 3.1.1 first, each version in the order of its numbers.
    ///
    /// # Errors
    /// The first line that cannot be understood.
    pub fn all() -> Result<Vec<Self>, String> {
        let mut all = Self::parse(Version::V311, V311)?;
        all.extend(Self::parse(Version::V5, V5)?);
        Ok(all)
    }

    /// The statements in the text of one list.
    ///
    /// # Errors
    /// The first line that cannot be understood.
    pub fn parse(version: Version, text: &str) -> Result<Vec<Self>, String> {
        text.lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| Self::line(version, line).map_err(|what| format!("{what} in {line:?}")))
            .collect()
    }

    fn line(version: Version, line: &str) -> Result<Self, String> {
        let fields: Vec<_> = line.split(" | ").map(str::trim).collect();
        let [id, words, standing] = fields[..] else {
            return Err("expected id | words | proofs".into());
        };
        if words.is_empty() {
            return Err("no words".into());
        }
        Ok(Self {
            version,
            id: id.into(),
            words: words.into(),
            standing: self::standing(id, standing)?,
        })
    }

    /// `[MQTT-3.1.2-3]`, as stories and comments name it.
    pub fn tag(&self) -> String {
        format!("[MQTT-{}]", self.id)
    }
}

fn standing(id: &str, text: &str) -> Result<Standing, String> {
    if let Some(reason) = text.strip_prefix("none:") {
        return match reason.trim() {
            "" => Err("no reason".into()),
            reason => Ok(Standing::Unprovable(reason.into())),
        };
    }
    if text == "client" {
        return Ok(Standing::ClientOnly);
    }
    let proofs: Vec<_> = text
        .split_whitespace()
        .map(|word| proof(id, word))
        .collect::<Result<_, _>>()?;
    match proofs.is_empty() {
        true => Err("neither proof nor reason".into()),
        false => Ok(Standing::Proven(proofs)),
    }
}

fn proof(id: &str, word: &str) -> Result<Proof, String> {
    let (kind, what) = word.split_once(':').unwrap_or((word, ""));
    match (kind, what.split_once("::")) {
        ("rows", _) if what.is_empty() => Ok(Proof::Rows(format!("MQTT-{id}"))),
        ("rows", None) => Ok(Proof::Rows(format!("MQTT-{what}"))),
        ("story", None) if !what.is_empty() => Ok(Proof::Story(what.into())),
        ("test", Some((file, function))) => Ok(Proof::Test {
            file: file.into(),
            function: function.into(),
        }),
        _ => Err(format!("{word:?} is no proof")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_an_id_words_and_proofs() {
        let text = "# comment\n\n1.2-3 | some words | rows rows:9.9-9 story:a test:x/y.rs::z\n";
        let statements = Statement::parse(Version::V5, text).unwrap();
        let [statement] = &statements[..] else {
            panic!("one statement: {statements:?}");
        };
        assert_eq!(statement.tag(), "[MQTT-1.2-3]");
        let proofs = vec![
            Proof::Rows("MQTT-1.2-3".into()),
            Proof::Rows("MQTT-9.9-9".into()),
            Proof::Story("a".into()),
            Proof::Test {
                file: "x/y.rs".into(),
                function: "z".into(),
            },
        ];
        assert_eq!(statement.standing, Standing::Proven(proofs));
    }

    #[test]
    fn what_is_no_line_is_told() {
        for (line, wrong) in [
            ("1.2-3 | words", "expected id"),
            ("1.2-3 |  | client", "no words"),
            ("1.2-3 | words | none: ", "no reason"),
            ("1.2-3 | words | stories:a", "\"stories:a\" is no proof"),
            ("1.2-3 | words | story:", "\"story:\" is no proof"),
            ("1.2-3 | words | test:a.rs", "\"test:a.rs\" is no proof"),
        ] {
            let error = Statement::parse(Version::V5, line).unwrap_err();
            assert!(error.starts_with(wrong), "{error}");
        }
    }
}
