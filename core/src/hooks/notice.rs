//! What observing hooks are told of.

use super::Client;
use crate::{
    broker::{Fault, Link},
    codec::DecodeError,
    id::ConnId,
    packet::{Properties, QoS, SubscribeEntry},
    reason::ReasonCode,
};
use core::fmt;

/// Something that has happened, for those who log, count or follow up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Notice<'a> {
    /// A CONNECT was accepted.
    Connected {
        /// Who.
        client: Client<'a>,
        /// Whether a session went on.
        session_present: bool,
    },
    /// A connection ended. Once for each connection that `accept` did not turn away.
    Ended {
        /// The connection.
        conn: ConnId,
        /// Where it came from.
        link: &'a Link,
        /// Its client identifier; none before a CONNECT was accepted.
        client_id: Option<&'a str>,
        /// Why.
        end: End,
    },
    /// A session and all that belonged to it is gone.
    SessionEnded {
        /// Whose.
        client_id: &'a str,
        /// Why.
        why: SessionEnd,
    },
    /// A filter was subscribed to.
    Subscribed {
        /// Who.
        client: Client<'a>,
        /// As it was sent.
        entry: SubscribeEntry<'a>,
        /// The QoS granted.
        granted: QoS,
    },
    /// A filter was given up, or named in an UNSUBSCRIBE without having been subscribed to.
    Unsubscribed {
        /// Who.
        client: Client<'a>,
        /// As it was sent.
        filter: &'a str,
    },
    /// A message was lost for one receiver, who would have got it like this.
    Dropped {
        /// Whose session.
        client_id: &'a str,
        /// The topic of the message.
        topic: &'a str,
        /// What it says.
        payload: &'a [u8],
        /// The properties that are forwarded unaltered.
        properties: Properties<'a>,
        /// The lower of its QoS and the subscription's.
        qos: QoS,
        /// RETAIN.
        retain: bool,
        /// The identifiers of the subscriptions it matched.
        identifiers: &'a [u32],
        /// Whether a shared subscription brought it; then another member might have had it.
        shared: bool,
        /// Why.
        why: DropCause,
    },
}

impl Notice<'_> {
    /// The listener of the connection that this is about.
    pub(super) fn listener(&self) -> Option<u16> {
        match self {
            Self::Connected { client, .. }
            | Self::Subscribed { client, .. }
            | Self::Unsubscribed { client, .. } => Some(client.link.listener),
            Self::Ended { link, .. } => Some(link.listener),
            Self::SessionEnded { .. } | Self::Dropped { .. } => None,
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The client sent DISCONNECT.
    Disconnected(ReasonCode),
    /// The peer closed the connection without a DISCONNECT.
    PeerClosed,
    /// The network failed.
    Failed,
    /// Its bytes were no MQTT.
    Malformed(DecodeError),
    /// Its bytes were not what a layer below MQTT expects.
    Faulted(Fault),
    /// It broke a rule, or came too late.
    Refused(Refusal),
    /// The CONNECT was refused with this code.
    ConnectRefused(ReasonCode),
    /// Another connection uses the client identifier.
    TakenOver,
    /// The broker stops.
    Drained,
}

/// A well-formed packet that is not legal where it came, or one that did not come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// What a 5.0 client is told.
    pub reason: ReasonCode,
    /// What happened.
    pub what: &'static str,
    /// The rule it breaks.
    pub rule: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.what, self.rule)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected(reason) => write!(f, "disconnected: {reason}"),
            Self::PeerClosed => f.write_str("connection closed by the peer"),
            Self::Failed => f.write_str("connection lost"),
            Self::Malformed(error) => error.fmt(f),
            Self::Faulted(fault) => fault.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::ConnectRefused(reason) => write!(f, "connect refused: {reason}"),
            Self::TakenOver => f.write_str("session taken over"),
            Self::Drained => f.write_str("server shutting down"),
        }
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionEnd {
    /// Its connection ended and it was not to outlive it.
    Normal,
    /// A new connection wanted a clean start.
    Conflict,
    /// Nobody came back in time.
    Expired,
}

/// Why a message was lost for one receiver.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DropCause {
    /// The session's queue, or that of all sessions, is full.
    QueueFull,
    /// The connection's output is full; QoS 0 only.
    SlowReader,
    /// The client is away and QoS 0 is not queued.
    Away,
    /// It is larger than the client's Maximum Packet Size. [MQTT-3.1.2-25]
    TooLarge,
    /// It expired in the queue. [MQTT-3.3.2-5]
    Expired,
    /// It came from a shared subscription, the session ended, and no other member may or can have it. [MQTT-4.8.2-5]
    SessionEnded,
}
