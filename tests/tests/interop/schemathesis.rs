//! Schemathesis, which reads the document of the management API, makes requests of all kinds out of it, and complains of
//! every answer that the document does not foresee.

use std::process::Command;
use std::time::Duration;

use crate::broker::{Driver, Served};
use crate::process::Process;
use crate::scripts::installed;

/// How long all its requests may take.
const DEADLINE: Duration = Duration::from_secs(600);
/// The same requests in every run.
const SEED: &str = "1";
/// For each operation in each phase; what the document calls special comes on top.
const EXAMPLES: &str = "15";

/// Tests a broker under this driver.
pub(crate) fn run(driver: Driver) {
    let options = ["--management", "127.0.0.1:0"];
    let mut served = Served::start_with(driver, "127.0.0.1:0", &options);
    let last_word = |line: String| line.rsplit(' ').next().unwrap_or_default().to_owned();
    let url = last_word(served.process.line_with("management on "));
    let token = last_word(served.process.line_with("management token"));
    let mut command = Command::new(installed("venv/bin/schemathesis"));
    command.arg("run").arg(format!("{url}/api/v1/openapi.json"));
    command.args(["--url", &url, "--header"]);
    command.arg(format!("Authorization: Bearer {token}"));
    command.args(["--checks", "all", "--seed", SEED]);
    command.args(["--max-examples", EXAMPLES, "--no-color"]);
    // It would complain of our machine, not of the API.
    command.args(["--suppress-health-check", "all"]);
    // What it remembers of a run stays out of the repository.
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    Process::start("schemathesis", command).succeed_within(DEADLINE);
}
