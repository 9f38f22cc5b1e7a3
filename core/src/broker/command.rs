//! What may be asked of the broker from outside MQTT, and its answers.

use super::{Actions, Broker, permit, state::State, subscribe::cost_bytes};
use crate::{
    hooks::{End, SessionEnd},
    message::{self, Incoming, Payload},
    packet::{PropertiesBuf, QoS, SubscribeOptions, Version},
    reason::ReasonCode,
    session::{ByFilter, Subscription},
    stats::Statistics,
    topic::{self, TopicError, TopicFilter, TopicName},
};
use alloc::{boxed::Box, string::String, vec::Vec};
use bytes::Bytes;

/// A request by the program around the broker, or by a hook.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Publish a message as if a client had; answered by `Published`, or by what is wrong with it.
    Publish(Box<Publication>),
    /// Deliver a message to one session; it is not retained. Answered like `Publish`.
    PublishTo {
        /// Whose session. Without one nothing happens.
        client_id: Box<str>,
        /// The message.
        publication: Box<Publication>,
        /// Only if it has a subscription that matches, and as that asks for; else in any case, with the message's QoS.
        matching: bool,
    },
    /// Make subscriptions for a client, without asking or telling hooks and without retained messages. If it has no
    /// session they wait for its first one. Answered by `Subscribed`.
    Subscribe {
        /// Whose.
        client_id: Box<str>,
        /// Which.
        subscriptions: Vec<NewSubscription>,
    },
    /// End subscriptions of a client, without telling hooks. Answered by `Unsubscribed`.
    Unsubscribe {
        /// Whose.
        client_id: Box<str>,
        /// Which.
        filters: Filters,
    },
    /// Store a message as its topic's retained one, or remove that if the payload is empty; nobody is sent it now.
    /// Answered by `Retained`, or by what is wrong with it.
    Retain(Box<Publication>),
    /// Remove all retained messages. Answered by `Retained`.
    ClearRetained,
    /// Close a client's connection, for this reason; its will is published. Answered by `Closed`.
    Close {
        /// Whose.
        client_id: Box<str>,
        /// What a 5.0 client is told.
        reason: ReasonCode,
    },
    /// End a client's session, whatever its expiry, and its connection before. Answered by `Closed`.
    EndSession {
        /// Whose.
        client_id: Box<str>,
    },
    /// Report the counters; answered by `Statistics`.
    Statistics,
    /// Accept nobody any more, publish the wills of those connected, end every connection; answered by `Drained` at
    /// once. The connections end as their `Close` orders are obeyed.
    Drain,
}

/// A subscription that the program around the broker makes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewSubscription {
    /// The filter, shared or not.
    pub filter: Box<str>,
    /// Its options.
    pub options: SubscribeOptions,
    /// The subscription identifier; 0 for none.
    pub identifier: u32,
}

impl NewSubscription {
    /// A subscription without further options.
    pub fn new(filter: impl Into<Box<str>>, qos: QoS) -> Self {
        Self {
            filter: filter.into(),
            options: SubscribeOptions {
                qos,
                ..SubscribeOptions::default()
            },
            identifier: 0,
        }
    }
}

/// Subscriptions by their filters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Filters {
    /// Every one.
    All,
    /// Those with these filters.
    These(Vec<Box<str>>),
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
    /// For each subscription whether there was one with its filter already, or why it was not made.
    Subscribed(Vec<Result<bool, ReasonCode>>),
    /// For each filter that was named whether there was a subscription; for `All` one answer a subscription.
    Unsubscribed(Vec<bool>),
    /// The store is as it was asked for.
    Retained,
    /// There is no room for the message in the store; the topic's former one is removed.
    RetainedFull,
    /// Whether there was something to close or to end.
    Closed(bool),
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
            Command::PublishTo {
                client_id,
                publication,
                matching,
            } => self.publish_to(&client_id, &publication, matching, actions),
            Command::Subscribe {
                client_id,
                subscriptions,
            } => Answer::Subscribed(self.state.subscribe_for(&client_id, subscriptions)),
            Command::Unsubscribe { client_id, filters } => {
                Answer::Unsubscribed(self.state.unsubscribe_for(&client_id, filters))
            }
            Command::Retain(publication) => self.retain(&publication),
            Command::ClearRetained => {
                self.state.clear_retained();
                Answer::Retained
            }
            Command::Close { client_id, reason } => {
                Answer::Closed(self.close(&client_id, reason, actions))
            }
            Command::EndSession { client_id } => {
                Answer::Closed(self.end_session_of(&client_id, actions))
            }
            Command::Statistics => Answer::Statistics(Box::new(self.state.statistics.clone())),
            Command::Drain => self.drain(actions),
        }
    }

    fn publish(&mut self, publication: &Publication, actions: &mut Actions) -> Answer {
        let message = match self.state.message_of(publication) {
            Ok(message) => message,
            Err(answer) => return answer,
        };
        let receivers = self
            .state
            .take_message(None, &mut 0, permit::command(message), actions);
        Answer::Published { receivers }
    }

    fn publish_to(
        &mut self,
        client_id: &str,
        publication: &Publication,
        matching: bool,
        actions: &mut Actions,
    ) -> Answer {
        let message = match self.state.message_of(publication) {
            Ok(message) => message,
            Err(answer) => return answer,
        };
        let receivers = match self.state.sessions.find(client_id) {
            Some(number) => {
                let message = permit::command(message);
                self.state.route_to(number, message, matching, actions)
            }
            None => 0,
        };
        Answer::Published { receivers }
    }

    fn retain(&mut self, publication: &Publication) -> Answer {
        let mut message = match self.state.message_of(publication) {
            Ok(message) => message,
            Err(answer) => return answer,
        };
        message.retain = true;
        match self.state.store(permit::command(message)) {
            true => Answer::Retained,
            false => Answer::RetainedFull,
        }
    }

    fn close(&mut self, client_id: &str, reason: ReasonCode, actions: &mut Actions) -> bool {
        let found = self.state.sessions.find(client_id);
        let hot = found.map(|number| self.state.hot[number as usize]);
        match hot {
            Some(hot) if hot.online => {
                self.end(hot.conn, End::Closed(reason), actions);
                true
            }
            _ => false,
        }
    }

    fn end_session_of(&mut self, client_id: &str, actions: &mut Actions) -> bool {
        let mut was_connected = false;
        // Who waited for the session has it then, and must go as well.
        while self.close(client_id, ReasonCode::ADMINISTRATIVE_ACTION, actions) {
            was_connected = true;
        }
        let left = self.state.sessions.find(client_id);
        if let Some(number) = left {
            self.end_session(number, None, SessionEnd::Conflict, actions);
        }
        was_connected || left.is_some()
    }

    fn drain(&mut self, actions: &mut Actions) -> Answer {
        self.state.draining = true;
        let all: Vec<_> = self.state.connections.ids().collect();
        for conn in all {
            self.end(conn, End::Drained, actions);
        }
        self.tell_of_stop();
        Answer::Drained
    }
}

impl State {
    /// The message in a publication, or what is wrong with it.
    fn message_of<'a>(&self, publication: &'a Publication) -> Result<Incoming<'a>, Answer> {
        let topic = &*publication.topic;
        TopicName::parse(topic).map_err(Answer::InvalidTopic)?;
        let levels_max = usize::from(self.config.limits.topic_levels_max);
        if topic::deeper_than(topic, levels_max) {
            return Err(Answer::TopicTooDeep);
        }
        let properties = publication.properties.as_properties();
        let bytes = topic.len() + properties.as_bytes().len() + publication.payload.len();
        if bytes + PUBLISH_MARGIN_BYTES > REMAINING_LENGTH_MAX {
            return Err(Answer::TooLarge);
        }
        Ok(Incoming {
            topic,
            payload: Payload::Shared(publication.payload.clone()),
            properties: message::forwardable(properties),
            qos: publication.qos,
            retain: publication.retain,
            expires: message::expiry(properties, self.now),
        })
    }

    /// A session begins, with the subscriptions that the program has made for it before.
    pub(super) fn begin_session(&mut self, client_id: &str, version: Version) -> u32 {
        let number = self.create_session(client_id, version);
        let reserved = self.reserved.remove(client_id).unwrap_or_default();
        for (filter, one) in reserved.iter() {
            self.reserved_len -= 1;
            if let Ok(filter) = TopicFilter::parse(filter) {
                // What goes beyond the limits of one session was refused when it was made.
                let _ = self.add_subscription(number, filter, one.options, one.identifier);
            }
        }
        number
    }

    fn subscribe_for(
        &mut self,
        client_id: &str,
        subscriptions: Vec<NewSubscription>,
    ) -> Vec<Result<bool, ReasonCode>> {
        let session = self.sessions.find(client_id);
        let subscriptions = subscriptions.into_iter();
        subscriptions
            .map(|one| {
                let levels_max = usize::from(self.config.limits.topic_levels_max);
                let filter = TopicFilter::parse(&one.filter)
                    .ok()
                    .filter(|filter| !topic::deeper_than(filter.path(), levels_max))
                    .ok_or(ReasonCode::TOPIC_FILTER_INVALID)?;
                match session {
                    Some(number) => self
                        .add_subscription(number, filter, one.options, one.identifier)
                        .map(|is_new| !is_new),
                    None => self.reserve(client_id, cost_bytes(filter), one),
                }
            })
            .collect()
    }

    /// Keeps a subscription for a client that has no session.
    fn reserve(
        &mut self,
        client_id: &str,
        cost: u64,
        one: NewSubscription,
    ) -> Result<bool, ReasonCode> {
        let limits = &self.config.limits;
        let waiting = self.reserved.get(client_id);
        let len = waiting.map_or(0, ByFilter::len);
        let filters = waiting.into_iter().flat_map(ByFilter::filters);
        let filters = filters.filter_map(|filter| TopicFilter::parse(filter).ok());
        let bytes: u64 = filters.map(cost_bytes).sum();
        let is_full = self.reserved_len >= limits.reserved_subscriptions_max
            || client_id.len() > usize::from(limits.client_id_bytes_max)
            || len >= limits.subscriptions_per_session_max as usize
            || bytes + cost > limits.subscription_bytes_per_session_max;
        let subscription = Subscription {
            options: one.options,
            identifier: one.identifier,
            since_s: self.seconds(),
        };
        let was_there = waiting.is_some_and(|all| all.contains(&one.filter));
        if !was_there && is_full {
            return Err(ReasonCode::QUOTA_EXCEEDED);
        }
        let of_client = self.reserved.entry(client_id.into()).or_default();
        of_client.insert(&one.filter, subscription);
        self.reserved_len += u32::from(!was_there);
        Ok(was_there)
    }

    fn unsubscribe_for(&mut self, client_id: &str, filters: Filters) -> Vec<bool> {
        let Some(number) = self.sessions.find(client_id) else {
            return self.unreserve(client_id, filters);
        };
        let filters = match filters {
            Filters::These(filters) => filters,
            Filters::All => {
                let all = self.sessions.get(number).subscriptions.filters();
                all.map(Into::into).collect()
            }
        };
        let filters = filters.iter();
        filters
            .map(|filter| {
                let filter = TopicFilter::parse(filter);
                filter.is_ok_and(|filter| self.remove_subscription(number, filter))
            })
            .collect()
    }

    fn unreserve(&mut self, client_id: &str, filters: Filters) -> Vec<bool> {
        let Some(of_client) = self.reserved.get_mut(client_id) else {
            return match filters {
                Filters::All => Vec::new(),
                Filters::These(filters) => Vec::from_iter(filters.iter().map(|_| false)),
            };
        };
        let removed: Vec<bool> = match filters {
            Filters::All => core::mem::take(of_client).iter().map(|_| true).collect(),
            Filters::These(filters) => {
                let filters = filters.iter();
                filters
                    .map(|filter| of_client.remove(filter).is_some())
                    .collect()
            }
        };
        if of_client.is_empty() {
            self.reserved.remove(client_id);
        }
        self.reserved_len -= removed
            .iter()
            .map(|removed| u32::from(*removed))
            .sum::<u32>();
        removed
    }

    fn clear_retained(&mut self) {
        // What is left of an earlier time is dropped now; that happens only when the store is emptied twice in a moment.
        self.remains = self.retained.clear();
        self.statistics.retained_current = 0;
        self.wake_now();
    }
}
