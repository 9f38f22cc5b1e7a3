//! Shared subscriptions: each message goes to one member of a group; which one is the broker's choice. What is not begun,
//! or not acknowledged when a session ends, may go to another. [MQTT 5.0, 4.8.2]

use super::{
    Judged, Model,
    matching::matches,
    session::{Copy, Group, Message, Session, Subscription},
    violated,
};
use crate::sim::tally::Tally;
use sanderling_core::packet::QoS;
use std::{collections::BTreeSet, rc::Rc};

/// A message that one member of a group is owed, nobody knows which.
#[derive(Clone, Debug)]
pub(super) struct Floating {
    group: Group,
    pub(super) message: Rc<Message>,
    /// What each member would have got whenever the broker chose one, oldest first.
    offers: Vec<(String, Copy)>,
    is_new: bool,
}

impl Floating {
    /// What this session would have got.
    fn offers_to<'a>(&'a self, client_id: &'a str) -> impl Iterator<Item = &'a Copy> {
        let offers = self.offers.iter();
        offers
            .filter(move |(to, _)| to == client_id)
            .map(|(_, copy)| copy)
    }

    fn add(&mut self, client_id: &str, copy: Copy) {
        let is_same = |offer: &Copy| {
            offer.qos == copy.qos
                && offer.retain == copy.retain
                && offer.identifiers == copy.identifiers
        };
        if !self.offers_to(client_id).any(is_same) {
            self.offers.push((client_id.to_owned(), copy));
        }
    }
}

/// What follows `$share/{name}/` in a filter; none if that is not how it begins. [MQTT-4.8.2-1]
pub(super) fn shared_path(filter: &str) -> Option<&str> {
    let (_, path) = filter.strip_prefix("$share/")?.split_once('/')?;
    Some(path)
}

impl Model {
    /// A session is about to join the group of a shared filter: a new one if nobody is in it.
    pub(super) fn found_group(&mut self, filter: &str) {
        let mut sessions = self.sessions.values();
        if !sessions.any(|session| session.subscriptions.contains_key(filter)) {
            self.founded += 1;
            self.groups.insert(filter.to_owned(), self.founded);
        }
    }

    /// Owes a message to every group whose filter matches. Returns to how many.
    pub(super) fn float(&mut self, message: &Rc<Message>, tally: &mut Tally) -> usize {
        let all = self
            .sessions
            .values()
            .flat_map(|session| session.subscriptions.keys());
        let filters: BTreeSet<_> = all
            .filter(|filter| shared_path(filter).is_some_and(|path| matches(path, &message.topic)))
            .cloned()
            .collect();
        let mut groups = 0;
        for filter in filters {
            let number = self.groups[&filter];
            let filter = filter.into();
            if let Some(floating) = self.floating(Group { filter, number }, message) {
                tally.sometimes("a message for a group");
                self.floating.push(floating);
                groups += 1;
            }
        }
        groups
    }

    /// None if every member would lose it.
    fn floating(&self, group: Group, message: &Rc<Message>) -> Option<Floating> {
        let mut floating = Floating {
            group,
            message: Rc::clone(message),
            offers: Vec::new(),
            is_new: true,
        };
        self.make_offers(&mut floating);
        (!floating.offers.is_empty()).then_some(floating)
    }

    /// Notes what each member that would keep the message gets if it is chosen now.
    fn make_offers(&self, floating: &mut Floating) {
        let group = floating.group.clone();
        if self.groups.get(&*group.filter) != Some(&group.number) {
            return;
        }
        for (client_id, session) in &self.sessions {
            let Some(subscription) = session.subscriptions.get(&*group.filter) else {
                continue;
            };
            let copy = offer(&group, &floating.message, subscription, session);
            let is_kept =
                session.conn.is_some() || copy.qos != QoS::AtMostOnce || self.config.queue_qos0;
            if is_kept {
                floating.add(client_id, copy);
            }
        }
    }

    /// A member has gone: what may have stood in its queue is for whoever is there.
    pub(super) fn offer_anew(&mut self, client_id: &str) {
        let mut all = std::mem::take(&mut self.floating);
        for floating in &mut all {
            if floating.offers_to(client_id).next().is_some() {
                self.make_offers(floating);
            }
        }
        self.floating = all;
    }

    /// The place of the oldest that floats and fits this session, and what the session gets of it.
    pub(super) fn find_floating(
        &self,
        client_id: &str,
        fits: impl Fn(&Copy) -> bool,
    ) -> Option<(usize, Copy)> {
        let all = self.floating.iter().enumerate();
        let fitting = all.filter_map(|(at, floating)| {
            let copy = floating.offers_to(client_id).find(|copy| fits(copy))?;
            Some((floating.message.order, at, copy.clone()))
        });
        let (_, at, copy) = fitting.min_by_key(|(order, at, _)| (*order, *at))?;
        Some((at, copy))
    }

    pub(super) fn take_found(&mut self, (at, copy): (usize, Copy)) -> Copy {
        let floating = self.floating.remove(at);
        let is_new = floating.is_new;
        self.landed.push(floating);
        Copy { is_new, ..copy }
    }

    /// What floats and may stand in this session's queue.
    pub(super) fn may_hold<'a>(
        &'a self,
        client_id: &'a str,
    ) -> impl Iterator<Item = &'a Floating> + 'a {
        self.floating
            .iter()
            .filter(|floating| floating.offers_to(client_id).next().is_some())
    }

    /// The same, and what floated until this event.
    pub(super) fn may_have_held<'a>(
        &'a self,
        client_id: &'a str,
    ) -> impl Iterator<Item = &'a Floating> + 'a {
        let landed = self.landed.iter();
        let landed = landed.filter(|landed| landed.offers_to(client_id).next().is_some());
        self.may_hold(client_id).chain(landed)
    }

    /// A message that floats, though nobody can have it who has a reason to wait.
    pub(super) fn stuck_floating(&self, waits: impl Fn(&Session) -> bool) -> Option<&Floating> {
        self.floating.iter().find(|floating| {
            let holders = floating.offers.iter().map(|(client_id, _)| client_id);
            let mut holders = holders.filter_map(|client_id| self.sessions.get(client_id));
            !holders.any(&waits)
        })
    }

    /// True if some member would keep what floats here, if it were chosen now.
    pub(super) fn is_wanted(&self, copy: &Copy) -> bool {
        let group = copy.shared.clone();
        group.is_some_and(|group| self.floating(group, &copy.message).is_some())
    }

    /// A session has ended: a QoS 1 message that it had not acknowledged is for another member; one of QoS 2 that was
    /// begun ends with it. [MQTT-4.8.2-4] [MQTT-4.8.2-5]
    pub(super) fn release_shared(
        &mut self,
        client_id: &str,
        flights: impl Iterator<Item = Copy>,
        tally: &mut Tally,
    ) {
        for copy in flights {
            let Some(group) = copy.shared.clone() else {
                continue;
            };
            tally.check("I45");
            if copy.qos == QoS::ExactlyOnce {
                self.abandoned.push((client_id.to_owned(), copy));
                continue;
            }
            tally.sometimes("a message of a group goes to another member");
            self.floating.push(Floating {
                group,
                message: Rc::clone(&copy.message),
                offers: vec![(client_id.to_owned(), copy)],
                is_new: true,
            });
        }
        self.offer_anew(client_id);
    }

    /// The event is over: what floats is not new any more, and nothing was lost without a word.
    pub(super) fn settle_floating(&mut self) -> Judged {
        if let Some((client_id, copy)) = self.abandoned.first() {
            violated!(
                "I45",
                "{client_id:?} had begun {:?} of a group, and nobody hears that it is lost",
                copy.message
            );
        }
        for floating in &mut self.floating {
            floating.is_new = false;
            floating
                .offers
                .iter_mut()
                .for_each(|(_, copy)| copy.is_new = false);
        }
        Ok(())
    }

    /// What floats weighs in the limits by bytes.
    pub(super) fn floating_bytes(&self) -> u64 {
        self.floating
            .iter()
            .map(|floating| floating.message.weight())
            .sum()
    }
}

fn offer(
    group: &Group,
    message: &Rc<Message>,
    subscription: &Subscription,
    session: &Session,
) -> Copy {
    Copy {
        message: Rc::clone(message),
        qos: message.qos.min(subscription.options.qos),
        retain: message.retain && subscription.options.retain_as_published,
        identifiers: subscription.identifier.into_iter().collect(),
        or_identifiers: Vec::new(),
        was_away: session.conn.is_none(),
        is_new: true,
        shared: Some(group.clone()),
    }
}
