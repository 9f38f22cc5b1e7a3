//! PUBLISH packets in a row that differ in nothing but their payloads, as a publisher of many messages sends them.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "what follows a part of a slice is never longer than the slice, and a run has few packets"
)]

use crate::packet::{Properties, Publish, QoS, Version};
use alloc::string::String;

/// QoS 0, neither RETAIN nor DUP.
const FIRST_BYTE: u8 = 0x30;
/// Packets of one run.
const PACKETS_MAX: u32 = 64;
/// Bytes of one run.
const BYTES_MAX: usize = 8 << 10;

/// Whole PUBLISH packets, one behind the other: of QoS 0 to one topic, without RETAIN and without properties.
///
/// A run means no more and no less than its packets one by one. It is a faster way to hand them on: what is the same in
/// all of them is looked at once.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    topic: &'a str,
    bytes: &'a [u8],
    /// What stands between the fixed header and the payload.
    head_bytes: usize,
    count: u32,
    longest_bytes: u32,
}

impl<'a> Run<'a> {
    /// The topic name of all of them.
    #[inline]
    pub fn topic(&self) -> &'a str {
        self.topic
    }

    /// The packets as they were received.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many there are; at least one.
    #[inline]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The length of the longest one.
    #[inline]
    pub fn longest_bytes(&self) -> u32 {
        self.longest_bytes
    }

    /// The packets one by one, each with its length on the wire.
    pub fn packets(&self) -> impl Iterator<Item = (Publish<'a>, u32)> + use<'a> {
        let Self {
            topic,
            bytes: mut rest,
            head_bytes,
            ..
        } = *self;
        core::iter::from_fn(move || {
            let (body, after) = first_of(rest)?;
            let len = (rest.len() - after.len()) as u32;
            rest = after;
            let publish = Publish {
                topic,
                payload: body.get(head_bytes..)?,
                qos: QoS::AtMostOnce,
                retain: false,
                dup: false,
                packet_id: None,
                properties: Properties::EMPTY,
            };
            Some((publish, len))
        })
    }
}

/// The topic name that came last on a connection, if it is a short one, as it stands in a packet.
///
/// Most publishers publish to the same topic again and again. That a name is one need then be found out once.
#[derive(Clone, Debug)]
pub(super) struct KnownTopic {
    /// The two bytes of its length, the name, and the length of no properties. All of it is UTF-8, because the name is
    /// short.
    head: String,
}

impl KnownTopic {
    /// A longer one is not kept. Every length up to it is a character of one byte.
    const BYTES_MAX: usize = 64;
    const LENGTH_BYTES: usize = 2;
    const NO_PROPERTIES: char = '\0';

    pub(super) const fn none() -> Self {
        Self {
            head: String::new(),
        }
    }

    /// Whether these bytes are its name. An empty name is never known.
    #[inline]
    pub(super) fn is(&self, topic: &[u8]) -> bool {
        *topic == *self.name().as_bytes() && !topic.is_empty()
    }

    /// Keeps a topic name that was found to be one.
    pub(super) fn set(&mut self, topic: &str) {
        if let Ok(length @ 1..=64) = u8::try_from(topic.len()) {
            const { assert!(Self::BYTES_MAX == 64) };
            self.head.clear();
            self.head.push('\0');
            self.head.push(char::from(length));
            self.head.push_str(topic);
            self.head.push(Self::NO_PROPERTIES);
        }
    }

    /// The run that `bytes` begin with; none if they begin with anything else, which may well be a packet.
    #[inline]
    pub(super) fn run<'a>(
        &'a self,
        version: Version,
        bytes_max: u32,
        bytes: &'a [u8],
    ) -> Option<Run<'a>> {
        if bytes.first() != Some(&FIRST_BYTE) || self.head.is_empty() {
            return None;
        }
        let head = match version {
            Version::V5 => self.head.as_bytes(),
            Version::V31 | Version::V311 => self.head.as_bytes().split_last()?.1,
        };
        let bytes_max = BYTES_MAX.min(bytes_max as usize);
        let (mut count, mut longest_bytes, mut rest) = (0, 0, bytes);
        while count < PACKETS_MAX
            && let Some((body, after)) = first_of(rest)
            && body.starts_with(head)
            && bytes.len() - after.len() <= bytes_max
        {
            longest_bytes = longest_bytes.max(rest.len() - after.len());
            rest = after;
            count += 1;
        }
        let run = Run {
            topic: self.name(),
            bytes: bytes.get(..bytes.len() - rest.len())?,
            head_bytes: head.len(),
            count,
            longest_bytes: longest_bytes as u32,
        };
        (count > 0).then_some(run)
    }

    #[inline]
    pub(super) fn name(&self) -> &str {
        let end = self.head.len().saturating_sub(1);
        self.head.get(Self::LENGTH_BYTES..end).unwrap_or_default()
    }
}

/// What follows the fixed header of the first packet, and what follows the packet. None if it does not begin as one of
/// a run, is longer than those are, or is not there to its end.
#[inline(always)]
fn first_of(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    const MORE: u8 = 0x80;
    match bytes {
        [FIRST_BYTE, len @ 0..MORE, rest @ ..] => rest.split_at_checked(usize::from(*len)),
        // One that could be written in a byte less is left to the decoder, which knows what to say of it.
        [FIRST_BYTE, low, high @ 1..MORE, rest @ ..] => {
            let len = usize::from(low & !MORE) | usize::from(*high) << 7;
            rest.split_at_checked(len)
        }
        _ => None,
    }
}
