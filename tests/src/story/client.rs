//! A client of a story: its end of a network connection, and what it received there.

use super::{
    act, render,
    word::Word,
    world::{Peer, Received, World},
};
use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromServer},
    packet::{ServerPacket, Version},
    reason::ReasonCode,
};

/// The client's end of a network connection.
pub(super) struct Client {
    pub(super) peer: Peer,
    decoder: FromServer,
    bytes: Vec<u8>,
    /// What came in this step: packets, then `closed`.
    pub(super) received: Vec<Vec<Word>>,
    pub(super) version: Version,
    pub(super) phase: Phase,
    /// Whether it did something in this step.
    pub(super) active: bool,
    /// PINGREQs of the story that were not answered yet.
    pub(super) pings: usize,
}

/// ```text
/// Silent --CONNACK--> Live --DISCONNECT or raw bytes--> Unsure
///    |                  |                                  |
///    +------------------+----------------------------------+--> Closed
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// Nothing but a CONNECT may be sent.
    Silent,
    /// A PINGREQ may be sent, and will be answered.
    Live,
    /// A PINGREQ would be out of place.
    Unsure,
    /// The broker has closed the connection.
    Closed,
}

/// Clients of stories take what comes.
const UNLIMITED: DecodeLimits = DecodeLimits {
    first_packet_bytes_max: u32::MAX,
    packet_bytes_max: u32::MAX,
};

impl Client {
    /// A client that has just connected and sent nothing.
    pub(super) fn new(peer: Peer, version: Version) -> Self {
        Self {
            peer,
            decoder: FromServer::new(version, UNLIMITED),
            bytes: Vec::new(),
            received: Vec::new(),
            version,
            phase: Phase::Silent,
            active: true,
            pings: 0,
        }
    }

    /// Receives so many packets, and then all there are: a PINGREQ that is answered says so.
    pub(super) fn gather(&mut self, expected: usize, is_held: bool, world: &mut dyn World) {
        if world.is_immediate() {
            while self.receive(world) == Received::Bytes {}
            return;
        }
        let pings = core::mem::take(&mut self.pings);
        while self.received.len() < expected && self.phase != Phase::Closed {
            if self.receive(world) == Received::Nothing {
                return;
            }
        }
        if self.phase == Phase::Live && !is_held {
            self.barrier(pings, world);
        }
    }

    /// Sends a PINGREQ and receives until it is answered.
    fn barrier(&mut self, pings: usize, world: &mut dyn World) {
        let answered = |received: &[Vec<Word>]| {
            received
                .iter()
                .filter(|words| words[0].is("pingresp"))
                .count()
        };
        // Those of the story that came already in the first of two rounds stay where they are.
        let wanted = pings.max(answered(&self.received)) + 1;
        world.send(self.peer, &act::PINGREQ);
        while answered(&self.received) < wanted && self.phase != Phase::Closed {
            if self.receive(world) == Received::Nothing {
                return;
            }
        }
        if answered(&self.received) == wanted
            && let Some(at) = self
                .received
                .iter()
                .rposition(|words| words[0].is("pingresp"))
        {
            self.received.remove(at);
        }
    }

    fn receive(&mut self, world: &mut dyn World) -> Received {
        if self.phase == Phase::Closed {
            return Received::Nothing;
        }
        let came = world.receive(self.peer, &mut self.bytes);
        self.decode();
        if came == Received::Closed {
            if !self.bytes.is_empty() {
                self.received.push(vec![
                    Word::plain("part_of_a_packet"),
                    Word::bytes(&self.bytes),
                ]);
            }
            self.received.push(vec![Word::plain("closed")]);
            self.phase = Phase::Closed;
        }
        came
    }

    fn decode(&mut self) {
        while !self.bytes.is_empty() {
            match self.decoder.decode(&self.bytes) {
                Ok(Decoded::Packet { packet, len }) => {
                    if let ServerPacket::ConnAck(connack) = &packet
                        && connack.reason == ReasonCode::SUCCESS
                    {
                        self.phase = Phase::Live;
                    }
                    self.received.push(render::packet(&packet, self.version));
                    self.bytes.drain(..len);
                }
                Ok(Decoded::Need(_)) => return,
                Err(error) => {
                    let bytes = core::mem::take(&mut self.bytes);
                    self.received.push(vec![
                        Word::plain("not_mqtt"),
                        Word::plain(error),
                        Word::bytes(&bytes),
                    ]);
                    return;
                }
            }
        }
    }
}
