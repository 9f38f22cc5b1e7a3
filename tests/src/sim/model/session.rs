//! What a session holds, and what a message is. [MQTT 5.0, 4.1]

use super::time::Deadline;
use crate::sim::wire::Payload;
use sanderling_core::{
    id::ConnId,
    packet::{Properties, PropertiesBuf, Property, QoS, SubscribeOptions, Version},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// What a kept message weighs in the limits by bytes, beside its topic, properties and payload.
const OVERHEAD_BYTES: u64 = 96;

/// An application message that was accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Message {
    /// Its place in the order of acceptance.
    pub(super) order: u64,
    pub(super) topic: String,
    pub(super) payload: Payload,
    /// What is forwarded unaltered.
    pub(super) properties: PropertiesBuf,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    /// When it was accepted, and the interval it was given.
    pub(super) accepted_ms: u64,
    pub(super) expiry_s: Option<u32>,
    /// The client identifier of its publisher; none for the program around the broker.
    pub(super) publisher: Option<String>,
}

impl Message {
    pub(super) fn is_expired(&self, now_ms: u64) -> bool {
        self.expiry_s
            .is_some_and(|interval| self.accepted_ms + u64::from(interval) * 1000 <= now_ms)
    }

    /// What it counts for in the limits by bytes.
    pub(super) fn weight(&self) -> u64 {
        let properties = self.properties.as_properties().as_bytes();
        (self.topic.len() + self.payload.len() + properties.len()) as u64 + OVERHEAD_BYTES
    }
}

/// Messages in a queue, and what they count for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

impl Weight {
    pub(super) fn add(&mut self, message: &Message) {
        self.count += 1;
        self.bytes += message.weight();
    }
}

/// What of these properties is the receiver's business. [MQTT-3.3.2-17]
pub(super) fn forwarded(properties: Properties<'_>) -> PropertiesBuf {
    let mut forwarded = PropertiesBuf::new();
    for property in properties.iter() {
        let own = matches!(
            property,
            Property::MessageExpiryInterval(_)
                | Property::TopicAlias(_)
                | Property::SubscriptionIdentifier(_)
                | Property::WillDelayInterval(_)
        );
        if !own {
            forwarded.push(property).expect("it was decoded");
        }
    }
    forwarded
}

/// The sessions that share a subscription, from the first that joins until the last has left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Group {
    pub(super) filter: Rc<str>,
    /// Tells it from others that had the same filter before.
    pub(super) number: u64,
}

/// A message on its way to one session.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    pub(super) message: Rc<Message>,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    /// In ascending order; one that several subscriptions have stands several times. [MQTT 5.0, 3.3.4]
    pub(super) identifiers: Vec<u32>,
    /// What else these may be: another copy of the message looked the same to an older client that was sent one of them.
    pub(super) or_identifiers: Vec<Vec<u32>>,
    /// The session had no connection when it was routed.
    pub(super) was_away: bool,
    /// The group it was routed to.
    pub(super) shared: Option<Group>,
    /// It was routed in the present event.
    pub(super) is_new: bool,
}

impl Copy {
    pub(super) fn may_have(&self, identifiers: &Vec<u32>) -> bool {
        self.identifiers == *identifiers || self.or_identifiers.contains(identifiers)
    }
}

/// A QoS 1 or 2 message that the client has not acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) packet_id: u16,
    pub(super) copy: Copy,
    /// It was sent on the present connection.
    pub(super) is_sent_here: bool,
    pub(super) sent_ms: u64,
    /// It may have to be sent again, so the broker keeps it.
    pub(super) is_kept: bool,
}

/// A QoS 2 message between PUBREC and PUBCOMP.
#[derive(Clone, Debug)]
pub(super) struct Release {
    pub(super) packet_id: u16,
    /// Its PUBLISH was sent on the present connection.
    pub(super) is_sent_here: bool,
    pub(super) sent_ms: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) options: SubscribeOptions,
    pub(super) identifier: Option<u32>,
}

/// Retained messages that one SUBSCRIBE brings.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    pub(super) filter: String,
    pub(super) granted: QoS,
    pub(super) identifier: Option<u32>,
    pub(super) messages: Vec<Rc<Message>>,
}

#[derive(Clone, Debug)]
pub(super) struct Will {
    pub(super) topic: String,
    pub(super) payload: Payload,
    pub(super) properties: PropertiesBuf,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) delay_s: u32,
    pub(super) expiry_s: Option<u32>,
}

#[derive(Clone, Debug)]
pub(in super::super) struct Session {
    pub(super) version: Version,
    pub(super) conn: Option<ConnId>,
    /// Seconds; none for ever.
    pub(super) expiry_s: Option<u32>,
    /// When it ends, if nobody comes.
    pub(super) ends: Option<Deadline>,
    pub(super) subscriptions: BTreeMap<String, Subscription>,
    /// Messages not sent yet, in the order of acceptance.
    pub(super) owed: Vec<Copy>,
    pub(super) replays: Vec<Replay>,
    /// In the order of first sending.
    pub(super) inflight: Vec<Flight>,
    /// In the order of the PUBRECs.
    pub(super) releasing: Vec<Release>,
    /// Identifiers of QoS 2 messages from the client that await PUBREL.
    pub(super) inbound: BTreeSet<u16>,
    /// How much may be in flight.
    pub(super) inflight_max: usize,
    /// What the client took on its last connection.
    pub(super) packet_bytes_max: u32,
    /// The version and that of a connection that it had during this event and has no more.
    pub(super) former: Option<(Version, u32)>,
    pub(super) will: Option<Will>,
    /// When a will that waits is published.
    pub(super) will_due: Option<Deadline>,
    /// The last message delivered live, by publisher, topic and QoS.
    pub(super) last: BTreeMap<(Option<String>, String, QoS), u64>,
    /// First deliveries during this event.
    pub(super) delivered_now: Weight,
}

impl Session {
    pub(super) fn new(version: Version) -> Self {
        Self {
            version,
            conn: None,
            expiry_s: Some(0),
            ends: None,
            subscriptions: BTreeMap::new(),
            owed: Vec::new(),
            replays: Vec::new(),
            inflight: Vec::new(),
            releasing: Vec::new(),
            inbound: BTreeSet::new(),
            inflight_max: 1,
            packet_bytes_max: u32::MAX,
            former: None,
            will: None,
            will_due: None,
            last: BTreeMap::new(),
            delivered_now: Weight::default(),
        }
    }

    /// Ends a subscription and its replay. False if there is none.
    pub(super) fn unsubscribe(&mut self, filter: &str) -> bool {
        self.stop_replay(filter);
        self.subscriptions.remove(filter).is_some()
    }

    pub(super) fn stop_replay(&mut self, filter: &str) {
        self.replays.retain(|replay| replay.filter != filter);
    }

    /// True if nothing is owed to the client and nothing is under way.
    pub(in super::super) fn is_quiet(&self, now_ms: u64) -> bool {
        self.owed.is_empty()
            && !self.owes_retained(now_ms)
            && self.inflight.is_empty()
            && self.releasing.is_empty()
    }

    /// True if a retained message that has not expired is still to be sent.
    pub(super) fn owes_retained(&self, now_ms: u64) -> bool {
        let mut messages = self.replays.iter().flat_map(|replay| &replay.messages);
        messages.any(|message| !message.is_expired(now_ms))
    }

    /// QoS 1 and 2 messages that count against the window.
    pub(super) fn occupied(&self) -> usize {
        let sent = self
            .inflight
            .iter()
            .filter(|flight| flight.is_sent_here)
            .count();
        match self.version {
            Version::V5 => sent + self.releasing.len(),
            Version::V31 | Version::V311 => sent,
        }
    }

    /// Messages of an earlier connection that are to be sent again.
    pub(super) fn owes_again(&self) -> bool {
        self.inflight.iter().any(|flight| !flight.is_sent_here)
    }
}
