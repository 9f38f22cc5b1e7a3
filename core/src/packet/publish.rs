//! PUBLISH. [MQTT 5.0, 3.3]

use super::{PacketId, Properties, QoS};

/// An application message on its way, in either direction. [MQTT 5.0, 3.3]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Publish<'a> {
    /// The topic name, without wildcards; empty only in 5.0 beside a topic alias.
    pub topic: &'a str,
    /// Any bytes.
    pub payload: &'a [u8],
    /// The QoS of this transmission.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// DUP: this may have been sent before.
    pub dup: bool,
    /// Present exactly when `qos` is 1 or 2. [MQTT-2.2.1-2] [MQTT-2.2.1-3]
    pub packet_id: Option<PacketId>,
    /// Empty before 5.0.
    pub properties: Properties<'a>,
}
