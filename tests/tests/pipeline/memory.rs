//! What layers hold of a connection that idles, and that the engine's buffers go round. Only what Rust allocates is
//! counted.

use super::pair::transport;
use allocation_counter::measure;
use sanderling_core::{config::Config, hooks::HookChain, id::ConnId};
use sanderling_runtime::{
    Engine, Inbox, Wake,
    engine::{Answerers, READ_BUFFER_BYTES, Socket},
};
use sanderling_tests::peer::{Below, Cut, Link};
use std::{
    cell::RefCell,
    io::{self, ErrorKind, IoSlice},
    rc::Rc,
};

/// A client identifier of four bytes follows.
const CONNECT: &[u8] = b"\x10\x10\0\x04MQTT\x04\x02\0\0\0\x04";
const PINGREQ: &[u8] = &[0xc0, 0];

/// Bytes that the engine holds of each connection when everything was said.
fn held(below: Below) -> i64 {
    const CONNECTIONS: usize = 64;
    let of = |connections| {
        let mut world = World::new(below);
        let _clients: Vec<_> = (0..connections).map(|_| world.connect()).collect();
        let World { engine, .. } = world;
        -measure(move || drop(engine)).bytes_current
    };
    (of(2 * CONNECTIONS) - of(CONNECTIONS)) / CONNECTIONS as i64
}

#[test]
fn layers_hold_little_of_an_idle_connection() {
    let plain = held(Below::Nothing);
    assert!((1..1024).contains(&plain), "{plain} bytes");
    for (below, limit) in [
        (Below::WebSocket, 320),
        (Below::Tls, 4 << 10),
        (Below::Both, 4 << 10),
    ] {
        let more = held(below) - plain;
        assert!(more <= limit, "{below:?} holds {more} bytes");
    }
}

/// What was sent to the broker, and what the broker has written.
#[derive(Default)]
struct Wire {
    sent: Vec<u8>,
    written: Vec<u8>,
}

struct Memory(Rc<RefCell<Wire>>);

impl Socket for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if wire.sent.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let len = wire.sent.len().min(buffer.len());
        buffer[..len].copy_from_slice(&wire.sent[..len]);
        wire.sent.drain(..len);
        Ok(len)
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        let before = wire.written.len();
        slices
            .iter()
            .for_each(|slice| wire.written.extend_from_slice(slice));
        Ok(wire.written.len() - before)
    }

    fn shut_down_writing(&mut self) {}
}

struct Nobody;

impl Wake for Nobody {
    fn wake(&self) {}
}

/// An engine with one listener.
struct World {
    engine: Engine<Memory>,
    below: Below,
    clients: u32,
    buffer: Vec<u8>,
}

struct Client {
    conn: ConnId,
    wire: Rc<RefCell<Wire>>,
    link: Link,
}

impl World {
    fn new(below: Below) -> Self {
        let inbox = Inbox::new();
        inbox.attach(Nobody);
        let (hooks, answerers) = (HookChain::new(), Answerers::default());
        let transports = vec![transport(below)];
        let engine = Engine::of_parts(Config::default(), hooks, answerers, transports, inbox);
        Self {
            engine: engine.unwrap(),
            below,
            clients: 0,
            buffer: vec![0; READ_BUFFER_BYTES],
        }
    }

    fn connect(&mut self) -> Client {
        let wire = Rc::<RefCell<Wire>>::default();
        let mut client = Client {
            conn: self.engine.open(Memory(Rc::clone(&wire)), 0, None),
            wire,
            link: Link::new(self.below, Cut::default()),
        };
        self.clients += 1;
        let id = format!("{:04}", self.clients);
        let connect = [CONNECT, id.as_bytes()].concat();
        self.ask(&mut client, &connect, b"\x20\x02\0\0");
        client
    }

    /// Turns until the answer is there.
    fn ask(&mut self, client: &mut Client, packet: &[u8], answer: &[u8]) {
        client.link.send(packet);
        let mut received = Vec::new();
        while received.len() < answer.len() {
            let sent = client.link.take_wire();
            assert!(!sent.is_empty(), "an answer is due");
            client.wire.borrow_mut().sent.extend(sent);
            self.engine.begin_turn();
            self.engine.pull(client.conn, &mut self.buffer);
            self.engine.settle();
            let written = std::mem::take(&mut client.wire.borrow_mut().written);
            client.link.receive(&written).unwrap();
            received.extend(client.link.take_plain());
        }
        assert_eq!(received, answer);
    }
}

/// Buffers that are given back and never taken again would pile up.
#[test]
fn what_is_sealed_needs_no_new_memory() {
    for below in Below::ALL {
        let mut world = World::new(below);
        let mut client = world.connect();
        let mut ask = |rounds| {
            for _ in 0..rounds {
                world.ask(&mut client, PINGREQ, &[0xd0, 0]);
            }
        };
        ask(500);
        let grown = measure(|| ask(2000)).bytes_current;
        assert!(
            grown <= 4096,
            "{below:?}: {grown} bytes are left of 2000 answers"
        );
    }
}
