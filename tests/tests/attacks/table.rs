//! `docs/attacks.md` is true: what it links to is there, and every attack that a story or a test names has its row.

use sanderling_tests::repository::{self, root};
use std::{collections::BTreeMap, fs};

/// A row: its number, and the cell that says what shows it.
type Rows = BTreeMap<String, String>;

/// The begin of a cell without a proof; the reason follows.
const NOT_YET: &str = "not yet: ";

#[test]
fn every_attack_has_one_row_and_a_proof_or_a_reason() {
    let rows = rows();
    let attacks = (1..=74).map(|number| format!("A{number:02}"));
    let upstream = (1..=30).map(|number| format!("U{number:02}"));
    let expected: Vec<_> = attacks.chain(upstream).collect();
    assert_eq!(rows.keys().cloned().collect::<Vec<_>>(), expected);
    for (number, shown) in &rows {
        let reason = shown.split_once(NOT_YET).map(|(_, reason)| reason);
        assert!(
            !links(shown).is_empty() || reason.is_some(),
            "{number} has neither a proof nor a reason"
        );
        assert!(
            reason.is_none_or(|reason| reason.len() > 5),
            "{number} has an empty reason"
        );
    }
}

#[test]
fn every_proof_is_there() {
    let mut complaints = Vec::new();
    for (number, shown) in rows() {
        for (name, target) in links(&shown) {
            let path = root().join("docs").join(target);
            let Ok(text) = fs::read_to_string(&path) else {
                complaints.push(format!("{number}: there is no {target}"));
                continue;
            };
            let is_story = target.ends_with(&format!("/stories/{name}.txt"));
            if !is_story && !has_test(&text, name) {
                complaints.push(format!("{number}: {target} has no test {name}"));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_story_and_test_of_an_attack_stands_in_its_row() {
    let rows = rows();
    let mut complaints = Vec::new();
    for (number, name, target) in stories().into_iter().chain(tests()) {
        let link = format!("[{name}]({target})");
        if !rows.get(&number).is_some_and(|shown| shown.contains(&link)) {
            complaints.push(format!("{number} does not link to {link}"));
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The rows of both tables.
fn rows() -> Rows {
    let text = fs::read_to_string(root().join("docs/attacks.md")).unwrap();
    let mut rows = Rows::new();
    for line in text
        .lines()
        .filter(|line| line.starts_with("| A") || line.starts_with("| U"))
    {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let (number, shown) = match &cells[..] {
            [number, _peer, _required, shown] if number.starts_with('A') => (number, shown),
            [number, _what, shown] if number.starts_with('U') => (number, shown),
            _ => panic!("a row with {} cells: {line}", cells.len()),
        };
        let old = rows.insert((*number).to_owned(), (*shown).to_owned());
        assert!(old.is_none(), "{number} has two rows");
    }
    rows
}

/// The texts and targets of the links in a cell.
fn links(cell: &str) -> Vec<(&str, &str)> {
    cell.split('[')
        .filter_map(|part| {
            let (name, rest) = part.split_once("](")?;
            Some((name, rest.split_once(')')?.0))
        })
        .collect()
}

/// Whether a file has a function of this name, or is a list of rows that names it.
fn has_test(text: &str, name: &str) -> bool {
    let follows = |at: usize| text[at..].chars().next();
    let function = format!("fn {name}");
    let mut found = text
        .match_indices(&function)
        .map(|(at, _)| at + function.len());
    found.any(|end| matches!(follows(end), Some('(' | '<')))
}

/// Numbers that stories name in brackets, each with the story and its path from `docs`.
fn stories() -> Vec<(String, String, String)> {
    let mut named = Vec::new();
    for (name, text) in repository::stories().unwrap() {
        let comments = text.lines().filter(|line| line.starts_with('#'));
        for part in comments.flat_map(|line| line.split('[')) {
            if let Some((number, _)) = part.split_once(']')
                && is_number(number)
            {
                let target = format!("../tests/stories/{name}.txt");
                named.push((number.to_owned(), name.clone(), target));
            }
        }
    }
    assert!(named.len() > 30, "stories name attacks");
    named
}

/// The numbers that names of tests begin with, each with the name and the path of its file from `docs`.
fn tests() -> Vec<(String, String, String)> {
    let mut named = Vec::new();
    for file in repository::tree().unwrap() {
        let lines = file.text.lines().filter(|_| file.is_rust());
        for line in lines {
            let Some(rest) = line.trim_start().strip_prefix("fn ") else {
                continue;
            };
            let end = rest.find(['(', '<']).unwrap_or(rest.len());
            let name = &rest[..end];
            for number in numbers(name) {
                named.push((number, name.to_owned(), format!("../{}", file.path)));
            }
        }
    }
    assert!(named.len() > 50, "tests name attacks");
    named
}

/// The attacks that a name begins with, alone or among other numbers: `a05_…`, `m14_a60_…`.
fn numbers(name: &str) -> Vec<String> {
    let words = name.split('_').map(str::to_uppercase);
    let has_digit = |word: &String| word.ends_with(|c: char| c.is_ascii_digit());
    let words = words.take_while(has_digit);
    words.filter(|word| is_number(word)).collect()
}

/// `A` or `U` and two digits.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['A', 'U']).unwrap_or_default();
    digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit())
}

#[test]
fn links_and_tests_are_found() {
    assert_eq!(
        links("[a](b), c [d](e/f.rs); not yet: g"),
        [("a", "b"), ("d", "e/f.rs")]
    );
    assert!(has_test("fn one() {}", "one") && has_test("fn one<D>() {}", "one"));
    assert!(!has_test("fn one_more() {}", "one"));
    assert_eq!(numbers("m14_a60_nothing_loads"), ["A60"]);
    assert_eq!(numbers("a5_a_client_is_there"), [""; 0]);
}
