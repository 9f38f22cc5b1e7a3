//! What clients say: packets drawn from small alphabets, so that everything meets everything.

use super::{dice::Dice, plan::Persona, policy::METHOD};
use sanderling_core::{
    packet::{
        Ack, Auth, ClientPacket, Connect, Disconnect, PacketId, PacketType, Properties,
        PropertiesBuf, Property, Publish, QoS, RetainHandling, Subscribe, SubscribeEntry,
        SubscribeOptions, Unsubscribe, Version, Will,
    },
    reason::ReasonCode,
    topic::{TopicFilter, TopicName},
};

const TOPICS: &[&str] = &[
    "a", "a", "b", "a/b", "a/b", "a/b/c", "a//c", "/a", "b/b", "$x", "$x/a", "a/",
];
const RARE_TOPICS: &[&str] = &["$SYS/a", "$CONTROL/a", "a/b/c/d/e", "\u{FEFF}a"];
const FILTERS: &[&str] = &[
    "a", "a", "b", "a/b", "a/b/c", "a/+", "+/b", "+", "#", "#", "a/#", "+/+", "+/+/c", "/+",
    "a/+/#", "$x/#", "$x/+", "/#", "a//c",
];
/// No topic belongs to two groups, and no plain filter that is used beside them matches these topics: else it could not
/// be told as what a message came.
const SHARED_FILTERS: &[&str] = &["$share/g/s/a", "$share/h/s/b", "$share/g/t/#"];
const SHARED_TOPICS: &[&str] = &["s/a", "s/b", "t", "t/x"];
const FILTERS_BESIDE: &[&str] = &["a", "b", "a/b", "a/+", "a/#", "a//c", "$x/#", "/+"];
const RARE_FILTERS: &[&str] = &["$SYS/#", "a/b/c/d/e", "+/#"];
const SECONDS: &[u32] = &[0, 1, 1, 5, 60, 3600, u32::MAX];

/// What a CONNECT of a client may vary in.
#[derive(Clone, Debug)]
pub(super) struct ConnectForm {
    pub(super) clean_start: bool,
    pub(super) keep_alive_s: u16,
    pub(super) expiry_s: Option<u32>,
    pub(super) receive_maximum: Option<u16>,
    pub(super) packet_bytes_max: Option<u32>,
    pub(super) alias_maximum: Option<u16>,
    pub(super) username: Option<&'static str>,
    /// The method of authentication it names.
    pub(super) method: Option<&'static str>,
    pub(super) wants_reasons: Option<bool>,
    pub(super) wants_response_information: Option<bool>,
    pub(super) will: Option<WillForm>,
}

#[derive(Clone, Debug)]
pub(super) struct WillForm {
    pub(super) topic: &'static str,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) delay_s: Option<u32>,
    pub(super) expiry_s: Option<u32>,
}

impl ConnectForm {
    pub(super) fn draw(dice: &mut Dice, persona: &Persona, shares: bool) -> Self {
        let tight = persona.tight;
        Self {
            clean_start: dice.chance(persona.clean),
            keep_alive_s: dice.one(&[0, 0, 1, 10, 60, 3600]),
            expiry_s: dice.chance(85).then(|| dice.one(SECONDS)),
            receive_maximum: dice.chance(tight).then(|| dice.one(&[1, 1, 2, 3])),
            packet_bytes_max: dice
                .chance(tight * 3 / 4)
                .then(|| any_packet_bytes_max(dice)),
            alias_maximum: dice.chance(tight).then(|| dice.one(&[1, 2, 10])),
            username: dice.chance(20).then_some("somebody"),
            method: dice
                .chance(persona.authenticates)
                .then(|| dice.one(&[METHOD, METHOD, METHOD, "n"])),
            wants_reasons: dice.chance(15).then(|| dice.chance(30)),
            wants_response_information: dice.chance(15).then(|| dice.chance(70)),
            will: dice.chance(persona.will).then(|| WillForm {
                topic: any_topic(dice, shares),
                qos: any_qos(dice),
                retain: dice.chance(30),
                delay_s: dice.chance(50).then(|| dice.one(SECONDS)),
                expiry_s: dice.chance(20).then(|| dice.one(SECONDS)),
            }),
        }
    }

    /// A client that means well and takes everything.
    pub(super) fn plain() -> Self {
        Self {
            clean_start: false,
            keep_alive_s: 0,
            expiry_s: Some(u32::MAX),
            receive_maximum: None,
            packet_bytes_max: None,
            alias_maximum: None,
            // Some listeners let in nobody else.
            username: Some("me"),
            method: None,
            wants_reasons: None,
            wants_response_information: None,
            will: None,
        }
    }

    pub(super) fn encode(&self, persona: &Persona, will_payload: &[u8]) -> Vec<u8> {
        let mut section = PropertiesBuf::new();
        let mut of_will = PropertiesBuf::new();
        put(
            &mut section,
            self.expiry_s.map(Property::SessionExpiryInterval),
        );
        put(
            &mut section,
            self.receive_maximum.map(Property::ReceiveMaximum),
        );
        put(
            &mut section,
            self.packet_bytes_max.map(Property::MaximumPacketSize),
        );
        put(
            &mut section,
            self.alias_maximum.map(Property::TopicAliasMaximum),
        );
        put(
            &mut section,
            self.wants_reasons.map(Property::RequestProblemInformation),
        );
        put(
            &mut section,
            self.wants_response_information
                .map(Property::RequestResponseInformation),
        );
        put(
            &mut section,
            self.method.map(Property::AuthenticationMethod),
        );
        if self.method.is_some() {
            put(&mut section, Some(Property::AuthenticationData(b"first")));
        }
        if let Some(will) = &self.will {
            put(&mut of_will, will.delay_s.map(Property::WillDelayInterval));
            put(
                &mut of_will,
                will.expiry_s.map(Property::MessageExpiryInterval),
            );
            put(&mut of_will, Some(Property::UserProperty("w", "1")));
        }
        let connect = Connect {
            version: persona.version,
            client_id: persona.client_id,
            clean_start: self.clean_start,
            keep_alive_s: self.keep_alive_s,
            username: self.username,
            password: None,
            will: self.will.as_ref().map(|will| Will {
                topic: TopicName::parse(will.topic).expect("a topic name"),
                payload: will_payload,
                qos: will.qos,
                retain: will.retain,
                properties: of_will.as_properties(),
            }),
            properties: section.as_properties(),
        };
        encode(&ClientPacket::Connect(Box::new(connect)), persona.version)
    }
}

fn put(section: &mut PropertiesBuf, property: Option<Property<'_>>) {
    if let Some(property) = property {
        section
            .push(property)
            .expect("each stands once and in its range");
    }
}

pub(super) fn encode(packet: &ClientPacket<'_>, version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet
        .encode(version, &mut bytes)
        .expect("a packet that its version has");
    bytes
}

pub(super) fn any_topic(dice: &mut Dice, shares: bool) -> &'static str {
    if shares && dice.chance(40) {
        return dice.one(SHARED_TOPICS);
    }
    match dice.chance(3) {
        true => dice.one(RARE_TOPICS),
        false => dice.one(TOPICS),
    }
}

pub(super) fn any_filter(dice: &mut Dice, shares: bool) -> TopicFilter<'static> {
    let filter = match (shares, dice.chance(if shares { 50 } else { 5 })) {
        (true, true) => dice.one(SHARED_FILTERS),
        (true, false) => dice.one(FILTERS_BESIDE),
        (false, true) => dice.one(RARE_FILTERS),
        (false, false) => dice.one(FILTERS),
    };
    TopicFilter::parse(filter).expect("a topic filter")
}

/// Often as long as a message of these clients, or a little less.
fn any_packet_bytes_max(dice: &mut Dice) -> u32 {
    let least = dice.one(&[2, 12, 12, 20, 40, 310]);
    least + dice.below(24) as u32
}

pub(super) fn any_qos(dice: &mut Dice) -> QoS {
    dice.one(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

pub(super) fn any_options(dice: &mut Dice, filter: TopicFilter<'_>) -> SubscribeOptions {
    SubscribeOptions {
        qos: any_qos(dice),
        no_local: dice.chance(15) && filter.shared().is_none(),
        retain_as_published: dice.chance(30),
        retain_handling: dice.one(&[
            RetainHandling::Send,
            RetainHandling::Send,
            RetainHandling::SendIfNew,
            RetainHandling::DoNotSend,
        ]),
    }
}

/// Properties of a message, in any order.
pub(super) fn message_properties(dice: &mut Dice) -> PropertiesBuf {
    let mut section = PropertiesBuf::new();
    if dice.chance(60) {
        return section;
    }
    for _ in 0..1 + dice.below(3) {
        let property = match dice.below(8) {
            0 => Property::ContentType("text"),
            1 => Property::ResponseTopic("a/b"),
            2 => Property::CorrelationData(b"\0\x01"),
            3 => Property::PayloadFormatIndicator(0),
            4 => Property::UserProperty("k", "1"),
            5 => Property::UserProperty("k", "2"),
            _ => Property::MessageExpiryInterval(dice.one(SECONDS)),
        };
        // What stands once and is drawn twice stays as it is.
        let _ = section.push(property);
    }
    section
}

pub(super) fn publish(
    topic: &str,
    payload: &[u8],
    qos: QoS,
    retain: bool,
    packet_id: Option<PacketId>,
    properties: &PropertiesBuf,
    version: Version,
) -> Vec<u8> {
    let publish = Publish {
        topic,
        payload,
        qos,
        retain,
        dup: false,
        packet_id,
        properties: properties.as_properties(),
    };
    encode(&ClientPacket::Publish(publish), version)
}

pub(super) fn subscribe(
    dice: &mut Dice,
    shares: bool,
    packet_id: PacketId,
    version: Version,
) -> Vec<u8> {
    let mut section = PropertiesBuf::new();
    let identifier = dice
        .chance(40)
        .then(|| Property::SubscriptionIdentifier(1 + dice.below(3) as u32));
    put(&mut section, identifier);
    let count = if dice.chance(80) {
        1
    } else {
        1 + dice.below(5)
    };
    let entries = (0..count)
        .map(|_| {
            let filter = any_filter(dice, shares);
            let options = any_options(dice, filter);
            SubscribeEntry { filter, options }
        })
        .collect();
    let subscribe = Subscribe {
        packet_id,
        entries,
        properties: section.as_properties(),
    };
    encode(&ClientPacket::Subscribe(Box::new(subscribe)), version)
}

/// One filter with all options as usual.
pub(super) fn unsubscribe(
    dice: &mut Dice,
    shares: bool,
    packet_id: PacketId,
    version: Version,
) -> Vec<u8> {
    let count = if dice.chance(80) {
        1
    } else {
        1 + dice.below(4)
    };
    let filters = (0..count).map(|_| any_filter(dice, shares)).collect();
    let unsubscribe = Unsubscribe {
        packet_id,
        filters,
        properties: Properties::EMPTY,
    };
    encode(&ClientPacket::Unsubscribe(Box::new(unsubscribe)), version)
}

pub(super) fn ack(
    packet: PacketType,
    packet_id: PacketId,
    reason: ReasonCode,
    version: Version,
) -> Vec<u8> {
    let reason = if version == Version::V5 {
        reason
    } else {
        ReasonCode::SUCCESS
    };
    let ack = Ack::with_reason(packet_id, reason);
    let packet = match packet {
        PacketType::PubAck => ClientPacket::PubAck(ack),
        PacketType::PubRec => ClientPacket::PubRec(ack),
        PacketType::PubRel => ClientPacket::PubRel(ack),
        PacketType::PubComp => ClientPacket::PubComp(ack),
        other => unreachable!("{other} acknowledges no PUBLISH"),
    };
    encode(&packet, version)
}

pub(super) fn disconnect(dice: &mut Dice, version: Version) -> Vec<u8> {
    let mut section = PropertiesBuf::new();
    let expiry = dice
        .chance(25)
        .then(|| Property::SessionExpiryInterval(dice.one(SECONDS)));
    put(&mut section, expiry);
    let reason = match dice.chance(70) || version != Version::V5 {
        true => ReasonCode::NORMAL_DISCONNECTION,
        false => dice.one(&[
            ReasonCode::DISCONNECT_WITH_WILL,
            ReasonCode::UNSPECIFIED_ERROR,
        ]),
    };
    let disconnect = Disconnect {
        reason,
        properties: section.as_properties(),
    };
    encode(&ClientPacket::Disconnect(disconnect), version)
}

/// A step of an enhanced authentication.
pub(super) fn auth(reason: ReasonCode, method: &str, data: &[u8]) -> Vec<u8> {
    let mut section = PropertiesBuf::new();
    put(&mut section, Some(Property::AuthenticationMethod(method)));
    put(&mut section, Some(Property::AuthenticationData(data)));
    let auth = Auth {
        reason,
        properties: section.as_properties(),
    };
    encode(&ClientPacket::Auth(auth), Version::V5)
}

/// A DISCONNECT as it should be.
pub(super) fn farewell(version: Version) -> Vec<u8> {
    let reason = ReasonCode::NORMAL_DISCONNECTION;
    let disconnect = Disconnect {
        reason,
        properties: Properties::EMPTY,
    };
    encode(&ClientPacket::Disconnect(disconnect), version)
}

/// Packets that a server must not take, or bytes that are none.
pub(super) fn garbage(dice: &mut Dice, persona: &Persona) -> Vec<u8> {
    let version = persona.version;
    let id = PacketId::new(1 + dice.below(4) as u16).expect("not 0");
    match dice.below(8) {
        0 => (0..1 + dice.below(40)).map(|_| dice.roll() as u8).collect(),
        1 => ConnectForm::draw(dice, persona, false).encode(persona, b"again"),
        2 if version == Version::V5 => {
            let reason = dice.one(&[
                ReasonCode::CONTINUE_AUTHENTICATION,
                ReasonCode::RE_AUTHENTICATE,
            ]);
            auth(reason, dice.one(&[METHOD, "n"]), b"garbage")
        }
        3 if version == Version::V5 => {
            let mut section = PropertiesBuf::new();
            put(
                &mut section,
                Some(Property::TopicAlias(dice.one(&[1, 2, u16::MAX]))),
            );
            let topic = dice.one(&["", "a"]);
            publish(
                topic,
                b"alias",
                QoS::AtMostOnce,
                false,
                None,
                &section,
                version,
            )
        }
        4 => publish(
            "a/b/c/d/e/f/g",
            b"deep",
            QoS::AtLeastOnce,
            false,
            Some(id),
            &PropertiesBuf::new(),
            version,
        ),
        // A PUBLISH with a wildcard in its topic name.
        5 => b"\x30\x05\x00\x03a/#".to_vec(),
        // A flag that must not be set.
        6 => b"\xC1\x00".to_vec(),
        // A packet that is longer than anybody takes.
        7 => b"\x30\xFF\xFF\xFF\x7F".to_vec(),
        _ => {
            // A good packet with one byte changed.
            let mut bytes = publish(
                "a",
                b"x",
                QoS::AtLeastOnce,
                false,
                Some(id),
                &PropertiesBuf::new(),
                version,
            );
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << dice.below(8);
            bytes
        }
    }
}
