//! What waits for the driver.

use super::HandleError;
use crate::{Measures, inline::Pipe};
use sanderling_core::{
    broker::{Answer, Command, View},
    hooks::{ClientData, Verdict},
    id::{ConnId, Ticket},
};
use std::{
    cell::Cell,
    collections::VecDeque,
    fmt,
    future::poll_fn,
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};

/// Letters that may wait for the driver.
pub const LETTERS_MAX: usize = 4096;

/// Makes a sleeping driver look at its inbox. Called from any thread; must not block.
pub trait Wake: Send + Sync {
    /// Wakes the driver.
    fn wake(&self);
}

/// What waits for the driver.
#[derive(Default)]
pub struct Inbox {
    mail: Mutex<Mail>,
    /// Told when letters were taken.
    room: Condvar,
    driver: OnceLock<Box<dyn Wake>>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

#[derive(Default)]
pub(crate) struct Mail {
    pub(crate) letters: VecDeque<Letter>,
    /// No more than there are open tickets.
    pub(crate) verdicts: Vec<(Ticket, Verdict)>,
    /// Connections inside the program that have something for the broker, or room for more; each at most once.
    pub(crate) rings: Vec<ConnId>,
    pub(crate) stop: Option<Stop>,
    /// Tasks that wait for room.
    waiting: Vec<Waker>,
    /// The driver was woken and has not taken this yet.
    woken: bool,
    closed: bool,
}

/// What somebody asks for, in the order in which it was.
pub(crate) enum Letter {
    /// Carry this out, and answer.
    Command(Command, oneshot::Sender<Answer>),
    /// Let somebody look at the broker.
    Look(Box<dyn FnOnce(View<'_>) + Send>),
    /// Let somebody look at the broker and at what the driver measures; it goes on measuring from then on.
    Measure(Survey),
    /// Let somebody change what is kept with a client, if there is one.
    Data(Box<str>, Change),
    /// Connect a client inside the program.
    Open(Arc<Pipe>),
}

/// What somebody makes of the broker and of what the driver measures.
pub(crate) type Survey = Box<dyn FnOnce(View<'_>, &Measures) + Send>;

/// What somebody does with what is kept with a client, if there is one.
pub(crate) type Change = Box<dyn FnOnce(Option<&mut ClientData>) + Send>;

/// How to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// After so long it counts as failed; without, it takes what it takes.
    pub(crate) at_most: Option<Duration>,
}

impl Inbox {
    /// An empty inbox.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// From now on there is a driver, which `wake` wakes. Only the first one counts.
    pub fn attach(&self, wake: impl Wake + 'static) {
        let _ = self.driver.set(Box::new(wake));
        // What came before woke nobody.
        if self.lock().woken {
            self.wake();
        }
    }

    /// Whether there is a driver.
    pub(super) fn is_attached(&self) -> bool {
        self.driver.get().is_some()
    }

    /// Takes everything that has come.
    pub(crate) fn take(&self) -> Mail {
        let mut mail = self.lock();
        let left = Mail {
            closed: mail.closed,
            ..Mail::default()
        };
        let mut taken = mem::replace(&mut *mail, left);
        drop(mail);
        self.room.notify_all();
        mem::take(&mut taken.waiting)
            .into_iter()
            .for_each(Waker::wake);
        taken
    }

    /// Puts a letter in, if there is room.
    pub(super) fn post(&self, letter: Letter) -> Result<(), HandleError> {
        let mail = self.lock();
        match mail.room()? {
            true => self.put(mail, letter),
            false => return Err(HandleError::Full),
        }
        Ok(())
    }

    /// Puts a letter in; waits for room.
    pub(super) fn post_blocking(&self, letter: Letter) -> Result<(), HandleError> {
        let mut mail = self.lock();
        while !mail.room()? {
            mail = self.room.wait(mail).unwrap_or_else(PoisonError::into_inner);
        }
        self.put(mail, letter);
        Ok(())
    }

    /// Puts a letter in; awaits room.
    pub(super) async fn post_async(&self, letter: Letter) -> Result<(), HandleError> {
        let mut letter = Some(letter);
        poll_fn(move |cx| {
            let mut mail = self.lock();
            match mail.room() {
                Err(error) => Poll::Ready(Err(error)),
                Ok(false) => {
                    mail.waiting.push(cx.waker().clone());
                    Poll::Pending
                }
                Ok(true) => {
                    let letter = letter.take().expect("it is put in once");
                    self.put(mail, letter);
                    Poll::Ready(Ok(()))
                }
            }
        })
        .await
    }

    fn put(&self, mut mail: MutexGuard<'_, Mail>, letter: Letter) {
        mail.letters.push_back(letter);
        self.posted(mail);
    }

    /// A verdict. One that comes after the end changes nothing.
    pub(super) fn rule(&self, ticket: Ticket, verdict: Verdict) {
        let mut mail = self.lock();
        if !mail.closed {
            mail.verdicts.push((ticket, verdict));
            self.posted(mail);
        }
    }

    /// A connection inside the program wants to be looked at.
    pub(crate) fn ring(&self, conn: ConnId) {
        let mut mail = self.lock();
        if !mail.closed {
            mail.rings.push(conn);
            self.posted(mail);
        }
    }

    pub(super) fn stop(&self, stop: Stop) {
        let mut mail = self.lock();
        mail.stop.get_or_insert(stop);
        self.posted(mail);
    }

    /// Wakes the driver, unless it was woken for earlier mail.
    fn posted(&self, mut mail: MutexGuard<'_, Mail>) {
        let is_first = !mem::replace(&mut mail.woken, true);
        drop(mail);
        if is_first {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(driver) = self.driver.get() {
            driver.wake();
        }
    }

    /// From now on calls fail with `Stopped`.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        // Those who wait are told here, after the lock was given back: they may call again at once.
        drop(self.take());
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        // Nothing in here can be left half done by a panic.
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mail {
    /// Whether there is room for one more letter.
    fn room(&self) -> Result<bool, HandleError> {
        match self.closed {
            true => Err(HandleError::Stopped),
            false => Ok(self.letters.len() < LETTERS_MAX),
        }
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

pub(super) fn is_in_turn() -> bool {
    IN_TURN.get()
}
