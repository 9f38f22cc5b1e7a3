//! Resident bytes of an idle connection, over each transport.

use crate::{
    DRIVERS,
    broker::{Broker, Transport},
};
use std::process::ExitCode;

/// Connected before anything is counted: what the first ones make the broker allocate serves all.
const FIRST: usize = 200;
const PINGREQ: [u8; 2] = [0xc0, 0];

pub(crate) fn run(connections: usize) -> ExitCode {
    println!("resident bytes of each of {connections} connections that idle");
    println!("driver  transport  bytes");
    for driver in DRIVERS {
        for transport in Transport::ALL {
            let bytes = measure(driver, transport, connections);
            println!("{driver:<7} {:<9} {bytes:6.0}", transport.name());
        }
    }
    ExitCode::SUCCESS
}

fn measure(driver: &str, transport: Transport, connections: usize) -> f64 {
    let broker = Broker::start(driver, transport, "");
    let connect = |number| {
        let id = format!("idle-{number}");
        let mut client = broker.address.connect(transport.below(), &id);
        assert_eq!(client.ask(&PINGREQ, 2), [0xd0, 0]);
        // What is left is a connection; what TLS remembers of it here is not needed.
        client.socket
    };
    let _first: Vec<_> = (0..FIRST).map(connect).collect();
    let before = broker.resident_bytes();
    let _idle: Vec<_> = (FIRST..FIRST + connections).map(connect).collect();
    (broker.resident_bytes() - before) / connections as f64
}
