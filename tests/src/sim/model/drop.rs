//! What is lost is lost for a reason that holds, and the policy says what goes first.

use super::{
    Judged, Model,
    session::{Copy, Replay, Session, Weight},
    violated,
};
use crate::sim::{
    policy::{Heard, Lost},
    tally::Tally,
    wire::Turn,
};
use sanderling_core::{
    config::Limits,
    hooks::DropCause,
    packet::{PacketId, Publish, QoS, ServerPacket, Version},
};

impl Model {
    /// Accounts for every message that hooks hear is lost. Returns how many of them were new.
    pub(super) fn match_drops(&mut self, turn: &mut Turn, tally: &mut Tally) -> Judged<usize> {
        let mut lost = 0;
        for heard in std::mem::take(&mut turn.heard) {
            let Heard::Dropped(drop) = heard else {
                continue;
            };
            self.dropped[drop.qos as usize] += 1;
            let found = if drop.shared {
                self.take_shared_drop(&drop, tally)?
            } else if !self.has_ended(&drop.client_id) {
                self.take_own_drop(&drop, tally)?
            } else if let Some(copy) = self.take_drop_of_next(&drop, tally)? {
                Some(copy)
            } else {
                // What a session loses on its last day is gone with it in any case.
                continue;
            };
            let Some(copy) = found else {
                let owed = self.sessions.get(&drop.client_id).map(|one| &one.owed);
                violated!("I03", "{drop:?} for no such reason; owed {owed:?}");
            };
            lost += usize::from(copy.is_new);
        }
        Ok(lost)
    }

    /// Takes a copy that the session has lost which followed one that ended in this event.
    fn take_drop_of_next(&mut self, drop: &Lost, tally: &mut Tally) -> Judged<Option<Copy>> {
        match self.sessions.contains_key(&drop.client_id) {
            true => self.take_own_drop(drop, tally),
            false => Ok(None),
        }
    }

    /// Takes a copy that its session has lost.
    fn take_own_drop(&mut self, drop: &Lost, tally: &mut Tally) -> Judged<Option<Copy>> {
        tally.check("I03");
        tally_cause(drop.why, tally);
        if !self.sessions.contains_key(&drop.client_id) {
            violated!("I03", "{drop:?}, though there is no such session");
        }
        let now_ms = self.now_ms;
        let queues_qos0 = self.config.queue_qos0;
        let is_output_full = self.is_output_full(&drop.client_id);
        let may_be_full = self.may_be_full(&drop.client_id);
        let is_in_vain = self.is_in_vain(&drop.client_id);
        let others = self.weight_of_others(&drop.client_id);
        let limits = self.config.limits.clone();
        let session = self.session(&drop.client_id);
        let is_away = session.conn.is_none();
        Ok(match drop.why {
            DropCause::QueueFull if !may_be_full => None,
            // Nothing is lost for what is lost itself.
            DropCause::QueueFull if is_in_vain => {
                session.take(drop, |copy| is_hopeless(copy, &limits, others))
            }
            DropCause::QueueFull => session.take_victim(drop, &limits, others),
            DropCause::Expired => session.take(drop, |copy| copy.message.is_expired(now_ms)),
            DropCause::Away => session.take(drop, |copy| {
                copy.qos == QoS::AtMostOnce
                    && copy.is_new
                    && (copy.was_away || is_away)
                    && !queues_qos0
            }),
            DropCause::SlowReader => session.take(drop, |copy| {
                copy.qos == QoS::AtMostOnce && copy.is_new && (is_output_full || is_away)
            }),
            DropCause::TooLarge => session.take_too_large(drop, now_ms),
            DropCause::SessionEnded => None,
        })
    }

    /// Takes a message of a group that one of its members has lost: it stood in its queue, was to be sent to it, or in
    /// flight.
    fn take_shared_drop(&mut self, drop: &Lost, tally: &mut Tally) -> Judged<Option<Copy>> {
        tally.check("I45");
        tally_cause(drop.why, tally);
        let now_ms = self.now_ms;
        let client_id = &*drop.client_id;
        if drop.why == DropCause::SessionEnded {
            if !self.has_ended(client_id) {
                violated!("I45", "{drop:?}, though the session has not ended");
            }
            let mut abandoned = self.abandoned.iter();
            let begun = abandoned.position(|(whose, copy)| whose == client_id && drop.is(copy));
            if let Some(at) = begun {
                return Ok(Some(self.abandoned.remove(at).1));
            }
            let unwanted = |copy: &Copy| drop.is(copy) && !self.is_wanted(copy);
            let found = self.find_floating(client_id, unwanted);
            return Ok(found.map(|found| self.take_found(found)));
        }
        let has_reason = |session: &Session, copy: &Copy| match drop.why {
            DropCause::QueueFull => {
                let mut owed = session.owed.iter();
                let has_qos0 = owed.any(|copy| copy.qos == QoS::AtMostOnce && !copy.is_new);
                let is_next = copy.qos == QoS::AtMostOnce || !has_qos0;
                let limits = &self.config.limits;
                let others = self.weight_of_others(client_id);
                self.may_be_full(client_id) && (is_next || is_hopeless(copy, limits, others))
            }
            DropCause::Expired => copy.message.is_expired(now_ms),
            DropCause::SlowReader => {
                let is_away = session.conn.is_none();
                copy.qos == QoS::AtMostOnce && (is_away || self.is_output_full(client_id))
            }
            DropCause::TooLarge => session.is_too_large(copy, now_ms),
            // Who is away and keeps no QoS 0 is not chosen.
            DropCause::Away | DropCause::SessionEnded => false,
        };
        let is_lost = |copy: &Copy| {
            let mut lives = self.lives(client_id);
            drop.is(copy) && lives.any(|session| has_reason(session, copy))
        };
        let found = self.find_floating(client_id, is_lost);
        if let Some(found) = found {
            return Ok(Some(self.take_found(found)));
        }
        let in_flight = drop.why == DropCause::TooLarge;
        let session = self.sessions.get_mut(client_id).filter(|_| in_flight);
        Ok(session.and_then(|session| session.take_too_large(drop, now_ms)))
    }

    fn has_ended(&self, client_id: &str) -> bool {
        self.ended.iter().any(|(ended, _)| ended == client_id)
    }

    /// The sessions with this name that there were during this event.
    fn lives<'a>(&'a self, client_id: &'a str) -> impl Iterator<Item = &'a Session> {
        let ended = self.ended.iter().filter(move |(name, _)| name == client_id);
        let now = self.sessions.get(client_id).into_iter();
        now.chain(ended.map(|(_, session)| session))
    }

    fn is_output_full(&self, client_id: &str) -> bool {
        let conn = self.sessions.get(client_id).and_then(|one| one.conn);
        let unflushed = conn.map_or(0, |id| self.conns[&id].unflushed);
        unflushed >= u64::from(self.config.limits.outbound_bytes_max)
    }

    /// Whether a queue, or all of them together, may have been full during this event, with all that might have stood
    /// there.
    fn may_be_full(&self, client_id: &str) -> bool {
        let limits = &self.config.limits;
        let mut own = Weight::default();
        for session in self.lives(client_id) {
            let held = session.queued_at_most();
            own.count += held.count;
            own.bytes += held.bytes;
        }
        // What floats counts among the others already.
        let total = self.weight_of_others(client_id) + own.bytes;
        for floating in self.may_have_held(client_id) {
            own.add(&floating.message);
        }
        (limits.queue_messages_max > 0 && own.count > u64::from(limits.queue_messages_max))
            || own.bytes > limits.queue_bytes_max
            || total > limits.queue_bytes_total_max
    }

    /// Whether all that came to this queue during this event was lost itself for certain, beside what others had all the
    /// time.
    fn is_in_vain(&self, client_id: &str) -> bool {
        let others = self
            .sessions
            .iter()
            .filter(|(other, _)| *other != client_id);
        let kept = others.flat_map(|(_, session)| &session.owed);
        let kept = kept.filter(|copy| !copy.is_new);
        let kept: u64 = kept.map(|copy| copy.message.weight()).sum();
        let session = &self.sessions[client_id];
        let mut came = session.owed.iter().filter(|copy| copy.is_new);
        session.delivered_now.count == 0
            && self.may_have_held(client_id).next().is_none()
            && came.all(|copy| is_hopeless(copy, &self.config.limits, kept))
    }

    /// What all queues but this one weighed together at most during this event, with all that may stand in any.
    fn weight_of_others(&self, client_id: &str) -> u64 {
        let ended = self.ended.iter().map(|(name, session)| (name, session));
        let others = self.sessions.iter().chain(ended);
        let others = others.filter(|(other, _)| *other != client_id);
        let own = others.map(|(_, session)| session.queued_at_most().bytes);
        let gone = self.landed.iter().map(|gone| gone.message.weight());
        own.sum::<u64>() + gone.sum::<u64>() + self.floating_bytes()
    }
}

impl Model {
    /// What was in flight and is too large for the client's new connection is lost before anything is sent again.
    pub(super) fn skip_too_large(&mut self, client_id: &str, turn: &mut Turn, tally: &mut Tally) {
        let now_ms = self.now_ms;
        let Some(session) = self.sessions.get_mut(client_id) else {
            return;
        };
        let dropped = &mut self.dropped;
        turn.heard.retain(|heard| match heard {
            Heard::Dropped(drop)
                if drop.client_id == client_id && drop.why == DropCause::TooLarge =>
            {
                let Some(at) = session.too_large_in_flight(drop, now_ms) else {
                    return true;
                };
                tally.check("I19");
                tally.sometimes("a message in flight is too large for the next connection");
                dropped[drop.qos as usize] += 1;
                session.inflight.remove(at);
                false
            }
            _ => true,
        });
    }
}

impl Lost {
    /// Whether this is the copy that was lost, or one that looks the same.
    pub(super) fn is(&self, copy: &Copy) -> bool {
        let message = &copy.message;
        self.topic == message.topic
            && self.payload == message.payload
            && self.properties == message.properties
            && self.qos == copy.qos
            && self.retain == copy.retain
            && copy.may_have(&self.identifiers)
            && self.shared == copy.shared.is_some()
    }
}

impl Session {
    fn too_large_in_flight(&self, drop: &Lost, now_ms: u64) -> Option<usize> {
        self.inflight.iter().position(|flight| {
            !flight.is_sent_here && drop.is(&flight.copy) && self.is_too_large(&flight.copy, now_ms)
        })
    }

    /// True if the client does not take the PUBLISH of a copy. [MQTT-3.1.2-25]
    fn is_too_large(&self, copy: &Copy, now_ms: u64) -> bool {
        let is_beyond =
            |(version, max): (Version, u32)| wire_bytes(copy, version, now_ms) > max as usize;
        is_beyond((self.version, self.packet_bytes_max)) || self.former.is_some_and(is_beyond)
    }

    /// What its queue held at most during this event.
    fn queued_at_most(&self) -> Weight {
        let mut weight = self.delivered_now;
        for copy in &self.owed {
            weight.add(&copy.message);
        }
        weight
    }

    fn take(&mut self, drop: &Lost, reason: impl Fn(&Copy) -> bool) -> Option<Copy> {
        let fits = |copy: &Copy| drop.is(copy) && reason(copy);
        let at = self.owed.iter().position(fits)?;
        Some(self.owed.remove(at))
    }

    /// A full queue loses the oldest QoS 0 message; if there is none, the new one if that is QoS 0, else the oldest.
    fn take_victim(&mut self, drop: &Lost, limits: &Limits, others: u64) -> Option<Copy> {
        if let Some(copy) = self.take(drop, |copy| is_hopeless(copy, limits, others)) {
            return Some(copy);
        }
        let qos0 = |copy: &&Copy| copy.qos == QoS::AtMostOnce;
        let mut older = self.owed.iter().filter(|copy| !copy.is_new);
        let next = older.clone().find(qos0).or_else(|| older.next());
        let next = next.map(|copy| (copy.message.order, qos0(&copy)));
        let first = self.owed.first().map(|copy| copy.message.order);
        // Several copies of one message come and stand in any order.
        let is_next = |copy: &Copy| match next {
            Some(next) => (copy.message.order, qos0(&copy)) == next,
            None => Some(copy.message.order) == first,
        };
        if let Some(at) = self
            .owed
            .iter()
            .position(|copy| drop.is(copy) && is_next(copy))
        {
            return Some(self.owed.remove(at));
        }
        // A QoS 0 message that finds none older is lost itself.
        let has_qos0 = self.owed.iter().any(|copy| qos0(&copy) && !copy.is_new);
        self.take(drop, |copy| {
            copy.is_new && copy.qos == QoS::AtMostOnce && !has_qos0
        })
    }

    /// A message that its client does not take, live, in flight or retained. [MQTT-3.1.2-25]
    fn take_too_large(&mut self, drop: &Lost, now_ms: u64) -> Option<Copy> {
        // What is to be sent again comes first.
        if let Some(at) = self.too_large_in_flight(drop, now_ms) {
            return Some(self.inflight.remove(at).copy);
        }
        let owed = self.owed.iter();
        let mut owed = owed.map(|copy| drop.is(copy) && self.is_too_large(copy, now_ms));
        if let Some(at) = owed.position(|is_it| is_it) {
            return Some(self.owed.remove(at));
        }
        for replay in 0..self.replays.len() {
            for at in 0..self.replays[replay].messages.len() {
                let copy = self.replays[replay].copy_of(at);
                if drop.is(&copy) && self.is_too_large(&copy, now_ms) {
                    self.replays[replay].messages.remove(at);
                    return Some(copy);
                }
            }
        }
        None
    }
}

impl Replay {
    /// What the session gets of one of the messages.
    pub(super) fn copy_of(&self, at: usize) -> Copy {
        let message = &self.messages[at];
        Copy {
            message: std::rc::Rc::clone(message),
            qos: message.qos.min(self.granted),
            retain: true,
            identifiers: self.identifier.into_iter().collect(),
            or_identifiers: Vec::new(),
            was_away: false,
            shared: None,
            is_new: false,
        }
    }
}

/// A message that fits into no queue, or not beside those of others, is lost itself when it comes.
fn is_hopeless(copy: &Copy, limits: &Limits, others: u64) -> bool {
    let weight = copy.message.weight();
    copy.is_new
        && (weight > limits.queue_bytes_max || others + weight > limits.queue_bytes_total_max)
}

fn tally_cause(why: DropCause, tally: &mut Tally) {
    let (rule, what) = match why {
        DropCause::QueueFull => ("I21", "a queue is full"),
        DropCause::Expired => ("I49", "a message expires in a queue"),
        DropCause::Away => ("I03", "a QoS 0 message finds nobody"),
        DropCause::SlowReader => ("I21", "a QoS 0 message finds a full output"),
        DropCause::TooLarge => ("I19", "a message is too large for a client"),
        DropCause::SessionEnded => ("I45", "a message of a group is lost with a session"),
    };
    tally.check(rule);
    tally.sometimes(what);
}

/// How long the PUBLISH of a copy is.
fn wire_bytes(copy: &Copy, version: Version, now_ms: u64) -> usize {
    use sanderling_core::packet::Property;
    let message = &copy.message;
    let mut section = message.properties.clone();
    if let Some(interval) = message.expiry_s {
        let waited_s = ((now_ms - message.accepted_ms) / 1000) as u32;
        let _ = section.push(Property::MessageExpiryInterval(
            interval.saturating_sub(waited_s),
        ));
    }
    for identifier in &copy.identifiers {
        let _ = section.push(Property::SubscriptionIdentifier(*identifier));
    }
    let publish = Publish {
        topic: &message.topic,
        payload: &message.payload,
        qos: copy.qos,
        retain: copy.retain,
        dup: false,
        packet_id: (copy.qos != QoS::AtMostOnce).then_some(PacketId::MIN),
        properties: section.as_properties(),
    };
    ServerPacket::Publish(publish)
        .encoded_len(version)
        .unwrap_or(usize::MAX)
}
