//! The hook sets of a broker, in the order in which they are asked, and what they ask for.

use super::{Context, HookSet, Hooks, Notice};
use crate::broker::{Command, Link};
use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use core::fmt;

/// What hooks ask for during one event.
#[derive(Debug)]
pub(crate) struct Orders {
    list: VecDeque<Command>,
    /// How many more may be given during this event, because of other orders too.
    left: u32,
    max: u32,
}

impl Orders {
    pub(crate) fn new(max: u32) -> Self {
        Self {
            list: VecDeque::new(),
            left: max,
            max,
        }
    }

    /// Has `command` carried out after the current event; gives it back if there were too many during this one.
    pub(crate) fn push(&mut self, command: Command) -> Result<(), Command> {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return Err(command),
        }
        self.list.push_back(command);
        Ok(())
    }

    /// The oldest. When there is none, the next event's may be given.
    pub(crate) fn take(&mut self) -> Option<Command> {
        let oldest = self.list.pop_front();
        if oldest.is_none() {
            self.left = self.max;
        }
        oldest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// The hook sets, in the order they are asked.
#[derive(Default)]
pub struct HookChain {
    sets: Vec<Entry>,
    wanted: HookSet,
}

/// One set of the chain.
struct Entry {
    wants: HookSet,
    /// The listeners whose clients it is asked about; none for all.
    only: Option<Box<[u16]>>,
    hooks: Box<dyn Hooks>,
}

impl Entry {
    /// True if it wants `what` of clients of this listener.
    fn wants(&self, what: HookSet, listener: Option<u16>) -> bool {
        self.wants.contains(what)
            && match (&self.only, listener) {
                // The program need not ask itself.
                (_, Some(Link::INLINE)) if !HookSet::OBSERVING.contains(what) => false,
                (Some(only), Some(listener)) => only.contains(&listener),
                // What is not of a connection is everybody's business.
                (None, _) | (_, None) => true,
            }
    }
}

impl fmt::Debug for HookChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.sets.iter().map(|entry| (&entry.wants, &entry.only)))
            .finish()
    }
}

impl HookChain {
    /// No hooks: everything is permitted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a set.
    pub fn push(&mut self, hooks: Box<dyn Hooks>) {
        self.push_for(None, hooks);
    }

    /// Appends a set that is asked about, and told of, clients of these listeners only, by the driver's numbers; `None`
    /// for all. It is also told of what is nobody's, such as messages lost for a client that is away.
    pub fn push_for(&mut self, listeners: Option<&[u16]>, hooks: Box<dyn Hooks>) {
        let wants = hooks.wants();
        self.wanted = self.wanted | wants;
        self.sets.push(Entry {
            wants,
            only: listeners.map(Into::into),
            hooks,
        });
    }

    /// This chain and one more set.
    #[must_use]
    pub fn with(mut self, hooks: impl Hooks + 'static) -> Self {
        self.push(Box::new(hooks));
        self
    }

    /// True if any set wants this method.
    pub(crate) fn wants(&self, what: HookSet) -> bool {
        self.wanted.contains(what)
    }

    pub(crate) fn accept(&mut self, link: &Link, cx: &mut Context<'_>) -> bool {
        !self.wants(HookSet::ACCEPT)
            || self
                .wanting(HookSet::ACCEPT, 0, link.listener)
                .all(|(_, hooks)| hooks.accept(link, cx))
    }

    pub(crate) fn notice(&mut self, notice: &Notice<'_>, cx: &mut Context<'_>) {
        let (wanted, listener) = (notice.wanted_by(), notice.listener());
        for (_, hooks) in self.sets_for(wanted, 0, listener) {
            hooks.notice(notice, cx);
        }
    }

    /// True if any set observes.
    pub(crate) fn observes(&self) -> bool {
        self.wanted.intersects(HookSet::OBSERVING)
    }

    /// True if any set wants this method for clients of this listener.
    pub(crate) fn wants_of(&self, what: HookSet, listener: u16) -> bool {
        let mut sets = self.sets.iter();
        sets.any(|entry| entry.wants(what, Some(listener)))
    }

    /// The sets from number `from` on that want `what` for clients of this listener, with their numbers.
    pub(crate) fn wanting(
        &mut self,
        what: HookSet,
        from: u16,
        listener: u16,
    ) -> impl Iterator<Item = (u16, &mut (dyn Hooks + 'static))> {
        self.sets_for(what, from, Some(listener))
    }

    fn sets_for(
        &mut self,
        what: HookSet,
        from: u16,
        listener: Option<u16>,
    ) -> impl Iterator<Item = (u16, &mut (dyn Hooks + 'static))> {
        self.sets
            .iter_mut()
            .enumerate()
            .skip(from as usize)
            .filter(move |(_, entry)| entry.wants(what, listener))
            .map(|(number, entry)| (number as u16, &mut *entry.hooks))
    }
}
