//! Facts: what a driver tells the broker, in the past tense. The driver never explains, it only reports.

use super::command::Command;
use crate::{
    codec::DecodeError,
    hooks::Verdict,
    id::{ConnId, RequestId, Ticket},
    packet::ClientPacket,
};
use core::net::SocketAddr;

/// Something that happened outside the broker.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A network connection was accepted. Its slot must be new, or its last connection `Closed`.
    Opened {
        /// Minted by the driver.
        conn: ConnId,
        /// Where it came from, and 16 random bytes.
        link: Link,
    },
    /// A complete control packet was decoded.
    Received {
        /// The connection it came on.
        conn: ConnId,
        /// The packet; it borrows from the driver's read buffer.
        packet: ClientPacket<'a>,
        /// Its length on the wire, for the statistics.
        bytes: u32,
    },
    /// The bytes of a connection are no MQTT; nothing more will be decoded from it.
    Malformed {
        /// The connection.
        conn: ConnId,
        /// Which rule was broken.
        error: DecodeError,
    },
    /// The network took this many bytes of what was sent to the connection.
    Flushed {
        /// The connection.
        conn: ConnId,
        /// Bytes since the last report.
        bytes: u32,
    },
    /// The connection has ended; its slot may be used again. The last fact about this [`ConnId`].
    Closed {
        /// The connection.
        conn: ConnId,
        /// How it ended.
        cause: CloseCause,
    },
    /// What had arrived on a connection when `Action::Drain` named it was handed in. Legal also if it has ended since.
    Drained {
        /// The connection.
        conn: ConnId,
    },
    /// The time announced by `Action::Timer` has come. Early and repeated calls are harmless.
    TimerFired,
    /// A verdict on an open question. A late one is counted and ignored.
    Ruled {
        /// The question.
        ticket: Ticket,
        /// The answer.
        verdict: Verdict,
    },
    /// Somebody outside MQTT asks for something.
    Ordered {
        /// Returned with the answer.
        request: RequestId,
        /// What to do.
        command: Command,
    },
}

/// Where a network connection came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Link {
    /// The driver's number of the listener.
    pub listener: u16,
    /// The client's address; none for a socket without addresses.
    pub remote: Option<SocketAddr>,
    /// Fresh random bytes: the source of an assigned client identifier, so they must not be guessable.
    pub entropy: [u8; 16],
}

/// How a network connection ended, as the driver saw it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CloseCause {
    /// The broker ordered it.
    Ordered,
    /// The peer closed the connection.
    PeerClosed,
    /// The network failed: reset, timed out, unreachable.
    Failed,
}
