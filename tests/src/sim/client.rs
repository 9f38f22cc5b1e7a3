//! What a client knows and does by itself: it acknowledges, and after a reconnect sends again what was not acknowledged.

use super::{
    packets,
    plan::{Acks, Persona},
    policy::METHOD,
    wire::Out,
};
use sanderling_core::{
    packet::{PacketId, PacketType, QoS, Version},
    reason::ReasonCode,
};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug)]
pub(super) struct Client {
    pub(super) persona: Persona,
    /// The connection it uses, by its place among all connections of the run.
    pub(super) conn: Option<usize>,
    pub(super) is_connected: bool,
    /// Messages published so far; names the next.
    pub(super) published: u64,
    last_id: u16,
    /// QoS 1 and 2 messages that are not through, by packet identifier, with their place in the order of sending.
    outstanding: BTreeMap<u16, Outstanding>,
    sent: u64,
    /// Steps of authentications; makes each say something else.
    steps: u64,
    /// It was asked for more.
    owes_step: bool,
    /// Acknowledgements put off.
    pub(super) owes: VecDeque<(PacketType, u16)>,
}

#[derive(Debug)]
struct Outstanding {
    order: u64,
    publish: Vec<u8>,
    is_released: bool,
}

impl Client {
    pub(super) fn new(persona: Persona) -> Self {
        Self {
            persona,
            conn: None,
            is_connected: false,
            published: 0,
            last_id: 0,
            outstanding: BTreeMap::new(),
            sent: 0,
            steps: 0,
            owes_step: false,
            owes: VecDeque::new(),
        }
    }

    /// A packet identifier that is free. [MQTT-2.2.1-3]
    pub(super) fn free_id(&mut self) -> PacketId {
        // A small circle, so that identifiers are used again soon.
        let circle = 12 + 2 * self.outstanding.len() as u16;
        loop {
            self.last_id = self.last_id % circle + 1;
            if !self.outstanding.contains_key(&self.last_id) {
                return PacketId::new(self.last_id).expect("not 0");
            }
        }
    }

    /// Notes a QoS 1 or 2 message that was sent.
    pub(super) fn sends(&mut self, packet_id: PacketId, publish: &[u8]) {
        self.sent += 1;
        let outstanding = Outstanding {
            order: self.sent,
            publish: publish.to_vec(),
            is_released: false,
        };
        self.outstanding.insert(packet_id.get(), outstanding);
    }

    /// How many of its messages are not through.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// A new connection begins.
    pub(super) fn connects(&mut self, conn: usize) {
        self.conn = Some(conn);
        self.is_connected = false;
        self.owes.clear();
        self.owes_step = false;
    }

    /// Its connection is over.
    pub(super) fn leaves(&mut self) {
        self.conn = None;
        self.is_connected = false;
    }

    /// Takes in a packet; what is to be said at once comes back.
    pub(super) fn hears(&mut self, packet: &Out) -> Vec<u8> {
        let mut says = Vec::new();
        match packet {
            Out::ConnAck {
                session_present,
                reason,
                ..
            } if *reason == ReasonCode::SUCCESS => {
                self.is_connected = true;
                says = self.takes_up(*session_present);
            }
            Out::Auth {
                reason: ReasonCode::CONTINUE_AUTHENTICATION,
                ..
            } => {
                self.owes_step = true;
                if self.persona.acks == Acks::AtOnce {
                    says = self.authenticates();
                }
            }
            Out::Publish(delivery) => match (delivery.qos, delivery.packet_id) {
                (QoS::AtLeastOnce, Some(id)) => self.owes.push_back((PacketType::PubAck, id)),
                (QoS::ExactlyOnce, Some(id)) => self.owes.push_back((PacketType::PubRec, id)),
                _ => {}
            },
            Out::Ack {
                packet: PacketType::PubRec,
                packet_id,
                reason,
            } => {
                if reason.is_error() {
                    self.outstanding.remove(packet_id);
                } else if let Some(outstanding) = self.outstanding.get_mut(packet_id) {
                    outstanding.is_released = true;
                    self.owes.push_back((PacketType::PubRel, *packet_id));
                }
            }
            Out::Ack {
                packet: PacketType::PubRel,
                packet_id,
                ..
            } => {
                self.owes.push_back((PacketType::PubComp, *packet_id));
            }
            Out::Ack { packet_id, .. } => {
                self.outstanding.remove(packet_id);
            }
            _ => {}
        }
        if self.persona.acks == Acks::AtOnce {
            says.extend(self.acknowledges(usize::MAX, ReasonCode::SUCCESS));
        }
        says
    }

    /// Goes on with an authentication, or authenticates again.
    pub(super) fn authenticates(&mut self) -> Vec<u8> {
        self.steps += 1;
        let reason = match std::mem::take(&mut self.owes_step) {
            true => ReasonCode::CONTINUE_AUTHENTICATION,
            false => ReasonCode::RE_AUTHENTICATE,
        };
        packets::auth(reason, METHOD, format!("step {}", self.steps).as_bytes())
    }

    /// True if it would be in turn.
    pub(super) fn may_authenticate(&self) -> bool {
        self.owes_step || self.is_connected
    }

    /// Sends up to `count` of the acknowledgements put off. Messages are taken or refused with `reason`.
    pub(super) fn acknowledges(&mut self, count: usize, reason: ReasonCode) -> Vec<u8> {
        let count = count.min(self.owes.len());
        let version = self.persona.version;
        let owed = self.owes.drain(..count);
        owed.flat_map(|(packet, id)| {
            let is_verdict = matches!(packet, PacketType::PubAck | PacketType::PubRec);
            let reason = if is_verdict {
                reason
            } else {
                ReasonCode::SUCCESS
            };
            acknowledgement(packet, id, reason, version)
        })
        .collect()
    }

    /// The session goes on, or a new one begins. [MQTT-4.4.0-1]
    fn takes_up(&mut self, session_present: bool) -> Vec<u8> {
        if !session_present {
            self.outstanding.clear();
        }
        self.again()
    }

    /// All that is not through, in order, once more.
    pub(super) fn again(&self) -> Vec<u8> {
        let mut all: Vec<_> = self.outstanding.iter().collect();
        all.sort_by_key(|(_, outstanding)| outstanding.order);
        let (released, unreleased): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|(_, outstanding)| outstanding.is_released);
        let mut says = Vec::new();
        for (_, outstanding) in unreleased {
            let at = says.len();
            says.extend_from_slice(&outstanding.publish);
            says[at] |= DUP;
        }
        for (id, _) in released {
            let version = self.persona.version;
            says.extend(acknowledgement(
                PacketType::PubRel,
                *id,
                ReasonCode::SUCCESS,
                version,
            ));
        }
        says
    }
}

/// The DUP flag in the first byte of a PUBLISH.
const DUP: u8 = 0b1000;

pub(super) fn acknowledgement(
    packet: PacketType,
    id: u16,
    reason: ReasonCode,
    version: Version,
) -> Vec<u8> {
    let id = PacketId::new(id).unwrap_or(PacketId::MIN);
    packets::ack(packet, id, reason, version)
}
