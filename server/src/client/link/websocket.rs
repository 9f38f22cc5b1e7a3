//! WebSocket as a client speaks it: MQTT in binary messages, which may be cut in any way. [MQTT 5.0, 6; RFC 6455]
//!
//! Frames and the handshake's arithmetic are tungstenite's.

use super::LinkFault;
use std::io::Cursor;
use tungstenite::{
    client::IntoClientRequest,
    handshake::{
        client::{Response, generate_request},
        derive_accept_key,
        machine::TryParse,
    },
    http::{HeaderValue, StatusCode, header},
    protocol::frame::{
        Frame, FrameHeader,
        coding::{CloseCode, Control, Data, OpCode},
    },
};

/// The head of the server's answer.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// The payload of a control frame. [RFC 6455, 5.5]
const CONTROL_BYTES_MAX: u64 = 125;

/// One WebSocket connection, from its HTTP request on.
pub(in crate::client) struct WebSocket {
    state: State,
    /// Received, but not whole yet: the answer, or a frame header.
    incomplete: Vec<u8>,
    /// A binary message is under way.
    in_message: bool,
    said_good_bye: bool,
}

/// ```text
/// Begin --request--> Asked --101--> Header <--> Data, Control
///                                     +--close frame--> Closed
/// ```
enum State {
    Begin {
        request: Vec<u8>,
        accept: String,
    },
    Asked {
        accept: String,
    },
    /// Between two frames.
    Header,
    /// In the payload of a binary message.
    Data {
        left: u64,
    },
    Control {
        kind: Control,
        left: u64,
        payload: Vec<u8>,
    },
    /// The server has said that it sends no more.
    Closed,
}

impl WebSocket {
    /// To this URL, such as `ws://broker:8080/mqtt`.
    pub(in crate::client) fn new(url: &str) -> Result<Self, String> {
        let failed = |error: tungstenite::Error| format!("no WebSocket URL: {error}");
        let mut request = url.into_client_request().map_err(failed)?;
        request.headers_mut().insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static("mqtt"),
        );
        let (request, key) = generate_request(request).map_err(failed)?;
        let accept = derive_accept_key(key.as_bytes());
        Ok(Self {
            state: State::Begin { request, accept },
            incomplete: Vec::new(),
            in_message: false,
            said_good_bye: false,
        })
    }

    /// Goes on with the handshake: the first time, the request is appended to `out`. True once the server has agreed.
    pub(super) fn open(&mut self, out: &mut Vec<u8>) -> bool {
        if let State::Begin { request, accept } = &mut self.state {
            out.append(request);
            self.state = State::Asked {
                accept: std::mem::take(accept),
            };
        }
        !matches!(self.state, State::Asked { .. })
    }

    /// Takes bytes of the server; `reply` gets what has to be said at once.
    pub(super) fn receive(
        &mut self,
        mut bytes: &[u8],
        plain: &mut Vec<u8>,
        reply: &mut Vec<u8>,
    ) -> Result<(), LinkFault> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Begin { .. } => return Err(fault("sent something before it was asked")),
                State::Asked { accept } => {
                    self.incomplete.extend_from_slice(bytes);
                    match answer(&self.incomplete, accept)? {
                        None => return Ok(()),
                        Some(len) => {
                            self.state = State::Header;
                            let rest = self.incomplete.split_off(len);
                            self.incomplete.clear();
                            return self.receive(&rest, plain, reply);
                        }
                    }
                }
                State::Header => {
                    // Byte by byte, because a header is short and its length is in it.
                    self.incomplete.push(bytes[0]);
                    bytes = &bytes[1..];
                    let parsed = FrameHeader::parse(&mut Cursor::new(&self.incomplete))
                        .map_err(|error| fault(&format!("sent no WebSocket frame: {error}")))?;
                    if let Some((header, len)) = parsed {
                        self.incomplete.clear();
                        self.begin_frame(&header, len)?;
                    }
                }
                State::Data { left } => plain.extend_from_slice(take(&mut bytes, left)),
                State::Control { left, payload, .. } => {
                    payload.extend_from_slice(take(&mut bytes, left));
                }
                State::Closed => return Ok(()),
            }
            self.end_frame(reply);
        }
        Ok(())
    }

    fn begin_frame(&mut self, header: &FrameHeader, len: u64) -> Result<(), LinkFault> {
        if header.mask.is_some() || header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(fault("sent a WebSocket frame that a server must not send"));
        }
        self.state = match header.opcode {
            OpCode::Control(kind) => {
                if !header.is_final || len > CONTROL_BYTES_MAX {
                    return Err(fault("sent a WebSocket control frame that is too long"));
                }
                State::Control {
                    kind,
                    left: len,
                    payload: Vec::new(),
                }
            }
            OpCode::Data(kind) => {
                let is_in_place = match kind {
                    Data::Continue => self.in_message,
                    Data::Binary => !self.in_message,
                    // [MQTT-6.0.0-1]
                    _ => return Err(fault("sent text over WebSocket, where MQTT is binary")),
                };
                if !is_in_place {
                    return Err(fault("sent a WebSocket frame out of its place"));
                }
                self.in_message = !header.is_final;
                State::Data { left: len }
            }
        };
        Ok(())
    }

    /// A frame that is whole is followed by another; a control frame is obeyed.
    fn end_frame(&mut self, reply: &mut Vec<u8>) {
        match &mut self.state {
            State::Data { left: 0 } => self.state = State::Header,
            State::Control {
                kind,
                left: 0,
                payload,
            } => {
                let (kind, payload) = (*kind, std::mem::take(payload));
                self.state = State::Header;
                match kind {
                    Control::Ping if !self.said_good_bye => {
                        put(OpCode::Control(Control::Pong), &payload, reply);
                    }
                    Control::Close => {
                        // The same code goes back. [RFC 6455, 5.5.1]
                        self.say_good_bye(payload.get(..2).unwrap_or_default(), reply);
                        self.state = State::Closed;
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Sends `mqtt` bytes as one message.
    pub(super) fn send(&mut self, mqtt: &[u8], out: &mut Vec<u8>) {
        if !self.said_good_bye {
            put(OpCode::Data(Data::Binary), mqtt, out);
        }
    }

    pub(super) fn close(&mut self, out: &mut Vec<u8>) {
        self.say_good_bye(&u16::from(CloseCode::Normal).to_be_bytes(), out);
    }

    fn say_good_bye(&mut self, code: &[u8], out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.said_good_bye, true) {
            put(OpCode::Control(Control::Close), code, out);
        }
    }
}

/// The length of the server's answer once it is whole and agrees.
fn answer(received: &[u8], accept: &str) -> Result<Option<usize>, LinkFault> {
    let not_http = || fault("is no WebSocket server: its answer is no HTTP");
    let Some((len, response)) = Response::try_parse(received).map_err(|_| not_http())? else {
        return match received.len() > ANSWER_BYTES_MAX {
            true => Err(not_http()),
            false => Ok(None),
        };
    };
    let status = response.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let advice = match status {
            StatusCode::NOT_FOUND => ": check the path of the URL",
            _ if status.is_redirection() => ": connect to where it sends its clients",
            _ => "",
        };
        return Err(fault(&format!(
            "refused WebSocket with the HTTP status {status}{advice}"
        )));
    }
    let said = |name| response.headers().get(name).map(HeaderValue::as_bytes);
    if said(header::SEC_WEBSOCKET_ACCEPT) != Some(accept.as_bytes()) {
        return Err(fault(
            "is no WebSocket server: it did not look at what it was asked",
        ));
    }
    // [MQTT-6.0.0-4]
    match said(header::SEC_WEBSOCKET_PROTOCOL) {
        Some(b"mqtt") => Ok(Some(len)),
        _ => Err(fault("speaks WebSocket but did not agree on MQTT over it")),
    }
}

fn put(opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) {
    let mut mask = [0; 4];
    // Whoever chooses the payload must not know it. [RFC 6455, 10.3]
    getrandom::fill(&mut mask).expect("the system gives random bytes");
    let header = FrameHeader {
        opcode,
        mask: Some(mask),
        ..FrameHeader::default()
    };
    let frame = Frame::from_payload(header, payload.to_vec().into());
    frame.format(out).expect("a buffer takes it");
}

/// Splits off what belongs to the payload of a frame, and counts it down.
fn take<'a>(bytes: &mut &'a [u8], left: &mut u64) -> &'a [u8] {
    let len = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    *left -= len as u64;
    let (payload, rest) = bytes.split_at(len);
    *bytes = rest;
    payload
}

fn fault(what: &str) -> LinkFault {
    LinkFault(what.to_owned())
}

#[cfg(test)]
mod tests;
