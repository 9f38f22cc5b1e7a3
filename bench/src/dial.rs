//! Opening connections: blocking, from the socket to CONNACK and SUBACK. After that a [`Link`] belongs to the poll.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Protocol, Socket, Type};

use crate::channel::{Channel, Layer, Transport};
use crate::failure::Failure;
use crate::link::Link;
use crate::plan::Plan;
use crate::tls;
use crate::websocket::WebSocket;
use crate::wire::{self, Connack, Frame, Login, Version, packet_type};

/// How long a broker may take for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// The receive buffer of a client that does not read; the kernel makes it somewhat larger.
const SMALL_BUFFER_BYTES: usize = 4096;
/// Short segments keep the send buffer on the broker's side small too: the kernel sizes it by them.
const SMALL_SEGMENT_BYTES: u32 = 536;

/// How the clients of a run connect.
pub(crate) struct Dialer {
    address: SocketAddr,
    version: Version,
    transport: Transport,
    login: Option<Login>,
    tls: Option<Arc<ClientConfig>>,
}

impl Dialer {
    pub(crate) fn new(plan: &Plan, address: SocketAddr) -> Result<Self, Failure> {
        let tls = (plan.transport == Transport::Tls).then(tls::client_config);
        let tls = tls
            .transpose()
            .map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(Self {
            address,
            version: plan.version,
            transport: plan.transport,
            login: plan.login.clone(),
            tls,
        })
    }

    /// Connects and sends CONNECT with a clean session.
    pub(crate) fn dial(&self, client_id: &str) -> Result<(Caller, Connack), Failure> {
        self.greet(client_id, TcpStream::connect(self.address))
    }

    /// The same with buffers as small as the kernel makes them, for a client that will not read.
    pub(crate) fn dial_small(&self, client_id: &str) -> Result<Caller, Failure> {
        let connect = || {
            let domain = Domain::for_address(self.address);
            let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
            socket.set_recv_buffer_size(SMALL_BUFFER_BYTES)?;
            socket.set_tcp_mss(SMALL_SEGMENT_BYTES)?;
            socket.connect(&self.address.into())?;
            Ok(socket.into())
        };
        let (caller, _) = self.greet(client_id, connect())?;
        Ok(caller)
    }

    fn greet(
        &self,
        client_id: &str,
        socket: io::Result<TcpStream>,
    ) -> Result<(Caller, Connack), Failure> {
        let doing = |what: &str| format!("{what} of client {client_id} to {}", self.address);
        let socket = socket.map_err(Failure::io(doing("connection")))?;
        let set = socket
            .set_nodelay(true)
            .and_then(|()| socket.set_read_timeout(Some(ANSWER_MAX)));
        set.map_err(Failure::io(doing("socket options")))?;
        let channel = self
            .cover(socket)
            .map_err(Failure::io(doing("handshake")))?;
        let mut caller = Caller {
            channel,
            received: Vec::new(),
            version: self.version,
            client_id: client_id.into(),
        };
        caller.send(
            "CONNECT",
            &wire::encode_connect(self.version, client_id, self.login.as_ref()),
        )?;
        let version = self.version;
        let connack = caller.answer("CONNACK", packet_type::CONNACK, |frame| {
            wire::connack(frame, version)
        })?;
        match connack.code {
            0 => Ok((caller, connack)),
            code => Err(Failure::Broker(format!(
                "client {client_id}: CONNACK says {code:#04x}"
            ))),
        }
    }

    /// Puts the plan's layer on top of a socket, and waits for its handshake.
    fn cover(&self, mut socket: TcpStream) -> io::Result<Channel<TcpStream>> {
        let layer = match (self.transport, &self.tls) {
            (Transport::Ws, _) => {
                let host = self.address.to_string();
                Layer::WebSocket(Box::new(WebSocket::open(&mut socket, &host)?))
            }
            (Transport::Tls, Some(config)) => {
                let name = ServerName::from(self.address.ip());
                let tls = ClientConnection::new(Arc::clone(config), name);
                let mut tls = tls.map_err(io::Error::other)?;
                while tls.is_handshaking() {
                    tls.complete_io(&mut socket)?;
                }
                Layer::Tls(Box::new(tls))
            }
            (Transport::Tcp | Transport::Tls, _) => Layer::Plain,
        };
        Ok(Channel::new(socket, layer))
    }
}

/// A connected client that still waits for each answer.
pub(crate) struct Caller {
    channel: Channel<TcpStream>,
    /// What has come behind the last answer.
    received: Vec<u8>,
    version: Version,
    client_id: String,
}

impl Caller {
    /// Subscribes to `filters` and insists on being granted `qos`.
    pub(crate) fn subscribe(&mut self, filters: &[String], qos: u8) -> Result<(), Failure> {
        if filters.is_empty() {
            return Ok(());
        }
        let version = self.version;
        self.send("SUBSCRIBE", &wire::encode_subscribe(version, filters, qos))?;
        let codes = self.answer("SUBACK", packet_type::SUBACK, |frame| {
            wire::suback_codes(frame, version).map(<[u8]>::to_vec)
        })?;
        match codes.len() == filters.len() && codes.iter().all(|code| *code == qos) {
            true => Ok(()),
            false => Err(Failure::Broker(format!(
                "client {}: asked for {} filters at QoS {qos}, SUBACK grants {codes:?}",
                self.client_id,
                filters.len()
            ))),
        }
    }

    /// Waits until the broker has taken everything sent before.
    pub(crate) fn ping(&mut self) -> Result<(), Failure> {
        self.send("PINGREQ", &wire::PINGREQ)?;
        self.answer("PINGRESP", packet_type::PINGRESP, |_| Ok(()))
    }

    /// Writes, and waits until the kernel has all of it.
    pub(crate) fn send(&mut self, what: &str, bytes: &[u8]) -> Result<(), Failure> {
        let doing = || format!("{what} of client {}", self.client_id);
        self.channel.write_all(bytes).map_err(Failure::io(doing()))
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// How long [`receive`](Self::receive) waits.
    pub(crate) fn wait_at_most(&mut self, time: Duration) -> Result<(), Failure> {
        let set = self.channel.socket_mut().set_read_timeout(Some(time));
        set.map_err(Failure::io("socket options"))
    }

    /// Waits for bytes and keeps them for [`take_frames`](Self::take_frames). `WouldBlock` when none come.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        match self.channel.read(buffer)? {
            0 => Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "the broker closed",
            )),
            count => {
                self.received.extend_from_slice(&buffer[..count]);
                Ok(())
            }
        }
    }

    /// Takes all whole packets that came.
    pub(crate) fn take_frames(
        &mut self,
        mut take: impl FnMut(Frame<'_>) -> Result<(), String>,
    ) -> Result<(), Failure> {
        let wrong = |what: String| Failure::Broker(format!("client {}: {what}", self.client_id));
        let mut taken = 0;
        while let Some(frame) =
            wire::next_frame(&self.received[taken..]).map_err(|error| wrong(error.to_string()))?
        {
            taken += frame.length;
            take(frame).map_err(wrong)?;
        }
        self.received.drain(..taken);
        Ok(())
    }

    /// Gives the connection to a poll.
    pub(crate) fn into_link(self) -> Result<Link, Failure> {
        let mut channel = self.channel;
        let doing = || format!("socket options of client {}", self.client_id);
        channel
            .socket_mut()
            .set_nonblocking(true)
            .map_err(Failure::io(doing()))?;
        Ok(Link::new(
            channel.map(mio::net::TcpStream::from_std),
            self.received,
        ))
    }

    /// Waits for a packet of one type; what comes behind it is kept.
    fn answer<T>(
        &mut self,
        what: &str,
        wanted: u8,
        read: impl Fn(Frame<'_>) -> Result<T, wire::WireError>,
    ) -> Result<T, Failure> {
        let invalid = |what: String| io::Error::new(ErrorKind::InvalidData, what);
        let (channel, received) = (&mut self.channel, &mut self.received);
        let mut wait = || loop {
            let frame = wire::next_frame(received).map_err(|error| invalid(error.to_string()))?;
            if let Some(frame) = frame {
                if frame.packet_type() != wanted {
                    let other = frame.packet_type();
                    return Err(invalid(format!("the broker sent packet type {other}")));
                }
                let answer = read(frame).map_err(|error| invalid(error.to_string()))?;
                let length = frame.length;
                received.drain(..length);
                return Ok(answer);
            }
            let mut chunk = [0; 4096];
            match channel.read(&mut chunk) {
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
        };
        wait().map_err(Failure::io(format!("{what} of client {}", self.client_id)))
    }
}
