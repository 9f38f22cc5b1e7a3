//! The broker's one owner at a time: whoever holds the lock.

use crate::socket::Stream;
use sanderling_core::time::Instant;
use sanderling_runtime::{Engine, Wake, engine::READ_BUFFER_BYTES};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

/// Wakes the keeper: there is something in the inbox, an earlier deadline, or nothing left to wait for.
#[derive(Clone, Default)]
pub(crate) struct TokioWake(Arc<Notify>);

impl Wake for TokioWake {
    fn wake(&self) {
        self.0.notify_one();
    }
}

impl TokioWake {
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}

/// The engine, until the broker has stopped.
pub(crate) struct Owner {
    owned: Mutex<Option<Owned>>,
    pub(crate) wake: TokioWake,
}

struct Owned {
    engine: Engine<Stream>,
    /// Lent to every connection in turn, so that an idle one owns none.
    buffer: Box<[u8]>,
    /// The deadline that the keeper sleeps to.
    kept: Option<Instant>,
}

impl Owner {
    pub(crate) fn new(engine: Engine<Stream>, wake: TokioWake) -> Self {
        let buffer = vec![0; READ_BUFFER_BYTES].into_boxed_slice();
        Self {
            owned: Mutex::new(Some(Owned {
                engine,
                buffer,
                kept: None,
            })),
            wake,
        }
    }

    /// Takes one turn with the broker; `None` once it has stopped. Nothing in here waits.
    pub(crate) fn turn<R>(
        &self,
        act: impl FnOnce(&mut Engine<Stream>, &mut [u8]) -> R,
    ) -> Option<R> {
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
            if let Some(stream) = engine.socket(conn) {
                stream.signal.read_again();
            }
        }
        let deadline = engine.deadline();
        let earlier = match (deadline, *kept) {
            (Some(deadline), Some(kept)) => deadline < kept,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if earlier || engine.sleep() == Some(Duration::ZERO) || engine.is_finished() {
            *kept = deadline;
            self.wake.wake();
        }
        Some(result)
    }

    /// How long the keeper may sleep, and whether the listeners are to be closed. `None` once the broker has stopped;
    /// every connection that is left ends then.
    pub(crate) fn sleep(&self) -> Option<(Option<Duration>, bool)> {
        let mut owned = self.lock();
        let Owned { engine, kept, .. } = owned.as_mut()?;
        if engine.is_finished() {
            *owned = None;
            return None;
        }
        *kept = engine.deadline();
        Some((engine.sleep(), engine.is_stopping()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Owned>> {
        self.owned
            .lock()
            .expect("a hook or the broker panicked, and the broker with it")
    }
}
