//! A broker that runs, seen from outside.

use sanderling_runtime::{Endpoint, Handle};
use std::{io, net::SocketAddr, time::Duration};
use tokio::task::JoinHandle;

/// A broker that runs on a tokio runtime. Dropping this stops it.
#[derive(Debug)]
pub struct Running {
    endpoints: Vec<Endpoint>,
    handle: Handle,
    keeper: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    pub(crate) fn new(
        endpoints: Vec<Endpoint>,
        handle: Handle,
        keeper: JoinHandle<io::Result<()>>,
    ) -> Self {
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

    /// Has it stop, as a failure if connections are left after this time; see [`Handle::stop_within`].
    pub fn stop_within(&self, at_most: Duration) {
        self.handle.stop_within(at_most);
    }

    /// Waits until it has stopped.
    ///
    /// # Errors
    /// It did not stop in the time it was given, or the runtime was shut down first.
    pub async fn join(mut self) -> io::Result<()> {
        let keeper = self.keeper.take().expect("joined only here, and once");
        keeper.await.map_err(io::Error::other)?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `join` there is nobody to hear it.
        self.handle.stop();
    }
}
