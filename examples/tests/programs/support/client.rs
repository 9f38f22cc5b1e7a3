//! An MQTT client that waits for each answer, over whatever a listener's URL says.

use super::DEADLINE;
use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromServer},
    packet::{
        Ack, ClientPacket, Connect, PacketId, Properties, Publish, QoS, ServerPacket, Subscribe,
        SubscribeEntry, SubscribeOptions, Version,
    },
    reason::ReasonCode,
    topic::TopicFilter,
};
use sanderling_tests::peer::{Below, Cut, Link};
use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
};

/// Who connects.
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) version: Version,
    pub(crate) client_id: &'a str,
    pub(crate) user: Option<(&'a str, &'a str)>,
}

impl<'a> Who<'a> {
    /// A 5.0 client without a user name.
    pub(crate) fn new(client_id: &'a str) -> Self {
        Self {
            version: Version::V5,
            client_id,
            user: None,
        }
    }
}

/// A message that came.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

impl Message {
    /// With its packet identifier.
    fn of(publish: &Publish<'_>) -> (Self, Option<PacketId>) {
        let message = Self {
            topic: publish.topic.into(),
            payload: String::from_utf8_lossy(publish.payload).into(),
            qos: publish.qos,
            retain: publish.retain,
        };
        (message, publish.packet_id)
    }
}

/// A connection that is accepted.
pub(crate) struct Client {
    stream: TcpStream,
    link: Link,
    version: Version,
    decoder: FromServer,
    bytes: Vec<u8>,
    /// The length of the packet that was looked at last, at the beginning of `bytes`.
    taken: usize,
    /// Came before an answer that was waited for.
    messages: VecDeque<Message>,
    /// What CONNACK says of the longest keep alive and packet.
    pub(crate) keep_alive_s: Option<u16>,
    pub(crate) packet_bytes_max: Option<u32>,
}

impl Client {
    /// Connects to a listener. It is accepted.
    #[track_caller]
    pub(crate) fn connect(url: &str, who: Who<'_>) -> Self {
        let outcome = Self::try_connect(url, who);
        outcome.unwrap_or_else(|reason| panic!("{}: {reason}", who.client_id))
    }

    /// The same, or why it is refused.
    #[track_caller]
    pub(crate) fn try_connect(url: &str, who: Who<'_>) -> Result<Self, ReasonCode> {
        let mut client = Self::open(url, who.version);
        client.send(&ClientPacket::Connect(Box::new(Connect {
            version: who.version,
            client_id: who.client_id,
            clean_start: true,
            keep_alive_s: 3600,
            username: who.user.map(|(name, _)| name),
            password: who.user.map(|(_, password)| password.as_bytes()),
            will: None,
            properties: Properties::EMPTY,
        })));
        let (reason, keep_alive_s, packet_bytes_max) = client.answer(|packet| match packet {
            ServerPacket::ConnAck(connack) => (
                connack.reason,
                connack.properties.server_keep_alive(),
                connack.properties.maximum_packet_size(),
            ),
            other => panic!("not CONNACK but {other:?}"),
        });
        client.keep_alive_s = keep_alive_s;
        client.packet_bytes_max = packet_bytes_max;
        match reason {
            ReasonCode::SUCCESS => Ok(client),
            reason => Err(reason),
        }
    }

    fn open(url: &str, version: Version) -> Self {
        let (scheme, place) = url.split_once("://").unwrap();
        let below = match scheme {
            "mqtt" => Below::Nothing,
            "mqtts" => Below::Tls,
            "ws" => Below::WebSocket,
            "wss" => Below::Both,
            other => panic!("{other}"),
        };
        let stream = TcpStream::connect(place.split('/').next().unwrap()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let limits = DecodeLimits {
            first_packet_bytes_max: u32::MAX,
            packet_bytes_max: u32::MAX,
        };
        Self {
            stream,
            link: Link::new(below, Cut::default()),
            version,
            decoder: FromServer::new(version, limits),
            bytes: Vec::new(),
            taken: 0,
            messages: VecDeque::new(),
            keep_alive_s: None,
            packet_bytes_max: None,
        }
    }

    /// Subscribes to one filter; what SUBACK says.
    pub(crate) fn subscribe(&mut self, filter: &str, qos: QoS) -> u8 {
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
        self.answer(|packet| match packet {
            ServerPacket::SubAck(suback) => suback.codes.0[0],
            other => panic!("not SUBACK but {other:?}"),
        })
    }

    /// Publishes; what PUBACK or PUBREC says.
    pub(crate) fn publish(&mut self, topic: &str, payload: &str, qos: QoS) -> ReasonCode {
        self.send(&ClientPacket::Publish(Publish {
            topic,
            payload: payload.as_bytes(),
            qos,
            retain: false,
            dup: false,
            packet_id: (qos != QoS::AtMostOnce).then_some(PacketId::MIN),
            properties: Properties::EMPTY,
        }));
        if qos == QoS::AtMostOnce {
            return ReasonCode::SUCCESS;
        }
        self.answer(|packet| match packet {
            ServerPacket::PubAck(ack) | ServerPacket::PubRec(ack) => ack.reason,
            other => panic!("not PUBACK but {other:?}"),
        })
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn message(&mut self) -> Message {
        if let Some(message) = self.messages.pop_front() {
            return message;
        }
        let received = self.receive(|packet| match packet {
            ServerPacket::Publish(publish) => Message::of(&publish),
            other => panic!("not PUBLISH but {other:?}"),
        });
        self.take(received.expect("a message"))
    }

    /// What `look` makes of the next packet that is no message; messages before it are kept.
    #[track_caller]
    fn answer<R>(&mut self, look: impl Fn(ServerPacket<'_>) -> R) -> R {
        loop {
            let received = self.receive(|packet| match packet {
                ServerPacket::Publish(publish) => Err(Message::of(&publish)),
                answer => Ok(look(answer)),
            });
            match received.expect("an answer") {
                Ok(answer) => return answer,
                Err(received) => {
                    let message = self.take(received);
                    self.messages.push_back(message);
                }
            }
        }
    }

    /// Acknowledges a message if that is asked for.
    fn take(&mut self, (message, id): (Message, Option<PacketId>)) -> Message {
        if let Some(id) = id {
            self.send(&ClientPacket::PubAck(Ack::success(id)));
        }
        message
    }

    /// Waits until the broker has closed the connection; what DISCONNECT said, if there was one.
    #[track_caller]
    pub(crate) fn end(mut self) -> Option<ReasonCode> {
        let said = self.receive(|packet| match packet {
            ServerPacket::Disconnect(disconnect) => disconnect.reason,
            other => panic!("not the end but {other:?}"),
        })?;
        let more = self.receive(|packet| format!("{packet:?}"));
        assert_eq!(more, None);
        Some(said)
    }

    fn send(&mut self, packet: &ClientPacket<'_>) {
        let mut bytes = Vec::new();
        packet.encode(self.version, &mut bytes).unwrap();
        self.link.send(&bytes);
        self.flush();
    }

    fn flush(&mut self) {
        let wire = self.link.take_wire();
        self.stream.write_all(&wire).unwrap();
    }

    /// What `look` makes of the next packet; none at the end of the connection.
    #[track_caller]
    fn receive<R>(&mut self, look: impl FnOnce(ServerPacket<'_>) -> R) -> Option<R> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        loop {
            if let Decoded::Packet { packet, len } = self.decoder.decode(&self.bytes).unwrap() {
                self.taken = len;
                return Some(look(packet));
            }
            let mut wire = [0; 1 << 14];
            match self.stream.read(&mut wire) {
                Ok(0) => return None,
                Ok(len) => self.link.receive(&wire[..len]).unwrap(),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing came: {error}"),
            }
            self.bytes.extend(self.link.take_plain());
            self.flush();
        }
    }
}
