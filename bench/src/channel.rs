//! What lies between packets and a socket: nothing, TLS, or WebSocket. The rest of the generator sees bytes only.
//!
//! A channel takes as many bytes as it likes; what it has taken and the socket has not goes out with
//! [`Channel::flush`]. Nothing here waits unless the socket does.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use clap::ValueEnum;
use rustls::ClientConnection;

use crate::websocket::WebSocket;

/// How the clients reach the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// Plain TCP.
    #[default]
    Tcp,
    /// TLS 1.2 or 1.3; the broker's certificate is not verified.
    Tls,
    /// WebSocket over TCP, binary frames.
    Ws,
}

pub(crate) enum Layer {
    Plain,
    Tls(Box<ClientConnection>),
    WebSocket(Box<WebSocket>),
}

/// A socket with what lies on top of it.
pub(crate) struct Channel<S> {
    socket: S,
    layer: Layer,
}

impl<S: Read + Write> Channel<S> {
    pub(crate) fn new(socket: S, layer: Layer) -> Self {
        Self { socket, layer }
    }

    pub(crate) fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// The same channel over another socket type, which stands for the same connection.
    pub(crate) fn map<T>(self, map: impl FnOnce(S) -> T) -> Channel<T> {
        Channel {
            socket: map(self.socket),
            layer: self.layer,
        }
    }

    /// Reads some bytes of MQTT; 0 is the end. `WouldBlock` when there are none.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.layer {
            Layer::Plain => self.socket.read(buffer),
            Layer::WebSocket(layer) => layer.read(&mut self.socket, buffer),
            Layer::Tls(layer) => read_tls(layer, &mut self.socket, buffer),
        }
    }

    /// Whether a read that filled less than its buffer means that the socket is empty.
    pub(crate) fn short_read_is_last(&self) -> bool {
        matches!(self.layer, Layer::Plain)
    }

    /// Takes some of `first` and then of `second`, and returns how much. `WouldBlock` when it takes nothing now.
    pub(crate) fn write(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        let slices = [IoSlice::new(first), IoSlice::new(second)];
        let slices = match (first, second) {
            ([], _) => &slices[1..],
            (_, []) => &slices[..1],
            _ => &slices[..],
        };
        match &mut self.layer {
            Layer::Plain => return self.socket.write_vectored(slices),
            Layer::WebSocket(layer) => layer.flush(&mut self.socket)?,
            Layer::Tls(layer) => flush_tls(layer, &mut self.socket)?,
        }
        let taken = match &mut self.layer {
            Layer::Plain => 0,
            Layer::WebSocket(layer) => layer.take(slices),
            Layer::Tls(layer) => layer.writer().write_vectored(slices)?,
        };
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Writes what was taken and is still here. `WouldBlock` when the socket is full before that.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match &mut self.layer {
            Layer::Plain => Ok(()),
            Layer::WebSocket(layer) => layer.flush(&mut self.socket),
            Layer::Tls(layer) => flush_tls(layer, &mut self.socket),
        }
    }

    /// Takes and writes everything; for sockets that wait.
    pub(crate) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = self.write(bytes, &[])?;
            bytes = &bytes[taken..];
        }
        self.flush()
    }
}

fn read_tls(
    tls: &mut ClientConnection,
    socket: &mut (impl Read + Write),
    buffer: &mut [u8],
) -> io::Result<usize> {
    loop {
        match tls.reader().read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => return result,
        }
        if tls.read_tls(socket)? == 0 {
            return Ok(0);
        }
        let processed = tls.process_new_packets();
        processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        match flush_tls(tls, socket) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}

fn flush_tls(tls: &mut ClientConnection, socket: &mut impl Write) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(socket)?;
    }
    Ok(())
}
