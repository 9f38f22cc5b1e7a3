//! What observing hooks are told of.

use super::{Client, HookSet};
use crate::{
    broker::{Fault, Link, SessionView},
    codec::DecodeError,
    id::ConnId,
    packet::{PacketId, Properties, QoS, SubscribeEntry},
    reason::ReasonCode,
};
use core::fmt;

/// Something that has happened, for those who log, count or follow up.
#[derive(Clone, Copy, Debug)]
pub enum Notice<'a> {
    /// A CONNECT was accepted.
    Connected {
        /// Who.
        client: Client<'a>,
        /// Whether a session went on.
        session_present: bool,
    },
    /// The session of a client that has just connected is a new one.
    SessionCreated {
        /// Who.
        client: Client<'a>,
    },
    /// The session of a client that has just connected goes on; what it was owed has been sent as far as there was room.
    SessionResumed {
        /// Who.
        client: Client<'a>,
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
        /// What there is to know of it.
        session: SessionView<'a>,
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
    /// A copy of a message was handed to a connection: live, from a queue, or again after a reconnect.
    Delivered {
        /// To whom.
        client: Client<'a>,
        /// What.
        delivery: Delivery<'a>,
    },
    /// A client has a message that was delivered to it: PUBACK, or PUBREC, came.
    Acked {
        /// Who.
        client: Client<'a>,
        /// What.
        delivery: Delivery<'a>,
    },
    /// The broker was told to stop and every connection has ended. Nothing follows.
    Stopped,
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

/// One copy of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delivery<'a> {
    /// The topic of the message.
    pub topic: &'a str,
    /// What it says.
    pub payload: &'a [u8],
    /// The QoS it is delivered with.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// Whether it was sent before.
    pub dup: bool,
    /// Above QoS 0.
    pub packet_id: Option<PacketId>,
}

impl Notice<'_> {
    /// What a set must want to be told.
    pub(super) fn wanted_by(&self) -> HookSet {
        match self {
            Self::Delivered { .. } => HookSet::DELIVERED,
            Self::Acked { .. } => HookSet::ACKED,
            _ => HookSet::NOTICE,
        }
    }

    /// The listener of the connection that this is about.
    pub(super) fn listener(&self) -> Option<u16> {
        match self {
            Self::Connected { client, .. }
            | Self::SessionCreated { client }
            | Self::SessionResumed { client }
            | Self::Delivered { client, .. }
            | Self::Acked { client, .. }
            | Self::Subscribed { client, .. }
            | Self::Unsubscribed { client, .. } => Some(client.link.listener),
            Self::Ended { link, .. } => Some(link.listener),
            Self::SessionEnded { .. } | Self::Dropped { .. } | Self::Stopped => None,
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
    /// The program around the broker, or a hook, closed it, for this reason.
    Closed(ReasonCode),
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
            Self::Closed(reason) => write!(f, "closed by the server: {reason}"),
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

impl DropCause {
    /// Every cause.
    pub const ALL: [Self; 6] = [
        Self::QueueFull,
        Self::SlowReader,
        Self::Away,
        Self::TooLarge,
        Self::Expired,
        Self::SessionEnded,
    ];

    /// A word for it, for labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::SlowReader => "slow_reader",
            Self::Away => "away",
            Self::TooLarge => "too_large",
            Self::Expired => "expired",
            Self::SessionEnded => "session_ended",
        }
    }
}
