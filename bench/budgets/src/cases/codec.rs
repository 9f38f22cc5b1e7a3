//! Bytes to a packet, and a message to a frame.

use crate::{rounds::Rounds, world};
use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromClient, PublishForm, put_publish},
    config::Limits,
    packet::{ClientPacket, PropertiesBuf, Property, Publish, QoS, Version},
};
use sanderling_runtime::Packets;
use std::hint::black_box;

/// Two short levels, as in `bench/00007`.
pub(super) const TOPIC: &str = "bench/00007";
pub(super) const SMALL: &[u8] = &[b'.'; 16];
pub(super) const MEDIUM: &[u8] = &[b'.'; 64];

/// What a 5.0 application sends with a message.
pub(super) fn properties() -> PropertiesBuf {
    let mut properties = PropertiesBuf::new();
    for property in [
        Property::PayloadFormatIndicator(1),
        Property::MessageExpiryInterval(3_600),
        Property::ContentType("application/json"),
        Property::UserProperty("source", "thermometer"),
    ] {
        properties.push(property).expect("a property of PUBLISH");
    }
    properties
}

pub(super) fn decode_publish(rounds: &mut Rounds<'_>) {
    let publish = world::publish(TOPIC, SMALL, QoS::AtMostOnce);
    decode(rounds, Version::V311, publish);
}

pub(super) fn decode_publish_v5(rounds: &mut Rounds<'_>) {
    let properties = properties();
    let publish = Publish {
        properties: properties.as_properties(),
        ..world::publish(TOPIC, MEDIUM, QoS::AtLeastOnce)
    };
    decode(rounds, Version::V5, publish);
}

fn decode(rounds: &mut Rounds<'_>, version: Version, publish: Publish<'_>) {
    let mut decoder = FromClient::new(DecodeLimits {
        first_packet_bytes_max: 1 << 14,
        packet_bytes_max: 1 << 20,
    });
    let connect = world::encoded(version, &world::connect(version, "budget", true));
    decoder.decode(&connect).expect("a CONNECT");
    let bytes = world::encoded(version, &ClientPacket::Publish(publish));
    while rounds.next() {
        rounds.count(|| {
            let decoded = decoder.decode(black_box(&bytes));
            assert!(matches!(black_box(decoded), Ok(Decoded::Packet { .. })));
        });
    }
}

/// What the pipeline asks of the codec.
pub(super) fn lend_publish(rounds: &mut Rounds<'_>) {
    let mut decoder = FromClient::new(DecodeLimits {
        first_packet_bytes_max: 1 << 14,
        packet_bytes_max: 1 << 20,
    });
    decoder.decode(&connect()).expect("a CONNECT");
    let bytes = small();
    while rounds.next() {
        rounds.count(|| {
            let decoded = decoder.decode_lending(black_box(&bytes));
            assert!(matches!(black_box(decoded), Ok(Decoded::Packet { .. })));
        });
    }
}

/// What stands between the socket and the codec where no layer is spoken.
pub(super) fn pipeline_publish(rounds: &mut Rounds<'_>) {
    let mut packets = Packets::new(&Limits::default());
    let connected = packets.next(&mut &connect()[..], |received| received.is_ok());
    assert_eq!(connected, Some(true), "a CONNECT");
    let bytes = small();
    while rounds.next() {
        rounds.count(|| {
            let decoded = packets.next(&mut black_box(&bytes[..]), |received| {
                black_box(received).is_ok()
            });
            assert_eq!(decoded, Some(true));
        });
    }
}

fn connect() -> Vec<u8> {
    let connect = world::connect(Version::V311, "budget", true);
    world::encoded(Version::V311, &connect)
}

fn small() -> Vec<u8> {
    let publish = world::publish(TOPIC, SMALL, QoS::AtMostOnce);
    world::encoded(Version::V311, &ClientPacket::Publish(publish))
}

pub(super) fn encode_publish(rounds: &mut Rounds<'_>) {
    encode(
        rounds,
        Version::V311,
        &world::publish(TOPIC, SMALL, QoS::AtMostOnce),
    );
}

pub(super) fn encode_publish_v5(rounds: &mut Rounds<'_>) {
    let properties = properties();
    let publish = Publish {
        properties: properties.as_properties(),
        ..world::publish(TOPIC, MEDIUM, QoS::AtLeastOnce)
    };
    encode(rounds, Version::V5, &publish);
}

fn encode(rounds: &mut Rounds<'_>, version: Version, publish: &Publish<'_>) {
    let form = PublishForm {
        version,
        topic: publish.topic,
        payload: publish.payload,
        payload_bytes: publish.payload.len(),
        qos: publish.qos,
        retain: false,
        dup: false,
        packet_id: None,
        properties: publish.properties,
        message_expiry_interval: None,
        subscription_identifiers: &[],
        topic_alias: None,
    };
    let mut out = Vec::with_capacity(1_024);
    while rounds.next() {
        out.clear();
        rounds.count(|| {
            black_box(put_publish(&mut out, black_box(&form)));
        });
    }
}
