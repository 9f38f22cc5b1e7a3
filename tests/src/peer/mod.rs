//! The client's side of the layers below MQTT, without sockets: TLS by rustls, WebSocket by hand.
//!
//! It shares no code with the broker's side, and cuts its frames oddly on purpose.

mod certificates;
mod websocket;

pub use certificates::Certificates;
pub use websocket::Cut;

use rustls::{ClientConfig, ClientConnection};
use std::{
    fmt,
    io::{Read, Write},
    sync::Arc,
};
use websocket::WebSocket;

/// What is spoken below MQTT.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Below {
    /// Nothing.
    Nothing,
    /// TLS.
    Tls,
    /// WebSocket.
    WebSocket,
    /// WebSocket over TLS.
    Both,
}

impl Below {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Tls, Self::WebSocket, Self::Both];

    /// True with TLS.
    pub fn has_tls(self) -> bool {
        matches!(self, Self::Tls | Self::Both)
    }

    /// True with WebSocket.
    pub fn has_websocket(self) -> bool {
        matches!(self, Self::WebSocket | Self::Both)
    }
}

/// A client's layers.
pub struct Link {
    tls: Option<ClientConnection>,
    websocket: Option<WebSocket>,
    /// MQTT bytes that wait for the handshakes.
    waiting: Vec<u8>,
    wire: Vec<u8>,
    plain: Vec<u8>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    /// A client that trusts the test certificates and cuts its frames as `cut` says.
    pub fn new(below: Below, cut: Cut) -> Self {
        Self::with(below, cut, Certificates::get().client_config(None))
    }

    /// The same with this TLS configuration.
    ///
    /// # Panics
    /// rustls does not take it.
    pub fn with(below: Below, cut: Cut, config: Arc<ClientConfig>) -> Self {
        let name = "localhost".try_into().expect("a name");
        let tls = below.has_tls().then(|| {
            let mut tls = ClientConnection::new(config, name).expect("a client");
            tls.set_buffer_limit(None);
            tls
        });
        let mut link = Self {
            tls,
            websocket: below.has_websocket().then(|| WebSocket::new(cut)),
            waiting: Vec::new(),
            wire: Vec::new(),
            plain: Vec::new(),
        };
        link.go_on();
        link
    }

    /// A client that speaks TLS only, on this connection.
    pub fn of(tls: ClientConnection) -> Self {
        let mut link = Self {
            tls: Some(tls),
            websocket: None,
            waiting: Vec::new(),
            wire: Vec::new(),
            plain: Vec::new(),
        };
        link.go_on();
        link
    }

    /// Sends MQTT bytes, as soon as the handshakes are over.
    pub fn send(&mut self, mqtt: &[u8]) {
        self.waiting.extend_from_slice(mqtt);
        self.go_on();
    }

    /// Takes what came from the broker.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn receive(&mut self, wire: &[u8]) -> Result<(), String> {
        let opened = match &mut self.tls {
            Some(tls) => Some(open(tls, wire)?),
            None => None,
        };
        let wire = opened.as_deref().unwrap_or(wire);
        match &mut self.websocket {
            Some(websocket) => websocket.receive(wire, &mut self.plain)?,
            None => self.plain.extend_from_slice(wire),
        }
        self.go_on();
        Ok(())
    }

    /// Bytes for the broker.
    pub fn take_wire(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.wire)
    }

    /// MQTT bytes of the broker.
    pub fn take_plain(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.plain)
    }

    /// True once MQTT can be spoken.
    pub fn is_open(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
            && self.websocket.as_ref().is_none_or(WebSocket::is_open)
    }

    /// The TLS connection.
    pub fn tls(&self) -> Option<&ClientConnection> {
        self.tls.as_ref()
    }

    /// Puts bytes on the wire below MQTT, above TLS, as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.seal(bytes);
    }

    /// The code of the broker's close frame, once it came.
    pub fn close_code(&self) -> Option<u16> {
        self.websocket.as_ref().and_then(WebSocket::close_code)
    }

    /// Payloads of the broker's pongs.
    pub fn pongs(&self) -> &[Vec<u8>] {
        self.websocket.as_ref().map_or(&[], WebSocket::pongs)
    }

    /// Says good-bye at every layer.
    pub fn close(&mut self) {
        if let Some(websocket) = &mut self.websocket {
            let bytes = websocket.close();
            self.seal(&bytes);
        }
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.go_on();
    }

    fn go_on(&mut self) {
        if self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking()) {
            let bytes = match &mut self.websocket {
                Some(websocket) => websocket.send(&mut self.waiting),
                None => std::mem::take(&mut self.waiting),
            };
            self.seal(&bytes);
        }
        self.flush_tls();
    }

    fn seal(&mut self, bytes: &[u8]) {
        match &mut self.tls {
            Some(tls) => {
                tls.writer().write_all(bytes).expect("a buffer");
                self.flush_tls();
            }
            None => self.wire.extend_from_slice(bytes),
        }
    }

    fn flush_tls(&mut self) {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.wire).expect("a buffer");
            }
        }
    }
}

/// What TLS makes of bytes.
fn open(tls: &mut ClientConnection, mut wire: &[u8]) -> Result<Vec<u8>, String> {
    let mut opened = Vec::new();
    while !wire.is_empty() {
        tls.read_tls(&mut wire).map_err(|error| error.to_string())?;
        let state = tls
            .process_new_packets()
            .map_err(|error| error.to_string())?;
        let start = opened.len();
        opened.resize(start + state.plaintext_bytes_to_read(), 0);
        let read = tls.reader().read_exact(&mut opened[start..]);
        read.map_err(|error| error.to_string())?;
        if state.peer_has_closed() {
            break;
        }
    }
    Ok(opened)
}
