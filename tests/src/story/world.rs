//! Where stories are told: a broker, and network connections to it.

use super::{script::Need, word::Word};
use sanderling_core::{broker::Command, hooks::Verdict};
use std::time::Duration;

/// A network connection of a world; the world counts them from 0.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Peer(pub usize);

/// How a client ends a network connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// In order, but without a DISCONNECT.
    Close,
    /// By a reset.
    Reset,
}

/// What came of [`World::receive`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Received {
    /// Bytes were appended.
    Bytes,
    /// The broker has closed the connection, and everything it sent before was received.
    Closed,
    /// Nothing came, and nothing is to be expected.
    Nothing,
}

/// A broker and the network between it and its clients.
///
/// The methods after [`receive`](World::receive) are for what a world offers beyond a network; a story that needs it is
/// not told where it is not offered.
pub trait World {
    /// Whether stories with this need can be told here.
    fn offers(&self, need: Need) -> bool;

    /// True if everything that comes of an action has come when the action returns. Elsewhere a PINGREQ on each
    /// connection in turn is the barrier.
    fn is_immediate(&self) -> bool;

    /// Makes a network connection.
    fn open(&mut self) -> Peer;

    /// Sends bytes of a client.
    fn send(&mut self, peer: Peer, bytes: &[u8]);

    /// Ends the connection from the client's side.
    fn end(&mut self, peer: Peer, how: Ending);

    /// Appends what came to `bytes`; waits for something if this world takes time.
    fn receive(&mut self, peer: Peer, bytes: &mut Vec<u8>) -> Received;

    /// All actions of a step are done.
    fn settle(&mut self) {}

    /// Lets time pass.
    fn advance(&mut self, time: Duration) {
        unreachable!("{time:?} passes in a world that does not offer time");
    }

    /// From now on the client's network takes nothing, or takes again.
    fn stall(&mut self, peer: Peer, stalled: bool) {
        unreachable!("{peer:?} stalls ({stalled}) in a world that does not offer it");
    }

    /// The program around the broker gives an order.
    fn command(&mut self, command: Command) {
        unreachable!("{command:?} in a world that does not offer commands");
    }

    /// Rules on the question that was asked first. False if none is open.
    fn rule(&mut self, verdict: Verdict) -> bool {
        unreachable!("{verdict:?} in a world that does not offer hooks");
    }

    /// What others than clients received since the last call: questions for `hook`, answers for `server`. Waits for so
    /// many if this world takes time.
    fn heard(&mut self, count: usize) -> Vec<(&'static str, Vec<Word>)>;
}
