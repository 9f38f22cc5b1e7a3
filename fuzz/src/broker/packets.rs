//! What clients send. Every choice is small, so that a few bytes reach far: four client identifiers, a handful of topics
//! and filters that match each other, packet identifiers up to 3.

use super::input::Input;
use sanderling_core::{
    packet::{
        Ack, Auth, ClientPacket as Packet, Connect, Disconnect, PacketId, Properties,
        PropertiesBuf, Property, Publish, QoS, RetainHandling, Subscribe, SubscribeEntry,
        SubscribeOptions, Unsubscribe, Version, Will,
    },
    reason::ReasonCode,
    topic::{TopicFilter, TopicName},
};

const CLIENT_IDS: &[&str] = &["a", "b", "c", ""];
const FILTERS: &[&str] = &[
    "a",
    "a/b",
    "a/+",
    "a/#",
    "#",
    "+",
    "+/b",
    "/#",
    "$x/#",
    "$SYS/#",
    "$share/g/a",
    "+/+/c",
];
pub(super) const TOPICS: &[&str] = &["a", "a/b", "a/b/c", "b", "$x/a", "/", "$SYS/a"];
pub(super) const PAYLOADS: &[&[u8]] = &[b"", b"x", b"hello", &[b'y'; 300], &[b'z'; 5000]];
const SECONDS: &[u32] = &[0, 1, 10, u32::MAX];
const REASONS: &[ReasonCode] = &[
    ReasonCode::SUCCESS,
    ReasonCode::NO_MATCHING_SUBSCRIBERS,
    ReasonCode::QUOTA_EXCEEDED,
];

/// The kind of packet that [`any`] makes a CONNECT of.
pub(super) const CONNECT: u8 = 0;

/// A packet as bytes; none if the version has no such packet.
pub(super) fn any(kind: u8, version: Version, input: &mut Input<'_>) -> Option<Vec<u8>> {
    let mut section = PropertiesBuf::new();
    let mut of_will = PropertiesBuf::new();
    let packet = match kind {
        CONNECT => Packet::Connect(Box::new(connect(input, &mut section, &mut of_will))),
        1..5 => Packet::Publish(publish(version, input, &mut section)),
        5 => Packet::Subscribe(Box::new(subscribe(input, &mut section))),
        6 => Packet::Unsubscribe(Box::new(Unsubscribe {
            packet_id: packet_id(input),
            filters: vec![filter(input), filter(input)],
            properties: Properties::EMPTY,
        })),
        7 if input.byte() < 32 => answer(version, input),
        _ => other(input, &mut section),
    };
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes).ok()?;
    Some(bytes)
}

/// The bytes of one packet that its version has.
pub(super) fn encoded(packet: &Packet<'_>, version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoded = packet.encode(version, &mut bytes);
    encoded.expect("an acknowledgement can be encoded");
    bytes
}

fn connect<'a>(
    input: &mut Input<'_>,
    section: &'a mut PropertiesBuf,
    of_will: &'a mut PropertiesBuf,
) -> Connect<'a> {
    let version = input.one(&[Version::V31, Version::V311, Version::V5]);
    let (bits, seconds) = (input.byte(), input.one(SECONDS));
    let number = u16::from(bits >> 6);
    push(section, bits & 1, Property::SessionExpiryInterval(seconds));
    push(section, bits & 2, Property::ReceiveMaximum(1 + number));
    push(section, bits & 4, Property::TopicAliasMaximum(number));
    push(section, bits & 8, Property::MaximumPacketSize(100));
    push(
        section,
        bits & 16,
        Property::RequestProblemInformation(false),
    );
    push(of_will, bits & 32, Property::WillDelayInterval(seconds));
    Connect {
        version,
        client_id: input.one(CLIENT_IDS),
        clean_start: input.bool(),
        keep_alive_s: input.one(&[0, 1, 60]),
        username: None,
        password: None,
        will: input.bool().then(|| Will {
            topic: TopicName::parse(input.one(TOPICS)).expect("a topic name"),
            payload: input.one(PAYLOADS),
            qos: qos(input),
            retain: input.bool(),
            properties: of_will.as_properties(),
        }),
        properties: section.as_properties(),
    }
}

fn publish<'a>(
    version: Version,
    input: &mut Input<'_>,
    section: &'a mut PropertiesBuf,
) -> Publish<'a> {
    let (bits, qos) = (input.byte(), qos(input));
    let alias = bits & 1 != 0 && input.byte() < 32 && version == Version::V5;
    if alias {
        push(section, 1, Property::TopicAlias(1 + u16::from(bits >> 6)));
    }
    push(
        section,
        bits & 2,
        Property::MessageExpiryInterval(u32::from(bits >> 6)),
    );
    push(section, bits & 4, Property::UserProperty("k", "v"));
    Publish {
        topic: if alias && bits & 8 != 0 {
            ""
        } else {
            input.one(TOPICS)
        },
        payload: input.one(PAYLOADS),
        qos,
        retain: bits & 16 != 0,
        dup: bits & 32 != 0 && qos != QoS::AtMostOnce,
        packet_id: (qos != QoS::AtMostOnce).then(|| packet_id(input)),
        properties: section.as_properties(),
    }
}

fn subscribe<'a>(input: &mut Input<'_>, section: &'a mut PropertiesBuf) -> Subscribe<'a> {
    let bits = input.byte();
    push(
        section,
        bits & 1,
        Property::SubscriptionIdentifier(1 + u32::from(bits >> 6)),
    );
    let mut entries = Vec::new();
    for _ in 0..1 + (bits >> 1) % 3 {
        let (filter, bits) = (filter(input), input.byte());
        let options = SubscribeOptions {
            qos: qos(input),
            no_local: bits & 1 != 0 && filter.shared().is_none(),
            retain_as_published: bits & 2 != 0,
            retain_handling: match bits >> 2 & 3 {
                1 => RetainHandling::SendIfNew,
                2 => RetainHandling::DoNotSend,
                _ => RetainHandling::Send,
            },
        };
        entries.push(SubscribeEntry { filter, options });
    }
    Subscribe {
        packet_id: packet_id(input),
        entries,
        properties: section.as_properties(),
    }
}

/// An acknowledgement of whatever, owed or not.
fn answer(version: Version, input: &mut Input<'_>) -> Packet<'static> {
    let kind = input.byte();
    let mut ack = Ack::success(packet_id(input));
    if version == Version::V5 {
        ack.reason = input.one(REASONS);
    }
    match kind % 4 {
        0 => Packet::PubAck(ack),
        1 => Packet::PubRec(ack),
        2 => Packet::PubRel(ack),
        _ => Packet::PubComp(ack),
    }
}

fn other<'a>(input: &mut Input<'_>, section: &'a mut PropertiesBuf) -> Packet<'a> {
    match input.byte() {
        0 => {
            section
                .push(Property::AuthenticationMethod("m"))
                .expect("the first property");
            let reason = ReasonCode::CONTINUE_AUTHENTICATION;
            Packet::Auth(Auth {
                reason,
                properties: section.as_properties(),
            })
        }
        1..32 => {
            let bits = input.byte();
            push(
                section,
                bits & 1,
                Property::SessionExpiryInterval(input.one(SECONDS)),
            );
            let reason = match bits & 2 {
                0 => ReasonCode::NORMAL_DISCONNECTION,
                _ => ReasonCode::DISCONNECT_WITH_WILL,
            };
            Packet::Disconnect(Disconnect {
                reason,
                properties: section.as_properties(),
            })
        }
        _ => Packet::PingReq,
    }
}

fn push(section: &mut PropertiesBuf, bit: u8, property: Property<'_>) {
    if bit != 0 {
        section
            .push(property)
            .expect("a property of its own, in its range");
    }
}

fn qos(input: &mut Input<'_>) -> QoS {
    input.one(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn packet_id(input: &mut Input<'_>) -> PacketId {
    PacketId::new(1 + u16::from(input.byte() % 3)).expect("not 0")
}

fn filter(input: &mut Input<'_>) -> TopicFilter<'static> {
    TopicFilter::parse(input.one(FILTERS)).expect("a topic filter")
}
