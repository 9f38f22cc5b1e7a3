//! Strategies for every well-formed packet of every version and direction.
//!
//! Packets borrow their strings; these borrow from memory that is never freed, so that a packet is a value of its own.
//! Which packet takes which property and reason code is written here once more, by packet as the standard does.

mod properties;

use properties::{
    AUTH, CONNACK, CONNECT, CONTROL, DISCONNECT_CLIENT, DISCONNECT_SERVER, PUBLISH_CLIENT,
    PUBLISH_SERVER, SUBSCRIBE, USER_ONLY, WILL, with_method,
};

pub(crate) use properties::any_properties;

use proptest::{option, prelude::*, sample::select};
use sanderling_core::{
    packet::{
        Ack, Auth, ClientPacket, ConnAck, Connect, Disconnect, PacketId, Properties, Publish, QoS,
        ReasonCodes, RetainHandling, ServerPacket, SubAck, Subscribe, SubscribeEntry,
        SubscribeOptions, UnsubAck, Unsubscribe, Version, Will,
    },
    reason::ReasonCode,
    topic::{TopicFilter, TopicName},
};

pub(crate) fn version() -> impl Strategy<Value = Version> {
    select(vec![Version::V31, Version::V311, Version::V5])
}

/// Any packet that a client of this version sends after its CONNECT, and further CONNECTs.
pub(crate) fn client_packet(version: Version) -> impl Strategy<Value = ClientPacket<'static>> {
    let publish = publish(version, PUBLISH_CLIENT);
    let auth = auth(&[0x18, 0x19]).prop_map(ClientPacket::Auth);
    prop_oneof![
        1 => connect(version).prop_map(|connect| ClientPacket::Connect(Box::new(connect))),
        4 => publish.prop_map(ClientPacket::Publish),
        1 => ack(version, RECEIVED).prop_map(ClientPacket::PubAck),
        1 => ack(version, RECEIVED).prop_map(ClientPacket::PubRec),
        1 => ack(version, RELEASED).prop_map(ClientPacket::PubRel),
        1 => ack(version, RELEASED).prop_map(ClientPacket::PubComp),
        2 => subscribe(version).prop_map(|packet| ClientPacket::Subscribe(Box::new(packet))),
        2 => unsubscribe(version).prop_map(|packet| ClientPacket::Unsubscribe(Box::new(packet))),
        1 => Just(ClientPacket::PingReq),
        1 => disconnect(version, CLIENT_ENDS, DISCONNECT_CLIENT)
            .prop_map(ClientPacket::Disconnect),
        1 => if_5(version, auth, ClientPacket::PingReq),
    ]
}

/// Any packet that a server sends to a client of this version after its CONNACK, and further CONNACKs.
pub(crate) fn server_packet(version: Version) -> impl Strategy<Value = ServerPacket<'static>> {
    let publish = publish(version, PUBLISH_SERVER);
    let disconnect = disconnect(version, SERVER_ENDS, DISCONNECT_SERVER);
    let disconnect = disconnect.prop_map(ServerPacket::Disconnect);
    let auth = auth(&[0x00, 0x18]).prop_map(ServerPacket::Auth);
    prop_oneof![
        1 => connack(version).prop_map(ServerPacket::ConnAck),
        4 => publish.prop_map(ServerPacket::Publish),
        1 => ack(version, RECEIVED).prop_map(ServerPacket::PubAck),
        1 => ack(version, RECEIVED).prop_map(ServerPacket::PubRec),
        1 => ack(version, RELEASED).prop_map(ServerPacket::PubRel),
        1 => ack(version, RELEASED).prop_map(ServerPacket::PubComp),
        2 => suback(version).prop_map(ServerPacket::SubAck),
        2 => unsuback(version).prop_map(ServerPacket::UnsubAck),
        1 => Just(ServerPacket::PingResp),
        1 => if_5(version, disconnect, ServerPacket::PingResp),
        1 => if_5(version, auth, ServerPacket::PingResp),
    ]
}

/// What only 5.0 has, and what takes its place before.
fn if_5<P: Clone + core::fmt::Debug + 'static>(
    version: Version,
    packet: impl Strategy<Value = P> + 'static,
    before: P,
) -> BoxedStrategy<P> {
    match version {
        Version::V31 | Version::V311 => Just(before).boxed(),
        Version::V5 => packet.boxed(),
    }
}

pub(crate) fn connect(version: Version) -> impl Strategy<Value = Connect<'static>> {
    (
        text(),
        any::<bool>(),
        any::<u16>(),
        option::of(text()),
        option::of(bytes()),
        option::of(will(version)),
        properties_in(version, CONNECT).prop_map(with_method),
    )
        .prop_map(
            move |(client_id, clean_start, keep_alive_s, username, password, will, properties)| {
                Connect {
                    version,
                    client_id,
                    clean_start,
                    keep_alive_s,
                    username,
                    password: password.filter(|_| username.is_some() || version == Version::V5),
                    will,
                    properties,
                }
            },
        )
}

fn will(version: Version) -> impl Strategy<Value = Will<'static>> {
    (
        topic_name(),
        bytes(),
        qos(),
        any::<bool>(),
        properties_in(version, WILL),
    )
        .prop_map(|(topic, payload, qos, retain, properties)| Will {
            topic,
            payload,
            qos,
            retain,
            properties,
        })
}

/// Before 5.0 a refusal is one of those that a return code stands for.
pub(crate) fn connack(version: Version) -> impl Strategy<Value = ConnAck<'static>> {
    let codes: &[u8] = match version {
        Version::V31 | Version::V311 => &[0x00, 0x84, 0x85, 0x86, 0x87, 0x88],
        Version::V5 => &[
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90,
            0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ],
    };
    let properties = properties_in(version, CONNACK).prop_map(with_method);
    (any::<bool>(), reason(codes), properties).prop_map(move |(present, reason, properties)| {
        ConnAck {
            session_present: present && reason == ReasonCode::SUCCESS && version != Version::V31,
            reason,
            properties,
        }
    })
}

pub(crate) fn publish(
    version: Version,
    allowed: &'static [u8],
) -> impl Strategy<Value = Publish<'static>> {
    const TOPIC_ALIAS: u8 = 0x23;
    let properties = properties_in(version, allowed);
    let topic = topic_name().prop_map(TopicName::as_str);
    let flags = any::<(bool, bool, bool)>();
    (topic, bytes(), qos(), flags, packet_id(), properties).prop_map(
        |(topic, payload, qos, (retain, dup, no_topic), packet_id, properties)| {
            let has_alias = properties
                .iter()
                .any(|property| property.id() == TOPIC_ALIAS);
            let with_id = qos != QoS::AtMostOnce;
            Publish {
                topic: if no_topic && has_alias { "" } else { topic },
                payload,
                qos,
                retain,
                dup: dup && with_id,
                packet_id: with_id.then_some(packet_id),
                properties,
            }
        },
    )
}

/// What a PUBACK or PUBREC says.
const RECEIVED: &[u8] = &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
/// What a PUBREL or PUBCOMP says.
const RELEASED: &[u8] = &[0x00, 0x92];
const CLIENT_ENDS: &[u8] = &[
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
];
const SERVER_ENDS: &[u8] = &[
    0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96,
    0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
];

fn ack(version: Version, codes: &'static [u8]) -> impl Strategy<Value = Ack<'static>> {
    let reason = reason_in(version, codes);
    (packet_id(), reason, properties_in(version, CONTROL)).prop_map(
        |(packet_id, reason, properties)| Ack {
            packet_id,
            reason,
            properties,
        },
    )
}

fn disconnect(
    version: Version,
    codes: &'static [u8],
    allowed: &'static [u8],
) -> impl Strategy<Value = Disconnect<'static>> {
    (reason_in(version, codes), properties_in(version, allowed))
        .prop_map(|(reason, properties)| Disconnect { reason, properties })
}

fn auth(codes: &'static [u8]) -> impl Strategy<Value = Auth<'static>> {
    let properties = properties_in(Version::V5, AUTH).prop_map(properties::always_method);
    (reason(codes), properties).prop_map(|(reason, properties)| Auth { reason, properties })
}

fn subscribe(version: Version) -> impl Strategy<Value = Subscribe<'static>> {
    let entries = prop::collection::vec(entry(version), 1..5);
    (packet_id(), entries, properties_in(version, SUBSCRIBE)).prop_map(
        |(packet_id, entries, properties)| Subscribe {
            packet_id,
            entries,
            properties,
        },
    )
}

fn entry(version: Version) -> impl Strategy<Value = SubscribeEntry<'static>> {
    let handling = select(vec![
        RetainHandling::Send,
        RetainHandling::SendIfNew,
        RetainHandling::DoNotSend,
    ]);
    (
        topic_filter(),
        qos(),
        any::<bool>(),
        any::<bool>(),
        handling,
    )
        .prop_map(
            move |(filter, qos, no_local, retain_as_published, retain_handling)| {
                let mut options = SubscribeOptions {
                    qos,
                    ..SubscribeOptions::default()
                };
                if version == Version::V5 {
                    options.no_local = no_local && filter.shared().is_none();
                    options.retain_as_published = retain_as_published;
                    options.retain_handling = retain_handling;
                }
                SubscribeEntry { filter, options }
            },
        )
}

fn unsubscribe(version: Version) -> impl Strategy<Value = Unsubscribe<'static>> {
    let filters = prop::collection::vec(topic_filter(), 1..5);
    (packet_id(), filters, properties_in(version, USER_ONLY)).prop_map(
        |(packet_id, filters, properties)| Unsubscribe {
            packet_id,
            filters,
            properties,
        },
    )
}

pub(crate) fn suback(version: Version) -> impl Strategy<Value = SubAck<'static>> {
    let codes: &[u8] = match version {
        Version::V31 | Version::V311 => &[0x00, 0x01, 0x02, 0x80],
        Version::V5 => &[
            0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2,
        ],
    };
    (
        packet_id(),
        reason_codes(codes),
        properties_in(version, CONTROL),
    )
        .prop_map(|(packet_id, codes, properties)| SubAck {
            packet_id,
            codes,
            properties,
        })
}

pub(crate) fn unsuback(version: Version) -> impl Strategy<Value = UnsubAck<'static>> {
    let codes = reason_codes(&[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]);
    (packet_id(), codes, properties_in(version, CONTROL)).prop_map(
        move |(packet_id, codes, properties)| UnsubAck {
            packet_id,
            codes: match version {
                Version::V5 => codes,
                Version::V31 | Version::V311 => ReasonCodes::default(),
            },
            properties,
        },
    )
}

fn reason(codes: &'static [u8]) -> impl Strategy<Value = ReasonCode> {
    select(codes).prop_map(ReasonCode)
}

/// Before 5.0 there is only success.
fn reason_in(version: Version, codes: &'static [u8]) -> impl Strategy<Value = ReasonCode> {
    reason(match version {
        Version::V31 | Version::V311 => &[0x00],
        Version::V5 => codes,
    })
}

fn reason_codes(codes: &'static [u8]) -> impl Strategy<Value = ReasonCodes<'static>> {
    prop::collection::vec(select(codes), 1..5).prop_map(|codes| ReasonCodes(codes.leak()))
}

/// Before 5.0 there are none.
fn properties_in(version: Version, allowed: &'static [u8]) -> BoxedStrategy<Properties<'static>> {
    match version {
        Version::V31 | Version::V311 => Just(Properties::EMPTY).boxed(),
        Version::V5 => any_properties(allowed).boxed(),
    }
}

pub(crate) fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(|number| PacketId::new(number).expect("not 0"))
}

pub(crate) fn qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

/// Short most of the time; long enough now and then that lengths take two bytes.
pub(crate) fn bytes() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![
        9 => prop::collection::vec(any::<u8>(), 0..20),
        1 => prop::collection::vec(any::<u8>(), 100..400),
    ]
    .prop_map(|bytes| &*bytes.leak())
}

/// Any characters but U+0000, those of one to four bytes among them.
pub(crate) fn text() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        9 => "[^\u{0}]{0,8}",
        1 => "[a-z]{120,130}",
    ]
    .prop_map(|text| &*text.leak())
}

pub(crate) fn topic_name() -> impl Strategy<Value = TopicName<'static>> {
    "([^\u{0}+#]{0,4}/){0,3}[^\u{0}+#]{1,4}"
        .prop_map(|name| TopicName::parse(name.leak()).expect("a topic name"))
}

pub(crate) fn topic_filter() -> impl Strategy<Value = TopicFilter<'static>> {
    r"(\$share/[a-z]{1,3}/)?(([a-z]{0,3}|\+)/){0,3}([a-z]{1,3}|\+|#)"
        .prop_map(|filter| TopicFilter::parse(filter.leak()).expect("a topic filter"))
}
