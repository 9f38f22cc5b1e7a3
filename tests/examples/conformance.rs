//! Writes `docs/conformance.md`. Run as `cargo xtask conformance`.

use sanderling_tests::conformance::{Evidence, Statement, complaints, table};
use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let statements = Statement::all()?;
    let evidence = Evidence::for_statements(&statements)?;
    for complaint in complaints(&statements, &evidence) {
        eprintln!("{complaint}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md");
    fs::write(path, table(&statements))?;
    Ok(())
}
