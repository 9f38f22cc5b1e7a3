//! `$SYS`: what is told, to whom, and that nobody else tells it.

use super::{
    client::{Client, Received},
    serve::{Serve, Served},
};
use sanderling_core::{
    packet::{
        ClientPacket, Connect, PacketId, Properties, PropertiesBuf, Property, QoS, Subscribe,
        SubscribeEntry, SubscribeOptions, Version,
    },
    reason::ReasonCode,
    topic::TopicFilter,
};
use sanderling_runtime::{Builder, Handle, Plugin, PluginError};
use sanderling_sys::{Sys, topics};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

super::on_shipped_drivers! {
    every_topic_is_retained_and_says_what_clients_did
    what_changes_is_told_again
    administrators_alone_may_subscribe
    a_session_that_an_administrator_left_reads_no_more
    p21_a_wildcard_in_the_first_level_reads_nothing_of_the_server
    no_client_publishes_for_the_server
    who_comes_and_goes_is_told
    pl4_a_publisher_that_waits_ends_at_once
    d3_a_publisher_ends_although_the_broker_never_started
}

/// So often that a test need not wait for it.
const OFTEN: Duration = Duration::from_millis(20);
/// So seldom that no test sees it a second time.
const SELDOM: Duration = Duration::from_secs(3600);

fn served<D: Serve>(sys: Sys) -> Served {
    let builder = Builder::default().listen("127.0.0.1:0").unwrap();
    D::serve(builder.plugin(sys))
}

/// A client with a user name whose session outlives it.
fn named(served: &Served, client_id: &str, username: Option<&str>) -> Client {
    let mut properties = PropertiesBuf::default();
    properties
        .push(Property::SessionExpiryInterval(60))
        .unwrap();
    let mut client = Client::open(served.address, Version::V5);
    client.send(&ClientPacket::Connect(Box::new(Connect {
        version: Version::V5,
        client_id,
        clean_start: false,
        keep_alive_s: 60,
        username,
        password: None,
        will: None,
        properties: properties.as_properties(),
    })));
    assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    client
}

/// Asks for filters; what each is granted.
fn subscribe(client: &mut Client, filters: &[&str]) -> Vec<u8> {
    client.send(&ClientPacket::Subscribe(Box::new(Subscribe {
        packet_id: PacketId::MIN,
        entries: filters
            .iter()
            .map(|filter| SubscribeEntry {
                filter: TopicFilter::parse(filter).unwrap(),
                options: SubscribeOptions {
                    qos: QoS::AtLeastOnce,
                    ..SubscribeOptions::default()
                },
            })
            .collect(),
        properties: Properties::EMPTY,
    })));
    match client.receive() {
        Received::SubAck(codes) => codes,
        other => panic!("a SUBACK was expected, not {other:?}"),
    }
}

/// The next message.
fn message(client: &mut Client) -> (String, Vec<u8>) {
    match client.receive() {
        Received::Publish {
            topic,
            payload,
            qos,
            id,
        } => {
            if qos == QoS::AtLeastOnce {
                client.ack(ClientPacket::PubAck, id);
            }
            (topic, payload)
        }
        other => panic!("a PUBLISH was expected, not {other:?}"),
    }
}

/// Reads until each of these topics has said this; they may have said something else before.
fn read_until(client: &mut Client, expected: &[(&str, &str)]) {
    let mut said = BTreeMap::new();
    let is_said = |said: &BTreeMap<String, String>| {
        let mut all = expected.iter();
        all.all(|(topic, text)| said.get(*topic).map(|said| &**said) == Some(*text))
    };
    while !is_said(&said) {
        let (topic, payload) = message(client);
        said.insert(topic, String::from_utf8(payload).unwrap());
    }
}

fn every_topic_is_retained_and_says_what_clients_did<D: Serve>() {
    let served = served::<D>(Sys::new().interval(OFTEN));
    let mut writer = Client::connect(served.address, "writer");
    let mut away = named(&served, "away", None);
    away.disconnect();
    // It is gone before others come, or more would have been there at a time.
    assert_eq!(away.receive(), Received::Closed);
    writer.publish("t", b"payload", QoS::AtMostOnce, 0);
    let mut reader = Client::connect(served.address, "reader");
    assert_eq!(subscribe(&mut reader, &["$SYS/broker/#"]), [1]);
    let mut missing: BTreeSet<_> = topics().into_iter().map(|(name, _)| name).collect();
    while !missing.is_empty() {
        missing.remove(&message(&mut reader).0);
    }
    // They come again with whatever was counted last.
    let mut late = Client::connect(served.address, "late");
    subscribe(&mut late, &["$SYS/broker/#"]);
    let version = format!("sanderling {}", env!("CARGO_PKG_VERSION"));
    read_until(
        &mut late,
        &[
            ("$SYS/broker/version", &version),
            ("$SYS/broker/clients/connected", "3"),
            ("$SYS/broker/clients/disconnected", "1"),
            ("$SYS/broker/clients/total", "4"),
            ("$SYS/broker/clients/maximum", "3"),
            ("$SYS/broker/clients/expired", "0"),
            ("$SYS/broker/publish/messages/received", "1"),
            ("$SYS/broker/publish/messages/dropped", "0"),
            ("$SYS/broker/mqtt/connect/received", "4"),
            ("$SYS/broker/mqtt/subscribe/received", "2"),
            ("$SYS/broker/mqtt/auth/sent", "0"),
            ("$SYS/broker/subscriptions/count", "2"),
            ("$SYS/broker/connections/socket/count", "3"),
        ],
    );
    let retained = served.handle.retained().matching("$SYS/broker/#").unwrap();
    assert_eq!(retained.len(), topics().len());
}

fn what_changes_is_told_again<D: Serve>() {
    let served = served::<D>(Sys::new().interval(OFTEN));
    let mut reader = Client::connect(served.address, "reader");
    subscribe(&mut reader, &["$SYS/broker/clients/connected"]);
    read_until(&mut reader, &[("$SYS/broker/clients/connected", "1")]);
    let other = Client::connect(served.address, "other");
    assert_eq!(message(&mut reader).1, b"2");
    drop(other);
    assert_eq!(message(&mut reader).1, b"1");
}

fn administrators_alone_may_subscribe<D: Serve>() {
    let sys = Sys::new().without_local().administrator("operations");
    let served = served::<D>(sys.interval(SELDOM));
    let filters = ["$SYS/#", "$share/g/$SYS/broker/+", "#", "$SYS", "other"];
    let refused = ReasonCode::NOT_AUTHORIZED.0;
    for username in [None, Some("guest"), Some("Operations")] {
        let mut client = named(&served, "guest", username);
        let granted = subscribe(&mut client, &filters);
        assert_eq!(granted, [refused, refused, 1, refused, 1], "{username:?}");
    }
    let mut client = named(&served, "operator", Some("operations"));
    assert_eq!(subscribe(&mut client, &filters), [1; 5]);

    // Connections of this machine are trusted unless it is said otherwise.
    let served = self::served::<D>(Sys::new().interval(SELDOM));
    let mut client = named(&served, "guest", None);
    assert_eq!(subscribe(&mut client, &filters), [1; 5]);
}

fn a_session_that_an_administrator_left_reads_no_more<D: Serve>() {
    let sys = Sys::new().without_local().administrator("operations");
    let served = served::<D>(sys.interval(SELDOM).without_presence());
    let mut client = named(&served, "shared", Some("operations"));
    let filters = ["$SYS/never/said", "$share/g/$SYS/never/said", "other"];
    subscribe(&mut client, &filters);
    drop(client);
    let left = |served: &Served| {
        let of_client = served.handle.subscriptions().of_client("shared").unwrap();
        of_client
            .into_iter()
            .map(|one| one.filter)
            .collect::<Vec<_>>()
    };
    let mut client = named(&served, "shared", Some("operations"));
    client.barrier();
    assert_eq!(left(&served).len(), 3, "an administrator keeps them");
    drop(client);
    let mut client = named(&served, "shared", Some("guest"));
    client.barrier();
    assert_eq!(left(&served), ["other"]);
}

fn p21_a_wildcard_in_the_first_level_reads_nothing_of_the_server<D: Serve>() {
    let served = served::<D>(Sys::new().interval(OFTEN));
    let mut operator = Client::connect(served.address, "operator");
    subscribe(&mut operator, &["$SYS/broker/uptime"]);
    let mut guest = Client::connect(served.address, "guest");
    assert_eq!(subscribe(&mut guest, &["#", "+/broker/uptime"]), [1, 1]);
    message(&mut operator);
    guest.barrier();
}

fn no_client_publishes_for_the_server<D: Serve>() {
    let served = served::<D>(Sys::new().interval(SELDOM));
    let mut reader = Client::connect(served.address, "reader");
    subscribe(&mut reader, &["$SYS/forged"]);
    let mut forger = Client::connect(served.address, "forger");
    forger.publish("$SYS/forged", b"lie", QoS::AtLeastOnce, 1);
    assert_eq!(forger.receive(), Received::PubAck(1));
    forger.barrier();
    reader.barrier();
    assert_eq!(served.handle.retained().get("$SYS/forged").unwrap(), None);
}

fn who_comes_and_goes_is_told<D: Serve>() {
    let served = served::<D>(Sys::new().interval(SELDOM).node("east/1"));
    let mut reader = Client::connect(served.address, "reader");
    let own = [
        "$SYS/brokers/east%2F1/clients/+/connected",
        "$SYS/brokers/+/clients/+/disconnected",
    ];
    subscribe(&mut reader, &own);

    let event = |client: &mut Client, what: &str| {
        let (topic, payload) = message(client);
        assert_eq!(
            topic,
            format!("$SYS/brokers/east%2F1/clients/pump%2F7/{what}")
        );
        let event: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(event["clientid"], "pump/7");
        assert_eq!(event["ipaddress"], "127.0.0.1");
        assert!(event["port"].as_u64() > Some(0) && event["ts"].as_u64() > Some(1_600_000_000_000));
        event
    };
    let mut pump = named(&served, "pump/7", Some("pumps"));
    let connected = event(&mut reader, "connected");
    assert_eq!(connected["username"], "pumps");
    assert_eq!(
        (&connected["proto_ver"], &connected["keepalive"]),
        (&5.into(), &60.into())
    );
    assert_eq!(connected["session_present"], false);
    pump.disconnect();
    let gone = event(&mut reader, "disconnected");
    assert_eq!(
        (&gone["username"], &gone["reason"]),
        (&"pumps".into(), &"disconnected".into())
    );

    let pump = named(&served, "pump/7", None);
    let connected = event(&mut reader, "connected");
    assert_eq!(
        (&connected["username"], &connected["session_present"]),
        (&Value::Null, &true.into())
    );
    let _other = named(&served, "pump/7", None);
    assert_eq!(event(&mut reader, "disconnected")["reason"], "taken_over");
    event(&mut reader, "connected");
    drop(pump);
    assert!(served.handle.close("pump/7").unwrap());
    assert_eq!(
        event(&mut reader, "disconnected")["reason"],
        "closed_by_server"
    );
}

fn pl4_a_publisher_that_waits_ends_at_once<D: Serve>() {
    let served = served::<D>(Sys::new().interval(SELDOM));
    let mut client = Client::connect(served.address, "client");
    client.disconnect();
    assert_eq!(client.receive(), Received::Closed);
    let begun = Instant::now();
    served.handle.stop();
    served.join();
    assert!(begun.elapsed() < SELDOM / 100);
}

struct Bad;

impl Plugin for Bad {
    fn name(&self) -> &str {
        "bad"
    }

    fn load(&mut self, _: &Handle) -> Result<(), PluginError> {
        Err("it is bad".into())
    }
}

fn d3_a_publisher_ends_although_the_broker_never_started<D: Serve>() {
    let builder = Builder::default().listen("127.0.0.1:0").unwrap();
    assert!(D::try_serve(builder.plugin(Sys::new()).plugin(Bad)).is_err());
}
