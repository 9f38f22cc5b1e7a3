//! The codec as its users see it: what `Need` asks for, what errors say, what hot functions write.

use bytes::Bytes;
use sanderling_core::{
    codec::{
        DecodeErrorKind, DecodeLimits, Decoded, FromClient, FromServer, PublishForm, decode_again,
        publish_len, put_publish,
    },
    packet::{
        ClientPacket, ConnAck, Connect, PacketId, PacketType, Properties, PropertiesBuf, Property,
        Publish, QoS, ServerPacket, Version,
    },
    reason::ReasonCode,
};

const LIMITS: DecodeLimits = DecodeLimits {
    first_packet_bytes_max: 1000,
    packet_bytes_max: 2000,
};

fn connect(version: Version) -> Vec<u8> {
    let connect = Connect {
        version,
        client_id: "c",
        clean_start: true,
        keep_alive_s: 60,
        username: None,
        password: None,
        will: None,
        properties: Properties::EMPTY,
    };
    let mut out = Vec::new();
    ClientPacket::Connect(Box::new(connect))
        .encode(version, &mut out)
        .expect("a packet that can be encoded");
    out
}

fn connected(version: Version) -> FromClient {
    let mut decoder = FromClient::new(LIMITS);
    decoder
        .decode(&connect(version))
        .expect("a packet that can be encoded");
    assert_eq!(decoder.version(), Some(version));
    decoder
}

/// [K2]
#[test]
fn need_is_exact() {
    let mut decoder = connected(Version::V311);
    let packet = b"\x30\x81\x01\x00\x01t";
    for (given, need) in [(0, 2), (1, 2), (2, 3), (3, 132), (6, 132)] {
        assert_eq!(decoder.decode(&packet[..given]), Ok(Decoded::Need(need)));
    }
}

#[test]
fn a_wrong_first_byte_is_refused_at_once() {
    let error = FromClient::new(LIMITS).decode(b"G").unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::NotConnect);
    assert_eq!(
        error.to_string(),
        "MQTT PUBACK, packet type: a client's first packet must be CONNECT [MQTT-3.1.0-1]"
    );
}

#[test]
fn a_length_over_the_cap_is_refused_with_the_fixed_header() {
    let error = FromClient::new(LIMITS).decode(b"\x10\xE6\x07").unwrap_err();
    assert_eq!(
        (error.kind(), error.version()),
        (DecodeErrorKind::TooLarge, None)
    );
    assert_eq!(
        FromClient::new(LIMITS).decode(b"\x10\xE5\x07"),
        Ok(Decoded::Need(1000))
    );
    let error = connected(Version::V5)
        .decode(b"\x30\xFF\xFF\xFF\x7F")
        .unwrap_err();
    assert_eq!(error.reason(), ReasonCode::PACKET_TOO_LARGE);
    assert_eq!(error.packet(), Some(PacketType::Publish));
    assert_eq!(error.packet_bytes(), Some(268_435_460));
    assert_eq!(
        error.to_string(),
        "MQTT 5.0 PUBLISH of 268435460 bytes, remaining length: is over the limit of the receiver [MQTT-3.2.2-15]"
    );
}

#[test]
fn a_connect_is_decoded_again_in_its_own_version() {
    let packet = Bytes::from(connect(Version::V311));
    let ClientPacket::Connect(connect) = decode_again(&packet, Version::V5) else {
        panic!("a CONNECT");
    };
    assert_eq!(connect.version, Version::V311);
}

#[test]
fn a_refusal_takes_the_form_of_each_version() {
    for (reason, code) in [
        (ReasonCode::SUCCESS, 0),
        (ReasonCode::UNSUPPORTED_PROTOCOL_VERSION, 1),
        (ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, 2),
        (ReasonCode::SERVER_UNAVAILABLE, 3),
        (ReasonCode::BAD_USER_NAME_OR_PASSWORD, 4),
        (ReasonCode::NOT_AUTHORIZED, 5),
        (ReasonCode::MALFORMED_PACKET, 3),
        (ReasonCode(4), 4),
    ] {
        let connack = ServerPacket::ConnAck(ConnAck {
            session_present: false,
            reason,
            properties: Properties::EMPTY,
        });
        let mut out = Vec::new();
        connack
            .encode(Version::V311, &mut out)
            .expect("a packet that can be encoded");
        assert_eq!(out, [0x20, 2, 0, code], "{reason}");
    }
}

/// One expiry, the identifiers behind the properties, the tail left to the caller.
#[test]
fn a_form_becomes_the_packet_it_describes() {
    let mut properties = PropertiesBuf::new();
    for property in [
        Property::ContentType("text"),
        Property::MessageExpiryInterval(9),
        Property::UserProperty("a", "b"),
    ] {
        properties
            .push(property)
            .expect("a packet that can be encoded");
    }
    let payload = [7; 300];
    let form = PublishForm {
        version: Version::V5,
        topic: "a/b",
        payload: &payload[..100],
        payload_bytes: payload.len(),
        qos: QoS::AtLeastOnce,
        retain: true,
        dup: false,
        packet_id: None,
        properties: properties.as_properties(),
        message_expiry_interval: Some(4),
        subscription_identifiers: &[5, 268_435_455],
        topic_alias: None,
    };
    let mut out = vec![0xFF; 3];
    let at = 3 + put_publish(&mut out, &form);
    out.extend_from_slice(&payload[100..]);
    assert_eq!(out.len(), 3 + publish_len(&form));
    assert_eq!(out[at..at + 2], [0, 0]);
    out[at + 1] = 77;

    let mut decoder = FromServer::new(Version::V5, LIMITS);
    decoder
        .decode(b"\x20\x03\x00\x00\x00")
        .expect("a packet that can be encoded");
    let Ok(Decoded::Packet {
        packet: ServerPacket::Publish(publish),
        len,
    }) = decoder.decode(&out[3..])
    else {
        panic!("a PUBLISH");
    };
    assert_eq!(len, publish_len(&form));
    let Publish { properties, .. } = publish;
    assert_eq!(publish.packet_id, PacketId::new(77));
    assert_eq!((publish.topic, publish.payload), ("a/b", &payload[..]));
    assert_eq!(
        properties.iter().collect::<Vec<_>>(),
        [
            Property::ContentType("text"),
            Property::UserProperty("a", "b"),
            Property::MessageExpiryInterval(4),
            Property::SubscriptionIdentifier(5),
            Property::SubscriptionIdentifier(268_435_455),
        ]
    );
}

#[test]
fn properties_show_themselves_by_the_standards_names_but_for_secrets() {
    let mut properties = PropertiesBuf::new();
    for property in [
        Property::AuthenticationMethod("SCRAM-SHA-256"),
        Property::AuthenticationData(b"canary"),
        Property::CorrelationData(&[7]),
        Property::UserProperty("k", "v"),
        Property::MaximumQoS(1),
        Property::RetainAvailable(true),
        Property::TopicAlias(3),
        Property::MaximumPacketSize(9),
    ] {
        properties.push(property).expect("there is room");
    }
    let expected = r#"[Authentication Method("SCRAM-SHA-256"), Authentication Data(***), Correlation Data([7]), User Property("k", "v"), Maximum QoS(1), Retain Available(true), Topic Alias(3), Maximum Packet Size(9)]"#;
    assert_eq!(format!("{properties:?}"), expected);
    assert_eq!(format!("{:?}", properties.as_properties()), expected);
}
