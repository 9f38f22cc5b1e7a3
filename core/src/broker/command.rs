//! What may be asked of the broker from outside MQTT, and its answers.

use crate::{packet::QoS, stats::Statistics};
use alloc::{boxed::Box, string::String};
use bytes::Bytes;

/// A request by the program around the broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Publish a message as if a client had; answered by `Published` or `InvalidTopic`.
    Publish(Box<Publication>),
    /// Report the counters; answered by `Statistics`.
    Statistics,
    /// Accept nobody any more, publish the wills of those connected, end every connection; answered by `Drained` at
    /// once. The connections end as their `Close` orders are obeyed.
    Drain,
}

/// A message that the program around the broker publishes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Publication {
    /// The topic name, without wildcards.
    pub topic: String,
    /// Any bytes.
    pub payload: Bytes,
    /// The QoS it is published with.
    pub qos: QoS,
    /// Store it as the topic's retained message; with an empty payload, remove that.
    pub retain: bool,
    /// 5.0 properties of the message.
    pub properties: crate::packet::PropertiesBuf,
}

/// What became of a command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The message was routed to this many sessions.
    Published {
        /// Sessions it was sent to or queued for.
        receivers: u32,
    },
    /// The topic name is empty, too long, or has a wildcard or a U+0000 in it.
    InvalidTopic(crate::topic::TopicError),
    /// The counters.
    Statistics(Box<Statistics>),
    /// Every connection was ordered to close.
    Drained,
}
