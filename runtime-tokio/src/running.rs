//! A broker that runs, seen from outside.

use sanderling_runtime::{Endpoint, Handle};
use std::{io, net::SocketAddr};
use tokio::task::JoinHandle;

/// A broker that runs on a tokio runtime. Dropping this stops it.
#[derive(Debug)]
pub struct Running {
    endpoints: Vec<Endpoint>,
    handle: Handle,
    keeper: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn new(endpoints: Vec<Endpoint>, handle: Handle, keeper: JoinHandle<()>) -> Self {
        Self {
            endpoints,
            handle,
            keeper: Some(keeper),
        }
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
