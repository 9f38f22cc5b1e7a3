//! A client's message before it is taken: hooks may look at it, and make another of it.

use crate::{
    broker::Publication,
    packet::{Properties, PropertiesBuf, Publish, QoS},
    topic::{TopicError, TopicName},
};
use alloc::string::String;
use bytes::Bytes;

/// A PUBLISH as it came, and what hooks have changed of it. What is changed is what is stored and routed; the client is
/// acknowledged what it sent. Nothing is copied unless it is changed.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    packet: &'a Publish<'a>,
    edit: Edit,
}

/// What was changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edit {
    pub(crate) topic: Option<String>,
    pub(crate) payload: Option<Bytes>,
    pub(crate) qos: Option<QoS>,
    pub(crate) retain: Option<bool>,
    pub(crate) properties: Option<PropertiesBuf>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(packet: &'a Publish<'a>, edit: Edit) -> Self {
        Self { packet, edit }
    }

    pub(crate) fn into_edit(self) -> Edit {
        self.edit
    }

    /// The packet as it was received, with the topic name in the place of an alias.
    pub fn packet(&self) -> &'a Publish<'a> {
        self.packet
    }

    /// The topic name.
    pub fn topic(&self) -> &str {
        self.edit.topic.as_deref().unwrap_or(self.packet.topic)
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        self.edit.payload.as_deref().unwrap_or(self.packet.payload)
    }

    /// The QoS it is routed with.
    pub fn qos(&self) -> QoS {
        self.edit.qos.unwrap_or(self.packet.qos)
    }

    /// Whether it is stored as the topic's retained message.
    pub fn retain(&self) -> bool {
        self.edit.retain.unwrap_or(self.packet.retain)
    }

    /// Its 5.0 properties. Topic alias and subscription identifiers are not forwarded.
    pub fn properties(&self) -> Properties<'_> {
        match &self.edit.properties {
            Some(properties) => properties.as_properties(),
            None => self.packet.properties,
        }
    }

    /// Sends it to another topic.
    ///
    /// # Errors
    /// The topic name is not valid; nothing has changed.
    pub fn set_topic(&mut self, topic: impl Into<String>) -> Result<(), TopicError> {
        let topic = topic.into();
        TopicName::parse(&topic)?;
        self.edit.topic = Some(topic);
        Ok(())
    }

    /// Replaces the payload.
    pub fn set_payload(&mut self, payload: impl Into<Bytes>) {
        self.edit.payload = Some(payload.into());
    }

    /// Routes it with another QoS. The client's exchange goes on as it began.
    pub fn set_qos(&mut self, qos: QoS) {
        self.edit.qos = Some(qos);
    }

    /// Has it stored as the topic's retained message, or not.
    pub fn set_retain(&mut self, retain: bool) {
        self.edit.retain = Some(retain);
    }

    /// Replaces the properties.
    pub fn set_properties(&mut self, properties: PropertiesBuf) {
        self.edit.properties = Some(properties);
    }

    /// Puts another message in its place.
    ///
    /// # Errors
    /// Its topic name is not valid; nothing has changed.
    pub fn replace(&mut self, publication: Publication) -> Result<(), TopicError> {
        let Publication {
            topic,
            payload,
            qos,
            retain,
            properties,
        } = publication;
        self.set_topic(topic)?;
        self.edit.payload = Some(payload);
        self.edit.qos = Some(qos);
        self.edit.retain = Some(retain);
        self.edit.properties = Some(properties);
        Ok(())
    }
}

impl Edit {
    /// True if nothing was changed.
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            topic,
            payload,
            qos,
            retain,
            properties,
        } = self;
        topic.is_none()
            && payload.is_none()
            && qos.is_none()
            && retain.is_none()
            && properties.is_none()
    }
}
