//! A broker that runs, seen from outside.

use crate::event_loop::EventLoop;
use sanderling_runtime::{Endpoint, Handle};
use std::{
    io,
    net::SocketAddr,
    thread::{self, JoinHandle},
    time::Duration,
};

/// A broker that runs on a thread of its own. Dropping this stops it.
#[derive(Debug)]
pub struct Running {
    endpoints: Vec<Endpoint>,
    handle: Handle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    pub(crate) fn spawn(
        endpoints: Vec<Endpoint>,
        handle: Handle,
        event_loop: EventLoop,
    ) -> io::Result<Self> {
        let thread = thread::Builder::new()
            .name("sanderling".into())
            .spawn(move || event_loop.run())?;
        Ok(Self {
            endpoints,
            handle,
            thread: Some(thread),
        })
    }

    /// Where clients find it, with the ports the system chose.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The addresses of its endpoints that have one.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        let endpoints = self.endpoints.iter();
        endpoints.filter_map(Endpoint::socket_addr).collect()
    }

    /// The way in for the program around it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Has it stop, and returns at once.
    pub fn stop(&self) {
        self.handle.stop();
    }

    /// Has it stop, as a failure if connections are left after this time; see [`Handle::stop_within`].
    pub fn stop_within(&self, at_most: Duration) {
        self.handle.stop_within(at_most);
    }

    /// Waits until it has stopped.
    ///
    /// # Errors
    /// Its poller failed, or it did not stop in the time it was given.
    ///
    /// # Panics
    /// If its thread panicked.
    pub fn join(mut self) -> io::Result<()> {
        let thread = self.thread.take().expect("joined only here, and once");
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `join` there is nobody to hear it.
        self.handle.stop();
    }
}
