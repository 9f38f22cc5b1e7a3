//! What the engine knows of one connection.

use crate::{Outbox, Pipeline, SLICES_MAX};
use sanderling_core::{broker::Close, config::Limits, id::ConnId};
use std::io::{self, IoSlice};

/// A driver's socket. Nothing here may block: `WouldBlock` says that it would.
pub trait Socket {
    /// Reads into `buffer`; 0 is the end. Only called by [`Engine::pull`](super::Engine::pull).
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing to read; anything else ends the connection.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// The same, past any record the driver keeps of the socket's readiness: what has arrived is found.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(buffer)
    }

    /// Writes as much of the slices as the socket takes.
    ///
    /// # Errors
    /// `WouldBlock` if it takes nothing; the driver then tells [`Engine::writable`](super::Engine::writable) when it
    /// does. Anything else ends the connection.
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Nothing more will be written: the peer reads the end.
    fn shut_down_writing(&mut self);

    /// The socket did not take all output: the driver says when it is [`writable`](super::Engine::writable), or fetches
    /// the [`output`](super::Engine::output) and writes it itself.
    fn output_waits(&mut self) {}

    /// The connection is on the list of ready ones; for drivers that have a task for each. See [`Owner`](crate::Owner).
    fn read_again(&mut self) {}
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection<S> {
    pub(super) socket: S,
    pub(super) pipeline: Pipeline,
    pub(super) outbox: Outbox,
    /// Bytes written and not yet reported to the broker.
    pub(super) flushed: u32,
    pub(super) phase: Phase,
    pub(super) writing: Writing,
    /// The broker wants no packet of it now.
    pub(super) held: bool,
    /// A short read does not mean that there is nothing more to read.
    pub(super) to_the_end: bool,
    /// It stands in the list of touched connections.
    pub(super) touched: bool,
    /// It stands in the list of ready connections.
    pub(super) ready: bool,
}

/// ```text
/// Live --not MQTT--> Deaf --ordered--> Closing(how) --Linger, all written--> ShutDown
///   |                                    ^
///   +--ordered---------------------------+
/// ```
/// Each ends when the peer closes or the network fails; `Closing(Flush)` also when all is written, the last two when
/// their time is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// The broker has it.
    Live,
    /// What it sent is no MQTT; the broker will say how it ends.
    Deaf,
    /// The broker ordered its end. What it sends is thrown away.
    Closing(Close),
    /// Its writing side is shut down; the peer is to close the other one.
    ShutDown,
}

/// ```text
/// Open --takes less than all--> Full --writable--> Open
/// Open --fails--> Broken
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Writing {
    /// The socket may take bytes.
    Open,
    /// It takes none until the driver says that it does.
    Full,
    /// It failed; what can still be read is read.
    Broken,
}

/// How far writing got.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Written {
    /// Nothing is left.
    All,
    /// The socket takes no more now.
    Some,
    /// The socket failed.
    Failed,
}

impl<S: Socket> Connection<S> {
    pub(super) fn new(socket: S, limits: &Limits) -> Self {
        Self {
            socket,
            pipeline: Pipeline::new(limits),
            outbox: Outbox::default(),
            flushed: 0,
            phase: Phase::Live,
            writing: Writing::Open,
            held: false,
            to_the_end: false,
            touched: false,
            ready: false,
        }
    }

    /// True if a short read does not mean that there is nothing more to learn from the socket.
    pub(super) fn must_read_to_the_end(&self) -> bool {
        self.to_the_end || self.writing == Writing::Broken
    }

    /// True if the broker has ordered its end.
    pub(super) fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing(_) | Phase::ShutDown)
    }

    /// Has it looked at when the turn ends.
    #[inline]
    pub(super) fn touch(&mut self, conn: ConnId, touched: &mut Vec<ConnId>) {
        if !self.touched {
            self.touched = true;
            touched.push(conn);
        }
    }

    /// Writes what the socket takes. One that is full is not tried again: that would cost a call of the system for each
    /// message to a reader that has stopped reading.
    pub(super) fn write(&mut self) -> Written {
        while !self.outbox.is_empty() {
            if self.writing == Writing::Full {
                return Written::Some;
            }
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.outbox.slices(&mut slices);
            let offered: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            match self.socket.write(&slices[..count]) {
                Ok(written) => {
                    self.outbox.consume(written);
                    self.flushed +=
                        u32::try_from(written).expect("an outbox holds less than 4 GiB");
                    if written < offered {
                        self.fill();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.fill(),
                Err(_) => {
                    self.writing = Writing::Broken;
                    self.outbox.clear();
                    return Written::Failed;
                }
            }
        }
        Written::All
    }

    fn fill(&mut self) {
        self.writing = Writing::Full;
        self.socket.output_waits();
    }
}
