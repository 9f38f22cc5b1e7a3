//! Sockets made of memory, and a broker behind them.

use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromServer},
    config::Config,
    hooks::HookChain,
    id::ConnId,
    packet::{
        ClientPacket, Connect, PacketId, Properties, Publish, QoS, ServerPacket, Subscribe,
        SubscribeEntry, SubscribeOptions, Version, Will,
    },
    topic::{TopicFilter, TopicName},
};
use sanderling_runtime::{
    Engine, Handle, Inbox, Wake,
    engine::{Answerers, Pulled, READ_BUFFER_BYTES, Socket},
};
use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice},
    rc::Rc,
};

pub(crate) const VERSION: Version = Version::V5;

/// Both ends of a connection.
#[derive(Default)]
pub(crate) struct Wire {
    /// What the peer sent.
    pub(crate) sent: VecDeque<u8>,
    /// The peer has closed its writing side.
    pub(crate) ended: bool,
    /// What the peer received.
    pub(crate) received: Vec<u8>,
    /// How many bytes the network takes yet.
    pub(crate) room: usize,
    /// Writing fails.
    pub(crate) reset: bool,
    pub(crate) shut_down: bool,
    pub(crate) dropped: bool,
    pub(crate) writes: usize,
}

pub(crate) struct Memory(Rc<RefCell<Wire>>);

impl Socket for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if wire.sent.is_empty() && !wire.ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        let len = buffer.len().min(wire.sent.len());
        for (place, byte) in buffer.iter_mut().zip(wire.sent.drain(..len)) {
            *place = byte;
        }
        Ok(len)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        wire.writes += 1;
        if wire.reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if wire.room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut taken = 0;
        for slice in slices {
            let len = slice.len().min(wire.room);
            wire.received.extend_from_slice(&slice[..len]);
            wire.room -= len;
            taken += len;
        }
        Ok(taken)
    }

    fn shut_down_writing(&mut self) {
        self.0.borrow_mut().shut_down = true;
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.borrow_mut().dropped = true;
    }
}

pub(crate) struct Nobody;

impl Wake for Nobody {
    fn wake(&self) {}
}

/// A broker and the table of the peers' ends.
pub(crate) struct World {
    pub(crate) engine: Engine<Memory>,
    pub(crate) handle: Handle,
    pub(crate) buffer: Box<[u8]>,
}

/// The peer's end of a connection.
pub(crate) struct Peer {
    pub(crate) conn: ConnId,
    pub(crate) wire: Rc<RefCell<Wire>>,
    pub(crate) decoder: FromServer,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let inbox = Inbox::new();
        inbox.attach(Nobody);
        let handle = Handle::new(inbox.clone());
        let (answerers, hooks) = (Answerers::default(), HookChain::new());
        let engine = Engine::of_parts(config, hooks, answerers, Vec::new(), inbox).unwrap();
        Self {
            engine,
            handle,
            buffer: vec![0; READ_BUFFER_BYTES].into(),
        }
    }

    pub(crate) fn open(&mut self) -> Peer {
        let wire = Rc::new(RefCell::new(Wire {
            room: usize::MAX,
            ..Wire::default()
        }));
        self.engine.begin_turn();
        let conn = self.engine.open(Memory(wire.clone()), 0, None);
        self.engine.settle();
        let limits = DecodeLimits {
            first_packet_bytes_max: u32::MAX,
            packet_bytes_max: u32::MAX,
        };
        Peer {
            conn,
            wire,
            decoder: FromServer::new(VERSION, limits),
        }
    }

    pub(crate) fn connect(&mut self, client_id: &str) -> Peer {
        let mut peer = self.open();
        peer.send(&connect(client_id));
        self.turn(&[&peer]);
        assert_eq!(peer.receive(), ["connack"]);
        peer
    }

    pub(crate) fn subscribe(&mut self, peer: &mut Peer, filter: &str, qos: QoS) {
        let entry = SubscribeEntry {
            filter: TopicFilter::parse(filter).unwrap(),
            options: SubscribeOptions {
                qos,
                ..SubscribeOptions::default()
            },
        };
        peer.send(&ClientPacket::Subscribe(Box::new(Subscribe {
            packet_id: PacketId::MIN,
            entries: vec![entry],
            properties: Properties::EMPTY,
        })));
        self.turn(&[&*peer]);
        assert_eq!(peer.receive(), ["suback"]);
    }

    /// One turn in which these have readiness.
    pub(crate) fn turn(&mut self, readable: &[&Peer]) -> Vec<Pulled> {
        self.engine.begin_turn();
        for _ in 0..self.engine.ready_len() {
            let conn = self.engine.next_ready().unwrap();
            self.engine.pull(conn, &mut self.buffer);
        }
        let pulled = readable
            .iter()
            .map(|peer| self.engine.pull(peer.conn, &mut self.buffer))
            .collect();
        self.engine.read_inbox();
        self.engine.settle();
        pulled
    }

    /// Turns until nothing is left to do at once.
    pub(crate) fn rest(&mut self) {
        while self.engine.sleep().is_some_and(|sleep| sleep.is_zero()) {
            self.turn(&[]);
        }
    }
}

impl Peer {
    pub(crate) fn send(&self, packet: &ClientPacket<'_>) {
        let mut bytes = Vec::new();
        packet.encode(VERSION, &mut bytes).unwrap();
        self.wire.borrow_mut().sent.extend(bytes);
    }

    /// The names of the packets received since the last call.
    pub(crate) fn receive(&mut self) -> Vec<&'static str> {
        let bytes = std::mem::take(&mut self.wire.borrow_mut().received);
        let mut rest = &bytes[..];
        let mut names = Vec::new();
        while let Decoded::Packet { packet, len } = self.decoder.decode(rest).unwrap() {
            rest = &rest[len..];
            names.push(match packet {
                ServerPacket::ConnAck(_) => "connack",
                ServerPacket::SubAck(_) => "suback",
                ServerPacket::Publish(_) => "publish",
                ServerPacket::PubAck(_) => "puback",
                ServerPacket::PingResp => "pingresp",
                ServerPacket::Disconnect(_) => "disconnect",
                _ => "other",
            });
        }
        // The rest of a packet that was cut comes first in the next call.
        self.wire.borrow_mut().received = rest.to_vec();
        names
    }
}

pub(crate) fn connect(client_id: &str) -> ClientPacket<'_> {
    ClientPacket::Connect(Box::new(Connect {
        version: VERSION,
        client_id,
        clean_start: true,
        keep_alive_s: 0,
        username: None,
        password: None,
        will: Some(Will {
            topic: TopicName::parse("will").unwrap(),
            payload: b"",
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Properties::EMPTY,
        }),
        properties: Properties::EMPTY,
    }))
}

pub(crate) fn message<'a>(topic: &'a str, payload: &'a [u8], qos: QoS) -> ClientPacket<'a> {
    ClientPacket::Publish(Publish {
        topic,
        payload,
        qos,
        retain: false,
        dup: false,
        packet_id: (qos != QoS::AtMostOnce).then_some(PacketId::MIN),
        properties: Properties::EMPTY,
    })
}
