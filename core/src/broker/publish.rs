//! PUBLISH from a client: check, ask, acknowledge, store, route. [MQTT 5.0, 3.3 and 4.3]

use super::{
    Actions, Broker, Flow,
    consult::{self, Open, SoFar},
    form::{HEADERS_BYTES, PACKET_BYTES_MAX},
    permit::{self, Allowed, Judged},
    state::State,
};
use crate::{
    hooks::{Draft, Edit, HookSet, Refusal, Verdict},
    id::ConnId,
    message::{self, Incoming, Payload},
    packet::{ClientPacket, PacketId, PacketType, Publish, QoS, Version},
    reason::ReasonCode,
    topic,
};
use alloc::borrow::Cow;

const ALIAS_TOO_HIGH: Refusal = Refusal {
    reason: ReasonCode::TOPIC_ALIAS_INVALID,
    what: "a topic alias above the server's Topic Alias Maximum",
    rule: "MQTT-3.3.2-9",
};

const ALIAS_NOT_BOUND: Refusal = Refusal {
    reason: ReasonCode::PROTOCOL_ERROR,
    what: "a topic alias that no topic name was bound to on this connection",
    rule: "MQTT 5.0, 3.3.2.3.4",
};

const TOO_LARGE_WITH_NAME: Refusal = Refusal {
    reason: ReasonCode::PACKET_TOO_LARGE,
    what: "a PUBLISH that is longer than a packet can be with the topic name its alias stands for",
    rule: "MQTT 5.0, 2.1.4",
};

const TOO_MANY_UNACKNOWLEDGED: Refusal = Refusal {
    reason: ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
    what: "more unacknowledged messages than the server's Receive Maximum",
    rule: "MQTT-3.3.4-7",
};

const TOO_DEEP: Refusal = Refusal {
    reason: ReasonCode::TOPIC_NAME_INVALID,
    what: "a topic name with more levels than this server takes",
    rule: "limit topic_levels_max",
};

impl Broker {
    pub(super) fn on_publish(
        &mut self,
        conn: ConnId,
        publish: &Publish<'_>,
        actions: &mut Actions,
    ) -> Flow {
        if !publish.properties.is_empty()
            && let Some(alias) = publish.properties.topic_alias()
        {
            return self.on_aliased_publish(conn, alias, publish, actions);
        }
        self.on_named_publish(conn, publish, actions)
    }

    /// Puts the topic name in the place of the alias, or binds the alias to it.
    fn on_aliased_publish(
        &mut self,
        conn: ConnId,
        alias: u16,
        publish: &Publish<'_>,
        actions: &mut Actions,
    ) -> Flow {
        if alias > self.state.limits(conn).topic_alias_maximum {
            self.refuse(conn, ALIAS_TOO_HIGH, actions);
            return Flow::Continue;
        }
        let aliases = &mut self.state.session_of(conn).inbound_aliases;
        if !publish.topic.is_empty() {
            aliases.bind(alias, publish.topic.into());
            return self.on_named_publish(conn, publish, actions);
        }
        let Some(topic) = aliases.borrow(alias) else {
            self.refuse(conn, ALIAS_NOT_BOUND, actions);
            return Flow::Continue;
        };
        let bytes = topic.len() + publish.payload.len() + publish.properties.as_bytes().len();
        if bytes + HEADERS_BYTES > PACKET_BYTES_MAX as usize {
            self.refuse(conn, TOO_LARGE_WITH_NAME, actions);
            return Flow::Continue;
        }
        let named = Publish {
            topic: &topic,
            ..publish.clone()
        };
        let flow = self.on_named_publish(conn, &named, actions);
        if self.state.is_live(conn) {
            self.state
                .session_of(conn)
                .inbound_aliases
                .bind(alias, topic);
        }
        flow
    }

    /// A PUBLISH whose topic name is known.
    fn on_named_publish(
        &mut self,
        conn: ConnId,
        publish: &Publish<'_>,
        actions: &mut Actions,
    ) -> Flow {
        if let Some(packet_id) = self.state.repeats(conn, publish) {
            // [MQTT-4.3.3-10]
            let (packet, reason) = (PacketType::PubRec, ReasonCode::SUCCESS);
            self.state
                .send_ack(conn, packet, packet_id, reason, actions);
            return Flow::Continue;
        }
        if let Err(refusal) = self.state.check_publish(conn, publish) {
            self.refuse(conn, refusal, actions);
            return Flow::Continue;
        }
        if self.hooks.wants(HookSet::PUBLISH) || topic::is_server_topic(publish.topic) {
            return self.judge_publish(conn, publish, Edit::default(), 0, actions);
        }
        let message = incoming(publish, &self.state);
        let allowed = permit::unasked(&self.hooks, message);
        self.state.accept_publish(conn, publish, allowed, actions);
        Flow::Continue
    }

    /// Asks the hook sets from number `from` on, then takes or refuses the message. `edit` is what those before made of
    /// it.
    fn judge_publish(
        &mut self,
        conn: ConnId,
        publish: &Publish<'_>,
        edit: Edit,
        from: u16,
        actions: &mut Actions,
    ) -> Flow {
        if topic::is_server_topic(publish.topic) {
            let judged = Judged::Refused(ReasonCode::NOT_AUTHORIZED);
            return self.conclude_publish(conn, publish, edit, judged, actions);
        }
        if !self.hooks.wants(HookSet::PUBLISH) {
            return self.conclude_publish(conn, publish, edit, Judged::Permitted, actions);
        }
        let mut draft = Draft::new(publish, edit);
        let judged = self.ask_hooks(conn, |hooks, state, cx| {
            permit::publish(hooks, from, &state.client(conn), &mut draft, cx)
        });
        self.conclude_publish(conn, publish, draft.into_edit(), judged, actions)
    }

    fn conclude_publish(
        &mut self,
        conn: ConnId,
        publish: &Publish<'_>,
        edit: Edit,
        judged: Judged,
        actions: &mut Actions,
    ) -> Flow {
        match judged {
            Judged::Permitted => match self.state.edited(publish, &edit) {
                Ok(message) => {
                    let allowed = permit::permitted(judged, message);
                    self.state.accept_publish(conn, publish, allowed, actions);
                }
                Err(reason) => self.state.refuse_publish(conn, publish, reason, actions),
            },
            Judged::Refused(reason) => self.state.refuse_publish(conn, publish, reason, actions),
            Judged::Asked(hook) => {
                let version = self.state.live(conn).version;
                let so_far = SoFar {
                    edit,
                    ..SoFar::at(hook)
                };
                let packet = ClientPacket::Publish(publish.clone());
                let ticket = self.ask(conn, version, &packet, so_far, actions);
                self.state.live_mut(conn).held = Some(ticket);
                return Flow::Hold;
            }
        }
        Flow::Continue
    }

    /// The verdict on a PUBLISH.
    pub(super) fn on_publish_ruled(
        &mut self,
        open: &mut Open,
        publish: &Publish<'_>,
        verdict: Verdict,
        actions: &mut Actions,
    ) {
        let (conn, next) = (open.conn, open.next_hook());
        let mut draft = Draft::new(publish, core::mem::take(&mut open.edit));
        let judged = match verdict {
            Verdict::Replace(publication) => match draft.replace(*publication) {
                Ok(()) => Judged::Permitted,
                Err(_) => Judged::Refused(ReasonCode::TOPIC_NAME_INVALID),
            },
            verdict => consult::judged(verdict),
        };
        let edit = draft.into_edit();
        // Held again or not: `on_ruled` resumes reading only if not.
        let _ = match judged {
            Judged::Permitted => self.judge_publish(conn, publish, edit, next, actions),
            refused => self.conclude_publish(conn, publish, edit, refused, actions),
        };
    }
}

impl State {
    /// The identifier of a QoS 2 message that was taken already. [MQTT-4.3.3-10]
    fn repeats(&mut self, conn: ConnId, publish: &Publish<'_>) -> Option<PacketId> {
        if publish.qos != QoS::ExactlyOnce {
            return None;
        }
        let packet_id = publish.packet_id?;
        self.session_of(conn)
            .inbound
            .contains(packet_id)
            .then_some(packet_id)
    }

    fn check_publish(&mut self, conn: ConnId, publish: &Publish<'_>) -> Result<(), Refusal> {
        if topic::deeper_than(
            publish.topic,
            usize::from(self.config.limits.topic_levels_max),
        ) {
            return Err(TOO_DEEP);
        }
        // QoS 1 is acknowledged in the turn it comes, so only QoS 2 can pile up. Older clients are told of no maximum;
        // the number of packet identifiers bounds them.
        if publish.qos == QoS::ExactlyOnce && self.live(conn).version == Version::V5 {
            let receive_maximum = usize::from(self.limits(conn).receive_maximum.max(1));
            if self.session_of(conn).inbound.len() >= receive_maximum {
                return Err(TOO_MANY_UNACKNOWLEDGED);
            }
        }
        Ok(())
    }

    /// The message in a PUBLISH, with what hooks have made of it.
    fn edited<'a>(
        &self,
        publish: &Publish<'a>,
        edit: &'a Edit,
    ) -> Result<Incoming<'a>, ReasonCode> {
        let mut message = incoming(publish, self);
        if edit.is_empty() {
            return Ok(message);
        }
        let Edit {
            topic,
            payload,
            qos,
            retain,
            properties,
        } = edit;
        if let Some(topic) = topic {
            if topic::deeper_than(topic, usize::from(self.config.limits.topic_levels_max)) {
                return Err(ReasonCode::TOPIC_NAME_INVALID);
            }
            message.topic = topic;
        }
        if let Some(payload) = payload {
            message.payload = Payload::Shared(payload.clone());
        }
        if let Some(properties) = properties {
            let properties = properties.as_properties();
            message.expires = message::expiry(properties, self.now);
            message.properties = Cow::Owned(message::forwardable(properties).into_owned());
        }
        message.qos = qos.unwrap_or(message.qos);
        message.retain = retain.unwrap_or(message.retain);
        let bytes =
            message.topic.len() + message.properties.len() + message.payload.as_slice().len();
        match bytes + HEADERS_BYTES > PACKET_BYTES_MAX as usize {
            true => Err(ReasonCode::QUOTA_EXCEEDED),
            false => Ok(message),
        }
    }

    /// Acknowledges, stores and routes a message that is permitted.
    fn accept_publish(
        &mut self,
        conn: ConnId,
        publish: &Publish<'_>,
        message: Option<Allowed<Incoming<'_>>>,
        actions: &mut Actions,
    ) {
        if let (QoS::ExactlyOnce, Some(packet_id)) = (publish.qos, publish.packet_id) {
            self.session_of(conn).inbound.take(packet_id);
        }
        self.acknowledge(conn, publish, ReasonCode::SUCCESS, actions);
        if let Some(message) = message {
            let live = self.live(conn);
            let (origin, before) = (live.session, live.route);
            let mut hint = before;
            self.take_message(Some(origin), &mut hint, message, actions);
            if hint != before {
                self.live_mut(conn).route = hint;
            }
        }
    }

    /// Refuses a message: 5.0 clients read why, older ones get the usual acknowledgement. [MQTT-3.3.5-2]
    fn refuse_publish(
        &mut self,
        conn: ConnId,
        publish: &Publish<'_>,
        reason: ReasonCode,
        actions: &mut Actions,
    ) {
        let told = self.live(conn).version == Version::V5;
        let reason = if told {
            publish_refusal(reason)
        } else {
            ReasonCode::SUCCESS
        };
        if let (false, QoS::ExactlyOnce, Some(id)) = (told, publish.qos, publish.packet_id) {
            // The client goes on with PUBREL as if the message had been taken.
            self.session_of(conn).inbound.take(id);
        }
        self.acknowledge(conn, publish, reason, actions);
    }

    fn acknowledge(
        &mut self,
        conn: ConnId,
        publish: &Publish<'_>,
        reason: ReasonCode,
        actions: &mut Actions,
    ) {
        let Some(packet_id) = publish.packet_id else {
            return;
        };
        let packet = match publish.qos {
            QoS::AtMostOnce => return,
            QoS::AtLeastOnce => PacketType::PubAck,
            QoS::ExactlyOnce => PacketType::PubRec,
        };
        self.send_ack(conn, packet, packet_id, reason, actions);
    }

    /// The one door for messages from anywhere: stores what is to be retained, then routes. Returns the number of
    /// sessions it was sent to or queued for.
    pub(super) fn take_message(
        &mut self,
        origin: Option<u32>,
        hint: &mut u32,
        message: Allowed<Incoming<'_>>,
        actions: &mut Actions,
    ) -> u32 {
        let mut message = message.into_inner();
        if message.retain {
            self.retain(origin, &mut message);
        }
        self.route(origin, hint, &mut message, actions)
    }

    /// Stores a message that nobody is sent now. False if there is no room.
    pub(super) fn store(&mut self, message: Allowed<Incoming<'_>>) -> bool {
        self.retain(None, &mut message.into_inner())
    }

    /// False if there is no room. [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7]
    fn retain(&mut self, origin: Option<u32>, message: &mut Incoming<'_>) -> bool {
        let limits = &self.config.limits;
        self.retained.purge(self.now);
        let mut has_room = true;
        if message.payload.as_slice().is_empty() {
            self.retained.remove(message.topic);
        } else {
            let kept = message.keep();
            let former = self.retained.cost_bytes(message.topic);
            let bytes = self.retained.bytes() - former.unwrap_or(0) + kept.cost_bytes();
            let count = self.retained.len() + usize::from(former.is_none());
            has_room = count <= limits.retained_messages_max as usize
                && bytes <= limits.retained_bytes_max;
            if has_room {
                let publisher = origin.map_or(0, |number| self.sessions.fingerprint(number));
                self.retained.store(kept, publisher);
            } else {
                // None is better than one that is not the last.
                self.retained.remove(message.topic);
                self.statistics.retained_refused += 1;
            }
        }
        self.statistics.retained_current = u32::try_from(self.retained.len()).unwrap_or(u32::MAX);
        has_room
    }
}

/// The message in a PUBLISH; it borrows whatever the packet borrows.
#[inline]
pub(super) fn incoming<'a>(publish: &Publish<'a>, state: &State) -> Incoming<'a> {
    let properties = publish.properties;
    let (forwarded, expires) = match properties.is_empty() {
        true => (Cow::Borrowed(&[][..]), None),
        false => (
            message::forwardable(properties),
            message::expiry(properties, state.now),
        ),
    };
    Incoming {
        topic: publish.topic,
        payload: Payload::Borrowed(publish.payload),
        properties: forwarded,
        qos: publish.qos,
        retain: publish.retain,
        expires,
    }
}

/// The codes that PUBACK and PUBREC may carry. [MQTT-3.4.2-1] [MQTT-3.5.2-1]
fn publish_refusal(reason: ReasonCode) -> ReasonCode {
    match reason {
        ReasonCode::UNSPECIFIED_ERROR
        | ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
        | ReasonCode::NOT_AUTHORIZED
        | ReasonCode::TOPIC_NAME_INVALID
        | ReasonCode::QUOTA_EXCEEDED
        | ReasonCode::PAYLOAD_FORMAT_INVALID => reason,
        _ => ReasonCode::NOT_AUTHORIZED,
    }
}
