//! Forms: a message looks the same to all receivers of one form, so it is encoded once for all of them.

use super::{Actions, Frame};
use crate::{
    codec::{self, PublishForm},
    message::{self, Incoming, SHARED_PAYLOAD_BYTES_MIN},
    packet::{PacketId, Properties, QoS, Version},
    session::Identifiers,
    time::Instant,
};

/// The longest packet that MQTT can express. [MQTT 5.0, 2.1.4]
pub(crate) const PACKET_BYTES_MAX: u32 = 5 + 268_435_455;
/// No less than what a PUBLISH holds beside topic, properties, identifiers and payload.
pub(crate) const HEADERS_BYTES: usize = 64;

/// What tells one form of a message from another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Form<'a> {
    pub(crate) v5: bool,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    /// The subscription identifiers it carries; only in 5.0.
    pub(crate) identifiers: &'a [u32],
    pub(crate) alias: Alias,
}

/// The topic alias of one receiver. [MQTT 5.0, 3.3.2.3.4]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Alias {
    /// The topic name alone.
    #[default]
    None,
    /// The topic name, and the alias that stands for it from now on.
    Binds(u16),
    /// Only the alias.
    Replaces(u16),
}

/// One form, encoded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) frame: Frame,
    pub(crate) packet_id_at: u32,
    /// The length of the packet, tail and all.
    pub(crate) bytes: u32,
}

/// The forms of the message that is being routed.
#[derive(Debug, Default)]
pub(crate) struct Forms {
    /// One bit for each of `plain` that holds a form of this message.
    filled: u16,
    /// Those without identifiers: version, RETAIN and QoS give the place.
    plain: [Encoded; 12],
    /// The last one with identifiers.
    tagged: Option<(usize, Identifiers, Encoded)>,
}

impl Forms {
    /// Forgets the last message.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        self.tagged = None;
    }

    /// The form of `message`, encoded now if it was not before.
    #[inline]
    pub(crate) fn encoded(
        &mut self,
        form: Form<'_>,
        message: &mut Incoming<'_>,
        now: Instant,
        actions: &mut Actions,
    ) -> Encoded {
        debug_assert!(
            !form.dup && form.alias == Alias::None,
            "a form is the same for many receivers, to whom the message is new"
        );
        let place = usize::from(form.v5) * 6 + usize::from(form.retain) * 3 + form.qos as usize;
        if form.identifiers.is_empty() {
            if self.filled & (1 << place) == 0 {
                self.plain[place] = encode(form, message, now, actions);
                self.filled |= 1 << place;
            }
            return self.plain[place];
        }
        if let Some((at, identifiers, encoded)) = &self.tagged
            && *at == place
            && **identifiers == *form.identifiers
        {
            return *encoded;
        }
        let encoded = encode(form, message, now, actions);
        self.tagged = Some((place, Identifiers::from_slice(form.identifiers), encoded));
        encoded
    }
}

/// Encodes one form into the arena. A large payload is shared instead of copied.
pub(crate) fn encode(
    form: Form<'_>,
    message: &mut Incoming<'_>,
    now: Instant,
    actions: &mut Actions,
) -> Encoded {
    let payload_bytes = message.payload.as_slice().len();
    let tail = (payload_bytes >= SHARED_PAYLOAD_BYTES_MIN).then(|| message.payload.share());
    let (topic, topic_alias) = match form.alias {
        Alias::None => (message.topic, None),
        Alias::Binds(alias) => (message.topic, Some(alias)),
        Alias::Replaces(alias) => ("", Some(alias)),
    };
    let variable_parts = message.topic.len() + message.properties.len() + payload_bytes;
    if variable_parts + form.identifiers.len() * 5 + HEADERS_BYTES > PACKET_BYTES_MAX as usize {
        // As large as can be received, and larger with what the broker adds.
        return Encoded {
            bytes: u32::MAX,
            ..Encoded::default()
        };
    }
    let start = actions.arena().len();
    let packet_id_at = codec::put_publish(
        actions.arena(),
        &PublishForm {
            version: if form.v5 { Version::V5 } else { Version::V311 },
            topic,
            topic_alias,
            payload: if tail.is_some() {
                &[]
            } else {
                message.payload.as_slice()
            },
            payload_bytes,
            qos: form.qos,
            retain: form.retain,
            dup: form.dup,
            // The driver writes each receiver's own over it.
            packet_id: (form.qos != QoS::AtMostOnce).then_some(PacketId::MIN),
            properties: Properties::from_validated(&message.properties),
            message_expiry_interval: message::remaining_expiry_s(message.expires, now),
            subscription_identifiers: form.identifiers,
        },
    );
    let tail_bytes = tail.as_ref().map_or(0, |tail| tail.len() as u32);
    let frame = actions.frame(start, tail);
    let packet_id_at = packet_id_at as u32;
    Encoded {
        frame,
        packet_id_at,
        bytes: frame.arena_len() + tail_bytes,
    }
}
