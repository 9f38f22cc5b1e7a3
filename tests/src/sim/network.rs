//! The network: bytes on their way in both directions, and what becomes of a connection. The driver's contract is kept
//! here: nothing is read while a connection is held, the end is reported once, a slot is used again only after that.

use super::{
    model::Violation,
    wire::Out,
    world::{Judged, World},
};
use sanderling_core::{
    broker::{Close, CloseCause, Event, Identity, Link, Stage},
    codec::{DecodeLimits, Decoded, FromClient, FromServer},
    id::ConnId,
};
use std::sync::Arc;

/// Turns of the network and the timer in one step, after which it is taken for a loop.
const ROUNDS_MAX: usize = 20_000;

/// Numbers of listeners that connections come in through; some do nothing differently.
const LISTENERS: u16 = 4;

/// Whoever reads what the broker sends takes everything.
pub(super) const UNLIMITED: DecodeLimits = DecodeLimits {
    first_packet_bytes_max: u32::MAX,
    packet_bytes_max: u32::MAX,
};

/// One network connection with both its ends.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) id: ConnId,
    /// What the driver gave it; tells it from all others.
    pub(super) entropy: [u8; 16],
    pub(super) client: usize,
    pub(super) decoder: FromClient,
    /// Decodes for the model what the broker sends, at once.
    pub(super) checker: Option<FromServer>,
    /// Decodes for the client what has reached it.
    pub(super) reader: Option<FromServer>,
    /// Written by the client, on its way.
    pub(super) sent: Vec<u8>,
    /// Arrived and not decoded.
    pub(super) inbound: Vec<u8>,
    /// Written by the broker, not taken by the network.
    pub(super) outbound: Vec<u8>,
    /// At the client, not decoded.
    pub(super) received: Vec<u8>,
    pub(super) is_held: bool,
    /// What has arrived is to be read before anything else, and that is to be reported.
    pub(super) is_to_drain: bool,
    /// The driver has other things to do first.
    pub(super) drains_later: bool,
    pub(super) is_malformed: bool,
    /// The layer that is at work.
    pub(super) stage: Stage,
    /// Bytes move only in steps of their own.
    pub(super) is_lazy: bool,
    /// The network takes nothing from the broker.
    pub(super) is_stalled: bool,
    /// Packets are reported although the broker has ordered the end.
    pub(super) is_leaky: bool,
    /// Messages for one topic in a row are reported together.
    reads_runs: bool,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Open,
    Ordered(Close),
    Closed,
}

impl World {
    /// A client opens a connection; its former one is left as it is.
    pub(super) fn open(&mut self, client: usize, is_lazy: bool) -> Judged<usize> {
        let id = self.free_slots.pop().unwrap_or_else(|| {
            self.slots += 1;
            ConnId {
                slot: self.slots - 1,
                generation: 0,
            }
        });
        let listener = self.any_listener();
        let stage = self.first_stage();
        let limits = self.model.config.limits_of(listener);
        let place = self.conns.len();
        let is_leaky = self.dice.chance(20);
        let reads_runs = self.dice.chance(70);
        let mut entropy = [0; 16];
        entropy[..8].copy_from_slice(&self.dice.roll().to_le_bytes());
        entropy[8..].copy_from_slice(&(place as u64).to_le_bytes());
        self.conns.push(Conn {
            id,
            entropy,
            client,
            decoder: FromClient::new(DecodeLimits {
                first_packet_bytes_max: limits.connect_packet_bytes_max,
                packet_bytes_max: limits.packet_bytes_max,
            }),
            checker: None,
            reader: None,
            sent: Vec::new(),
            inbound: Vec::new(),
            outbound: Vec::new(),
            received: Vec::new(),
            is_held: false,
            is_to_drain: false,
            drains_later: false,
            is_malformed: false,
            stage,
            is_lazy,
            is_stalled: false,
            is_leaky,
            reads_runs,
            phase: Phase::Open,
        });
        let link = Link::new(listener, None, entropy);
        let conn = id;
        self.report(&Event::Opened { conn, link, stage })?;
        self.clients[client].connects(place);
        Ok(place)
    }

    /// Any listener, or when all is to go well, the one that lets in most.
    fn any_listener(&mut self) -> u16 {
        if self.is_healing {
            return self.best_listener().0;
        }
        self.dice.below(LISTENERS.into()) as u16
    }

    /// The listener that lets in the longest CONNECT of somebody who gives a user name, and how long that may be.
    pub(super) fn best_listener(&self) -> (u16, u32) {
        let config = &self.model.config;
        let longest = |listener| {
            let own = config.listener(listener);
            let is_open = own.is_none_or(|own| own.anonymous) || self.plan.rates.sets > 0;
            let bytes = config.limits_of(listener).connect_packet_bytes_max;
            (listener, if is_open { bytes } else { 0 })
        };
        let all = (0..LISTENERS).map(longest);
        all.max_by_key(|(_, bytes)| *bytes).unwrap_or_default()
    }

    /// Most connections speak MQTT at once.
    fn first_stage(&mut self) -> Stage {
        if self.is_healing || !self.dice.chance(self.plan.layers) {
            return Stage::Connect;
        }
        self.dice
            .one(&[Stage::Proxy, Stage::Proxy, Stage::Tls, Stage::Upgrade])
    }

    /// A layer below MQTT has done its part.
    pub(super) fn progress(&mut self, place: usize) -> Judged<bool> {
        let Conn {
            id: conn,
            phase,
            stage: before,
            ..
        } = self.conns[place];
        if phase == Phase::Closed || before == Stage::Connect || self.conns[place].is_malformed {
            return Ok(false);
        }
        let later = [Stage::Tls, Stage::Upgrade, Stage::Connect];
        let later: Vec<_> = later.into_iter().filter(|stage| *stage > before).collect();
        let stage = self.dice.one(&later);
        if before == Stage::Tls && self.dice.chance(50) {
            let names = ["of a certificate", "of a certificate", "no\0string"];
            let username = self.dice.chance(60).then(|| self.dice.one(&names).into());
            let certificate = Default::default();
            let identity = Identity {
                username,
                certificate,
            };
            let identity = Arc::new(identity);
            self.report(&Event::Identified { conn, identity })?;
        }
        self.conns[place].stage = stage;
        if before == Stage::Proxy {
            let proxied = ([10, 0, 0, 1], 1883).into();
            let remote = self.dice.chance(80).then_some(proxied);
            self.report(&Event::Announced {
                conn,
                remote,
                stage,
            })?;
        } else {
            self.report(&Event::Progressed { conn, stage })?;
        }
        Ok(true)
    }

    /// The end of a connection is reported.
    pub(super) fn close(&mut self, place: usize, cause: CloseCause) -> Judged {
        let conn = &mut self.conns[place];
        if conn.phase == Phase::Closed {
            return Ok(());
        }
        let cause = match conn.phase {
            Phase::Ordered(_) => CloseCause::Ordered,
            _ => cause,
        };
        conn.phase = Phase::Closed;
        let id = conn.id;
        self.free_slots.push(ConnId {
            slot: id.slot,
            generation: id.generation + 1,
        });
        let client = &mut self.clients[conn.client];
        if client.conn == Some(place) {
            client.leaves();
        }
        self.report(&Event::Closed { conn: id, cause })?;
        Ok(())
    }

    /// Reads what has arrived on a connection whose session is about to go, and reports that.
    pub(super) fn drain(&mut self, place: usize) -> Judged<bool> {
        let conn = &mut self.conns[place];
        if !conn.is_to_drain || conn.drains_later || conn.phase == Phase::Closed {
            return Ok(false);
        }
        conn.is_to_drain = false;
        self.read(place)?;
        let conn = self.conns[place].id;
        if self.conns[place].phase != Phase::Closed {
            self.report(&Event::Drained { conn })?;
        }
        Ok(true)
    }

    /// Up to `count` bytes reach the broker, which decodes as much as it may.
    pub(super) fn arrive(&mut self, place: usize, count: usize) -> Judged<bool> {
        let conn = &mut self.conns[place];
        let count = count.min(conn.sent.len());
        let arrived: Vec<_> = conn.sent.drain(..count).collect();
        conn.inbound.extend(arrived);
        Ok(self.read(place)? | (count > 0))
    }

    fn read(&mut self, place: usize) -> Judged<bool> {
        let mut progress = false;
        loop {
            let conn = &mut self.conns[place];
            let reports = match conn.phase {
                Phase::Open => true,
                Phase::Ordered(_) => conn.is_leaky,
                Phase::Closed => false,
            };
            let is_silent = conn.is_held || conn.is_malformed || conn.stage != Stage::Connect;
            if !reports || is_silent || conn.inbound.is_empty() {
                return Ok(progress);
            }
            let id = conn.id;
            let bytes = std::mem::take(&mut conn.inbound);
            // Events borrow what the decoder knows, so they come from one of their own.
            let mut decoder = conn.decoder.clone();
            if conn.reads_runs
                && self.broker.takes_runs()
                && let Some(run) = decoder.run(&bytes)
            {
                conn.inbound = bytes[run.bytes().len()..].to_vec();
                self.report(&Event::ReceivedRun { conn: id, run })?;
                progress = true;
                continue;
            }
            if conn.reads_runs
                && let Some(acks) = decoder.acks(&bytes)
            {
                conn.inbound = bytes[acks.bytes().len()..].to_vec();
                self.report(&Event::ReceivedAcks { conn: id, acks })?;
                progress = true;
                continue;
            }
            let _ = conn.decoder.decode_lending(&bytes);
            let (event, len) = match decoder.decode_lending(&bytes) {
                Ok(Decoded::Need(_)) => {
                    conn.inbound = bytes;
                    return Ok(progress);
                }
                Ok(Decoded::Packet { packet, len }) => (
                    Event::Received {
                        conn: id,
                        packet,
                        bytes: len as u32,
                    },
                    len,
                ),
                Err(error) => (Event::Malformed { conn: id, error }, bytes.len()),
            };
            conn.is_malformed = matches!(event, Event::Malformed { .. });
            conn.inbound = bytes[len..].to_vec();
            self.report(&event)?;
            progress = true;
        }
    }

    /// The network takes up to `count` bytes, and the client reads them.
    pub(super) fn flush(&mut self, place: usize, count: usize) -> Judged<bool> {
        let conn = &mut self.conns[place];
        let count = count.min(conn.outbound.len());
        if count == 0 || conn.phase == Phase::Closed {
            return Ok(false);
        }
        let taken: Vec<_> = conn.outbound.drain(..count).collect();
        conn.received.extend(taken);
        let event = Event::Flushed {
            conn: conn.id,
            bytes: count as u32,
        };
        self.report(&event)?;
        self.hear(place);
        Ok(true)
    }

    /// The client takes in what has reached it.
    fn hear(&mut self, place: usize) {
        let conn = &mut self.conns[place];
        let client = &mut self.clients[conn.client];
        if client.conn != Some(place) {
            conn.received.clear();
            return;
        }
        let version = client.persona.version;
        let reader = conn
            .reader
            .get_or_insert_with(|| FromServer::new(version, UNLIMITED));
        let mut at = 0;
        // A refusal in the form of an older version is no packet to this client; it has nothing to do then.
        while let Ok(Decoded::Packet { packet, len }) = reader.decode(&conn.received[at..]) {
            let says = client.hears(&Out::of(&packet, len));
            conn.sent.extend(says);
            at += len;
        }
        conn.received.drain(..at);
    }

    /// Closes what is to be closed: at once if nothing is pending, else when the driver loses patience.
    pub(super) fn close_ordered(&mut self, patient: bool) -> Judged<bool> {
        let mut progress = false;
        for place in 0..self.conns.len() {
            let conn = &self.conns[place];
            let Phase::Ordered(how) = conn.phase else {
                continue;
            };
            let waits = how != Close::Abort
                && (conn.is_lazy || conn.is_stalled || !conn.outbound.is_empty());
            if !(waits && patient) {
                self.close(place, CloseCause::Ordered)?;
                progress = true;
            }
        }
        Ok(progress)
    }

    /// Reports the timer if it is due.
    pub(super) fn fire(&mut self) -> Judged<bool> {
        let due = self.timer.is_some_and(|at| at <= self.now());
        if due {
            self.timer = None;
            self.report(&Event::TimerFired)?;
        }
        Ok(due)
    }

    /// Everything that moves by itself does, until nothing is left to do.
    pub(super) fn settle(&mut self) -> Judged {
        // Whom the driver looks at first is its choice.
        let first = self.dice.below(self.conns.len().max(1));
        for _ in 0..ROUNDS_MAX {
            let mut progress = false;
            let count = self.conns.len();
            for number in 0..count {
                let place = (first + number) % count;
                let conn = &self.conns[place];
                if conn.phase == Phase::Closed {
                    continue;
                }
                progress |= self.drain(place)?;
                let conn = &self.conns[place];
                let (lazy, stalled) = (conn.is_lazy, conn.is_stalled);
                let count = if lazy { 0 } else { usize::MAX };
                if !lazy {
                    progress |= self.progress(place)?;
                }
                progress |= self.arrive(place, count)?;
                if !lazy && !stalled {
                    progress |= self.flush(place, usize::MAX)?;
                }
            }
            progress |= self.close_ordered(true)?;
            progress |= self.fire()?;
            if !progress {
                return Ok(());
            }
        }
        Err(Violation::new(
            "I23",
            "the broker keeps itself busy without end",
        ))
    }
}
