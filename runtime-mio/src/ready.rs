//! A broker for the thread that it is made on.

use crate::event_loop::EventLoop;
use sanderling_runtime::{Driver, Handle, Setup};
use std::{fmt, io, net::SocketAddr};

/// Prepares a broker that runs on the thread that calls [`Ready::run`].
#[derive(Debug)]
pub enum ThisThread {}

/// A broker that listens already and runs when it is told to. Connections wait in the system until then.
pub struct Ready {
    local_addrs: Vec<SocketAddr>,
    handle: Handle,
    event_loop: EventLoop,
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("local_addrs", &self.local_addrs)
            .finish_non_exhaustive()
    }
}

impl Driver for ThisThread {
    type Running = Ready;

    fn start(setup: Setup) -> io::Result<Ready> {
        let local_addrs = setup.local_addrs()?;
        let (event_loop, handle) = EventLoop::new(setup)?;
        Ok(Ready {
            local_addrs,
            handle,
            event_loop,
        })
    }
}

impl Ready {
    /// The addresses it listens on, with the ports the system chose.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// The way in for the program around it; also what makes [`run`](Self::run) return.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until a handle says stop.
    ///
    /// # Errors
    /// Its poller failed.
    pub fn run(self) -> io::Result<()> {
        self.event_loop.run()
    }
}
