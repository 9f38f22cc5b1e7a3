//! Who gets the messages of a topic: the index of subscriptions, and what it has said of topics that come again.
//!
//! What is remembered is only ever what the index would say: a change of a subscription forgets every topic that it
//! matches. So nobody can tell that anything is remembered, but by the time it takes.

use super::deliver::FurtherIdentifiers;
use crate::topic::{self, Index, Member};
use alloc::{boxed::Box, vec::Vec};
use core::hash::BuildHasher;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;

/// Topics that are remembered.
const ROUTES_MAX: usize = 4096;
/// Receivers that are remembered for all of them.
const RECEIVERS_MAX: usize = 256 << 10;
/// Receivers of one topic; for more, finding them is the smallest part.
const RECEIVERS_OF_ONE_MAX: usize = 4096;
/// A longer topic name is not remembered.
const TOPIC_BYTES_MAX: usize = 256;
/// So many topics are looked at one by one when a filter with wildcards changes; of more, all are forgotten.
const LOOKED_AT_MAX: usize = 16;
/// At the rarest, one of so many unknown topics is remembered.
const RARITY_MAX: u32 = 1024;

/// Who gets the messages of one topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    topic: Box<str>,
    /// One for each session, or for each subscription, as the delivery mode says.
    pub(super) receivers: Vec<Member>,
    /// Subscription identifiers beside the first of a receiver.
    pub(super) further: FurtherIdentifiers,
    pub(super) groups: SmallVec<[u32; 4]>,
    /// How many filters match.
    pub(super) filters: usize,
    /// It is only good for one publisher.
    pub(super) is_personal: bool,
}

impl Route {
    /// Forgets everything but its memory.
    pub(super) fn clear(&mut self) {
        self.receivers.clear();
        self.further.clear();
        self.groups.clear();
        (self.filters, self.is_personal) = (0, false);
    }
}

/// The index, and the routes that are remembered.
pub(crate) struct Routes {
    index: Index,
    /// Places in `routes`, found by their topics.
    places: HashTable<u32>,
    /// None where a place is free, or its route is lent.
    routes: Vec<Option<Box<Route>>>,
    free: Vec<u32>,
    /// In all routes.
    receivers: usize,
    hasher: FixedState,
    /// One of so many unknown topics is remembered.
    rarity: u32,
    unknown: u32,
    /// How often a route was found, since all were forgotten for want of room.
    found: u32,
}

impl core::fmt::Debug for Routes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Routes")
            .field("index", &self.index)
            .field("remembered", &self.places.len())
            .finish_non_exhaustive()
    }
}

impl Routes {
    /// No subscriptions. The seed changes nothing that can be seen.
    pub(super) fn new(hash_seed: u64) -> Self {
        Self {
            index: Index::new(hash_seed),
            places: HashTable::new(),
            routes: Vec::new(),
            free: Vec::new(),
            receivers: 0,
            hasher: FixedState::with_seed(hash_seed),
            rarity: 1,
            unknown: 0,
            found: 0,
        }
    }

    /// The index, to be looked at.
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// See [`Index::subscribe`].
    pub(super) fn subscribe(&mut self, path: &str, member: Member) {
        self.index.subscribe(path, member);
        self.forget(path);
    }

    /// See [`Index::unsubscribe`].
    pub(super) fn unsubscribe(&mut self, path: &str, session: u32) {
        self.index.unsubscribe(path, session);
        self.forget(path);
    }

    /// The place of the route of this topic. `hint` is the place that was found last time for the same publisher.
    #[inline]
    pub(super) fn find(&mut self, hint: u32, topic: &str) -> Option<u32> {
        let is_it = |place: u32| {
            let route = self.routes.get(place as usize);
            matches!(route, Some(Some(route)) if *route.topic == *topic)
        };
        let place = match is_it(hint) {
            true => hint,
            false if self.places.is_empty() => return None,
            false => {
                let hash = self.hasher.hash_one(topic);
                *self.places.find(hash, |place| is_it(*place))?
            }
        };
        self.found = self.found.saturating_add(1);
        Some(place)
    }

    /// Lends the route at this place, to be [given back](Self::give_back) before anything else happens to it.
    #[inline]
    pub(super) fn borrow(&mut self, place: u32) -> Option<Box<Route>> {
        self.routes[place as usize].take()
    }

    #[inline]
    pub(super) fn give_back(&mut self, place: u32, route: Box<Route>) {
        self.routes[place as usize] = Some(route);
    }

    /// Remembers what the index has said of a topic, or not; `hint` is the place if it is remembered.
    pub(super) fn remember(&mut self, topic: &str, route: &Route, hint: &mut u32) {
        self.unknown = self.unknown.wrapping_add(1);
        let is_wanted = self.unknown.is_multiple_of(self.rarity)
            && !route.is_personal
            && topic.len() <= TOPIC_BYTES_MAX
            && route.receivers.len() <= RECEIVERS_OF_ONE_MAX;
        if !is_wanted {
            return;
        }
        let receivers = self.receivers + route.receivers.len();
        if self.places.len() >= ROUTES_MAX || receivers > RECEIVERS_MAX {
            self.make_room();
        }
        self.receivers += route.receivers.len();
        let route = Some(Box::new(Route {
            topic: topic.into(),
            ..route.clone()
        }));
        let place = match self.free.pop() {
            Some(place) => {
                self.routes[place as usize] = route;
                place
            }
            None => {
                self.routes.push(route);
                (self.routes.len() - 1) as u32
            }
        };
        let (hasher, routes) = (&self.hasher, &self.routes);
        let hash = hasher.hash_one(topic);
        let hash_of = |place: &u32| hasher.hash_one(topic_of(routes, *place));
        self.places.insert_unique(hash, place, hash_of);
        *hint = place;
    }

    /// Forgets all routes. If they were of little use, fewer topics are remembered from now on.
    #[cold]
    fn make_room(&mut self) {
        let were_useful = self.found as usize / 4 > self.places.len();
        self.rarity = match were_useful {
            true => (self.rarity / 2).max(1),
            false => (self.rarity * 2).min(RARITY_MAX),
        };
        self.forget_all();
    }

    /// A subscription to this filter has changed.
    fn forget(&mut self, path: &str) {
        if self.places.is_empty() {
            return;
        }
        if !path.contains(['+', '#']) {
            let hash = self.hasher.hash_one(path);
            let routes = &self.routes;
            let is_it = |place: &u32| topic_of(routes, *place) == path;
            if let Ok(found) = self.places.find_entry(hash, is_it) {
                let (place, _) = found.remove();
                self.release(place);
            }
        } else if self.places.len() <= LOOKED_AT_MAX {
            let (routes, mut matching) = (&self.routes, SmallVec::<[u32; LOOKED_AT_MAX]>::new());
            self.places.retain(|place| {
                let is_matching = topic::matches(path, topic_of(routes, *place));
                if is_matching {
                    matching.push(*place);
                }
                !is_matching
            });
            // The table has no order that may be seen.
            matching.sort_unstable();
            matching.into_iter().for_each(|place| self.release(place));
        } else {
            self.forget_all();
        }
    }

    fn release(&mut self, place: u32) {
        if let Some(route) = self.routes[place as usize].take() {
            self.receivers -= route.receivers.len();
            self.free.push(place);
        }
    }

    fn forget_all(&mut self) {
        self.places.clear();
        self.routes.clear();
        self.free.clear();
        (self.receivers, self.found) = (0, 0);
    }
}

/// The topic of the route at a place that the table names.
fn topic_of(routes: &[Option<Box<Route>>], place: u32) -> &str {
    let route = routes[place as usize].as_deref();
    route.map_or("", |route| &route.topic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{packet::QoS, topic::MemberOptions};
    use alloc::{format, string::String};
    use proptest::prelude::*;

    fn member(session: u32) -> Member {
        Member {
            session,
            subscription_id: 0,
            options: MemberOptions::new(QoS::AtMostOnce, false, false),
        }
    }

    /// What the index says.
    fn route_of(routes: &Routes, topic: &str) -> Route {
        let mut route = Route::default();
        routes.index().for_each_match(topic, |members| {
            route.filters += 1;
            route.receivers.extend_from_slice(members);
        });
        route
    }

    fn sessions(route: &Route) -> Vec<u32> {
        route
            .receivers
            .iter()
            .map(|member| member.session)
            .collect()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Subscribe(String, u32),
        Unsubscribe(String, u32),
        Publish(String),
    }

    fn step() -> impl Strategy<Value = Step> {
        let filter = "[ab+](/[ab+]){0,2}(/#)?";
        let topic = "[ab](/[ab]){0,2}";
        prop_oneof![
            (filter, 0..4_u32).prop_map(|(filter, session)| Step::Subscribe(filter, session)),
            (filter, 0..4_u32).prop_map(|(filter, session)| Step::Unsubscribe(filter, session)),
            topic.prop_map(Step::Publish),
            topic.prop_map(Step::Publish),
        ]
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_what_the_index_says(steps in prop::collection::vec(step(), 0..200)) {
            let mut routes = Routes::new(7);
            let mut hint = 0;
            for step in steps {
                match step {
                    Step::Subscribe(filter, session) => routes.subscribe(&filter, member(session)),
                    Step::Unsubscribe(filter, session) => routes.unsubscribe(&filter, session),
                    Step::Publish(topic) => {
                        let expected = route_of(&routes, &topic);
                        match routes.find(hint, &topic) {
                            Some(place) => {
                                let route = routes.borrow(place).unwrap();
                                prop_assert_eq!(sessions(&route), sessions(&expected));
                                prop_assert_eq!(route.filters, expected.filters);
                                routes.give_back(place, route);
                            }
                            None => routes.remember(&topic, &expected, &mut hint),
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut routes = Routes::new(7);
        (0..100).for_each(|session| routes.subscribe("#", member(session)));
        let mut hint = 0;
        for round in 0..3 * ROUTES_MAX {
            let topic = format!("topic {round}");
            let route = route_of(&routes, &topic);
            routes.remember(&topic, &route, &mut hint);
            assert!(routes.places.len() <= ROUTES_MAX && routes.receivers <= RECEIVERS_MAX);
        }
        assert!(
            routes.rarity > 1,
            "topics that never come again are remembered more rarely"
        );
        routes.unsubscribe("#", 5);
        assert_eq!((routes.places.len(), routes.receivers), (0, 0));
    }

    #[test]
    fn topics_that_a_change_does_not_touch_are_still_known() {
        let mut routes = Routes::new(7);
        routes.subscribe("a/+", member(1));
        let mut hint = 0;
        for topic in ["a/b", "a/c", "b/b"] {
            let route = route_of(&routes, topic);
            routes.remember(topic, &route, &mut hint);
        }
        routes.subscribe("a/c", member(2));
        assert_eq!(routes.find(0, "a/c"), None);
        assert_eq!(
            (routes.find(0, "a/b"), routes.find(9, "b/b")),
            (Some(0), Some(2))
        );
        routes.subscribe("+/b", member(3));
        assert!(routes.find(0, "a/b").is_none() && routes.find(0, "b/b").is_none());
    }
}
