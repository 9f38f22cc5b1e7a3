//! The layers between MQTT and the socket, without any socket: TLS, WebSocket, both or nothing.
//!
//! ```text
//!   received bytes ──▶ TLS ──▶ WebSocket ──▶ MQTT bytes
//!   bytes to write ◀── TLS ◀── WebSocket ◀── MQTT bytes
//! ```

mod tls;
mod trust;
mod websocket;

pub(super) use tls::client as tls_client;
pub(super) use websocket::WebSocket;

use rustls::ClientConnection;
use std::io::{self, Read, Write};

/// Plain bytes that rustls takes at one time.
const SEAL_BYTES: usize = 32 << 10;

/// The layers of one connection.
pub(super) struct Link {
    tls: Option<ClientConnection>,
    websocket: Option<WebSocket>,
    /// Bytes for the socket.
    wire: Vec<u8>,
}

/// What a layer cannot go on with, in words that follow the name of the server.
#[derive(Debug)]
pub(super) struct LinkFault(pub(super) String);

impl Link {
    pub(super) fn new(tls: Option<ClientConnection>, websocket: Option<WebSocket>) -> Self {
        let mut link = Self {
            tls,
            websocket,
            wire: Vec::new(),
        };
        link.flush_tls();
        link
    }

    /// Goes on with the handshakes as far as it can. True once MQTT may be spoken.
    pub(super) fn open(&mut self) -> bool {
        if self.is_tls_under_way() {
            return false;
        }
        let Some(websocket) = &mut self.websocket else {
            return true;
        };
        let mut request = Vec::new();
        let is_open = websocket.open(&mut request);
        self.seal(&request);
        is_open
    }

    /// What is waited for before MQTT can be spoken.
    pub(super) fn awaited(&self) -> &'static str {
        match self.is_tls_under_way() {
            true => "TLS handshake",
            false => "answer to the WebSocket request",
        }
    }

    fn is_tls_under_way(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Takes bytes of the server; MQTT bytes are appended to `plain`, also those before a fault.
    pub(super) fn receive(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), LinkFault> {
        let Some(tls) = &mut self.tls else {
            return self.receive_above(bytes, plain);
        };
        let mut opened = Vec::new();
        let outcome = unseal(tls, bytes, &mut opened);
        // An alert for the server, if there is one.
        self.flush_tls();
        self.receive_above(&opened, plain)?;
        outcome.map_err(|error| LinkFault(tls::explain(&error)))
    }

    fn receive_above(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), LinkFault> {
        let Some(websocket) = &mut self.websocket else {
            plain.extend_from_slice(bytes);
            return Ok(());
        };
        let mut reply = Vec::new();
        let outcome = websocket.receive(bytes, plain, &mut reply);
        self.seal(&reply);
        outcome
    }

    /// Sends MQTT bytes. The link is open.
    pub(super) fn send(&mut self, mqtt: &[u8]) {
        match &mut self.websocket {
            Some(websocket) => {
                let mut frame = Vec::new();
                websocket.send(mqtt, &mut frame);
                self.seal(&frame);
            }
            None => self.seal(mqtt),
        }
    }

    /// Says good-bye at every layer.
    pub(super) fn close(&mut self) {
        if let Some(websocket) = &mut self.websocket {
            let mut frame = Vec::new();
            websocket.close(&mut frame);
            self.seal(&frame);
        }
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.flush_tls();
    }

    /// Bytes for the socket.
    pub(super) fn take_wire(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.wire)
    }

    fn seal(&mut self, bytes: &[u8]) {
        let Some(tls) = &mut self.tls else {
            self.wire.extend_from_slice(bytes);
            return;
        };
        for part in bytes.chunks(SEAL_BYTES) {
            // It takes all of it: its buffer has no bound and is emptied at once.
            tls.writer().write_all(part).expect("a buffer takes it");
            flush(tls, &mut self.wire);
        }
    }

    fn flush_tls(&mut self) {
        if let Some(tls) = &mut self.tls {
            flush(tls, &mut self.wire);
        }
    }
}

fn flush(tls: &mut ClientConnection, wire: &mut Vec<u8>) {
    while tls.wants_write() {
        tls.write_tls(wire).expect("a buffer takes it");
    }
}

/// Appends what TLS makes of `bytes` to `opened`.
fn unseal(
    tls: &mut ClientConnection,
    mut bytes: &[u8],
    opened: &mut Vec<u8>,
) -> Result<(), rustls::Error> {
    while !bytes.is_empty() {
        // Fails only when plain bytes are not taken out, or after the server's good-bye, when nothing counts any more.
        if tls.read_tls(&mut bytes).unwrap_or(0) == 0 {
            return Ok(());
        }
        let processed = tls.process_new_packets();
        match tls.reader().read_to_end(opened) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Ok(()),
            _ => processed?,
        };
    }
    Ok(())
}
