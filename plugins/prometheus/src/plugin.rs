//! The plugin: what an embedder sets, and its life.

use crate::{
    scrape::{self, Scrapes},
    token::Token,
};
use sanderling_http::Server;
use sanderling_runtime::{Handle, Plugin, PluginError};
use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{Arc, OnceLock},
};
use tracing::warn;

/// Where metrics are if nothing else is said: on this machine only.
pub const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8082));

/// The path of metrics if nothing else is said.
pub const DEFAULT_PATH: &str = "/metrics";

/// Serves metrics as long as the broker runs.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    path: String,
    token: Option<Token>,
    bound: Bound,
    server: Option<Server>,
}

/// Where metrics are served, with the port that the system chose. Known once the plugin is loaded.
#[derive(Clone, Debug, Default)]
pub struct Bound(Arc<OnceLock<SocketAddr>>);

impl Bound {
    /// The address, unless the plugin is still to be loaded.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.get().copied()
    }
}

impl Default for Prometheus {
    fn default() -> Self {
        Self::new(DEFAULT_ADDRESS)
    }
}

impl Prometheus {
    /// Serves at this address; with port 0 the system chooses one.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            path: DEFAULT_PATH.into(),
            token: None,
            bound: Bound::default(),
            server: None,
        }
    }

    /// Serves at this path, which begins with `/`.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Answers only those who send this token: `Authorization: Bearer …`.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Token::new(token.into()));
        self
    }

    /// Will tell where metrics are served.
    pub fn bound(&self) -> Bound {
        self.bound.clone()
    }
}

impl Plugin for Prometheus {
    fn name(&self) -> &str {
        "prometheus"
    }

    fn load(&mut self, handle: &Handle) -> Result<(), PluginError> {
        if !self.path.starts_with('/') || self.path.contains(['{', '}', '*', '?', '#']) {
            return Err(format!("{:?} is no path; write {DEFAULT_PATH}", self.path).into());
        }
        if !self.address.ip().is_loopback() && self.token.is_none() {
            warn!(address = %self.address, "whoever can reach this address can read metrics");
        }
        let scrapes = Scrapes::new(handle.clone(), self.token.clone());
        let router = scrape::router(&self.path, scrapes);
        let server = Server::start("prometheus", self.address, router)
            .map_err(|error| format!("{}: {error}", self.address))?;
        // A plugin is loaded once.
        let _ = self.bound.0.set(server.local_addr());
        self.server = Some(server);
        Ok(())
    }

    fn unload(&mut self) -> Result<(), PluginError> {
        if let Some(mut server) = self.server.take() {
            server.stop();
        }
        Ok(())
    }
}
