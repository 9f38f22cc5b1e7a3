//! What servers send: streams of real packets that follow a CONNACK.

use super::Seed;
use crate::decode::Choice;
use sanderling_core::{
    packet::{
        Ack, Auth, ConnAck, Disconnect, PacketId, Properties, PropertiesBuf, Property, Publish,
        QoS, ReasonCodes, ServerPacket as Packet, SubAck, UnsubAck, Version,
    },
    reason::ReasonCode,
};

const NONE: Properties<'static> = Properties::EMPTY;

pub(super) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |name, bytes| {
        seeds.push(Seed {
            target: "decode_server",
            name,
            bytes,
        })
    };
    beginnings(&mut add);
    messages(&mut add);
    answers(&mut add);
    ends(&mut add);
    seeds
}

/// Takes the name of a seed and its bytes.
type Add<'a> = dyn FnMut(&'static str, Vec<u8>) + 'a;

fn beginnings(add: &mut Add<'_>) {
    let refused = ConnAck {
        reason: ReasonCode::NOT_AUTHORIZED,
        ..connack()
    };
    let present = ConnAck {
        session_present: true,
        ..connack()
    };
    add(
        "connack-v31",
        encoded(Version::V31, &[Packet::ConnAck(connack())]),
    );
    add(
        "connack-session-present-v311",
        encoded(Version::V311, &[Packet::ConnAck(present)]),
    );
    add(
        "connack-refused-v311",
        encoded(Version::V311, &[Packet::ConnAck(refused.clone())]),
    );
    add(
        "connack-refused-v5",
        encoded(Version::V5, &[Packet::ConnAck(refused)]),
    );
    let of_connack = properties(&[
        Property::SessionExpiryInterval(60),
        Property::ReceiveMaximum(10),
        Property::MaximumQoS(1),
        Property::RetainAvailable(false),
        Property::MaximumPacketSize(4096),
        Property::AssignedClientIdentifier("assigned"),
        Property::TopicAliasMaximum(5),
        Property::ReasonString("welcome"),
        Property::UserProperty("a", "b"),
        Property::WildcardSubscriptionAvailable(true),
        Property::SubscriptionIdentifierAvailable(true),
        Property::SharedSubscriptionAvailable(false),
        Property::ServerKeepAlive(30),
        Property::ResponseInformation("answers/"),
        Property::ServerReference("elsewhere"),
    ]);
    let full = ConnAck {
        properties: of_connack.as_properties(),
        ..connack()
    };
    add(
        "connack-with-everything-v5",
        encoded(Version::V5, &[Packet::ConnAck(full)]),
    );
    let method = properties(&[
        Property::AuthenticationMethod("SCRAM-SHA-1"),
        Property::AuthenticationData(b"challenge"),
    ]);
    let auth = Packet::Auth(Auth {
        reason: ReasonCode::CONTINUE_AUTHENTICATION,
        properties: method.as_properties(),
    });
    add(
        "auth-then-connack-v5",
        encoded(Version::V5, &[auth, Packet::ConnAck(connack())]),
    );
}

fn messages(add: &mut Add<'_>) {
    let publish = Publish {
        topic: "a/b",
        payload: b"hello",
        qos: QoS::AtMostOnce,
        retain: true,
        dup: false,
        packet_id: None,
        properties: NONE,
    };
    let id = PacketId::new(0x0102);
    let qos1 = Publish {
        qos: QoS::AtLeastOnce,
        packet_id: id,
        ..publish.clone()
    };
    let qos2 = Publish {
        qos: QoS::ExactlyOnce,
        packet_id: id,
        dup: true,
        ..publish.clone()
    };
    let all = [&publish, &qos1, &qos2].map(|publish| Packet::Publish(publish.clone()));
    add("publish-each-qos-v311", stream(Version::V311, &all));
    let of_publish = properties(&[
        Property::SubscriptionIdentifier(1),
        Property::SubscriptionIdentifier(16_384),
        Property::MessageExpiryInterval(5),
        Property::TopicAlias(1),
        Property::UserProperty("k", "v"),
    ]);
    let identified = Publish {
        properties: of_publish.as_properties(),
        ..qos1
    };
    let packets = [Packet::Publish(identified)];
    add(
        "publish-subscription-identifiers-v5",
        stream(Version::V5, &packets),
    );
}

fn answers(add: &mut Add<'_>) {
    let suback = |codes| {
        Packet::SubAck(SubAck {
            packet_id: PacketId::MIN,
            codes,
            properties: NONE,
        })
    };
    add(
        "suback-v311",
        stream(Version::V311, &[suback(ReasonCodes(&[0, 1, 2, 0x80]))]),
    );
    add(
        "suback-v5",
        stream(Version::V5, &[suback(ReasonCodes(&[0, 1, 2, 0x87, 0x8F]))]),
    );
    let unsuback = |codes| {
        Packet::UnsubAck(UnsubAck {
            packet_id: PacketId::MIN,
            codes,
            properties: NONE,
        })
    };
    add(
        "unsuback-v311",
        stream(Version::V311, &[unsuback(ReasonCodes(&[]))]),
    );
    add(
        "unsuback-v5",
        stream(Version::V5, &[unsuback(ReasonCodes(&[0, 0x11]))]),
    );
    let ack = Ack::success(PacketId::MIN);
    let acks = [
        Packet::PubAck(ack),
        Packet::PubRec(ack),
        Packet::PubRel(ack),
        Packet::PubComp(ack),
    ];
    add("acks-v311", stream(Version::V311, &acks));
    let unknown = Ack::with_reason(PacketId::MIN, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND);
    add(
        "acks-with-reason-v5",
        stream(
            Version::V5,
            &[Packet::PubRel(unknown), Packet::PubComp(unknown)],
        ),
    );
}

fn ends(add: &mut Add<'_>) {
    add("pingresp-v31", stream(Version::V31, &[Packet::PingResp]));
    let why = properties(&[Property::ReasonString("two of you")]);
    let taken_over = Packet::Disconnect(Disconnect {
        reason: ReasonCode::SESSION_TAKEN_OVER,
        properties: why.as_properties(),
    });
    add("disconnect-v5", stream(Version::V5, &[taken_over]));
    let bare = [
        encoded(Version::V5, &[Packet::ConnAck(connack())]),
        vec![0xE0, 0],
    ]
    .concat();
    add("disconnect-without-reason-v5", bare);
    let before_5 = [
        encoded(Version::V311, &[Packet::ConnAck(connack())]),
        vec![0xE0, 0],
    ]
    .concat();
    add("disconnect-v311", before_5);
    add(
        "publish-before-connack",
        [choice(Version::V311), vec![0x30, 3, 0, 1, b'a']].concat(),
    );
}

/// A CONNACK, then the packets.
fn stream(version: Version, packets: &[Packet<'_>]) -> Vec<u8> {
    let mut bytes = encoded(version, &[Packet::ConnAck(connack())]);
    bytes.extend_from_slice(&encoded(version, packets)[2..]);
    bytes
}

fn encoded(version: Version, packets: &[Packet<'_>]) -> Vec<u8> {
    let mut bytes = choice(version);
    for packet in packets {
        packet
            .encode(version, &mut bytes)
            .expect("a seed is a packet");
    }
    bytes
}

fn choice(version: Version) -> Vec<u8> {
    Choice {
        version,
        low_limits: false,
        split: 0,
    }
    .to_bytes()
    .to_vec()
}

fn connack() -> ConnAck<'static> {
    ConnAck {
        session_present: false,
        reason: ReasonCode::SUCCESS,
        properties: NONE,
    }
}

fn properties(list: &[Property<'_>]) -> PropertiesBuf {
    let mut section = PropertiesBuf::new();
    for &property in list {
        section.push(property).expect("a seed is a packet");
    }
    section
}
