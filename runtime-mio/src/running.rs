//! A broker that runs, seen from outside.

use crate::event_loop::EventLoop;
use sanderling_runtime::Handle;
use std::{
    io,
    net::SocketAddr,
    thread::{self, JoinHandle},
};

/// A broker that runs on a thread of its own. Dropping this stops it.
#[derive(Debug)]
pub struct Running {
    local_addrs: Vec<SocketAddr>,
    handle: Handle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    pub(crate) fn spawn(
        local_addrs: Vec<SocketAddr>,
        handle: Handle,
        event_loop: EventLoop,
    ) -> io::Result<Self> {
        let thread = thread::Builder::new()
            .name("sanderling".into())
            .spawn(move || event_loop.run())?;
        Ok(Self {
            local_addrs,
            handle,
            thread: Some(thread),
        })
    }

    /// The addresses it listens on, with the ports the system chose.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// The way in for the program around it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Has it stop, and returns at once.
    pub fn stop(&self) {
        self.handle.stop();
    }

    /// Waits until it has stopped.
    ///
    /// # Errors
    /// Its poller failed.
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
