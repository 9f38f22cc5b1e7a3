//! Shared subscriptions: each message goes to one member of a group; which one is the broker's choice. What is not begun,
//! or not acknowledged when a session ends, may go to another. [MQTT 5.0, 4.8.2]

use super::{
    Judged, Model,
    account::OVERHEAD_BYTES,
    matching::matches,
    session::{Copy, Message, Session, Subscription},
    violated,
};
use crate::sim::tally::Tally;
use sanderling_core::packet::QoS;
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// A message that one member of a group is owed, nobody knows which.
#[derive(Clone, Debug)]
pub(super) struct Floating {
    filter: String,
    message: Rc<Message>,
    /// What each member would have got when it was routed.
    offers: BTreeMap<String, Copy>,
    is_new: bool,
}

/// What follows `$share/{name}/` in a filter; none if that is not how it begins. [MQTT-4.8.2-1]
pub(super) fn shared_path(filter: &str) -> Option<&str> {
    let (_, path) = filter.strip_prefix("$share/")?.split_once('/')?;
    Some(path)
}

impl Model {
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
            if let Some(floating) = self.floating(filter, message) {
                tally.sometimes("a message for a group");
                self.floating.push(floating);
                groups += 1;
            }
        }
        groups
    }

    /// None if every member would lose it.
    fn floating(&self, filter: String, message: &Rc<Message>) -> Option<Floating> {
        let mut offers = BTreeMap::new();
        for (client_id, session) in &self.sessions {
            let Some(subscription) = session.subscriptions.get(&filter) else {
                continue;
            };
            let copy = offer(&filter, message, subscription, session);
            let is_kept =
                session.conn.is_some() || copy.qos != QoS::AtMostOnce || self.config.queue_qos0;
            if is_kept {
                offers.insert(client_id.clone(), copy);
            }
        }
        let message = Rc::clone(message);
        (!offers.is_empty()).then_some(Floating {
            filter,
            message,
            offers,
            is_new: true,
        })
    }

    /// What this session would get of a message that floats: as it was routed, or as it stands now.
    fn offers_to(&self, client_id: &str, floating: &Floating) -> Vec<Copy> {
        let now = self.sessions.get(client_id).and_then(|session| {
            let subscription = session.subscriptions.get(&floating.filter)?;
            let copy = offer(&floating.filter, &floating.message, subscription, session);
            Some(Copy {
                is_new: floating.is_new,
                ..copy
            })
        });
        let then = floating.offers.get(client_id).cloned();
        now.into_iter().chain(then).collect()
    }

    /// Takes what floats and fits this session.
    pub(super) fn take_floating(
        &mut self,
        client_id: &str,
        fits: impl Fn(&Copy) -> bool,
    ) -> Option<Copy> {
        for at in 0..self.floating.len() {
            let offers = self.offers_to(client_id, &self.floating[at]);
            if let Some(copy) = offers.into_iter().find(&fits) {
                self.floating.remove(at);
                return Some(copy);
            }
        }
        None
    }

    /// True if something that floats may stand in this session's queue.
    pub(super) fn may_hold_floating(&self, client_id: &str) -> bool {
        self.floating
            .iter()
            .any(|floating| !self.offers_to(client_id, floating).is_empty())
    }

    /// A session has ended: a QoS 1 message that it had not acknowledged is for another member; one of QoS 2 that was
    /// begun ends with it. [MQTT-4.8.2-4] [MQTT-4.8.2-5]
    pub(super) fn release_shared(&mut self, flights: Vec<Copy>, tally: &mut Tally) {
        for copy in flights {
            let Some(filter) = copy.shared.filter(|_| copy.qos == QoS::AtLeastOnce) else {
                continue;
            };
            tally.check("I45");
            tally.sometimes("a message of a group goes to another member");
            let filter = filter.to_string();
            let offers = BTreeMap::new();
            self.floating.push(Floating {
                filter,
                message: copy.message,
                offers,
                is_new: true,
            });
        }
    }

    /// What no member can have any more is lost; hooks hear of it. `queued` is the broker's count.
    pub(super) fn settle_floating(&mut self, queued: u64) -> Judged {
        let owed: usize = self
            .sessions
            .values()
            .map(|session| session.owed.len())
            .sum();
        let mut excess = (owed + self.floating.len()).saturating_sub(queued as usize);
        // First those that no member could have; of the rest only the topic is known. What was begun is not among them.
        for (must_be_orphan, topic) in [true, false].into_iter().flat_map(|first| {
            self.lost_shared
                .clone()
                .into_iter()
                .map(move |topic| (first, topic))
        }) {
            let at = self.floating.iter().position(|floating| {
                let (filter, message) = (floating.filter.clone(), &floating.message);
                message.topic == topic
                    && (!must_be_orphan || self.floating(filter, message).is_none())
            });
            if let Some(at) = at.filter(|_| excess > 0) {
                self.floating.remove(at);
                excess -= 1;
            }
        }
        self.lost_shared.clear();
        if excess > 0 && self.floating.is_empty() {
            violated!("I03", "{queued} messages are queued, and {owed} are owed");
        }
        if excess > 0 {
            violated!(
                "I45",
                "{excess} messages of groups are lost without a word; floating {:?}",
                self.floating
            );
        }
        for floating in &mut self.floating {
            floating.is_new = false;
            floating
                .offers
                .values_mut()
                .for_each(|copy| copy.is_new = false);
        }
        Ok(())
    }

    /// What floats weighs in the limits by bytes.
    pub(super) fn floating_bytes(&self) -> u64 {
        self.floating
            .iter()
            .map(|floating| floating.message.bytes() + OVERHEAD_BYTES)
            .sum()
    }
}

fn offer(
    filter: &str,
    message: &Rc<Message>,
    subscription: &Subscription,
    session: &Session,
) -> Copy {
    Copy {
        message: Rc::clone(message),
        qos: message.qos.min(subscription.options.qos),
        retain: message.retain && subscription.options.retain_as_published,
        identifiers: subscription.identifier.into_iter().collect(),
        was_away: session.conn.is_none(),
        is_new: true,
        shared: Some(filter.into()),
    }
}
