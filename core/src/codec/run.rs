//! PUBLISH packets in a row that differ in nothing but their payloads, as a publisher of many messages sends them.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "what follows a part of a slice is never longer than the slice, and a run has few packets"
)]

use crate::packet::{PacketId, PacketType, Properties, Publish, QoS, Version};
use alloc::string::String;
use core::ops::Range;

/// Packets of one run.
const PACKETS_MAX: u32 = 64;
/// The length of a topic name is written before it.
const LENGTH_BYTES: usize = 2;
/// Bytes of one run.
const BYTES_MAX: usize = 8 << 10;

/// Whole PUBLISH packets, one behind the other: of one QoS to one topic, without RETAIN, DUP and properties. Their packet
/// identifiers ascend, so no two are the same.
///
/// A run means no more and no less than its packets one by one. It is a faster way to hand them on: what is the same in
/// all of them is looked at once.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    topic: &'a str,
    bytes: &'a [u8],
    qos: QoS,
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

    /// The QoS of all of them.
    #[inline]
    pub fn qos(&self) -> QoS {
        self.qos
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
        let run = *self;
        self.bodies().map_while(move |(at, body)| {
            let publish = Publish {
                topic: run.topic,
                payload: body.get(run.head_bytes..)?,
                qos: run.qos,
                retain: false,
                dup: false,
                packet_id: match run.qos {
                    QoS::AtMostOnce => None,
                    QoS::AtLeastOnce | QoS::ExactlyOnce => {
                        packet_id(body.get(LENGTH_BYTES + run.topic.len()..)?)
                    }
                },
                properties: Properties::EMPTY,
            };
            Some((publish, (at.end - at.start) as u32))
        })
    }

    /// The packet identifiers, each with its place in [`bytes`](Self::bytes); none in QoS 0.
    #[inline]
    pub fn packet_ids(&self) -> impl Iterator<Item = (usize, PacketId)> + use<'a> {
        let name_bytes = LENGTH_BYTES + self.topic.len();
        let bodies = match self.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Some(self.bodies()),
        };
        let bodies = bodies.into_iter().flatten();
        bodies.filter_map(move |(at, body)| {
            let id = packet_id(body.get(name_bytes..)?)?;
            Some((at.end - body.len() + name_bytes, id))
        })
    }

    /// What follows the fixed header of each, and where the packet stands.
    #[inline]
    fn bodies(&self) -> impl Iterator<Item = (Range<usize>, &'a [u8])> + use<'a> {
        let (bytes, first) = (self.bytes, first_byte(self.qos));
        let mut rest = bytes;
        core::iter::from_fn(move || {
            let (body, after) = first_of(rest, first)?;
            let at = bytes.len() - rest.len()..bytes.len() - after.len();
            rest = after;
            Some((at, body))
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
        let &first = bytes.first()?;
        if first == first_byte(QoS::AtLeastOnce) || first == first_byte(QoS::ExactlyOnce) {
            return self.run_with_identifiers(first, version, bytes_max, bytes);
        }
        if first != first_byte(QoS::AtMostOnce) {
            return None;
        }
        let (_, name) = self.head.as_bytes().split_last()?;
        let head = match version {
            Version::V5 => self.head.as_bytes(),
            Version::V31 | Version::V311 => name,
        };
        let is_one = |body: &[u8]| body.starts_with(head);
        let extent = Extent::of(first_byte(QoS::AtMostOnce), bytes_max, bytes, is_one)?;
        Some(extent.run(QoS::AtMostOnce, self.name(), head.len()))
    }

    /// The same for packets of QoS 1 or 2.
    #[inline(never)]
    fn run_with_identifiers<'a>(
        &'a self,
        first: u8,
        version: Version,
        bytes_max: u32,
        bytes: &'a [u8],
    ) -> Option<Run<'a>> {
        let (_, name) = self.head.as_bytes().split_last()?;
        let (mut last, is_v5) = (0, version == Version::V5);
        let is_one = |body: &[u8]| {
            let Some(&[high, low, ref rest @ ..]) = body.strip_prefix(name) else {
                return false;
            };
            let id = u16::from_be_bytes([high, low]);
            let ascends = id > core::mem::replace(&mut last, id);
            ascends && (!is_v5 || rest.first() == Some(&0))
        };
        let extent = Extent::of(first, bytes_max, bytes, is_one)?;
        let qos = match first == first_byte(QoS::AtLeastOnce) {
            true => QoS::AtLeastOnce,
            false => QoS::ExactlyOnce,
        };
        let head_bytes = name.len() + size_of::<PacketId>() + usize::from(is_v5);
        Some(extent.run(qos, self.name(), head_bytes))
    }

    #[inline]
    pub(super) fn name(&self) -> &str {
        let end = self.head.len().saturating_sub(1);
        self.head.get(LENGTH_BYTES..end).unwrap_or_default()
    }
}

/// How far a run goes.
struct Extent<'a> {
    bytes: &'a [u8],
    count: u32,
    longest_bytes: usize,
}

impl<'a> Extent<'a> {
    /// Packets with this first byte whose rest is as it should be; none if there is not one.
    #[inline(always)]
    fn of(
        first: u8,
        bytes_max: u32,
        bytes: &'a [u8],
        mut is_one: impl FnMut(&[u8]) -> bool,
    ) -> Option<Self> {
        let bytes_max = BYTES_MAX.min(bytes_max as usize);
        let (mut count, mut longest_bytes, mut rest) = (0, 0, bytes);
        while count < PACKETS_MAX
            && let Some((body, after)) = first_of(rest, first)
            && bytes.len() - after.len() <= bytes_max
            && is_one(body)
        {
            longest_bytes = longest_bytes.max(rest.len() - after.len());
            rest = after;
            count += 1;
        }
        let bytes = bytes.get(..bytes.len() - rest.len())?;
        (count > 0).then_some(Self {
            bytes,
            count,
            longest_bytes,
        })
    }

    #[inline(always)]
    fn run(self, qos: QoS, topic: &'a str, head_bytes: usize) -> Run<'a> {
        Run {
            topic,
            bytes: self.bytes,
            qos,
            head_bytes,
            count: self.count,
            longest_bytes: self.longest_bytes as u32,
        }
    }
}

/// The first byte of a PUBLISH without RETAIN and DUP.
#[inline(always)]
const fn first_byte(qos: QoS) -> u8 {
    (PacketType::Publish as u8) << 4 | (qos as u8) << 1
}

#[inline(always)]
fn packet_id(bytes: &[u8]) -> Option<PacketId> {
    PacketId::new(u16::from_be_bytes(*bytes.first_chunk()?))
}

/// What follows the fixed header of the first packet, and what follows the packet. None if it does not begin as one of
/// a run, is longer than those are, or is not there to its end.
#[inline(always)]
fn first_of(bytes: &[u8], first: u8) -> Option<(&[u8], &[u8])> {
    const MORE: u8 = 0x80;
    match bytes {
        [begin, len @ 0..MORE, rest @ ..] if *begin == first => {
            rest.split_at_checked(usize::from(*len))
        }
        // One that could be written in a byte less is left to the decoder, which knows what to say of it.
        [begin, low, high @ 1..MORE, rest @ ..] if *begin == first => {
            let len = usize::from(low & !MORE) | usize::from(*high) << 7;
            rest.split_at_checked(len)
        }
        _ => None,
    }
}
