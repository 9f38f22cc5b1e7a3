//! A publisher: packets encoded once in a ring, numbers and packet identifiers written over, many packets a write.

use std::io;

use crate::books::Books;
use crate::link::Link;
use crate::packet_ids::PacketIds;
use crate::plan::{Plan, STAMP_BYTES, TIMED_STAMP_BYTES};
use crate::wire::{self, Frame, packet_type};

/// Bytes of encoded packets that a publisher keeps, about: enough that a batch rarely meets the end of the ring.
const RING_BYTES: usize = 32 * 1024;

/// One publishing client.
pub(crate) struct Publisher {
    pub(crate) link: Link,
    index: usize,
    qos: u8,
    /// Encoded packets, all of the same length; message `n` is written into slot `n % slots`.
    ring: Vec<u8>,
    stride: usize,
    slots: u64,
    packet_id_at: Option<usize>,
    payload_at: usize,
    /// The part of the ring that the socket has not taken yet.
    unwritten: std::ops::Range<usize>,
    /// Messages to send in all.
    pub(crate) messages: u64,
    /// Messages that are due by now, under a rate.
    pub(crate) due: u64,
    in_flight_max: u64,
    unacknowledged_max: u64,
    batch: (u64, u64),
    /// Waiting for PUBACK or PUBREC.
    published: PacketIds,
    /// Waiting for PUBCOMP.
    released: PacketIds,
    timed: Option<Schedule>,
    pub(crate) faults: AcknowledgementFaults,
}

/// When each message of a rate is due.
#[derive(Clone, Copy)]
struct Schedule {
    publishers: u64,
    /// Messages per second of all publishers; `None`: a message is due when it is written.
    rate: Option<u64>,
}

/// What was wrong with the acknowledgements that came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AcknowledgementFaults {
    /// Reason codes of 0x80 and above.
    pub(crate) refused: u64,
    /// For no message that waits for it.
    pub(crate) unexpected: u64,
}

impl Publisher {
    pub(crate) fn new(plan: &Plan, index: usize, link: Link, receive_maximum: u16) -> Self {
        let (qos, each) = (plan.qos_of(index), plan.topics_each);
        let templates: Vec<_> = (index * each..(index + 1) * each)
            .map(|stream| {
                wire::encode_publish(plan.version, &plan.topic(stream), qos, plan.payload_bytes)
            })
            .collect();
        let stride = templates[0].bytes.len();
        let batch = (plan.batch.0.min(plan.in_flight.div_ceil(2)), plan.batch.1);
        let wanted = (RING_BYTES / stride).max(batch.1 as usize).max(each);
        // Topics must fit into the ring without a rest; whole batches do where there is one topic.
        let slots = wanted.next_multiple_of(if each == 1 { batch.1 as usize } else { each });
        let mut ring = Vec::with_capacity(slots * stride);
        for slot in 0..slots {
            let from = ring.len();
            ring.extend_from_slice(&templates[slot % each].bytes);
            let at = from + templates[0].payload_at;
            ring[at..at + 4].copy_from_slice(&(index as u32).to_be_bytes());
        }
        Self {
            link,
            index,
            qos,
            stride,
            slots: slots as u64,
            packet_id_at: templates[0].packet_id_at,
            payload_at: templates[0].payload_at,
            ring,
            unwritten: 0..0,
            messages: plan.share(index),
            due: if plan.rate.is_some() { 0 } else { u64::MAX },
            in_flight_max: plan.in_flight,
            unacknowledged_max: plan.in_flight.min(receive_maximum.into()),
            batch,
            published: PacketIds::new(),
            released: PacketIds::new(),
            timed: plan.latency.then_some(Schedule {
                publishers: plan.publishers as u64,
                rate: plan.rate,
            }),
            faults: AcknowledgementFaults::default(),
        }
    }

    /// Writes what waits and then as many new messages as window, rate and socket allow.
    pub(crate) fn publish(&mut self, books: &mut Books) -> io::Result<()> {
        loop {
            if !self.unwritten.is_empty() {
                self.unwritten.start += self.link.write(&self.ring[self.unwritten.clone()])?;
                if !self.unwritten.is_empty() {
                    return Ok(()); // the socket is full: its readiness brings us back
                }
            }
            let count = self.allowed(books);
            if count == 0 {
                self.link.write(&[])?;
                return Ok(());
            }
            self.encode(count, books);
        }
    }

    /// How many messages may be written at once now; 0 while that is less than a batch.
    fn allowed(&self, books: &Books) -> u64 {
        let progress = &books.progress[self.index];
        let sent = progress.sent;
        let left = self.messages - sent;
        let mut allowed = left.min(self.due.saturating_sub(sent));
        allowed = allowed.min((progress.delivered_below + self.in_flight_max).saturating_sub(sent));
        if self.qos > 0 {
            let unacknowledged = (self.published.len() + self.released.len()) as u64;
            allowed = allowed.min(self.unacknowledged_max.saturating_sub(unacknowledged));
        }
        if allowed < self.batch.0.min(left) {
            return 0;
        }
        allowed = allowed
            .min(self.batch.1)
            .min(self.slots - sent % self.slots);
        if self.qos > 0 {
            // When identifiers have gone once around, an old one may still be open.
            let open = |id| self.published.contains(id) || self.released.contains(id);
            let first_open = (0..allowed).find(|ahead| open(packet_id(sent + ahead)));
            allowed = first_open.unwrap_or(allowed);
        }
        allowed
    }

    /// Writes numbers and packet identifiers over the next `count` slots.
    fn encode(&mut self, count: u64, books: &mut Books) {
        let now_ns = books.now_ns;
        let progress = &mut books.progress[self.index];
        let first = (progress.sent % self.slots) as usize * self.stride;
        let mut at = first;
        for number in progress.sent..progress.sent + count {
            let packet = &mut self.ring[at..at + self.stride];
            let stamp = &mut packet[self.payload_at + 4..];
            stamp[..8].copy_from_slice(&number.to_be_bytes());
            if let Some(timed) = &self.timed {
                let due = timed.due_ns(self.index as u64, number).unwrap_or(now_ns);
                stamp[STAMP_BYTES - 4..TIMED_STAMP_BYTES - 4].copy_from_slice(&due.to_be_bytes());
            }
            if let Some(id_at) = self.packet_id_at {
                let id = packet_id(number);
                packet[id_at..id_at + 2].copy_from_slice(&id.to_be_bytes());
                self.published.insert(id);
            }
            at += self.stride;
        }
        progress.sent += count;
        books.sent += count;
        self.unwritten = first..at;
    }

    /// Takes one packet from the broker.
    pub(crate) fn take(&mut self, frame: Frame<'_>) -> Result<(), String> {
        let kind = frame.packet_type();
        match kind {
            packet_type::PUBACK | packet_type::PUBREC | packet_type::PUBCOMP => {
                let (id, reason) =
                    wire::acknowledgement(frame).map_err(|error| error.to_string())?;
                self.acknowledged(kind, id, reason);
                Ok(())
            }
            packet_type::PINGRESP => Ok(()),
            packet_type::DISCONNECT => Err(disconnected(frame)),
            other => Err(format!("the broker sent a publisher packet type {other}")),
        }
    }

    fn acknowledged(&mut self, kind: u8, id: u16, reason: u8) {
        let expected = match (kind, self.qos) {
            (packet_type::PUBACK, 1) | (packet_type::PUBREC, 2) => self.published.remove(id),
            (packet_type::PUBCOMP, 2) => self.released.remove(id),
            _ => false,
        };
        self.faults.refused += u64::from(reason >= 0x80);
        self.faults.unexpected += u64::from(!expected);
        if kind == packet_type::PUBREC && expected && reason < 0x80 {
            self.released.insert(id);
            self.link
                .push(&wire::encode_acknowledgement(packet_type::PUBREL, id));
        }
    }

    /// Everything is sent that there is to send.
    pub(crate) fn is_done(&self, books: &Books) -> bool {
        books.progress[self.index].sent == self.messages
    }

    /// What was sent is written and acknowledged.
    pub(crate) fn is_settled(&self) -> bool {
        self.published.len() + self.released.len() == 0 && self.unwritten.is_empty()
    }
}

impl Schedule {
    /// Nanoseconds after the start when message `number` of a publisher is due.
    fn due_ns(&self, publisher: u64, number: u64) -> Option<u64> {
        let rate = u128::from(self.rate?);
        let position = u128::from(number * self.publishers + publisher);
        Some((position * 1_000_000_000 / rate) as u64)
    }
}

/// What a DISCONNECT from the broker says.
pub(crate) fn disconnected(frame: Frame<'_>) -> String {
    let reason = frame.body.first().copied().unwrap_or(0);
    format!("the broker sent DISCONNECT with reason code {reason:#04x}")
}

/// Identifiers run from 1 to 65,535 and around again.
fn packet_id(number: u64) -> u16 {
    (number % 65_535) as u16 + 1
}
