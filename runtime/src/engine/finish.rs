//! How a broker stops.

use super::{Engine, InTurn, Socket};
use crate::{Plugins, handle::Stop};
use sanderling_core::{
    broker::{CloseCause, Command},
    time::Instant,
};
use std::{io, time::Duration};
use tracing::{error, info};

/// From the order to stop to the end, whatever clients do.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// A broker that was told to stop.
#[derive(Debug)]
pub(super) struct Stopping {
    /// Nothing goes on after this.
    pub(super) at: Instant,
    /// Connections that are left then are a failure; else they are ended.
    fails: bool,
}

/// What is left of a broker that has stopped: plugins to unload.
#[derive(Debug)]
#[must_use = "plugins are unloaded in here"]
pub struct Finished {
    plugins: Plugins,
    is_late: bool,
}

impl Finished {
    /// Unloads the plugins in the order in which they were loaded. This may block.
    ///
    /// # Errors
    /// `TimedOut` if connections were left when the time to stop had passed. Hooks were not told of the end then, and
    /// plugins are not unloaded.
    pub fn unload(self) -> io::Result<()> {
        if self.is_late {
            self.plugins.leave();
            error!("connections were left when the time to stop had passed");
            let what = "connections were left when the time to stop had passed";
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        self.plugins.unload();
        info!("stopped");
        Ok(())
    }
}

impl<S: Socket> Engine<S> {
    pub(super) fn begin_to_stop(&mut self, stop: Stop) {
        if self.stopping.is_some() {
            return;
        }
        info!("stopping");
        self.stopping = Some(Stopping {
            at: self.now + stop.at_most.unwrap_or(STOP_DEADLINE).min(STOP_DEADLINE),
            fails: stop.at_most.is_some_and(|at_most| at_most < STOP_DEADLINE),
        });
        self.order(Command::Drain, None);
    }

    /// True once the broker was told to stop; listeners should be closed.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// True when it was told to stop and every connection has ended, or the time for that has passed. The driver then
    /// [finishes](Self::finish).
    pub fn is_finished(&self) -> bool {
        let stopping = self.stopping.as_ref();
        stopping.is_some_and(|stopping| self.connections.is_empty() || stopping.at <= self.now)
    }

    /// Ends what is left. From now on calls of the [`Handle`](crate::Handle) say that the broker has stopped.
    pub fn finish(mut self) -> Finished {
        let _guard = InTurn::enter();
        let fails = self
            .stopping
            .as_ref()
            .is_some_and(|stopping| stopping.fails);
        let is_late = fails && !self.connections.is_empty();
        if !is_late {
            for conn in self.connections.ids() {
                self.end(conn, CloseCause::Ordered);
            }
            self.perform();
        }
        self.inbox.close();
        Finished {
            plugins: core::mem::take(&mut self.plugins),
            is_late,
        }
    }
}
