//! A driver knows sockets and readiness, never MQTT.

use super::{assert_none, source};

/// Where drivers live.
const DRIVERS: &[&str] = &[
    "runtime-mio/src/",
    "runtime-tokio/src/",
    "tests/src/async_std.rs",
];

/// Types of the protocol. A driver passes packets on without looking at them.
const NAMES: &[&str] = &[
    "QoS",
    "ReasonCode",
    "ReasonCodes",
    "Refusal",
    "Session",
    "TopicName",
    "TopicFilter",
    "Publish",
    "Subscribe",
    "Unsubscribe",
    "SubscribeOptions",
    "ConnAck",
    "Connect",
    "PubAck",
    "PubRec",
    "PubRel",
    "PubComp",
    "SubAck",
    "UnsubAck",
    "PingReq",
    "PingResp",
    "Disconnect",
    "Auth",
    "Ack",
    "Will",
    "Version",
    "Property",
    "Properties",
];

fn protocol_names(path: &str, text: &str) -> Vec<String> {
    let words = source::words(text);
    let named = words.iter().filter(|word| NAMES.contains(&word.text));
    named
        .map(|word| format!("{path}:{}: a driver names {}", word.line, word.text))
        .collect()
}

#[test]
fn drivers_name_nothing_of_the_protocol() {
    let files = DRIVERS.iter().flat_map(|driver| source::rust_under(driver));
    assert_none(
        files
            .flat_map(|file| protocol_names(&file.path, &file.text))
            .collect(),
    );
}

#[test]
fn a_driver_that_knows_the_protocol_is_seen() {
    let seen = |text| protocol_names("a.rs", text).len();
    assert_eq!(seen("if publish.qos == QoS::AtMostOnce {}"), 1);
    assert_eq!(
        seen("fn close(reason: ReasonCode) {}\nuse sanderling_core::session::Session;"),
        2
    );
    assert_eq!(seen("// QoS\nfn close(how: Close) { log(\"Session\") }"), 0);
}
