//! A broker that runs, seen from outside.

use sanderling_runtime::Handle;
use std::{io, net::SocketAddr};
use tokio::task::JoinHandle;

/// A broker that runs on a tokio runtime. Dropping this stops it.
#[derive(Debug)]
pub struct Running {
    local_addrs: Vec<SocketAddr>,
    handle: Handle,
    keeper: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn new(
        local_addrs: Vec<SocketAddr>,
        handle: Handle,
        keeper: JoinHandle<()>,
    ) -> Self {
        Self {
            local_addrs,
            handle,
            keeper: Some(keeper),
        }
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
    /// The runtime was shut down first, or a hook panicked.
    pub async fn join(mut self) -> io::Result<()> {
        let keeper = self.keeper.take().expect("joined only here, and once");
        keeper.await.map_err(io::Error::other)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `join` there is nobody to hear it.
        self.handle.stop();
    }
}
