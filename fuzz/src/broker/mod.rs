//! The whole broker, driven by one small choice after the other. For any events that a driver may report:
//! - nothing panics, with every limit as it is by default or at 1;
//! - each client gets what it may get, see [`Client`];
//! - no order names a connection after its `Close`, and the broker's account of unsent bytes is the driver's;
//! - two brokers that hash differently give the same orders;
//! - when all are gone and time has passed, no session is left.

mod client;
mod config;
mod input;
mod packets;
mod pair;

use bytes::Bytes;
use client::Client;
use input::Input;
use pair::Pair;
use sanderling_core::{
    broker::{Action, CloseCause, Command, Event, Flow, Link, Publication, Stage},
    codec::Decoded,
    id::{ConnId, RequestId},
    packet::{PacketId, PropertiesBuf, QoS, Version},
    time::Instant,
};
use std::time::Duration;

/// Connections at one time.
const SLOTS: usize = 4;
/// Longer than every session lasts.
const LONG: Duration = Duration::from_secs(30 * 24 * 3600);

/// Drives a broker with the input and checks all that it orders.
pub fn broker(input: &[u8]) {
    let mut input = Input(input);
    let mut driver = Driver {
        broker: Pair::new(config::any(&mut input)),
        now: Instant::ORIGIN,
        timer: None,
        slots: Default::default(),
        drains: Vec::new(),
    };
    while !input.is_empty() {
        driver.step(&mut input);
        driver.drain();
    }
    driver.end();
}

/// A driver with its network, as the broker's contract wants it.
struct Driver {
    broker: Pair,
    now: Instant,
    timer: Option<Instant>,
    slots: [Slot; SLOTS],
    /// Connections to be read before their session goes to another one. Nothing unread waits here.
    drains: Vec<ConnId>,
}

/// A place for connections, one after the other.
#[derive(Default)]
struct Slot {
    generation: u32,
    client: Option<Client>,
}

impl Driver {
    /// The upper half of the next byte chooses a connection, the lower half what happens.
    fn step(&mut self, input: &mut Input<'_>) {
        let choice = input.byte();
        let slot = usize::from(choice >> 4) % SLOTS;
        match choice & 15 {
            kind @ 0..9 => self.packet(slot, kind, input),
            9 | 10 => self.acknowledge(slot),
            11 | 12 => match input.byte() {
                0 => self.receive(slot, &[input.byte(), input.byte() & 3, input.byte(), 0, 1]),
                _ => self.flush(slot),
            },
            13 => self.close(slot),
            14 => self.wait(Duration::from_millis(u64::from(input.byte()).pow(2) * 10)),
            _ => self.order(input),
        }
    }

    fn drain(&mut self) {
        while let Some(conn) = self.drains.pop() {
            let _ = self.report(Event::Drained { conn });
        }
    }

    fn conn(&self, slot: usize) -> ConnId {
        ConnId {
            slot: slot as u32,
            generation: self.slots[slot].generation,
        }
    }

    /// A client sends a packet. Where there is none, one opens a connection first, and mostly it begins with CONNECT.
    /// Who connects has mostly hung up before.
    fn packet(&mut self, slot: usize, mut kind: u8, input: &mut Input<'_>) {
        if kind == packets::CONNECT && input.byte() != 0 {
            self.close(slot);
        }
        if self.slots[slot].client.is_none() {
            kind = if input.byte() == 0 {
                kind
            } else {
                packets::CONNECT
            };
            self.slots[slot].generation += 1;
            self.slots[slot].client = Some(Client::default());
            let link = Link::new(0, None, [input.byte(); 16]);
            let conn = self.conn(slot);
            let _ = self.report(Event::Opened {
                conn,
                link,
                stage: Stage::Connect,
            });
        }
        let client = self.slots[slot].client.as_ref();
        let version = client.and_then(Client::version).unwrap_or(Version::V311);
        if let Some(bytes) = packets::any(kind, version, input) {
            self.receive(slot, &bytes);
        }
    }

    /// The driver reads bytes of a client, unless it is held: then they stay in the network, and here they are lost.
    fn receive(&mut self, slot: usize, bytes: &[u8]) {
        let conn = self.conn(slot);
        let Some(client) = self.slots[slot]
            .client
            .as_mut()
            .filter(|client| client.is_read())
        else {
            return;
        };
        let event = match client.sends(bytes) {
            Ok(Decoded::Packet { packet, len }) => Event::Received {
                conn,
                packet,
                bytes: len as u32,
            },
            Ok(Decoded::Need(_)) => return,
            Err(error) => Event::Malformed { conn, error },
        };
        let flow = self.report(event);
        if flow == Flow::Hold
            && let Some(client) = &mut self.slots[slot].client
        {
            client.hold();
        }
    }

    /// The client sends the oldest answer it owes.
    fn acknowledge(&mut self, slot: usize) {
        let client = self.slots[slot].client.as_mut();
        let client = client.filter(|client| client.is_read());
        if let Some(bytes) = client.and_then(Client::acknowledgement) {
            self.receive(slot, &bytes);
        }
    }

    /// The network takes all that was sent.
    fn flush(&mut self, slot: usize) {
        if let Some(client) = &mut self.slots[slot].client {
            let bytes = client.take_unflushed();
            let conn = self.conn(slot);
            let _ = self.report(Event::Flushed { conn, bytes });
        }
    }

    fn close(&mut self, slot: usize) {
        if let Some(client) = self.slots[slot].client.take() {
            let cause = match client.is_closing() {
                true => CloseCause::Ordered,
                false => CloseCause::PeerClosed,
            };
            let conn = self.conn(slot);
            let _ = self.report(Event::Closed { conn, cause });
        }
    }

    /// Time passes, and the timer fires if it has come. Firing early is harmless.
    fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        while time.is_zero() || self.timer.is_some_and(|at| at <= self.now) {
            self.timer = None;
            let _ = self.report(Event::TimerFired);
            if time.is_zero() {
                return;
            }
        }
    }

    /// The program around the broker asks for something.
    fn order(&mut self, input: &mut Input<'_>) {
        let command = match input.byte() {
            255 => Command::Drain,
            250..255 => Command::Statistics,
            bits => Command::Publish(Box::new(Publication {
                topic: input.one(packets::TOPICS).into(),
                payload: Bytes::from_static(input.one(packets::PAYLOADS)),
                qos: QoS::from_bits(bits & 3).unwrap_or_default(),
                retain: bits & 4 != 0,
                properties: PropertiesBuf::new(),
            })),
        };
        let _ = self.report(Event::Ordered {
            request: RequestId(7),
            command,
        });
        let answers = |action: &&Action| {
            matches!(
                action,
                Action::Answer {
                    request: RequestId(7),
                    ..
                }
            )
        };
        assert_eq!(self.broker.actions.list().iter().filter(answers).count(), 1);
    }

    /// Hands the event in and obeys.
    fn report(&mut self, event: Event<'_>) -> Flow {
        let flow = self.broker.handle(self.now, event);
        let actions = &self.broker.actions;
        for action in actions.list() {
            match action {
                Action::Send { conn, frame } => {
                    client_of(&mut self.slots, *conn).receives(actions.bytes(*frame));
                }
                Action::Deliver {
                    frame,
                    packet_id_at,
                    targets,
                } => {
                    let tail = actions.tail(*frame).map_or(&[][..], |tail| tail);
                    let mut packet = [actions.bytes(*frame), tail].concat();
                    for target in actions.targets(*targets) {
                        patch(&mut packet, *packet_id_at as usize, target.packet_id);
                        client_of(&mut self.slots, target.conn).receives(&packet);
                    }
                }
                Action::Close { conn, .. } => client_of(&mut self.slots, *conn).close(),
                Action::Drain { conn } => self.drains.push(*conn),
                Action::Resume { conn } => client_of(&mut self.slots, *conn).resume(),
                Action::Timer { at } => self.timer = Some(*at),
                Action::Consult { .. } => panic!("a question without a hook"),
                Action::Answer { .. } => {}
            }
        }
        self.compare_accounts();
        flow
    }

    /// The broker's account of what the network has not taken yet is the driver's.
    fn compare_accounts(&self) {
        for slot in 0..SLOTS {
            let client = self.slots[slot].client.as_ref();
            let Some(client) = client.filter(|client| !client.is_closing()) else {
                continue;
            };
            if let Some(bytes) = self.broker.outbound_bytes(self.conn(slot)) {
                assert_eq!(bytes, client.unflushed(), "bytes sent and not flushed");
            }
        }
    }

    /// All connections close, and all that expires does.
    fn end(&mut self) {
        for slot in 0..SLOTS {
            self.close(slot);
        }
        self.wait(LONG);
        assert_eq!(self.broker.sessions(), 0, "sessions are left");
    }
}

/// The client of an open connection.
fn client_of(slots: &mut [Slot; SLOTS], conn: ConnId) -> &mut Client {
    let slot = &mut slots[conn.slot as usize];
    assert_eq!(
        slot.generation, conn.generation,
        "an order names an old connection"
    );
    slot.client.as_mut().expect("orders name open connections")
}

/// Writes the packet identifier where the broker says.
fn patch(packet: &mut [u8], at: usize, id: Option<PacketId>) {
    assert_eq!(at != 0, id.is_some(), "a packet identifier has its place");
    if let Some(id) = id {
        packet[at..at + 2].copy_from_slice(&id.get().to_be_bytes());
    }
}
