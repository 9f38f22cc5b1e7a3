//! Sockets as the engine wants them, TCP or Unix, and the signal to the task that waits for a connection's readiness.

#[cfg(unix)]
use sanderling_runtime::SocketFile;
use sanderling_runtime::{ListeningSocket, engine::Socket};
use std::{
    io::{self, IoSlice, Read},
    net::{Shutdown, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::{
    io::{Interest, Ready},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// A socket that listens.
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
    pub(crate) fn new(socket: ListeningSocket) -> io::Result<Self> {
        Ok(match socket {
            ListeningSocket::Tcp(socket) => Self::Tcp(TcpListener::from_std(socket)?),
            #[cfg(unix)]
            ListeningSocket::Unix(socket, file) => {
                Self::Unix(UnixListener::from_std(socket)?, file)
            }
        })
    }

    /// The next connection, and where it comes from.
    pub(crate) async fn accept(&self) -> io::Result<(Connection, Option<SocketAddr>)> {
        match self {
            Self::Tcp(socket) => {
                let (stream, remote) = socket.accept().await?;
                // Without it, small packets would wait for acknowledgements of the ones before.
                let _ = stream.set_nodelay(true);
                Ok((Connection::Tcp(stream), Some(remote)))
            }
            #[cfg(unix)]
            Self::Unix(socket, _) => Ok((Connection::Unix(socket.accept().await?.0), None)),
        }
    }
}

/// A connection, shared by the engine and the task that waits for it.
#[derive(Debug)]
pub(crate) enum Connection {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Connection {
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
            #[cfg(unix)]
            Self::Unix(stream) => stream.ready(interest).await,
        }
    }

    /// The socket past tokio, which would not ask the system before its reactor has seen that there is something.
    fn raw(&self) -> socket2::SockRef<'_> {
        match self {
            Self::Tcp(stream) => socket2::SockRef::from(stream),
            #[cfg(unix)]
            Self::Unix(stream) => socket2::SockRef::from(stream),
        }
    }
}

/// The engine's side of a connection. When the engine drops it, the task ends.
pub(crate) struct Stream {
    pub(crate) socket: Arc<Connection>,
    pub(crate) signal: Arc<Signal>,
}

/// What the engine tells a connection's task.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    news: AtomicU8,
    wake: Notify,
}

/// What there is to do for the task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct News(u8);

impl News {
    const READ_AGAIN: u8 = 1;
    const OUTPUT_WAITS: u8 = 2;
    const ENDED: u8 = 4;

    /// The connection is to be read although nothing new has arrived.
    pub(crate) fn read_again(self) -> bool {
        self.0 & Self::READ_AGAIN != 0
    }

    pub(crate) fn output_waits(self) -> bool {
        self.0 & Self::OUTPUT_WAITS != 0
    }

    pub(crate) fn ended(self) -> bool {
        self.0 & Self::ENDED != 0
    }
}

impl Signal {
    /// Waits for news and takes them.
    pub(crate) async fn news(&self) -> News {
        loop {
            let news = self.news.swap(0, Ordering::AcqRel);
            if news != 0 {
                return News(news);
            }
            self.wake.notified().await;
        }
    }

    fn tell(&self, news: u8) {
        self.news.fetch_or(news, Ordering::AcqRel);
        self.wake.notify_one();
    }
}

impl Socket for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &*self.socket {
            Connection::Tcp(stream) => stream.try_read(buffer),
            #[cfg(unix)]
            Connection::Unix(stream) => stream.try_read(buffer),
        }
    }

    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.socket.raw()).read(buffer)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (&*self.socket, slices) {
            (Connection::Tcp(stream), [slice]) => stream.try_write(slice),
            (Connection::Tcp(stream), slices) => stream.try_write_vectored(slices),
            #[cfg(unix)]
            (Connection::Unix(stream), slices) => stream.try_write_vectored(slices),
        }
    }

    fn shut_down_writing(&mut self) {
        // A connection that is gone already needs no good-bye.
        let _ = self.socket.raw().shutdown(Shutdown::Write);
    }

    fn output_waits(&mut self) {
        self.signal.tell(News::OUTPUT_WAITS);
    }

    fn read_again(&mut self) {
        self.signal.tell(News::READ_AGAIN);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.signal.tell(News::ENDED);
    }
}
