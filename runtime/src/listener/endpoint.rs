//! Where clients find a listener.

use std::{fmt, net::SocketAddr, path::PathBuf};

/// The place of a listener as clients see it. Displayed as a URL: `mqtts://127.0.0.1:8883`, `ws://[::1]:8080/ws`,
/// `unix:///run/mqtt.sock`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// What the listener is called.
    pub name: Box<str>,
    /// `mqtt`, `mqtts`, `ws`, `wss` or `unix`: what is spoken.
    pub scheme: &'static str,
    /// With the port that the system chose.
    pub address: Address,
    /// For WebSocket; empty otherwise.
    pub path: Box<str>,
}

/// A local address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Address {
    /// Of TCP.
    Ip(SocketAddr),
    /// The file of a Unix socket.
    Unix(PathBuf),
}

impl Endpoint {
    /// The address, unless it is a file.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self.address {
            Address::Ip(address) => Some(address),
            Address::Unix(_) => None,
        }
    }

    /// True if only programs on this machine can get there.
    pub fn is_local(&self) -> bool {
        self.socket_addr()
            .is_none_or(|address| address.ip().is_loopback())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, path, .. } = self;
        match &self.address {
            Address::Ip(address) => write!(f, "{scheme}://{address}{path}"),
            Address::Unix(file) => write!(f, "{scheme}://{}", file.display()),
        }
    }
}
