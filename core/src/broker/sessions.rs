//! All sessions, by number and by client identifier.

use crate::session::Session;
use alloc::{boxed::Box, vec::Vec};
use core::hash::BuildHasher;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// All sessions: dense numbers for the fan-out, and the way from a client identifier to its number.
#[derive(Debug)]
pub(crate) struct Sessions {
    slots: Vec<Option<Box<Session>>>,
    free: Vec<u32>,
    /// The numbers, by the hash of the client identifier.
    by_client_id: HashTable<u32>,
    hasher: FixedState,
}

impl Sessions {
    pub(super) fn new(hash_seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_client_id: HashTable::new(),
            hasher: FixedState::with_seed(hash_seed),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn find(&self, client_id: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(client_id);
        let is_it = |&number: &u32| self.client_id(number) == client_id;
        self.by_client_id.find(hash, is_it).copied()
    }

    pub(crate) fn get(&self, number: u32) -> &Session {
        self.slots[number as usize]
            .as_ref()
            .expect("a session number is valid while it is filed")
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> &mut Session {
        self.slots[number as usize]
            .as_mut()
            .expect("a session number is valid while it is filed")
    }

    /// A number that stands for the client identifier of this session, and of any later one with the same.
    pub(crate) fn fingerprint(&self, number: u32) -> u64 {
        self.hasher.hash_one(self.client_id(number)).max(1)
    }

    /// The session with this number, if there is one.
    pub(crate) fn look_up(&mut self, number: u32) -> Option<&mut Session> {
        self.slots.get_mut(number as usize)?.as_deref_mut()
    }

    /// The client identifier of the session with this number; empty if there is none.
    pub(crate) fn client_id(&self, number: u32) -> &str {
        client_id_at(&self.slots, number)
    }

    pub(super) fn insert(&mut self, session: Session) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("sessions are limited to fewer than 2^32")
        });
        let hash = self.hasher.hash_one(&*session.client_id);
        self.slots[number as usize] = Some(Box::new(session));
        let (hasher, slots) = (&self.hasher, &self.slots);
        let rehash = |&number: &u32| hasher.hash_one(client_id_at(slots, number));
        self.by_client_id.insert_unique(hash, number, rehash);
        number
    }

    /// The sessions with numbers from this one on.
    pub(crate) fn iter_from(&self, from: u32) -> impl Iterator<Item = (u32, &Session)> {
        let slots = self.slots.get(from as usize..).unwrap_or_default();
        // The slots first: beyond the last number there is no number.
        slots
            .iter()
            .zip(from..)
            .filter_map(|(slot, number)| Some((number, &**slot.as_ref()?)))
    }

    pub(crate) fn remove(&mut self, number: u32) -> Box<Session> {
        let session = self.slots[number as usize]
            .take()
            .expect("a session ends once");
        let hash = self.hasher.hash_one(&*session.client_id);
        let entry = self.by_client_id.find_entry(hash, |&one| one == number);
        assert!(
            entry.is_ok_and(|entry| entry.remove().0 == number),
            "a session is found under its client identifier"
        );
        self.free.push(number);
        session
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Session)> {
        (0..)
            .zip(&self.slots)
            .filter_map(|(number, slot)| Some((number, &**slot.as_ref()?)))
    }
}

fn client_id_at(slots: &[Option<Box<Session>>], number: u32) -> &str {
    let slot = slots.get(number as usize).and_then(Option::as_deref);
    slot.map_or("", |session| &session.client_id)
}
