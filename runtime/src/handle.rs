//! The way in for the program around the broker: cloneable, usable from any thread, bounded.

#[cfg(feature = "tls")]
use crate::Certificates;
use crate::Setup;
use sanderling_core::{
    broker::{Answer, Command, Publication},
    hooks::{Question, Verdict},
    id::Ticket,
    reason::ReasonCode,
    stats::Statistics,
    topic::TopicError,
};
use std::{
    cell::Cell,
    collections::VecDeque,
    error::Error,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Commands that may wait for the driver.
pub const COMMANDS_MAX: usize = 4096;

/// Makes a sleeping driver look at its inbox. Called from any thread; must not block.
pub trait Wake: Send + Sync {
    /// Wakes the driver.
    fn wake(&self);
}

/// Talks to a running broker. Clones talk to the same one.
#[derive(Clone)]
pub struct Handle {
    inbox: Arc<Inbox>,
    #[cfg(feature = "tls")]
    certificates: Certificates,
}

/// Why a call of the [`Handle`] did not do what it should.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HandleError {
    /// Too many commands wait for the driver: try again later.
    Full,
    /// The broker has stopped.
    Stopped,
    /// A blocking call from inside a hook would wait for itself: give the hook's `Orders` the command instead.
    WouldDeadlock,
    /// The topic name breaks this rule.
    InvalidTopic(TopicError),
    /// The topic name has more levels than the broker's limit.
    TopicTooDeep,
    /// Topic, properties and payload together are longer than a packet can be.
    TooLarge,
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "{COMMANDS_MAX} commands wait for the broker already"),
            Self::Stopped => f.write_str("the broker has stopped"),
            Self::WouldDeadlock => f.write_str("a hook must not wait for the broker it runs in"),
            Self::InvalidTopic(error) => write!(f, "the topic name {error}"),
            Self::TopicTooDeep => f.write_str("the topic name has more levels than the limit"),
            Self::TooLarge => f.write_str("the message is longer than a packet can be"),
        }
    }
}

impl Error for HandleError {}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    /// A handle of the broker that is made of `setup` and gets its commands by `inbox`; for drivers.
    pub fn new(setup: &Setup, inbox: Arc<Inbox>) -> Self {
        // A build without TLS needs nothing else.
        let _ = setup;
        Self {
            inbox,
            #[cfg(feature = "tls")]
            certificates: setup.certificates(),
        }
    }

    /// The certificates of all listeners, to be read again when their files have changed.
    #[cfg(feature = "tls")]
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Publishes a message as if a client had. Returns how many sessions it was sent to or queued for.
    ///
    /// # Errors
    /// See [`HandleError`]; nothing was published then.
    pub fn publish(&self, publication: Publication) -> Result<u32, HandleError> {
        published(self.ask(Command::Publish(Box::new(publication)))?)
    }

    /// The same, without blocking the thread.
    ///
    /// # Errors
    /// See [`HandleError`]; nothing was published then.
    pub async fn publish_async(&self, publication: Publication) -> Result<u32, HandleError> {
        let answer = self.send(Command::Publish(Box::new(publication)))?;
        published(answer.await.map_err(|_| HandleError::Stopped)?)
    }

    /// Hands a message over and does not wait for what becomes of it. Does not block; may be called from hooks.
    ///
    /// # Errors
    /// `Full` or `Stopped`.
    pub fn try_publish(&self, publication: Publication) -> Result<(), HandleError> {
        self.send(Command::Publish(Box::new(publication))).map(drop)
    }

    /// The counters.
    ///
    /// # Errors
    /// `Full`, `Stopped` or `WouldDeadlock`.
    pub fn statistics(&self) -> Result<Statistics, HandleError> {
        match self.ask(Command::Statistics)? {
            Answer::Statistics(statistics) => Ok(*statistics),
            other => unreachable!("the counters were asked for, not {other:?}"),
        }
    }

    /// Has the broker stop: listeners are closed, wills published, clients told, connections ended. Returns at once;
    /// the driver ends soon after, whatever clients do.
    pub fn stop(&self) {
        let mut mail = self.inbox.lock();
        mail.stop = true;
        self.inbox.posted(mail);
    }

    fn ask(&self, command: Command) -> Result<Answer, HandleError> {
        if IN_TURN.get() {
            return Err(HandleError::WouldDeadlock);
        }
        self.send(command)?.recv().map_err(|_| HandleError::Stopped)
    }

    fn send(&self, command: Command) -> Result<oneshot::Receiver<Answer>, HandleError> {
        let mut mail = self.inbox.lock();
        if mail.closed {
            return Err(HandleError::Stopped);
        }
        if mail.commands.len() >= COMMANDS_MAX {
            return Err(HandleError::Full);
        }
        let (reply, answer) = oneshot::channel();
        mail.commands.push_back((command, reply));
        self.inbox.posted(mail);
        Ok(answer)
    }
}

fn published(answer: Answer) -> Result<u32, HandleError> {
    match answer {
        Answer::Published { receivers } => Ok(receivers),
        Answer::InvalidTopic(error) => Err(HandleError::InvalidTopic(error)),
        Answer::TopicTooDeep => Err(HandleError::TopicTooDeep),
        Answer::TooLarge => Err(HandleError::TooLarge),
        other => unreachable!("a message was published, the answer is {other:?}"),
    }
}

/// Finds the verdicts of one hook set that answers `Ask`.
///
/// Called in the broker's turn: hand the question to a thread or a task and return.
pub trait Answerer: Send {
    /// Answer this question, now or later.
    fn answer(&mut self, question: Question, reply: Reply);
}

/// The way back for one verdict. Dropping it refuses.
#[must_use]
pub struct Reply {
    ticket: Ticket,
    inbox: Option<Arc<Inbox>>,
}

impl Reply {
    pub(crate) fn new(ticket: Ticket, inbox: Arc<Inbox>) -> Self {
        Self {
            ticket,
            inbox: Some(inbox),
        }
    }

    /// Gives the verdict.
    pub fn rule(mut self, verdict: Verdict) {
        self.send(verdict);
    }

    fn send(&mut self, verdict: Verdict) {
        if let Some(inbox) = self.inbox.take() {
            let mut mail = inbox.lock();
            if !mail.closed {
                mail.verdicts.push((self.ticket, verdict));
                inbox.posted(mail);
            }
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.send(Verdict::Refuse(ReasonCode::NOT_AUTHORIZED));
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("ticket", &self.ticket)
            .finish_non_exhaustive()
    }
}

/// What waits for the driver.
pub struct Inbox {
    mail: Mutex<Mail>,
    wake: Box<dyn Wake>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

#[derive(Default)]
pub(crate) struct Mail {
    pub(crate) commands: VecDeque<(Command, oneshot::Sender<Answer>)>,
    /// No more than there are open tickets.
    pub(crate) verdicts: Vec<(Ticket, Verdict)>,
    pub(crate) stop: bool,
    /// The driver was woken and has not taken this yet.
    woken: bool,
    closed: bool,
}

impl Inbox {
    /// An empty inbox of a driver that `wake` wakes.
    pub fn new(wake: impl Wake + 'static) -> Arc<Self> {
        Arc::new(Self {
            mail: Mutex::default(),
            wake: Box::new(wake),
        })
    }

    pub(crate) fn take(&self) -> Mail {
        let mut mail = self.lock();
        let closed = mail.closed;
        core::mem::replace(
            &mut *mail,
            Mail {
                closed,
                ..Mail::default()
            },
        )
    }

    /// Wakes the driver, unless it was woken for earlier mail.
    fn posted(&self, mut mail: MutexGuard<'_, Mail>) {
        let is_first = !core::mem::replace(&mut mail.woken, true);
        drop(mail);
        if is_first {
            self.wake.wake();
        }
    }

    /// From now on calls fail with `Stopped`.
    pub(crate) fn close(&self) {
        let mail = core::mem::replace(
            &mut *self.lock(),
            Mail {
                closed: true,
                ..Mail::default()
            },
        );
        // Those who wait are told here, after the lock was given back: they may call again at once.
        drop(mail);
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        // Nothing in here can be left half done by a panic.
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// True while this thread runs inside the broker, that is, in a hook.
    static IN_TURN: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as running inside a broker, or not. Returns whether it did before.
#[inline]
pub(crate) fn set_in_turn(in_turn: bool) -> bool {
    IN_TURN.replace(in_turn)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(&self) {}
    }

    fn publication(topic: &str) -> Publication {
        Publication {
            topic: topic.into(),
            payload: bytes::Bytes::new(),
            qos: Default::default(),
            retain: false,
            properties: Default::default(),
        }
    }

    #[test]
    fn a_full_inbox_takes_no_more() {
        let handle = Handle::new(&Setup::default(), Inbox::new(Nobody));
        for _ in 0..COMMANDS_MAX {
            handle.try_publish(publication("t")).unwrap();
        }
        assert_eq!(handle.try_publish(publication("t")), Err(HandleError::Full));
    }

    #[test]
    fn after_the_end_every_call_says_so() {
        let inbox = Inbox::new(Nobody);
        let handle = Handle::new(&Setup::default(), inbox.clone());
        let waiting = handle.send(Command::Statistics).unwrap();
        inbox.close();
        assert!(waiting.recv().is_err(), "one who waits is told as well");
        assert_eq!(handle.publish(publication("t")), Err(HandleError::Stopped));
        assert_eq!(
            handle.try_publish(publication("t")),
            Err(HandleError::Stopped)
        );
    }

    #[test]
    fn a_hook_cannot_wait_for_its_own_broker() {
        let handle = Handle::new(&Setup::default(), Inbox::new(Nobody));
        set_in_turn(true);
        assert_eq!(
            handle.publish(publication("t")),
            Err(HandleError::WouldDeadlock)
        );
        set_in_turn(false);
    }
}
