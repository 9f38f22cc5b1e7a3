//! The mio driver that looks for work and does not sleep: all that would end a sleep is noticed all the same.

use super::{
    client::{Client, Received},
    serve::{Served, start_with},
};
use sanderling_core::{
    config::{Config, Limits},
    packet::{QoS, Version},
};
use sanderling_mio::{Broker, Options};
use std::time::Duration;

/// A broker that does not sleep as long as a test lasts.
fn sleepless(connect_deadline: Duration) -> Served {
    let limits = Limits {
        connect_deadline,
        ..Limits::default()
    };
    let config = Config {
        limits,
        ..Config::default()
    };
    let options = Options {
        busy_poll: Duration::from_secs(3600),
    };
    start_with::<Broker>(|builder| builder.config(config).driver_options(options))
}

#[test]
fn messages_orders_and_the_stop_are_noticed() {
    let served = sleepless(Duration::from_secs(60));
    let mut client = Client::connect(served.address, "client");
    client.subscribe("t", QoS::AtMostOnce);
    assert_eq!(served.handle.statistics().unwrap().subscriptions_current, 1);
    client.publish("t", b"1", QoS::AtMostOnce, 0);
    let Received::Publish { payload, .. } = client.receive() else {
        panic!("a message comes first");
    };
    assert_eq!(payload, b"1");
    served.handle.stop();
    drop(client);
    served.join();
}

#[test]
fn deadlines_are_noticed() {
    let served = sleepless(Duration::from_millis(50));
    let mut silent = Client::open(served.address, Version::V311);
    assert_eq!(silent.receive(), Received::Closed);
}
