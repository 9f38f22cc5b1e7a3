//! Topic aliases: numbers that stand for topic names, in each direction, as long as a connection lasts.
//! [MQTT 5.0, 3.3.2.3.4]

use super::rare::Rare;
use alloc::{boxed::Box, vec::Vec};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// Aliases that the client has bound. As many as the Topic Alias Maximum that it was told.
#[derive(Debug, Default)]
pub(crate) struct Inbound(Rare<Vec<Option<Box<str>>>>);

impl Inbound {
    /// Binds an alias, or binds it anew.
    pub(crate) fn bind(&mut self, alias: u16, topic: Box<str>) {
        let (topics, at) = (self.0.make(), usize::from(alias));
        if topics.len() <= at {
            topics.resize_with(at + 1, || None);
        }
        topics[at] = Some(topic);
    }

    /// Lends the topic name out; [`bind`](Self::bind) brings it back.
    pub(crate) fn borrow(&mut self, alias: u16) -> Option<Box<str>> {
        self.0.get_mut()?.get_mut(usize::from(alias))?.take()
    }
}

/// Aliases that we have bound: the first topics that were sent, up to the client's Topic Alias Maximum and our own.
#[derive(Debug)]
pub(crate) struct Outbound {
    max: u16,
    /// Only looked up, never walked.
    numbers: HashMap<Box<str>, u16, FixedState>,
}

impl Outbound {
    /// No alias is bound yet, and no more than `max` will be.
    pub(crate) fn new(max: u16) -> Self {
        Self {
            max,
            numbers: HashMap::default(),
        }
    }

    /// The alias of this topic name.
    pub(crate) fn of(&self, topic: &str) -> Option<u16> {
        self.numbers.get(topic).copied()
    }

    /// The alias that would be bound next.
    pub(crate) fn free(&self) -> Option<u16> {
        let bound = u16::try_from(self.numbers.len()).ok()?;
        (bound < self.max).then_some(bound + 1)
    }

    /// The packet that binds [`free`](Self::free) is sent.
    pub(crate) fn bind(&mut self, topic: &str) {
        if let Some(alias) = self.free() {
            self.numbers.insert(topic.into(), alias);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_bound_than_the_client_takes() {
        let mut aliases = Outbound::new(2);
        for topic in ["a", "b", "c"] {
            aliases.bind(topic);
        }
        assert_eq!(
            ["a", "b", "c"].map(|topic| aliases.of(topic)),
            [Some(1), Some(2), None]
        );
        assert_eq!(aliases.free(), None);
    }

    #[test]
    fn a_bound_alias_is_lent_and_brought_back() {
        let mut aliases = Inbound::default();
        aliases.bind(3, "a".into());
        let topic = aliases.borrow(3).unwrap();
        assert_eq!(aliases.borrow(3), None);
        aliases.bind(3, topic);
        assert_eq!(aliases.borrow(3).as_deref(), Some("a"));
        assert_eq!(aliases.borrow(2), None);
        assert_eq!(aliases.borrow(9), None);
    }
}
