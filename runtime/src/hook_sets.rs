//! Hook sets on their way into a broker.

use crate::{
    Answerer, Endpoint,
    engine::Answerers,
    guard::{Guarded, GuardedAnswerer},
};
use sanderling_core::hooks::{HookChain, Hooks};
use std::{fmt, io};

/// Hook sets, in the order in which they are asked.
#[derive(Debug, Default)]
pub struct HookSets {
    entries: Vec<Entry>,
    answerers: Answerers,
}

/// A hook set, and the names of the listeners that it is for; none for all.
struct Entry {
    listeners: Option<Vec<String>>,
    hooks: Box<dyn Hooks>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

impl HookSets {
    /// Appends a hook set. Sets are asked in the order in which they were given. One that panics refuses what it was
    /// asked about; if it only observed, it is told nothing any more.
    pub fn hook(&mut self, hooks: impl Hooks + 'static) {
        self.push(None, hooks);
    }

    /// Appends a hook set that is asked about, and told of, the clients of listeners with these names only.
    pub fn hook_on(&mut self, listeners: &[&str], hooks: impl Hooks + 'static) {
        let names = listeners.iter().map(ToString::to_string).collect();
        self.push(Some(names), hooks);
    }

    /// Appends a hook set whose `Ask` is answered by `answerer`.
    pub fn asking_hook(&mut self, hooks: impl Hooks + 'static, answerer: impl Answerer + 'static) {
        let answerer = Box::new(GuardedAnswerer(answerer));
        self.answerers.set(self.entries.len(), answerer);
        self.hook(hooks);
    }

    fn push(&mut self, listeners: Option<Vec<String>>, hooks: impl Hooks + 'static) {
        self.entries.push(Entry {
            listeners,
            hooks: Box::new(Guarded::new(hooks)),
        });
    }

    /// The chain of a broker with these listeners.
    pub(crate) fn into_chain(self, endpoints: &[Endpoint]) -> io::Result<(HookChain, Answerers)> {
        let mut chain = HookChain::new();
        for Entry { listeners, hooks } in self.entries {
            let numbers = listeners.map(|names| numbers_of(&names, endpoints));
            chain.push_for(numbers.transpose()?.as_deref(), hooks);
        }
        Ok((chain, self.answerers))
    }
}

/// The numbers of the listeners with these names.
fn numbers_of(names: &[String], endpoints: &[Endpoint]) -> io::Result<Vec<u16>> {
    let mut numbers = Vec::new();
    for name in names {
        let these = (0..)
            .zip(endpoints)
            .filter(|(_, endpoint)| *endpoint.name == **name)
            .map(|(number, _)| number);
        let before = numbers.len();
        numbers.extend(these);
        if numbers.len() == before {
            let what = format!("a hook set is for listener {name:?}, and there is none");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
    }
    Ok(numbers)
}
