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

/// Output of a connection, for drivers that write themselves.
pub type Output = Outbox;

/// One connection.
#[derive(Debug)]
pub(super) struct Connection<S> {
    pub(super) socket: S,
    pub(super) pipeline: Pipeline,
    pub(super) outbox: Outbox,
    /// Bytes written and not yet reported to the broker.
    pub(super) flushed: u32,
    /// How it was ordered to close.
    pub(super) closing: Option<Close>,
    /// Its writing side is shut down.
    pub(super) shut_down: bool,
    /// The socket takes nothing until the driver says that it does.
    pub(super) full: bool,
    /// Writing failed; what can still be read is read.
    pub(super) broken: bool,
    pub(super) to_the_end: bool,
    /// What it sent is no MQTT; nothing more is decoded.
    pub(super) malformed: bool,
    /// The broker wants no packet of it now.
    pub(super) held: bool,
    /// It stands in the list of touched connections.
    pub(super) touched: bool,
    /// It stands in the list of ready connections.
    pub(super) ready: bool,
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
            closing: None,
            shut_down: false,
            full: false,
            broken: false,
            to_the_end: false,
            malformed: false,
            held: false,
            touched: false,
            ready: false,
        }
    }

    /// True if what it sends is read only to be thrown away.
    pub(super) fn is_deaf(&self) -> bool {
        self.malformed || self.closing.is_some()
    }

    /// True if a short read does not mean that there is nothing more to learn from the socket.
    pub(super) fn must_read_to_the_end(&self) -> bool {
        self.to_the_end || self.broken
    }

    /// True if there is something to write or to bring to an end.
    pub(super) fn has_business(&self) -> bool {
        !self.outbox.is_empty() || self.closing.is_some()
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
            if self.full {
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
                    self.broken = true;
                    self.outbox.clear();
                    return Written::Failed;
                }
            }
        }
        Written::All
    }

    fn fill(&mut self) {
        self.full = true;
        self.socket.output_waits();
    }
}
