//! The engine that all drivers share, over sockets made of memory: everything but the kernel.

use sanderling_core::{
    config::Config,
    hooks::HookChain,
    id::ConnId,
    packet::{
        Ack, ClientPacket, Connect, Disconnect, PacketId, Properties, Publish, QoS, Subscribe,
        SubscribeEntry, SubscribeOptions, Version,
    },
    reason::ReasonCode,
    topic::TopicFilter,
};
use sanderling_runtime::{
    Engine, Inbox, Listener, Transport, Wake, WebSocketOptions,
    engine::{Answerers, READ_BUFFER_BYTES, Socket},
};
use std::{
    cell::RefCell,
    io::{self, ErrorKind, IoSlice},
    rc::Rc,
};

/// Both ends of a connection.
#[derive(Default)]
pub(crate) struct Wire {
    sent: Vec<u8>,
    /// What was written last; what was written before is forgotten.
    received: Vec<u8>,
}

impl Wire {
    /// One that need not grow.
    pub(crate) fn roomy() -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            sent: Vec::with_capacity(256),
            received: Vec::with_capacity(256),
        }))
    }
}

struct Memory(Rc<RefCell<Wire>>);

impl Socket for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        let len = wire.sent.len();
        if len == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        buffer[..len].copy_from_slice(&wire.sent);
        wire.sent.clear();
        Ok(len)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        wire.received.clear();
        slices
            .iter()
            .for_each(|slice| wire.received.extend_from_slice(slice));
        Ok(wire.received.len())
    }

    fn shut_down_writing(&mut self) {}
}

struct Nobody;

impl Wake for Nobody {
    fn wake(&self) {}
}

/// What a client sends to speak WebSocket.
const UPGRADE: &[u8] = b"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
/// The listeners of a [`World`].
const PLAIN: u16 = 0;
const WEBSOCKET: u16 = 1;
/// The header of a frame of the broker that is shorter than 126 bytes.
const HEADER_BYTES: usize = 2;

/// A broker and its connections.
pub(crate) struct World {
    engine: Engine<Memory>,
    buffer: Box<[u8]>,
}

/// The client's end of a connection.
pub(crate) struct Peer {
    conn: ConnId,
    wire: Rc<RefCell<Wire>>,
    version: Version,
    /// It speaks WebSocket.
    is_framed: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        let inbox = Inbox::new();
        inbox.attach(Nobody);
        let (hooks, answerers) = (HookChain::new(), Answerers::default());
        let websocket = Listener::tcp("").websocket(WebSocketOptions::default());
        let websocket = websocket.transport().expect("it has no files");
        let transports = vec![Transport::default(), websocket];
        let engine = Engine::of_parts(Config::default(), hooks, answerers, transports, inbox);
        Self {
            engine: engine.expect("the system has a source of randomness"),
            buffer: vec![0; READ_BUFFER_BYTES].into(),
        }
    }

    /// A network connection on which nothing was said yet.
    pub(crate) fn open(&mut self, version: Version) -> Peer {
        self.open_on(Rc::default(), version)
    }

    /// The same on this wire.
    pub(crate) fn open_on(&mut self, wire: Rc<RefCell<Wire>>, version: Version) -> Peer {
        self.open_at(PLAIN, wire, version)
    }

    fn open_at(&mut self, listener: u16, wire: Rc<RefCell<Wire>>, version: Version) -> Peer {
        let conn = self.engine.open(Memory(wire.clone()), listener, None);
        Peer {
            conn,
            wire,
            version,
            is_framed: false,
        }
    }

    /// A client with a new session.
    pub(crate) fn connect(&mut self, version: Version, client_id: &str) -> Peer {
        let peer = self.open(version);
        self.join(peer, client_id)
    }

    /// The same over WebSocket.
    pub(crate) fn connect_framed(&mut self, version: Version, client_id: &str) -> Peer {
        let mut peer = self.open_at(WEBSOCKET, Rc::default(), version);
        peer.send_bytes(UPGRADE);
        self.turn(&peer);
        assert_eq!(peer.first_byte(), b'H', "HTTP/1.1 101");
        peer.is_framed = true;
        self.join(peer, client_id)
    }

    fn join(&mut self, peer: Peer, client_id: &str) -> Peer {
        let version = peer.version;
        peer.send(&connect(version, client_id, true));
        self.turn(&peer);
        assert_eq!(peer.first_byte(), 0x20, "CONNACK");
        peer
    }

    pub(crate) fn subscribe(&mut self, peer: &Peer, filter: &str, qos: QoS) {
        peer.send(&subscribe(filter, qos));
        self.turn(peer);
        assert_eq!(peer.first_byte(), 0x90, "SUBACK");
    }

    /// A whole turn in which one connection is readable.
    pub(crate) fn turn(&mut self, peer: &Peer) {
        self.engine.begin_turn();
        self.engine.pull(peer.conn, &mut self.buffer);
        self.engine.settle();
    }

    /// From bytes that were read to frames in outboxes; nothing is written.
    pub(crate) fn receive(&mut self, peer: &Peer, bytes: &mut [u8]) {
        assert!(self.engine.receive(peer.conn, bytes), "it is not held");
    }

    /// Ends a turn: what waits in outboxes is written.
    pub(crate) fn settle(&mut self) {
        self.engine.settle();
    }

    /// Ends a session and its connection.
    pub(crate) fn disconnect(&mut self, peer: &Peer) {
        peer.send(&ClientPacket::Disconnect(Disconnect {
            reason: ReasonCode::SUCCESS,
            properties: Properties::EMPTY,
        }));
        self.turn(peer);
    }
}

impl Peer {
    /// What the socket of the broker will read.
    pub(crate) fn send(&self, packet: &ClientPacket<'_>) {
        self.send_bytes(&encoded(self.version, packet));
    }

    pub(crate) fn send_bytes(&self, bytes: &[u8]) {
        let sent = &mut self.wire.borrow_mut().sent;
        if self.is_framed {
            // Masked with zeros, which alter nothing.
            let len = u8::try_from(bytes.len()).expect("a short frame");
            assert!(len < 126, "its length stands in one byte");
            sent.extend_from_slice(&[0x82, 0x80 | len, 0, 0, 0, 0]);
        }
        sent.extend_from_slice(bytes);
    }

    /// The first byte of what the broker wrote last.
    pub(crate) fn first_byte(&self) -> u8 {
        let wire = self.wire.borrow();
        let at = if self.is_framed { HEADER_BYTES } else { 0 };
        wire.received.get(at).copied().expect("the broker wrote")
    }

    /// The packet identifier of the PUBLISH, of less than 128 bytes, that the broker wrote last.
    pub(crate) fn packet_id(&self) -> PacketId {
        let wire = self.wire.borrow();
        let topic = usize::from(u16::from_be_bytes([wire.received[2], wire.received[3]]));
        let id = [wire.received[4 + topic], wire.received[5 + topic]];
        PacketId::new(u16::from_be_bytes(id)).expect("a packet identifier is not 0")
    }

    /// What a receiver answers to the packets that the broker wrote last, each of less than 128 bytes: PUBLISH packets or
    /// acknowledgements.
    pub(crate) fn answers(&self) -> Vec<u8> {
        let wire = self.wire.borrow();
        let (mut rest, mut answers) = (&wire.received[..], Vec::new());
        while let [first, len, ..] = *rest {
            let (packet, after) = rest.split_at(2 + usize::from(len));
            let topic = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
            let (answer, id_at) = match first {
                0x32 => ([0x40, 2], 4 + topic),
                0x34 => ([0x50, 2], 4 + topic),
                0x50 => ([0x62, 2], 2),
                0x62 => ([0x70, 2], 2),
                first => panic!("a packet that begins with {first:#x} is not answered"),
            };
            answers.extend(answer);
            answers.extend(&packet[id_at..id_at + 2]);
            rest = after;
        }
        answers
    }
}

pub(crate) fn encoded(version: Version, packet: &ClientPacket<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet
        .encode(version, &mut bytes)
        .expect("a well-formed packet");
    bytes
}

pub(crate) fn connect(version: Version, client_id: &str, clean_start: bool) -> ClientPacket<'_> {
    ClientPacket::Connect(Box::new(Connect {
        version,
        client_id,
        clean_start,
        keep_alive_s: 60,
        username: None,
        password: None,
        will: None,
        properties: Properties::EMPTY,
    }))
}

pub(crate) fn subscribe(filter: &str, qos: QoS) -> ClientPacket<'_> {
    let options = SubscribeOptions {
        qos,
        ..SubscribeOptions::default()
    };
    let filter = TopicFilter::parse(filter).expect("a topic filter");
    ClientPacket::Subscribe(Box::new(Subscribe {
        packet_id: PacketId::MIN,
        entries: vec![SubscribeEntry { filter, options }],
        properties: Properties::EMPTY,
    }))
}

pub(crate) fn publish<'a>(topic: &'a str, payload: &'a [u8], qos: QoS) -> Publish<'a> {
    Publish {
        topic,
        payload,
        qos,
        retain: false,
        dup: false,
        packet_id: (qos != QoS::AtMostOnce).then_some(PacketId::MIN),
        properties: Properties::EMPTY,
    }
}

pub(crate) const fn ack(packet_id: PacketId) -> Ack<'static> {
    Ack {
        packet_id,
        reason: ReasonCode::SUCCESS,
        properties: Properties::EMPTY,
    }
}
