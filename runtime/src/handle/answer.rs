//! Verdicts that come later: who finds them, and how they come back.

use super::Inbox;
use sanderling_core::{
    hooks::{Question, Verdict},
    id::Ticket,
    reason::ReasonCode,
};
use std::{
    fmt, io,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    sync::{Mutex, PoisonError},
    thread,
};

/// Finds the verdicts of one hook set that answers `Ask`.
///
/// Called in the broker's turn: hand the question to a thread or a task and return. [`Workers`] does that with threads.
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
            inbox.rule(self.ticket, verdict);
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

/// Threads that find verdicts, for code that blocks: a database, a file, a hash that takes its time.
#[derive(Debug)]
pub struct Workers {
    questions: SyncSender<(Question, Reply)>,
}

impl Workers {
    /// Starts `threads` threads that call `find`. When `waiting_max` questions wait for a free thread, further ones are
    /// refused with [`SERVER_BUSY`](ReasonCode::SERVER_BUSY): a flood of logins must not pile up. A panic in `find`
    /// refuses that one question.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(
        threads: usize,
        waiting_max: usize,
        find: impl Fn(&Question) -> Verdict + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (questions, waiting) = sync_channel(waiting_max);
        let (waiting, find) = (Arc::new(Mutex::new(waiting)), Arc::new(find));
        for number in 0..threads.max(1) {
            let (waiting, find) = (Arc::clone(&waiting), Arc::clone(&find));
            thread::Builder::new()
                .name(format!("verdicts {number}"))
                .spawn(move || work(&waiting, &*find))?;
        }
        Ok(Self { questions })
    }
}

/// Ends when the broker is gone.
fn work(
    waiting: &Mutex<Receiver<(Question, Reply)>>,
    find: &(impl Fn(&Question) -> Verdict + ?Sized),
) {
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok((question, reply)) = next else {
            return;
        };
        // The panic is reported as any other is; the reply that is dropped refuses.
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| find(&question)));
        if let Ok(verdict) = found {
            reply.rule(verdict);
        }
    }
}

impl Answerer for Workers {
    fn answer(&mut self, question: Question, reply: Reply) {
        match self.questions.try_send((question, reply)) {
            Ok(()) => {}
            Err(TrySendError::Full((_, reply))) => {
                reply.rule(Verdict::Refuse(ReasonCode::SERVER_BUSY));
            }
            // No thread is left: the reply is dropped, and that refuses.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}
