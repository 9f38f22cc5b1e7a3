//! What is wrong with the rows: functions from rows and what shows them to complaints.

use super::{Driver, Requirement, Shown, number};
use std::collections::BTreeSet;

/// What rows begin with that are about brokers, and hold under each driver.
const OF_BROKERS: &[&str] = &["L", "T", "P", "S", "F", "PL", "A", "C", "SS", "R"];

/// Those of them that no driver can break, and why.
const PURE: &[(&str, &str)] = &[
    ("S12", "the core alone gives packet identifiers"),
    ("A7", "a function without a broker"),
    ("C8", "a type without a broker"),
    ("SS9", "nobody outside the core sees the nodes of the index"),
    ("SS10", "the core alone matches"),
];

/// Rows that nothing shows, and numbers that two rows have.
pub fn complaints(rows: &[Requirement], shown: &[Shown]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut seen = BTreeSet::new();
    for Requirement { number, words } in rows {
        if !seen.insert(number) {
            complaints.push(format!("two rows are {number}"));
        }
        if !shown.iter().any(|shown| shown.rows.contains(number)) {
            complaints.push(format!("nothing shows {number}: {words}"));
        }
    }
    complaints
}

/// What stories and tests take for a row, and the list does not have.
pub fn strangers(rows: &[Requirement], shown: &[Shown]) -> Vec<String> {
    let known: BTreeSet<_> = rows.iter().map(|row| &row.number).collect();
    let mut complaints = Vec::new();
    for Shown {
        name, path, rows, ..
    } in shown
    {
        for row in rows.iter().filter(|row| !known.contains(row)) {
            complaints.push(format!("{name} in {path} names {row}, which is no row"));
        }
    }
    complaints
}

/// Rows about brokers that are not shown under both drivers that programs ship.
pub fn one_sided(rows: &[Requirement], shown: &[Shown]) -> Vec<String> {
    let mut complaints = Vec::new();
    for Requirement { number, words } in rows {
        let is_pure = PURE.iter().any(|(pure, _)| pure == number);
        if is_pure || !OF_BROKERS.contains(&number::letters(number)) {
            continue;
        }
        let shown = shown.iter().filter(|shown| shown.rows.contains(number));
        let drivers: BTreeSet<_> = shown.flat_map(|shown| &shown.drivers).collect();
        for driver in [Driver::Mio, Driver::Tokio] {
            if !drivers.contains(&driver) {
                complaints.push(format!("nothing shows {number} under {driver}: {words}"));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::Source;

    const ROWS: &str = "# comment\n\nL1 | words\nL2 | words\nC1 | words\n§6 | words\n";
    const STORY: &str = "# A title [L1] [§6 OnClose]\na: connect v5\na< connack success ..\n";
    const FILE: &str = "\
super::on_every_driver! {
    c1_listed
}

fn c1_listed<D: Serve>() {}

fn c1_not_listed<D: Serve>() {}

/// It holds. [L2]
#[test]
fn another() {
    worlds::over_mio();
}
";

    fn complaints_after(change: impl FnOnce(&mut String, &mut String)) -> Vec<String> {
        let (mut story, mut file) = (STORY.to_owned(), FILE.to_owned());
        change(&mut story, &mut file);
        let rows = Requirement::parse(ROWS).unwrap();
        let mut shown: Vec<_> = Shown::of_story("told", &story)
            .unwrap()
            .into_iter()
            .collect();
        shown.extend(Shown::of_file(&source(file), None));
        [complaints(&rows, &shown), strangers(&rows, &shown)].concat()
    }

    fn source(text: String) -> Source {
        Source {
            path: "tests/tests/a.rs".into(),
            text,
        }
    }

    #[test]
    fn rows_that_are_shown_are_enough() {
        assert_eq!(complaints_after(|_, _| {}), Vec::<String>::new());
    }

    #[test]
    fn a_row_that_nothing_shows_any_more_is_missed() {
        let missed = |change: fn(&mut String, &mut String)| complaints_after(change);
        assert_eq!(
            missed(|story, _| *story = story.replace("[L1]", "")),
            ["nothing shows L1: words"]
        );
        assert_eq!(
            missed(|_, file| *file = file.replace("    c1_listed\n", "")),
            ["nothing shows C1: words"]
        );
        assert_eq!(
            missed(|_, file| *file = file.replace("#[test]", "#[ignore]")),
            ["nothing shows L2: words"]
        );
        assert_eq!(
            missed(|_, file| *file = file.replace("[L2]", "[L3]")),
            [
                "nothing shows L2: words",
                "another in tests/tests/a.rs names L3, which is no row"
            ]
        );
    }

    #[test]
    fn a_row_that_one_driver_alone_shows_is_noticed() {
        let rows = Requirement::parse("L1 | words\nL2 | words\nA7 | words\nK1 | words").unwrap();
        let told = Shown::of_story("told", STORY).unwrap();
        let shown = Shown::of_file(&source(FILE.into()), None);
        let shown: Vec<_> = told.into_iter().chain(shown).collect();
        assert_eq!(
            one_sided(&rows, &shown),
            ["nothing shows L2 under tokio: words"]
        );
    }

    #[test]
    fn a_number_that_stands_twice_or_without_words_is_noticed() {
        let twice = Requirement::parse("L1 | a\nL1 | b").unwrap();
        assert!(complaints(&twice, &[]).contains(&"two rows are L1".to_owned()));
        assert!(Requirement::parse("L1 |").is_err() && Requirement::parse("L1").is_err());
    }

    #[test]
    fn drivers_are_those_that_a_test_runs_on() {
        let drivers = |shown: &Shown| {
            let names: Vec<_> = shown.drivers.iter().map(Driver::to_string).collect();
            names.join(" ")
        };
        let tests = Shown::of_file(&source(FILE.into()), None);
        let told: Vec<_> = tests.iter().map(drivers).collect();
        assert_eq!(told, ["mio tokio async-std", "mio"]);
        let story = |text: &str| drivers(&Shown::of_story("told", text).unwrap().unwrap());
        assert_eq!(story(STORY), "core mio tokio async-std");
        assert_eq!(
            story("# T [L1]\nneeds time\na: opens v5\nwait 5s\na< closed\n"),
            "core"
        );
        let plain = |path: &str| {
            let file = Source {
                path: path.into(),
                text: "#[test]\nfn l1_so() {\n    run();\n}\n".into(),
            };
            drivers(&Shown::of_file(&file, None)[0])
        };
        assert_eq!(plain("core/tests/a.rs"), "core");
        assert_eq!(plain("server/tests/a.rs"), "command");
    }
}
