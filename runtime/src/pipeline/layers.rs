//! The layers below MQTT of one connection, put together: PROXY header, TLS, WebSocket.

use super::{Transport, proxy::Proxy, tls, websocket::WebSocket};
use crate::Outbox;
use sanderling_core::broker::{Fault, Identity, Stage};
use std::{net::SocketAddr, sync::Arc};

/// Plain bytes that are sealed in one go: what an outbox holds when it is written early.
const SEAL_BYTES: usize = 64 << 10;
/// While more bytes than these wait for the socket, pings are not answered yet.
const PONG_BACKLOG_BYTES: usize = 4 << 10;

/// The layers of one connection. They turn what its socket receives into MQTT bytes and facts for the broker, and what
/// the broker sends into bytes for the socket.
///
/// After a fault nothing more is received; what the layers have to say about it is on the [`wire`](Self::wire).
#[derive(Debug)]
pub struct Layers {
    proxy: Option<Proxy>,
    /// In a place of its own: it is large, and WebSocket alone should not pay for it.
    tls: Option<Box<tls::Session>>,
    above: Above,
    wire: Wire,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Open,
    /// A fault was found, or the peer has said good-bye: nothing more is received.
    Deaf,
    /// We have said good-bye: nothing more is sent either.
    Closed,
}

/// Bytes on their way to the socket.
#[derive(Debug, Default)]
struct Wire {
    bytes: Vec<u8>,
    /// Bytes that were written.
    start: usize,
    /// MQTT bytes among them.
    plain: usize,
}

/// What a layer makes of received bytes.
#[derive(Debug)]
pub enum Arrival<'a> {
    /// The PROXY header gave this address, or none.
    Announced {
        /// The client's address.
        remote: Option<SocketAddr>,
        /// What is expected next.
        stage: Stage,
    },
    /// A certificate says who the client is.
    Identified(Arc<Identity>),
    /// The TLS handshake is done. Followed by `Reached`.
    Secured,
    /// This is expected next.
    Reached(Stage),
    /// MQTT bytes.
    Plain(&'a [u8]),
    /// The peer has said that it sends no more.
    Closed,
}

impl Layers {
    pub(super) fn new(transport: &Transport, remote: Option<SocketAddr>) -> Self {
        let proxies = transport.proxies.as_deref();
        let websocket = transport.websocket.as_ref().map(WebSocket::new);
        Self {
            proxy: proxies.map(|proxies| Proxy::new(proxies, remote)),
            tls: transport
                .tls
                .as_deref()
                .map(tls::Session::new)
                .map(Box::new),
            above: Above {
                websocket,
                reply: Vec::new(),
            },
            wire: Wire::default(),
            phase: Phase::Open,
        }
    }

    /// What is expected first.
    pub fn stage(&self) -> Stage {
        match (&self.proxy, &self.tls) {
            (Some(_), _) => Stage::Proxy,
            (None, Some(_)) => Stage::Tls,
            (None, None) => self.above.stage(),
        }
    }

    /// Takes received bytes, which are altered on the way, and hands out what they mean.
    ///
    /// # Errors
    /// A layer cannot go on.
    pub fn receive(
        &mut self,
        input: &mut [u8],
        take: &mut dyn FnMut(Arrival<'_>),
    ) -> Result<(), Fault> {
        if self.phase != Phase::Open {
            return Ok(());
        }
        let mut peer_closed = false;
        let outcome = self.open(input, &mut |arrival| {
            peer_closed |= matches!(arrival, Arrival::Closed);
            take(arrival);
        });
        if peer_closed || outcome.is_err() {
            self.phase = Phase::Deaf;
        }
        if self.wire().len() < PONG_BACKLOG_BYTES {
            self.above.put_pong();
        }
        self.send_reply();
        outcome
    }

    fn open(
        &mut self,
        mut input: &mut [u8],
        take: &mut dyn FnMut(Arrival<'_>),
    ) -> Result<(), Fault> {
        if let Some(proxy) = &mut self.proxy {
            let Some(remote) = proxy.receive(&mut input)? else {
                return Ok(());
            };
            self.proxy = None;
            let stage = self.stage();
            take(Arrival::Announced { remote, stage });
        }
        let above = &mut self.above;
        let Some(tls) = &mut self.tls else {
            return above.receive(input, take);
        };
        tls.receive(input, &mut self.wire.bytes, &mut |arrival| {
            match arrival {
                Arrival::Plain(plain) => return above.receive_from_tls(plain, take),
                Arrival::Secured => take(Arrival::Reached(above.stage())),
                arrival => take(arrival),
            }
            Ok(())
        })
    }

    /// What waits for the socket. When it is empty, [`seal`](Self::seal) brings what comes next.
    pub fn wire(&self) -> &[u8] {
        &self.wire.bytes[self.wire.start..]
    }

    /// The socket took so many bytes of the wire. Returns how many MQTT bytes are through with them.
    pub fn wrote(&mut self, bytes: usize) -> usize {
        self.wire.start += bytes;
        assert!(
            self.wire.start <= self.wire.bytes.len(),
            "more was written than was on the wire"
        );
        if self.wire.start < self.wire.bytes.len() {
            return 0;
        }
        self.wire.bytes.clear();
        self.wire.start = 0;
        core::mem::take(&mut self.wire.plain)
    }

    /// Puts the beginning of what waits in `outbox` on the wire, which must be empty. `scratch` is overwritten.
    ///
    /// # Errors
    /// Nothing can be sent any more.
    pub fn seal(&mut self, outbox: &mut Outbox, scratch: &mut Vec<u8>) -> Result<(), Fault> {
        debug_assert!(self.wire().is_empty(), "one thing after the other");
        self.above.put_pong();
        self.send_reply();
        if outbox.is_empty() {
            return Ok(());
        }
        if self.phase == Phase::Closed || self.above.has_said_good_bye() {
            outbox.clear();
            return Ok(());
        }
        let plain = outbox.len().min(SEAL_BYTES);
        let wire = &mut self.wire.bytes;
        match (&mut self.tls, &mut self.above.websocket) {
            (Some(tls), None) if outbox.chunks().next().is_some_and(|one| one.len() >= plain) => {
                let first = outbox.chunks().next().unwrap_or_default();
                tls.seal(&first[..plain], wire)?;
            }
            (Some(tls), websocket) => {
                scratch.clear();
                frame(websocket.as_mut(), outbox, plain, scratch);
                tls.seal(scratch, wire)?;
            }
            (None, websocket) => frame(websocket.as_mut(), outbox, plain, wire),
        }
        outbox.consume(plain);
        self.wire.plain += plain;
        Ok(())
    }

    /// Says good-bye at every layer, once everything is written.
    pub fn close(&mut self) {
        if self.phase == Phase::Closed {
            return;
        }
        self.phase = Phase::Closed;
        self.above.close();
        self.send_reply();
        if let Some(tls) = &mut self.tls {
            tls.close(&mut self.wire.bytes);
        }
    }

    /// Puts what WebSocket itself has to say on the wire.
    fn send_reply(&mut self) {
        let reply = core::mem::take(&mut self.above.reply);
        if reply.is_empty() {
            return;
        }
        match &mut self.tls {
            // What cannot be sealed cannot be said; the connection ends anyway.
            Some(tls) => drop(tls.seal(&reply, &mut self.wire.bytes)),
            None => self.wire.bytes.extend_from_slice(&reply),
        }
    }

    /// Exchanges the memory of the wire, which must be empty, for `spare`.
    pub(crate) fn exchange_memory(&mut self, spare: Vec<u8>) -> Vec<u8> {
        debug_assert!(self.wire.bytes.is_empty() && spare.is_empty());
        core::mem::replace(&mut self.wire.bytes, spare)
    }

    /// True if the wire owns memory.
    pub(crate) fn has_memory(&self) -> bool {
        self.wire.bytes.capacity() > 0
    }

    /// True if there is something to [`seal`](Self::seal) although the outbox is empty.
    pub fn has_pong(&self) -> bool {
        self.above
            .websocket
            .as_ref()
            .is_some_and(WebSocket::has_pong)
    }

    /// Forgets what was to be written.
    pub(crate) fn clear(&mut self) {
        self.wire = Wire::default();
    }
}

/// Appends the first `plain` bytes of `outbox`, in a message of their own if WebSocket is spoken.
fn frame(websocket: Option<&mut WebSocket>, outbox: &Outbox, plain: usize, out: &mut Vec<u8>) {
    if let Some(websocket) = websocket {
        websocket.put_header(plain, out);
    }
    let end = out.len() + plain;
    for chunk in outbox.chunks() {
        let left = end - out.len();
        out.extend_from_slice(&chunk[..chunk.len().min(left)]);
        if out.len() == end {
            return;
        }
    }
}

/// What stands on TLS, or on the socket itself: WebSocket, or nothing.
#[derive(Debug)]
struct Above {
    websocket: Option<WebSocket>,
    /// What WebSocket has to say, before TLS has sealed it.
    reply: Vec<u8>,
}

impl Above {
    fn stage(&self) -> Stage {
        match self.websocket {
            Some(_) => Stage::Upgrade,
            None => Stage::Connect,
        }
    }

    fn receive(
        &mut self,
        input: &mut [u8],
        take: &mut dyn FnMut(Arrival<'_>),
    ) -> Result<(), Fault> {
        match &mut self.websocket {
            Some(websocket) => websocket.receive(input, &mut self.reply, take),
            None => {
                if !input.is_empty() {
                    take(Arrival::Plain(input));
                }
                Ok(())
            }
        }
    }

    /// The same with bytes that TLS lends.
    fn receive_from_tls(
        &mut self,
        plain: &[u8],
        take: &mut dyn FnMut(Arrival<'_>),
    ) -> Result<(), Fault> {
        match &mut self.websocket {
            // They are unmasked where they stand.
            Some(websocket) => websocket.receive(&mut plain.to_vec(), &mut self.reply, take),
            None => {
                take(Arrival::Plain(plain));
                Ok(())
            }
        }
    }

    fn put_pong(&mut self) {
        if let Some(websocket) = &mut self.websocket {
            websocket.take_pong(&mut self.reply);
        }
    }

    fn close(&mut self) {
        if let Some(websocket) = &mut self.websocket {
            websocket.close(&mut self.reply);
        }
    }

    /// True once nothing may be sent any more. [RFC 6455, 5.5.1]
    fn has_said_good_bye(&self) -> bool {
        self.websocket
            .as_ref()
            .is_some_and(WebSocket::has_said_good_bye)
    }
}
