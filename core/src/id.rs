//! Identifiers, each minted by its owner: the driver mints [`ConnId`], the core mints the rest.

use core::fmt;

/// A network connection: a dense slot of the driver's table and the generation of that slot.
///
/// The slot may be used again, with another generation, only after `Event::Closed` was handled.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnId {
    /// Index into the driver's table of connections.
    pub slot: u32,
    /// How often the slot had been used before this connection.
    pub generation: u32,
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// A question that a hook left open with `Ask`. It ends exactly once.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ticket {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// A command given to the broker; its answer carries the same number. Minted by the driver.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestId(pub u64);
