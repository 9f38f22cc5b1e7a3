//! The engine with sockets made of memory: what a turn does, to the byte.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use sanderling_core::{
    broker::CloseCause,
    codec::{DecodeLimits, Decoded, FromServer},
    config::{Config, Limits},
    hooks::HookChain,
    id::ConnId,
    packet::{
        ClientPacket, Connect, Disconnect, PacketId, Properties, Publish, QoS, ServerPacket,
        Subscribe, SubscribeEntry, SubscribeOptions, Version, Will,
    },
    reason::ReasonCode,
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

const VERSION: Version = Version::V5;

/// Both ends of a connection.
#[derive(Default)]
struct Wire {
    /// What the peer sent.
    sent: VecDeque<u8>,
    /// The peer has closed its writing side.
    ended: bool,
    /// What the peer received.
    received: Vec<u8>,
    /// How many bytes the network takes yet.
    room: usize,
    /// Writing fails.
    reset: bool,
    shut_down: bool,
    dropped: bool,
    writes: usize,
}

struct Memory(Rc<RefCell<Wire>>);

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

struct Nobody;

impl Wake for Nobody {
    fn wake(&self) {}
}

/// A broker and the table of the peers' ends.
struct World {
    engine: Engine<Memory>,
    handle: Handle,
    buffer: Box<[u8]>,
}

/// The peer's end of a connection.
struct Peer {
    conn: ConnId,
    wire: Rc<RefCell<Wire>>,
    decoder: FromServer,
}

impl World {
    fn new(config: Config) -> Self {
        let inbox = Inbox::new(Nobody);
        let handle = Handle::new(inbox.clone());
        let answerers = Answerers::default();
        let engine = Engine::new(config, HookChain::new(), answerers, inbox).unwrap();
        Self {
            engine,
            handle,
            buffer: vec![0; READ_BUFFER_BYTES].into(),
        }
    }

    fn open(&mut self) -> Peer {
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

    fn connect(&mut self, client_id: &str) -> Peer {
        let mut peer = self.open();
        peer.send(&connect(client_id));
        self.turn(&[&peer]);
        assert_eq!(peer.receive(), ["connack"]);
        peer
    }

    fn subscribe(&mut self, peer: &mut Peer, filter: &str, qos: QoS) {
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
    fn turn(&mut self, readable: &[&Peer]) -> Vec<Pulled> {
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
    fn rest(&mut self) {
        while self.engine.sleep().is_some_and(|sleep| sleep.is_zero()) {
            self.turn(&[]);
        }
    }
}

impl Peer {
    fn send(&self, packet: &ClientPacket<'_>) {
        let mut bytes = Vec::new();
        packet.encode(VERSION, &mut bytes).unwrap();
        self.wire.borrow_mut().sent.extend(bytes);
    }

    /// The names of the packets received since the last call.
    fn receive(&mut self) -> Vec<&'static str> {
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

fn connect(client_id: &str) -> ClientPacket<'_> {
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

fn message<'a>(topic: &'a str, payload: &'a [u8], qos: QoS) -> ClientPacket<'a> {
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

#[test]
fn many_publishers_in_one_turn_cannot_overflow_a_reader_that_takes_everything() {
    let mut world = World::new(Config::default());
    let mut reader = world.connect("reader");
    world.subscribe(&mut reader, "t", QoS::AtMostOnce);
    let writers: Vec<_> = (0..60)
        .map(|n| world.connect(&format!("writer {n}")))
        .collect();
    // Each fills what a connection may read in a turn; together far more than one connection's output may be.
    let each = 1000;
    for writer in &writers {
        for _ in 0..each {
            writer.send(&message("t", &[0; 60], QoS::AtMostOnce));
        }
    }
    world.turn(&writers.iter().collect::<Vec<_>>());
    world.rest();
    assert_eq!(reader.receive().len(), writers.len() * each);
}

#[test]
fn a_peer_that_closes_its_side_at_once_gets_its_answers() {
    let mut world = World::new(Config::default());
    let mut peer = world.open();
    peer.send(&connect("half"));
    peer.send(&ClientPacket::PingReq);
    peer.wire.borrow_mut().ended = true;
    world.engine.read_to_the_end(peer.conn);
    world.turn(&[&peer]);
    assert_eq!(peer.receive(), ["connack", "pingresp"]);
    assert!(peer.wire.borrow().dropped);
}

#[test]
fn a_peer_that_closes_its_side_gets_the_reason_although_it_reads_slowly() {
    let mut world = World::new(Config::default());
    let mut peer = world.connect("wrong");
    peer.wire.borrow_mut().sent.extend([0, 0]);
    peer.wire.borrow_mut().ended = true;
    peer.wire.borrow_mut().room = 1;
    world.engine.read_to_the_end(peer.conn);
    world.turn(&[&peer]);
    world.rest();
    peer.wire.borrow_mut().room = usize::MAX;
    world.engine.writable(peer.conn);
    world.turn(&[]);
    assert_eq!(peer.receive(), ["disconnect"]);
    assert!(peer.wire.borrow().dropped);
}

#[test]
fn a_disconnect_is_read_although_writing_failed() {
    let mut world = World::new(Config::default());
    let mut watcher = world.connect("watcher");
    world.subscribe(&mut watcher, "will", QoS::AtMostOnce);
    for says_why in [true, false] {
        let peer = world.connect("peer");
        peer.wire.borrow_mut().reset = true;
        peer.send(&ClientPacket::PingReq);
        world.turn(&[&peer]);
        if says_why {
            peer.send(&ClientPacket::Disconnect(Disconnect {
                reason: ReasonCode::SUCCESS,
                properties: Properties::EMPTY,
            }));
        }
        peer.wire.borrow_mut().ended = true;
        world.rest();
        assert!(peer.wire.borrow().dropped);
        let expected: &[&str] = if says_why { &[] } else { &["publish"] };
        assert_eq!(watcher.receive(), expected, "the will, unless it said why");
    }
}

#[test]
fn a_disconnect_counts_although_the_next_connection_is_read_first() {
    let mut world = World::new(Config::default());
    let mut watcher = world.connect("watcher");
    world.subscribe(&mut watcher, "will", QoS::AtMostOnce);
    for says_why in [true, false] {
        let old = world.connect("peer");
        if says_why {
            old.send(&ClientPacket::Disconnect(Disconnect {
                reason: ReasonCode::SUCCESS,
                properties: Properties::EMPTY,
            }));
        }
        old.wire.borrow_mut().ended = says_why;
        let mut new = world.open();
        new.send(&connect("peer"));
        new.send(&ClientPacket::PingReq);
        world.turn(&[&new]);
        world.rest();
        assert_eq!(new.receive(), ["connack", "pingresp"]);
        let expected: &[&str] = if says_why { &[] } else { &["publish"] };
        assert_eq!(watcher.receive(), expected, "the will, unless it said why");
        new.wire.borrow_mut().sent.extend([0xE0, 0]);
        world.turn(&[&new]);
    }
}

#[test]
fn a_turn_has_an_end_however_much_waits_for_a_fast_reader() {
    let limits = Limits {
        outbound_bytes_max: 64 << 10,
        ..Limits::default()
    };
    let mut world = World::new(Config {
        limits,
        ..Config::default()
    });
    let mut reader = world.connect("reader");
    world.subscribe(&mut reader, "t", QoS::AtLeastOnce);
    reader.wire.borrow_mut().room = 0;
    let writer = world.connect("writer");
    for _ in 0..5000 {
        writer.send(&message("t", &[0; 1000], QoS::AtLeastOnce));
    }
    world.turn(&[&writer]);
    world.rest();
    reader.wire.borrow_mut().room = usize::MAX;
    world.engine.writable(reader.conn);
    world.turn(&[]);
    let writes = reader.wire.borrow().writes;
    assert!(writes < 50, "{writes} writes in one turn");
}

#[test]
fn bytes_that_cause_much_work_are_handled_in_several_turns() {
    let mut world = World::new(Config::default());
    let mut readers: Vec<_> = (0..500)
        .map(|n| {
            let mut reader = world.connect(&format!("reader {n}"));
            world.subscribe(&mut reader, "t", QoS::AtMostOnce);
            reader
        })
        .collect();
    let writer = world.connect("writer");
    let messages = 3000;
    for _ in 0..messages {
        writer.send(&message("t", &[0; 4], QoS::AtMostOnce));
    }
    world.turn(&[&writer]);
    let first = readers[0].receive().len();
    assert!(
        first < messages / 10,
        "{first} messages to each of 500 in one turn"
    );
    world.rest();
    for reader in &mut readers[1..] {
        assert_eq!(reader.receive().len(), messages);
    }
}

#[test]
fn everything_of_a_turn_leaves_in_one_write() {
    let mut world = World::new(Config::default());
    let mut reader = world.connect("reader");
    world.subscribe(&mut reader, "t", QoS::AtMostOnce);
    let writers: Vec<_> = (0..20)
        .map(|n| world.connect(&format!("writer {n}")))
        .collect();
    for writer in &writers {
        writer.send(&message("t", b"payload", QoS::AtMostOnce));
        // Large payloads stand beside the small ones.
        writer.send(&message("t", &[0; 5000], QoS::AtMostOnce));
    }
    reader.wire.borrow_mut().writes = 0;
    let all: Vec<_> = writers[..5].iter().collect();
    world.turn(&all);
    assert_eq!(reader.wire.borrow().writes, 1);
    assert_eq!(reader.receive().len(), 10);
}

#[test]
fn a_stop_ends_every_connection_with_a_reason() {
    let mut world = World::new(Config::default());
    let mut peers: Vec<_> = (0..3).map(|n| world.connect(&format!("{n}"))).collect();
    world.handle.stop();
    world.turn(&[]);
    assert!(world.engine.is_stopping() && !world.engine.is_finished());
    for peer in &mut peers {
        assert_eq!(peer.receive(), ["disconnect"]);
        assert!(peer.wire.borrow().shut_down && !peer.wire.borrow().dropped);
        peer.wire.borrow_mut().ended = true;
    }
    world.turn(&peers.iter().collect::<Vec<_>>());
    assert!(world.engine.is_finished());
}

#[test]
fn a_connection_that_the_driver_ended_is_forgotten_at_once() {
    let mut world = World::new(Config::default());
    let peer = world.connect("peer");
    world.engine.begin_turn();
    world.engine.ended(peer.conn, CloseCause::Failed);
    world.engine.settle();
    assert!(peer.wire.borrow().dropped);
    assert_eq!(world.engine.connections(), 0);
    assert_eq!(
        world.engine.pull(peer.conn, &mut world.buffer),
        Pulled::Ended
    );
    assert!(!world.engine.receive(peer.conn, b"\xc0\x00"));
}

#[test]
fn a_socket_that_is_full_is_not_tried_with_every_message() {
    let mut world = World::new(Config::default());
    let mut stalled = world.connect("stalled");
    world.subscribe(&mut stalled, "t", QoS::AtMostOnce);
    let writer = world.connect("writer");
    stalled.wire.borrow_mut().room = 1000;
    stalled.wire.borrow_mut().writes = 0;
    for _ in 0..100 {
        for _ in 0..20 {
            writer.send(&message("t", &[0; 400], QoS::AtMostOnce));
        }
        world.turn(&[&writer]);
    }
    assert!(stalled.wire.borrow().writes <= 2);
    stalled.wire.borrow_mut().room = usize::MAX;
    world.engine.writable(stalled.conn);
    world.rest();
    assert_eq!(stalled.receive().len(), 2000);
}

#[test]
fn large_payloads_for_one_reader_are_written_before_they_overflow_it() {
    let mut world = World::new(Config::default());
    let mut reader = world.connect("reader");
    world.subscribe(&mut reader, "t", QoS::AtMostOnce);
    for _ in 0..1000 {
        let publication = sanderling_core::broker::Publication {
            topic: "t".into(),
            payload: vec![0; 16 << 10].into(),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Default::default(),
        };
        world.handle.try_publish(publication).unwrap();
    }
    world.turn(&[]);
    world.rest();
    assert_eq!(reader.receive().len(), 1000);
}

#[test]
fn a_peer_that_closes_its_side_gets_its_answers_although_it_reads_slowly() {
    let mut world = World::new(Config::default());
    let mut peer = world.connect("half");
    peer.wire.borrow_mut().room = 1;
    peer.send(&ClientPacket::PingReq);
    peer.send(&ClientPacket::PingReq);
    peer.wire.borrow_mut().ended = true;
    world.engine.read_to_the_end(peer.conn);
    world.turn(&[&peer]);
    world.rest();
    assert!(!peer.wire.borrow().dropped);
    peer.wire.borrow_mut().room = usize::MAX;
    world.engine.writable(peer.conn);
    world.turn(&[]);
    assert_eq!(peer.receive(), ["pingresp", "pingresp"]);
    assert!(peer.wire.borrow().dropped);
}
