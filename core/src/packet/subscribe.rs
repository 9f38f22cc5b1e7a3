//! SUBSCRIBE, UNSUBSCRIBE and their acknowledgements. [MQTT 5.0, 3.8 to 3.11]

use super::{PacketId, Properties, QoS};
use crate::{reason::ReasonCode, topic::TopicFilter};
use alloc::vec::Vec;

/// A client asks for the messages that match some filters. [MQTT 5.0, 3.8]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subscribe<'a> {
    /// SUBACK carries the same.
    pub packet_id: PacketId,
    /// At least one. [MQTT-3.8.3-2]
    pub entries: Vec<SubscribeEntry<'a>>,
    /// Empty before 5.0.
    pub properties: Properties<'a>,
}

/// One filter of a SUBSCRIBE with its options.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SubscribeEntry<'a> {
    /// The filter, with its `$share/name/` if it has one.
    pub filter: TopicFilter<'a>,
    /// How to deliver what matches.
    pub options: SubscribeOptions,
}

/// How messages of one subscription are delivered. [MQTT 5.0, 3.8.3.1]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct SubscribeOptions {
    /// The highest QoS the client wants.
    pub qos: QoS,
    /// Do not deliver what the same client published. False before 5.0.
    pub no_local: bool,
    /// Keep the RETAIN flag of the published message. False before 5.0.
    pub retain_as_published: bool,
    /// What of the retained messages to send. `Send` before 5.0.
    pub retain_handling: RetainHandling,
}

/// Which retained messages a SUBSCRIBE brings. [MQTT 5.0, 3.8.3.1]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum RetainHandling {
    /// All that match. [MQTT-3.3.1-9]
    #[default]
    Send = 0,
    /// All that match, if there was no such subscription. [MQTT-3.3.1-10]
    SendIfNew = 1,
    /// None. [MQTT-3.3.1-11]
    DoNotSend = 2,
}

/// The answer to a SUBSCRIBE: one code for each filter, in order. [MQTT 5.0, 3.9]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SubAck<'a> {
    /// That of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// Granted QoS or failure; before 5.0 a failure stands as 0x80 on the wire.
    pub codes: ReasonCodes<'a>,
    /// Empty before 5.0.
    pub properties: Properties<'a>,
}

/// A client gives subscriptions up. [MQTT 5.0, 3.10]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unsubscribe<'a> {
    /// UNSUBACK carries the same.
    pub packet_id: PacketId,
    /// At least one. [MQTT-3.10.3-2]
    pub filters: Vec<TopicFilter<'a>>,
    /// Empty before 5.0.
    pub properties: Properties<'a>,
}

/// The answer to an UNSUBSCRIBE. [MQTT 5.0, 3.11]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnsubAck<'a> {
    /// That of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// One for each filter, in order; not on the wire before 5.0.
    pub codes: ReasonCodes<'a>,
    /// Empty before 5.0.
    pub properties: Properties<'a>,
}

/// The reason codes of a SUBACK or UNSUBACK, one byte each as on the wire.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ReasonCodes<'a>(pub &'a [u8]);

impl<'a> ReasonCodes<'a> {
    /// The codes in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = ReasonCode> + 'a {
        self.0.iter().map(|&code| ReasonCode(code))
    }
}
