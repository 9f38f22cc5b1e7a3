//! What is lost is lost for a reason that holds, and the policy says what goes first.

use super::{
    Judged, Model,
    account::OVERHEAD_BYTES,
    session::{Copy, Session},
    violated,
};
use crate::sim::{policy::Heard, tally::Tally, wire::Turn};
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
            let Heard::Dropped {
                client_id,
                topic,
                qos,
                why,
            } = heard
            else {
                continue;
            };
            self.dropped[qos as usize] += 1;
            if why == DropCause::SessionEnded {
                tally.check("I45");
                tally.sometimes("a message of a group is lost with a session");
                self.lost_shared.push(topic);
                continue;
            }
            let now_ms = self.now_ms;
            if self.ended.contains(&client_id) {
                if why == DropCause::Expired {
                    self.lost_shared.push(topic);
                }
                continue;
            }
            tally.check("I03");
            let total = self.queued_bytes_at_most();
            let Some(session) = self.sessions.get(&client_id) else {
                violated!("I03", "{client_id:?} has no session and loses a message");
            };
            let unflushed = session.conn.map_or(0, |id| self.conns[&id].unflushed);
            let packet_bytes_max = session.packet_bytes_max;
            let has_aliases = session
                .conn
                .is_some_and(|id| self.conns[&id].alias_maximum > 0);
            let is_output_full = unflushed >= u64::from(self.config.limits.outbound_bytes_max);
            let queues_qos0 = self.config.queue_qos0;
            let limits = self.config.limits.clone();
            let is_relaxed = self.may_hold_floating(&client_id);
            let session = self.session(&client_id);
            let is_away = session.conn.is_none();
            // Known: an alias is longer than a short topic name, and the name alone is not tried.
            let packet_bytes_max = match has_aliases && topic.len() < 3 {
                true => packet_bytes_max.saturating_sub(2),
                false => packet_bytes_max,
            };
            let found = match why {
                DropCause::QueueFull => {
                    tally.check("I21");
                    tally.sometimes("a queue is full");
                    session.take_victim(&topic, qos, &limits, total, is_relaxed)
                }
                DropCause::Expired => {
                    tally.check("I49");
                    tally.sometimes("a message expires in a queue");
                    session.take(&topic, qos, |copy| copy.message.is_expired(now_ms))
                }
                DropCause::Away => {
                    tally.sometimes("a QoS 0 message finds nobody");
                    session.take(&topic, qos, |copy| {
                        copy.qos == QoS::AtMostOnce
                            && copy.is_new
                            && (copy.was_away || is_away)
                            && !queues_qos0
                    })
                }
                DropCause::SlowReader => {
                    tally.check("I21");
                    tally.sometimes("a QoS 0 message finds a full output");
                    session.take(&topic, qos, |copy| {
                        copy.qos == QoS::AtMostOnce && copy.is_new && (is_output_full || is_away)
                    })
                }
                DropCause::SessionEnded => unreachable!("it was set aside"),
                DropCause::TooLarge => {
                    tally.check("I19");
                    tally.sometimes("a message is too large for a client");
                    session.take_too_large(&topic, qos, packet_bytes_max, now_ms)
                }
            };
            // What was sent to a group stands in some member's queue and is lost like anything else there.
            let found = found.or_else(|| {
                self.take_floating(&client_id, |copy| {
                    copy.message.topic == topic
                        && copy.qos == qos
                        && (why != DropCause::Expired || copy.message.is_expired(now_ms))
                })
            });
            let Some(copy) = found else {
                let session = &self.sessions[&client_id];
                violated!(
                    "I03",
                    "{client_id:?} loses a message of {topic:?}, QoS {qos}, {why:?}, for no such reason; owed {:?}",
                    session.owed
                );
            };
            lost += usize::from(copy.is_new);
        }
        Ok(lost)
    }

    /// What all queues weighed together at most during this event.
    fn queued_bytes_at_most(&self) -> u64 {
        let sessions = self.sessions.values().map(Session::queued_bytes_at_most);
        sessions.sum::<u64>() + self.floating_bytes()
    }
}

impl Model {
    /// What was in flight and is too large for the client's new connection is lost before anything is sent again.
    pub(super) fn skip_too_large(&mut self, client_id: &str, turn: &mut Turn, tally: &mut Tally) {
        let now_ms = self.now_ms;
        let Some(session) = self.sessions.get_mut(client_id) else {
            return;
        };
        let Some(max) = session.conn.map(|id| self.conns[&id].packet_bytes_max) else {
            return;
        };
        let dropped = &mut self.dropped;
        turn.heard.retain(|heard| match heard {
            Heard::Dropped {
                client_id: whose,
                topic,
                qos,
                why: DropCause::TooLarge,
            } if whose == client_id => {
                let Some(at) = session.too_large_in_flight(topic, *qos, max, now_ms) else {
                    return true;
                };
                tally.check("I19");
                tally.sometimes("a message in flight is too large for the next connection");
                dropped[*qos as usize] += 1;
                session.inflight.remove(at);
                false
            }
            _ => true,
        });
    }
}

impl Session {
    fn too_large_in_flight(&self, topic: &str, qos: QoS, max: u32, now_ms: u64) -> Option<usize> {
        self.inflight.iter().position(|flight| {
            let copy = &flight.copy;
            !flight.is_sent_here
                && copy.message.topic == topic
                && copy.qos == qos
                && wire_bytes(copy, self.version, now_ms) > max as usize
        })
    }

    fn queued_bytes_at_most(&self) -> u64 {
        let owed: u64 = self
            .owed
            .iter()
            .map(|copy| copy.message.bytes() + OVERHEAD_BYTES)
            .sum();
        owed + self.delivered_bytes_now + OVERHEAD_BYTES * self.delivered_now as u64
    }

    fn take(&mut self, topic: &str, qos: QoS, reason: impl Fn(&Copy) -> bool) -> Option<Copy> {
        let fits = |copy: &Copy| copy.message.topic == topic && copy.qos == qos && reason(copy);
        let at = self.owed.iter().position(fits)?;
        Some(self.owed.remove(at))
    }

    /// A full queue loses the oldest QoS 0 message; if there is none, the new one if that is QoS 0, else the oldest.
    fn take_victim(
        &mut self,
        topic: &str,
        qos: QoS,
        limits: &Limits,
        total: u64,
        is_relaxed: bool,
    ) -> Option<Copy> {
        let peak = self.owed.len() + self.delivered_now;
        let too_many = limits.queue_messages_max > 0 && peak > limits.queue_messages_max as usize;
        let bytes = self.queued_bytes_at_most();
        if !is_relaxed
            && !too_many
            && bytes <= limits.queue_bytes_max
            && total <= limits.queue_bytes_total_max
        {
            return None;
        }
        let fits = |copy: &Copy| copy.message.topic == topic && copy.qos == qos;
        if is_relaxed {
            // What was sent to a group may stand in this queue or not; then only that something is lost is known.
            let at = self.owed.iter().position(fits)?;
            return Some(self.owed.remove(at));
        }
        // One that fits into no queue is lost itself.
        let hopeless = |copy: &Copy| {
            copy.is_new && copy.message.bytes() + OVERHEAD_BYTES > limits.queue_bytes_max
        };
        if let Some(at) = self
            .owed
            .iter()
            .position(|copy| fits(copy) && hopeless(copy))
        {
            return Some(self.owed.remove(at));
        }
        // Whether what this event brought was there when something was lost is not known.
        let oldest = |is_candidate: &dyn Fn(&Copy) -> bool| {
            let mut candidates = self
                .owed
                .iter()
                .enumerate()
                .filter(|(_, copy)| is_candidate(copy));
            let qos0 = candidates
                .clone()
                .find(|(_, copy)| copy.qos == QoS::AtMostOnce);
            qos0.or_else(|| candidates.next())
                .filter(|(_, copy)| fits(copy))
        };
        let has_qos0 = self
            .owed
            .iter()
            .any(|copy| copy.qos == QoS::AtMostOnce && !copy.is_new);
        let victim = match oldest(&|copy| !copy.is_new).or_else(|| oldest(&|_| true)) {
            Some((at, _)) => at,
            // A QoS 0 message that finds none older is lost itself, and so is what is new where a session has nothing
            // of its own to lose to the budget of all.
            None => self.owed.iter().position(|copy| {
                fits(copy)
                    && copy.is_new
                    && ((copy.qos == QoS::AtMostOnce && !has_qos0)
                        || total > limits.queue_bytes_total_max)
            })?,
        };
        Some(self.owed.remove(victim))
    }

    /// A message that its client does not take, live, in flight or retained. [MQTT-3.1.2-25]
    fn take_too_large(&mut self, topic: &str, qos: QoS, max: u32, now_ms: u64) -> Option<Copy> {
        let version = self.version;
        let is_too_large = |copy: &Copy| wire_bytes(copy, version, now_ms) > max as usize;
        if let Some(copy) = self.take(topic, qos, is_too_large) {
            return Some(copy);
        }
        if let Some(at) = self.too_large_in_flight(topic, qos, max, now_ms) {
            return Some(self.inflight.remove(at).copy);
        }
        for replay in &mut self.replays {
            for at in 0..replay.messages.len() {
                let message = &replay.messages[at];
                let copy = Copy {
                    message: std::rc::Rc::clone(message),
                    qos: message.qos.min(replay.granted),
                    retain: true,
                    identifiers: replay.identifier.into_iter().collect(),
                    was_away: false,
                    shared: None,
                    is_new: false,
                };
                if message.topic == topic && copy.qos == qos && is_too_large(&copy) {
                    replay.messages.remove(at);
                    return Some(copy);
                }
            }
        }
        None
    }
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
