//! The one place where a message becomes allowed: [`Allowed`] can be made nowhere else, and routing takes nothing else.

use crate::{
    broker::Link,
    codec::Run,
    hooks::{Client, Context, Draft, HookChain, HookSet, Ruling, SubscribeRequest},
    message::{Incoming, Message},
    packet::Connect,
    reason::ReasonCode,
};

/// Proof that whoever may forbid it has permitted it.
#[derive(Debug)]
pub(super) struct Allowed<T>(T);

impl<T> Allowed<T> {
    #[inline]
    pub(super) fn get(&self) -> &T {
        &self.0
    }

    pub(super) fn into_inner(self) -> T {
        self.0
    }
}

/// How far the chain got.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Judged {
    /// The last set was asked and none refuses.
    Permitted,
    /// A refusal.
    Refused(ReasonCode),
    /// This set answers later.
    Asked(u16),
}

/// Asks the sets from number `from` on about a CONNECT. All are asked; the highest refusal wins.
pub(super) fn connect(
    hooks: &mut HookChain,
    from: u16,
    mut worst: ReasonCode,
    link: &Link,
    connect: &Connect<'_>,
    cx: &mut Context<'_>,
) -> (Judged, ReasonCode) {
    if hooks.wants(HookSet::CONNECT) {
        for (number, hook) in hooks.wanting(HookSet::CONNECT, from, link.listener) {
            match hook.connect(link, connect, cx) {
                Ruling::Permit => {}
                Ruling::Refuse(reason) => worst = worst.max(refusal(reason)),
                Ruling::Ask => return (Judged::Asked(number), worst),
            }
        }
    }
    let judged = if worst == ReasonCode::SUCCESS {
        Judged::Permitted
    } else {
        Judged::Refused(worst)
    };
    (judged, worst)
}

/// Asks the sets from number `from` on about a PUBLISH. The first refusal is final.
pub(super) fn publish(
    hooks: &mut HookChain,
    from: u16,
    client: &Client<'_>,
    draft: &mut Draft<'_>,
    cx: &mut Context<'_>,
) -> Judged {
    if hooks.wants(HookSet::PUBLISH) {
        for (number, hook) in hooks.wanting(HookSet::PUBLISH, from, client.link.listener) {
            match hook.publish(client, draft, cx) {
                Ruling::Permit => {}
                Ruling::Refuse(reason) => return Judged::Refused(refusal(reason)),
                Ruling::Ask => return Judged::Asked(number),
            }
        }
    }
    Judged::Permitted
}

/// Asks the sets from number `from` on about a SUBSCRIBE. Each sees what the one before granted; an entry once refused
/// stays refused.
pub(super) fn subscribe(
    hooks: &mut HookChain,
    from: u16,
    client: &Client<'_>,
    requests: &mut [SubscribeRequest<'_>],
    cx: &mut Context<'_>,
) -> Judged {
    if hooks.wants(HookSet::SUBSCRIBE) {
        for (number, hook) in hooks.wanting(HookSet::SUBSCRIBE, from, client.link.listener) {
            let before: smallvec::SmallVec<[_; 8]> = requests
                .iter()
                .map(|request| request.granted.err())
                .collect();
            match hook.subscribe(client, requests, cx) {
                Ruling::Permit => {}
                Ruling::Refuse(reason) => refuse_all(requests, refusal(reason)),
                Ruling::Ask => return Judged::Asked(number),
            }
            for (request, refused) in requests.iter_mut().zip(before) {
                if let Some(reason) = refused {
                    request.granted = Err(reason);
                }
            }
        }
    }
    Judged::Permitted
}

/// Refuses what is not refused yet.
pub(super) fn refuse_all(requests: &mut [SubscribeRequest<'_>], reason: ReasonCode) {
    for request in requests {
        request.granted = Err(request.granted.err().unwrap_or(reason));
    }
}

/// Takes over a hook's answer for each entry. One without an answer is refused, and one once refused stays refused.
pub(super) fn grant(
    requests: &mut [SubscribeRequest<'_>],
    granted: alloc::vec::Vec<Result<crate::packet::QoS, ReasonCode>>,
) {
    let unanswered = core::iter::repeat(Err(ReasonCode::NOT_AUTHORIZED));
    for (request, answer) in requests
        .iter_mut()
        .zip(granted.into_iter().chain(unanswered))
    {
        request.granted = request.granted.and(answer).map_err(refusal);
    }
}

/// A hook's "no" is never taken for a success.
pub(super) fn refusal(reason: ReasonCode) -> ReasonCode {
    if reason == ReasonCode::SUCCESS {
        ReasonCode::UNSPECIFIED_ERROR
    } else {
        reason
    }
}

/// A client's message that [`publish`] or a verdict permitted.
pub(super) fn permitted(judged: Judged, message: Incoming<'_>) -> Option<Allowed<Incoming<'_>>> {
    (judged == Judged::Permitted).then_some(Allowed(message))
}

/// Messages of a client.
pub(super) trait OfClient {}
impl OfClient for Incoming<'_> {}
impl OfClient for Run<'_> {}

/// A client's message that no hook set wants to be asked about.
pub(super) fn unasked<T: OfClient>(hooks: &HookChain, message: T) -> Option<Allowed<T>> {
    (!hooks.wants(HookSet::PUBLISH)).then_some(Allowed(message))
}

/// A will: permitted with the CONNECT that brought it.
pub(super) fn will(message: &Message) -> Allowed<Incoming<'_>> {
    Allowed(Incoming::again(message))
}

/// A message of the program around the broker.
pub(super) fn command(message: Incoming<'_>) -> Allowed<Incoming<'_>> {
    Allowed(message)
}
