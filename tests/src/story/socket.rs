//! A world of real sockets: a broker that runs under a driver, and TCP connections to it.

use super::{
    script::Need,
    world::{Ending, Peer, Received, World},
};
use socket2::SockRef;
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// How long something that must come may take. Reached only by a story that fails.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clients of the broker at one address.
#[derive(Debug)]
pub struct Socket {
    address: SocketAddr,
    /// By [`Peer`]; none once it ended.
    streams: Vec<Option<TcpStream>>,
}

impl Socket {
    /// The world around the broker that listens at `address`.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            streams: Vec::new(),
        }
    }
}

impl World for Socket {
    fn offers(&self, _: Need) -> bool {
        false
    }

    fn is_immediate(&self) -> bool {
        false
    }

    fn open(&mut self) -> Peer {
        let stream = TcpStream::connect(self.address).expect("the broker listens");
        stream.set_nodelay(true).expect("a TCP socket");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("more than zero");
        self.streams.push(Some(stream));
        Peer(self.streams.len() - 1)
    }

    fn send(&mut self, Peer(peer): Peer, bytes: &[u8]) {
        if let Some(stream) = &mut self.streams[peer] {
            // A connection that the broker has closed is noticed when it is read.
            let _ = stream.write_all(bytes);
        }
    }

    fn end(&mut self, Peer(peer): Peer, how: Ending) {
        let Some(mut stream) = self.streams[peer].take() else {
            return;
        };
        // Any of this may fail if the broker was faster.
        match how {
            Ending::Close => {
                let _ = stream.shutdown(Shutdown::Write);
                // The broker closes its side, too, when it has noticed.
                let _ = io::copy(&mut stream, &mut io::sink());
            }
            Ending::Reset => {
                let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            }
        }
    }

    fn receive(&mut self, Peer(peer): Peer, bytes: &mut Vec<u8>) -> Received {
        let Some(stream) = &mut self.streams[peer] else {
            return Received::Closed;
        };
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(length) if length > 0 => {
                bytes.extend_from_slice(&buffer[..length]);
                Received::Bytes
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Received::Bytes,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Received::Nothing
            }
            // Dropped, so that a broker that waits for the client's end sees it.
            Ok(_) | Err(_) => {
                self.streams[peer] = None;
                Received::Closed
            }
        }
    }
}
