//! E2: clients that are subscribed without asking, a retained message, and rounds.

use super::support::{Client, Message, Program, Who};
use sanderling_core::{packet::QoS, reason::ReasonCode};

#[test]
fn e2_clients_are_subscribed_as_they_connect_and_the_service_publishes_to_them() {
    let arguments = ["127.0.0.1:0", "0.05"];
    let mut program = Program::start(env!("CARGO_BIN_EXE_service"), &arguments);
    let url = program.url();
    let mut client = Client::connect(&url, Who::new("guest"));
    let first = client.message();
    assert_eq!(
        (&*first.topic, first.qos),
        ("service/rounds", QoS::AtLeastOnce)
    );
    let number: u64 = first.payload.parse().unwrap();
    assert_eq!(client.message().payload, (number + 1).to_string());

    // What it subscribes to itself is listed as well.
    let mut other = Client::connect(&url, Who::new("other"));
    assert_eq!(other.subscribe("own/+", QoS::AtMostOnce), 0);
    program
        .stdout
        .expect("\"other\" subscribes to \"own/+\", QoS 0");
    program
        .stdout
        .expect("\"guest\" subscribes to \"service/rounds\", QoS 1");
    program.stdout.expect("sent to 2 clients");
    drop((client, other));
    program.stop();
}

#[test]
fn e2_a_retained_message_is_there_from_the_start() {
    // No round comes in between.
    let arguments = ["127.0.0.1:0", "3600"];
    let mut program = Program::start(env!("CARGO_BIN_EXE_service"), &arguments);
    let mut client = Client::connect(&program.url(), Who::new("guest"));
    assert_eq!(client.subscribe("service/motto", QoS::AtMostOnce), 0);
    let motto = Message {
        topic: "service/motto".into(),
        payload: "wet feet, never".into(),
        qos: QoS::AtMostOnce,
        retain: true,
    };
    assert_eq!(client.message(), motto);
    // It stops at once, not with the next round.
    program.signal(rustix::process::Signal::TERM);
    assert_eq!(client.end(), Some(ReasonCode::SERVER_SHUTTING_DOWN));
    program.ends_well();
}
