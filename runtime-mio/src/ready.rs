//! A broker for the thread that it is made on.

use crate::{Options, event_loop::EventLoop};
use sanderling_runtime::{Driver, Endpoint, Handle, Setup};
use std::{fmt, io, net::SocketAddr};

/// Prepares a broker that runs on the thread that calls [`Ready::run`].
#[derive(Debug)]
pub enum ThisThread {}

/// A broker that listens already and runs when it is told to. Connections wait in the system until then.
pub struct Ready {
    endpoints: Vec<Endpoint>,
    handle: Handle,
    event_loop: EventLoop,
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

impl Driver for ThisThread {
    type Running = Ready;
    type Options = Options;

    fn start(setup: Setup, options: Options) -> io::Result<Ready> {
        Ok(Ready {
            endpoints: setup.endpoints(),
            handle: setup.handle.clone(),
            event_loop: EventLoop::new(setup, options)?,
        })
    }
}

impl Ready {
    /// Where clients find it, with the ports the system chose.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The addresses of its endpoints that have one.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        let endpoints = self.endpoints.iter();
        endpoints.filter_map(Endpoint::socket_addr).collect()
    }

    /// The way in for the program around it; also what makes [`run`](Self::run) return. Calls that wait for the broker
    /// wait for `run`, too, so they belong on other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until a handle says stop.
    ///
    /// # Errors
    /// Its poller failed, or it did not stop in the time it was given.
    pub fn run(self) -> io::Result<()> {
        self.event_loop.run()
    }
}
