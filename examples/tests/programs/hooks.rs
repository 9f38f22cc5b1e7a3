//! E1: users, what they may subscribe to and publish, and the log.

use super::support::{Client, Program, Who};
use rustix::process::Signal;
use sanderling_core::{
    packet::{QoS, Version},
    reason::ReasonCode,
};

fn start() -> (Program, String) {
    let mut program = Program::start(env!("CARGO_BIN_EXE_hooks"), &["127.0.0.1:0"]);
    let url = program.url();
    (program, url)
}

fn user<'a>(version: Version, client_id: &'a str, name: &'a str, password: &'a str) -> Who<'a> {
    Who {
        version,
        client_id,
        user: Some((name, password)),
    }
}

#[test]
fn e1_who_is_not_in_the_table_is_refused() {
    let (program, url) = start();
    for version in [Version::V311, Version::V5] {
        let wrong = [
            Who {
                version,
                ..Who::new("nobody")
            },
            user(version, "stranger", "stranger", "krill"),
            user(version, "forgetful", "keeper", "static"),
        ];
        for who in wrong {
            // Before 5.0 the decoder makes this of return code 4.
            let refused = Client::try_connect(&url, who).err();
            assert_eq!(refused, Some(ReasonCode::BAD_USER_NAME_OR_PASSWORD));
        }
        Client::connect(&url, user(version, "keeper", "keeper", "krill"));
    }
    program.stop();
}

#[test]
fn e1_each_user_is_granted_its_highest_qos_and_publishers_none() {
    let (program, url) = start();
    let not_authorized = ReasonCode::NOT_AUTHORIZED.0;
    let table = [
        ("keeper", "krill", [0, 1, 2]),
        ("radio", "static", [0, 0, 0]),
        ("ledger", "ink", [0, 1, 1]),
        ("screen", "glass", [0, 1, 2]),
        ("sensor", "ice", [not_authorized; 3]),
    ];
    for (name, password, granted) in table {
        let mut client = Client::connect(&url, user(Version::V5, name, name, password));
        let asked = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
        assert_eq!(
            asked.map(|qos| client.subscribe("a/b", qos)),
            granted,
            "{name}"
        );
    }
    let old = user(Version::V311, "old", "sensor", "ice");
    assert_eq!(
        Client::connect(&url, old).subscribe("a", QoS::AtMostOnce),
        0x80
    );
    program.stop();
}

#[test]
fn e1_messages_of_subscribers_and_of_qos_2_reach_nobody() {
    let (mut program, url) = start();
    let mut keeper = Client::connect(&url, user(Version::V5, "keeper", "keeper", "krill"));
    keeper.subscribe("#", QoS::ExactlyOnce);

    let mut publisher = Client::connect(&url, user(Version::V5, "pub", "sensor", "ice"));
    let vetoed = publisher.publish("a", "twice the work", QoS::ExactlyOnce);
    assert_eq!(vetoed, ReasonCode::NOT_AUTHORIZED);
    // Whoever may only listen is told no and sent away, or just sent away if it could not be told.
    let mut listener = Client::connect(&url, user(Version::V5, "sub", "screen", "glass"));
    let refused = listener.publish("a", "by a listener", QoS::AtLeastOnce);
    assert_eq!(refused, ReasonCode::NOT_AUTHORIZED);
    assert_eq!(listener.end(), Some(ReasonCode::NOT_AUTHORIZED));
    let mut old = Client::connect(&url, user(Version::V311, "old", "screen", "glass"));
    old.publish("a", "by an old listener", QoS::AtLeastOnce);
    assert_eq!(old.end(), None);

    assert_eq!(
        publisher.publish("a", "good", QoS::AtLeastOnce),
        ReasonCode::SUCCESS
    );
    assert_eq!(keeper.message().payload, "good");

    // Standard error tells of it, and of the end.
    for parts in [
        &["closed", "client=\"sub\"", "Not authorized"][..],
        &["closed", "client=\"old\""],
        &["delivered", "client=\"keeper\"", "topic=\"a\"", "qos=1"],
    ] {
        let line = program.stderr.expect(parts[0]);
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    program.signal(Signal::INT);
    assert_eq!(keeper.end(), Some(ReasonCode::SERVER_SHUTTING_DOWN));
    assert_eq!(publisher.end(), Some(ReasonCode::SERVER_SHUTTING_DOWN));
    program.stderr.expect("stopped");
    program.ends_well();
}
