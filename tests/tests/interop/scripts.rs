//! Clients in other languages: a script runs one scenario against one broker and tells by its exit code how it went.

use std::path::PathBuf;
use std::process::Command;

use crate::Version;
use crate::broker::{Broker, Driver, root};
use crate::process::Process;

/// paho-mqtt, in Python.
pub(crate) fn paho(driver: Driver, version: Version, scenario: &str) {
    let mut command = Command::new(installed("venv/bin/python"));
    command.arg(root().join("tests/interop/paho_client.py"));
    // No cache of compiled scripts beside them.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    run("paho-mqtt", command, driver, version, scenario);
}

/// MQTT.js, in Node.
pub(crate) fn mqttjs(driver: Driver, version: Version, scenario: &str) {
    let mut command = Command::new("node");
    command.env("INTEROP_NODE_MODULES", installed("node"));
    command.arg(root().join("tests/interop/mqttjs_client.mjs"));
    run("MQTT.js", command, driver, version, scenario);
}

/// What `tests/interop/install.sh` has put under `target/interop`.
fn installed(path: &str) -> PathBuf {
    let path = root().join("target/interop").join(path);
    assert!(
        path.exists(),
        "{} is missing; run tests/interop/install.sh",
        path.display()
    );
    path
}

fn run(name: &str, mut command: Command, driver: Driver, version: Version, scenario: &str) {
    let broker = Broker::start(driver);
    let (host, port) = (
        broker.address.ip().to_string(),
        broker.address.port().to_string(),
    );
    command.args([scenario, &host, &port, version.name()]);
    Process::start(name, command).succeed();
}
