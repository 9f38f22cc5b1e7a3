//! The rules that no compiler checks, on the source files themselves. Each check is a function from text to complaints,
//! and stands beside a test with a text it must complain about.

mod drivers;
mod files;
mod layers;
mod lints;
mod purity;
mod readme;
mod source;

/// Fails with all complaints, one a line.
#[track_caller]
fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
