//! What looks wrong and is right.

use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromClient, FromServer},
    packet::{Ack, ClientPacket, Connect, Disconnect, PacketId, Properties, QoS, Version},
    reason::ReasonCode,
};

const LIMITS: DecodeLimits = DecodeLimits {
    first_packet_bytes_max: 100_000,
    packet_bytes_max: 100_000,
};

#[test]
fn version_3_1_lets_the_last_fields_of_a_connect_be_missing() {
    let missing = decode_connect(b"\x10\x0F\0\x06MQIsdp\x03\xC2\0\x3C\0\x01c");
    assert_eq!((missing.username, missing.password), (None, None));
    let no_password = decode_connect(b"\x10\x12\0\x06MQIsdp\x03\xC2\0\x3C\0\x01c\0\x01u");
    assert_eq!(
        (no_password.username, no_password.password),
        (Some("u"), None)
    );
}

#[test]
fn version_3_1_reserves_nothing() {
    let reserved_flag = decode_connect(b"\x10\x0F\0\x06MQIsdp\x03\x03\0\x3C\0\x01c");
    assert!(reserved_flag.clean_start);
    let will_bits = decode_connect(b"\x10\x0F\0\x06MQIsdp\x03\x3A\0\x3C\0\x01c");
    assert_eq!(will_bits.will, None);
    assert_eq!(decode(Version::V31, b"\xC5\0"), ClientPacket::PingReq);
    let ClientPacket::Subscribe(subscribe) = decode(Version::V31, b"\x8A\x06\0\x01\0\x01t\xFE")
    else {
        panic!("a SUBSCRIBE");
    };
    assert_eq!(subscribe.entries[0].options.qos, QoS::ExactlyOnce);
    let ClientPacket::Publish(publish) = decode(Version::V31, b"\x38\x03\0\x01t") else {
        panic!("a PUBLISH");
    };
    assert!(publish.dup);
}

#[test]
fn a_long_remaining_length_is_legal_before_5() {
    for version in [Version::V31, Version::V311] {
        assert_eq!(decode(version, b"\xC0\x80\x80\0"), ClientPacket::PingReq);
    }
    assert_eq!(
        decode_connect(b"\x10\x8D\0\0\x04MQTT\x04\x02\0\x3C\0\x01c").version,
        Version::V311
    );
}

#[test]
fn empty_and_odd_client_identifiers_are_for_the_broker_to_judge() {
    assert_eq!(
        decode_connect(b"\x10\x0C\0\x04MQTT\x04\0\0\x3C\0\0").client_id,
        ""
    );
    assert_eq!(
        decode_connect(b"\x10\x0E\0\x06MQIsdp\x03\0\0\x3C\0\0").client_id,
        ""
    );
    assert_eq!(
        decode_connect("\x10\x10\0\x04MQTT\x04\0\0\x3C\0\x04a\u{FEFF}".as_bytes()).client_id,
        "a\u{FEFF}",
        "U+FEFF is a character like any other [MQTT-1.5.4-3]"
    );
}

#[test]
fn a_5_0_client_may_have_a_password_alone() {
    let connect = decode_connect(b"\x10\x11\0\x04MQTT\x05\x42\0\x3C\0\0\x01c\0\x01p");
    assert_eq!(
        (connect.username, connect.password),
        (None, Some(&b"p"[..]))
    );
    assert!(
        !format!("{connect:?}").contains("112"),
        "a password is never printed"
    );
}

#[test]
fn a_topic_alias_may_stand_for_the_topic_name() {
    let ClientPacket::Publish(publish) = decode(Version::V5, b"\x30\x06\0\0\x03\x23\0\x07") else {
        panic!("a PUBLISH");
    };
    assert_eq!(
        (publish.topic, publish.properties.topic_alias()),
        ("", Some(7))
    );
}

/// The three lengths of an acknowledgement. [MQTT 5.0, 3.4.2.1]
#[test]
fn reason_code_and_properties_may_be_left_out() {
    let id = PacketId::MIN;
    for (bytes, reason) in [
        (&b"\x40\x02\0\x01"[..], ReasonCode::SUCCESS),
        (b"\x40\x03\0\x01\x10", ReasonCode::NO_MATCHING_SUBSCRIBERS),
        (b"\x40\x04\0\x01\x80\0", ReasonCode::UNSPECIFIED_ERROR),
    ] {
        let ack = ClientPacket::PubAck(Ack::with_reason(id, reason));
        assert_eq!(decode(Version::V5, bytes), ack);
    }
    for (bytes, reason) in [
        (&b"\xE0\0"[..], 0),
        (b"\xE0\x01\x04", 4),
        (b"\xE0\x02\x04\0", 4),
    ] {
        let disconnect = ClientPacket::Disconnect(Disconnect {
            reason: ReasonCode(reason),
            properties: Properties::EMPTY,
        });
        assert_eq!(decode(Version::V5, bytes), disconnect);
    }
}

#[test]
fn a_server_may_authenticate_before_its_connack() {
    let mut decoder = FromServer::new(Version::V5, LIMITS);
    for bytes in [
        &b"\xF0\x06\x18\x04\x15\0\x01m"[..],
        b"\xF0\x06\x18\x04\x15\0\x01m",
        b"\x20\x03\0\0\0",
        b"\xD0\0",
    ] {
        assert!(matches!(decoder.decode(bytes), Ok(Decoded::Packet { .. })));
    }
}

fn decode_connect(bytes: &[u8]) -> Connect<'_> {
    match FromClient::new(LIMITS).decode(bytes) {
        Ok(Decoded::Packet {
            packet: ClientPacket::Connect(connect),
            len,
        }) if len == bytes.len() => *connect,
        other => panic!("no CONNECT: {other:?}"),
    }
}

/// The one packet of a client that has connected.
fn decode(version: Version, bytes: &[u8]) -> ClientPacket<'_> {
    let mut decoder = FromClient::new(LIMITS);
    let packet = ClientPacket::Connect(Box::new(connect(version)));
    decoder
        .decode(&encoded_by_client(&packet, version))
        .expect("a CONNECT");
    match decoder.decode(bytes) {
        Ok(Decoded::Packet { packet, len }) if len == bytes.len() => packet,
        other => panic!("no packet: {other:?}"),
    }
}

fn encoded_by_client(packet: &ClientPacket<'_>, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    packet
        .encode(version, &mut out)
        .expect("a packet that can be encoded");
    out
}

fn connect(version: Version) -> Connect<'static> {
    Connect {
        version,
        client_id: "c",
        clean_start: true,
        keep_alive_s: 60,
        username: None,
        password: None,
        will: None,
        properties: Properties::EMPTY,
    }
}
