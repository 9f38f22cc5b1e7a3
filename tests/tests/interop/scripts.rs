//! Clients in other languages: a script runs one scenario against one broker and tells by its exit code how it went.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::Version;
use crate::broker::{Broker, Driver, Served, certificate, root};
use crate::process::Process;

/// Some scenarios wait for pings.
const SCRIPT_DEADLINE: Duration = Duration::from_secs(60);

/// paho-mqtt, in Python.
pub(crate) fn paho(driver: Driver, version: Version, scenario: &str) {
    run_plain("paho-mqtt", paho_command(), driver, version, scenario);
}

/// MQTT.js, in Node.
pub(crate) fn mqttjs(driver: Driver, version: Version, scenario: &str) {
    run_plain(
        "MQTT.js",
        node_command("mqttjs_client.mjs"),
        driver,
        version,
        scenario,
    );
}

/// paho-mqtt over another transport than plain TCP.
pub(crate) fn paho_over(driver: Driver, listen: &str, scenario: &str) {
    run_over("paho-mqtt", paho_command(), driver, listen, scenario);
}

/// MQTT.js over another transport than plain TCP.
pub(crate) fn mqttjs_over(driver: Driver, listen: &str, scenario: &str) {
    run_over(
        "MQTT.js",
        node_command("mqttjs_client.mjs"),
        driver,
        listen,
        scenario,
    );
}

fn paho_command() -> Command {
    let mut command = Command::new(installed("venv/bin/python"));
    command.arg(root().join("tests/interop/paho_client.py"));
    // No cache of compiled scripts beside them.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A script for Node.
pub(crate) fn node_command(script: &str) -> Command {
    let mut command = Command::new("node");
    command.env("INTEROP_NODE_MODULES", installed("node"));
    command.arg(root().join("tests/interop").join(script));
    command
}

/// What `tests/interop/install.sh` has put under `target/interop`.
pub(crate) fn installed(path: &str) -> PathBuf {
    let path = root().join("target/interop").join(path);
    assert!(
        path.exists(),
        "{} is missing; run tests/interop/install.sh",
        path.display()
    );
    path
}

fn run_plain(name: &str, command: Command, driver: Driver, version: Version, scenario: &str) {
    let broker = Broker::start(driver);
    let url = format!("mqtt://{}", broker.address);
    run(name, command, &url, version, scenario);
}

fn run_over(name: &str, mut command: Command, driver: Driver, listen: &str, scenario: &str) {
    let served = Served::start(driver, listen);
    command.env("INTEROP_CA", certificate("ours/ca.pem"));
    run(name, command, &served.url, Version::V5_0, scenario);
}

fn run(name: &str, mut command: Command, url: &str, version: Version, scenario: &str) {
    command.args([scenario, url, version.name()]);
    Process::start(name, command).succeed_within(SCRIPT_DEADLINE);
}
