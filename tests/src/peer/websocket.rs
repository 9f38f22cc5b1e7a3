//! WebSocket as a client speaks it.

/// How a client cuts what it sends into messages and frames.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cut {
    /// Bytes of a frame; 0 for whatever is to be sent.
    pub frame_bytes: usize,
    /// Frames of a message; 0 for one.
    pub fragments: usize,
    /// An empty frame and a ping between any two frames.
    pub chatty: bool,
}

#[derive(Debug)]
pub(super) struct WebSocket {
    cut: Cut,
    asked: bool,
    open: bool,
    /// Frames of the message that is under way.
    fragments: usize,
    /// What came and is no whole frame yet, or no whole answer.
    received: Vec<u8>,
    close_code: Option<u16>,
    pongs: Vec<Vec<u8>>,
}

const REQUEST: &str = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                       Sec-WebSocket-Protocol: mqtt\r\n\r\n";
/// What follows from the key, by RFC 6455, 1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

impl WebSocket {
    pub(super) fn new(cut: Cut) -> Self {
        Self {
            cut,
            asked: false,
            open: false,
            fragments: 0,
            received: Vec::new(),
            close_code: None,
            pongs: Vec::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn close_code(&self) -> Option<u16> {
        self.close_code
    }

    pub(super) fn pongs(&self) -> &[Vec<u8>] {
        &self.pongs
    }

    /// What is to be sent next: the request, or what waits, in frames.
    pub(super) fn send(&mut self, waiting: &mut Vec<u8>) -> Vec<u8> {
        let mut out = Vec::new();
        if !std::mem::replace(&mut self.asked, true) {
            out.extend_from_slice(REQUEST.as_bytes());
        }
        if !self.open || waiting.is_empty() {
            return out;
        }
        let bytes = std::mem::take(waiting);
        let frame_bytes = match self.cut.frame_bytes {
            0 => bytes.len(),
            bytes => bytes,
        };
        let frames: Vec<_> = bytes.chunks(frame_bytes).collect();
        for (number, payload) in frames.iter().enumerate() {
            if self.cut.chatty {
                put(&mut out, 0x80 | 9, b"are you there?");
                self.put_data(&mut out, b"", false);
            }
            self.put_data(&mut out, payload, number + 1 == frames.len());
        }
        out
    }

    fn put_data(&mut self, out: &mut Vec<u8>, payload: &[u8], is_last: bool) {
        let opcode = if self.fragments == 0 { 2 } else { 0 };
        self.fragments += 1;
        let is_final = is_last || self.fragments >= self.cut.fragments;
        if is_final {
            self.fragments = 0;
        }
        put(out, opcode | if is_final { 0x80 } else { 0 }, payload);
    }

    pub(super) fn close(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.open {
            put(&mut out, 0x80 | 8, &1000_u16.to_be_bytes());
        }
        out
    }

    pub(super) fn receive(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), String> {
        self.received.extend_from_slice(bytes);
        if !self.open {
            let text = String::from_utf8_lossy(&self.received).into_owned();
            let Some(end) = text.find("\r\n\r\n") else {
                return Ok(());
            };
            let head = text[..end].to_ascii_lowercase();
            let is_right = head.starts_with("http/1.1 101")
                && text[..end].contains(ACCEPT)
                && head.contains("sec-websocket-protocol: mqtt");
            if !is_right {
                return Err(text);
            }
            self.received.drain(..end + 4);
            self.open = true;
        }
        while let Some((opcode, header, len)) = header(&self.received)? {
            let payload = self.received[header..header + len].to_vec();
            self.received.drain(..header + len);
            match opcode {
                2 => plain.extend(payload),
                8 => self.close_code = Some(code(&payload)),
                10 => self.pongs.push(payload),
                other => return Err(format!("opcode {other} of the broker")),
            }
        }
        Ok(())
    }
}

fn code(payload: &[u8]) -> u16 {
    payload
        .first_chunk()
        .map_or(1005, |code| u16::from_be_bytes(*code))
}

/// The opcode of the first frame, and the lengths of its header and payload, if it is whole.
fn header(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, String> {
    let [first, second, ..] = *bytes else {
        return Ok(None);
    };
    if first & 0xf0 != 0x80 || second & 0x80 != 0 {
        return Err(format!("a frame that begins with {first:02x} {second:02x}"));
    }
    let (header, len) = match second {
        126 => match bytes.get(2..4) {
            Some(len) => (4, usize::from(u16::from_be_bytes([len[0], len[1]]))),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10) {
            Some(len) => (
                10,
                len.iter()
                    .fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
            ),
            None => return Ok(None),
        },
        len => (2, usize::from(len)),
    };
    let is_whole = bytes.len() >= header + len;
    Ok(is_whole.then_some((first & 0xf, header, len)))
}

/// Appends a masked frame. The first byte has the opcode and whether it is the last of its message.
pub(super) fn put(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    out.push(first);
    match payload.len() {
        len @ ..126 => out.push(0x80 | len as u8),
        len @ ..65_536 => {
            out.push(0x80 | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(KEY);
    out.extend(
        payload
            .iter()
            .zip(KEY.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
}
