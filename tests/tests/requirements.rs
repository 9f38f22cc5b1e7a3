//! `docs/requirements.md` is true: every row is shown, and no story or test names one that there is not.

use sanderling_tests::{
    repository,
    requirements::{Requirement, Shown, complaints, one_sided, strangers, table},
};
use std::fs;

#[test]
fn every_row_is_shown() {
    let complaints = complaints(&rows(), &shown());
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_row_about_brokers_is_shown_under_both_drivers() {
    let complaints = one_sided(&rows(), &shown());
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn no_row_is_named_that_does_not_exist() {
    let strangers = strangers(&rows(), &shown());
    assert!(strangers.is_empty(), "\n{}\n", strangers.join("\n"));
}

#[test]
fn the_table_is_up_to_date() {
    let path = repository::root().join("docs/requirements.md");
    let written = fs::read_to_string(path).expect("docs/requirements.md");
    assert!(
        written == table(&rows(), &shown()),
        "docs/requirements.md is not what stories and tests say; write it with: cargo xtask requirements"
    );
}

fn rows() -> Vec<Requirement> {
    Requirement::all().unwrap_or_else(|error| panic!("{error}"))
}

fn shown() -> Vec<Shown> {
    Shown::all().expect("the repository can be read")
}
