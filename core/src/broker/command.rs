//! What may be asked of the broker from outside MQTT, and its answers.

use super::{Actions, Broker, permit};
use crate::{
    hooks::End,
    message::{self, Incoming, Payload},
    packet::{PropertiesBuf, QoS},
    stats::Statistics,
    topic::{self, TopicError, TopicName},
};
use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};
use bytes::Bytes;

/// A request by the program around the broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Publish a message as if a client had; answered by `Published`, or by what is wrong with it.
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
    pub properties: PropertiesBuf,
}

impl Publication {
    /// A message of QoS 0 that is not retained.
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: PropertiesBuf::default(),
        }
    }

    /// The same with this QoS.
    #[must_use]
    pub fn qos(self, qos: QoS) -> Self {
        Self { qos, ..self }
    }

    /// The same, stored as the topic's retained message.
    #[must_use]
    pub fn retained(self) -> Self {
        Self {
            retain: true,
            ..self
        }
    }
}

/// What became of a command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The message was routed.
    Published {
        /// Copies that were sent or queued: one for each session, unless the delivery mode gives it several.
        receivers: u32,
    },
    /// The topic name is empty, too long, or has a wildcard or a U+0000 in it.
    InvalidTopic(TopicError),
    /// The topic name has more levels than [`topic_levels_max`](crate::config::Limits::topic_levels_max).
    TopicTooDeep,
    /// Topic, properties and payload together are longer than a packet can be: 268,435,455 bytes.
    TooLarge,
    /// The counters.
    Statistics(Box<Statistics>),
    /// Every connection was ordered to close.
    Drained,
}

/// Room for what stands in a PUBLISH beside topic, properties and payload: expiry and identifiers among it.
const PUBLISH_MARGIN_BYTES: usize = 256;
/// [MQTT 5.0, 2.1.4]
const REMAINING_LENGTH_MAX: usize = 268_435_455;

impl Broker {
    /// Carries out a request of the program around the broker, or of a hook.
    pub(super) fn on_command(&mut self, command: Command, actions: &mut Actions) -> Answer {
        match command {
            Command::Publish(publication) => self.publish(&publication, actions),
            Command::Statistics => Answer::Statistics(Box::new(self.state.statistics.clone())),
            Command::Drain => self.drain(actions),
        }
    }

    fn publish(&mut self, publication: &Publication, actions: &mut Actions) -> Answer {
        let topic = &*publication.topic;
        if let Err(error) = TopicName::parse(topic) {
            return Answer::InvalidTopic(error);
        }
        let levels_max = usize::from(self.state.config.limits.topic_levels_max);
        if topic::deeper_than(topic, levels_max) {
            return Answer::TopicTooDeep;
        }
        let properties = publication.properties.as_properties();
        let bytes = topic.len() + properties.as_bytes().len() + publication.payload.len();
        if bytes + PUBLISH_MARGIN_BYTES > REMAINING_LENGTH_MAX {
            return Answer::TooLarge;
        }
        let incoming = Incoming {
            topic,
            payload: Payload::Shared(publication.payload.clone()),
            properties: Cow::Owned(message::forwardable(properties).into_owned()),
            qos: publication.qos,
            retain: publication.retain,
            expires: message::expiry(properties, self.state.now),
        };
        let receivers = self
            .state
            .take_message(None, permit::command(incoming), actions);
        Answer::Published { receivers }
    }

    fn drain(&mut self, actions: &mut Actions) -> Answer {
        self.state.draining = true;
        let all: Vec<_> = self.state.connections.ids().collect();
        for conn in all {
            self.end(conn, End::Drained, actions);
        }
        Answer::Drained
    }
}
