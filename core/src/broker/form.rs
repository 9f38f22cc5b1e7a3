//! Forms: a message looks the same to all receivers of one form, so it is encoded once for all of them.

use super::{Actions, Frame};
use crate::{
    codec::{self, PublishForm},
    message::{self, Incoming, SHARED_PAYLOAD_BYTES_MIN},
    packet::{PacketId, Properties, QoS, Version},
    session::Identifiers,
    time::Instant,
};

/// What tells one form of a message from another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Form<'a> {
    pub(crate) v5: bool,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    /// The subscription identifiers it carries; only in 5.0.
    pub(crate) identifiers: &'a [u32],
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
    pub(crate) fn encoded(
        &mut self,
        form: Form<'_>,
        message: &mut Incoming<'_>,
        now: Instant,
        actions: &mut Actions,
    ) -> Encoded {
        debug_assert!(
            !form.dup,
            "a message that is routed is new to its receivers"
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
    let start = actions.arena().len();
    let packet_id_at = codec::put_publish(
        actions.arena(),
        &PublishForm {
            version: if form.v5 { Version::V5 } else { Version::V311 },
            topic: message.topic,
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
