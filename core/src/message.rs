//! Application messages: borrowed while they pass through a turn, owned and shared once somebody keeps them.

use crate::{
    packet::{Properties, PropertiesBuf, Property, QoS},
    time::Instant,
};
use alloc::{borrow::Cow, boxed::Box, sync::Arc};
use bytes::Bytes;
use core::time::Duration;

/// From this many bytes on a payload is shared between its receivers instead of copied for each.
pub(crate) const SHARED_PAYLOAD_BYTES_MIN: usize = 4096;

/// What a kept message costs beside its bytes, roughly: two allocations and a place in a queue.
const OVERHEAD_BYTES: u64 = 96;

/// A message on its way through one turn. It borrows from a read buffer and costs no allocation.
#[derive(Clone, Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: Payload<'a>,
    /// The property section to send on: without alias, expiry and subscription identifiers.
    pub(crate) properties: Cow<'a, [u8]>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) expires: Option<Instant>,
}

/// Bytes that may already be shared.
#[derive(Clone, Debug)]
pub(crate) enum Payload<'a> {
    Borrowed(&'a [u8]),
    Shared(Bytes),
}

impl Payload<'_> {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    /// Shared bytes with this content: one copy the first time, none later.
    pub(crate) fn share(&mut self) -> Bytes {
        match self {
            Self::Shared(bytes) => bytes.clone(),
            Self::Borrowed(bytes) => {
                let bytes = Bytes::copy_from_slice(bytes);
                *self = Self::Shared(bytes.clone());
                bytes
            }
        }
    }
}

/// An application message that somebody keeps: a queue, an in-flight window, the retained store, or a will.
/// It never pins a read buffer.
///
/// There may be millions, so it is small and all its text stands in one piece of memory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Message {
    /// The topic name, the properties, and the payload unless that is shared.
    text: Box<[u8]>,
    topic_bytes: u16,
    properties_bytes: u32,
    /// A payload that is shared between its receivers.
    shared_payload: Option<Box<Bytes>>,
    /// `FAR_FUTURE` for never.
    expires: Instant,
    /// The QoS it was published with.
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

const _: () = assert!(
    size_of::<Message>() == 40,
    "with the counts of an `Arc` it fills a cache line less one word"
);

impl Message {
    /// What it counts for in the byte limits.
    pub(crate) fn cost_bytes(&self) -> u64 {
        let shared = self.shared_payload.as_ref().map_or(0, |bytes| bytes.len());
        (self.text.len() + shared) as u64 + OVERHEAD_BYTES
    }

    pub(crate) fn topic(&self) -> &str {
        let topic = str::from_utf8(self.topic_bytes());
        topic.expect("it was cut out of a string")
    }

    /// The topic name as bytes, whose order is that of strings.
    pub(crate) fn topic_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.topic_bytes)]
    }

    pub(crate) fn payload(&self) -> &[u8] {
        match &self.shared_payload {
            Some(bytes) => bytes,
            None => &self.text[self.properties_end()..],
        }
    }

    pub(crate) fn properties(&self) -> Properties<'_> {
        Properties::from_validated(self.property_bytes())
    }

    fn property_bytes(&self) -> &[u8] {
        &self.text[usize::from(self.topic_bytes)..self.properties_end()]
    }

    fn properties_end(&self) -> usize {
        usize::from(self.topic_bytes) + self.properties_bytes as usize
    }

    pub(crate) fn expires(&self) -> Option<Instant> {
        Some(self.expires).filter(|&at| at != Instant::FAR_FUTURE)
    }

    /// From now on it expires then.
    pub(crate) fn expire_at(&mut self, at: Option<Instant>) {
        self.expires = at.unwrap_or(Instant::FAR_FUTURE);
    }

    /// True once its expiry interval has passed.
    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        self.expires().is_some_and(|at| at <= now)
    }
}

impl<'a> Incoming<'a> {
    /// The one way to an owned message.
    pub(crate) fn keep(&mut self) -> Arc<Message> {
        let is_large = self.payload.as_slice().len() >= SHARED_PAYLOAD_BYTES_MIN;
        let shared_payload = is_large.then(|| Box::new(self.payload.share()));
        let payload = match is_large {
            true => &[],
            false => self.payload.as_slice(),
        };
        Arc::new(Message {
            text: [self.topic.as_bytes(), &self.properties, payload]
                .concat()
                .into(),
            topic_bytes: u16::try_from(self.topic.len()).expect("the length was checked"),
            properties_bytes: u32::try_from(self.properties.len()).expect("the length was checked"),
            shared_payload,
            expires: self.expires.unwrap_or(Instant::FAR_FUTURE),
            qos: self.qos,
            retain: self.retain,
        })
    }

    /// A kept message on its way again.
    pub(crate) fn again(message: &'a Message) -> Self {
        Self {
            topic: message.topic(),
            payload: match &message.shared_payload {
                Some(bytes) => Payload::Shared((**bytes).clone()),
                None => Payload::Borrowed(message.payload()),
            },
            properties: Cow::Borrowed(message.property_bytes()),
            qos: message.qos,
            retain: message.retain,
            expires: message.expires(),
        }
    }
}

/// The seconds a receiver is told: the interval less the time waited, rounded up. [MQTT-3.3.2-6]
pub(crate) fn remaining_expiry_s(expires: Option<Instant>, now: Instant) -> Option<u32> {
    let left = expires?.saturating_since(now);
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    Some(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// When a message with these properties, published now, expires.
pub(crate) fn expiry(properties: Properties<'_>, now: Instant) -> Option<Instant> {
    let seconds = properties.message_expiry_interval()?;
    Some(now + Duration::from_secs(u64::from(seconds)))
}

/// The properties that go on to receivers unaltered and in order: all but topic alias, message expiry interval and
/// subscription identifier. [MQTT-3.3.2-17] [MQTT-3.3.2-18]
#[inline]
pub(crate) fn forwardable(properties: Properties<'_>) -> Cow<'_, [u8]> {
    if properties.is_empty() || properties.iter().all(|property| is_forwarded(&property)) {
        return Cow::Borrowed(properties.as_bytes());
    }
    let mut forwarded = PropertiesBuf::default();
    for property in properties.iter().filter(is_forwarded) {
        let pushed = forwarded.push(property);
        debug_assert!(pushed.is_ok(), "a decoded property can be encoded again");
    }
    Cow::Owned(forwarded.as_properties().as_bytes().to_vec())
}

fn is_forwarded(property: &Property<'_>) -> bool {
    matches!(
        property,
        Property::PayloadFormatIndicator(_)
            | Property::ContentType(_)
            | Property::ResponseTopic(_)
            | Property::CorrelationData(_)
            | Property::UserProperty(..)
    )
}
