//! The simplest driver there is: no sockets, no clock, one broker called by hand. It keeps the contract of
//! [`Broker`] to the letter, and checks that the broker keeps its side.

mod check;
mod conn;

use super::{
    hook::{self, Watcher},
    render,
    script::Need,
    setting::Settings,
    word::Word,
    world::{Ending, Peer, Received, World},
};
use check::Tally;
use conn::{Conn, Phase};
use sanderling_core::{
    broker::{
        Action, Actions, Broker, Close, CloseCause, Command, Event, Flow, Frame, Link, Seed, Stage,
    },
    codec::{DecodeLimits, Decoded, FromClient},
    hooks::{HookChain, Verdict},
    id::{ConnId, RequestId, Ticket},
    time::{Instant, WallClock},
};
use std::{
    collections::VecDeque,
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// How the driver goes about its work. The broker must not care.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manner {
    /// Decodes whole writes, performs after each event, in a time that stands still between waits.
    Prompt,
    /// Decodes byte by byte, performs once a step, fires the timer needlessly, in a time that passes with each event.
    Gathered,
}

/// Turns of the timer in one instant, after which it is taken for a loop.
const FIRINGS_MAX: usize = 10_000;

/// A broker called by hand.
#[derive(Debug)]
pub struct Direct {
    broker: Broker,
    actions: Actions,
    manner: Manner,
    now: Instant,
    timer: Option<Instant>,
    /// By [`Peer`].
    conns: Vec<Conn>,
    /// Slots whose last connection is closed, with the generation to come.
    free_slots: Vec<ConnId>,
    slots: u32,
    questions: VecDeque<Ticket>,
    heard: Vec<(&'static str, Vec<Word>)>,
    notices: Receiver<Vec<Word>>,
    requests: u64,
    trace: Vec<String>,
    tally: Tally,
}

impl Direct {
    /// A new broker as the story wants it. The seed must make no difference.
    pub fn new(settings: &Settings, manner: Manner, seed: u8) -> Self {
        let seed = Seed([seed; 32]);
        let now = Instant::ORIGIN;
        let config = settings.config.clone();
        let (told, notices) = channel();
        let watcher = || -> Watcher {
            let told = told.clone();
            Box::new(move |words| told.send(words).expect("the driver outlives its broker"))
        };
        let hooks = settings
            .hooks(watcher)
            .fold(HookChain::new(), HookChain::with);
        Self {
            broker: Broker::new(config, hooks, seed, now, WallClock::default()),
            actions: Actions::new(),
            manner,
            now,
            timer: None,
            conns: Vec::new(),
            free_slots: Vec::new(),
            slots: 0,
            questions: VecDeque::new(),
            heard: Vec::new(),
            notices,
            requests: 0,
            trace: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// All actions performed so far, one a line.
    pub fn trace(&self) -> &[String] {
        &self.trace
    }

    fn handle(&mut self, event: Event<'_>) -> Flow {
        let flow = self.broker.handle(self.now, event, &mut self.actions);
        self.handled();
        flow
    }

    /// After each event: performs at once, or lets a little time pass.
    fn handled(&mut self) {
        match self.manner {
            Manner::Prompt => self.perform(),
            Manner::Gathered => self.now = self.now + Duration::from_micros(1),
        }
    }

    /// Decodes and hands in until the bytes end, the connection is held, or it is to close.
    fn read(&mut self, peer: usize) {
        loop {
            let conn = &mut self.conns[peer];
            if conn.is_held || conn.is_malformed || conn.phase != Phase::Open {
                return;
            }
            let bytes = core::mem::take(&mut conn.inbound);
            let id = conn.id;
            let event = match conn.decoder.decode(&bytes) {
                Ok(Decoded::Need(_)) => {
                    conn.inbound = bytes;
                    return;
                }
                Ok(Decoded::Packet { packet, len }) => {
                    conn.inbound = bytes[len..].to_vec();
                    let bytes = u32::try_from(len).expect("packets are limited to 256 MiB");
                    self.tally.bytes_received += u64::from(bytes);
                    Event::Received {
                        conn: id,
                        packet,
                        bytes,
                    }
                }
                Err(error) => {
                    conn.is_malformed = true;
                    Event::Malformed { conn: id, error }
                }
            };
            let flow = self.broker.handle(self.now, event, &mut self.actions);
            self.conns[peer].is_held = flow == Flow::Hold;
            self.handled();
        }
    }

    /// Performs what was ordered and reports what comes of it, until nothing is left to do.
    fn run(&mut self) {
        for _ in 0..FIRINGS_MAX {
            self.perform();
            let progress = self.flush() | self.close_ordered() | self.fire(self.now);
            if !progress && self.actions.is_empty() {
                self.check_accounts();
                self.check_counters();
                return;
            }
        }
        panic!("the broker asks for TimerFired at {} without end", self.now);
    }

    fn perform(&mut self) {
        let actions = core::mem::take(&mut self.actions);
        let (mut resumed, mut drained) = (Vec::new(), Vec::new());
        for action in actions.list() {
            match action {
                Action::Send { conn, frame } => {
                    self.output(*conn, &whole(&actions, *frame));
                }
                Action::Deliver {
                    frame,
                    packet_id_at,
                    targets,
                } => {
                    let bytes = whole(&actions, *frame);
                    for target in actions.targets(*targets) {
                        let mut bytes = bytes.clone();
                        let at = *packet_id_at as usize;
                        assert_eq!(
                            target.packet_id.is_some(),
                            at > 0,
                            "a place for each identifier"
                        );
                        if let Some(packet_id) = target.packet_id {
                            bytes[at..at + 2].copy_from_slice(&packet_id.get().to_be_bytes());
                        }
                        self.tally.delivered += 1;
                        self.output(target.conn, &bytes);
                    }
                }
                Action::Close { conn, how } => {
                    self.trace.push(format!("close {conn} {how:?}"));
                    if let Some(conn) = self.find(*conn) {
                        conn.phase = Phase::Ordered(*how);
                    }
                }
                Action::Drain { conn } => {
                    self.trace.push(format!("drain {conn}"));
                    drained.push(*conn);
                }
                Action::Resume { conn } => {
                    self.trace.push(format!("resume {conn}"));
                    let id = *conn;
                    if let Some(conn) = self.find(id) {
                        assert!(conn.is_held, "{id} is resumed, though it was not held");
                        conn.is_held = false;
                        resumed.push(id);
                    }
                }
                Action::Timer { at } => {
                    self.trace.push(format!("timer {at}"));
                    self.timer = Some(*at);
                }
                Action::Consult {
                    ticket,
                    hook,
                    question,
                } => {
                    self.trace.push(format!("consult {ticket} {hook}"));
                    self.questions.push_back(*ticket);
                    self.heard.push(("hook", hook::describe(question)));
                }
                Action::Answer { request, answer } => {
                    self.trace.push(format!("answer {} {answer:?}", request.0));
                    self.heard.push(("server", render::answer(answer)));
                }
            }
        }
        for id in resumed {
            if let Some(peer) = self.conns.iter().position(|conn| conn.id == id) {
                self.read(peer);
            }
        }
        for conn in drained {
            if let Some(peer) = self.conns.iter().position(|one| one.id == conn) {
                self.read(peer);
            }
            let _ = self.handle(Event::Drained { conn });
        }
    }

    /// The connection, unless its end was reported: what was ordered before that is void.
    fn find(&mut self, id: ConnId) -> Option<&mut Conn> {
        let conn = self.conns.iter_mut().find(|conn| conn.id == id);
        let conn = conn.unwrap_or_else(|| panic!("an action names {id}, which never was"));
        match conn.phase {
            Phase::Open => Some(conn),
            Phase::Ordered(_) => panic!("an action names {id} after the order to close it"),
            Phase::Closed if self.manner == Manner::Prompt => {
                panic!("an action names {id}, which is closed")
            }
            Phase::Closed => None,
        }
    }

    fn output(&mut self, id: ConnId, bytes: &[u8]) {
        let mut line = format!("send {id}");
        bytes.iter().for_each(|byte| {
            let _ = write!(line, " {byte:02x}");
        });
        self.trace.push(line);
        self.tally.bytes_sent += bytes.len() as u64;
        if let Some(conn) = self.find(id) {
            conn.outbound.extend_from_slice(bytes);
            conn.unflushed += u32::try_from(bytes.len()).expect("frames are smaller than 4 GiB");
        }
    }

    /// The network takes what was sent. True if it took anything.
    fn flush(&mut self) -> bool {
        let mut progress = false;
        for peer in 0..self.conns.len() {
            let conn = &mut self.conns[peer];
            if conn.is_stalled || conn.unflushed == 0 || conn.phase == Phase::Closed {
                continue;
            }
            let bytes = core::mem::take(&mut conn.unflushed);
            let event = Event::Flushed {
                conn: conn.id,
                bytes,
            };
            let _ = self.handle(event);
            progress = true;
        }
        progress
    }

    /// Closes what was ordered to. True if there was any.
    fn close_ordered(&mut self) -> bool {
        let mut progress = false;
        for peer in 0..self.conns.len() {
            let conn = &mut self.conns[peer];
            let Phase::Ordered(how) = conn.phase else {
                continue;
            };
            if how == Close::Abort {
                conn.outbound
                    .truncate(conn.outbound.len() - conn.unflushed as usize);
            } else if conn.unflushed > 0 {
                continue;
            }
            self.closed(peer, CloseCause::Ordered);
            progress = true;
        }
        progress
    }

    fn closed(&mut self, peer: usize, cause: CloseCause) {
        let conn = &mut self.conns[peer];
        let id = conn.id;
        conn.phase = Phase::Closed;
        self.free_slots.push(ConnId {
            slot: id.slot,
            generation: id.generation + 1,
        });
        let _ = self.handle(Event::Closed { conn: id, cause });
    }

    /// Reports the timer if it is due at `now`.
    fn fire(&mut self, now: Instant) -> bool {
        let due = self.timer.is_some_and(|at| at <= now);
        if due {
            self.timer = None;
            let _ = self.handle(Event::TimerFired);
        }
        due
    }
}

impl World for Direct {
    fn offers(&self, _: Need) -> bool {
        true
    }

    fn is_immediate(&self) -> bool {
        true
    }

    fn open(&mut self) -> Peer {
        let peer = self.conns.len();
        let id = self.free_slots.pop().unwrap_or_else(|| {
            self.slots += 1;
            ConnId {
                slot: self.slots - 1,
                generation: 0,
            }
        });
        let limits = &self.broker.view().config().limits;
        self.conns.push(Conn {
            id,
            decoder: FromClient::new(DecodeLimits {
                first_packet_bytes_max: limits.connect_packet_bytes_max,
                packet_bytes_max: limits.packet_bytes_max,
            }),
            inbound: Vec::new(),
            outbound: Vec::new(),
            unflushed: 0,
            is_held: false,
            is_stalled: false,
            is_malformed: false,
            phase: Phase::Open,
        });
        let number = u8::try_from(peer % 256).expect("a remainder");
        let remote = Some(SocketAddr::from((
            Ipv4Addr::LOCALHOST,
            50_000 + u16::from(number),
        )));
        let link = Link::new(0, remote, [number; 16]);
        let _ = self.handle(Event::Opened {
            conn: id,
            link,
            stage: Stage::Connect,
        });
        Peer(peer)
    }

    fn send(&mut self, Peer(peer): Peer, bytes: &[u8]) {
        let size = if self.manner == Manner::Prompt {
            bytes.len()
        } else {
            1
        };
        for part in bytes.chunks(size.max(1)) {
            self.conns[peer].inbound.extend_from_slice(part);
            self.read(peer);
        }
        if self.manner == Manner::Prompt {
            self.run();
        }
    }

    fn end(&mut self, Peer(peer): Peer, how: Ending) {
        let cause = match how {
            Ending::Close => CloseCause::PeerClosed,
            Ending::Reset => CloseCause::Failed,
        };
        if self.conns[peer].phase != Phase::Closed {
            self.closed(peer, cause);
        }
    }

    fn receive(&mut self, Peer(peer): Peer, bytes: &mut Vec<u8>) -> Received {
        let conn = &mut self.conns[peer];
        let taken = conn.outbound.len() - conn.unflushed as usize;
        bytes.extend(conn.outbound.drain(..taken));
        match conn.phase {
            _ if taken > 0 => Received::Bytes,
            Phase::Closed => Received::Closed,
            Phase::Open | Phase::Ordered(_) => Received::Nothing,
        }
    }

    fn settle(&mut self) {
        if self.manner == Manner::Gathered {
            let _ = self.handle(Event::TimerFired);
        }
        self.run();
    }

    fn advance(&mut self, time: Duration) {
        self.settle();
        let until = self.now + time;
        while let Some(at) = self.timer.filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.run();
        }
        self.now = self.now.max(until);
        self.run();
    }

    fn stall(&mut self, Peer(peer): Peer, stalled: bool) {
        self.settle();
        self.conns[peer].is_stalled = stalled;
    }

    fn command(&mut self, command: Command) {
        let request = RequestId(self.requests);
        self.requests += 1;
        let _ = self.handle(Event::Ordered { request, command });
    }

    fn rule(&mut self, verdict: Verdict) -> bool {
        let Some(ticket) = self.questions.pop_front() else {
            return false;
        };
        let _ = self.handle(Event::Ruled { ticket, verdict });
        true
    }

    fn heard(&mut self, _: usize) -> Vec<(&'static str, Vec<Word>)> {
        let notices = self.notices.try_iter().map(|words| ("watch", words));
        self.heard.drain(..).chain(notices).collect()
    }
}

/// The bytes of a frame with its tail.
fn whole(actions: &Actions, frame: Frame) -> Vec<u8> {
    let mut bytes = actions.bytes(frame).to_vec();
    bytes.extend(actions.tail(frame).into_iter().flatten());
    bytes
}
