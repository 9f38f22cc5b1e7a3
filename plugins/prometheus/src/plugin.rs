//! The plugin: what an embedder sets, and its life.

use crate::{
    scrape::{self, Scrapes},
    token::Token,
};
use sanderling_http::{Limits, Server};
use sanderling_runtime::{Handle, Plugin, PluginError};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
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
    /// Somebody listens there already.
    listener: Option<TcpListener>,
    path: String,
    token: Option<Token>,
    server: Option<Server>,
}

impl Default for Prometheus {
    fn default() -> Self {
        Self::new(DEFAULT_ADDRESS)
    }
}

impl Prometheus {
    /// Serves at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            listener: None,
            path: DEFAULT_PATH.into(),
            token: None,
            server: None,
        }
    }

    /// The same where the program listens already. It knows the address then, also if the system chose the port.
    pub fn on(listener: TcpListener) -> Self {
        Self {
            listener: Some(listener),
            ..Self::default()
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

    fn listen(&mut self) -> Result<TcpListener, PluginError> {
        match self.listener.take() {
            Some(listener) => Ok(listener),
            None => TcpListener::bind(self.address)
                .map_err(|error| format!("{}: {error}", self.address).into()),
        }
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
        let listener = self.listen()?;
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() && self.token.is_none() {
            warn!(%address, "whoever can reach this address can read metrics");
        }
        let scrapes = Scrapes::new(handle.clone(), self.token.clone());
        let router = scrape::router(&self.path, scrapes);
        let server = Server::start_on(Limits::default(), self.name(), listener, router)?;
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
