//! From a message to its receivers: at once, or by way of the session's queue. [MQTT 5.0, 3.3.4, 4.3 to 4.6]

use super::{
    Actions, Broker, DropCause, Flow, Target,
    form::{self, Alias, Encoded, Form},
    state::State,
};
use crate::{
    config::DeliveryMode,
    id::ConnId,
    message::{Incoming, Message},
    packet::{Ack, QoS, ServerPacket},
    session::{Identifiers, Queued, Resend, Window},
    topic::{Member, MemberOptions},
};
use alloc::{sync::Arc, vec::Vec};
use smallvec::SmallVec;

/// Copies that one session is sent in one go, before others get their turn.
const PUMP_STEP: u32 = 1024;

/// Subscription identifiers beside the first that a receiver's copy carries.
type FurtherIdentifiers = SmallVec<[(u32, u32); 4]>;

impl State {
    /// Hands a message to every session with a subscription that matches. Returns how many got or will get it.
    pub(super) fn route(
        &mut self,
        origin: Option<u32>,
        mut message: Incoming<'_>,
        actions: &mut Actions,
    ) -> u32 {
        let mut receivers = core::mem::take(&mut self.receivers);
        let filters = self.gather(message.topic, origin, &mut receivers);
        let further = if filters > 1 && self.config.delivery_mode == DeliveryMode::OnlyOnce {
            self.merge(&mut receivers)
        } else {
            FurtherIdentifiers::new()
        };
        self.forms.clear();
        let mut kept = None;
        let mut taken = 0;
        for (place, receiver) in (0..).zip(&receivers) {
            taken += u32::from(if further.is_empty() {
                let one = [receiver.subscription_id];
                let identifiers = if one == [0] { &[][..] } else { &one };
                self.offer(receiver, identifiers, &mut message, &mut kept, actions)
            } else {
                let identifiers = identifiers_of(place, receiver, &further);
                self.offer(receiver, &identifiers, &mut message, &mut kept, actions)
            });
        }
        receivers.clear();
        self.receivers = receivers;
        taken
    }

    /// Collects the subscriptions that match, without those that want nothing of `origin`. [MQTT-3.8.3-3]
    ///
    /// Returns how many filters they are of.
    fn gather(&self, topic: &str, origin: Option<u32>, receivers: &mut Vec<Member>) -> usize {
        let mut filters = 0;
        self.index.for_each_match(topic, |members| {
            filters += 1;
            match origin {
                Some(origin) => receivers.extend(
                    members
                        .iter()
                        .filter(|member| !(member.session == origin && member.options.no_local())),
                ),
                None => receivers.extend_from_slice(members),
            }
        });
        filters
    }

    /// One copy for each session: the highest QoS, RETAIN as published if any asks for it, all identifiers.
    /// [MQTT-3.3.4-2] [MQTT-3.3.4-3]
    fn merge(&mut self, receivers: &mut Vec<Member>) -> FurtherIdentifiers {
        let mut further = FurtherIdentifiers::new();
        self.route = self.route.wrapping_add(1);
        if self.route == 0 {
            // Stamps of four billion messages ago must not look new.
            self.hot.iter_mut().for_each(|hot| hot.route = 0);
            self.route = 1;
        }
        let mut len = 0;
        for at in 0..receivers.len() {
            let member = receivers[at];
            let hot = &mut self.hot[member.session as usize];
            if hot.route == self.route {
                let first = &mut receivers[hot.receiver as usize];
                first.options = MemberOptions::new(
                    first.options.qos().max(member.options.qos()),
                    false,
                    first.options.retain_as_published() || member.options.retain_as_published(),
                );
                if first.subscription_id == 0 {
                    first.subscription_id = member.subscription_id;
                } else if member.subscription_id != 0 {
                    further.push((hot.receiver, member.subscription_id));
                }
            } else {
                hot.route = self.route;
                hot.receiver = len as u32;
                receivers[len] = member;
                len += 1;
            }
        }
        receivers.truncate(len);
        further
    }

    /// Sends one copy, or queues it, or drops it. True if it was not dropped.
    fn offer(
        &mut self,
        receiver: &Member,
        identifiers: &[u32],
        message: &mut Incoming<'_>,
        kept: &mut Option<Arc<Message>>,
        actions: &mut Actions,
    ) -> bool {
        let number = receiver.session;
        let hot = self.hot[number as usize];
        let qos = message.qos.min(receiver.options.qos());
        // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
        let retain = message.retain && receiver.options.retain_as_published();
        let identifiers = if hot.v5 || !hot.online {
            identifiers
        } else {
            &[]
        };
        let may_send = hot.online
            && (!hot.backlog || self.may_overtake(number, qos))
            && (qos == QoS::AtMostOnce || self.has_room(number))
            && hot.outbound_bytes < self.config.limits.outbound_bytes_max;
        if may_send {
            let form = Form {
                v5: hot.v5,
                qos,
                retain,
                dup: false,
                identifiers,
                alias: Alias::None,
            };
            let encoded = match hot.aliases {
                false => self.forms.encoded(form, message, self.now, actions),
                true => self.encode_aliased(number, form, message, actions),
            };
            if encoded.bytes > hot.packet_bytes_max {
                self.count_drop(number, message.topic, qos, DropCause::TooLarge);
                return false;
            }
            let mut queued = None;
            if qos != QoS::AtMostOnce && self.keeps_inflight(number) {
                let identifiers = Identifiers::from_slice(identifiers);
                let message = kept.get_or_insert_with(|| message.keep()).clone();
                queued = Some(Queued {
                    message,
                    qos,
                    retain,
                    identifiers,
                });
            }
            self.send_copy(number, qos, encoded, queued, actions);
            return true;
        }
        if qos == QoS::AtMostOnce
            && let Some(why) = self.why_not_queued(number)
        {
            self.count_drop(number, message.topic, qos, why);
            return false;
        }
        let message = kept.get_or_insert_with(|| message.keep()).clone();
        let identifiers = Identifiers::from_slice(identifiers);
        self.enqueue(
            number,
            Queued {
                message,
                qos,
                retain,
                identifiers,
            },
        )
    }

    /// Why a QoS 0 message that cannot be sent now is lost; none if it may wait.
    fn why_not_queued(&self, number: u32) -> Option<DropCause> {
        if !self.hot[number as usize].online {
            return (!self.config.queue_qos0).then_some(DropCause::Away);
        }
        let follows_another = self.sessions.get(number).queue.holds_qos0();
        (!follows_another).then_some(DropCause::SlowReader)
    }

    /// With something waiting, only QoS 0 goes ahead, and not of other QoS 0. [MQTT-4.6.0-6]
    fn may_overtake(&self, number: u32, qos: QoS) -> bool {
        qos == QoS::AtMostOnce && !self.sessions.get(number).queue.holds_qos0()
    }

    fn has_room(&self, number: u32) -> bool {
        let session = self.sessions.get(number);
        let limits = &self.config.limits;
        let releasing_max = match self.config.evict_awaiting_release {
            true => u16::MAX,
            false => limits.awaiting_release_max,
        };
        let window = Window {
            inflight_max: session.inflight_max,
            releasing_max,
        };
        session.outbound.has_room(session.version, window)
    }

    /// True if what is in flight to this session may have to be sent again.
    fn keeps_inflight(&self, number: u32) -> bool {
        self.config.retry_interval.is_some() || self.sessions.get(number).survives()
    }

    /// Orders the delivery of one encoded copy to a session that is connected and has room.
    fn send_copy(
        &mut self,
        number: u32,
        qos: QoS,
        encoded: Encoded,
        kept: Option<Queued>,
        actions: &mut Actions,
    ) {
        let packet_id = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => {
                let outbound = &mut self.sessions.get_mut(number).outbound;
                let packet_id = outbound.begin(qos, kept, self.now);
                Some(packet_id.expect("S12: a window with room has a free identifier"))
            }
        };
        let hot = &mut self.hot[number as usize];
        let target = Target {
            conn: hot.conn,
            packet_id,
        };
        hot.outbound_bytes = hot.outbound_bytes.saturating_add(encoded.bytes);
        self.statistics.delivered(qos, encoded.bytes);
        actions.deliver(encoded.frame, encoded.packet_id_at, target);
    }

    /// Queues one copy; the queue's policy decides what is lost if there is no room. True if the copy stays.
    fn enqueue(&mut self, number: u32, queued: Queued) -> bool {
        let limits = &self.config.limits;
        let (count_max, bytes_max) = (limits.queue_messages_max as usize, limits.queue_bytes_max);
        let total_max = limits.queue_bytes_total_max;
        let cost = queued.message.cost_bytes();
        loop {
            let queue = &mut self.sessions.get_mut(number).queue;
            let too_many = count_max > 0 && queue.len() >= count_max;
            let too_large = queue.bytes() + cost > bytes_max;
            if !too_many && !too_large && self.statistics.queued_bytes_current + cost <= total_max {
                queue.push(queued);
                self.statistics.messages_queued_current += 1;
                self.statistics.queued_bytes_current += cost;
                self.hot[number as usize].backlog = true;
                return true;
            }
            // A message that fits into no queue must not empty this one first.
            let victim = if cost > bytes_max {
                None
            } else {
                queue.pop_victim(queued.qos)
            };
            let Some(victim) = victim else {
                self.count_drop(
                    number,
                    &queued.message.topic,
                    queued.qos,
                    DropCause::QueueFull,
                );
                return false;
            };
            self.account_unqueued(&victim);
            self.count_drop(
                number,
                &victim.message.topic,
                victim.qos,
                DropCause::QueueFull,
            );
        }
    }

    fn account_unqueued(&mut self, queued: &Queued) {
        self.statistics.messages_queued_current -= 1;
        self.statistics.queued_bytes_current -= queued.message.cost_bytes();
    }

    /// A session has a connection again: what was in flight, then PUBRELs, then the queue. [MQTT-4.4.0-1] (S4)
    pub(super) fn resume(&mut self, number: u32, actions: &mut Actions) {
        let session = self.sessions.get(number);
        let conn = self.hot[number as usize].conn;
        let releasing: Vec<_> = session.outbound.releasing().collect();
        self.hot[number as usize].backlog = session.has_backlog();
        self.resend(number, &mut PUMP_STEP.clone(), actions);
        for packet_id in releasing {
            self.send(
                conn,
                &ServerPacket::PubRel(Ack::success(packet_id)),
                actions,
            );
        }
        self.pump(number, actions);
    }

    /// Sends what waits, as far as window and output have room.
    pub(super) fn pump(&mut self, number: u32, actions: &mut Actions) {
        if !self.hot[number as usize].backlog {
            return;
        }
        let mut budget = PUMP_STEP;
        self.resend(number, &mut budget, actions);
        self.drain_queue(number, &mut budget, actions);
        self.replay(number, actions);
        self.hot[number as usize].backlog = self.sessions.get(number).has_backlog();
        if budget == 0 {
            self.carry_on_later(number);
        }
    }

    /// What an earlier connection left unacknowledged, with DUP and the same identifiers. [MQTT-3.3.1-1]
    fn resend(&mut self, number: u32, budget: &mut u32, actions: &mut Actions) {
        while *budget > 0 && self.may_send_now(number) && self.has_room(number) {
            *budget -= 1;
            let outbound = &mut self.sessions.get_mut(number).outbound;
            let Some(resend) = outbound.next_resend(self.now) else {
                return;
            };
            if !self.send_again(number, &resend, actions) {
                self.sessions.get_mut(number).outbound.skip_resend();
                let Queued { message, qos, .. } = resend.queued;
                self.count_drop(number, &message.topic, qos, DropCause::TooLarge);
            }
        }
    }

    /// Sends a message that is in flight once more. False if the client does not take packets of its size.
    pub(super) fn send_again(
        &mut self,
        number: u32,
        resend: &Resend,
        actions: &mut Actions,
    ) -> bool {
        let Resend { packet_id, queued } = resend;
        let encoded = self.encode_queued(number, queued, true, actions);
        let hot = &mut self.hot[number as usize];
        if encoded.bytes > hot.packet_bytes_max {
            return false;
        }
        hot.outbound_bytes = hot.outbound_bytes.saturating_add(encoded.bytes);
        let target = Target {
            conn: hot.conn,
            packet_id: Some(*packet_id),
        };
        self.statistics.delivered(queued.qos, encoded.bytes);
        actions.deliver(encoded.frame, encoded.packet_id_at, target);
        true
    }

    fn drain_queue(&mut self, number: u32, budget: &mut u32, actions: &mut Actions) {
        if self.sessions.get(number).outbound.owes_resend() {
            return;
        }
        while *budget > 0 && self.may_send_now(number) {
            *budget -= 1;
            let now = self.now;
            let Some(front) = self.sessions.get(number).queue.front() else {
                return;
            };
            let expired = front.message.is_expired(now);
            if !expired && front.qos != QoS::AtMostOnce && !self.has_room(number) {
                return;
            }
            let Some(queued) = self.sessions.get_mut(number).queue.pop() else {
                return;
            };
            self.account_unqueued(&queued);
            if expired {
                self.count_drop(
                    number,
                    &queued.message.topic,
                    queued.qos,
                    DropCause::Expired,
                );
            } else {
                self.send_queued(number, queued, actions);
            }
        }
    }

    /// Sends a message for the first time. The session is connected and has room.
    fn send_queued(&mut self, number: u32, queued: Queued, actions: &mut Actions) {
        let encoded = self.encode_queued(number, &queued, false, actions);
        let qos = queued.qos;
        if encoded.bytes > self.hot[number as usize].packet_bytes_max {
            self.count_drop(number, &queued.message.topic, qos, DropCause::TooLarge);
            return;
        }
        let kept = self.keeps_inflight(number).then_some(queued);
        self.send_copy(number, qos, encoded, kept, actions);
    }

    /// Sends a retained message if there is room now. The queue is empty then.
    pub(super) fn send_retained(&mut self, number: u32, queued: Queued, actions: &mut Actions) {
        self.send_queued(number, queued, actions);
    }

    fn encode_queued(
        &mut self,
        number: u32,
        queued: &Queued,
        dup: bool,
        actions: &mut Actions,
    ) -> Encoded {
        let v5 = self.hot[number as usize].v5;
        let identifiers = if v5 { &queued.identifiers[..] } else { &[] };
        let (qos, retain) = (queued.qos, queued.retain);
        let dup = dup && qos != QoS::AtMostOnce;
        let form = Form {
            v5,
            qos,
            retain,
            dup,
            identifiers,
            alias: Alias::None,
        };
        self.encode_aliased(number, form, &mut Incoming::again(&queued.message), actions)
    }

    /// Encodes a copy for one receiver, with a topic alias if it takes them.
    ///
    /// The caller sends the copy unless it is larger than the client takes.
    fn encode_aliased(
        &mut self,
        number: u32,
        form: Form<'_>,
        message: &mut Incoming<'_>,
        actions: &mut Actions,
    ) -> Encoded {
        let (now, bytes_max) = (self.now, self.hot[number as usize].packet_bytes_max);
        let session = self.sessions.get_mut(number);
        let Some(aliases) = session.outbound_aliases.as_deref_mut() else {
            return form::encode(form, message, now, actions);
        };
        let alias = match (aliases.of(message.topic), aliases.free()) {
            (Some(alias), _) => Alias::Replaces(alias),
            (None, Some(alias)) => Alias::Binds(alias),
            (None, None) => Alias::None,
        };
        let encoded = form::encode(Form { alias, ..form }, message, now, actions);
        if !matches!(alias, Alias::Binds(_)) {
            return encoded;
        }
        if encoded.bytes > bytes_max {
            // Three bytes less may be what it takes.
            return form::encode(form, message, now, actions);
        }
        aliases.bind(message.topic);
        encoded
    }

    /// True while the session's connection takes more output.
    fn may_send_now(&self, number: u32) -> bool {
        let hot = &self.hot[number as usize];
        hot.online && hot.outbound_bytes < self.config.limits.outbound_bytes_max
    }

    /// True if a message of any QoS could be sent now and nothing waits before it.
    pub(super) fn may_replay(&self, number: u32) -> bool {
        let session = self.sessions.get(number);
        session.queue.is_empty()
            && !session.outbound.owes_resend()
            && self.may_send_now(number)
            && self.has_room(number)
    }
}

impl Broker {
    /// The network took bytes: there may be room for what waits.
    pub(super) fn on_flushed(&mut self, conn: ConnId, bytes: u32, actions: &mut Actions) -> Flow {
        let Some(live) = self.state.connections.get(conn).and_then(|c| c.live()) else {
            return Flow::Continue;
        };
        let number = live.session;
        let hot = &mut self.state.hot[number as usize];
        let Some(left) = hot.outbound_bytes.checked_sub(bytes) else {
            panic!(
                "contract: {bytes} bytes flushed of {} sent to connection {conn}",
                hot.outbound_bytes
            );
        };
        hot.outbound_bytes = left;
        self.state.pump(number, actions);
        Flow::Continue
    }
}

/// All subscription identifiers of the receiver at `place`, in ascending order.
fn identifiers_of(place: u32, receiver: &Member, further: &FurtherIdentifiers) -> Identifiers {
    let mut identifiers = Identifiers::new();
    if receiver.subscription_id != 0 {
        identifiers.push(receiver.subscription_id);
        identifiers.extend(
            further
                .iter()
                .filter(|(at, _)| *at == place)
                .map(|(_, id)| *id),
        );
        identifiers.sort_unstable();
        identifiers.dedup();
    }
    identifiers
}
