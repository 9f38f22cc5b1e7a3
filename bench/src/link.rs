//! One client connection: a channel, the start of an incomplete frame, and bytes that wait to be written. It belongs to
//! the poll and never blocks.

use std::io::{self, ErrorKind};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::channel::Channel;
use crate::failure::Failure;
use crate::wire;

/// A connected client.
pub(crate) struct Link {
    channel: Channel<TcpStream>,
    /// The beginning of a frame whose end has not come yet.
    partial: Vec<u8>,
    /// Packets to write, from `written` on.
    out: Vec<u8>,
    written: usize,
}

/// What one read brought.
pub(crate) struct Fill {
    /// How many bytes of the buffer are filled, kept ones included.
    pub(crate) bytes: usize,
    /// There may be more.
    pub(crate) more: bool,
}

impl Link {
    /// A link over an open channel; `received` came on it already.
    pub(crate) fn new(channel: Channel<TcpStream>, received: Vec<u8>) -> Self {
        Self {
            channel,
            partial: received,
            out: Vec::new(),
            written: 0,
        }
    }

    /// Registers both interests once.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> Result<(), Failure> {
        registry
            .register(
                self.channel.socket_mut(),
                token,
                Interest::READABLE | Interest::WRITABLE,
            )
            .map_err(Failure::io("registration with the poll"))
    }

    /// Reads once into `inbox`, behind what was kept of the last frame. `None` when there is nothing to read.
    pub(crate) fn fill(&mut self, inbox: &mut [u8]) -> io::Result<Option<Fill>> {
        let kept = self.partial.len();
        let free = inbox.len() - kept;
        loop {
            match self.channel.read(&mut inbox[kept..]) {
                Ok(0) => {
                    return Err(io::Error::new(
                        ErrorKind::UnexpectedEof,
                        "the broker closed",
                    ));
                }
                Ok(read) => {
                    inbox[..kept].copy_from_slice(&self.partial);
                    self.partial.clear();
                    return Ok(Some(Fill {
                        bytes: kept + read,
                        more: read == free || !self.channel.short_read_is_last(),
                    }));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps the beginning of a frame for the next read.
    pub(crate) fn keep(&mut self, partial: &[u8]) {
        self.partial.extend_from_slice(partial);
    }

    /// Adds a packet to what waits to be written.
    #[inline]
    pub(crate) fn push(&mut self, packet: &[u8]) {
        self.out.extend_from_slice(packet);
    }

    /// Writes what waits, then `more`, in as few calls as the socket allows. Returns how much of `more` went out.
    pub(crate) fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while self.written < self.out.len() || taken < more.len() {
            let waiting = &self.out[self.written..];
            let result = self.channel.write(waiting, &more[taken..]);
            match result {
                Ok(count) => {
                    let of_waiting = count.min(waiting.len());
                    self.written += of_waiting;
                    taken += count - of_waiting;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
        }
        match self.channel.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Says goodbye as well as the socket lets us.
    pub(crate) fn close(mut self) {
        self.push(&wire::DISCONNECT);
        // The run is over and counted: a broker that went away first changes nothing.
        let _ = self.write(&[]);
    }
}
