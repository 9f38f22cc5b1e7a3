//! WebSocket as far as a generator needs it: the opening handshake, binary frames, pings. RFC 6455.
//!
//! Clients must mask what they send; the key may be any, and with a key of zeros the bytes stay as they are. One frame
//! carries whatever is written at once, so many packets share its header. [MQTT-6.0.0-2]

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use crate::channel::Transport;

/// The sample nonce of RFC 6455, section 1.3, and what a server must make of it. It is no secret.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// How long the answer to the opening handshake may be.
const ANSWER_BYTES_MAX: usize = 8 * 1024;
/// How much one frame carries at most.
const FRAME_BYTES_MAX: usize = 64 * 1024;
/// A header without a mask: two bytes, and up to eight of length.
const HEADER_BYTES_MAX: usize = 10;

mod opcode {
    pub(super) const CONTINUATION: u8 = 0;
    pub(super) const BINARY: u8 = 2;
    pub(super) const CLOSE: u8 = 8;
    pub(super) const PING: u8 = 9;
    pub(super) const PONG: u8 = 10;
}

/// One connection after its opening handshake.
#[derive(Default)]
pub(crate) struct WebSocket {
    /// Frames to write, from `written` on.
    out: Vec<u8>,
    written: usize,
    /// Received behind the answer to the handshake.
    early: Vec<u8>,
    /// The header of the next frame, as far as it has come.
    header: [u8; HEADER_BYTES_MAX],
    header_len: usize,
    /// What has not come of the payload of the present frame.
    left: u64,
    opcode: u8,
    /// The payload of a ping.
    ping: Vec<u8>,
}

impl WebSocket {
    /// Asks for the upgrade and waits for the answer.
    pub(crate) fn open(socket: &mut (impl Read + Write), host: &str) -> io::Result<Self> {
        let request = format!(
            "GET /mqtt HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
        );
        socket.write_all(request.as_bytes())?;
        let (mut answer, mut chunk) = (Vec::new(), [0; 1024]);
        let end = loop {
            if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            let read = socket.read(&mut chunk)?;
            if read == 0 || answer.len() > ANSWER_BYTES_MAX {
                return Err(invalid("no answer to the WebSocket handshake".into()));
            }
            answer.extend_from_slice(&chunk[..read]);
        };
        check_answer(&String::from_utf8_lossy(&answer[..end]))?;
        Ok(Self {
            early: answer.split_off(end + 4),
            ..Self::default()
        })
    }

    /// Reads some payload of data frames; 0 is the end.
    pub(crate) fn read(
        &mut self,
        socket: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            let read = match self.early.is_empty() {
                true => socket.read(buffer)?,
                false => {
                    let early = self.early.len().min(buffer.len());
                    buffer[..early].copy_from_slice(&self.early[..early]);
                    self.early.drain(..early);
                    early
                }
            };
            if read == 0 {
                return Ok(0);
            }
            let payload = self.unwrap(&mut buffer[..read])?;
            match self.flush(socket) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
            if payload > 0 {
                return Ok(payload);
            }
        }
    }

    /// Puts bytes into a frame, and returns how many.
    pub(crate) fn take(&mut self, slices: &[IoSlice<'_>]) -> usize {
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let mut left = offered.min(FRAME_BYTES_MAX);
        self.put_header(opcode::BINARY, left);
        for slice in slices {
            let part = left.min(slice.len());
            self.out.extend_from_slice(&slice[..part]);
            left -= part;
        }
        offered.min(FRAME_BYTES_MAX)
    }

    /// Writes the frames that wait.
    pub(crate) fn flush(&mut self, socket: &mut impl Write) -> io::Result<()> {
        while self.written < self.out.len() {
            match socket.write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    fn put_header(&mut self, opcode: u8, length: usize) {
        self.out.push(0x80 | opcode);
        match length {
            0..126 => self.out.push(0x80 | length as u8),
            126..0x1_0000 => {
                self.out.push(0x80 | 126);
                self.out.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                self.out.push(0x80 | 127);
                self.out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        self.out.extend_from_slice(&[0; 4]); // the mask
    }

    /// Moves the payloads of data frames to the beginning of `bytes` and returns how long they are together.
    fn unwrap(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let (mut from, mut to) = (0, 0);
        while from < bytes.len() {
            if self.left == 0 {
                self.header[self.header_len] = bytes[from];
                self.header_len += 1;
                from += 1;
                self.begin_frame()?;
                continue;
            }
            let part = (bytes.len() - from).min(usize::try_from(self.left).unwrap_or(usize::MAX));
            match self.opcode {
                opcode::CONTINUATION | opcode::BINARY => {
                    bytes.copy_within(from..from + part, to);
                    to += part;
                }
                opcode::PING => self.ping.extend_from_slice(&bytes[from..from + part]),
                _ => {}
            }
            from += part;
            self.left -= part as u64;
            self.end_frame();
        }
        Ok(to)
    }

    /// Begins a frame if its header is complete.
    fn begin_frame(&mut self) -> io::Result<()> {
        let header = &self.header[..self.header_len];
        let [first, second, rest @ ..] = header else {
            return Ok(());
        };
        if second & 0x80 != 0 {
            return Err(invalid("a server masks a WebSocket frame".into()));
        }
        let length = match (second, rest.len()) {
            (126, 2) => rest.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            (127, 8) => rest.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            (126 | 127, _) => return Ok(()),
            (short, _) => u64::from(*short),
        };
        self.opcode = first & 0x0F;
        self.left = length;
        self.header_len = 0;
        match self.opcode {
            opcode::CONTINUATION | opcode::BINARY | opcode::PING | opcode::PONG => {}
            opcode::CLOSE => return Err(ErrorKind::UnexpectedEof.into()),
            other => return Err(invalid(format!("a WebSocket frame with opcode {other}"))),
        }
        self.end_frame();
        Ok(())
    }

    /// Answers a ping that is complete.
    fn end_frame(&mut self) {
        if self.left == 0 && self.opcode == opcode::PING {
            let payload = std::mem::take(&mut self.ping);
            self.put_header(opcode::PONG, payload.len());
            self.out.extend_from_slice(&payload);
        }
    }
}

/// What is to be said of an answer, if anything is wrong with it.
fn check_answer(head: &str) -> io::Result<()> {
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    if status.split_whitespace().nth(1) != Some("101") {
        return Err(invalid(format!("{:?} refused: {status}", Transport::Ws)));
    }
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    for (wanted, value) in [
        ("sec-websocket-accept", ACCEPT),
        ("sec-websocket-protocol", "mqtt"),
    ] {
        let found = headers.iter().find(|(name, _)| name == wanted);
        if found.map(|(_, value)| *value) != Some(value) {
            return Err(invalid(format!("the answer has not {wanted}: {value}")));
        }
    }
    Ok(())
}

fn invalid(what: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame as a server sends it.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..126 => bytes.push(short as u8),
            middle @ 126..0x1_0000 => {
                bytes.push(126);
                bytes.extend_from_slice(&(middle as u16).to_be_bytes());
            }
            long => {
                bytes.push(127);
                bytes.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    /// A peer that sends in pieces, and keeps what is written to it.
    struct Peer {
        sends: Vec<Vec<u8>>,
        received: Vec<u8>,
    }

    impl Read for Peer {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.sends.is_empty() {
                return Err(ErrorKind::WouldBlock.into());
            }
            let piece = self.sends.remove(0);
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    impl Write for Peer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.received.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn payloads_come_out_whole_wherever_the_stream_is_cut() {
        let long = vec![7; 70_000];
        let stream = [
            frame(0x02, b"be"),
            frame(0x89, b"are you there"),
            frame(0x80, b"gin"),
            frame(0x82, b""),
            frame(0x82, &[1; 300]),
            frame(0x82, &long),
        ]
        .concat();
        let expected = [&b"begin"[..], &[1; 300], &long].concat();
        for piece in [1, 2, 3, 1_000, stream.len()] {
            let (mut socket, mut got) = (WebSocket::default(), Vec::new());
            let sends = stream.chunks(piece).map(<[u8]>::to_vec).collect();
            let mut peer = Peer {
                sends,
                received: Vec::new(),
            };
            let mut buffer = vec![0; 100_000];
            while let Ok(count) = socket.read(&mut peer, &mut buffer) {
                got.extend_from_slice(&buffer[..count]);
            }
            assert!(got == expected, "pieces of {piece}");
            assert_eq!(peer.received, b"\x8A\x8D\0\0\0\0are you there");
        }
    }

    #[test]
    fn a_frame_carries_what_is_written_at_once() {
        let mut socket = WebSocket::default();
        let mut peer = Peer {
            sends: Vec::new(),
            received: Vec::new(),
        };
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b"c")];
        assert_eq!(socket.take(&slices), 3);
        socket.flush(&mut peer).unwrap();
        assert_eq!(peer.received, b"\x82\x83\0\0\0\0abc");
        let much = vec![0; 2 * FRAME_BYTES_MAX];
        assert_eq!(socket.take(&[IoSlice::new(&much)]), FRAME_BYTES_MAX);
    }

    #[test]
    fn what_is_no_websocket_is_refused() {
        let open = |answer: &str| {
            let mut peer = Peer {
                sends: vec![answer.as_bytes().to_vec()],
                received: Vec::new(),
            };
            WebSocket::open(&mut peer, "localhost").map(|socket| socket.early)
        };
        let right = format!(
            "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: {ACCEPT}\r\n\
             Sec-WebSocket-Protocol: mqtt\r\n\r\n\u{1}"
        );
        assert_eq!(open(&right).unwrap(), [1]);
        for wrong in [
            right.replace("101", "200"),
            right.replace("s3p", "s4p"),
            right.replace("mqtt", "chat"),
        ] {
            assert!(open(&wrong).is_err(), "{wrong}");
        }
        let mut socket = WebSocket::default();
        assert!(socket.unwrap(&mut frame(0x88, b"")).is_err(), "closed");
        assert!(socket.unwrap(&mut [0x82, 0x81]).is_err(), "masked");
    }
}
