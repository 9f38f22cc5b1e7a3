//! A message that the broker keeps, as all lists show it.

use super::{properties::MessageProperties, text::Qos, text::base64};
use sanderling_core::broker::MessageView;
use serde::Serialize;
use utoipa::ToSchema;

/// A message that the broker keeps.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Message {
    topic: String,
    /// The QoS that a retained message was published with, and others are delivered with.
    qos: Qos,
    retain: bool,
    /// How many bytes the payload has.
    payload_bytes: usize,
    /// The payload, or its beginning.
    payload_base64: String,
    /// Whether the payload is longer than what is here.
    payload_is_cut: bool,
    properties: MessageProperties,
    /// Seconds until it expires, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_s: Option<u32>,
    /// The packet identifier, if it is in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    packet_id: Option<u16>,
}

impl Message {
    /// Shows a message with up to so many bytes of its payload.
    pub(super) fn of(message: MessageView<'_>, payload_bytes_max: usize) -> Self {
        let len = message.payload.len();
        let shown = &message.payload[..len.min(payload_bytes_max)];
        Self {
            topic: message.topic.into(),
            qos: message.qos.into(),
            retain: message.retain,
            payload_bytes: len,
            payload_base64: base64(shown),
            payload_is_cut: shown.len() < len,
            properties: MessageProperties::of(message.properties),
            expires_in_s: message.expires_in_s,
            packet_id: message.packet_id,
        }
    }

    /// What it weighs in an answer, about.
    pub(super) fn weight(&self) -> usize {
        self.topic.len() + self.payload_base64.len() + self.properties.weight()
    }
}

/// A page of messages that weighs this much is not filled further.
const PAGE_WEIGHT_MAX: usize = 4 << 20;

/// Whether a page of messages is heavy enough.
pub(super) fn is_heavy(weight: usize) -> bool {
    weight >= PAGE_WEIGHT_MAX
}

/// How many messages may be looked at in one turn if so much of each payload is shown: a turn copies up to 1 MiB or one
/// message.
pub(super) fn piece_of(payload_bytes_max: usize) -> usize {
    ((1 << 20) / payload_bytes_max.max(1)).max(1)
}
