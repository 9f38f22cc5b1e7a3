//! WebSocket: MQTT in binary messages, cut as the client likes. [MQTT 5.0, 6; RFC 6455]
//!
//! Payloads are handed on as they arrive, unmasked where they stand: no message is ever put together, so nothing grows
//! with what a client declares. Frame headers and the handshake's arithmetic are tungstenite's.

mod request;

pub use request::WebSocketOptions;

use super::Arrival;
use request::Request;
use sanderling_core::broker::{Fault, Layer, Stage};
use std::{io::Cursor, sync::Arc};
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{CloseCode, Control, Data, OpCode},
};

/// The longest header of a frame.
const HEADER_BYTES_MAX: usize = 14;
/// The longest payload of a control frame. [RFC 6455, 5.5]
const CONTROL_BYTES_MAX: u64 = 125;

/// One WebSocket connection, from its HTTP request on.
#[derive(Debug)]
pub(super) struct WebSocket {
    options: Arc<WebSocketOptions>,
    state: State,
    /// The beginning of a frame header.
    header: Vec<u8>,
    /// Frames of the message that is under way; 0 between messages.
    fragments: u32,
    /// The answer to the last ping, until it is sent. Earlier ones need no answer. [RFC 6455, 5.5.3]
    pong: Option<Vec<u8>>,
    /// Our close frame is sent; nothing may follow it.
    said_good_bye: bool,
}

/// ```text
/// Request --101--> Header <--> Data, Control
///    |               |
///    +--4xx----------+--close frame, fault--> Closed
/// ```
#[derive(Debug)]
enum State {
    /// The HTTP request is not whole yet.
    Request(Request),
    /// Between two frames.
    Header,
    /// In the payload of a binary message.
    Data { left: u64, mask: Mask },
    /// In the payload of a control frame.
    Control {
        kind: Control,
        left: u64,
        mask: Mask,
        payload: Vec<u8>,
    },
    /// Nothing is read any more.
    Closed,
}

impl WebSocket {
    pub(super) fn new(options: &Arc<WebSocketOptions>) -> Self {
        Self {
            options: Arc::clone(options),
            state: State::Request(Request::default()),
            header: Vec::new(),
            fragments: 0,
            pong: None,
            said_good_bye: false,
        }
    }

    /// Takes bytes of the client, which are altered; `reply` gets what has to be said at once.
    pub(super) fn receive(
        &mut self,
        mut input: &mut [u8],
        reply: &mut Vec<u8>,
        take: &mut dyn FnMut(Arrival<'_>),
    ) -> Result<(), Fault> {
        while !input.is_empty() {
            match &mut self.state {
                State::Request(request) => {
                    if request.receive(&mut input, &self.options, reply)? {
                        self.state = State::Header;
                        take(Arrival::Reached(Stage::Connect));
                    }
                }
                State::Header => {
                    if let Some((header, len)) = self.read_header(&mut input, reply)? {
                        self.begin_frame(&header, len, reply)?;
                    }
                }
                State::Data { left, mask } => {
                    let payload = take_payload(&mut input, left);
                    mask.apply(payload);
                    take(Arrival::Plain(payload));
                    if *left == 0 {
                        self.state = State::Header;
                    }
                }
                State::Control {
                    left,
                    mask,
                    payload,
                    ..
                } => {
                    let bytes = take_payload(&mut input, left);
                    mask.apply(bytes);
                    payload.extend_from_slice(bytes);
                }
                State::Closed => return Ok(()),
            }
            self.end_control(reply, take)?;
        }
        Ok(())
    }

    /// Takes bytes off `input` until a frame header is whole.
    fn read_header(
        &mut self,
        input: &mut &mut [u8],
        reply: &mut Vec<u8>,
    ) -> Result<Option<(FrameHeader, u64)>, Fault> {
        loop {
            let bytes = if self.header.is_empty() {
                &**input
            } else {
                &self.header[..]
            };
            let mut cursor = Cursor::new(bytes);
            let parsed = FrameHeader::parse(&mut cursor);
            let used = cursor.position() as usize;
            let Ok(parsed) = parsed else {
                return Err(self.fail(reply, CloseCode::Protocol, "an unknown kind of frame"));
            };
            match parsed {
                Some(parsed) if self.header.is_empty() => {
                    skip(input, used);
                    return Ok(Some(parsed));
                }
                Some(parsed) => {
                    self.header = Vec::new();
                    return Ok(Some(parsed));
                }
                None if input.is_empty() => return Ok(None),
                None => {
                    debug_assert!(self.header.len() < HEADER_BYTES_MAX);
                    self.header.push(input[0]);
                    skip(input, 1);
                }
            }
        }
    }

    /// [RFC 6455, 5.2, 5.4 and 5.5] [MQTT-6.0.0-1]
    fn begin_frame(
        &mut self,
        header: &FrameHeader,
        len: u64,
        reply: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let Some(mask) = header.mask.map(Mask::new) else {
            return Err(self.fail(reply, CloseCode::Protocol, "a frame that is not masked"));
        };
        if header.rsv1 || header.rsv2 || header.rsv3 {
            let what = "a frame with a bit of an extension that was not agreed on";
            return Err(self.fail(reply, CloseCode::Protocol, what));
        }
        self.state = match header.opcode {
            OpCode::Control(kind) => {
                if !header.is_final || len > CONTROL_BYTES_MAX {
                    let what = "a control frame that is too long or cut in pieces";
                    return Err(self.fail(reply, CloseCode::Protocol, what));
                }
                State::Control {
                    kind,
                    left: len,
                    mask,
                    payload: Vec::new(),
                }
            }
            OpCode::Data(kind) => {
                self.check_data(kind, header.is_final, len, reply)?;
                match len {
                    0 => State::Header,
                    left => State::Data { left, mask },
                }
            }
        };
        Ok(())
    }

    fn check_data(
        &mut self,
        kind: Data,
        is_final: bool,
        len: u64,
        reply: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let complaint = match kind {
            Data::Text => Some((
                CloseCode::Unsupported,
                "invalid websocket message type: text, not binary [MQTT-6.0.0-1]",
            )),
            Data::Continue if self.fragments == 0 => {
                Some((CloseCode::Protocol, "a continuation of no message"))
            }
            Data::Binary if self.fragments > 0 => {
                Some((CloseCode::Protocol, "a message within another"))
            }
            _ if len > self.options.frame_bytes_max => Some((
                CloseCode::Size,
                "a frame of more bytes than this server takes",
            )),
            _ if self.fragments >= self.options.fragments_max => Some((
                CloseCode::Policy,
                "a message of more frames than this server takes",
            )),
            _ => None,
        };
        if let Some((code, what)) = complaint {
            return Err(self.fail(reply, code, what));
        }
        self.fragments = if is_final { 0 } else { self.fragments + 1 };
        Ok(())
    }

    /// A control frame that is whole is obeyed.
    fn end_control(
        &mut self,
        reply: &mut Vec<u8>,
        take: &mut dyn FnMut(Arrival<'_>),
    ) -> Result<(), Fault> {
        let State::Control {
            kind,
            left: 0,
            payload,
            ..
        } = &mut self.state
        else {
            return Ok(());
        };
        let (kind, payload) = (*kind, core::mem::take(payload));
        self.state = State::Header;
        match kind {
            Control::Ping => self.pong = Some(payload),
            Control::Pong => {}
            Control::Close => {
                if payload.len() == 1 {
                    let what = "a close frame with half a code";
                    return Err(self.fail(reply, CloseCode::Protocol, what));
                }
                // The same code goes back. [RFC 6455, 5.5.1]
                self.say_good_bye(reply, payload.get(..2).unwrap_or_default());
                self.state = State::Closed;
                take(Arrival::Closed);
            }
            Control::Reserved(_) => unreachable!("the parser refuses it"),
        }
        Ok(())
    }

    /// Frames `plain` bytes that follow in one binary message.
    pub(super) fn put_header(&mut self, plain: usize, out: &mut Vec<u8>) {
        debug_assert!(!self.said_good_bye && !matches!(self.state, State::Request(_)));
        put_frame_header(OpCode::Data(Data::Binary), plain, out);
    }

    /// True once our close frame is sent.
    pub(super) fn has_said_good_bye(&self) -> bool {
        self.said_good_bye
    }

    /// True if the answer to a ping waits.
    pub(super) fn has_pong(&self) -> bool {
        self.pong.is_some()
    }

    /// The answer to a ping that waits to be sent.
    pub(super) fn take_pong(&mut self, out: &mut Vec<u8>) {
        if let Some(payload) = self.pong.take()
            && !self.said_good_bye
        {
            put_frame_header(OpCode::Control(Control::Pong), payload.len(), out);
            out.extend_from_slice(&payload);
        }
    }

    /// The server ends the connection.
    pub(super) fn close(&mut self, reply: &mut Vec<u8>) {
        if !matches!(self.state, State::Request(_)) {
            self.say_good_bye(reply, &u16::from(CloseCode::Normal).to_be_bytes());
        }
    }

    fn fail(&mut self, reply: &mut Vec<u8>, code: CloseCode, what: &'static str) -> Fault {
        self.state = State::Closed;
        self.say_good_bye(reply, &u16::from(code).to_be_bytes());
        fault(what)
    }

    fn say_good_bye(&mut self, reply: &mut Vec<u8>, code: &[u8]) {
        if !core::mem::replace(&mut self.said_good_bye, true) {
            put_frame_header(OpCode::Control(Control::Close), code.len(), reply);
            reply.extend_from_slice(code);
        }
    }
}

fn put_frame_header(opcode: OpCode, len: usize, out: &mut Vec<u8>) {
    let header = FrameHeader {
        opcode,
        ..FrameHeader::default()
    };
    let written = header.format(len as u64, out);
    debug_assert!(written.is_ok(), "writing to a vector never fails");
}

/// Splits off what belongs to the payload of a frame, and counts it down.
fn take_payload<'a>(input: &mut &'a mut [u8], left: &mut u64) -> &'a mut [u8] {
    let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    *left -= len as u64;
    let (payload, rest) = core::mem::take(input).split_at_mut(len);
    *input = rest;
    payload
}

fn skip(input: &mut &mut [u8], len: usize) {
    *input = &mut core::mem::take(input)[len..];
}

const fn fault(what: &'static str) -> Fault {
    Fault {
        layer: Layer::WebSocket,
        what,
    }
}

/// The key that a client masks a frame with, as far as it was used. [RFC 6455, 5.3]
#[derive(Clone, Copy, Debug)]
struct Mask([u8; 4]);

impl Mask {
    const fn new(key: [u8; 4]) -> Self {
        Self(key)
    }

    /// Unmasks the next bytes.
    fn apply(&mut self, bytes: &mut [u8]) {
        let [a, b, c, d] = self.0;
        let key = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let mut words = bytes.chunks_exact_mut(8);
        for word in &mut words {
            let mut eight = [0; 8];
            eight.copy_from_slice(word);
            word.copy_from_slice(&(u64::from_ne_bytes(eight) ^ key).to_ne_bytes());
        }
        let rest = words.into_remainder();
        let used = rest.len() % 4;
        for (byte, key) in rest.iter_mut().zip(self.0.iter().cycle()) {
            *byte ^= key;
        }
        self.0.rotate_left(used);
    }
}

#[cfg(test)]
mod tests;
