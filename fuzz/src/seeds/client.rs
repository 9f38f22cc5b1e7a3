//! What clients send: streams of real packets, and some of them broken in one place.

use super::Seed;
use crate::decode::Choice;
use sanderling_core::{
    packet::{
        Ack, Auth, ClientPacket as Packet, Connect, Disconnect, PacketId, Properties,
        PropertiesBuf, Property, Publish, QoS, RetainHandling, Subscribe, SubscribeEntry,
        SubscribeOptions, Unsubscribe, Version, Will,
    },
    reason::ReasonCode,
    topic::{TopicFilter, TopicName},
};

const NONE: Properties<'static> = Properties::EMPTY;

pub(super) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |name, bytes| {
        seeds.push(Seed {
            target: "decode_client",
            name,
            bytes,
        })
    };
    connects(&mut add);
    messages(&mut add);
    subscriptions(&mut add);
    others(&mut add);
    broken(&mut add);
    seeds
}

/// Takes the name of a seed and its bytes.
type Add<'a> = dyn FnMut(&'static str, Vec<u8>) + 'a;

fn connects(add: &mut Add<'_>) {
    add("connect-v31", stream(Version::V31, &[]));
    add("connect-v311", stream(Version::V311, &[]));
    add("connect-v5", stream(Version::V5, &[]));
    let will = Will {
        topic: topic("clients/a/gone"),
        payload: b"bye",
        qos: QoS::ExactlyOnce,
        retain: true,
        properties: NONE,
    };
    let v311 = Connect {
        username: Some("user"),
        password: Some(b"secret"),
        will: Some(will.clone()),
        ..connect(Version::V311)
    };
    add(
        "connect-will-and-user-v311",
        alone(&Packet::Connect(Box::new(v311))),
    );
    let of_will = properties(&[
        Property::WillDelayInterval(30),
        Property::PayloadFormatIndicator(1),
        Property::MessageExpiryInterval(60),
        Property::ContentType("text/plain"),
        Property::ResponseTopic("clients/a/answer"),
        Property::CorrelationData(b"7"),
        Property::UserProperty("why", "gone"),
    ]);
    let of_connect = properties(&[
        Property::SessionExpiryInterval(3600),
        Property::ReceiveMaximum(20),
        Property::MaximumPacketSize(1 << 20),
        Property::TopicAliasMaximum(10),
        Property::RequestResponseInformation(true),
        Property::RequestProblemInformation(false),
        Property::UserProperty("a", "b"),
        Property::AuthenticationMethod("SCRAM-SHA-1"),
        Property::AuthenticationData(&[1, 2, 3]),
    ]);
    let v5 = Connect {
        clean_start: false,
        username: Some("user"),
        password: Some(&[0, 0xFF]),
        will: Some(Will {
            properties: of_will.as_properties(),
            ..will
        }),
        properties: of_connect.as_properties(),
        ..connect(Version::V5)
    };
    add(
        "connect-with-everything-v5",
        alone(&Packet::Connect(Box::new(v5))),
    );
    let anonymous = Connect {
        client_id: "",
        password: Some(b"token"),
        ..connect(Version::V5)
    };
    add(
        "connect-password-without-user-v5",
        alone(&Packet::Connect(Box::new(anonymous))),
    );
    let second = Packet::Connect(Box::new(connect(Version::V31)));
    add(
        "second-connect-of-another-version",
        stream(Version::V5, &[second]),
    );
}

fn messages(add: &mut Add<'_>) {
    let publish = Publish {
        topic: "sensors/kitchen",
        payload: b"21.5",
        qos: QoS::AtMostOnce,
        retain: false,
        dup: false,
        packet_id: None,
        properties: NONE,
    };
    let qos1 = Publish {
        qos: QoS::AtLeastOnce,
        packet_id: Some(id(1)),
        ..publish.clone()
    };
    let qos2 = Publish {
        qos: QoS::ExactlyOnce,
        packet_id: Some(id(65_535)),
        dup: true,
        ..publish.clone()
    };
    let all = [&publish, &qos1, &qos2].map(|publish| Packet::Publish(publish.clone()));
    add("publish-each-qos-v31", stream(Version::V31, &all));
    add("publish-each-qos-v311", stream(Version::V311, &all));
    add("publish-each-qos-v5", stream(Version::V5, &all));
    let clear = Publish {
        payload: b"",
        retain: true,
        ..publish.clone()
    };
    add(
        "publish-clears-retained-v311",
        stream(Version::V311, &[Packet::Publish(clear)]),
    );
    let long = Publish {
        payload: &[b'x'; 200],
        ..publish.clone()
    };
    let longer = Publish {
        payload: &[b'y'; 17_000],
        ..qos1.clone()
    };
    let lengths = [Packet::Publish(long), Packet::Publish(longer)];
    add(
        "publish-remaining-length-of-two-and-three-bytes",
        stream(Version::V311, &lengths),
    );
    let of_publish = properties(&[
        Property::PayloadFormatIndicator(0),
        Property::MessageExpiryInterval(10),
        Property::TopicAlias(3),
        Property::ResponseTopic("answers"),
        Property::CorrelationData(b""),
        Property::UserProperty("k", "v"),
        Property::UserProperty("k", "v"),
        Property::ContentType("json"),
    ]);
    let named = Publish {
        properties: of_publish.as_properties(),
        ..qos1
    };
    let of_alias = properties(&[Property::TopicAlias(3)]);
    let alias = Publish {
        topic: "",
        properties: of_alias.as_properties(),
        ..publish
    };
    let aliases = [Packet::Publish(named), Packet::Publish(alias)];
    add(
        "publish-topic-alias-and-properties-v5",
        stream(Version::V5, &aliases),
    );
}

fn subscriptions(add: &mut Add<'_>) {
    let entry = |filter, options| SubscribeEntry { filter, options };
    let plain = |qos| SubscribeOptions {
        qos,
        ..SubscribeOptions::default()
    };
    let subscribe = |entries: Vec<_>, properties| {
        Packet::Subscribe(Box::new(Subscribe {
            packet_id: id(9),
            entries,
            properties,
        }))
    };
    let simple = vec![
        entry(filter("sensors/+/temperature"), plain(QoS::AtLeastOnce)),
        entry(filter("#"), plain(QoS::ExactlyOnce)),
    ];
    let packets = [subscribe(simple.clone(), NONE)];
    add("subscribe-v31", stream(Version::V31, &packets));
    add("subscribe-v311", stream(Version::V311, &packets));
    let options = SubscribeOptions {
        qos: QoS::AtLeastOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    let of_subscribe = properties(&[
        Property::SubscriptionIdentifier(268_435_455),
        Property::UserProperty("a", ""),
    ]);
    let entries = vec![
        entry(filter("a/b"), options),
        entry(
            filter("$share/group/a/+"),
            SubscribeOptions {
                no_local: false,
                ..options
            },
        ),
    ];
    let packets = [subscribe(entries, of_subscribe.as_properties())];
    add(
        "subscribe-options-and-share-v5",
        stream(Version::V5, &packets),
    );
    let unsubscribe = Packet::Unsubscribe(Box::new(Unsubscribe {
        packet_id: id(10),
        filters: vec![filter("a/b"), filter("$share/group/a/+")],
        properties: NONE,
    }));
    add(
        "unsubscribe-v311",
        stream(Version::V311, std::slice::from_ref(&unsubscribe)),
    );
    add("unsubscribe-v5", stream(Version::V5, &[unsubscribe]));
}

fn others(add: &mut Add<'_>) {
    let acks = |ack: Ack<'static>| {
        [
            Packet::PubAck(ack),
            Packet::PubRec(ack),
            Packet::PubRel(ack),
            Packet::PubComp(ack),
        ]
    };
    add(
        "acks-v311",
        stream(Version::V311, &acks(Ack::success(id(2)))),
    );
    add("acks-v5", stream(Version::V5, &acks(Ack::success(id(2)))));
    let text = properties(&[
        Property::ReasonString("no"),
        Property::UserProperty("a", "b"),
    ]);
    let refused = Ack {
        packet_id: id(3),
        reason: ReasonCode::QUOTA_EXCEEDED,
        properties: text.as_properties(),
    };
    let packets = [Packet::PubAck(refused), Packet::PubRec(refused)];
    add("acks-with-reason-v5", stream(Version::V5, &packets));
    let bye = |reason, properties| Packet::Disconnect(Disconnect { reason, properties });
    let normal = bye(ReasonCode::NORMAL_DISCONNECTION, NONE);
    add(
        "ping-and-disconnect-v311",
        stream(Version::V311, &[Packet::PingReq, normal]),
    );
    let expiry = properties(&[
        Property::SessionExpiryInterval(0),
        Property::ReasonString("home"),
    ]);
    let with_will = bye(ReasonCode::DISCONNECT_WITH_WILL, expiry.as_properties());
    add(
        "ping-and-disconnect-v5",
        stream(Version::V5, &[Packet::PingReq, with_will]),
    );
    let method = properties(&[
        Property::AuthenticationMethod("SCRAM-SHA-1"),
        Property::AuthenticationData(b"proof"),
    ]);
    let auth = Packet::Auth(Auth {
        reason: ReasonCode::CONTINUE_AUTHENTICATION,
        properties: method.as_properties(),
    });
    add("auth-v5", stream(Version::V5, &[auth]));
}

fn broken(add: &mut Add<'_>) {
    let after_connect = |version, bytes: &[u8]| [stream(version, &[]), bytes.to_vec()].concat();
    add("no-connect-first", [choice(false), vec![0xC0, 0]].concat());
    add("packet-type-0", after_connect(Version::V5, &[0x00, 0]));
    add(
        "remaining-length-of-five-bytes",
        after_connect(Version::V311, &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
    );
    add(
        "remaining-length-not-minimal",
        after_connect(Version::V311, &[0xC0, 0x80, 0]),
    );
    add(
        "publish-qos-3",
        after_connect(Version::V311, &[0x36, 5, 0, 1, b'a', 0, 1]),
    );
    add(
        "publish-packet-identifier-0",
        after_connect(Version::V5, &[0x32, 6, 0, 1, b'a', 0, 0, 0]),
    );
    add(
        "publish-not-utf8",
        after_connect(Version::V311, &[0x30, 4, 0, 2, 0xC0, 0x80]),
    );
    add(
        "publish-wildcard-topic",
        after_connect(Version::V311, &[0x30, 5, 0, 3, b'a', b'/', b'#']),
    );
    add(
        "publish-topic-longer-than-packet",
        after_connect(Version::V311, &[0x30, 3, 0, 9, b'a']),
    );
    add(
        "property-twice",
        after_connect(
            Version::V5,
            &[0x30, 10, 0, 1, b'a', 6, 0x23, 0, 1, 0x23, 0, 1],
        ),
    );
    add(
        "property-unknown",
        after_connect(Version::V5, &[0x30, 6, 0, 1, b'a', 2, 0x7F, 0]),
    );
    add(
        "subscribe-without-filter",
        after_connect(Version::V311, &[0x82, 2, 0, 1]),
    );
    let small = Packet::Connect(Box::new(connect(Version::V311)));
    let over = [alone_with(true, &small), vec![0x30, 23], vec![0; 23]].concat();
    add("packet-over-low-limit", over);
}

/// A CONNECT, then the packets.
fn stream(version: Version, packets: &[Packet<'_>]) -> Vec<u8> {
    let mut bytes = alone(&Packet::Connect(Box::new(connect(version))));
    for packet in packets {
        packet
            .encode(version, &mut bytes)
            .expect("a seed is a packet");
    }
    bytes
}

/// A CONNECT alone.
fn alone(connect: &Packet<'_>) -> Vec<u8> {
    alone_with(false, connect)
}

fn alone_with(low_limits: bool, connect: &Packet<'_>) -> Vec<u8> {
    let mut bytes = choice(low_limits);
    connect
        .encode(Version::V5, &mut bytes)
        .expect("a seed is a packet");
    bytes
}

fn choice(low_limits: bool) -> Vec<u8> {
    Choice {
        version: Version::V5,
        low_limits,
        split: 0,
    }
    .to_bytes()
    .to_vec()
}

fn connect(version: Version) -> Connect<'static> {
    Connect {
        version,
        client_id: "a",
        clean_start: true,
        keep_alive_s: 60,
        username: None,
        password: None,
        will: None,
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

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}

fn topic(name: &str) -> TopicName<'_> {
    TopicName::parse(name).expect("a topic name")
}

fn filter(filter: &str) -> TopicFilter<'_> {
    TopicFilter::parse(filter).expect("a topic filter")
}
