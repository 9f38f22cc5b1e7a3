//! Writes `docs/requirements.md`. Run as `cargo xtask requirements`.

use sanderling_tests::{
    repository,
    requirements::{Requirement, Shown, complaints, one_sided, strangers, table},
};
use std::{error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let rows = Requirement::all()?;
    let shown = Shown::all()?;
    let judges = [complaints, one_sided, strangers];
    for complaint in judges.map(|judge| judge(&rows, &shown)).concat() {
        eprintln!("{complaint}");
    }
    let path = repository::root().join("docs/requirements.md");
    fs::write(path, table(&rows, &shown))?;
    Ok(())
}
