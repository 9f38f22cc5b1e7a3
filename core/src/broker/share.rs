//! Messages of shared subscriptions: which member gets one, and who gets what a member leaves behind.
//! [MQTT 5.0, 4.8.2]

use super::{Actions, DropCause, state::State};
use crate::{
    message::{Incoming, Message},
    packet::QoS,
    session::{Queued, Session},
    shared::Fit,
    topic::{Member, MemberOptions, TopicFilter},
};
use alloc::{sync::Arc, vec::Vec};

/// Messages that are given to others in one event; the rest come in the next.
const ORPHANS_PER_STEP: usize = 256;

/// A message whose receiver is gone before it was begun, or before a QoS 1 message was acknowledged.
#[derive(Debug)]
pub(crate) struct Orphan {
    /// Whose it was.
    client_id: Arc<str>,
    queued: Queued,
}

/// Who published a message.
#[derive(Clone, Copy)]
enum Publisher<'a> {
    /// The session with this number; none for the program around the broker.
    Session(Option<u32>),
    /// A client whose session may have ended.
    Named(&'a str),
}

impl State {
    /// Sends a message to one member of a group. True if it was not dropped.
    pub(super) fn offer_to_group(
        &mut self,
        group: u32,
        origin: Option<u32>,
        message: &mut Incoming<'_>,
        kept: &mut Option<Arc<Message>>,
        actions: &mut Actions,
    ) -> bool {
        let Some(member) = self.choose(group, Publisher::Session(origin), message) else {
            return false;
        };
        let one = [member.subscription_id];
        let identifiers = if one == [0] { &[][..] } else { &one };
        self.offer(&member, identifiers, group, message, kept, actions)
    }

    fn choose(
        &mut self,
        group: u32,
        publisher: Publisher<'_>,
        message: &Incoming<'_>,
    ) -> Option<Member> {
        let strategy = self.config.shared_strategy;
        let key = match publisher {
            _ if !strategy.is_by_publisher() => message.topic,
            Publisher::Session(number) => number.map_or("", |one| self.sessions.client_id(one)),
            Publisher::Named(client_id) => client_id,
        };
        let mut groups = core::mem::take(&mut self.groups);
        let chosen = groups.choose(group, strategy, key, |member| {
            (self.fit(member, message.qos), self.load(member.session))
        });
        self.groups = groups;
        chosen
    }

    fn fit(&self, member: &Member, published: QoS) -> Fit {
        let hot = &self.hot[member.session as usize];
        let qos = published.min(member.options.qos());
        if !hot.online {
            let is_queued = qos != QoS::AtMostOnce || self.config.queue_qos0;
            return if is_queued { Fit::Away } else { Fit::Never };
        }
        let is_ready = !hot.backlog
            && hot.outbound_bytes < self.config.limits.outbound_bytes_max
            && (qos == QoS::AtMostOnce || self.has_room(member.session));
        if is_ready { Fit::Ready } else { Fit::Busy }
    }

    fn load(&self, number: u32) -> usize {
        let session = self.sessions.get(number);
        session.queue.len() + session.outbound.inflight()
    }

    /// A session joins the group of a shared filter, or changes what it asked for.
    pub(super) fn join_group(&mut self, filter: TopicFilter<'_>, member: Member) {
        if let Some(group) = self.groups.join(filter.as_str(), member) {
            let options = MemberOptions::default();
            let member = Member {
                session: group,
                subscription_id: 0,
                options,
            };
            self.routes.subscribe(filter.path(), member);
        }
    }

    /// A session leaves the group of a shared filter.
    pub(super) fn leave_group(&mut self, filter: TopicFilter<'_>, number: u32) {
        if let Some(group) = self.groups.leave(filter.as_str(), number) {
            self.routes.unsubscribe(filter.path(), group);
        }
    }

    /// What waits in the queue of a session that lost its connection is for whoever is there. What nobody would take
    /// stays.
    pub(super) fn orphan_queued(&mut self, number: u32) {
        let session = self.sessions.get_mut(number);
        if !session.joined_groups || session.queue.is_empty() {
            return;
        }
        let client_id: Arc<str> = (*session.client_id).into();
        let mut queue = core::mem::take(&mut session.queue);
        let queued = queue.take_shared(|queued| {
            let mut members = self.groups.members(queued.shared).iter();
            members.any(|member| self.fit(member, queued.message.qos) > Fit::Never)
        });
        self.sessions.get_mut(number).queue = queue;
        let orphans = queued.into_iter();
        self.orphans.extend(orphans.map(|queued| Orphan {
            client_id: client_id.clone(),
            queued,
        }));
    }

    /// What a session that ended had not acknowledged is for another member, if its QoS allows it. [MQTT-4.8.2-5]
    pub(super) fn orphan_all(&mut self, session: &mut Session) {
        if !session.joined_groups {
            return;
        }
        let client_id: Arc<str> = (*session.client_id).into();
        let mut orphans = Vec::new();
        for queued in session.outbound.take_shared() {
            if queued.qos == QoS::ExactlyOnce {
                self.note_drop(&session.client_id, queued, DropCause::SessionEnded);
                continue;
            }
            self.statistics.messages_queued_current += 1;
            self.statistics.queued_bytes_current += queued.message.cost_bytes();
            orphans.push(queued);
        }
        orphans.extend(session.queue.take_shared(|_| true));
        let orphans = orphans.into_iter();
        self.orphans.extend(orphans.map(|queued| Orphan {
            client_id: client_id.clone(),
            queued,
        }));
    }

    /// Gives orphans to other members of their groups, a bounded number at a time.
    pub(super) fn rehome(&mut self, actions: &mut Actions) {
        for _ in 0..ORPHANS_PER_STEP {
            let Some(Orphan { client_id, queued }) = self.orphans.pop_front() else {
                return;
            };
            self.account_unqueued(&queued);
            let (message, shared) = (Arc::clone(&queued.message), queued.shared);
            let mut incoming = Incoming::again(&message);
            let why = if message.is_expired(self.now) {
                DropCause::Expired
            } else if let Some(member) =
                self.choose(shared, Publisher::Named(&client_id), &incoming)
            {
                self.forms.clear();
                let one = [member.subscription_id];
                let identifiers = if one == [0] { &[][..] } else { &one };
                let mut kept = Some(queued.message);
                // If it is dropped, that is counted where it happens.
                self.offer(
                    &member,
                    identifiers,
                    shared,
                    &mut incoming,
                    &mut kept,
                    actions,
                );
                continue;
            } else {
                DropCause::SessionEnded
            };
            self.note_drop(&client_id, queued, why);
        }
        if !self.orphans.is_empty() {
            self.wake_now();
        }
    }
}
