//! Scenarios R and R1M: many retained messages are stored, then one client subscribes to all of them.
//!
//! The broker has them when it has answered a ping on every publisher's connection. In the report a *delivery* is a
//! replayed message; what storing costs is a phase of its own.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::check::Faults;
use crate::dial::{Caller, Dialer};
use crate::failure::Failure;
use crate::plan::{Plan, STAMP_BYTES};
use crate::report::{BrokerUse, Phase, Report, Resident};
use crate::usage;
use crate::watch::{Reading, Watch, resident_bytes};
use crate::wire::{self, Publish, Version, packet_type};

/// Bytes of packets in one write.
const WRITE_BYTES: usize = 32 * 1024;
const READ_BYTES: usize = 256 * 1024;
/// Where the number stands in a topic, and how many digits it has.
const DIGITS: usize = 8;

/// Stores and replays.
pub(crate) fn run(plan: &Plan, address: SocketAddr, watch: &Watch<'_>) -> Result<Report, Failure> {
    let dialer = Dialer::new(plan, address)?;
    let mut writers = Vec::new();
    for publisher in 0..plan.publishers {
        let (caller, _) = dialer.dial(&format!("{}-p{publisher}", plan.prefix))?;
        writers.push(Writer::new(plan, publisher, caller));
    }
    let (mut reader, _) = dialer.dial(&format!("{}-s0", plan.prefix))?;

    let (resident_before, before) = (resident_bytes(watch)?, Reading::take(watch)?);
    let start = Instant::now();
    store(&mut writers, watch)?;
    let stored_in = start.elapsed();
    let (resident_after, between) = (resident_bytes(watch)?, Reading::take(watch)?);

    let start = Instant::now();
    let mut replay = Replay::new(plan);
    let stalled = !replay.read(&mut reader, plan.version, watch)?;
    let (replayed_in, after) = (start.elapsed(), Reading::take(watch)?);
    if !stalled {
        // What comes after the last one shows before the answer.
        replay.drain(&mut reader, plan.version, watch)?;
    }

    let broker = match (watch.broker_pid, between.broker, after.broker) {
        (Some(pid), Some(before), Some(after)) => {
            let most =
                usage::resident_bytes_max(pid).map_err(Failure::io("memory of the broker"))?;
            Some(BrokerUse::new(after.since(before), most, replay.delivered))
        }
        _ => None,
    };
    let seconds = replayed_in.as_secs_f64();
    let (delivered, faults) = (replay.delivered, replay.close());
    Ok(Report {
        published: plan.messages,
        delivered,
        seconds,
        delivered_per_second: delivered as f64 / seconds,
        generator_cpu_ns_per_delivery: (after.own_ns - between.own_ns) as f64
            / delivered.max(1) as f64,
        broker,
        resident: Resident::of(
            "retained message",
            resident_before,
            resident_after,
            plan.messages,
        ),
        phases: vec![Phase::new(
            "store",
            plan.messages,
            stored_in,
            &before,
            &between,
        )],
        stalled,
        violations: faults.violations(watch.loss_allowed) + u64::from(stalled),
        faults_by_qos: [faults, Faults::default(), Faults::default()],
        ..Report::of(plan)
    })
}

fn topic(publisher: usize, number: u64) -> String {
    format!("site/{publisher:05}/dev/{number:0width$}", width = DIGITS)
}

/// A publisher that stores its share.
struct Writer {
    caller: Caller,
    /// The packet of the next message.
    packet: Vec<u8>,
    payload_at: usize,
    next: u64,
    messages: u64,
    chunk: Vec<u8>,
}

impl Writer {
    fn new(plan: &Plan, publisher: usize, caller: Caller) -> Self {
        let template =
            wire::encode_publish(plan.version, &topic(publisher, 0), 0, plan.payload_bytes);
        let (mut packet, payload_at) = (template.bytes, template.payload_at);
        packet[0] |= 1; // RETAIN
        packet[payload_at..payload_at + 4].copy_from_slice(&(publisher as u32).to_be_bytes());
        Self {
            caller,
            packet,
            payload_at,
            next: 0,
            messages: plan.share(publisher),
            chunk: Vec::with_capacity(WRITE_BYTES),
        }
    }

    /// Stores some more; false when there is nothing left.
    fn store_some(&mut self, properties: usize) -> Result<bool, Failure> {
        let topic_end = self.payload_at - properties;
        self.chunk.clear();
        while self.next < self.messages && self.chunk.len() + self.packet.len() <= WRITE_BYTES {
            let mut rest = self.next;
            for at in (topic_end - DIGITS..topic_end).rev() {
                self.packet[at] = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            let number_at = self.payload_at + 4;
            self.packet[number_at..number_at + 8].copy_from_slice(&self.next.to_be_bytes());
            self.chunk.extend_from_slice(&self.packet);
            self.next += 1;
        }
        self.caller.send("PUBLISH", &self.chunk)?;
        Ok(self.next < self.messages)
    }
}

/// Lets all store their share, in turn, and waits until the broker has it.
fn store(writers: &mut [Writer], watch: &Watch<'_>) -> Result<(), Failure> {
    let mut busy = true;
    while busy {
        busy = false;
        for writer in &mut *writers {
            let properties = usize::from(writer.caller.version() == Version::V5);
            busy |= writer.store_some(properties)?;
        }
        if watch.interrupted.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
    }
    writers
        .iter_mut()
        .try_for_each(|writer| writer.caller.ping())
}

/// What came back.
struct Replay {
    /// By publisher: a bit for each number that came.
    seen: Vec<Vec<u64>>,
    shares: Vec<u64>,
    wanted: u64,
    /// Different ones of those that were stored.
    found: u64,
    delivered: u64,
    faults: Faults,
}

impl Replay {
    fn new(plan: &Plan) -> Self {
        let shares: Vec<_> = (0..plan.publishers)
            .map(|publisher| plan.share(publisher))
            .collect();
        Self {
            seen: shares
                .iter()
                .map(|share| vec![0; *share as usize / 64 + 1])
                .collect(),
            shares,
            wanted: plan.messages,
            found: 0,
            delivered: 0,
            faults: Faults::default(),
        }
    }

    /// Subscribes and reads until all have come; false if no more come before that.
    fn read(
        &mut self,
        reader: &mut Caller,
        version: Version,
        watch: &Watch<'_>,
    ) -> Result<bool, Failure> {
        reader.wait_at_most(watch.stall)?;
        reader.send(
            "SUBSCRIBE",
            &wire::encode_subscribe(version, &["#".into()], 0),
        )?;
        self.take_until(reader, version, watch, |replay, _| {
            replay.found == replay.wanted
        })
    }

    fn drain(
        &mut self,
        reader: &mut Caller,
        version: Version,
        watch: &Watch<'_>,
    ) -> Result<(), Failure> {
        reader.send("PINGREQ", &wire::PINGREQ)?;
        self.take_until(reader, version, watch, |_, kind| {
            kind == packet_type::PINGRESP
        })
        .map(drop)
    }

    fn take_until(
        &mut self,
        reader: &mut Caller,
        version: Version,
        watch: &Watch<'_>,
        is_over: impl Fn(&Self, u8) -> bool,
    ) -> Result<bool, Failure> {
        let mut buffer = vec![0; READ_BYTES];
        let mut over = self.wanted == self.found && is_over(self, 0);
        while !over {
            match reader.receive(&mut buffer) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(Failure::io("the subscriber")(error)),
            }
            if watch.interrupted.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted);
            }
            reader.take_frames(|frame| {
                match frame.packet_type() {
                    packet_type::PUBLISH => {
                        let publish =
                            wire::publish(frame, version).map_err(|error| error.to_string())?;
                        self.take(&publish, frame.first & 1 != 0);
                    }
                    packet_type::SUBACK | packet_type::PINGRESP => {}
                    other => return Err(format!("the broker sent packet type {other}")),
                }
                over |= is_over(self, frame.packet_type());
                Ok(())
            })?;
        }
        Ok(true)
    }

    fn take(&mut self, publish: &Publish<'_>, retain: bool) {
        self.delivered += 1;
        let stamp = publish
            .payload
            .first_chunk::<STAMP_BYTES>()
            .filter(|_| retain);
        let known = stamp.map(|stamp| {
            let (publisher, number) = stamp.split_at(4);
            let of = |bytes: &[u8]| {
                bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
            };
            (of(publisher) as usize, of(number))
        });
        let known = known.filter(|(publisher, number)| {
            self.shares
                .get(*publisher)
                .is_some_and(|share| number < share)
                && topic(*publisher, *number).as_bytes() == publish.topic
        });
        let Some((publisher, number)) = known else {
            self.faults.stray += 1;
            return;
        };
        let (word, bit) = (
            &mut self.seen[publisher][number as usize / 64],
            1 << (number % 64),
        );
        match *word & bit == 0 {
            true => self.found += 1,
            false => self.faults.duplicated += 1,
        }
        *word |= bit;
    }

    fn close(self) -> Faults {
        Faults {
            lost: self.wanted - self.found,
            ..self.faults
        }
    }
}
