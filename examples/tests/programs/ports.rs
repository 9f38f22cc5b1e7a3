//! E3: plain and TLS, one broker.

use super::support::{Client, Program, Who};
use sanderling_core::packet::{QoS, Version};
use sanderling_tests::peer::Certificates;

#[test]
fn e3_clients_of_both_ports_reach_each_other() {
    let folder = Certificates::get().directory().to_str().unwrap();
    let arguments = ["127.0.0.1:0", "127.0.0.1:0", folder];
    let mut program = Program::start(env!("CARGO_BIN_EXE_ports"), &arguments);
    let (plain, tls) = (program.url(), program.url());
    assert!(plain.starts_with("mqtt://") && tls.starts_with("mqtts://"));

    let old = Who {
        version: Version::V311,
        ..Who::new("plain")
    };
    let mut plain = Client::connect(&plain, old);
    let mut secret = Client::connect(&tls, Who::new("secret"));
    plain.subscribe("to/plain", QoS::AtLeastOnce);
    secret.subscribe("to/secret", QoS::AtLeastOnce);
    plain.publish("to/secret", "from plain", QoS::AtLeastOnce);
    secret.publish("to/plain", "from secret", QoS::AtLeastOnce);
    assert_eq!(secret.message().payload, "from plain");
    assert_eq!(plain.message().payload, "from secret");
    drop((plain, secret));
    program.stop();
}

#[test]
fn e3_without_certificates_it_names_the_file_that_is_missing() {
    let arguments = ["127.0.0.1:0", "127.0.0.1:0", "no/such/folder"];
    let mut program = Program::start(env!("CARGO_BIN_EXE_ports"), &arguments);
    let line = program.stderr.expect("no/such/folder/server.pem");
    assert!(line.ends_with("there is no such file"), "{line}");
}
