//! Every statement of the standards by name: its stories are told, its malformed packets sent. And the lists are whole.
//! [DESIGN, section 8]

use sanderling_core::packet::Version;
use sanderling_tests::{
    conformance::{
        Evidence, Proof, Stage, Standing, Statement, complaints, gaps, strangers, table,
    },
    story::{Direct, Manner, Settings, Story, tell},
};
use std::{fs, path::Path};

/// How many statements there are, and how many of them bind the client alone.
const COUNTS: [(Version, usize, usize); 2] = [(Version::V311, 141, 5), (Version::V5, 251, 16)];

include!(concat!(env!("OUT_DIR"), "/conformance.rs"));

#[test]
fn every_statement_is_listed() {
    let statements = statements();
    assert_eq!(gaps(&statements), Vec::<String>::new());
    for (version, count, client_only) in COUNTS {
        let of_version: Vec<_> = statements.iter().filter(|s| s.version == version).collect();
        assert_eq!(of_version.len(), count, "{version:?}");
        let only = |s: &&&Statement| s.standing == Standing::ClientOnly;
        assert_eq!(
            of_version.iter().filter(only).count(),
            client_only,
            "{version:?}"
        );
    }
}

#[test]
fn every_proof_is_there_and_names_its_statement() {
    let statements = statements();
    let complaints = complaints(&statements, &evidence(&statements));
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn no_statement_is_named_that_does_not_exist() {
    let statements = statements();
    let strangers = strangers(&statements, &evidence(&statements));
    assert!(strangers.is_empty(), "\n{}\n", strangers.join("\n"));
}

#[test]
fn the_table_is_up_to_date() {
    let statements = statements();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md");
    let written = fs::read_to_string(path).expect("docs/conformance.md");
    let table = table(&statements);
    assert!(
        written == table,
        "docs/conformance.md is not what the lists say; write it with: cargo xtask conformance"
    );
}

/// Tells the stories of a statement and sends its rows.
fn prove(version: Version, id: &str) {
    let statements = statements();
    let statement = statements
        .iter()
        .find(|statement| statement.version == version && statement.id == id)
        .expect("the list was read when this was built");
    let Standing::Proven(proofs) = &statement.standing else {
        panic!("{id} has no proof");
    };
    let evidence = evidence(&statements);
    for proof in proofs {
        match proof {
            Proof::Story(name) => tell_story(name, &evidence),
            Proof::Rows(rule) => {
                let rows = evidence.rows(version, rule);
                for row in rows.filter(|row| row.stage != Stage::Server) {
                    let mut world = Direct::new(&Settings::default(), Manner::Prompt, 1);
                    if let Err(wrong) = row.send(&mut world) {
                        panic!("{wrong}");
                    }
                }
            }
            // It runs where it is.
            Proof::Test { .. } => {}
        }
    }
}

fn tell_story(name: &str, evidence: &Evidence) {
    let text = evidence
        .stories
        .get(name)
        .unwrap_or_else(|| panic!("there is no story {name}"));
    let file = format!("tests/stories/{name}.txt");
    let story = Story::parse(&file, text).unwrap_or_else(|error| panic!("{error}"));
    let mut world = Direct::new(&story.settings, Manner::Prompt, 1);
    if let Err(failure) = tell(&story, &mut world) {
        panic!("{failure}");
    }
}

fn statements() -> Vec<Statement> {
    Statement::all().unwrap_or_else(|error| panic!("{error}"))
}

fn evidence(statements: &[Statement]) -> Evidence {
    Evidence::for_statements(statements).expect("the repository can be read")
}
