//! Looking at who subscribes to what.

use super::{SessionView, View};
use crate::{
    packet::SubscribeOptions,
    session::Subscription,
    shared::GROUP,
    time::{Instant, WallClock},
    topic::{self, Member, TopicFilter},
};
use alloc::{string::String, vec::Vec};

/// One subscription.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SubscriptionView<'a> {
    /// The filter as the client wrote it.
    pub filter: &'a str,
    /// What it asked for; the QoS is the one granted.
    pub options: SubscribeOptions,
    /// The subscription identifier; 0 for none.
    pub identifier: u32,
    /// When it was made or replaced last.
    pub at: WallClock,
}

pub(super) fn subscription_view<'a>(
    filter: &'a str,
    subscription: &Subscription,
    origin: WallClock,
) -> SubscriptionView<'a> {
    let millis = u64::from(subscription.since_s) * 1000;
    SubscriptionView {
        filter,
        options: subscription.options,
        identifier: subscription.identifier,
        at: WallClock(origin.0.saturating_add(millis)),
    }
}

impl<'a> View<'a> {
    /// The sessions with a subscription to exactly this filter, each with its options.
    pub fn subscribers(self, filter: &str) -> Vec<(&'a str, SubscriptionView<'a>)> {
        let numbers = self.subscribers_up_to(filter, usize::MAX);
        let found = numbers.into_iter().flatten().filter_map(|number| {
            let session = self.state.sessions.get(number);
            let (filter, subscription) = session.subscriptions.get(filter)?;
            let view = subscription_view(filter, subscription, self.state.wall_at(Instant::ORIGIN));
            Some((&*session.client_id, view))
        });
        found.collect()
    }

    /// The sessions with subscriptions that match this topic, each with all that do.
    pub fn subscriptions_to(self, topic: &str) -> Vec<(&'a str, Vec<SubscriptionView<'a>>)> {
        let numbers = self.matching_up_to(topic, usize::MAX);
        let found = numbers.into_iter().flatten().map(|number| {
            let session = self.session_at(number);
            let matching = session
                .subscriptions()
                .filter(|one| topic::matches(topic::path_of(one.filter), topic))
                .collect();
            (session.client_id(), matching)
        });
        found.collect()
    }

    /// The sessions with a subscription to exactly this filter, with numbers from `from` on, as in
    /// [`sessions_from`](Self::sessions_from). None if more than `at_most` subscribe: a walk through all sessions soon
    /// finds some of so many.
    pub fn few_subscribers(
        self,
        filter: &str,
        from: u32,
        at_most: usize,
    ) -> Option<impl Iterator<Item = (u32, SessionView<'a>)> + use<'a>> {
        let numbers = self.subscribers_up_to(filter, at_most)?;
        Some(self.numbered(numbers, from))
    }

    /// The sessions with a subscription that matches this topic, with numbers from `from` on, as in
    /// [`sessions_from`](Self::sessions_from). None if more than `at_most` subscriptions match: a walk through all sessions
    /// soon finds some of so many.
    pub fn few_matching(
        self,
        topic: &str,
        from: u32,
        at_most: usize,
    ) -> Option<impl Iterator<Item = (u32, SessionView<'a>)> + use<'a>> {
        let numbers = self.matching_up_to(topic, at_most)?;
        Some(self.numbered(numbers, from))
    }

    fn numbered(
        self,
        numbers: Vec<u32>,
        from: u32,
    ) -> impl Iterator<Item = (u32, SessionView<'a>)> + use<'a> {
        let those = numbers.into_iter().filter(move |number| *number >= from);
        those.map(move |number| (number, self.session_at(number)))
    }

    /// Who subscribes to exactly this filter, in order; none if more than `at_most`.
    fn subscribers_up_to(self, filter: &str, at_most: usize) -> Option<Vec<u32>> {
        let mut found = Found::up_to(at_most);
        if let Ok(filter) = TopicFilter::parse(filter) {
            found.add(self.state.members_of(filter));
        }
        found.sorted()
    }

    /// Who subscribes to what matches this topic, in order; none if more than `at_most` subscriptions match.
    fn matching_up_to(self, topic: &str, at_most: usize) -> Option<Vec<u32>> {
        let mut found = Found::up_to(at_most);
        self.state.members_for(topic, |members| found.add(members));
        found.sorted()
    }

    /// The filters that sessions subscribe to by themselves, with numbers from `from` on, each with its number and how many
    /// subscribe. A filter keeps its number as long as somebody does, so a walk in pieces misses none that is there all
    /// the time.
    pub fn filters_from(self, from: u32) -> impl Iterator<Item = (u32, String, usize)> {
        self.state.routes.index().filters_from(from)
    }

    /// The shared subscriptions after the one to `after`, in the order of their filters, each with how many share it.
    pub fn shared_after(self, after: Option<&str>) -> impl Iterator<Item = (&'a str, usize)> {
        self.state.groups.after(after)
    }

    /// The subscriptions that wait for the first session of this client identifier, in the order of their filters, after
    /// the one to `after`.
    pub fn reserved_after(
        self,
        client_id: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = SubscriptionView<'a>> {
        let origin = self.state.wall_at(Instant::ORIGIN);
        let of_client = self.state.reserved.get(client_id).into_iter();
        let waiting = of_client.flat_map(move |all| all.after(after));
        waiting.map(move |(filter, one)| subscription_view(filter, one, origin))
    }
}

/// Sessions that are found, up to a number of them.
struct Found {
    sessions: Vec<u32>,
    room: usize,
    is_full: bool,
}

impl Found {
    fn up_to(room: usize) -> Self {
        Self {
            sessions: Vec::new(),
            room,
            is_full: false,
        }
    }

    /// Adds those that are single sessions.
    fn add(&mut self, members: &[Member]) {
        let sessions = members.iter().map(|member| member.session);
        let sessions = sessions.filter(|session| session & GROUP == 0);
        self.is_full |= members.len() > self.room;
        if !self.is_full {
            let before = self.sessions.len();
            self.sessions.extend(sessions);
            self.room -= self.sessions.len() - before;
        }
    }

    /// In order, each once; none if there was no room for all.
    fn sorted(mut self) -> Option<Vec<u32>> {
        self.sessions.sort_unstable();
        self.sessions.dedup();
        (!self.is_full).then_some(self.sessions)
    }
}
