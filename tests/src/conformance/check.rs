//! What is wrong with the lists: functions from statements and evidence to complaints.

use super::{Evidence, Proof, Row, Standing, Statement, evidence::has_client};
use crate::story::Story;
use sanderling_core::packet::Version;
use std::collections::BTreeMap;

/// 2.2.1-1 of 5.0 does not exist.
const MISSING: (Version, &str, u32) = (Version::V5, "2.2.1", 1);

/// Proofs that are not there, or that do not name what they prove.
pub fn complaints(statements: &[Statement], evidence: &Evidence) -> Vec<String> {
    let mut complaints = Vec::new();
    for statement in statements {
        let Standing::Proven(proofs) = &statement.standing else {
            continue;
        };
        for proof in proofs {
            if let Err(what) = check(statement, proof, evidence) {
                complaints.push(format!("{:?} {}: {what}", statement.version, statement.id));
            }
        }
    }
    complaints
}

fn check(statement: &Statement, proof: &Proof, evidence: &Evidence) -> Result<(), String> {
    let tag = statement.tag();
    match proof {
        Proof::Story(name) => {
            let text = evidence.stories.get(name);
            let text = text.ok_or_else(|| format!("there is no story {name}"))?;
            let names_it = |line: &str| line.starts_with('#') && line.contains(&tag);
            if !text.lines().any(names_it) {
                return Err(format!("the story {name} does not name {tag}"));
            }
            let story = Story::parse(name, text).map_err(|error| error.to_string())?;
            match has_client(&story, statement.version) {
                true => Ok(()),
                false => Err(format!("the story {name} has no client of that version")),
            }
        }
        Proof::Rows(rule) => match evidence.rows(statement.version, rule).next() {
            Some(_) => Ok(()),
            None => Err(format!("no row names {rule}")),
        },
        Proof::Test { file, function } => {
            let text = evidence.tests.get(file);
            let text = text.ok_or_else(|| format!("there is no file {file}"))?;
            let test = test_text(text, function);
            let test = test.ok_or_else(|| format!("{file} has no test {function}"))?;
            match test.contains(&tag) {
                true => Ok(()),
                false => Err(format!("the test {function} does not name {tag}")),
            }
        }
    }
}

/// The test function of that name, with its comments and attributes.
fn test_text<'a>(text: &'a str, function: &str) -> Option<&'a str> {
    let at = text.find(&format!("fn {function}("))?;
    let from = text[..at].rfind("\n\n").map_or(0, |blank| blank + 2);
    let end = text[at..].find("\n}").map_or(text.len(), |end| at + end);
    let test = &text[from..end];
    test.contains("#[test]").then_some(test)
}

/// What stories and rows take for a statement, and no version of the standard has.
pub fn strangers(statements: &[Statement], evidence: &Evidence) -> Vec<String> {
    let known = |id: &str, version: Option<Version>| {
        let mut statements = statements.iter();
        statements.any(|s| s.id == id && version.is_none_or(|version| s.version == version))
    };
    let mut complaints = Vec::new();
    for (name, text) in &evidence.stories {
        for rest in text.split("[MQTT-").skip(1) {
            let id = rest.split(']').next().unwrap_or_default();
            if !known(id, None) {
                complaints.push(format!(
                    "the story {name} names [MQTT-{id}], which is no statement"
                ));
            }
        }
    }
    for row in &evidence.rows {
        if let Some(id) = row.rule.strip_prefix("MQTT-")
            && !known(id, Some(row.version))
        {
            let Row { version, name, .. } = row;
            complaints.push(format!(
                "the {version:?} row {name:?} names MQTT-{id}, which is no statement"
            ));
        }
    }
    complaints
}

/// Numbers that no statement has though a later one of its section does, or that two have.
pub fn gaps(statements: &[Statement]) -> Vec<String> {
    let mut sections: BTreeMap<(u8, &str), Vec<u32>> = BTreeMap::new();
    let mut complaints = Vec::new();
    for statement in statements {
        let Some((section, number)) = number_of(&statement.id) else {
            complaints.push(format!("{:?} is no number of a statement", statement.id));
            continue;
        };
        let numbers = sections.entry((statement.version as u8, section));
        numbers.or_default().push(number);
    }
    let (version, section, number) = MISSING;
    if let Some(numbers) = sections.get_mut(&(version as u8, section)) {
        numbers.push(number);
    }
    for ((_, section), mut numbers) in sections {
        numbers.sort_unstable();
        if !numbers.iter().copied().eq(1..=numbers.len() as u32) {
            complaints.push(format!("section {section} has the numbers {numbers:?}"));
        }
    }
    complaints
}

fn number_of(id: &str) -> Option<(&str, u32)> {
    let (section, number) = id.rsplit_once('-')?;
    Some((section, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
1.1-1 | words | story:told
1.1-2 | words | rows
1.1-3 | words | test:a.rs::a_test
";

    fn evidence() -> Evidence {
        let story = "# A title [MQTT-1.1-1]\na: connect v5\na< connack success ..\n";
        let row = "5.0 | client | 81 | MQTT-1.1-2 | flags | C1 00";
        let test = "/// It holds. [MQTT-1.1-3]\n#[test]\nfn a_test() {\n    body();\n}\n";
        Evidence {
            stories: [("told".to_owned(), story.to_owned())].into(),
            rows: Row::parse(row).unwrap(),
            tests: [("a.rs".to_owned(), test.to_owned())].into(),
        }
    }

    /// What is complained of after `change`.
    fn complaints_after(change: impl FnOnce(&mut Evidence)) -> Vec<String> {
        let mut evidence = evidence();
        change(&mut evidence);
        complaints(&Statement::parse(Version::V5, LIST).unwrap(), &evidence)
    }

    #[test]
    fn proofs_that_are_there_are_enough() {
        assert_eq!(complaints_after(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn a_story_that_disappears_is_missed() {
        let complaints = complaints_after(|evidence| evidence.stories.clear());
        assert_eq!(complaints, ["V5 1.1-1: there is no story told"]);
    }

    #[test]
    fn a_story_must_name_the_statement_and_have_a_client_of_its_version() {
        let retold = |from: &'static str, to: &'static str| {
            complaints_after(|evidence| {
                let story = evidence.stories.get_mut("told").unwrap();
                *story = story.replace(from, to);
            })
        };
        let unnamed = retold("MQTT-1.1-1", "MQTT-1.1-11");
        assert_eq!(
            unnamed,
            ["V5 1.1-1: the story told does not name [MQTT-1.1-1]"]
        );
        let old = retold("v5", "v311");
        assert_eq!(
            old,
            ["V5 1.1-1: the story told has no client of that version"]
        );
    }

    #[test]
    fn rows_and_tests_that_disappear_are_missed() {
        let complaints = complaints_after(|evidence| evidence.rows.clear());
        assert_eq!(complaints, ["V5 1.1-2: no row names MQTT-1.1-2"]);
        let complaints = complaints_after(|evidence| evidence.tests.clear());
        assert_eq!(complaints, ["V5 1.1-3: there is no file a.rs"]);
        for (from, to, complaint) in [
            ("a_test", "another", "a.rs has no test a_test"),
            ("#[test]", "#[ignore]", "a.rs has no test a_test"),
            (
                "1.1-3",
                "1.1-4",
                "the test a_test does not name [MQTT-1.1-3]",
            ),
        ] {
            let complaints = complaints_after(|evidence| {
                let test = evidence.tests.get_mut("a.rs").unwrap();
                *test = test.replace(from, to);
            });
            assert_eq!(complaints, [format!("V5 1.1-3: {complaint}")]);
        }
    }

    #[test]
    fn a_statement_that_does_not_exist_is_noticed() {
        let statements = Statement::parse(Version::V5, LIST).unwrap();
        let mut evidence = evidence();
        assert_eq!(strangers(&statements, &evidence), Vec::<String>::new());
        evidence.rows[0].rule = "MQTT-1.2-1".into();
        let story = evidence.stories.get_mut("told").unwrap();
        *story += "# [MQTT-1.1-2] [MQTT-1.1-9]";
        let complaints = strangers(&statements, &evidence);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].contains("1.1-9") && complaints[1].contains("1.2-1"));
    }

    #[test]
    fn a_number_that_is_left_out_or_stands_twice_is_noticed() {
        let list = |text: &str| gaps(&Statement::parse(Version::V5, text).unwrap());
        assert_eq!(list(LIST), Vec::<String>::new());
        let without = "1.1-1 | words | client\n1.1-3 | words | client";
        assert_eq!(list(without), ["section 1.1 has the numbers [1, 3]"]);
        let twice = "1.1-1 | words | client\n1.1-1 | words | client";
        assert_eq!(list(twice), ["section 1.1 has the numbers [1, 1]"]);
        assert_eq!(list("1.1 | words | client").len(), 1);
    }
}
