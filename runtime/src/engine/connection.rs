//! What the engine knows of one connection.

use crate::{Layers, Outbox, Packets, SLICES_MAX, Spare, inline::Carrier};
use sanderling_core::{broker::Close, config::Limits, id::ConnId, time::Instant};
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
    pub(super) carrier: Carrier<S>,
    pub(super) below: Below,
    pub(super) packets: Packets,
    pub(super) outbox: Outbox,
    /// MQTT bytes written and not yet reported to the broker.
    pub(super) flushed: u32,
    /// What of its output is counted as waiting.
    pub(super) waiting_bytes: u64,
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
    /// A layer was told by the peer that nothing more comes.
    pub(super) peer_is_done: bool,
    /// Since when a part of a packet waits for the rest, and since when the socket takes nothing.
    pub(super) lags: Lags,
}

/// What stands between the socket and MQTT.
#[derive(Debug)]
pub(super) enum Below {
    /// Nothing.
    Nothing,
    /// These layers.
    Layers(Box<Layers>),
    /// Layers that are being used right now: nothing can be sealed meanwhile.
    Lent,
}

/// When a peer began to keep us waiting.
#[derive(Debug, Default)]
pub(super) struct Lags {
    pub(super) packet: Since,
    pub(super) output: Since,
    /// There is an alarm for it.
    pub(super) packet_is_watched: bool,
    pub(super) output_is_watched: bool,
}

/// Since when something is so, if it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since(Instant);

impl Since {
    const NOT: Self = Self(Instant::FAR_FUTURE);

    pub(super) fn begin(&mut self, now: Instant) {
        self.0 = now;
    }

    pub(super) fn end(&mut self) {
        *self = Self::NOT;
    }

    pub(super) fn get(self) -> Option<Instant> {
        Some(self.0).filter(|&since| since != Instant::FAR_FUTURE)
    }
}

impl Default for Since {
    fn default() -> Self {
        Self::NOT
    }
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
    pub(super) fn new(carrier: Carrier<S>, layers: Option<Box<Layers>>, limits: &Limits) -> Self {
        Self {
            carrier,
            below: layers.map_or(Below::Nothing, Below::Layers),
            packets: Packets::new(limits),
            outbox: Outbox::default(),
            flushed: 0,
            waiting_bytes: 0,
            phase: Phase::Live,
            writing: Writing::Open,
            held: false,
            to_the_end: false,
            touched: false,
            ready: false,
            peer_is_done: false,
            lags: Lags::default(),
        }
    }

    /// True if a short read does not mean that there is nothing more to learn from the socket.
    pub(super) fn must_read_to_the_end(&self) -> bool {
        self.to_the_end || self.writing == Writing::Broken
    }

    /// Notes since when part of a packet waits; `is_whole` says that others were whole since. True if one waits now.
    #[inline]
    pub(super) fn lags_with_a_packet(&mut self, is_whole: bool, now: Instant) -> bool {
        if self.packets.leftover_bytes() == 0 {
            self.lags.packet.end();
        } else if is_whole || self.lags.packet.get().is_none() {
            self.lags.packet.begin(now);
        }
        self.lags.packet.get().is_some()
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
    /// message to a reader that has stopped reading. `spare` lends memory.
    pub(super) fn write(&mut self, spare: &mut Spare) -> Written {
        loop {
            let pending = self.prepare(spare);
            if pending != Pending::Some {
                return match pending {
                    Pending::None => Written::All,
                    _ => Written::Some,
                };
            }
            if self.writing == Writing::Full {
                return Written::Some;
            }
            match self.write_once() {
                Ok((written, offered)) => {
                    self.wrote(written);
                    if written < offered {
                        self.fill();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.fill(),
                Err(_) => {
                    self.writing = Writing::Broken;
                    self.forget_output();
                    return Written::Failed;
                }
            }
        }
    }

    /// Writes everything, and then what the layers say at the end.
    pub(super) fn write_to_the_end(&mut self, spare: &mut Spare) -> Written {
        let written = self.write(spare);
        match &mut self.below {
            Below::Layers(layers) if written == Written::All => {
                layers.close();
                self.write(spare)
            }
            _ => written,
        }
    }

    /// Offers the socket what is to be written next; how much it took, and how much there was.
    fn write_once(&mut self) -> io::Result<(usize, usize)> {
        if let Below::Layers(layers) = &self.below {
            let wire = layers.wire();
            let written = self.carrier.write(&[IoSlice::new(wire)])?;
            return Ok((written, wire.len()));
        }
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = self.outbox.slices(&mut slices);
        let offered = slices[..count].iter().map(|slice| slice.len()).sum();
        let written = self.carrier.write(&slices[..count])?;
        Ok((written, offered))
    }

    /// Has the layers seal what is to be written next, if there are any.
    #[inline]
    fn prepare(&mut self, spare: &mut Spare) -> Pending {
        match &self.below {
            Below::Nothing if self.outbox.is_empty() => Pending::None,
            Below::Nothing => Pending::Some,
            Below::Lent => Pending::Later,
            Below::Layers(_) => self.seal(spare),
        }
    }

    /// Apart, so that plain TCP pays for nothing of it.
    #[inline(never)]
    fn seal(&mut self, spare: &mut Spare) -> Pending {
        self.lend_to_layers(spare);
        let Below::Layers(layers) = &mut self.below else {
            return Pending::Later;
        };
        if layers.wire().is_empty()
            && (!self.outbox.is_empty() || layers.has_pong())
            && layers.seal(&mut self.outbox, spare.scratch()).is_err()
        {
            // The broker hears of it when the socket is closed.
            self.writing = Writing::Broken;
            self.outbox.clear();
        }
        match layers.wire().is_empty() {
            true => Pending::None,
            false => Pending::Some,
        }
    }

    /// Takes bytes off what is to be written: the socket has them.
    pub(super) fn wrote(&mut self, bytes: usize) {
        if bytes > 0 {
            self.lags.output.end();
        }
        let plain = match &mut self.below {
            Below::Layers(layers) => layers.wrote(bytes),
            Below::Nothing | Below::Lent => {
                self.outbox.consume(bytes);
                bytes
            }
        };
        self.flushed += u32::try_from(plain).expect("an outbox holds less than 4 GiB");
    }

    /// The bytes to write next, copied; for drivers that write themselves.
    pub(super) fn output(&mut self, spare: &mut Spare) -> Vec<u8> {
        self.prepare(spare);
        match &self.below {
            Below::Layers(layers) => layers.wire().to_vec(),
            Below::Nothing => self
                .outbox
                .chunks()
                .take(SLICES_MAX)
                .flatten()
                .copied()
                .collect(),
            Below::Lent => Vec::new(),
        }
    }

    /// True if nothing waits to be written.
    pub(super) fn is_written(&self) -> bool {
        self.outbox.is_empty()
            && match &self.below {
                Below::Nothing => true,
                Below::Layers(layers) => layers.wire().is_empty() && !layers.has_pong(),
                Below::Lent => false,
            }
    }

    /// Bytes that are to be written: those of MQTT, and those that layers have sealed.
    pub(super) fn output_bytes(&self) -> u64 {
        let sealed = match &self.below {
            Below::Layers(layers) => layers.wire().len(),
            Below::Nothing | Below::Lent => 0,
        };
        (self.outbox.len() + sealed) as u64
    }

    /// Gives the layers memory for what they have to say, if they have none.
    pub(super) fn lend_to_layers(&mut self, spare: &mut Spare) {
        if let Below::Layers(layers) = &mut self.below
            && !layers.has_memory()
        {
            layers.exchange_memory(spare.take());
        }
    }

    /// Takes it back, if all output is written.
    #[inline(never)]
    pub(super) fn take_back_from_layers(&mut self, spare: &mut Spare) {
        if let Below::Layers(layers) = &mut self.below
            && layers.has_memory()
            && layers.wire().is_empty()
        {
            spare.give(layers.exchange_memory(Vec::new()));
        }
    }

    /// Forgets what was to be written.
    pub(super) fn forget_output(&mut self) {
        self.outbox.clear();
        if let Below::Layers(layers) = &mut self.below {
            layers.clear();
        }
    }

    fn fill(&mut self) {
        self.writing = Writing::Full;
        self.carrier.output_waits();
    }
}

/// Whether there is something to write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Pending {
    None,
    Some,
    /// Not as long as the layers are lent.
    Later,
}
