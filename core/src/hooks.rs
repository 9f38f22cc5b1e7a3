//! Hooks: the program around the broker decides and observes.
//!
//! A hook that decides answers `Permit`, `Refuse` or `Ask`. `Ask` leaves the question open under a ticket and holds that
//! one connection; the verdict comes later as `Event::Ruled`. So synchronous and asynchronous hooks are one thing, and
//! both fail closed: a ticket that nobody rules is refused.
//!
//! Several hook sets form a chain. `connect` asks all and the highest refusal wins; `subscribe` hands each set what the
//! one before granted, and a refusal is final; `publish` and `accept` stop at the first refusal.

use crate::{
    broker::{Command, Link},
    codec::DecodeError,
    id::ConnId,
    packet::{ClientPacket, Connect, Publish, QoS, SubscribeEntry, Version},
    reason::ReasonCode,
};
use alloc::{boxed::Box, string::String, vec::Vec};
use bytes::Bytes;
use core::{fmt, ops::BitOr};

/// Code of the program around the broker. Runs inside a turn: it must not block.
///
/// A set is asked once what it [`wants`](Hooks::wants); what nobody wants costs one test of a bit.
pub trait Hooks: Send {
    /// The methods that are called at all. Asked once.
    fn wants(&self) -> HookSet;

    /// A network connection was opened. False closes it at once, and nothing else is told of it.
    fn accept(&mut self, link: &Link) -> bool {
        let _ = link;
        true
    }

    /// A well-formed CONNECT. Nothing has happened because of it yet, and nothing will if it is refused.
    fn connect(&mut self, link: &Link, connect: &Connect<'_>) -> Ruling {
        let _ = (link, connect);
        Ruling::Permit
    }

    /// A step of an enhanced authentication: the CONNECT that names a method, or an AUTH. [MQTT 5.0, 4.12]
    ///
    /// The sets are asked in order until one knows the method; it is asked about the rest of the exchange. What it keeps
    /// of one it forgets when it succeeds, is refused, or the connection's `Ended` is noticed.
    fn authenticate(&mut self, link: &Link, step: &AuthStep<'_>) -> AuthRuling {
        let _ = (link, step);
        AuthRuling::UnknownMethod
    }

    /// A SUBSCRIBE: may lower, raise or refuse what each entry is granted.
    fn subscribe(&mut self, client: &Client<'_>, requests: &mut [SubscribeRequest<'_>]) -> Ruling {
        let _ = (client, requests);
        Ruling::Permit
    }

    /// A PUBLISH, before it is acknowledged, stored or routed. Not called for repeats of a QoS 2 message, for wills,
    /// or for messages of the program itself.
    fn publish(&mut self, client: &Client<'_>, publish: &Publish<'_>) -> Ruling {
        let _ = (client, publish);
        Ruling::Permit
    }

    /// Something has happened. What is put into `orders` is carried out after the current event, in order.
    fn notice(&mut self, notice: &Notice<'_>, orders: &mut Orders) {
        let _ = (notice, orders);
    }
}

/// Methods of a hook set.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HookSet(u8);

impl HookSet {
    /// None.
    pub const NONE: Self = Self(0);
    /// [`Hooks::accept`].
    pub const ACCEPT: Self = Self(1);
    /// [`Hooks::connect`].
    pub const CONNECT: Self = Self(2);
    /// [`Hooks::subscribe`].
    pub const SUBSCRIBE: Self = Self(4);
    /// [`Hooks::publish`].
    pub const PUBLISH: Self = Self(8);
    /// [`Hooks::notice`].
    pub const NOTICE: Self = Self(16);

    /// [`Hooks::authenticate`].
    pub const AUTHENTICATE: Self = Self(32);

    /// True if every method of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for HookSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A hook's answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ruling {
    /// Yes.
    Permit,
    /// No, and why. For CONNECT, 1 to 5 are understood as return codes of the older versions.
    Refuse(ReasonCode),
    /// Later: a [`Verdict`] will follow.
    Ask,
}

/// The late answer to `Ask`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Yes; for a SUBSCRIBE, as granted so far.
    Permit,
    /// No, and why.
    Refuse(ReasonCode),
    /// For a SUBSCRIBE, one answer an entry. Entries without one are refused.
    Grant(Vec<Result<QoS, ReasonCode>>),
    /// For a step of an enhanced authentication. `Ask` asks again.
    Authenticate(AuthRuling),
}

/// A step of an enhanced authentication.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuthStep<'a> {
    /// The connection.
    pub conn: ConnId,
    /// The client identifier; empty in a first authentication if it is to be assigned.
    pub client_id: &'a str,
    /// The user name in the CONNECT.
    pub username: Option<&'a str>,
    /// Which step.
    pub stage: AuthStage,
    /// The authentication method that the client named.
    pub method: &'a str,
    /// What the client says in this step.
    pub data: Option<&'a [u8]>,
}

/// Where an enhanced authentication stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthStage {
    /// CONNECT.
    Begin,
    /// The client's answer to `Continue`.
    Continue,
    /// A connected client authenticates again. [MQTT 5.0, 4.12.1]
    Again,
}

/// A hook's answer to a step of an enhanced authentication.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AuthRuling {
    /// Somebody else's method.
    UnknownMethod,
    /// Send this data and await the next step.
    Continue(Vec<u8>),
    /// The client is who it says; data for it goes into CONNACK, or the last AUTH.
    Succeed(Option<Vec<u8>>),
    /// No, and why.
    Refuse(ReasonCode),
    /// Later: a [`Verdict::Authenticate`] will follow.
    Ask,
}

/// One filter of a SUBSCRIBE on its way through the chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SubscribeRequest<'a> {
    /// What the client asked for.
    pub entry: SubscribeEntry<'a>,
    /// What it gets as far as decided.
    pub granted: Result<QoS, ReasonCode>,
}

/// A connected client, as hooks see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Client<'a> {
    /// Its connection.
    pub conn: ConnId,
    /// Where it came from.
    pub link: &'a Link,
    /// Its client identifier, assigned or its own.
    pub client_id: &'a str,
    /// Its user name.
    pub username: Option<&'a str>,
    /// The version it speaks.
    pub version: Version,
}

/// What was left open by `Ask`: plain data that may travel to another thread.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    /// Where the client came from.
    pub link: Link,
    /// Its client identifier; that of the CONNECT if this is about one.
    pub client_id: String,
    /// Its user name.
    pub username: Option<String>,
    /// The version it speaks.
    pub version: Version,
    /// What was granted so far, for a SUBSCRIBE.
    pub granted: Vec<Result<QoS, ReasonCode>>,
    pub(crate) packet: Bytes,
}

impl Question {
    /// The packet in question: a CONNECT, PUBLISH or SUBSCRIBE.
    pub fn packet(&self) -> ClientPacket<'_> {
        crate::codec::decode_again(&self.packet, self.version)
    }
}

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
    /// A connection ended. Once for each connection that `accept` let in.
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
    /// A message was lost for one receiver.
    Dropped {
        /// Whose session.
        client_id: &'a str,
        /// The topic of the message.
        topic: &'a str,
        /// Its QoS.
        qos: QoS,
        /// Why.
        why: DropCause,
    },
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

/// What hooks ask for during one event.
#[derive(Debug)]
pub struct Orders {
    list: Vec<Command>,
    max: usize,
}

impl Orders {
    pub(crate) fn new(max: u32) -> Self {
        Self {
            list: Vec::new(),
            max: max as usize,
        }
    }

    /// Has `command` carried out after the current event; gives it back if too many are waiting.
    pub fn push(&mut self, command: Command) -> Result<(), Command> {
        if self.list.len() >= self.max {
            return Err(command);
        }
        self.list.push(command);
        Ok(())
    }

    pub(crate) fn take(&mut self) -> Vec<Command> {
        core::mem::take(&mut self.list)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// The hook sets, in the order they are asked.
#[derive(Default)]
pub struct HookChain {
    sets: Vec<(HookSet, Box<dyn Hooks>)>,
    wanted: HookSet,
}

impl fmt::Debug for HookChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.sets.iter().map(|(wants, _)| wants))
            .finish()
    }
}

impl HookChain {
    /// No hooks: everything is permitted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a set.
    pub fn push(&mut self, hooks: Box<dyn Hooks>) {
        let wants = hooks.wants();
        self.wanted = self.wanted | wants;
        self.sets.push((wants, hooks));
    }

    /// This chain and one more set.
    #[must_use]
    pub fn with(mut self, hooks: impl Hooks + 'static) -> Self {
        self.push(Box::new(hooks));
        self
    }

    /// True if any set wants this method.
    pub(crate) fn wants(&self, what: HookSet) -> bool {
        self.wanted.contains(what)
    }

    pub(crate) fn accept(&mut self, link: &Link) -> bool {
        !self.wants(HookSet::ACCEPT)
            || self
                .wanting(HookSet::ACCEPT, 0)
                .all(|(_, hooks)| hooks.accept(link))
    }

    pub(crate) fn notice(&mut self, notice: &Notice<'_>, orders: &mut Orders) {
        if self.wants(HookSet::NOTICE) {
            for (_, hooks) in self.wanting(HookSet::NOTICE, 0) {
                hooks.notice(notice, orders);
            }
        }
    }

    /// The sets from number `from` on that want `what`, with their numbers.
    pub(crate) fn wanting(
        &mut self,
        what: HookSet,
        from: u16,
    ) -> impl Iterator<Item = (u16, &mut (dyn Hooks + 'static))> {
        self.sets
            .iter_mut()
            .enumerate()
            .skip(from as usize)
            .filter(move |(_, (wants, _))| wants.contains(what))
            .map(|(number, (_, hooks))| (number as u16, &mut **hooks))
    }
}
