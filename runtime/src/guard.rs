//! A hook set that panics refuses what it was asked about, and does not take the broker with it.
//!
//! The panic is reported by the program's panic hook, as any other is. A set that panicked while it observed is told
//! nothing any more; one that decides is asked again next time, because one odd packet must not shut everybody out.

use crate::{Answerer, Reply};
use sanderling_core::{
    broker::Link,
    hooks::{
        AuthRuling, AuthStep, Client, Context, Draft, HookSet, Hooks, Notice, Question, Ruling,
        SubscribeRequest,
    },
    packet::Connect,
    reason::ReasonCode,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A hook set, and whether it still observes.
pub(crate) struct Guarded<H> {
    hooks: H,
    observes: bool,
}

impl<H: Hooks> Guarded<H> {
    pub(crate) fn new(hooks: H) -> Self {
        Self {
            hooks,
            observes: true,
        }
    }
}

/// What `ask` says, or `refusal` if it panics. What a panic leaves behind in a hook set is that set's own business.
fn or<R>(refusal: R, ask: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or(refusal)
}

const REFUSED: Ruling = Ruling::Refuse(ReasonCode::UNSPECIFIED_ERROR);

impl<H: Hooks> Hooks for Guarded<H> {
    fn wants(&self) -> HookSet {
        self.hooks.wants()
    }

    fn accept(&mut self, link: &Link, cx: &mut Context<'_>) -> bool {
        or(false, || self.hooks.accept(link, cx))
    }

    fn connect(&mut self, link: &Link, connect: &Connect<'_>, cx: &mut Context<'_>) -> Ruling {
        or(REFUSED, || self.hooks.connect(link, connect, cx))
    }

    fn authenticate(
        &mut self,
        link: &Link,
        step: &AuthStep<'_>,
        cx: &mut Context<'_>,
    ) -> AuthRuling {
        let refused = AuthRuling::Refuse(ReasonCode::UNSPECIFIED_ERROR);
        or(refused, || self.hooks.authenticate(link, step, cx))
    }

    fn subscribe(
        &mut self,
        client: &Client<'_>,
        requests: &mut [SubscribeRequest<'_>],
        cx: &mut Context<'_>,
    ) -> Ruling {
        or(REFUSED, || self.hooks.subscribe(client, requests, cx))
    }

    fn publish(
        &mut self,
        client: &Client<'_>,
        draft: &mut Draft<'_>,
        cx: &mut Context<'_>,
    ) -> Ruling {
        or(REFUSED, || self.hooks.publish(client, draft, cx))
    }

    fn notice(&mut self, notice: &Notice<'_>, cx: &mut Context<'_>) {
        if self.observes {
            self.observes = or(false, || {
                self.hooks.notice(notice, cx);
                true
            });
        }
    }
}

/// An answerer, likewise.
pub(crate) struct GuardedAnswerer<A>(pub(crate) A);

impl<A: Answerer> Answerer for GuardedAnswerer<A> {
    fn answer(&mut self, question: Question, reply: Reply) {
        // A reply that is dropped while the stack unwinds refuses.
        or((), || self.0.answer(question, reply));
    }
}
