//! Facts: what a driver tells the broker, in the past tense. The driver never explains, it only reports.

use super::command::Command;
use crate::{
    codec::{Acks, DecodeError, Run},
    hooks::Verdict,
    id::{ConnId, RequestId, Ticket},
    packet::ClientPacket,
};
use alloc::{boxed::Box, sync::Arc};
use bytes::Bytes;
use core::{fmt, net::SocketAddr};

/// Something that happened outside the broker.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A network connection was accepted. Its slot must be new, or its last connection `Closed`.
    Opened {
        /// Minted by the driver.
        conn: ConnId,
        /// Where it came from, and 16 random bytes.
        link: Link,
        /// What is expected on it first.
        stage: Stage,
    },
    /// A header of the PROXY protocol was read, the end of [`Stage::Proxy`].
    Announced {
        /// The connection.
        conn: ConnId,
        /// The address that the proxy gave for the client; none if it speaks for itself.
        remote: Option<SocketAddr>,
        /// What is expected next.
        stage: Stage,
    },
    /// The peer has proved who it is by a certificate, before anything of MQTT was received.
    Identified {
        /// The connection.
        conn: ConnId,
        /// Who it is.
        identity: Arc<Identity>,
    },
    /// A layer below MQTT has done its part.
    Progressed {
        /// The connection.
        conn: ConnId,
        /// What is expected next: a later stage than before.
        stage: Stage,
    },
    /// The bytes of a connection are not what a layer below MQTT expects, or not allowed there; nothing more will be
    /// decoded from it. The driver sends what that layer has to say.
    Faulted {
        /// The connection.
        conn: ConnId,
        /// What is wrong.
        fault: Fault,
    },
    /// A peer keeps what it has begun for too long.
    Lagged {
        /// The connection.
        conn: ConnId,
        /// What it keeps.
        lag: Lag,
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
    /// Several messages for one topic were decoded, by what is the same in all of them. It means no more than
    /// `Received` for each one. Only for a broker that [takes runs](super::Broker::takes_runs).
    ReceivedRun {
        /// The connection they came on.
        conn: ConnId,
        /// The packets.
        run: Run<'a>,
    },
    /// Several acknowledgements of one type were decoded. It means no more than `Received` for each one.
    ReceivedAcks {
        /// The connection they came on.
        conn: ConnId,
        /// The packets.
        acks: Acks<'a>,
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
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    /// The driver's number of the listener.
    pub listener: u16,
    /// The client's address; none for a socket without addresses.
    pub remote: Option<SocketAddr>,
    /// A proxy gave the address. What it says may be believed of a client, but never makes a client a local one.
    pub is_announced: bool,
    /// Who the peer proved to be by a certificate.
    pub identity: Option<Arc<Identity>>,
    /// Fresh random bytes: the source of an assigned client identifier, so they must not be guessable.
    pub entropy: [u8; 16],
}

impl Link {
    /// The listener of a client inside the program around the broker, which came by no network. Hooks are told of such
    /// clients, and not asked about them.
    pub const INLINE: u16 = u16::MAX;

    /// A connection that came from `remote` itself, and has not proved who it is.
    pub const fn new(listener: u16, remote: Option<SocketAddr>, entropy: [u8; 16]) -> Self {
        Self {
            listener,
            remote,
            is_announced: false,
            identity: None,
            entropy,
        }
    }

    /// True for a client inside the program around the broker.
    pub fn is_inline(&self) -> bool {
        self.listener == Self::INLINE
    }

    /// True if the peer runs on this machine: a loopback address, or a socket without addresses.
    pub fn is_local(&self) -> bool {
        !self.is_announced && self.remote.is_none_or(|remote| remote.ip().is_loopback())
    }
}

/// Whom a certificate stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The user name that the listener takes from it; it is the client's whatever its CONNECT says.
    pub username: Option<Box<str>>,
    /// The certificate itself, in DER.
    pub certificate: Bytes,
}

/// What a connection is expected to get done next, in this order. Each has a deadline of its own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Stage {
    /// The header of the PROXY protocol.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The request to speak WebSocket.
    Upgrade,
    /// CONNECT.
    Connect,
}

/// A layer of the byte stream below MQTT.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layer {
    /// The PROXY protocol.
    Proxy,
    /// TLS.
    Tls,
    /// WebSocket and the HTTP request that begins it.
    WebSocket,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proxy => "PROXY",
            Self::Tls => "TLS",
            Self::WebSocket => "WebSocket",
        })
    }
}

/// Why a layer below MQTT gave a connection up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Which layer.
    pub layer: Layer,
    /// What it found.
    pub what: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.layer, self.what)
    }
}

/// What a peer keeps for too long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lag {
    /// The rest of a packet that it has begun.
    Packet,
    /// Our output: it takes none of it.
    Output,
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
