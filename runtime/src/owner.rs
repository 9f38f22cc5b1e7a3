//! One broker among many tasks: whoever holds the lock owns it for a turn.

use crate::{
    Engine, Finished, Wake,
    engine::{READ_BUFFER_BYTES, Socket},
};
use sanderling_core::time::Instant;
use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

/// An [`Engine`] that the tasks of a driver take in turns, until the broker has stopped.
///
/// One task, the keeper, sleeps as [`sleep`](Self::sleep) says and takes a turn then; the others take one when their
/// socket has news. [`Socket::read_again`] tells a task that its connection is on the list of ready ones.
pub struct Owner<S: Socket> {
    owned: Mutex<Option<Owned<S>>>,
    keeper: Box<dyn Wake>,
}

struct Owned<S: Socket> {
    engine: Engine<S>,
    /// Lent to every connection in turn, so that an idle one owns none.
    buffer: Box<[u8]>,
    /// The deadline that the keeper sleeps to.
    kept: Option<Instant>,
}

impl<S: Socket> std::fmt::Debug for Owner<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owner").finish_non_exhaustive()
    }
}

impl<S: Socket> Owner<S> {
    /// Takes over `engine`; `keeper` wakes the task that keeps its deadlines.
    pub fn new(engine: Engine<S>, keeper: impl Wake + 'static) -> Self {
        let buffer = vec![0; READ_BUFFER_BYTES].into_boxed_slice();
        let owned = Owned {
            engine,
            buffer,
            kept: None,
        };
        Self {
            owned: Mutex::new(Some(owned)),
            keeper: Box::new(keeper),
        }
    }

    /// Takes one turn with the broker and a buffer to read into; `None` once it has stopped. Nothing in here waits.
    ///
    /// # Panics
    /// If the broker panicked in an earlier turn.
    pub fn turn<R>(&self, act: impl FnOnce(&mut Engine<S>, &mut [u8]) -> R) -> Option<R> {
        let mut owned = self.lock();
        let Owned {
            engine,
            buffer,
            kept,
        } = owned.as_mut()?;
        engine.begin_turn();
        let result = act(engine, buffer);
        engine.settle();
        for _ in 0..engine.ready_len() {
            let Some(conn) = engine.next_ready() else {
                break;
            };
            if let Some(socket) = engine.socket(conn) {
                socket.read_again();
            }
        }
        let deadline = engine.deadline();
        let is_earlier = match (deadline, *kept) {
            (Some(deadline), Some(kept)) => deadline < kept,
            (deadline, None) => deadline.is_some(),
            (None, Some(_)) => false,
        };
        if is_earlier || engine.sleep() == Some(Duration::ZERO) || engine.is_finished() {
            *kept = deadline;
            self.keeper.wake();
        }
        Some(result)
    }

    /// How long the keeper may sleep if nobody wakes it. `None` once the broker has stopped: it is to
    /// [finish](Self::finish) then.
    ///
    /// # Panics
    /// If the broker panicked in an earlier turn.
    pub fn sleep(&self) -> Option<Sleep> {
        let mut owned = self.lock();
        let Owned { engine, kept, .. } = owned.as_mut()?;
        if engine.is_finished() {
            return None;
        }
        *kept = engine.deadline();
        Some(Sleep {
            at_most: engine.sleep(),
            is_stopping: engine.is_stopping(),
        })
    }

    /// Ends the broker that has stopped, and every connection that is left. `None` if that was done before.
    ///
    /// # Panics
    /// If the broker panicked in an earlier turn.
    pub fn finish(&self) -> Option<Finished> {
        let owned = self.lock().take()?;
        Some(owned.engine.finish())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Owned<S>>> {
        self.owned
            .lock()
            .expect("a hook or the broker panicked, and the broker with it")
    }
}

/// What the keeper does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sleep {
    /// Sleeps so long, or until it is woken if this is `None`.
    pub at_most: Option<Duration>,
    /// Closes the listeners before.
    pub is_stopping: bool,
}
