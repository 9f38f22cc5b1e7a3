//! A TCP connection as the engine wants it, and the signal to the task that waits for its readiness.

use sanderling_runtime::engine::Socket;
use std::{
    io::{self, IoSlice, Read},
    net::Shutdown,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};
use tokio::{net::TcpStream, sync::Notify};

/// The engine's side of a connection. When the engine drops it, the task ends.
pub(crate) struct Stream {
    pub(crate) socket: Arc<TcpStream>,
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
        self.socket.try_read(buffer)
    }

    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // tokio would not ask the system before its reactor has seen that there is something.
        (&*socket2::SockRef::from(&*self.socket)).read(buffer)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [slice] => self.socket.try_write(slice),
            slices => self.socket.try_write_vectored(slices),
        }
    }

    fn shut_down_writing(&mut self) {
        // A connection that is gone already needs no good-bye.
        let _ = socket2::SockRef::from(&*self.socket).shutdown(Shutdown::Write);
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
