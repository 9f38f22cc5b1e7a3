//! Hooks: the program around the broker decides and observes.
//!
//! A hook that decides answers `Permit`, `Refuse` or `Ask`. `Ask` leaves the question open under a ticket and holds that
//! one connection; the verdict comes later as `Event::Ruled`. So synchronous and asynchronous hooks are one thing, and
//! both fail closed: a ticket that nobody rules is refused.
//!
//! Several hook sets form a chain. `connect` asks all and the highest refusal wins; `subscribe` hands each set what the
//! one before granted, and a refusal is final; `publish` and `accept` stop at the first refusal.

mod chain;
mod context;
mod data;
mod draft;
mod notice;

pub use chain::HookChain;
pub(crate) use chain::Orders;
pub use context::Context;
pub use data::ClientData;
pub use draft::Draft;
pub(crate) use draft::Edit;
pub use notice::{Delivery, DropCause, End, Notice, Refusal, SessionEnd};

use crate::{
    broker::{Link, Publication},
    id::ConnId,
    packet::{ClientPacket, Connect, QoS, SubscribeEntry, Version},
    reason::ReasonCode,
};
use alloc::{boxed::Box, string::String, vec::Vec};
use bytes::Bytes;
use core::ops::BitOr;

/// Code of the program around the broker. Runs inside a turn: it must not block.
///
/// A set is asked once what it [`wants`](Hooks::wants); what nobody wants costs one test of a bit.
pub trait Hooks: Send {
    /// The methods that are called at all. Asked once.
    fn wants(&self) -> HookSet;

    /// A network connection was opened. False closes it at once, and nothing else is told of it.
    fn accept(&mut self, link: &Link, cx: &mut Context<'_>) -> bool {
        let _ = (link, cx);
        true
    }

    /// A well-formed CONNECT. Nothing has happened because of it yet, and nothing will if it is refused.
    fn connect(&mut self, link: &Link, connect: &Connect<'_>, cx: &mut Context<'_>) -> Ruling {
        let _ = (link, connect, cx);
        Ruling::Permit
    }

    /// A step of an enhanced authentication: the CONNECT that names a method, or an AUTH. [MQTT 5.0, 4.12]
    ///
    /// The sets are asked in order until one knows the method; it is asked about the rest of the exchange. What it keeps
    /// of one it forgets when it succeeds, is refused, or the connection's `Ended` is noticed.
    fn authenticate(
        &mut self,
        link: &Link,
        step: &AuthStep<'_>,
        cx: &mut Context<'_>,
    ) -> AuthRuling {
        let _ = (link, step, cx);
        AuthRuling::UnknownMethod
    }

    /// A SUBSCRIBE: may lower, raise or refuse what each entry is granted.
    fn subscribe(
        &mut self,
        client: &Client<'_>,
        requests: &mut [SubscribeRequest<'_>],
        cx: &mut Context<'_>,
    ) -> Ruling {
        let _ = (client, requests, cx);
        Ruling::Permit
    }

    /// A PUBLISH, before it is acknowledged, stored or routed. It may be changed. Not called for repeats of a QoS 2
    /// message, for wills, or for messages of the program itself.
    fn publish(
        &mut self,
        client: &Client<'_>,
        draft: &mut Draft<'_>,
        cx: &mut Context<'_>,
    ) -> Ruling {
        let _ = (client, draft, cx);
        Ruling::Permit
    }

    /// Something has happened.
    fn notice(&mut self, notice: &Notice<'_>, cx: &mut Context<'_>) {
        let _ = (notice, cx);
    }
}

/// Methods of a hook set.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HookSet(u16);

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
    /// [`Hooks::notice`], of everything but single messages that are delivered and acknowledged.
    pub const NOTICE: Self = Self(16);
    /// [`Hooks::authenticate`].
    pub const AUTHENTICATE: Self = Self(32);
    /// [`Hooks::notice`] of [`Notice::Delivered`]: once for each copy of each message.
    pub const DELIVERED: Self = Self(64);
    /// [`Hooks::notice`] of [`Notice::Acked`]. Messages are kept until they are acknowledged, for every session.
    pub const ACKED: Self = Self(128);

    /// What observes and decides nothing.
    pub(crate) const OBSERVING: Self = Self(16 | 64 | 128);

    /// True if some method of `other` is in this set.
    pub(crate) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

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
    /// For a PUBLISH: yes, with this message in the place of what was sent.
    Replace(Box<Publication>),
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
    /// The packet in question: a CONNECT, AUTH, PUBLISH or SUBSCRIBE; a PUBLISH as hooks before have changed it.
    pub fn packet(&self) -> ClientPacket<'_> {
        crate::codec::decode_again(&self.packet, self.version)
    }
}
