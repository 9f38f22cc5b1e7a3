//! PUBLISH, with the hot path of every broker: a form is encoded once, and only what differs between receivers is
//! patched into its copies. [MQTT 5.0, 3.3]

#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths of strings, bytes and a few numbers; the caller keeps their sum below 268,435,456"
)]

use super::{
    DecodeErrorKind as Kind, check,
    error::{Fault, Sender},
    fixed_header::{self, PublishFlags},
    properties::{self, Place},
    read::Reader,
    run::KnownTopic,
    write::{Sink, VARIABLE_MAX, variable_len},
};
use crate::{
    packet::{PacketId, PacketType, Properties, Publish, QoS, Version, property_id as id},
    topic::{TopicError, TopicName},
};
use alloc::vec::Vec;

/// A PUBLISH to be written by [`put_publish`]. Its parts were validated before.
#[derive(Clone, Copy, Debug)]
pub struct PublishForm<'a> {
    /// The version of the receivers.
    pub version: Version,
    /// A topic name; at most 65,535 bytes.
    pub topic: &'a str,
    /// The payload, or as much of it as is to be written here.
    pub payload: &'a [u8],
    /// The length of the whole payload. The caller sends what is not in `payload` right behind the frame.
    pub payload_bytes: usize,
    /// The QoS of the transmission.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// DUP.
    pub dup: bool,
    /// The packet identifier. With QoS 1 and 2, `None` leaves two zero bytes to be patched.
    pub packet_id: Option<PacketId>,
    /// Left out before 5.0.
    pub properties: Properties<'a>,
    /// Seconds; takes the place of the interval in `properties`. Left out before 5.0.
    pub message_expiry_interval: Option<u32>,
    /// Written behind `properties`. Left out before 5.0.
    pub subscription_identifiers: &'a [u32],
    /// Written behind `properties`. Left out before 5.0.
    pub topic_alias: Option<u16>,
}

/// The length of the packet that [`put_publish`] begins: with all of the payload.
pub fn publish_len(form: &PublishForm<'_>) -> usize {
    let remaining = form.body_len();
    1 + variable_len(remaining) + remaining
}

/// Appends a PUBLISH, all but the part of the payload that is not in the form. Returns where the packet identifier stands,
/// counted from the packet's first byte; 0 with QoS 0, which has none.
///
/// # Panics
/// The topic has more than 65,535 bytes, or the packet more than 268,435,455: both are excluded by the limits under
/// which the message was received.
pub fn put_publish(out: &mut Vec<u8>, form: &PublishForm<'_>) -> usize {
    debug_assert!(form.payload.len() <= form.payload_bytes);
    let remaining = form.body_len();
    assert!(
        remaining <= VARIABLE_MAX,
        "a PUBLISH fits a remaining length"
    );
    out.reserve(1 + variable_len(remaining) + remaining - form.payload_bytes + form.payload.len());
    fixed_header::put(out, PacketType::Publish, form.flags(), remaining);
    put_body(out, form);
    match form.qos {
        QoS::AtMostOnce => 0,
        QoS::AtLeastOnce | QoS::ExactlyOnce => 1 + variable_len(remaining) + 2 + form.topic.len(),
    }
}

#[inline]
fn put_body(out: &mut (impl Sink + ?Sized), form: &PublishForm<'_>) {
    out.put_prefixed(form.topic.as_bytes());
    if form.qos != QoS::AtMostOnce {
        out.put_two_bytes(form.packet_id.map_or(0, PacketId::get));
    }
    if form.version == Version::V5 {
        out.put_variable(form.properties_len());
        form.put_properties(out);
    }
    out.put(form.payload);
}

impl<'a> PublishForm<'a> {
    /// The form of a packet as it is.
    pub(super) fn of(version: Version, publish: &Publish<'a>) -> Self {
        Self {
            version,
            topic: publish.topic,
            payload: publish.payload,
            payload_bytes: publish.payload.len(),
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            packet_id: publish.packet_id,
            properties: publish.properties,
            message_expiry_interval: None,
            subscription_identifiers: &[],
            topic_alias: None,
        }
    }

    pub(super) fn flags(&self) -> u8 {
        let (dup, qos, retain) = (self.dup, self.qos, self.retain);
        PublishFlags { dup, qos, retain }.bits()
    }

    fn body_len(&self) -> usize {
        let packet_id = if self.qos == QoS::AtMostOnce { 0 } else { 2 };
        let properties = match self.version {
            Version::V5 => {
                let len = self.properties_len();
                variable_len(len) + len
            }
            Version::V31 | Version::V311 => 0,
        };
        2 + self.topic.len() + packet_id + properties + self.payload_bytes
    }

    /// Whether the properties hold an interval that another one replaces.
    fn replaces_expiry(&self) -> bool {
        self.message_expiry_interval.is_some()
            && self.properties.contains(id::MESSAGE_EXPIRY_INTERVAL)
    }

    fn properties_len(&self) -> usize {
        const EXPIRY_LEN: usize = 5;
        const ALIAS_LEN: usize = 3;
        let mut len = self.properties.as_bytes().len();
        if self.message_expiry_interval.is_some() && !self.replaces_expiry() {
            len += EXPIRY_LEN;
        }
        if self.topic_alias.is_some() {
            len += ALIAS_LEN;
        }
        let identifiers = self.subscription_identifiers.iter();
        len + identifiers
            .map(|&id| 1 + variable_len(id as usize))
            .sum::<usize>()
    }

    fn put_properties(&self, out: &mut (impl Sink + ?Sized)) {
        if self.replaces_expiry() {
            let (before, after) = self.properties.around(id::MESSAGE_EXPIRY_INTERVAL);
            out.put(before);
            out.put(after);
        } else {
            out.put(self.properties.as_bytes());
        }
        if let Some(seconds) = self.message_expiry_interval {
            out.put_byte(id::MESSAGE_EXPIRY_INTERVAL);
            out.put(&seconds.to_be_bytes());
        }
        if let Some(alias) = self.topic_alias {
            out.put_byte(id::TOPIC_ALIAS);
            out.put_two_bytes(alias);
        }
        for &id in self.subscription_identifiers {
            out.put_byte(id::SUBSCRIPTION_IDENTIFIER);
            out.put_variable(id as usize);
        }
    }
}

/// Reads what follows the fixed header.
#[inline(always)]
pub(super) fn read<'a>(
    version: Version,
    sender: Sender,
    flags: PublishFlags,
    known: Option<&'a mut KnownTopic>,
    mut body: Reader<'a>,
) -> Result<Publish<'a>, Fault> {
    let topic = body.binary(TOPIC_NAME)?;
    let Some(known) = known else {
        return read_new(version, sender, flags, topic, body);
    };
    if known.is(topic) {
        return read_on(version, sender, flags, known.name(), body);
    }
    let publish = read_new(version, sender, flags, topic, body)?;
    known.set(publish.topic);
    Ok(publish)
}

/// Reads on behind a topic that was not seen before.
fn read_new<'a>(
    version: Version,
    sender: Sender,
    flags: PublishFlags,
    topic: &'a [u8],
    body: Reader<'a>,
) -> Result<Publish<'a>, Fault> {
    let topic = core::str::from_utf8(topic).map_err(|_| Kind::IllFormedUtf8.of(TOPIC_NAME))?;
    let publish = read_on(version, sender, flags, topic, body)?;
    check_topic(topic, publish.properties)?;
    Ok(publish)
}

/// Reads on behind the topic.
#[inline(always)]
fn read_on<'a>(
    version: Version,
    sender: Sender,
    flags: PublishFlags,
    topic: &'a str,
    mut body: Reader<'a>,
) -> Result<Publish<'a>, Fault> {
    let PublishFlags { dup, qos, retain } = flags;
    let packet_id = match qos {
        QoS::AtMostOnce => None,
        QoS::AtLeastOnce | QoS::ExactlyOnce => Some(body.packet_id()?),
    };
    let place = Place::Packet(PacketType::Publish, sender);
    let properties = properties::read(&mut body, version, place)?;
    Ok(Publish {
        topic,
        payload: body.rest(),
        qos,
        retain,
        dup,
        packet_id,
        properties,
    })
}

pub(super) fn check(version: Version, sender: Sender, publish: &Publish<'_>) -> Result<(), Fault> {
    let no_qos = publish.qos == QoS::AtMostOnce;
    if no_qos == publish.packet_id.is_some() {
        return Err(Kind::PacketId.of("packet identifier"));
    }
    if publish.dup && no_qos && version != Version::V31 {
        return Err(Kind::Dup.of("DUP"));
    }
    let place = Place::Packet(PacketType::Publish, sender);
    check::properties(version, publish.properties, place)?;
    let properties = match version {
        Version::V5 => publish.properties,
        Version::V31 | Version::V311 => Properties::EMPTY,
    };
    check_topic(publish.topic, properties)
}

pub(super) fn write(version: Version, publish: &Publish<'_>, out: &mut dyn Sink) {
    put_body(out, &PublishForm::of(version, publish));
}

const TOPIC_NAME: &str = "topic name";

/// A topic name, or nothing beside a topic alias. [MQTT-3.3.2-2] [MQTT-4.7.3-1]
#[inline]
fn check_topic(topic: &str, properties: Properties<'_>) -> Result<(), Fault> {
    TopicName::parse(topic)
        .map(drop)
        .or_else(|error| no_topic(error, properties))
}

#[cold]
fn no_topic(error: TopicError, properties: Properties<'_>) -> Result<(), Fault> {
    let kind = match error {
        TopicError::Empty if properties.contains(id::TOPIC_ALIAS) => return Ok(()),
        TopicError::Empty => Kind::NoTopic,
        TopicError::Null => Kind::Null,
        error => Kind::TopicName(error),
    };
    Err(kind.of(TOPIC_NAME))
}
