//! A client that speaks TLS or WebSocket below MQTT, and does nothing by itself.

use super::client::Received;
use rustls::ClientConfig;
use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromServer},
    packet::{
        ClientPacket, Connect, PacketId, Properties, Publish, QoS, Subscribe, SubscribeEntry,
        SubscribeOptions, Version,
    },
    topic::TopicFilter,
};
use sanderling_tests::peer::{Below, Cut, Link};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

/// A test that waits longer than this for a packet has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Layered {
    pub(crate) stream: TcpStream,
    pub(crate) link: Link,
    decoder: FromServer,
    bytes: Vec<u8>,
}

impl Layered {
    /// A network connection, and whatever handshakes there are.
    pub(crate) fn open(address: SocketAddr, below: Below) -> Self {
        Self::cut(address, below, Cut::default())
    }

    /// The same, with its frames cut like this.
    pub(crate) fn cut(address: SocketAddr, below: Below, cut: Cut) -> Self {
        Self::over(address, Link::new(below, cut))
    }

    /// The same with this TLS configuration.
    pub(crate) fn with(address: SocketAddr, below: Below, config: Arc<ClientConfig>) -> Self {
        Self::over(address, Link::with(below, Cut::default(), config))
    }

    fn over(address: SocketAddr, link: Link) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let limits = DecodeLimits {
            first_packet_bytes_max: u32::MAX,
            packet_bytes_max: u32::MAX,
        };
        let mut layered = Self {
            stream,
            link,
            decoder: FromServer::new(Version::V311, limits),
            bytes: Vec::new(),
        };
        layered.flush();
        while !layered.link.is_open() {
            assert!(layered.read(), "closed during a handshake");
        }
        layered
    }

    /// Connects as a 3.1.1 client; the session stays if it is not clean.
    pub(crate) fn connect(&mut self, client_id: &str, clean_start: bool) -> Received {
        self.send(&ClientPacket::Connect(Box::new(Connect {
            version: Version::V311,
            client_id,
            clean_start,
            keep_alive_s: 60,
            username: None,
            password: None,
            will: None,
            properties: Properties::EMPTY,
        })));
        self.receive()
    }

    pub(crate) fn subscribe(&mut self, filter: &str) {
        self.send(&ClientPacket::Subscribe(Box::new(Subscribe {
            packet_id: PacketId::MIN,
            entries: vec![SubscribeEntry {
                filter: TopicFilter::parse(filter).unwrap(),
                options: SubscribeOptions::default(),
            }],
            properties: Properties::EMPTY,
        })));
        assert_eq!(self.receive(), Received::SubAck(vec![0]));
    }

    pub(crate) fn publish(&mut self, topic: &str, payload: &[u8]) {
        self.send(&ClientPacket::Publish(Publish {
            topic,
            payload,
            qos: QoS::AtMostOnce,
            retain: false,
            dup: false,
            packet_id: None,
            properties: Properties::EMPTY,
        }));
    }

    pub(crate) fn send(&mut self, packet: &ClientPacket<'_>) {
        let mut bytes = Vec::new();
        packet.encode(Version::V311, &mut bytes).unwrap();
        self.link.send(&bytes);
        self.flush();
    }

    /// Writes what the layers have for the broker.
    pub(crate) fn flush(&mut self) {
        let wire = self.link.take_wire();
        self.stream.write_all(&wire).unwrap();
    }

    /// The next packet.
    pub(crate) fn receive(&mut self) -> Received {
        loop {
            if let Decoded::Packet { packet, len } = self.decoder.decode(&self.bytes).unwrap() {
                let received = Received::from(packet);
                self.bytes.drain(..len);
                return received;
            }
            if !self.read() {
                return Received::Closed;
            }
        }
    }

    pub(crate) fn receive_payload(&mut self) -> Vec<u8> {
        match self.receive() {
            Received::Publish { payload, .. } => payload,
            other => panic!("a PUBLISH was expected, not {other:?}"),
        }
    }

    /// Whether anything came.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let len = self.stream.read(&mut buffer).unwrap();
        self.link.receive(&buffer[..len]).unwrap();
        self.bytes.extend(self.link.take_plain());
        self.flush();
        len > 0
    }
}
