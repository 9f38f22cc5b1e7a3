//! One client connection: a socket, the start of an incomplete frame, and bytes that wait to be written.
//!
//! Opening is blocking and ends with CONNACK (and SUBACK); after that the socket belongs to the poll and never blocks.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::failure::Failure;
use crate::wire::{self, Connack, Frame, Version, packet_type};

/// How long a broker may take for CONNACK or SUBACK.
const HANDSHAKE_MAX: Duration = Duration::from_secs(30);

/// A connected client.
pub(crate) struct Link {
    stream: TcpStream,
    /// The beginning of a frame whose end has not come yet.
    partial: Vec<u8>,
    /// Packets to write, from `written` on.
    out: Vec<u8>,
    written: usize,
}

/// What one read brought.
pub(crate) struct Fill {
    /// How many bytes of the buffer are filled, kept ones included.
    pub(crate) bytes: usize,
    /// The buffer was filled to its end: there may be more.
    pub(crate) more: bool,
}

impl Link {
    /// Connects, sends CONNECT and, if there are filters, SUBSCRIBE at `qos`, and waits for the answers.
    pub(crate) fn open(
        address: SocketAddr,
        version: Version,
        client_id: &str,
        filters: &[String],
        qos: u8,
    ) -> Result<(Self, Connack), Failure> {
        let doing = |what: &str| format!("{what} of client {client_id} to {address}");
        let mut stream =
            std::net::TcpStream::connect(address).map_err(Failure::io(doing("connection")))?;
        let set = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(HANDSHAKE_MAX)));
        set.map_err(Failure::io(doing("socket options")))?;

        let connect = wire::encode_connect(version, client_id);
        stream
            .write_all(&connect)
            .map_err(Failure::io(doing("CONNECT")))?;
        let mut received = Vec::new();
        let connack = answer(&mut stream, &mut received, packet_type::CONNACK, |frame| {
            wire::connack(frame, version)
        })
        .map_err(Failure::io(doing("CONNACK")))?;
        if connack.code != 0 {
            let code = connack.code;
            return Err(Failure::Broker(format!(
                "client {client_id}: CONNACK says {code:#04x}"
            )));
        }

        if !filters.is_empty() {
            let subscribe = wire::encode_subscribe(version, filters, qos);
            stream
                .write_all(&subscribe)
                .map_err(Failure::io(doing("SUBSCRIBE")))?;
            let codes = answer(&mut stream, &mut received, packet_type::SUBACK, |frame| {
                wire::suback_codes(frame, version).map(<[u8]>::to_vec)
            })
            .map_err(Failure::io(doing("SUBACK")))?;
            if codes.len() != filters.len() || codes.iter().any(|code| *code != qos) {
                return Err(Failure::Broker(format!(
                    "client {client_id}: asked for {} filters at QoS {qos}, SUBACK grants {codes:?}",
                    filters.len()
                )));
            }
        }
        stream
            .set_nonblocking(true)
            .map_err(Failure::io(doing("socket options")))?;
        let stream = TcpStream::from_std(stream);
        Ok((
            Self {
                stream,
                partial: received,
                out: Vec::new(),
                written: 0,
            },
            connack,
        ))
    }

    /// Registers both interests once.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> Result<(), Failure> {
        registry
            .register(
                &mut self.stream,
                token,
                Interest::READABLE | Interest::WRITABLE,
            )
            .map_err(Failure::io("registration with the poll"))
    }

    /// Reads once into `inbox`, behind what was kept of the last frame. `None` when there is nothing to read.
    pub(crate) fn fill(&mut self, inbox: &mut [u8]) -> io::Result<Option<Fill>> {
        let kept = self.partial.len();
        let free = inbox.len() - kept;
        loop {
            match self.stream.read(&mut inbox[kept..]) {
                Ok(0) => {
                    return Err(io::Error::new(
                        ErrorKind::UnexpectedEof,
                        "the broker closed",
                    ));
                }
                Ok(read) => {
                    inbox[..kept].copy_from_slice(&self.partial);
                    self.partial.clear();
                    return Ok(Some(Fill {
                        bytes: kept + read,
                        more: read == free,
                    }));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps the beginning of a frame for the next read.
    pub(crate) fn keep(&mut self, partial: &[u8]) {
        self.partial.extend_from_slice(partial);
    }

    /// Adds a packet to what waits to be written.
    #[inline]
    pub(crate) fn push(&mut self, packet: &[u8]) {
        self.out.extend_from_slice(packet);
    }

    /// Writes what waits, then `more`, in as few calls as the socket allows. Returns how much of `more` went out.
    pub(crate) fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while self.written < self.out.len() || taken < more.len() {
            let waiting = &self.out[self.written..];
            let result = match (waiting, &more[taken..]) {
                (waiting, []) => self.stream.write(waiting),
                ([], more) => self.stream.write(more),
                (waiting, more) => self
                    .stream
                    .write_vectored(&[IoSlice::new(waiting), IoSlice::new(more)]),
            };
            match result {
                Ok(count) => {
                    let of_waiting = count.min(waiting.len());
                    self.written += of_waiting;
                    taken += count - of_waiting;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
        }
        Ok(taken)
    }

    /// Says goodbye as well as the socket lets us.
    pub(crate) fn close(mut self) {
        self.push(&wire::DISCONNECT);
        // The run is over and counted: a broker that went away first changes nothing.
        let _ = self.write(&[]);
    }
}

/// Waits, blocking, for a packet of one type; `received` keeps what comes behind it.
fn answer<T>(
    stream: &mut std::net::TcpStream,
    received: &mut Vec<u8>,
    wanted: u8,
    read: impl Fn(Frame<'_>) -> Result<T, wire::WireError>,
) -> io::Result<T> {
    let invalid = |what: String| io::Error::new(ErrorKind::InvalidData, what);
    loop {
        if let Some(frame) =
            wire::next_frame(received).map_err(|error| invalid(error.to_string()))?
        {
            if frame.packet_type() != wanted {
                return Err(invalid(format!(
                    "the broker sent packet type {}",
                    frame.packet_type()
                )));
            }
            let answer = read(frame).map_err(|error| invalid(error.to_string()))?;
            let length = frame.length;
            received.drain(..length);
            return Ok(answer);
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) => {
                return Err(io::Error::new(
                    ErrorKind::UnexpectedEof,
                    "the broker closed",
                ));
            }
            Ok(count) => received.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(io::Error::new(ErrorKind::TimedOut, "no answer in 30 s"));
            }
            Err(error) => return Err(error),
        }
    }
}
