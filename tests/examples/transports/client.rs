//! A client that blocks, over any transport.

use rustls::{ClientConfig, client::Resumption};
use sanderling_tests::peer::{Below, Certificates, Cut, Link};
use socket2::{Domain, Socket, Type};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// How long the broker may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    /// A socket that is connected.
    pub(crate) fn open(&self) -> Socket {
        self.open_from(None)
    }

    /// The same from another address of this machine, which has ports of its own.
    pub(crate) fn open_from(&self, own: Option<Ipv4Addr>) -> Socket {
        let socket = match self {
            Self::Tcp(address) => {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
                if let Some(own) = own {
                    let own = SocketAddr::from((own, 0));
                    socket.bind(&own.into()).expect("a port");
                }
                socket.connect(&(*address).into()).expect("a connection");
                socket.set_tcp_nodelay(true).expect("a socket option");
                socket
            }
            Self::Unix(path) => {
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
                let address = socket2::SockAddr::unix(path).expect("a path");
                socket.connect(&address).expect("a connection");
                socket
            }
        };
        let set = socket.set_read_timeout(Some(PATIENCE));
        set.expect("a socket option");
        socket
    }

    /// Connects up to CONNACK, without keep alive.
    pub(crate) fn connect(&self, below: Below, client_id: &str) -> Client {
        let mut client = Client {
            socket: self.open(),
            link: Link::with(below, Cut::default(), full_handshakes()),
        };
        let id_len = u8::try_from(client_id.len()).expect("a short identifier");
        let mut connect = vec![0x10, 12 + id_len, 0, 4];
        connect.extend_from_slice(b"MQTT\x04\x02\x00\x00\x00");
        connect.push(id_len);
        connect.extend_from_slice(client_id.as_bytes());
        assert_eq!(client.ask(&connect, 4), [0x20, 2, 0, 0]);
        client
    }
}

pub(crate) struct Client {
    pub(crate) socket: Socket,
    link: Link,
}

impl Client {
    /// Sends bytes and awaits an answer of this length.
    pub(crate) fn ask(&mut self, bytes: &[u8], len: usize) -> Vec<u8> {
        self.link.send(bytes);
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let wire = self.link.take_wire();
            self.socket.write_all(&wire).expect("the broker reads");
            answer.extend(self.link.take_plain());
            if answer.len() >= len {
                return answer;
            }
            let read = self.socket.read(&mut buffer).expect("the broker answers");
            assert_ne!(read, 0, "the broker closed");
            self.link.receive(&buffer[..read]).expect("it is right");
        }
    }
}

/// TLS that resumes no session.
pub(crate) fn full_handshakes() -> Arc<ClientConfig> {
    static ONCE: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let config = ONCE.get_or_init(|| {
        let mut config = ClientConfig::clone(&Certificates::get().client_config(None));
        config.resumption = Resumption::disabled();
        Arc::new(config)
    });
    Arc::clone(config)
}
