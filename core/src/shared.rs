//! Shared subscriptions: groups of sessions, of which one gets each message. [MQTT 5.0, 4.8.2]
//!
//! In the subscription index a group stands as one member, with a number that no session has.

pub(crate) use crate::topic::GROUP;

use crate::{config::SharedStrategy, topic::Member};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::{hash::BuildHasher, ops::Bound};
use foldhash::fast::FixedState;

/// All groups, by number. A number is not used again while anything may still name it.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<u32, Group>,
    /// By filter as clients write it, `$share/` and all.
    numbers: BTreeMap<Box<str>, u32>,
    last: u32,
    /// For the strategy that draws lots.
    seed: u64,
    draws: u64,
}

#[derive(Debug)]
struct Group {
    /// In the order of joining.
    members: Vec<Member>,
    /// Where the next round begins.
    turn: usize,
    /// Who has been chosen once and for all.
    favourite: Option<u32>,
}

/// How well a member could take a message now. The greatest is chosen.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Fit {
    /// It would be lost.
    Never,
    /// It would wait for the client to come back.
    Away,
    /// It would wait for room.
    Busy,
    /// It would be sent at once.
    Ready,
}

impl Groups {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Adds a member to the group of `filter`, or replaces what it asked for. Returns the number of a group that is new.
    pub(crate) fn join(&mut self, filter: &str, member: Member) -> Option<u32> {
        if let Some(number) = self.numbers.get(filter) {
            if let Some(group) = self.groups.get_mut(number) {
                group.join(member);
            }
            return None;
        }
        let number = self.free_number();
        self.numbers.insert(filter.into(), number);
        let group = Group {
            members: Vec::from([member]),
            turn: 0,
            favourite: None,
        };
        self.groups.insert(number, group);
        Some(number)
    }

    /// Takes a member out of the group of `filter`. Returns the number of a group that has none left and is gone.
    pub(crate) fn leave(&mut self, filter: &str, session: u32) -> Option<u32> {
        let number = *self.numbers.get(filter)?;
        let group = self.groups.get_mut(&number)?;
        group.leave(session);
        if !group.members.is_empty() {
            return None;
        }
        self.groups.remove(&number);
        self.numbers.remove(filter);
        Some(number)
    }

    /// The groups after that of `after`, in the order of their filters, each with how many are in it.
    pub(crate) fn after(&self, after: Option<&str>) -> impl Iterator<Item = (&str, usize)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let numbers = self.numbers.range::<str, _>((from, Bound::Unbounded));
        numbers.map(|(filter, number)| (&**filter, self.members(*number).len()))
    }

    /// Who is in the group of this filter.
    pub(crate) fn members_of(&self, filter: &str) -> &[Member] {
        let number = self.numbers.get(filter);
        number.map_or(&[], |number| self.members(*number))
    }

    /// Who is in a group; nobody if it is gone.
    pub(crate) fn members(&self, number: u32) -> &[Member] {
        self.groups
            .get(&number)
            .map_or(&[], |group| &group.members[..])
    }

    /// The member of a group that gets the next message; none if every one would lose it.
    ///
    /// `key` is what the hashing strategies go by.
    pub(crate) fn choose(
        &mut self,
        number: u32,
        strategy: SharedStrategy,
        key: &str,
        mut fit: impl FnMut(&Member) -> (Fit, usize),
    ) -> Option<Member> {
        let group = self.groups.get_mut(&number)?;
        let count = group.members.len();
        let start = match strategy {
            SharedStrategy::RoundRobin => group.turn % count,
            SharedStrategy::Random => {
                self.draws += 1;
                FixedState::with_seed(self.seed).hash_one(self.draws) as usize % count
            }
            SharedStrategy::Sticky => group.favourite_at().unwrap_or(group.turn % count),
            SharedStrategy::HashPublisher | SharedStrategy::HashTopic => {
                return group.best(|member| (fit(member).0, affinity(key, member.session)));
            }
            SharedStrategy::LeastLoaded => {
                return group.best(|member| {
                    let (fit, load) = fit(member);
                    (fit, u64::MAX - load as u64)
                });
            }
        };
        let mut best = (Fit::Never, start);
        for at in (start..count).chain(0..start) {
            let (fit, _) = fit(&group.members[at]);
            if fit > best.0 {
                best = (fit, at);
            }
            if fit == Fit::Ready {
                break;
            }
        }
        let (fit, at) = best;
        if fit == Fit::Never {
            return None;
        }
        group.turn = at + 1;
        group.favourite = Some(group.members[at].session);
        Some(group.members[at])
    }

    fn free_number(&mut self) -> u32 {
        loop {
            self.last = self.last.wrapping_add(1) & !GROUP;
            let number = self.last | GROUP;
            if !self.groups.contains_key(&number) {
                return number;
            }
        }
    }
}

impl Group {
    fn join(&mut self, member: Member) {
        match self
            .members
            .iter_mut()
            .find(|one| one.session == member.session)
        {
            Some(one) => *one = member,
            None => self.members.push(member),
        }
    }

    fn leave(&mut self, session: u32) {
        let Some(at) = self.members.iter().position(|one| one.session == session) else {
            return;
        };
        self.members.remove(at);
        // Who would have been next still is.
        self.turn -= usize::from(at < self.turn);
    }

    fn favourite_at(&self) -> Option<usize> {
        let favourite = self.favourite?;
        self.members.iter().position(|one| one.session == favourite)
    }

    fn best(&self, mut rate: impl FnMut(&Member) -> (Fit, u64)) -> Option<Member> {
        let rated = self.members.iter().map(|member| (rate(member), member));
        let ((fit, _), member) = rated.max_by_key(|(rating, _)| *rating)?;
        (fit > Fit::Never).then_some(*member)
    }
}

/// How much a key is drawn to a session. Each key's favourite stays the same whoever else joins or leaves.
fn affinity(key: &str, session: u32) -> u64 {
    FixedState::with_seed(u64::from(session)).hash_one(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{packet::QoS, topic::MemberOptions};

    #[test]
    fn i47_rounds_are_fair_also_when_members_leave() {
        let (mut groups, number) = group(&[1, 2, 3]);
        let turn = |groups: &mut Groups| choose(groups, number, SharedStrategy::RoundRobin, "");
        assert_eq!([turn(&mut groups), turn(&mut groups)], [1, 2]);
        assert_eq!(groups.leave("$share/g/a", 1), None);
        assert_eq!(
            [turn(&mut groups), turn(&mut groups), turn(&mut groups)],
            [3, 2, 3]
        );
    }

    #[test]
    fn i47_a_hashed_key_keeps_its_member_when_others_come_and_go() {
        let (mut groups, number) = group(&[1, 2, 3, 4]);
        let strategy = SharedStrategy::HashTopic;
        let before: Vec<_> = KEYS
            .map(|key| choose(&mut groups, number, strategy, key))
            .into();
        assert_eq!(groups.leave("$share/g/a", 4), None);
        let after: Vec<_> = KEYS
            .map(|key| choose(&mut groups, number, strategy, key))
            .into();
        for (before, after) in before.iter().zip(&after) {
            assert!(before == after || *before == 4, "{before} became {after}");
        }
        assert!(
            before.iter().any(|one| *one != before[0]),
            "not all keys go to one"
        );
    }

    #[test]
    fn sticky_stays_until_its_member_is_worse_than_another() {
        let (mut groups, number) = group(&[1, 2]);
        let strategy = SharedStrategy::Sticky;
        assert_eq!(choose(&mut groups, number, strategy, ""), 1);
        assert_eq!(choose(&mut groups, number, strategy, ""), 1);
        let busy = |member: &Member| match member.session {
            1 => (Fit::Busy, 0),
            _ => (Fit::Ready, 0),
        };
        let chosen = groups.choose(number, strategy, "", busy);
        assert_eq!(chosen.map(|member| member.session), Some(2));
        assert_eq!(choose(&mut groups, number, strategy, ""), 2);
    }

    #[test]
    fn the_least_loaded_is_chosen_among_those_that_fit_best() {
        let (mut groups, number) = group(&[1, 2, 3]);
        let fit = |member: &Member| match member.session {
            1 => (Fit::Busy, 0),
            2 => (Fit::Ready, 9),
            _ => (Fit::Ready, 3),
        };
        let chosen = groups.choose(number, SharedStrategy::LeastLoaded, "", fit);
        assert_eq!(chosen.map(|member| member.session), Some(3));
    }

    #[test]
    fn i46_nobody_is_chosen_if_everybody_would_lose_it() {
        let (mut groups, number) = group(&[1, 2]);
        for strategy in [SharedStrategy::RoundRobin, SharedStrategy::HashTopic] {
            assert_eq!(
                groups.choose(number, strategy, "", |_| (Fit::Never, 0)),
                None
            );
        }
    }

    #[test]
    fn i30_an_empty_group_is_gone() {
        let (mut groups, number) = group(&[1]);
        assert_eq!(groups.leave("$share/g/a", 1), Some(number));
        assert!(groups.is_empty() && groups.numbers.is_empty());
        assert_ne!(
            groups.join("$share/g/a", member(1)),
            Some(number),
            "its number is not used again"
        );
    }

    const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

    fn group(sessions: &[u32]) -> (Groups, u32) {
        let mut groups = Groups::new(7);
        let numbers: Vec<_> = sessions
            .iter()
            .filter_map(|&one| groups.join("$share/g/a", member(one)))
            .collect();
        assert_eq!(numbers.len(), 1);
        (groups, numbers[0])
    }

    fn member(session: u32) -> Member {
        let options = MemberOptions::new(QoS::AtLeastOnce, false, false);
        Member {
            session,
            subscription_id: 0,
            options,
        }
    }

    fn choose(groups: &mut Groups, number: u32, strategy: SharedStrategy, key: &str) -> u32 {
        groups
            .choose(number, strategy, key, |_| (Fit::Ready, 0))
            .unwrap()
            .session
    }
}
