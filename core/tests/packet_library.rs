//! The packet library as a client, a server or a test uses it, without the broker: how packets are printed and appended,
//! answers, lengths, numbers, text. The rows K1 to K7 of docs/requirements.md.

use sanderling_core::{
    codec::{DecodeErrorKind, DecodeLimits, Decoded, FromClient, FromServer},
    packet::{
        Ack, ClientPacket, ConnAck, Connect, Disconnect, PacketId, PacketType, Properties, Publish,
        QoS, ReasonCodes, ServerPacket, SubAck, Subscribe, SubscribeEntry, SubscribeOptions,
        UnsubAck, Unsubscribe, Version, Will,
    },
    reason::ReasonCode,
    topic::{self, TopicError, TopicFilter, TopicName},
};

const LIMITS: DecodeLimits = DecodeLimits {
    first_packet_bytes_max: u32::MAX,
    packet_bytes_max: u32::MAX,
};

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

fn connect(version: Version) -> Connect<'static> {
    Connect {
        version,
        client_id: "c",
        clean_start: true,
        keep_alive_s: 60,
        username: Some("ursula"),
        password: Some(b"pass-word"),
        will: Some(Will {
            topic: TopicName::parse("gone").expect("a topic"),
            payload: b"she left",
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: Properties::EMPTY,
        }),
        properties: Properties::EMPTY,
    }
}

fn publish(topic: &'static str, payload: &'static [u8]) -> Publish<'static> {
    Publish {
        topic,
        payload,
        qos: QoS::ExactlyOnce,
        retain: false,
        dup: false,
        packet_id: PacketId::new(7),
        properties: Properties::EMPTY,
    }
}

fn subscribe(filters: &[&'static str]) -> Subscribe<'static> {
    let entries = filters.iter().map(|filter| SubscribeEntry {
        filter: TopicFilter::parse(filter).expect("a filter"),
        options: SubscribeOptions {
            qos: QoS::AtLeastOnce,
            ..SubscribeOptions::default()
        },
    });
    Subscribe {
        packet_id: PacketId::new(65_535).expect("not 0"),
        entries: entries.collect(),
        properties: Properties::EMPTY,
    }
}

fn encoded(packet: &ClientPacket<'_>, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    packet.encode(version, &mut out).expect("a sound packet");
    out
}

/// A decoder that has seen a CONNECT of this version.
fn connected(version: Version) -> FromClient {
    let mut decoder = FromClient::new(LIMITS);
    let bytes = encoded(&ClientPacket::Connect(Box::new(connect(version))), version);
    assert!(matches!(decoder.decode(&bytes), Ok(Decoded::Packet { .. })));
    decoder
}

#[test]
fn k1_every_packet_is_printed_and_no_password_is() {
    let printed = format!(
        "{:?}",
        ClientPacket::Connect(Box::new(connect(Version::V5)))
    );
    assert!(
        printed.contains("ursula") && printed.contains("gone"),
        "{printed}"
    );
    assert!(
        !printed.contains("pass-word") && !printed.contains("112, 97, 115"),
        "{printed}"
    );
    let ack = Ack::success(PacketId::MIN);
    for (packet, name) in [
        (ServerPacket::PubAck(ack), "PubAck"),
        (ServerPacket::PingResp, "PingResp"),
        (ServerPacket::Publish(publish("a/b", b"x")), "a/b"),
    ] {
        let printed = format!("{packet:?}");
        assert!(printed.contains(name), "{printed}");
    }
}

#[test]
fn k2_encoding_appends_and_decoding_takes_one_packet_off() {
    let mut stream = b"before".to_vec();
    let packets = [
        ClientPacket::Connect(Box::new(connect(Version::V311))),
        ClientPacket::Publish(publish("a", b"x")),
        ClientPacket::PingReq,
    ];
    for packet in &packets {
        let (before, len) = (stream.len(), packet.encoded_len(Version::V311));
        packet
            .encode(Version::V311, &mut stream)
            .expect("a sound packet");
        assert_eq!(Ok(stream.len() - before), len);
    }
    let mut rest = stream.strip_prefix(b"before").expect("it is left alone");
    let mut decoder = FromClient::new(LIMITS);
    for expected in &packets {
        let Ok(Decoded::Packet { packet, len }) = decoder.decode(rest) else {
            panic!("a packet");
        };
        assert_eq!(packet, *expected);
        rest = &rest[len..];
    }
    assert_eq!(decoder.decode(rest), Ok(Decoded::Need(2)));
}

/// CONNACK to CONNECT, PUBACK and PUBREC to PUBLISH, PUBREL to PUBREC, PUBCOMP to PUBREL, SUBACK to SUBSCRIBE, UNSUBACK to
/// UNSUBSCRIBE, PINGRESP to PINGREQ: each takes from the question no more than its identifier and its version.
#[test]
fn k3_answers_are_built_from_what_they_answer() {
    for version in VERSIONS {
        let connack = ConnAck {
            session_present: false,
            reason: ReasonCode::SUCCESS,
            properties: Properties::EMPTY,
        };
        let asked = publish("a", b"x");
        let packet_id = asked.packet_id.expect("above QoS 0");
        let subscribe = subscribe(&["a", "b/#"]);
        let granted: Vec<u8> = subscribe
            .entries
            .iter()
            .map(|entry| entry.options.qos as u8)
            .collect();
        let unsubscribe = Unsubscribe {
            packet_id: subscribe.packet_id,
            filters: subscribe.entries.iter().map(|entry| entry.filter).collect(),
            properties: Properties::EMPTY,
        };
        let left = vec![0; unsubscribe.filters.len()];
        let answers = [
            ServerPacket::ConnAck(connack),
            ServerPacket::PubAck(Ack::success(packet_id)),
            ServerPacket::PubRec(Ack::with_reason(packet_id, ReasonCode::SUCCESS)),
            ServerPacket::PubRel(Ack::success(packet_id)),
            ServerPacket::PubComp(Ack::success(packet_id)),
            ServerPacket::SubAck(SubAck {
                packet_id: subscribe.packet_id,
                codes: ReasonCodes(&granted),
                properties: Properties::EMPTY,
            }),
            ServerPacket::UnsubAck(UnsubAck {
                packet_id: unsubscribe.packet_id,
                codes: if version == Version::V5 {
                    ReasonCodes(&left)
                } else {
                    ReasonCodes(&[])
                },
                properties: Properties::EMPTY,
            }),
            ServerPacket::PingResp,
        ];
        let mut decoder = FromServer::new(version, LIMITS);
        for answer in &answers {
            let mut bytes = Vec::new();
            answer.encode(version, &mut bytes).expect("a sound packet");
            let Ok(Decoded::Packet { packet, len }) = decoder.decode(&bytes) else {
                panic!("{version:?}: {answer:?} is no packet");
            };
            assert_eq!((&packet, len), (answer, bytes.len()));
        }
    }
}

#[test]
fn k4_lengths_need_another_byte_where_the_standard_says() {
    // The topic and its length take 3 bytes of the remaining length.
    for (remaining, digits) in [
        (3, &[3][..]),
        (127, &[0x7F]),
        (128, &[0x80, 0x01]),
        (16_383, &[0xFF, 0x7F]),
        (16_384, &[0x80, 0x80, 0x01]),
        (2_097_151, &[0xFF, 0xFF, 0x7F]),
        (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
    ] {
        let payload = vec![0; remaining - 3];
        let packet = ClientPacket::Publish(Publish {
            payload: &payload,
            qos: QoS::AtMostOnce,
            packet_id: None,
            ..publish("t", b"")
        });
        let bytes = encoded(&packet, Version::V311);
        assert_eq!(&bytes[1..=digits.len()], digits, "{remaining}");
        assert_eq!(bytes.len(), 1 + digits.len() + remaining);
        assert_eq!(packet.encoded_len(Version::V311), Ok(bytes.len()));
        let mut decoder = connected(Version::V311);
        let head = &bytes[..=digits.len()];
        assert_eq!(decoder.decode(head), Ok(Decoded::Need(bytes.len())));
        let len = bytes.len();
        assert_eq!(decoder.decode(&bytes), Ok(Decoded::Packet { packet, len }));
    }
    // The longest that there is, and one digit more.
    let mut decoder = connected(Version::V311);
    let longest = b"\x30\xFF\xFF\xFF\x7F";
    assert_eq!(decoder.decode(longest), Ok(Decoded::Need(268_435_460)));
    let error = decoder.decode(b"\x30\x80\x80\x80\x80\x01").unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::VariableByteInteger);
}

#[test]
fn k4_topics_are_checked_and_compared() {
    assert!(TopicName::parse("a/b").is_ok() && TopicName::parse("a/+").is_err());
    assert!(TopicFilter::parse("a/+").is_ok() && TopicFilter::parse("a+").is_err());
    assert!(topic::matches("a/#", "a") && !topic::matches("a/#", "b"));
    assert_eq!(topic::depth("a/b/c"), 3);
}

#[test]
fn k5_numbers_of_the_standard_have_names() {
    let types: Vec<_> = PacketType::ALL.iter().map(|packet| *packet as u8).collect();
    assert!(types.iter().copied().eq(1..=15), "{types:?}");
    let names = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    assert_eq!(names.map(|qos| qos as u8), [0, 1, 2]);
    assert_eq!([0, 1, 2].map(QoS::from_bits), names.map(Some));
    assert_eq!(QoS::from_bits(3), None);
    assert_eq!(PacketId::MIN.get(), 1);
    assert_eq!(
        (PacketId::new(0), PacketId::new(u16::MAX).map(PacketId::get)),
        (None, Some(65_535))
    );
    assert_eq!(
        ReasonCode::UNSPECIFIED_ERROR.0,
        0x80,
        "the failure of a SUBACK"
    );
    let codes = [
        (ReasonCode::SUCCESS, 0),
        (ReasonCode::UNSUPPORTED_PROTOCOL_VERSION, 1),
        (ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, 2),
        (ReasonCode::SERVER_UNAVAILABLE, 3),
        (ReasonCode::BAD_USER_NAME_OR_PASSWORD, 4),
        (ReasonCode::NOT_AUTHORIZED, 5),
    ];
    for (name, code) in codes {
        assert_eq!(name.to_connect_return_code(), code);
        assert_eq!(ReasonCode::from_connect_return_code(code), name);
        assert!(name.text().is_some());
    }
}

/// What users match on instead of on texts; every rule by its number stands in codec_malformed.txt.
#[test]
fn k6_what_is_wrong_is_told_apart_by_kind() {
    let first = |bytes: &[u8]| FromClient::new(LIMITS).decode(bytes).unwrap_err().kind();
    let later = |bytes: &[u8]| connected(Version::V311).decode(bytes).unwrap_err().kind();
    let answer = |bytes: &[u8]| {
        let mut decoder = FromServer::new(Version::V311, LIMITS);
        decoder.decode(bytes).unwrap_err().kind()
    };
    use DecodeErrorKind as Kind;
    for (found, kind) in [
        (later(b"\x00\x00"), Kind::PacketType),
        (later(b"\xC1\x00"), Kind::Flags),
        (
            first(b"\x10\x0D\x00\x04MQTT\x04\x01\x00\x00\x00\x01c"),
            Kind::ConnectFlags,
        ),
        (answer(b"\x20\x02\x02\x00"), Kind::AcknowledgeFlags),
        (answer(b"\x20\x02\x01\x05"), Kind::SessionPresent),
        (
            later(b"\xC0\x80\x80\x80\x80\x01"),
            Kind::VariableByteInteger,
        ),
        (
            first(b"\x10\x0D\x00\x04mqtt\x04\x02\x00\x00\x00\x01c"),
            Kind::ProtocolName,
        ),
        (later(b"\x30\x03\x00\x01\xFF"), Kind::IllFormedUtf8),
        (
            later(b"\x30\x03\x00\x01+"),
            Kind::TopicName(TopicError::WildcardInName),
        ),
        (
            later(b"\x82\x07\x00\x01\x00\x02a+\x00"),
            Kind::TopicFilter(TopicError::MisplacedPlus),
        ),
        (later(b"\x36\x05\x00\x01t\x00\x01"), Kind::QoS),
        (
            first(b"\x10\x0D\x00\x04MQTT\x04\x0A\x00\x00\x00\x01c"),
            Kind::WillQoS,
        ),
        (
            first(b"\x10\x0D\x00\x04MQTT\x04\x22\x00\x00\x00\x01c"),
            Kind::WillRetain,
        ),
    ] {
        assert_eq!(found, kind);
    }
}

#[test]
fn k7_null_and_surrogates_are_refused_and_control_characters_are_not() {
    let decoded = |version, topic: &[u8]| {
        let mut bytes = vec![
            0x30,
            topic.len() as u8 + 2 + u8::from(version == Version::V5),
            0,
        ];
        bytes.push(topic.len() as u8);
        bytes.extend_from_slice(topic);
        bytes.extend((version == Version::V5).then_some(0));
        let decoded = connected(version).decode(&bytes).map(|decoded| {
            assert!(matches!(decoded, Decoded::Packet { .. }), "{topic:x?}");
        });
        decoded.map_err(|error| error.kind())
    };
    for version in [Version::V311, Version::V5] {
        let controls = (1..0x20).chain(0x7F..0xA0);
        let odd = [0xD7FF, 0xE000, 0xFDD0, 0xFEFF, 0xFFFD, 0xFFFF, 0x10_FFFF];
        for character in controls.chain(odd).filter_map(char::from_u32) {
            let text = character.to_string();
            assert_eq!(decoded(version, text.as_bytes()), Ok(()), "{text:?}");
        }
        for (ill, kind) in [
            (&b"\0"[..], DecodeErrorKind::Null),
            (b"a\0b", DecodeErrorKind::Null),
            (b"\xED\xA0\x80", DecodeErrorKind::IllFormedUtf8),
            (b"\xED\xBF\xBF", DecodeErrorKind::IllFormedUtf8),
            (b"\xC0\x80", DecodeErrorKind::IllFormedUtf8),
            (b"\xFF", DecodeErrorKind::IllFormedUtf8),
        ] {
            assert_eq!(decoded(version, ill), Err(kind), "{ill:x?}");
        }
    }
}

/// What 5.0 says at the end, and what no version has a form for.
#[test]
fn k1_a_disconnect_of_the_server_exists_in_5_0_alone() {
    let packet = ServerPacket::Disconnect(Disconnect {
        reason: ReasonCode::SERVER_SHUTTING_DOWN,
        properties: Properties::EMPTY,
    });
    let mut bytes = Vec::new();
    packet
        .encode(Version::V5, &mut bytes)
        .expect("a sound packet");
    assert_eq!(bytes, [0xE0, 1, 0x8B]);
    assert!(packet.encode(Version::V311, &mut bytes).is_err());
    assert_eq!(bytes.len(), 3, "and nothing was appended");
}
