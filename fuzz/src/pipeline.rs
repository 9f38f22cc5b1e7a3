//! The layers below MQTT and the decoder on top of them, fed by an enemy: no panic, bounded memory, and the same packets
//! however the bytes are split.
//!
//! The input is three bytes of choices and then bytes. The first byte chooses the layers, and up to which of them a
//! client speaks properly; what stands above those is the input's, byte for byte. The second says how a proper client
//! cuts its WebSocket frames, the third in which lengths everything arrives.

use sanderling_core::{
    broker::{Identity, Stage},
    config::Limits,
    packet::ClientPacket,
};
use sanderling_runtime::{
    Arrival, Layers, Listener, Outbox, Packets, Proxies, Received, Transport, WebSocketOptions,
};
use sanderling_tests::peer::{Below, Certificates, Cut, Link};
use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

/// In the first byte: a PROXY header comes first.
pub(crate) const PROXY: u8 = 1;
/// TLS is spoken.
pub(crate) const TLS: u8 = 2;
/// WebSocket is spoken.
pub(crate) const WEBSOCKET: u8 = 4;
/// The client speaks the PROXY header properly.
pub(crate) const ABOVE_PROXY: u8 = 8;
/// The client speaks TLS, and asks for WebSocket, properly, too. The bytes begin with the first frame.
pub(crate) const ABOVE_TLS: u8 = 16;
/// The client speaks all layers properly.
pub(crate) const ABOVE_ALL: u8 = 24;
/// The connection is held now and then.
pub(crate) const HOLDS: u8 = 32;
/// Messages for one topic in a row are taken together.
pub(crate) const RUNS: u8 = 64;

/// No packet may be longer.
const PACKET_BYTES_MAX: u32 = 2048;
/// Bytes in front of what the length of a packet counts.
const HEADER_BYTES_MAX: usize = 5;
/// What the layers may have to say to a peer that reads nothing: a handshake, a response, pongs and good-byes.
const WIRE_BYTES_MAX: usize = 32 << 10;
/// Longer input is not handed over byte by byte.
const SHORT_BYTES: usize = 1024;

const PROXY_HEADER: &[u8] = b"PROXY TCP4 192.0.2.7 192.0.2.1 5555 1883\r\n";
const PING_RESP: &[u8] = &[0xD0, 0];

/// Hands the bytes over in one piece, in the lengths that the input says, and byte by byte, and compares.
pub fn pipeline(input: &[u8]) {
    let Some((&[choices, cut, lengths], bytes)) = input.split_first_chunk::<3>() else {
        return;
    };
    let whole = Broker::hear(choices, cut, bytes, &mut |left| left);
    let mut roll = u32::from(lengths);
    let split = Broker::hear(choices, cut, bytes, &mut |left| {
        roll = roll.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let longest = if roll >> 31 == 0 { 9 } else { 900 };
        (1 + (roll >> 8) as usize % longest).min(left)
    });
    assert_eq!(split, whole, "in lengths of {lengths}");
    if bytes.len() <= SHORT_BYTES {
        let single = Broker::hear(choices, cut, bytes, &mut |_| 1);
        assert_eq!(single, whole, "byte by byte");
    }
}

/// What the broker's side has seen.
#[derive(Debug, Default, Eq, PartialEq)]
struct Seen {
    /// Packets, and what is wrong with the last.
    packets: Vec<String>,
    stages: Vec<Stage>,
    announced: Option<Option<SocketAddr>>,
    identity: Option<Arc<Identity>>,
    fault: Option<String>,
    closed: bool,
}

/// The broker's side of one connection.
struct Broker {
    layers: Option<Box<Layers>>,
    mqtt: Mqtt,
    seen: Seen,
    /// A layer is at its end, perhaps because of bytes behind a malformed packet, of which nobody else learns any more.
    is_mute: bool,
}

/// What stands on the layers.
struct Mqtt {
    packets: Packets,
    outbox: Outbox,
    holds: bool,
    takes_runs: bool,
    /// A packet was malformed: nothing more is read.
    is_over: bool,
}

/// How many of so many bytes arrive next.
type Lengths<'a> = &'a mut dyn FnMut(usize) -> usize;

impl Broker {
    /// Lets a client say all of it, and answers it.
    fn hear(choices: u8, cut: u8, bytes: &[u8], lengths: Lengths<'_>) -> Seen {
        let limits = Limits {
            connect_packet_bytes_max: PACKET_BYTES_MAX / 2,
            packet_bytes_max: PACKET_BYTES_MAX,
            ..Limits::default()
        };
        let mut broker = Self {
            layers: transport(choices).layers(None),
            mqtt: Mqtt {
                packets: Packets::new(&limits),
                outbox: Outbox::default(),
                holds: choices & HOLDS != 0,
                takes_runs: choices & RUNS != 0,
                is_over: false,
            },
            seen: Seen::default(),
            is_mute: false,
        };
        if choices & ABOVE_ALL != 0 && choices & PROXY != 0 {
            broker.take_split(PROXY_HEADER, lengths);
        }
        match choices & ABOVE_ALL {
            0 | ABOVE_PROXY => broker.take_split(bytes, lengths),
            level => broker.talk(&mut client(choices, cut), level, bytes, lengths),
        }
        broker.answer();
        broker.seen
    }

    /// Carries bytes in both directions until all is said.
    fn talk(&mut self, client: &mut Link, level: u8, bytes: &[u8], lengths: Lengths<'_>) {
        let mut is_said = false;
        loop {
            let wire = client.take_wire();
            self.take_split(&wire, lengths);
            let answer = self.take_wire();
            client
                .receive(&answer)
                .expect("what the broker says is well-formed");
            if client.is_open() && !is_said {
                is_said = true;
                match level {
                    ABOVE_ALL => client.send(bytes),
                    _ => client.send_raw(bytes),
                }
            } else if wire.is_empty() && answer.is_empty() {
                assert!(is_said, "a proper client gets through: {:?}", self.seen);
                return;
            }
        }
    }

    fn take_split(&mut self, mut bytes: &[u8], lengths: Lengths<'_>) {
        while !bytes.is_empty() && self.is_listening() {
            let (now, later) = bytes.split_at(lengths(bytes.len()));
            bytes = later;
            self.take(&mut now.to_vec());
        }
    }

    fn is_listening(&self) -> bool {
        !self.mqtt.is_over && self.seen.fault.is_none() && !self.seen.closed
    }

    fn take(&mut self, bytes: &mut [u8]) {
        let (mqtt, seen, is_mute) = (&mut self.mqtt, &mut self.seen, &mut self.is_mute);
        let Some(layers) = &mut self.layers else {
            return mqtt.decode(bytes, seen);
        };
        let outcome = layers.receive(bytes, &mut |arrival| {
            *is_mute |= matches!(arrival, Arrival::Closed);
            if mqtt.is_over {
                return;
            }
            match arrival {
                Arrival::Plain(bytes) => mqtt.decode(bytes, seen),
                Arrival::Announced { remote, stage } => {
                    seen.announced = Some(remote);
                    seen.stages.push(stage);
                }
                Arrival::Identified(identity) => seen.identity = Some(identity),
                Arrival::Reached(stage) => seen.stages.push(stage),
                Arrival::Closed => seen.closed = true,
                Arrival::Secured => panic!("told to layers only"),
            }
        });
        if let Err(fault) = outcome {
            *is_mute = true;
            if !mqtt.is_over {
                seen.fault = Some(format!("{fault:?}"));
            }
        }
        assert!(layers.wire().len() <= WIRE_BYTES_MAX, "nobody has to read");
    }

    /// What waits for the client, which takes all of it.
    fn take_wire(&mut self) -> Vec<u8> {
        let Some(layers) = &mut self.layers else {
            return Vec::new();
        };
        let wire = layers.wire().to_vec();
        layers.wrote(wire.len());
        wire
    }

    /// Sends one answer to each packet, and good-bye.
    fn answer(&mut self) {
        let owed = self.mqtt.outbox.len();
        let Some(layers) = &mut self.layers else {
            return;
        };
        let can_talk = !self.is_mute;
        let mut flushed = layers.wrote(layers.wire().len());
        while !self.mqtt.outbox.is_empty() {
            if layers.seal(&mut self.mqtt.outbox, &mut Vec::new()).is_err() {
                break;
            }
            flushed += layers.wrote(layers.wire().len());
        }
        assert!(flushed <= owed && (!can_talk || flushed == owed));
        layers.close();
        assert!(layers.wire().len() <= WIRE_BYTES_MAX);
    }
}

impl Mqtt {
    fn decode(&mut self, mut bytes: &[u8], seen: &mut Seen) {
        let print = |received: Received<'_>| match received {
            Ok((packet, len)) => Ok(format!("{len}: {packet:?}")),
            Err(error) => Err(error.to_string()),
        };
        loop {
            if self.takes_runs
                && (self.next_run(&mut bytes, seen) || self.next_acks(&mut bytes, seen))
            {
                continue;
            }
            let Some(packet) = self.packets.next(&mut bytes, print) else {
                break;
            };
            self.is_over = packet.is_err();
            seen.packets.push(packet.unwrap_or_else(|error| error));
            if self.is_over {
                self.packets.clear();
                return;
            }
            self.outbox.push(PING_RESP);
            if self.holds && seen.packets.len().is_multiple_of(3) {
                self.packets.stash(core::mem::take(&mut bytes));
            }
        }
        let longest = PACKET_BYTES_MAX as usize + HEADER_BYTES_MAX;
        assert!(
            self.packets.leftover_bytes() <= longest,
            "only a packet waits"
        );
    }
}

impl Mqtt {
    fn next_run(&mut self, bytes: &mut &[u8], seen: &mut Seen) -> bool {
        let before = seen.packets.len();
        let run = self.packets.next_run(bytes, |run| {
            let packets = run.packets();
            let packets = packets.map(|(publish, len)| (ClientPacket::Publish(publish), len));
            let print = packets.map(|(packet, len)| format!("{len}: {packet:?}"));
            seen.packets.extend(print);
            assert_eq!(seen.packets.len() - before, run.count() as usize);
        });
        for _ in before..seen.packets.len() {
            self.outbox.push(PING_RESP);
        }
        run.is_some()
    }

    fn next_acks(&mut self, bytes: &mut &[u8], seen: &mut Seen) -> bool {
        let before = seen.packets.len();
        let acks = self.packets.next_acks(bytes, |acks| {
            let print = acks.packets().map(|packet| format!("4: {packet:?}"));
            seen.packets.extend(print);
            assert_eq!(seen.packets.len() - before, acks.count() as usize);
        });
        for _ in before..seen.packets.len() {
            self.outbox.push(PING_RESP);
        }
        acks.is_some()
    }
}

/// What the listener speaks, made once.
fn transport(choices: u8) -> &'static Transport {
    static ALL: OnceLock<Vec<Transport>> = OnceLock::new();
    let all = ALL.get_or_init(|| (0..8).map(make_transport).collect());
    &all[usize::from(choices & (PROXY | TLS | WEBSOCKET))]
}

fn make_transport(choices: u8) -> Transport {
    let mut listener = Listener::tcp("127.0.0.1:0");
    if choices & PROXY != 0 {
        listener = listener.proxied(Proxies::new([]));
    }
    if choices & TLS != 0 {
        listener = listener.tls(Certificates::get().server("server"));
    }
    if choices & WEBSOCKET != 0 {
        listener = listener.websocket(WebSocketOptions::default());
    }
    listener
        .transport()
        .expect("certificates that were made for this")
}

/// A client that speaks the layers properly.
fn client(choices: u8, cut: u8) -> Link {
    let below = match (choices & TLS != 0, choices & WEBSOCKET != 0) {
        (false, false) => Below::Nothing,
        (true, false) => Below::Tls,
        (false, true) => Below::WebSocket,
        (true, true) => Below::Both,
    };
    let frame_bytes = [0, 1, 2, 7, 130, 1000, 3, 20][usize::from(cut & 7)];
    let cut = Cut {
        frame_bytes,
        fragments: usize::from(cut >> 3 & 3),
        chatty: cut & 32 != 0,
    };
    Link::new(below, cut)
}
