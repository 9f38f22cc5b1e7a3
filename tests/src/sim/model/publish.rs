//! PUBLISH from a client, and every other way in which a message comes into the broker. [MQTT 5.0, 3.3, 4.3]

use super::{
    Judged, Model,
    consult::Subject,
    matching::{levels, matches},
    session::{Copy, Message, forwarded},
    share::shared_path,
    violated,
};
use crate::sim::{
    policy::Change,
    tally::Tally,
    wire::{Out, Payload, Turn, copy},
};
use sanderling_core::{
    broker::Publication,
    config::DeliveryMode,
    hooks::Ruling,
    id::ConnId,
    packet::{ClientPacket, PacketType, PropertiesBuf, Publish, QoS, SubscribeOptions, Version},
    reason::ReasonCode,
};
use std::rc::Rc;

impl Model {
    pub(super) fn on_publish(
        &mut self,
        id: ConnId,
        publish: &Publish<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let Some(alias) = publish.properties.topic_alias() else {
            return self.on_named_publish(id, publish, turn, tally);
        };
        tally.check("I20");
        if alias > self.conns[&id].limits.topic_alias_maximum {
            return self.refuse(id, &[ReasonCode::TOPIC_ALIAS_INVALID], turn, tally);
        }
        let aliases = &mut self.conn(id).aliases_in;
        if !publish.topic.is_empty() {
            aliases.insert(alias, publish.topic.to_owned());
            return self.on_named_publish(id, publish, turn, tally);
        }
        let Some(topic) = aliases.get(&alias).cloned() else {
            let reasons = [ReasonCode::PROTOCOL_ERROR, ReasonCode::TOPIC_ALIAS_INVALID];
            return self.refuse(id, &reasons, turn, tally);
        };
        tally.sometimes("a client uses an alias for a topic");
        let named = Publish {
            topic: &topic,
            ..publish.clone()
        };
        self.on_named_publish(id, &named, turn, tally)
    }

    fn on_named_publish(
        &mut self,
        id: ConnId,
        publish: &Publish<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let is_v5 = self.conn(id).version == Version::V5;
        let packet_id = publish.packet_id.map_or(0, |id| id.get());
        let session = self.session_of(id);
        if publish.qos == QoS::ExactlyOnce && session.inbound.contains(&packet_id) {
            // [MQTT-4.3.3-10]
            tally.check("I06");
            tally.sometimes("a QoS 2 message is repeated");
            return self.expect_ack(id, PacketType::PubRec, packet_id, Told::Success, turn);
        }
        let taken = session.inbound.len();
        if levels(publish.topic) > usize::from(self.config.limits.topic_levels_max) {
            return self.refuse(id, &[ReasonCode::TOPIC_NAME_INVALID], turn, tally);
        }
        let receive_maximum = usize::from(self.conns[&id].limits.receive_maximum.max(1));
        if is_v5 && publish.qos == QoS::ExactlyOnce && taken >= receive_maximum {
            tally.check("I17");
            tally.sometimes("a client exceeds our Receive Maximum");
            return self.refuse(id, &[ReasonCode::RECEIVE_MAXIMUM_EXCEEDED], turn, tally);
        }
        self.judge_publish(id, publish, 0, Draft::of(publish), turn, tally)
    }

    /// The first refusal is final.
    pub(super) fn judge_publish(
        &mut self,
        id: ConnId,
        publish: &Publish<'_>,
        from: u16,
        mut draft: Draft,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        if is_server_topic(publish.topic) {
            return self.refuse_publish(id, publish, turn, tally);
        }
        for hook in from..self.sets {
            if let Some(change) = self.policy.change(hook, publish) {
                tally.sometimes("a hook changes a message");
                draft.apply(change);
            }
            match self.policy.publish(hook, publish) {
                Ruling::Permit => {}
                Ruling::Refuse(_) => return self.refuse_publish(id, publish, turn, tally),
                Ruling::Ask => {
                    tally.sometimes("a PUBLISH in question");
                    let packet = ClientPacket::Publish(publish.clone());
                    let bytes = crate::sim::packets::encode(&packet, self.conn(id).version);
                    return self.open_ticket(id, hook, Subject::Publish(draft), bytes, turn);
                }
            }
        }
        if levels(&draft.topic) > usize::from(self.config.limits.topic_levels_max) {
            return self.refuse_publish(id, publish, turn, tally);
        }
        self.accept_publish(id, publish, draft, turn, tally)
    }

    fn accept_publish(
        &mut self,
        id: ConnId,
        publish: &Publish<'_>,
        draft: Draft,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let publisher = self.conn(id).client_id.clone();
        let packet_id = publish.packet_id.map_or(0, |id| id.get());
        match publish.qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => {
                self.expect_ack(id, PacketType::PubAck, packet_id, Told::Success, turn)?;
            }
            QoS::ExactlyOnce => {
                self.session_of(id).inbound.insert(packet_id);
                self.expect_ack(id, PacketType::PubRec, packet_id, Told::Success, turn)?;
            }
        }
        tally.check("R01");
        let properties = draft.properties.as_properties();
        let message = Message {
            order: 0,
            topic: draft.topic,
            payload: draft.payload,
            properties: forwarded(properties),
            qos: draft.qos,
            retain: draft.retain,
            accepted_ms: self.now_ms,
            expiry_s: properties.message_expiry_interval(),
            publisher: Some(publisher),
        };
        self.accept(message, tally)?;
        Ok(())
    }

    /// 5.0 clients read why, older ones get the usual acknowledgement. [MQTT-3.3.5-2]
    pub(super) fn refuse_publish(
        &mut self,
        id: ConnId,
        publish: &Publish<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        tally.check("I43");
        let is_v5 = self.conn(id).version == Version::V5;
        let told = if is_v5 { Told::Error } else { Told::Success };
        let packet_id = publish.packet_id.map_or(0, |id| id.get());
        match publish.qos {
            QoS::AtMostOnce => Ok(()),
            QoS::AtLeastOnce => self.expect_ack(id, PacketType::PubAck, packet_id, told, turn),
            QoS::ExactlyOnce => {
                if !is_v5 {
                    self.session_of(id).inbound.insert(packet_id);
                }
                self.expect_ack(id, PacketType::PubRec, packet_id, told, turn)
            }
        }
    }

    /// A message is accepted: stored if it is to be retained, and owed to everybody whose subscription matches.
    /// Returns how many copies that makes.
    pub(super) fn accept(&mut self, message: Message, tally: &mut Tally) -> Judged<usize> {
        let message = self.number(message);
        if message.retain {
            self.retain(&message, tally)?;
        }
        let mut copies = 0;
        let client_ids: Vec<_> = self.sessions.keys().cloned().collect();
        for client_id in client_ids {
            copies += self.owe(&client_id, &message, tally);
        }
        copies += self.float(&message, tally);
        Ok(copies)
    }

    /// [MQTT-3.3.1-5] [MQTT-3.3.1-6]
    pub(super) fn retain(&mut self, message: &Rc<Message>, tally: &mut Tally) -> Judged {
        tally.check("I31");
        let topic = &message.topic;
        let is_refused = !message.payload.is_empty() && !self.has_room_to_retain(message);
        if is_refused {
            self.retained_refused += 1;
            tally.sometimes("a message cannot be retained");
        }
        if !self.replaced_late.contains(topic) {
            self.stop_replays_of(topic);
        }
        if message.payload.is_empty() || is_refused {
            // None is better than one that is not the last.
            self.retained.remove(topic);
        } else {
            self.retained.insert(topic.clone(), Rc::clone(message));
        }
        Ok(())
    }

    /// What is replaced is not sent to anybody any more.
    pub(super) fn stop_replays_of(&mut self, topic: &str) {
        for session in self.sessions.values_mut() {
            for replay in &mut session.replays {
                replay.messages.retain(|old| old.topic != *topic);
            }
        }
    }

    /// Makes the copies that one session is owed. [MQTT-3.3.4-2] [MQTT-3.3.4-3]
    fn owe(&mut self, client_id: &str, message: &Rc<Message>, tally: &mut Tally) -> usize {
        let is_own = message.publisher.as_deref() == Some(client_id);
        let session = self.session(client_id);
        let mut matching: Vec<_> = Vec::new();
        for (filter, subscription) in &session.subscriptions {
            tally.check("I40");
            if shared_path(filter).is_some() {
                continue;
            }
            if !matches(filter, &message.topic) {
                continue;
            }
            if is_own && subscription.options.no_local {
                tally.check("I14");
                continue;
            }
            matching.push((subscription.options, subscription.identifier));
        }
        if matching.len() > 1 {
            tally.check("I15");
        }
        self.owe_copies(client_id, message, matching)
    }

    /// The copies for these subscriptions: one for all, or one for each.
    pub(super) fn owe_copies(
        &mut self,
        client_id: &str,
        message: &Rc<Message>,
        matching: Vec<(SubscribeOptions, Option<u32>)>,
    ) -> usize {
        let mode = self.config.delivery_mode;
        let session = self.session(client_id);
        let groups: Vec<Vec<(SubscribeOptions, Option<u32>)>> = match mode {
            _ if matching.is_empty() => return 0,
            DeliveryMode::OnlyOnce => vec![matching],
            DeliveryMode::Overlap => matching.into_iter().map(|one| vec![one]).collect(),
        };
        let copies = groups.len();
        for group in groups {
            let granted = group
                .iter()
                .map(|(options, _)| options.qos)
                .max()
                .unwrap_or_default();
            let keeps_retain = group.iter().any(|(options, _)| options.retain_as_published);
            let mut identifiers: Vec<_> = group.iter().filter_map(|(_, id)| *id).collect();
            identifiers.sort_unstable();
            let copy = Copy {
                message: Rc::clone(message),
                qos: message.qos.min(granted),
                retain: message.retain && keeps_retain,
                identifiers,
                or_identifiers: Vec::new(),
                was_away: session.conn.is_none(),
                is_new: true,
                shared: None,
            };
            session.owed.push(copy);
        }
        copies
    }

    /// The next packet to the connection acknowledges this identifier.
    pub(super) fn expect_ack(
        &mut self,
        id: ConnId,
        packet: PacketType,
        packet_id: u16,
        told: Told,
        turn: &mut Turn,
    ) -> Judged {
        let version = self.conn(id).version;
        match turn.take(id) {
            Some(Out::Ack {
                packet: sent,
                packet_id: about,
                reason,
            }) if sent == packet && about == packet_id && told.allows(version, reason) => Ok(()),
            other => violated!(
                "R01",
                "{id} is owed {packet} {packet_id} ({told:?}) and gets {other:?}"
            ),
        }
    }
}

/// A client's message, and what hooks have made of it so far.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    topic: String,
    payload: Payload,
    qos: QoS,
    retain: bool,
    properties: PropertiesBuf,
}

impl Draft {
    fn of(publish: &Publish<'_>) -> Self {
        Self {
            topic: publish.topic.to_owned(),
            payload: publish.payload.into(),
            qos: publish.qos,
            retain: publish.retain,
            properties: copy(publish.properties),
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Topic(topic) => self.topic = topic.to_owned(),
            Change::Payload(payload) => self.payload = payload[..].into(),
            Change::QoS(qos) => self.qos = qos,
            Change::Retain(retain) => self.retain = retain,
            Change::All(publication) => self.replace(&publication),
        }
    }

    /// Another message takes its place.
    pub(super) fn replace(&mut self, publication: &Publication) {
        *self = Self {
            topic: publication.topic.clone(),
            payload: publication.payload[..].into(),
            qos: publication.qos,
            retain: publication.retain,
            properties: publication.properties.clone(),
        };
    }
}

/// What an acknowledgement says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Told {
    Success,
    Error,
    /// 0x92, which only 5.0 can say.
    NotFound,
}

impl Told {
    fn allows(self, version: Version, reason: ReasonCode) -> bool {
        match self {
            Self::Success => !reason.is_error(),
            Self::Error => reason.is_error(),
            Self::NotFound if version == Version::V5 => {
                reason == ReasonCode::PACKET_IDENTIFIER_NOT_FOUND
            }
            Self::NotFound => reason == ReasonCode::SUCCESS,
        }
    }
}

/// Topics that only the server writes.
pub(super) fn is_server_topic(topic: &str) -> bool {
    topic.starts_with("$SYS/") || topic.starts_with("$CONTROL/")
}
