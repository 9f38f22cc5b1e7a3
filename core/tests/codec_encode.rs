//! What old versions are not told, and what cannot be encoded at all.

use sanderling_core::{
    codec::DecodeErrorKind,
    packet::{
        Ack, Auth, ClientPacket, ConnAck, Connect, PacketId, Properties, PropertiesBuf, Property,
        PropertyError, Publish, QoS, ReasonCodes, RetainHandling, ServerPacket, SubAck, Subscribe,
        SubscribeEntry, SubscribeOptions, UnsubAck, Version, Will,
    },
    reason::ReasonCode,
    topic::{TopicError, TopicFilter, TopicName},
};

/// Properties, reason codes and options that a version before 5.0 does not know are left out.
#[test]
fn old_clients_are_not_told_what_they_do_not_know() {
    let mut properties = PropertiesBuf::new();
    properties
        .push(Property::ReasonString("why"))
        .expect("a reason");
    let properties = properties.as_properties();
    let packet_id = PacketId::MIN;
    let codes = ReasonCodes(&[0x02, 0x87]);
    let refused = Ack {
        packet_id,
        reason: ReasonCode::NOT_AUTHORIZED,
        properties,
    };
    for (packet, bytes) in [
        (ServerPacket::PubAck(refused), &b"\x40\x02\0\x01"[..]),
        (
            ServerPacket::SubAck(SubAck {
                packet_id,
                codes,
                properties,
            }),
            b"\x90\x04\0\x01\x02\x80",
        ),
        (
            ServerPacket::UnsubAck(UnsubAck {
                packet_id,
                codes: ReasonCodes(&[0x11]),
                properties,
            }),
            b"\xB0\x02\0\x01",
        ),
        (
            ServerPacket::ConnAck(ConnAck {
                session_present: false,
                reason: ReasonCode::BANNED,
                properties,
            }),
            b"\x20\x02\0\x05",
        ),
    ] {
        assert_eq!(encoded_by_server(&packet, Version::V311), bytes);
    }
    let subscribe = ClientPacket::Subscribe(Box::new(Subscribe {
        packet_id,
        entries: vec![SubscribeEntry {
            filter: TopicFilter::parse("t").expect("a filter"),
            options: SubscribeOptions {
                qos: QoS::AtLeastOnce,
                no_local: true,
                retain_as_published: true,
                retain_handling: RetainHandling::DoNotSend,
            },
        }],
        properties: Properties::EMPTY,
    }));
    assert_eq!(
        encoded_by_client(&subscribe, Version::V311),
        b"\x82\x06\0\x01\0\x01t\x01"
    );
    assert_eq!(
        encoded_by_client(&subscribe, Version::V5),
        b"\x82\x07\0\x01\0\0\x01t\x2D"
    );
}

#[test]
fn session_present_is_unknown_to_3_1() {
    let connack = ServerPacket::ConnAck(ConnAck {
        session_present: true,
        reason: ReasonCode::SUCCESS,
        properties: Properties::EMPTY,
    });
    assert_eq!(encoded_by_server(&connack, Version::V31), [0x20, 2, 0, 0]);
    assert_eq!(encoded_by_server(&connack, Version::V311), [0x20, 2, 1, 0]);
}

#[test]
fn what_a_decoder_would_refuse_is_not_encoded() {
    use DecodeErrorKind as Kind;
    let long = "x".repeat(65_536);
    let publish = Publish {
        topic: "t",
        payload: b"",
        qos: QoS::AtMostOnce,
        retain: false,
        dup: false,
        packet_id: None,
        properties: Properties::EMPTY,
    };
    let mut alias = PropertiesBuf::new();
    alias.push(Property::TopicAlias(1)).expect("an alias");
    let with = |change: &dyn Fn(&mut Publish<'static>)| {
        let mut publish = publish.clone();
        change(&mut publish);
        ClientPacket::Publish(publish)
    };
    let connect_with = |change: &dyn Fn(&mut Connect<'static>), version| {
        let mut connect = connect(version);
        change(&mut connect);
        ClientPacket::Connect(Box::new(connect))
    };
    let long: &'static str = long.leak();
    let shared = SubscribeEntry {
        filter: TopicFilter::parse("$share/g/t").expect("a filter"),
        options: SubscribeOptions {
            no_local: true,
            ..SubscribeOptions::default()
        },
    };
    let subscribe = |entries| {
        ClientPacket::Subscribe(Box::new(Subscribe {
            packet_id: PacketId::MIN,
            entries,
            properties: Properties::EMPTY,
        }))
    };
    let will = Will {
        topic: TopicName::parse("w").expect("a topic name"),
        payload: long.as_bytes(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: Properties::EMPTY,
    };
    let auth = ClientPacket::Auth(Auth {
        reason: ReasonCode::CONTINUE_AUTHENTICATION,
        properties: Properties::EMPTY,
    });
    let wildcard = Kind::TopicName(TopicError::WildcardInName);
    let too_long = Kind::TopicName(TopicError::TooLong);
    for (packet, version, kind) in [
        (with(&|p| p.topic = "a/+"), Version::V311, wildcard),
        (with(&|p| p.topic = long), Version::V311, too_long),
        (with(&|p| p.topic = ""), Version::V5, Kind::NoTopic),
        (with(&|p| p.topic = "a\0"), Version::V5, Kind::Null),
        (with(&|p| p.dup = true), Version::V5, Kind::Dup),
        (
            with(&|p| p.packet_id = PacketId::new(1)),
            Version::V5,
            Kind::PacketId,
        ),
        (
            with(&|p| p.qos = QoS::AtLeastOnce),
            Version::V5,
            Kind::PacketId,
        ),
        (
            connect_with(&|c| c.client_id = long, Version::V5),
            Version::V5,
            Kind::TooLong,
        ),
        (
            connect_with(&|c| c.username = Some("\0"), Version::V5),
            Version::V5,
            Kind::Null,
        ),
        (
            connect_with(&|c| c.password = Some(b"p"), Version::V311),
            Version::V311,
            Kind::PasswordWithoutUserName,
        ),
        (
            connect_with(&|c| c.will = Some(will.clone()), Version::V5),
            Version::V5,
            Kind::TooLong,
        ),
        (subscribe(vec![]), Version::V5, Kind::NoEntry),
        (subscribe(vec![shared]), Version::V5, Kind::NoLocalOnShared),
        (auth.clone(), Version::V5, Kind::NoAuthenticationMethod),
        (auth, Version::V311, Kind::PacketType),
        (
            ClientPacket::PubRel(Ack::with_reason(PacketId::MIN, ReasonCode::NOT_AUTHORIZED)),
            Version::V5,
            Kind::ReasonCode,
        ),
        (
            ClientPacket::PubAck(Ack {
                properties: alias.as_properties(),
                ..Ack::success(PacketId::MIN)
            }),
            Version::V5,
            Kind::PropertyNotAllowed,
        ),
    ] {
        let mut out = vec![7];
        let error = packet
            .encode(version, &mut out)
            .expect_err("a packet that breaks a rule");
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(packet.encoded_len(version), Err(error));
        assert_eq!(out, [7], "nothing is written: {error}");
    }
}

#[test]
fn a_section_takes_only_what_can_stand_in_one() {
    let long = "x".repeat(65_536);
    let mut section = PropertiesBuf::new();
    for (property, result) in [
        (Property::ReceiveMaximum(1), Ok(())),
        (Property::ReceiveMaximum(2), Err(PropertyError::Repeated)),
        (Property::UserProperty("a", "b"), Ok(())),
        (Property::UserProperty("a", "b"), Ok(())),
        (
            Property::UserProperty("a", &long),
            Err(PropertyError::TooLong),
        ),
        (
            Property::CorrelationData(long.as_bytes()),
            Err(PropertyError::TooLong),
        ),
        (Property::ReasonString("a\0"), Err(PropertyError::Null)),
        (
            Property::MaximumPacketSize(0),
            Err(PropertyError::OutOfRange),
        ),
        (Property::TopicAlias(0), Err(PropertyError::OutOfRange)),
        (Property::MaximumQoS(2), Err(PropertyError::OutOfRange)),
        (
            Property::PayloadFormatIndicator(2),
            Err(PropertyError::OutOfRange),
        ),
        (
            Property::SubscriptionIdentifier(0),
            Err(PropertyError::OutOfRange),
        ),
        (
            Property::SubscriptionIdentifier(268_435_456),
            Err(PropertyError::OutOfRange),
        ),
        (Property::SubscriptionIdentifier(268_435_455), Ok(())),
        (Property::SubscriptionIdentifier(1), Ok(())),
        (
            Property::ResponseTopic("a/#"),
            Err(PropertyError::ResponseTopic(TopicError::WildcardInName)),
        ),
    ] {
        assert_eq!(section.push(property), result, "{property:?}");
    }
    let expected = [
        Property::ReceiveMaximum(1),
        Property::UserProperty("a", "b"),
        Property::UserProperty("a", "b"),
        Property::SubscriptionIdentifier(268_435_455),
        Property::SubscriptionIdentifier(1),
    ];
    let properties = section.as_properties();
    assert_eq!(properties.iter().collect::<Vec<_>>(), expected);
    assert_eq!(format!("{properties:?}"), format!("{expected:?}"));
    assert_eq!(
        properties.user_properties().collect::<Vec<_>>(),
        [("a", "b"); 2]
    );
    let identifiers: Vec<_> = properties.subscription_identifiers().collect();
    assert_eq!(identifiers, [268_435_455, 1]);
    section.clear();
    assert!(section.is_empty());
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

fn encoded_by_client(packet: &ClientPacket<'_>, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    packet
        .encode(version, &mut out)
        .expect("a packet that can be encoded");
    out
}

fn encoded_by_server(packet: &ServerPacket<'_>, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    packet
        .encode(version, &mut out)
        .expect("a packet that can be encoded");
    out
}
