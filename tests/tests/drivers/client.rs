//! A client that writes and reads packets and does nothing by itself.

use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromServer},
    packet::{
        Ack, ClientPacket, Connect, Disconnect, PacketId, Properties, Publish, QoS, ServerPacket,
        Subscribe, SubscribeEntry, SubscribeOptions, Version,
    },
    reason::ReasonCode,
    topic::TopicFilter,
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A test that waits longer than this for a packet has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    version: Version,
    decoder: FromServer,
    bytes: Vec<u8>,
    taken: usize,
}

/// What the broker sent, as far as tests look at it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Received {
    ConnAck(ReasonCode),
    Publish {
        topic: String,
        payload: Vec<u8>,
        qos: QoS,
        id: u16,
    },
    PubAck(u16),
    PubRec(u16),
    PubRel(u16),
    PubComp(u16),
    SubAck(Vec<u8>),
    PingResp,
    Disconnect(ReasonCode),
    Other(String),
    Closed,
}

impl Client {
    /// A network connection, nothing more.
    pub(crate) fn open(address: SocketAddr, version: Version) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let limits = DecodeLimits {
            first_packet_bytes_max: u32::MAX,
            packet_bytes_max: u32::MAX,
        };
        Self {
            stream,
            version,
            decoder: FromServer::new(version, limits),
            bytes: Vec::new(),
            taken: 0,
        }
    }

    /// A client with a new session.
    pub(crate) fn connect(address: SocketAddr, client_id: &str) -> Self {
        let mut client = Self::open(address, Version::V5);
        client.say_connect(client_id);
        assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
        client
    }

    pub(crate) fn say_connect(&mut self, client_id: &str) {
        self.send(&ClientPacket::Connect(Box::new(Connect {
            version: self.version,
            client_id,
            clean_start: true,
            keep_alive_s: 60,
            username: None,
            password: None,
            will: None,
            properties: Properties::EMPTY,
        })));
    }

    pub(crate) fn subscribe(&mut self, filter: &str, qos: QoS) {
        self.send(&ClientPacket::Subscribe(Box::new(Subscribe {
            packet_id: PacketId::MIN,
            entries: vec![SubscribeEntry {
                filter: TopicFilter::parse(filter).unwrap(),
                options: SubscribeOptions {
                    qos,
                    ..SubscribeOptions::default()
                },
            }],
            properties: Properties::EMPTY,
        })));
        assert_eq!(self.receive(), Received::SubAck(vec![qos as u8]));
    }

    /// `id` is ignored with QoS 0.
    pub(crate) fn publish(&mut self, topic: &str, payload: &[u8], qos: QoS, id: u16) {
        let bytes = publish(self.version, topic, payload, qos, id);
        self.stream.write_all(&bytes).unwrap();
    }

    pub(crate) fn ack(&mut self, make: fn(Ack<'static>) -> ClientPacket<'static>, id: u16) {
        self.send(&make(Ack::success(PacketId::new(id).unwrap())));
    }

    pub(crate) fn disconnect(&mut self) {
        self.send(&ClientPacket::Disconnect(Disconnect {
            reason: ReasonCode::SUCCESS,
            properties: Properties::EMPTY,
        }));
    }

    /// Waits until the broker has handled everything sent so far.
    pub(crate) fn barrier(&mut self) {
        self.send(&ClientPacket::PingReq);
        assert_eq!(self.receive(), Received::PingResp);
    }

    pub(crate) fn send(&mut self, packet: &ClientPacket<'_>) {
        let mut bytes = Vec::new();
        packet.encode(self.version, &mut bytes).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    /// The next packet.
    pub(crate) fn receive(&mut self) -> Received {
        loop {
            match self.decoder.decode(&self.bytes[self.taken..]).unwrap() {
                Decoded::Packet { packet, len } => {
                    let received = Received::from(packet);
                    self.taken += len;
                    return received;
                }
                Decoded::Need(_) => {}
            }
            self.bytes.drain(..self.taken);
            self.taken = 0;
            let mut buffer = [0; 1 << 16];
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    assert!(self.bytes.is_empty(), "closed inside a packet");
                    return Received::Closed;
                }
                Ok(len) => self.bytes.extend_from_slice(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return Received::Closed;
                }
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    /// The payload of the next packet, which is a PUBLISH.
    pub(crate) fn receive_payload(&mut self) -> Vec<u8> {
        match self.receive() {
            Received::Publish { payload, .. } => payload,
            other => panic!("a PUBLISH was expected, not {other:?}"),
        }
    }
}

/// An encoded PUBLISH.
pub(crate) fn publish(version: Version, topic: &str, payload: &[u8], qos: QoS, id: u16) -> Vec<u8> {
    let packet = ClientPacket::Publish(Publish {
        topic,
        payload,
        qos,
        retain: false,
        dup: false,
        packet_id: (qos != QoS::AtMostOnce).then(|| PacketId::new(id).unwrap()),
        properties: Properties::EMPTY,
    });
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes).unwrap();
    bytes
}

impl From<ServerPacket<'_>> for Received {
    fn from(packet: ServerPacket<'_>) -> Self {
        match packet {
            ServerPacket::ConnAck(connack) => Self::ConnAck(connack.reason),
            ServerPacket::Publish(publish) => Self::Publish {
                topic: publish.topic.into(),
                payload: publish.payload.into(),
                qos: publish.qos,
                id: publish.packet_id.map_or(0, PacketId::get),
            },
            ServerPacket::PubAck(ack) => Self::PubAck(ack.packet_id.get()),
            ServerPacket::PubRec(ack) => Self::PubRec(ack.packet_id.get()),
            ServerPacket::PubRel(ack) => Self::PubRel(ack.packet_id.get()),
            ServerPacket::PubComp(ack) => Self::PubComp(ack.packet_id.get()),
            ServerPacket::SubAck(suback) => Self::SubAck(suback.codes.0.into()),
            ServerPacket::PingResp => Self::PingResp,
            ServerPacket::Disconnect(disconnect) => Self::Disconnect(disconnect.reason),
            packet => Self::Other(format!("{packet:?}")),
        }
    }
}
