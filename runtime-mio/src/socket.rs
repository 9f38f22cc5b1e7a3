//! Sockets as the engine and the loop want them: TCP or Unix.

#[cfg(unix)]
use mio::net::{UnixListener, UnixStream};
use mio::{
    Interest, Registry, Token,
    event::Source,
    net::{TcpListener, TcpStream},
};
#[cfg(unix)]
use sanderling_runtime::SocketFile;
use sanderling_runtime::{ListeningSocket, engine::Socket};
use std::{
    io::{self, IoSlice, Read, Write},
    net::{Shutdown, SocketAddr},
};

/// A socket that listens.
#[derive(Debug)]
pub(crate) enum Acceptor {
    Tcp(TcpListener),
    /// With its file, which goes with it.
    #[cfg(unix)]
    Unix(
        UnixListener,
        #[expect(dead_code, reason = "it is removed when this is dropped")] SocketFile,
    ),
}

impl Acceptor {
    pub(crate) fn new(socket: ListeningSocket) -> Self {
        match socket {
            ListeningSocket::Tcp(socket) => Self::Tcp(TcpListener::from_std(socket)),
            #[cfg(unix)]
            ListeningSocket::Unix(socket, file) => Self::Unix(UnixListener::from_std(socket), file),
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let readable = Interest::READABLE;
        match self {
            Self::Tcp(socket) => socket.register(registry, token, readable),
            #[cfg(unix)]
            Self::Unix(socket, _) => socket.register(registry, token, readable),
        }
    }

    /// The next connection, and where it comes from.
    pub(crate) fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Self::Tcp(socket) => {
                let (stream, remote) = socket.accept()?;
                // Without it, small packets would wait for acknowledgements of the ones before.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), Some(remote)))
            }
            #[cfg(unix)]
            Self::Unix(socket, _) => Ok((Stream::Unix(socket.accept()?.0), None)),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Stream {
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Tcp(stream) => stream.register(registry, token, both),
            #[cfg(unix)]
            Self::Unix(stream) => stream.register(registry, token, both),
        }
    }
}

impl Socket for Stream {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    #[inline]
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, slices) {
            (Self::Tcp(stream), [slice]) => stream.write(slice),
            (Self::Tcp(stream), slices) => stream.write_vectored(slices),
            #[cfg(unix)]
            (Self::Unix(stream), slices) => stream.write_vectored(slices),
        }
    }

    fn shut_down_writing(&mut self) {
        // A connection that is gone already needs no good-bye.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(unix)]
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }
}
