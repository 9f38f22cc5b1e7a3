//! All sessions, by number and by client identifier.

use crate::session::Session;
use alloc::{boxed::Box, vec::Vec};
use core::hash::BuildHasher;
use hashbrown::HashMap;

/// All sessions: dense numbers for the fan-out, and the way from a client identifier to its number.
#[derive(Debug)]
pub(crate) struct Sessions {
    slots: Vec<Option<Box<Session>>>,
    free: Vec<u32>,
    by_client_id: HashMap<Box<str>, u32, foldhash::fast::FixedState>,
}

impl Sessions {
    pub(super) fn new(hash_seed: u64) -> Self {
        let by_client_id = HashMap::with_hasher(foldhash::fast::FixedState::with_seed(hash_seed));
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_client_id,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn find(&self, client_id: &str) -> Option<u32> {
        self.by_client_id.get(client_id).copied()
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
        self.by_client_id
            .hasher()
            .hash_one(&*self.get(number).client_id)
            .max(1)
    }

    /// The session with this number, if there is one.
    pub(crate) fn look_up(&mut self, number: u32) -> Option<&mut Session> {
        self.slots.get_mut(number as usize)?.as_deref_mut()
    }

    /// The client identifier of the session with this number; empty if there is none.
    pub(crate) fn client_id(&self, number: u32) -> &str {
        let slot = self.slots.get(number as usize).and_then(Option::as_deref);
        slot.map_or("", |session| &session.client_id)
    }

    pub(super) fn insert(&mut self, session: Session) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("sessions are limited to fewer than 2^32")
        });
        self.by_client_id.insert(session.client_id.clone(), number);
        self.slots[number as usize] = Some(Box::new(session));
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
        self.by_client_id.remove(&session.client_id);
        self.free.push(number);
        session
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Session)> {
        (0..)
            .zip(&self.slots)
            .filter_map(|(number, slot)| Some((number, &**slot.as_ref()?)))
    }
}
