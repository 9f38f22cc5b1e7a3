//! The names that dashboards of the seed know.

use super::{measured, persistent, scrape};
use crate::{
    client::{Client, Received},
    serve::Serve,
};
use sanderling_core::{
    config::Config,
    packet::{ClientPacket, QoS, Version},
    reason::ReasonCode,
};

crate::on_shipped_drivers! {
    d8_every_family_of_the_seed_is_told_by_its_name_with_all_its_labels
    d8_what_is_told_is_what_clients_did
    d8_sessions_and_queues_are_told_as_they_are_now
}

/// A label and its values.
type Label = (&'static str, &'static [&'static str]);

/// What the seed tells, with the values of the label; none for a single number.
const SEED: [(&str, &str, Option<Label>); 18] = [
    ("mqtt_packets_received_total", "counter", Some(TYPES)),
    ("mqtt_packets_sent_total", "counter", Some(TYPES)),
    ("mqtt_packets_received_bytes_total", "counter", Some(TYPES)),
    ("mqtt_packets_sent_bytes_total", "counter", Some(TYPES)),
    ("mqtt_clients_connected_total", "counter", None),
    ("mqtt_clients_disconnected_total", "counter", None),
    ("mqtt_sessions_expired_total", "counter", None),
    ("mqtt_sessions_active_current", "gauge", None),
    ("mqtt_sessions_inactive_current", "gauge", None),
    ("mqtt_subscriptions_total", "counter", None),
    ("mqtt_subscriptions_current", "gauge", None),
    ("mqtt_messages_dropped_total", "counter", Some(QOS)),
    ("messages_received_total", "counter", Some(QOS)),
    ("messages_sent_total", "counter", Some(QOS)),
    ("messages_queued_current", "gauge", None),
    ("mqtt_messages_received_total", "counter", Some(QOS)),
    ("mqtt_messages_sent_total", "counter", Some(QOS)),
    ("mqtt_messages_queued_current", "gauge", None),
];

const TYPES: Label = (
    "type",
    &[
        "CONNECT",
        "CONNACK",
        "DISCONNECT",
        "PINGREQ",
        "PINGRESP",
        "PUBACK",
        "PUBCOMP",
        "PUBLISH",
        "PUBREC",
        "PUBREL",
        "SUBACK",
        "SUBSCRIBE",
        "UNSUBACK",
        "UNSUBSCRIBE",
    ],
);

const QOS: Label = ("qos", &["0", "1", "2"]);

fn d8_every_family_of_the_seed_is_told_by_its_name_with_all_its_labels<D: Serve>() {
    let measured = measured::<D>(|builder| builder);
    let scrape = scrape(measured.metrics);
    for (name, kind, labels) in SEED {
        let family = scrape.families.get(name).expect(name);
        assert_eq!(family.kind, kind, "{name}");
        match labels {
            None => assert!(scrape.value(name, &[]).is_some(), "{name}"),
            Some((label, values)) => {
                for value in values {
                    assert!(
                        scrape.value(name, &[(label, value)]).is_some(),
                        "{name} {value}"
                    );
                }
            }
        }
    }
}

fn d8_what_is_told_is_what_clients_did<D: Serve>() {
    let mut measured = measured::<D>(|builder| builder);
    let mut reader = measured.connect("reader");
    reader.subscribe("t", QoS::AtLeastOnce);
    let mut writer = measured.connect("writer");
    writer.publish("t", b"0", QoS::AtMostOnce, 0);
    writer.publish("t", b"1", QoS::AtLeastOnce, 1);
    writer.publish("t", b"2", QoS::ExactlyOnce, 2);
    assert_eq!(writer.receive(), Received::PubAck(1));
    assert_eq!(writer.receive(), Received::PubRec(2));
    writer.ack(ClientPacket::PubRel, 2);
    assert_eq!(writer.receive(), Received::PubComp(2));
    for expected in [b"0", b"1", b"2"] {
        assert_eq!(reader.receive_payload(), expected);
    }
    reader.ack(ClientPacket::PubAck, 1);
    reader.ack(ClientPacket::PubAck, 2);
    reader.disconnect();
    assert_eq!(reader.receive(), Received::Closed);

    let scrape = measured.scrape(&mut writer);
    let packets = |way: &str, expected: &[(&str, f64)]| {
        for packet in TYPES.1.iter().chain(&["AUTH"]) {
            let count = expected.iter().find(|(name, _)| name == packet);
            let told = scrape.value(&format!("mqtt_packets_{way}_total"), &[("type", packet)]);
            assert_eq!(
                told,
                Some(count.map_or(0.0, |(_, count)| *count)),
                "{packet} {way}"
            );
        }
    };
    packets(
        "received",
        &[
            ("CONNECT", 2.0),
            ("SUBSCRIBE", 1.0),
            ("PUBLISH", 3.0),
            ("PUBREL", 1.0),
            ("PUBACK", 2.0),
            ("DISCONNECT", 1.0),
            ("PINGREQ", 1.0),
        ],
    );
    packets(
        "sent",
        &[
            ("CONNACK", 2.0),
            ("SUBACK", 1.0),
            ("PUBLISH", 3.0),
            ("PUBACK", 1.0),
            ("PUBREC", 1.0),
            ("PUBCOMP", 1.0),
            ("PINGRESP", 1.0),
        ],
    );
    // A fixed header of two bytes; topic with length, identifier above QoS 0, no properties, one byte of payload.
    let publish = [("type", "PUBLISH")];
    let bytes = Some(f64::from(3 * (2 + 3 + 1 + 1) + 2 * 2));
    assert_eq!(
        scrape.value("mqtt_packets_received_bytes_total", &publish),
        bytes
    );
    assert_eq!(
        scrape.value("mqtt_packets_sent_bytes_total", &publish),
        bytes
    );
    for (way, counts) in [("received", [1.0, 1.0, 1.0]), ("sent", [1.0, 2.0, 0.0])] {
        for (qos, count) in QOS.1.iter().zip(counts) {
            for prefix in ["", "mqtt_"] {
                let name = format!("{prefix}messages_{way}_total");
                assert_eq!(
                    scrape.value(&name, &[("qos", qos)]),
                    Some(count),
                    "{name} {qos}"
                );
            }
        }
    }
    for (name, value) in [
        ("mqtt_clients_connected_total", 2.0),
        ("mqtt_clients_disconnected_total", 1.0),
        ("mqtt_sessions_active_current", 1.0),
        ("mqtt_sessions_inactive_current", 0.0),
        ("mqtt_subscriptions_total", 1.0),
        ("mqtt_subscriptions_current", 0.0),
        ("sanderling_connections_opened_total", 2.0),
        ("sanderling_sessions_created_total", 2.0),
        ("sanderling_connect_duration_seconds_count", 2.0),
        ("sanderling_messages_unrouted_total", 0.0),
    ] {
        assert_eq!(scrape.value(name, &[]), Some(value), "{name}");
    }
}

fn d8_sessions_and_queues_are_told_as_they_are_now<D: Serve>() {
    let mut measured = measured::<D>(|builder| builder);
    let mut away = Client::open(measured.served.address, Version::V311);
    away.send(&ClientPacket::Connect(Box::new(persistent("away"))));
    assert_eq!(away.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    away.subscribe("t", QoS::AtLeastOnce);
    away.disconnect();
    assert_eq!(away.receive(), Received::Closed);
    let mut writer = measured.connect("writer");
    writer.publish("t", b"12345", QoS::AtLeastOnce, 1);
    assert_eq!(writer.receive(), Received::PubAck(1));

    let scrape = measured.scrape(&mut writer);
    let value = |name| scrape.value(name, &[]).unwrap();
    for (name, count) in [
        ("mqtt_sessions_active_current", 1.0),
        ("mqtt_sessions_inactive_current", 1.0),
        ("messages_queued_current", 1.0),
        ("mqtt_messages_queued_current", 1.0),
        ("sanderling_waiting_output_bytes", 0.0),
    ] {
        assert_eq!(value(name), count, "{name}");
    }
    let bytes = value("sanderling_queued_bytes");
    assert!((6.0..1000.0).contains(&bytes), "{bytes}");
    let limits = Config::default().limits;
    let limit = scrape.value("sanderling_limit", &[("limit", "queued_bytes")]);
    assert_eq!(limit, Some(limits.queue_bytes_total_max as f64));

    let mut back = Client::open(measured.served.address, Version::V311);
    back.send(&ClientPacket::Connect(Box::new(persistent("away"))));
    assert_eq!(back.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    assert_eq!(back.receive_payload(), b"12345");
    let scrape = measured.scrape(&mut writer);
    assert_eq!(scrape.value("messages_queued_current", &[]), Some(0.0));
    assert_eq!(scrape.value("sanderling_queued_bytes", &[]), Some(0.0));
}
