//! The byte pipeline: what a connection receives becomes control packets, and what is sent to it becomes bytes for its
//! socket. There is no socket in here.
//!
//! ```text
//!   received bytes ──▶ PROXY header ──▶ TLS ──▶ WebSocket ──▶ Packets ──▶ control packets
//!   bytes to write ◀─────────────────── TLS ◀── WebSocket ◀── Outbox  ◀── encoded packets
//! ```
//!
//! Each layer below MQTT is optional, and none knows another; [`Layers`] puts them together for the connections that have
//! any. Plain TCP has none and pays for none: its bytes are decoded where they were read. All drivers share this, so
//! whatever a listener speaks behaves the same under each of them.

mod layers;
mod packets;
mod proxy;
mod tls;
mod transport;
mod websocket;

pub use layers::{Arrival, Layers};
pub use packets::{Packets, Received};
pub use proxy::Proxies;
#[cfg(feature = "tls")]
pub(crate) use tls::Server as TlsServer;
#[cfg(feature = "tls")]
pub use tls::{
    CertificateFiles, Certificates, CertificatesError, CertificatesWatch, ClientCertificates,
    Issuers, TlsFiles, TlsVersion, UsernameFrom,
};
pub use transport::Transport;
pub use websocket::WebSocketOptions;
