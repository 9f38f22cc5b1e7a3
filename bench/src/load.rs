//! One run against a broker that is already listening: connect everybody, publish, receive, check, report.
//!
//! One thread, one poll. A turn: sleep until readiness or the next message is due, read what is ready, let those
//! publish whose window moved, look whether the run is over or stands still.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use crate::books::Books;
use crate::connections;
use crate::dial::{Caller, Dialer};
use crate::failure::Failure;
use crate::latency::Histogram;
use crate::nap::Nap;
use crate::plan::{Plan, Shape};
use crate::publisher::Publisher;
use crate::report::{BrokerUse, Phase, Report, Resident};
use crate::retained;
use crate::subscriber::Subscriber;
use crate::usage;
use crate::watch::{Reading, Watch, resident_bytes};
use crate::wire;
use crate::workload::Tick;

/// Room for one read; a frame must fit into it.
const INBOX_BYTES: usize = 512 * 1024;

/// How often the broker's memory is looked at, where there is a bound.
const WEIGH_EVERY: Duration = Duration::from_millis(100);

/// Runs `plan` against the broker at `address`.
pub(crate) fn run(plan: &Plan, address: SocketAddr, watch: &Watch<'_>) -> Result<Report, Failure> {
    plan.check().map_err(Failure::Usage)?;
    match plan.shape {
        Shape::Connections => return connections::run(plan, address, watch),
        Shape::Retained => return retained::run(plan, address, watch),
        _ => {}
    }
    let mut load = Load::connect(plan, address, watch)?;
    let strace = watch.strace()?;
    let before = Reading::take(watch)?;
    load.start = Instant::now();
    let stalled = load.exchange(watch)?;
    let elapsed = load.start.elapsed();
    let after = Reading::take(watch)?;
    let calls = strace
        .map(|strace| strace.finish(load.books.delivered))
        .transpose()?;
    if !stalled {
        load.drain(watch)?;
    }
    let report = load.report(plan, watch, elapsed, (before, after), stalled)?;
    Ok(Report {
        system_calls: calls,
        ..report
    })
}

/// What had happened when progress was told last.
#[derive(Default)]
struct Pace {
    at: Duration,
    sent: u64,
    delivered: u64,
}

struct Load {
    poll: Poll,
    start: Instant,
    publishers: Vec<Publisher>,
    subscribers: Vec<Subscriber>,
    books: Books,
    inbox: Vec<u8>,
    rate: Option<u64>,
    stop_at: Option<Duration>,
    busy: bool,
    /// Only where neither a rate nor the time of each delivery matters.
    nap: Option<Nap>,
    fan_out: u64,
    /// Publishes that are due by now, of all publishers.
    due: u64,
    /// Packets taken, to see that something moves.
    packets: u64,
    /// Turns that were ended by giving up what was under way.
    gave_up: u64,
    /// Connected, subscribed, and never read from.
    _stalled: Vec<Caller>,
    resident: Option<Resident>,
    phases: Vec<Phase>,
    memory_max: Option<u64>,
    /// When to look at the broker's memory again.
    weigh_at: Duration,
    /// The broker took more memory than it may.
    outgrown: bool,
}

impl Load {
    fn connect(plan: &Plan, address: SocketAddr, watch: &Watch<'_>) -> Result<Self, Failure> {
        let poll = Poll::new().map_err(Failure::io("poll"))?;
        let dialer = Dialer::new(plan, address)?;
        let mut stalled = Vec::with_capacity(plan.stalled);
        for index in 0..plan.stalled {
            let mut caller = dialer.dial_small(&format!("{}-stalled{index}", plan.prefix))?;
            caller.subscribe(&plan.filters(0), plan.qos_max())?;
            stalled.push(caller);
        }
        let (resident_before, before) = (resident_bytes(watch)?, Reading::take(watch)?);
        let start = Instant::now();
        let mut subscribers = Vec::with_capacity(plan.subscribers);
        for index in 0..plan.subscribers {
            let (mut caller, _) = dialer.dial(&format!("{}-s{index}", plan.prefix))?;
            caller.subscribe(&plan.filters(index), plan.qos_max())?;
            let mut link = caller.into_link()?;
            link.register(poll.registry(), Token(plan.publishers + index))?;
            subscribers.push(Subscriber::new(index, link, plan.version));
        }
        let (mut resident, mut phases) = (None, Vec::new());
        if let Shape::Devices { filters_each } = plan.shape {
            let filters = (filters_each * plan.subscribers) as u64;
            let after = Reading::take(watch)?;
            resident = Resident::of("filter", resident_before, resident_bytes(watch)?, filters);
            phases.push(Phase::new(
                "subscribe",
                filters,
                start.elapsed(),
                &before,
                &after,
            ));
        }
        let mut publishers = Vec::with_capacity(plan.publishers);
        for index in 0..plan.publishers {
            let id = format!("{}-p{index}", plan.prefix);
            let (caller, connack) = dialer.dial(&id)?;
            let mut link = caller.into_link()?;
            link.register(poll.registry(), Token(index))?;
            publishers.push(Publisher::new(plan, index, link, connack.receive_maximum));
        }
        Ok(Self {
            poll,
            start: Instant::now(),
            publishers,
            subscribers,
            books: Books::new(plan),
            inbox: vec![0; INBOX_BYTES],
            rate: plan.rate,
            stop_at: plan.duration,
            busy: plan.busy,
            nap: (plan.rate.is_none() && !plan.latency).then(Nap::new),
            fan_out: plan.fan_out(),
            due: 0,
            packets: 0,
            gave_up: 0,
            _stalled: stalled,
            resident,
            phases,
            memory_max: plan.memory_max,
            weigh_at: Duration::ZERO,
            outgrown: false,
        })
    }

    /// Publishes and receives until everything is delivered and acknowledged; true if it stood still before that.
    fn exchange(&mut self, watch: &Watch<'_>) -> Result<bool, Failure> {
        let mut events = Events::with_capacity(1024);
        let (mut moved_at, mut moved_to) = (Duration::ZERO, 0);
        let mut pace = Pace::default();
        (0..self.publishers.len()).for_each(|publisher| self.books.list(publisher));
        loop {
            let now = self.start.elapsed();
            self.books.now_ns = now.as_nanos() as u64;
            self.accrue(now);
            self.publish_moved()?;
            if self.is_done() {
                return Ok(false);
            }
            if self.packets != moved_to || self.is_settled() {
                (moved_at, moved_to) = (now, self.packets);
            } else if now - moved_at > watch.stall {
                if !watch.loss_allowed || !self.is_all_qos0() {
                    return Ok(true);
                }
                self.books.give_up_undelivered();
                self.gave_up += 1;
                moved_at = now;
                continue;
            }
            self.tell_progress(now, &mut pace, watch);
            match watch.interrupted.load(Ordering::Relaxed) {
                true if watch.stops_gently => self.stop_publishing(),
                true => return Err(Failure::Interrupted),
                false => {}
            }
            if self.has_outgrown(now, watch)? {
                return Ok(true);
            }
            let settled = self.books.settled;
            let under_way = (self.books.sent * self.fan_out).saturating_sub(settled);
            self.turn(&mut events, self.sleep_max())?;
            let found = self.books.settled - settled;
            if let Some(nap) = self.nap.as_mut().and_then(|nap| nap.next(found, under_way)) {
                self.publish_moved()?;
                thread::sleep(nap);
            }
        }
    }

    /// Looks now and then whether the broker keeps to the memory that the plan allows.
    fn has_outgrown(&mut self, now: Duration, watch: &Watch<'_>) -> Result<bool, Failure> {
        let Some(most) = self.memory_max.filter(|_| now >= self.weigh_at) else {
            return Ok(false);
        };
        self.weigh_at = now + WEIGH_EVERY;
        self.outgrown = resident_bytes(watch)?.is_some_and(|bytes| bytes > most);
        Ok(self.outgrown)
    }

    /// A PINGREQ from every subscriber: what comes before the answer is still part of the run, so repeats show.
    fn drain(&mut self, watch: &Watch<'_>) -> Result<(), Failure> {
        for subscriber in &mut self.subscribers {
            subscriber.ping();
            let pinged = subscriber.link.write(&[]);
            pinged.map_err(Failure::io("PINGREQ of a subscriber"))?;
        }
        let since = Instant::now();
        let mut events = Events::with_capacity(1024);
        while self.subscribers.iter().any(|subscriber| subscriber.pinged) {
            if since.elapsed() > watch.stall {
                return Err(Failure::Broker("the broker does not answer PINGREQ".into()));
            }
            self.turn(&mut events, Some(Duration::from_millis(100)))?;
        }
        Ok(())
    }

    /// Sleeps until something is ready, and reads it.
    fn turn(&mut self, events: &mut Events, sleep: Option<Duration>) -> Result<(), Failure> {
        match self.poll.poll(events, sleep) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result.map_err(Failure::io("poll"))?,
        }
        self.books.now_ns = self.start.elapsed().as_nanos() as u64;
        for event in events.iter() {
            let index = event.token().0;
            if event.is_readable() || event.is_error() || event.is_read_closed() {
                match index.checked_sub(self.publishers.len()) {
                    None => self.read_publisher(index)?,
                    Some(subscriber) => self.read_subscriber(subscriber)?,
                }
            }
            if event.is_writable() {
                match index.checked_sub(self.publishers.len()) {
                    None => self.books.list(index),
                    Some(subscriber) => self.write_subscriber(subscriber)?,
                }
            }
        }
        Ok(())
    }

    fn read_publisher(&mut self, index: usize) -> Result<(), Failure> {
        let publisher = &mut self.publishers[index];
        loop {
            let filled = publisher
                .link
                .fill(&mut self.inbox)
                .map_err(of("publisher", index))?;
            let Some(fill) = filled else { break };
            let mut rest = &self.inbox[..fill.bytes];
            while let Some(frame) = wire::next_frame(rest).map_err(wrong("publisher", index))? {
                publisher.take(frame).map_err(wrong("publisher", index))?;
                self.packets += 1;
                rest = &rest[frame.length..];
            }
            publisher.link.keep(rest);
            if !fill.more {
                break;
            }
        }
        self.books.list(index);
        Ok(())
    }

    fn read_subscriber(&mut self, index: usize) -> Result<(), Failure> {
        let subscriber = &mut self.subscribers[index];
        loop {
            let filled = subscriber
                .link
                .fill(&mut self.inbox)
                .map_err(of("subscriber", index))?;
            let Some(fill) = filled else { break };
            let mut rest = &self.inbox[..fill.bytes];
            while let Some(frame) = wire::next_frame(rest).map_err(wrong("subscriber", index))? {
                subscriber
                    .take(frame, &mut self.books)
                    .map_err(wrong("subscriber", index))?;
                self.packets += 1;
                rest = &rest[frame.length..];
            }
            subscriber.link.keep(rest);
            if !fill.more {
                break;
            }
        }
        self.write_subscriber(index)
    }

    fn write_subscriber(&mut self, index: usize) -> Result<(), Failure> {
        let written = self.subscribers[index].link.write(&[]);
        written.map_err(of("subscriber", index)).map(drop)
    }

    fn publish_moved(&mut self) -> Result<(), Failure> {
        while let Some(index) = self.books.unlist() {
            let published = self.publishers[index].publish(&mut self.books);
            published.map_err(of("publisher", index))?;
        }
        Ok(())
    }

    /// Makes messages due as time passes, evenly over the publishers, and ends the run when its time is over.
    fn accrue(&mut self, now: Duration) {
        if self.stop_at.is_some_and(|stop_at| now >= stop_at) {
            self.stop_at = None;
            self.stop_publishing();
        }
        let Some(rate) = self.rate else { return };
        let messages = self.publishers.iter().map(|publisher| publisher.messages);
        let total = messages.fold(0, u64::saturating_add);
        let due = ((now.as_nanos() * u128::from(rate) / 1_000_000_000) as u64).min(total);
        while self.due < due {
            let index = (self.due % self.publishers.len() as u64) as usize;
            self.publishers[index].due += 1;
            self.books.list(index);
            self.due += 1;
        }
    }

    /// How long to sleep at most.
    fn sleep_max(&self) -> Option<Duration> {
        Some(match self.rate {
            Some(_) if self.busy => Duration::ZERO,
            Some(_) => Duration::from_millis(1),
            None => Duration::from_millis(100),
        })
    }

    fn is_done(&self) -> bool {
        self.is_settled()
            && self
                .publishers
                .iter()
                .all(|publisher| publisher.is_done(&self.books))
    }

    /// Nothing is under way.
    fn is_settled(&self) -> bool {
        self.books.settled == self.books.sent * self.fan_out
            && self.publishers.iter().all(Publisher::is_settled)
            && self.subscribers.iter().all(Subscriber::is_settled)
    }
    /// Whether a broker may lose everything that this run sends.
    fn is_all_qos0(&self) -> bool {
        self.books.progress.iter().all(|progress| progress.qos == 0)
    }

    /// Tells who wants to know how it goes, when it is time to.
    fn tell_progress(&self, now: Duration, pace: &mut Pace, watch: &Watch<'_>) {
        let Some(progress) = watch
            .progress
            .filter(|progress| now >= pace.at + progress.every)
        else {
            return;
        };
        let (sent, delivered) = (self.books.sent, self.books.delivered);
        let seconds = (now - pace.at).as_secs_f64();
        (progress.tell)(&Tick {
            elapsed: now,
            sent_per_second: (sent - pace.sent) as f64 / seconds,
            delivered_per_second: (delivered - pace.delivered) as f64 / seconds,
            under_way: sent - self.books.settled / self.fan_out,
        });
        *pace = Pace {
            at: now,
            sent,
            delivered,
        };
    }

    /// What was sent is all there is to send.
    fn stop_publishing(&mut self) {
        for (publisher, progress) in self.publishers.iter_mut().zip(&self.books.progress) {
            publisher.messages = progress.sent;
        }
    }

    fn report(
        self,
        plan: &Plan,
        watch: &Watch<'_>,
        elapsed: Duration,
        (before, after): (Reading, Reading),
        stalled: bool,
    ) -> Result<Report, Failure> {
        let (published, delivered) = (self.books.sent, self.books.delivered);
        let latency = self.books.latencies.as_ref().and_then(Histogram::latency);
        let faults = self.publishers.iter().map(|publisher| publisher.faults);
        let (refused, unexpected) = faults.fold((0, 0), |(refused, unexpected), faults| {
            (refused + faults.refused, unexpected + faults.unexpected)
        });
        let unexpected_releases: u64 = self.subscribers.iter().map(|s| s.unexpected).sum();
        let qos_faults = self.books.close();
        let violations: u64 = qos_faults
            .iter()
            .enumerate()
            .map(|(qos, faults)| faults.violations(qos == 0 && watch.loss_allowed))
            .sum();
        let broker = match (watch.broker_pid, before.broker, after.broker) {
            (Some(pid), Some(before), Some(after)) => {
                let memory = usage::resident_bytes_max(pid);
                let resident = memory.map_err(Failure::io("memory of the broker"))?;
                Some(BrokerUse::new(after.since(before), resident, delivered))
            }
            _ => None,
        };
        self.publishers
            .into_iter()
            .for_each(|publisher| publisher.link.close());
        self.subscribers
            .into_iter()
            .for_each(|subscriber| subscriber.link.close());
        let seconds = elapsed.as_secs_f64();
        Ok(Report {
            published,
            delivered,
            seconds,
            delivered_per_second: delivered as f64 / seconds,
            generator_cpu_ns_per_delivery: (after.own_ns - before.own_ns) as f64
                / delivered.max(1) as f64,
            broker,
            latency,
            faults_by_qos: qos_faults,
            refused,
            unexpected_acknowledgements: unexpected + unexpected_releases,
            stalled,
            gave_up: self.gave_up,
            resident: self.resident,
            phases: self.phases,
            outgrown: self.outgrown,
            violations: violations
                + refused
                + unexpected
                + unexpected_releases
                + u64::from(stalled),
            ..Report::of(plan)
        })
    }
}

/// For `map_err`: an I/O error of one client.
fn of(who: &'static str, index: usize) -> impl FnOnce(io::Error) -> Failure {
    move |error| match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            Failure::Broker(format!("the broker closed the connection of {who} {index}"))
        }
        _ => Failure::Io {
            doing: format!("{who} {index}"),
            error,
        },
    }
}

/// For `map_err`: a broker that does not keep to MQTT.
fn wrong<E: std::fmt::Display>(who: &'static str, index: usize) -> impl FnOnce(E) -> Failure {
    move |error| Failure::Broker(format!("{who} {index}: {error}"))
}
