//! The way in for the program around the broker: cloneable, usable from any thread, bounded.

mod answer;
mod clients;
mod error;
mod inbox;
mod look;
mod retained;
mod subscriptions;

pub use answer::{Answerer, Reply, Workers};
pub use error::HandleError;
pub use inbox::{Inbox, LETTERS_MAX, Wake};
pub(crate) use inbox::{Letter, Mail, Stop, set_in_turn};
pub use look::{ClientInfo, MessageInfo, SessionsPage, SubscriptionInfo, WillInfo};
pub use retained::RetainedStore;
pub use subscriptions::{SubscriptionCounts, SubscriptionStore};

#[cfg(feature = "tls")]
use crate::Certificates;
use crate::{
    Endpoint, Measures,
    inline::{Inline, InlineError, InlineOptions, Pipe, Requester},
};
use inbox::is_in_turn;
use sanderling_core::{
    broker::{Answer, Command, Publication, View},
    config::Config,
    stats::Statistics,
};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

/// Talks to a running broker. Clones talk to the same one.
///
/// Calls that have an answer block the thread until the broker's next turn has given it, or come in a second form that
/// does not block (`_async`). From inside a hook nothing may block: give the [`Context`](sanderling_core::hooks::Context)
/// a command instead, and look at its view; the blocking calls return [`WouldDeadlock`](HandleError::WouldDeadlock) there.
#[derive(Clone)]
pub struct Handle {
    inbox: Arc<Inbox>,
    facts: Arc<OnceLock<Facts>>,
}

/// What is known once the broker is built.
struct Facts {
    endpoints: Arc<[Endpoint]>,
    #[cfg(feature = "tls")]
    certificates: Certificates,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    /// A handle of a broker that gets its letters by `inbox`.
    pub fn new(inbox: Arc<Inbox>) -> Self {
        Self {
            inbox,
            facts: Arc::default(),
        }
    }

    /// The broker is built.
    pub(crate) fn complete(
        &self,
        endpoints: Vec<Endpoint>,
        #[cfg(feature = "tls")] certificates: Certificates,
    ) {
        let facts = Facts {
            endpoints: endpoints.into(),
            #[cfg(feature = "tls")]
            certificates,
        };
        assert!(self.facts.set(facts).is_ok(), "a broker is built once");
    }

    // Messages

    /// Publishes a message as if a client had. Returns how many sessions it was sent to or queued for.
    ///
    /// # Errors
    /// See [`HandleError`]; nothing was published then.
    pub fn publish(&self, publication: Publication) -> Result<u32, HandleError> {
        published(self.order(Command::Publish(Box::new(publication)))?)
    }

    /// The same, without blocking the thread. It is done when the message was routed, so one who awaits each cannot
    /// publish faster than the broker routes.
    ///
    /// # Errors
    /// See [`HandleError`]; nothing was published then.
    pub async fn publish_async(&self, publication: Publication) -> Result<u32, HandleError> {
        let command = Command::Publish(Box::new(publication));
        published(self.order_async(command).await?)
    }

    /// Hands a message over and does not wait for what becomes of it, nor for room. May be called from hooks, and before
    /// the broker has started.
    ///
    /// # Errors
    /// `Full` or `Stopped`.
    pub fn try_publish(&self, publication: Publication) -> Result<(), HandleError> {
        self.try_order(Command::Publish(Box::new(publication)))
    }

    /// Delivers a message to one session. With `matching` only if it has a subscription that matches, and as that asks
    /// for; else in any case, with the message's QoS. Returns how many copies it gets: none if there is no such session.
    ///
    /// # Errors
    /// See [`HandleError`].
    pub fn publish_to(
        &self,
        client_id: &str,
        publication: Publication,
        matching: bool,
    ) -> Result<u32, HandleError> {
        published(self.order(Command::PublishTo {
            client_id: client_id.into(),
            publication: Box::new(publication),
            matching,
        })?)
    }

    /// The subscriptions of all clients.
    pub fn subscriptions(&self) -> SubscriptionStore {
        SubscriptionStore(self.clone())
    }

    /// The retained messages.
    pub fn retained(&self) -> RetainedStore {
        RetainedStore(self.clone())
    }

    /// Connects a client inside this program, with a session of its own and no network. Hooks are told of it and not
    /// asked about it.
    ///
    /// # Errors
    /// See [`InlineError`].
    pub async fn inline(&self, options: InlineOptions) -> Result<Inline, InlineError> {
        Inline::connect(self.clone(), options).await
    }

    /// Connects a client inside this program that asks others and awaits their answers.
    ///
    /// # Errors
    /// See [`InlineError`].
    pub async fn requester(&self) -> Result<Requester, InlineError> {
        Requester::connect(self.clone()).await
    }

    // The broker

    /// Where clients find the broker; nowhere before it is built.
    pub fn endpoints(&self) -> &[Endpoint] {
        self.facts.get().map_or(&[], |facts| &facts.endpoints)
    }

    fn endpoints_of_now(&self) -> Arc<[Endpoint]> {
        let facts = self.facts.get();
        facts.map_or_else(Arc::default, |facts| Arc::clone(&facts.endpoints))
    }

    /// The certificates of all listeners, to be read again when their files have changed; none before the broker is built.
    #[cfg(feature = "tls")]
    pub fn certificates(&self) -> Certificates {
        let facts = self.facts.get();
        facts.map_or_else(Certificates::default, |facts| facts.certificates.clone())
    }

    /// A copy of the configuration in effect.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn config(&self) -> Result<Config, HandleError> {
        self.look(|view| view.config().clone())
    }

    /// A copy of the counters.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn statistics(&self) -> Result<Statistics, HandleError> {
        self.look(|view| view.statistics().clone())
    }

    /// Has the broker stop: listeners are closed, wills published, clients told, connections ended. Returns at once;
    /// the driver ends soon after, whatever clients do.
    pub fn stop(&self) {
        self.inbox.stop(Stop { at_most: None });
    }

    /// The same, and if connections are left after this time, the driver ends with an error: hooks are not told of the
    /// end then, and plugins are not unloaded. The first order to stop counts.
    pub fn stop_within(&self, at_most: Duration) {
        let at_most = Some(at_most);
        self.inbox.stop(Stop { at_most });
    }

    // What the others are made of

    /// Carries a command out and waits for its answer.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn order(&self, command: Command) -> Result<Answer, HandleError> {
        self.ask(|reply| Letter::Command(command, reply))
    }

    /// The same, without blocking the thread.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn order_async(&self, command: Command) -> Result<Answer, HandleError> {
        self.ask_async(|reply| Letter::Command(command, reply))
            .await
    }

    /// Hands a command over and does not wait for what becomes of it, nor for room. May be called from hooks, and before
    /// the broker has started.
    ///
    /// # Errors
    /// `Full` or `Stopped`.
    pub fn try_order(&self, command: Command) -> Result<(), HandleError> {
        let (reply, _) = oneshot::channel();
        self.inbox.post(Letter::Command(command, reply))
    }

    /// Lets `look` see the broker, and waits for what it makes of it. Everybody else waits meanwhile: look at little.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    ///
    /// # Panics
    /// If `look` does; the broker goes on.
    pub fn look<R: Send + 'static>(
        &self,
        look: impl FnOnce(View<'_>) -> R + Send + 'static,
    ) -> Result<R, HandleError> {
        self.ask(|reply| Letter::Look(Box::new(|view| try_to(reply, || look(view)))))
            .map(or_unwind)
    }

    /// The same, without blocking the thread.
    ///
    /// # Errors
    /// `Stopped`.
    ///
    /// # Panics
    /// If `look` does; the broker goes on.
    pub async fn look_async<R: Send + 'static>(
        &self,
        look: impl FnOnce(View<'_>) -> R + Send + 'static,
    ) -> Result<R, HandleError> {
        self.ask_async(|reply| Letter::Look(Box::new(|view| try_to(reply, || look(view)))))
            .await
            .map(or_unwind)
    }

    /// Has `look` see the broker in its next turn, and does not wait for that, nor for room. May be called from hooks, and
    /// before the broker has started.
    ///
    /// # Errors
    /// `Full` or `Stopped`.
    pub fn try_look(
        &self,
        look: impl FnOnce(View<'_>) + Send + 'static,
    ) -> Result<(), HandleError> {
        self.inbox.post(Letter::Look(Box::new(look)))
    }

    /// Lets `look` see the broker and what its driver measures, from the first call on, and waits for what it makes of them.
    ///
    /// # Errors
    /// `Stopped`.
    ///
    /// # Panics
    /// If `look` does; the broker goes on.
    pub async fn measure_async<R: Send + 'static>(
        &self,
        look: impl FnOnce(View<'_>, &Measures) -> R + Send + 'static,
    ) -> Result<R, HandleError> {
        self.ask_async(|reply| {
            let look = move |view: View<'_>, measures: &_| try_to(reply, || look(view, measures));
            Letter::Measure(Box::new(look))
        })
        .await
        .map(or_unwind)
    }

    fn ask<R>(&self, letter: impl FnOnce(oneshot::Sender<R>) -> Letter) -> Result<R, HandleError> {
        if is_in_turn() {
            return Err(HandleError::WouldDeadlock);
        }
        if !self.inbox.is_attached() {
            return Err(HandleError::NotStarted);
        }
        let (reply, answer) = oneshot::channel();
        self.inbox.post_blocking(letter(reply))?;
        answer.recv().map_err(|_| HandleError::Stopped)
    }

    async fn ask_async<R>(
        &self,
        letter: impl FnOnce(oneshot::Sender<R>) -> Letter,
    ) -> Result<R, HandleError> {
        let (reply, answer) = oneshot::channel();
        self.inbox.post_async(letter(reply)).await?;
        answer.await.map_err(|_| HandleError::Stopped)
    }

    /// Has the broker take up a client inside the program.
    pub(crate) async fn open(&self, pipe: Arc<Pipe>) -> Result<(), HandleError> {
        self.inbox.post_async(Letter::Open(pipe)).await
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }
}

/// Answers with what `act` returns, or with its panic.
fn try_to<R>(reply: oneshot::Sender<thread::Result<R>>, act: impl FnOnce() -> R) {
    let outcome = catch_unwind(AssertUnwindSafe(act));
    // Who asked may have stopped waiting.
    let _ = reply.send(outcome);
}

fn or_unwind<R>(outcome: thread::Result<R>) -> R {
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

fn published(answer: Answer) -> Result<u32, HandleError> {
    match answer {
        Answer::Published { receivers } => Ok(receivers),
        other => Err(refused(&other)),
    }
}

/// What is wrong with a message.
fn refused(answer: &Answer) -> HandleError {
    match answer {
        Answer::InvalidTopic(error) => HandleError::InvalidTopic(*error),
        Answer::TopicTooDeep => HandleError::TopicTooDeep,
        Answer::TooLarge => HandleError::TooLarge,
        Answer::RetainedFull => HandleError::RetainedFull,
        other => unreachable!("a message was handed over, the answer is {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[derive(Clone, Default)]
    struct Count(Arc<AtomicU32>);

    impl Wake for Count {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn started() -> (Handle, Arc<Inbox>) {
        let inbox = Inbox::new();
        inbox.attach(Count::default());
        (Handle::new(Arc::clone(&inbox)), inbox)
    }

    #[test]
    fn a_full_inbox_takes_no_more() {
        let (handle, inbox) = started();
        for _ in 0..LETTERS_MAX {
            handle.try_publish(Publication::new("t", "")).unwrap();
        }
        let outcome = handle.try_publish(Publication::new("t", ""));
        assert_eq!(outcome, Err(HandleError::Full));
        // One who waits for room gets it when the driver has taken the letters, and then an answer, or none.
        thread::scope(|scope| {
            let waiting = scope.spawn(|| handle.publish(Publication::new("t", "")));
            let mut taken = 0;
            while taken <= LETTERS_MAX {
                taken += inbox.take().letters.len();
            }
            assert_eq!(waiting.join().unwrap(), Err(HandleError::Stopped));
        });
    }

    #[test]
    fn a2_what_is_handed_over_before_the_start_waits_for_it() {
        let inbox = Inbox::new();
        let handle = Handle::new(Arc::clone(&inbox));
        handle.try_publish(Publication::new("t", "")).unwrap();
        assert_eq!(
            handle.publish(Publication::new("t", "")),
            Err(HandleError::NotStarted)
        );
        assert!(handle.endpoints().is_empty());
        let wakes = Count::default();
        inbox.attach(wakes.clone());
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert_eq!(inbox.take().letters.len(), 1);
    }

    #[test]
    fn after_the_end_every_call_says_so() {
        let (handle, inbox) = started();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| handle.statistics());
            while inbox.take().letters.is_empty() {
                thread::yield_now();
            }
            inbox.close();
            assert_eq!(waiting.join().unwrap(), Err(HandleError::Stopped));
        });
        let publication = || Publication::new("t", "");
        assert_eq!(handle.publish(publication()), Err(HandleError::Stopped));
        assert_eq!(handle.try_publish(publication()), Err(HandleError::Stopped));
        assert_eq!(handle.config(), Err(HandleError::Stopped));
    }

    #[test]
    fn a_hook_cannot_wait_for_its_own_broker() {
        let (handle, _inbox) = started();
        set_in_turn(true);
        let outcome = handle.publish(Publication::new("t", ""));
        assert_eq!(outcome, Err(HandleError::WouldDeadlock));
        assert_eq!(handle.close("c"), Err(HandleError::WouldDeadlock));
        assert_eq!(handle.value("c", "k"), Err(HandleError::WouldDeadlock));
        set_in_turn(false);
    }
}
