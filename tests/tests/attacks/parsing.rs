//! Bytes that are no MQTT, or not where they stand. (A01 to A07)

use super::{
    got::Got,
    packets::{self, connect, publish},
    world::World,
};
use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromClient},
    config::Limits,
    packet::{ClientPacket, PropertiesBuf, QoS, Version},
};

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

#[test]
fn a01_nothing_is_read_behind_a_length_of_five_bytes() {
    let mut world = World::new(Limits::default());
    let watcher = world.subscriber("watcher", "#", QoS::AtMostOnce);
    let long = [0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
    // As Remaining Length, as property length of a PUBLISH, and as its subscription identifier.
    let wholes: [&[u8]; 3] = [
        &[0x30],
        &[0x30, 20, 0, 1, b'a'],
        &[0x30, 20, 0, 1, b'a', 6, 0x0B],
    ];
    for start in wholes {
        let conn = world.client("attacker");
        let smuggled = packets::encoded(&publish("a", b"x", QoS::AtMostOnce, 0), Version::V5);
        let filler = smuggled.repeat(8);
        world.write(conn, &[start, &long, &filler].concat());
        let got = world.take(conn);
        assert!(
            matches!(got[..], [Got::Disconnect(reason)] if reason.is_error()),
            "{got:?}"
        );
        assert!(world.is_closed(conn));
    }
    assert_eq!(world.messages(watcher), []);
}

#[test]
fn a02_whoever_does_not_begin_with_connect_is_closed_at_the_first_byte() {
    for first in (0..=255_u8).filter(|first| first >> 4 != 1) {
        let mut world = World::new(Limits::default());
        let conn = world.open();
        world.write(conn, &[first]);
        assert!(world.is_closed(conn), "{first:02x}");
        assert_eq!(world.take(conn), []);
    }
}

#[test]
fn a03_a_packet_that_comes_byte_by_byte_is_parsed_once() {
    let limits = DecodeLimits {
        first_packet_bytes_max: 1 << 20,
        packet_bytes_max: 1 << 20,
    };
    let mut decoder = FromClient::new(limits);
    let connect = packets::encoded(&ClientPacket::Connect(Box::new(connect("a"))), Version::V5);
    assert!(matches!(
        decoder.decode(&connect),
        Ok(Decoded::Packet { .. })
    ));
    // 64 KiB of properties, each of which is illegal in a PUBLISH: a parser that looks at them early complains early.
    let illegal = [0x22, 0, 1].repeat(21_845);
    let properties = illegal.len() as u32;
    let mut body = vec![0, 1, b'a'];
    body.extend(length(properties));
    body.extend(illegal);
    let mut packet = vec![0x30];
    packet.extend(length(body.len() as u32));
    packet.extend(body);
    for len in 4..packet.len() {
        assert_eq!(
            decoder.decode(&packet[..len]),
            Ok(Decoded::Need(packet.len())),
            "{len}"
        );
    }
    assert!(decoder.decode(&packet).is_err());
}

#[test]
fn a04_what_only_a_server_sends_ends_the_connection() {
    // CONNACK, SUBACK, UNSUBACK, PINGRESP, and the reserved type.
    let packets: [&[u8]; 5] = [
        &[0x20, 2, 0, 0],
        &[0x90, 3, 0, 1, 0],
        &[0xB0, 2, 0, 1],
        &[0xD0, 0],
        &[0, 0],
    ];
    for version in VERSIONS {
        for packet in packets {
            let mut world = World::new(Limits::default());
            let mut connect = connect("attacker");
            connect.version = version;
            let (conn, _) = world.join(&connect);
            world.write(conn, packet);
            let got = world.take(conn);
            match version {
                Version::V5 => {
                    assert!(matches!(got[..], [Got::Disconnect(reason)] if reason.is_error()))
                }
                _ => assert_eq!(got, []),
            }
            assert!(world.is_closed(conn), "{packet:02x?} in {version:?}");
        }
    }
}

#[test]
fn a04_before_connect_every_other_packet_ends_the_connection_in_silence() {
    for kind in (0..16_u8).filter(|&kind| kind != 1) {
        let mut world = World::new(Limits::default());
        let conn = world.open();
        world.write(conn, &[kind << 4, 2, 0, 1]);
        assert_eq!(world.take(conn), []);
        assert!(world.is_closed(conn), "type {kind}");
    }
}

#[test]
fn a05_no_ill_formed_topic_reaches_anybody() {
    let bad: [&[u8]; 9] = [
        b"",
        b"a\0b",
        b"a/+",
        b"#",
        b"\xED\xA0\x80",
        b"\xC0\x80",
        b"\xF8\x88\x80\x80\x80",
        b"\xF4\x90\x80\x80",
        b"a\xC3",
    ];
    for version in VERSIONS {
        for topic in bad {
            let mut world = World::new(Limits::default());
            let watcher = world.subscriber("watcher", "#", QoS::AtMostOnce);
            let mut connect = connect("attacker");
            connect.version = version;
            let (conn, _) = world.join(&connect);
            let mut body = vec![0, topic.len() as u8];
            body.extend(topic);
            body.extend((version == Version::V5).then_some(0));
            world.write(conn, &[&[0x30, body.len() as u8], &body[..]].concat());
            assert!(world.is_closed(conn), "{topic:02x?} in {version:?}");
            assert_eq!(world.messages(watcher), []);
        }
    }
    // Noncharacters are legal.
    let mut world = World::new(Limits::default());
    let watcher = world.subscriber("watcher", "#", QoS::AtMostOnce);
    let conn = world.client("client");
    world.send(conn, &publish("\u{FFFE}\u{FFFF}", b"", QoS::AtMostOnce, 0));
    assert_eq!(world.messages(watcher)[0].topic, "\u{FFFE}\u{FFFF}");
}

#[test]
fn a06_a_will_that_breaks_a_rule_is_refused_and_forgotten() {
    let section = PropertiesBuf::new();
    let mut good = connect("attacker");
    good.will = Some(packets::will("w", &section));
    let good = packets::encoded(&ClientPacket::Connect(Box::new(good)), Version::V5);
    // Behind it: its property length, its topic with a length of two bytes, its payload `will`.
    let topic_at = good.len() - 7;
    assert_eq!(good[topic_at], b'w');
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let flags_at = 9;
    assert_eq!(good[flags_at], 0x06);
    let cases = [
        ("wildcard topic", with(topic_at, b'#')),
        ("U+0000 in the topic", with(topic_at, 0)),
        ("ill-formed topic", with(topic_at, 0xFF)),
        ("QoS 3", with(flags_at, 0x1E)),
        ("no will flag, but a will", with(flags_at, 0x02)),
        ("a property that is none", with(topic_at - 3, 1)),
    ];
    let mut world = World::new(Limits::default());
    let watcher = world.subscriber("watcher", "#", QoS::AtMostOnce);
    for (what, bytes) in cases {
        let conn = world.open();
        world.write(conn, &bytes);
        let got = world.take(conn);
        assert!(
            matches!(got[..], [Got::ConnAck { reason, .. }] if reason.is_error()),
            "{what}: {got:?}"
        );
        assert!(world.is_closed(conn), "{what}");
    }
    assert_eq!(world.messages(watcher), []);
    assert_eq!(world.broker.view().sessions().count(), 1);
}

#[test]
fn a07_a_client_identifier_of_65535_bytes_is_refused() {
    let long = "x".repeat(65_535);
    for version in VERSIONS {
        let mut world = World::new(Limits::default());
        let mut connect = connect(&long);
        connect.version = version;
        let conn = world.begin(&connect);
        assert!(world.is_closed(conn));
        assert_eq!(world.broker.view().sessions().count(), 0);
        assert_eq!(world.statistics().clients_connected, 0);
    }
}

/// A variable byte integer.
fn length(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value % 128) as u8;
        value /= 128;
        bytes.push(low | if value > 0 { 0x80 } else { 0 });
        if value == 0 {
            return bytes;
        }
    }
}
