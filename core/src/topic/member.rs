//! The subscribers of one topic filter, dense, so that a fan-out reads them like an array.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a position comes from the list it is used on"
)]

use super::slab::Slab;
use crate::packet::QoS;
use alloc::{boxed::Box, vec::Vec};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// Set in the number of a member that is a group of sessions, never in that of a session.
pub(crate) const GROUP: u32 = 1 << 31;

/// Above this many members their positions are kept in a map, so that no change is linear in their number.
const SCANNED_MAX: usize = 32;
/// At this many the map is dropped. Far enough below that one member who comes and goes does not rebuild it each time.
const MAPPED_MIN: usize = 16;

/// One subscription of one session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Member {
    /// Who subscribed.
    pub session: u32,
    /// The subscription identifier, 0 for none.
    pub subscription_id: u32,
    /// How to deliver.
    pub options: MemberOptions,
}

const _: () = assert!(
    size_of::<Member>() == 12,
    "members fill the caches of a fan-out"
);

/// What a fan-out needs of the subscription options.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MemberOptions {
    qos: QoS,
    no_local: bool,
    retain_as_published: bool,
}

impl MemberOptions {
    /// Packs the options.
    pub const fn new(qos: QoS, no_local: bool, retain_as_published: bool) -> Self {
        Self {
            qos,
            no_local,
            retain_as_published,
        }
    }

    /// The highest QoS of a delivery.
    #[inline]
    pub const fn qos(self) -> QoS {
        self.qos
    }

    /// Do not deliver what the same client published.
    #[inline]
    pub const fn no_local(self) -> bool {
        self.no_local
    }

    /// Keep the RETAIN flag of the published message.
    #[inline]
    pub const fn retain_as_published(self) -> bool {
        self.retain_as_published
    }
}

/// The members of one filter, at most one per session.
///
/// Their order is that of subscribing, but for one thing: the last takes the place of one that leaves. Most filters have
/// one member, which needs no memory of its own.
#[derive(Default)]
pub(super) enum Members {
    #[default]
    Nobody,
    One(Member),
    /// Their number in the [`Crowds`].
    Several(u32),
}

const _: () = assert!(
    size_of::<Members>() == 12,
    "there may be a million filters, and a match reads many"
);

/// The members of all filters that have more than one.
pub(super) type Crowds = Slab<Several>;

/// More than one.
#[derive(Default)]
pub(super) struct Several {
    dense: Vec<Member>,
    /// How many of them are groups.
    groups: u32,
    /// Session to position, for large filters only. Never iterated.
    positions: Option<Box<HashMap<u32, u32, FixedState>>>,
}

impl Members {
    pub(super) const fn is_empty(&self) -> bool {
        matches!(self, Self::Nobody)
    }

    #[inline]
    pub(super) fn as_slice<'a>(&'a self, crowds: &'a Crowds) -> &'a [Member] {
        match self {
            Self::Nobody => &[],
            Self::One(member) => core::slice::from_ref(member),
            Self::Several(number) => &crowds[*number].dense,
        }
    }

    /// How many members are single sessions.
    pub(super) fn sessions_len(&self, crowds: &Crowds) -> usize {
        match self {
            Self::Nobody => 0,
            Self::One(member) => usize::from(member.session & GROUP == 0),
            Self::Several(number) => {
                let several = &crowds[*number];
                several.dense.len() - several.groups as usize
            }
        }
    }

    pub(super) fn get(&self, crowds: &Crowds, session: u32) -> Option<Member> {
        match self {
            Self::Nobody => None,
            Self::One(member) => (member.session == session).then_some(*member),
            Self::Several(number) => crowds[*number].get(session),
        }
    }

    /// Adds a member, or replaces the one of the same session where it stands and returns what was there.
    pub(super) fn insert(&mut self, crowds: &mut Crowds, member: Member) -> Option<Member> {
        match self {
            Self::Nobody => {
                *self = Self::One(member);
                None
            }
            Self::One(one) if one.session == member.session => {
                Some(core::mem::replace(one, member))
            }
            Self::One(one) => {
                let mut several = Several::default();
                several.insert(*one);
                several.insert(member);
                *self = Self::Several(crowds.insert(several));
                None
            }
            Self::Several(number) => crowds[*number].insert(member),
        }
    }

    /// Takes a member out; the last one fills the gap.
    pub(super) fn remove(&mut self, crowds: &mut Crowds, session: u32) -> Option<Member> {
        match *self {
            Self::Nobody => None,
            Self::One(one) if one.session == session => {
                *self = Self::Nobody;
                Some(one)
            }
            Self::One(_) => None,
            Self::Several(number) => {
                let several = &mut crowds[number];
                let removed = several.remove(session)?;
                if let [last] = *several.dense {
                    crowds.remove(number);
                    *self = Self::One(last);
                }
                Some(removed)
            }
        }
    }
}

impl Several {
    fn get(&self, session: u32) -> Option<Member> {
        self.position(session).map(|position| self.dense[position])
    }

    fn insert(&mut self, member: Member) -> Option<Member> {
        if let Some(position) = self.position(member.session) {
            return Some(core::mem::replace(&mut self.dense[position], member));
        }
        if let Some(positions) = &mut self.positions {
            positions.insert(member.session, index(self.dense.len()));
        }
        self.groups += member.session >> 31;
        self.dense.push(member);
        if self.positions.is_none() && self.dense.len() > SCANNED_MAX {
            let positions = self.dense.iter().enumerate();
            self.positions = Some(Box::new(
                positions
                    .map(|(at, member)| (member.session, index(at)))
                    .collect(),
            ));
        }
        None
    }

    fn remove(&mut self, session: u32) -> Option<Member> {
        let position = self.position(session)?;
        let removed = self.dense.swap_remove(position);
        self.groups -= session >> 31;
        if let Some(positions) = &mut self.positions {
            positions.remove(&session);
            if let Some(moved) = self.dense.get(position) {
                positions.insert(moved.session, index(position));
            }
        }
        if self.dense.len() <= MAPPED_MIN {
            self.positions = None;
        }
        if self.dense.len() <= self.dense.capacity() / 4 {
            self.dense.shrink_to(self.dense.len() * 2);
        }
        Some(removed)
    }

    fn position(&self, session: u32) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions.get(&session).map(|&position| position as usize),
            None => self
                .dense
                .iter()
                .position(|member| member.session == session),
        }
    }
}

/// One member per session, and sessions are numbered with 32 bits.
fn index(position: usize) -> u32 {
    u32::try_from(position).expect("fewer members than sessions")
}
