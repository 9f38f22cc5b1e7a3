//! MQTT.js in a real browser: a page that a script serves, and that connects to the broker.

use crate::Version;
use crate::broker::{Driver, Served, secured};
use crate::process::Process;
use crate::scripts::node_command;

/// The page is of another origin than the broker, as pages always are that another server serves.
pub(crate) fn run(driver: Driver, scheme: &str, scenario: &str) {
    let versions = match scenario {
        "messages" => &[Version::V3_1_1, Version::V5_0][..],
        _ => &[Version::V5_0],
    };
    let versions = versions.iter().map(|version| version.name());
    let versions: Vec<_> = versions.collect();
    let mut command = node_command("chromium_client.mjs");
    command.args([scenario, &versions.join(",")]);
    let mut script = Process::start_listening("Chromium", command);
    // The port of the page is chosen first, because the broker must know the page's origin.
    let said = script.line_with("page at ");
    let origin = said.trim_start_matches("page at ");
    let allowed = match scenario {
        "foreign_origin" => String::new(),
        _ => format!("origin={origin}"),
    };
    let listen = match scheme {
        "wss" => secured("wss", &format!("&{allowed}")),
        _ => format!("ws://127.0.0.1:0/mqtt?{allowed}"),
    };
    let mut served = Served::start(driver, &listen);
    script.say(&served.url);
    script.succeed();
    if scenario == "foreign_origin" {
        served
            .process
            .line_with("a web page of an origin that is not allowed");
    }
}
