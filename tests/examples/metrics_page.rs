//! Writes the tables of `docs/metrics.md`.

use sanderling_tests::metrics_page;
use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let page = fs::read_to_string(&path)?;
    fs::write(path, metrics_page::up_to_date(&page))
}
