//! From a message to its receivers: at once, or by way of the session's queue. [MQTT 5.0, 3.3.4, 4.3 to 4.6]

use super::{
    Actions, DropCause, Target,
    enqueue::Shape,
    form::{self, Alias, Encoded, Form},
    permit::Allowed,
    routes::Route,
    state::{State, Untold},
};
use crate::{
    config::DeliveryMode,
    message::{Incoming, Message},
    packet::{PacketId, QoS},
    session::{Identifiers, Queued, Window},
    shared::GROUP,
    topic::{self, Member, MemberOptions, TopicFilter},
};
use alloc::{sync::Arc, vec::Vec};
use smallvec::SmallVec;

/// Subscription identifiers beside the first that a receiver's copy carries.
pub(super) type FurtherIdentifiers = SmallVec<[(u32, u32); 4]>;

impl State {
    /// Hands a message to every session with a subscription that matches. Returns how many got or will get it. `hint` is
    /// where the last message of the same publisher went.
    pub(super) fn route(
        &mut self,
        origin: Option<u32>,
        hint: &mut u32,
        message: &mut Incoming<'_>,
        actions: &mut Actions,
    ) -> u32 {
        if let Some(place) = self.routes.find(*hint, message.topic)
            && let Some(route) = self.routes.borrow(place)
        {
            *hint = place;
            let taken = self.follow(&route, origin, message, actions);
            self.routes.give_back(place, route);
            return taken;
        }
        let mut route = core::mem::take(&mut self.found);
        self.find_receivers(message.topic, origin, &mut route);
        let taken = self.follow(&route, origin, message, actions);
        self.routes.remember(message.topic, &route, hint);
        route.clear();
        self.found = route;
        taken
    }

    /// Asks the index, and makes of what it says one receiver for each session if each is to get one copy.
    #[inline(never)]
    fn find_receivers(&mut self, topic: &str, origin: Option<u32>, route: &mut Route) {
        let has_groups = !self.groups.is_empty();
        self.routes.index().for_each_match(topic, |members| {
            route.filters += 1;
            if has_groups {
                for member in members {
                    match member.session & GROUP != 0 {
                        true => route.groups.push(member.session),
                        false => route.receivers.push(*member),
                    }
                }
            } else {
                route.receivers.extend_from_slice(members);
            }
        });
        let receivers = &mut route.receivers;
        if route.filters > 1 && receivers.iter().any(|member| member.options.no_local()) {
            // Who is among the receivers then depends on the publisher.
            receivers.retain(|member| !is_unwanted(member, origin));
            route.is_personal = true;
        }
        if route.filters > 1 && self.config.delivery_mode == DeliveryMode::OnlyOnce {
            route.further = self.merge(&mut route.receivers);
        }
    }

    #[inline]
    fn follow(
        &mut self,
        route: &Route,
        origin: Option<u32>,
        message: &mut Incoming<'_>,
        actions: &mut Actions,
    ) -> u32 {
        if route.filters == 0 && !topic::is_server_topic(message.topic) {
            self.statistics.messages_unrouted += 1;
        }
        let mut kept = None;
        let (receivers, further) = (&route.receivers, &route.further);
        let mut taken = self.offer_all(receivers, further, origin, message, &mut kept, actions);
        for &group in &route.groups {
            let was_taken = self.offer_to_group(group, origin, message, &mut kept, actions);
            taken += u32::from(was_taken);
        }
        taken
    }

    /// Hands a message to one session: as its subscriptions ask for, or in any case. Returns how many copies it got or
    /// will get.
    pub(super) fn route_to(
        &mut self,
        number: u32,
        message: Allowed<Incoming<'_>>,
        matching: bool,
        actions: &mut Actions,
    ) -> u32 {
        let mut message = message.into_inner();
        // It is nobody else's, so it is not the topic's retained message.
        message.retain = false;
        let mut route = core::mem::take(&mut self.found);
        let receivers = &mut route.receivers;
        if matching {
            let subscriptions = &self.sessions.get(number).subscriptions;
            let matching = subscriptions.iter().filter(|(filter, _)| {
                let filter = TopicFilter::parse(filter);
                filter.is_ok_and(|filter| {
                    filter.shared().is_none() && topic::matches(filter.path(), message.topic)
                })
            });
            receivers.extend(matching.map(|(_, subscription)| Member {
                session: number,
                subscription_id: subscription.identifier,
                options: MemberOptions::new(subscription.options.qos, false, false),
            }));
        } else {
            receivers.push(Member {
                session: number,
                subscription_id: 0,
                options: MemberOptions::new(QoS::ExactlyOnce, false, false),
            });
        }
        if receivers.len() > 1 && self.config.delivery_mode == DeliveryMode::OnlyOnce {
            route.further = self.merge(receivers);
        }
        let (receivers, further) = (&route.receivers, &route.further);
        let taken = self.offer_all(receivers, further, None, &mut message, &mut None, actions);
        route.clear();
        self.found = route;
        taken
    }

    /// Offers a copy to each receiver. Returns how many took one.
    fn offer_all(
        &mut self,
        receivers: &[Member],
        further: &FurtherIdentifiers,
        origin: Option<u32>,
        message: &mut Incoming<'_>,
        kept: &mut Option<Arc<Message>>,
        actions: &mut Actions,
    ) -> u32 {
        self.forms.clear();
        let is_plain = message.qos == QoS::AtMostOnce
            && further.is_empty()
            && !self.watches.deliveries
            && !actions.is_crowded();
        let mut taken = 0;
        for (place, receiver) in (0..).zip(receivers) {
            if is_unwanted(receiver, origin) {
                continue;
            }
            if is_plain && self.pass_on(receiver, message, actions) {
                taken += 1;
                continue;
            }
            let copy = (receivers, place, further);
            taken += u32::from(self.offer_at(copy, message, kept, actions));
        }
        taken
    }

    /// Offers a copy to the receiver at a place of the list.
    pub(super) fn offer_at(
        &mut self,
        (receivers, place, further): (&[Member], u32, &FurtherIdentifiers),
        message: &mut Incoming<'_>,
        kept: &mut Option<Arc<Message>>,
        actions: &mut Actions,
    ) -> bool {
        let receiver = &receivers[place as usize];
        if further.is_empty() {
            let one = [receiver.subscription_id];
            let identifiers = if one == [0] { &[][..] } else { &one };
            self.offer(receiver, identifiers, 0, message, kept, actions)
        } else {
            let identifiers = identifiers_of(place, receiver, further);
            self.offer(receiver, &identifiers, 0, message, kept, actions)
        }
    }

    /// The short way for most messages: a copy of QoS 0 without identifiers or alias, to a connection that takes it now.
    /// False if it is none of these; nothing was done then.
    #[inline]
    fn pass_on(
        &mut self,
        receiver: &Member,
        message: &mut Incoming<'_>,
        actions: &mut Actions,
    ) -> bool {
        let hot = &mut self.hot[receiver.session as usize];
        let is_open = hot.online && !hot.backlog && !hot.aliases;
        let has_room = hot.outbound_bytes < self.config.limits.outbound_bytes_max;
        if !is_open || !has_room || receiver.subscription_id != 0 || hot.sent == u32::MAX {
            return false;
        }
        let form = Form {
            v5: hot.v5,
            qos: QoS::AtMostOnce,
            // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
            retain: message.retain && receiver.options.retain_as_published(),
            dup: false,
            identifiers: &[],
            alias: Alias::None,
        };
        let encoded = self.forms.encoded(form, message, self.now, actions);
        if encoded.bytes > hot.packet_bytes_max {
            return false;
        }
        hot.outbound_bytes = hot.outbound_bytes.saturating_add(encoded.bytes);
        hot.sent += 1;
        let target = Target {
            conn: hot.conn,
            packet_id: None,
        };
        self.statistics.delivered(QoS::AtMostOnce, encoded.bytes);
        actions.deliver(encoded.frame, encoded.packet_id_at, target);
        true
    }

    /// One copy for each session: the highest QoS, RETAIN as published if any asks for it, all identifiers.
    /// [MQTT-3.3.4-2] [MQTT-3.3.4-3]
    fn merge(&mut self, receivers: &mut Vec<Member>) -> FurtherIdentifiers {
        let mut further = FurtherIdentifiers::new();
        self.route = self.route.wrapping_add(1);
        if self.route == 0 {
            // Stamps of four billion messages ago must not look new.
            self.stamps.iter_mut().for_each(|stamp| stamp.route = 0);
            self.route = 1;
        }
        let mut len = 0;
        for at in 0..receivers.len() {
            let member = receivers[at];
            let stamp = &mut self.stamps[member.session as usize];
            if stamp.route == self.route {
                let first = &mut receivers[stamp.receiver as usize];
                first.options = MemberOptions::new(
                    first.options.qos().max(member.options.qos()),
                    false,
                    first.options.retain_as_published() || member.options.retain_as_published(),
                );
                if first.subscription_id == 0 {
                    first.subscription_id = member.subscription_id;
                } else if member.subscription_id != 0 {
                    further.push((stamp.receiver, member.subscription_id));
                }
            } else {
                stamp.route = self.route;
                stamp.receiver = len as u32;
                receivers[len] = member;
                len += 1;
            }
        }
        receivers.truncate(len);
        further
    }

    /// Sends one copy, or queues it, or drops it. True if one copy more of the message is on its way because of it.
    ///
    /// `shared` is the group it is sent to; 0 for none.
    pub(super) fn offer(
        &mut self,
        receiver: &Member,
        identifiers: &[u32],
        shared: u32,
        message: &mut Incoming<'_>,
        kept: &mut Option<Arc<Message>>,
        actions: &mut Actions,
    ) -> bool {
        let number = receiver.session;
        let hot = self.hot[number as usize];
        let qos = message.qos.min(receiver.options.qos());
        // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
        let retain = message.retain && receiver.options.retain_as_published();
        let shape = Shape {
            qos,
            retain,
            identifiers,
            shared,
        };
        let is_crowded = hot.online && actions.is_crowded();
        let may_send = hot.online
            && !is_crowded
            && (!hot.backlog || self.may_overtake(number, qos))
            && (qos == QoS::AtMostOnce || self.has_room(number))
            && hot.outbound_bytes < self.config.limits.outbound_bytes_max;
        if may_send {
            let told = if hot.v5 { identifiers } else { &[] };
            let form = Form {
                v5: hot.v5,
                qos,
                retain,
                dup: false,
                identifiers: told,
                alias: Alias::None,
            };
            let encoded = match hot.aliases {
                false => self.forms.encoded(form, message, self.now, actions),
                true => self.encode_aliased(number, form, message, actions),
            };
            if encoded.bytes > hot.packet_bytes_max {
                self.lose(number, shape, message, kept, DropCause::TooLarge);
                return false;
            }
            let is_kept = qos != QoS::AtMostOnce && (shared != 0 || self.keeps_inflight(number));
            let queued = is_kept.then(|| shape.keep(message, kept));
            let packet_id = self.send_copy(number, qos, encoded, queued, actions);
            if self.watches.deliveries {
                let copy = shape.keep(message, kept);
                self.note_delivery(number, copy, packet_id, false);
            }
            return true;
        }
        if is_crowded {
            // Forms of their own for very many receivers: the rest get theirs in steps.
            self.carry_on_later(number);
        } else if qos == QoS::AtMostOnce
            && let Some(why) = self.why_not_queued(number)
        {
            self.lose(number, shape, message, kept, why);
            return false;
        }
        self.enqueue(number, shape.keep(message, kept))
    }

    /// With something waiting, only QoS 0 goes ahead, and not of other QoS 0. [MQTT-4.6.0-6]
    fn may_overtake(&self, number: u32, qos: QoS) -> bool {
        qos == QoS::AtMostOnce && !self.sessions.get(number).queue.holds_qos0()
    }

    /// True if one more message may go into flight.
    pub(super) fn has_room(&self, number: u32) -> bool {
        self.room(number) > 0
    }

    /// How many more messages may go into flight, if they add nothing to the bytes that are kept.
    pub(super) fn room(&self, number: u32) -> usize {
        let bytes_max = self.config.limits.inflight_bytes_max.max(1);
        match self.sessions.get(number).outbound.bytes() < bytes_max {
            true => self.window(number),
            false => 0,
        }
    }

    /// True if one more message may be unacknowledged on this connection.
    pub(super) fn has_window(&self, number: u32) -> bool {
        self.window(number) > 0
    }

    /// How many more messages may be unacknowledged on this connection.
    fn window(&self, number: u32) -> usize {
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
        session.outbound.room(session.version, window)
    }

    /// True if what is in flight to this session may have to be sent again.
    pub(super) fn keeps_inflight(&self, number: u32) -> bool {
        self.config.retry_interval.is_some()
            || self.watches.acks
            || self.sessions.get(number).survives()
    }

    /// Orders the delivery of one encoded copy to a session that is connected and has room.
    pub(super) fn send_copy(
        &mut self,
        number: u32,
        qos: QoS,
        encoded: Encoded,
        kept: Option<Queued>,
        actions: &mut Actions,
    ) -> Option<PacketId> {
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
        self.count_copy(number, qos);
        actions.deliver(encoded.frame, encoded.packet_id_at, target);
        packet_id
    }

    /// Notes that a copy was handed to a session's connection.
    #[cold]
    pub(super) fn note_delivery(
        &mut self,
        number: u32,
        copy: Queued,
        packet_id: Option<PacketId>,
        dup: bool,
    ) {
        self.untold.push(Untold::Delivered {
            conn: self.hot[number as usize].conn,
            copy,
            packet_id,
            dup,
        });
    }

    /// Encodes a copy for one receiver, with a topic alias if it takes them.
    ///
    /// The caller sends the copy unless it is larger than the client takes.
    pub(super) fn encode_aliased(
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
        if encoded.bytes > bytes_max && alias != Alias::None {
            // Without the alias it is three bytes less, or a very short name less.
            return form::encode(form, message, now, actions);
        }
        if matches!(alias, Alias::Binds(_)) {
            aliases.bind(message.topic);
        }
        encoded
    }
}

/// Whether a message of this publisher is none for this subscription. [MQTT-3.8.3-3]
#[inline]
pub(super) fn is_unwanted(member: &Member, origin: Option<u32>) -> bool {
    member.options.no_local() && Some(member.session) == origin
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
    }
    identifiers
}
