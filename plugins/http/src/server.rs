//! A server as its owner sees it.

use crate::{Limits, serve::serve};
use axum::{Router, extract::DefaultBodyLimit};
use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    thread::{self, JoinHandle},
};
use tokio::{runtime, sync::watch};
use tracing::{error, error_span, info};

/// A running server. Dropping it stops it.
pub struct Server {
    address: SocketAddr,
    stopping: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server at this address, with the usual limits. Its thread has the name, and every line it logs.
    /// Handlers find the address of the client as `ConnectInfo<SocketAddr>`. When this returns, connections are
    /// accepted.
    ///
    /// # Errors
    /// The address cannot be bound, or the thread not be started.
    pub fn start(name: &str, address: SocketAddr, router: Router) -> io::Result<Self> {
        Self::start_within(Limits::default(), name, address, router)
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// The address cannot be bound, or the thread not be started.
    pub fn start_within(
        limits: Limits,
        name: &str,
        address: SocketAddr,
        router: Router,
    ) -> io::Result<Self> {
        Self::start_on(limits, name, TcpListener::bind(address)?, router)
    }

    /// The same where somebody listens already.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start_on(
        limits: Limits,
        name: &str,
        listener: TcpListener,
        router: Router,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let router = router.layer(DefaultBodyLimit::max(limits.body_bytes_max));
        let (stopping, told) = watch::channel(false);
        let span = error_span!(parent: None, "http", name);
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            let _span = span.entered();
            info!(%address, "serving");
            runtime.block_on(serve(listener, router, limits, told));
            info!(%address, "stopped");
        })?;
        Ok(Self {
            address,
            stopping,
            thread: Some(thread),
        })
    }

    /// Where it is; the port is the one that the system chose if it was told to.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, waits for the requests that are under way (see [`Limits::stop_time_max`]), and ends.
    /// The port is free when this returns. A second call does nothing.
    pub fn stop(&mut self) {
        self.stopping.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!(address = %self.address, "the thread of a server has panicked");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
