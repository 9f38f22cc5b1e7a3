//! Between a driver's sockets and the broker: everything about it that is the same under every driver.
//!
//! # How to write a driver
//! A driver implements [`Socket`] for its sockets and works in turns:
//! 1. sleep until a socket is ready, [`deadline`](Engine::deadline) has come, or the [`Inbox`] wakes it;
//! 2. [`begin_turn`](Engine::begin_turn), which reads the clock once;
//! 3. [`open`](Engine::open) what was accepted, [`pull`](Engine::pull) from what is readable or on the list of
//!    [`next_ready`](Engine::next_ready), tell [`writable`](Engine::writable), [`read_inbox`](Engine::read_inbox);
//! 4. [`settle`](Engine::settle): deadlines, orders of the broker, and one write for each connection that has output.
//!
//! It ends when [`is_finished`](Engine::is_finished) says so. The engine never blocks and never sleeps.

mod alarm;
mod connection;
mod finish;
mod letters;
mod perform;
mod read;

pub use connection::Socket;
pub use finish::Finished;
pub use read::Pulled;

use crate::{
    Answerer, Clock, Entropy, Inbox, ListeningSocket, Measures, Plugins, Setup, Slots, Spare,
    Transport, clock, handle::set_in_turn, inline::Carrier,
};
use alarm::Alarm;
use connection::{Connection, Writing};
use finish::Stopping;
use sanderling_core::{
    broker::{Actions, Answer, Broker, CloseCause, Event, Link, Stage},
    config::{Config, Limits},
    hooks::HookChain,
    id::{ConnId, RequestId},
    time::Instant,
    timer::Wheel,
};
use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

/// Bytes a driver should lend to [`Engine::pull`].
pub const READ_BUFFER_BYTES: usize = 64 << 10;
/// Bytes read at a time from a connection that loses its session.
const DRAIN_BUFFER_BYTES: usize = 16 << 10;
/// Rounds of writing in one turn; what is left then comes in the next.
const ROUNDS_PER_TURN: usize = 8;
/// From the order to close a connection to its end, if its peer does not do its part.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);
/// How long accepting pauses when the system has no room for one more connection.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A broker and its connections, driven from outside.
#[derive(Debug)]
pub struct Engine<S> {
    broker: Broker,
    actions: Actions,
    /// The bounds and the layers of each listener, by its number; what is beyond has those of `limits` and none.
    listeners: Vec<(Limits, Transport)>,
    limits: Limits,
    clock: Clock,
    now: Instant,
    entropy: Entropy,
    connections: Slots<Connection<S>>,
    /// Connections with output to write, or an end to bring about.
    touched: Vec<ConnId>,
    /// Connections to read from although no readiness will be reported.
    ready: VecDeque<ConnId>,
    /// The same for those without a driver's socket.
    ready_inline: VecDeque<ConnId>,
    /// Connections that were written to before the end of the turn; the broker was not told yet.
    early: Vec<ConnId>,
    /// What is to be looked at when its time comes.
    alarms: Wheel<Alarm>,
    /// Connections whose session is about to go to another one, to be read before.
    drains: VecDeque<ConnId>,
    drain_buffer: Box<[u8]>,
    /// When the broker wants to hear `TimerFired`.
    timer: Option<Instant>,
    accept_at: Option<Instant>,
    stopping: Option<Stopping>,
    plugins: Plugins,
    inbox: Arc<Inbox>,
    requests: HashMap<RequestId, oneshot::Sender<Answer>>,
    requests_made: u64,
    answerers: Answerers,
    spare: Spare,
    measures: Measures,
    /// Somebody wants to know how long turns take.
    is_measured: bool,
}

/// For each hook set of the chain, by its number, who answers what it asks.
#[derive(Default)]
pub struct Answerers(Vec<Option<Box<dyn Answerer>>>);

impl Answerers {
    /// Has `answerer` find the verdicts of hook set number `hook`.
    pub fn set(&mut self, hook: usize, answerer: Box<dyn Answerer>) {
        if self.0.len() <= hook {
            self.0.resize_with(hook + 1, || None);
        }
        self.0[hook] = Some(answerer);
    }

    fn of(&mut self, hook: u16) -> Option<&mut (dyn Answerer + 'static)> {
        self.0.get_mut(usize::from(hook))?.as_deref_mut()
    }
}

impl core::fmt::Debug for Answerers {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(Option::is_some))
            .finish()
    }
}

impl<S: Socket> Engine<S> {
    /// A broker without connections, and the sockets to accept them from, by the numbers of their listeners.
    ///
    /// # Errors
    /// The system has no source of randomness.
    pub fn new(setup: Setup) -> io::Result<(Self, Vec<ListeningSocket>)> {
        let Setup {
            config,
            hooks,
            answerers,
            listeners,
            plugins,
            inbox,
            ..
        } = setup;
        let (sockets, transports): (Vec<_>, Vec<_>) = listeners
            .into_iter()
            .map(|listener| (listener.socket, listener.transport))
            .unzip();
        let mut engine = Self::of_parts(config, hooks, answerers, transports, inbox)?;
        engine.plugins = plugins;
        Ok((engine, sockets))
    }

    /// The same for connections that come from somewhere else. `transports` are the layers of the listeners, by the
    /// numbers that [`open`](Self::open) is given.
    ///
    /// # Errors
    /// The system has no source of randomness.
    pub fn of_parts(
        config: Config,
        hooks: HookChain,
        answerers: Answerers,
        transports: Vec<Transport>,
        inbox: Arc<Inbox>,
    ) -> io::Result<Self> {
        let clock = Clock::start();
        let now = clock.now();
        let limits = config.limits.clone();
        let listeners = (0..).zip(transports);
        let listeners = listeners
            .map(|(number, transport)| (config.limits_of(number), transport))
            .collect();
        Ok(Self {
            broker: Broker::new(config, hooks, clock::seed()?, now, clock::wall_clock()),
            actions: Actions::new(),
            listeners,
            limits,
            clock,
            now,
            entropy: Entropy::new(),
            connections: Slots::default(),
            touched: Vec::new(),
            ready: VecDeque::new(),
            ready_inline: VecDeque::new(),
            early: Vec::new(),
            alarms: Wheel::new(now),
            drains: VecDeque::new(),
            drain_buffer: vec![0; DRAIN_BUFFER_BYTES].into_boxed_slice(),
            timer: None,
            accept_at: None,
            stopping: None,
            plugins: Plugins::default(),
            inbox,
            requests: HashMap::new(),
            requests_made: 0,
            answerers,
            spare: Spare::new(),
            measures: Measures::default(),
            is_measured: false,
        })
    }

    // The turn

    /// Reads the clock, for all that happens in this turn.
    pub fn begin_turn(&mut self) {
        self.now = self.clock.now().max(self.now);
    }

    /// How long the driver may sleep: `None` for until something happens.
    pub fn sleep(&self) -> Option<Duration> {
        let is_busy = [&self.ready, &self.ready_inline]
            .iter()
            .any(|list| !list.is_empty());
        if is_busy || !self.touched.is_empty() {
            return Some(Duration::ZERO);
        }
        self.deadline().map(|at| self.clock.until(at))
    }

    /// When the next turn must begin at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let alarm = self.alarms.next_deadline();
        let stop = self.stopping.as_ref().map(|stopping| stopping.at);
        [self.timer, alarm, self.accept_at, stop]
            .into_iter()
            .flatten()
            .min()
    }

    /// Ends a turn: deadlines, then whatever the broker orders, with one write for each connection that has output.
    ///
    /// Read first, so that a pause of the process ends no connection whose packets are waiting.
    pub fn settle(&mut self) {
        let _guard = InTurn::enter();
        self.pull_inline();
        self.fire_deadlines();
        self.obey();
        if self.is_measured {
            let took = self.clock.now().saturating_since(self.now);
            self.measures.turns.record(took);
        }
    }

    /// Performs and writes until nothing is left to do, or the turn has taken enough.
    fn obey(&mut self) {
        for _ in 0..ROUNDS_PER_TURN {
            self.perform();
            self.drain();
            if self.touched.is_empty() {
                return;
            }
            self.write_touched();
        }
        self.perform();
    }

    fn fire_deadlines(&mut self) {
        if self.timer.is_some_and(|at| at <= self.now) {
            self.timer = None;
            self.tell(Event::TimerFired);
        }
        self.ring_alarms();
        if self.accept_at.is_some_and(|at| at <= self.now) {
            self.accept_at = None;
        }
    }

    fn tell(&mut self, event: Event<'_>) {
        // `Hold` is the answer to packets only, and those go through `receive`.
        let _ = self.broker.handle(self.now, event, &mut self.actions);
    }

    // Connections

    /// A connection was accepted on the listener with this number.
    pub fn open(&mut self, socket: S, listener: u16, remote: Option<SocketAddr>) -> ConnId {
        let _guard = InTurn::enter();
        let (limits, layers) = match self.listeners.get(usize::from(listener)) {
            Some((limits, transport)) => (limits, transport.layers(remote)),
            None => (&self.limits, None),
        };
        let stage = layers.as_ref().map_or(Stage::Connect, |one| one.stage());
        let connection = Connection::new(Carrier::Net(socket), layers, limits);
        let conn = self.connections.insert_with(|_| connection);
        let link = Link::new(listener, remote, self.entropy.sixteen());
        self.tell(Event::Opened { conn, link, stage });
        conn
    }

    /// The system would not accept one more connection. Accepting pauses; what is connected goes on.
    pub fn accept_failed(&mut self) {
        self.accept_at = Some(self.now + ACCEPT_PAUSE);
    }

    /// False while accepting pauses, and once the broker stops.
    pub fn may_accept(&self) -> bool {
        self.accept_at.is_none() && self.stopping.is_none()
    }

    /// The connection that stands in this slot now.
    pub fn current(&self, slot: usize) -> Option<ConnId> {
        self.connections.current(slot)
    }

    /// The socket of a connection that has not ended, if it has one.
    pub fn socket(&mut self, conn: ConnId) -> Option<&mut S> {
        self.connections.get_mut(conn)?.carrier.net_mut()
    }

    /// A connection to [`pull`](Self::pull) from without waiting for readiness.
    pub fn next_ready(&mut self) -> Option<ConnId> {
        while let Some(conn) = self.ready.pop_front() {
            if let Some(connection) = self.connections.get_mut(conn) {
                connection.ready = false;
                return Some(conn);
            }
        }
        None
    }

    /// How many connections [`next_ready`](Self::next_ready) has now.
    pub fn ready_len(&self) -> usize {
        self.ready.len()
    }

    /// From now on the socket must be read until it would block, however short a read is: because its peer has closed
    /// its side, or because the driver learns of readiness that way.
    pub fn read_to_the_end(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.to_the_end = true;
        }
    }

    /// The socket takes bytes again.
    pub fn writable(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn)
            && connection.writing == Writing::Full
        {
            connection.writing = Writing::Open;
            connection.touch(conn, &mut self.touched);
        }
    }

    /// A connection has ended in a way the driver noticed itself.
    pub fn ended(&mut self, conn: ConnId, cause: CloseCause) {
        let _guard = InTurn::enter();
        if cause == CloseCause::PeerClosed {
            self.peer_closed(conn);
        } else {
            self.end(conn, cause);
        }
    }

    /// Connections that have not ended.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    fn end(&mut self, conn: ConnId, cause: CloseCause) {
        let Some(connection) = self.connections.remove(conn) else {
            return;
        };
        self.measures.waiting_bytes -= connection.waiting_bytes;
        let cause = if connection.is_closing() {
            CloseCause::Ordered
        } else {
            cause
        };
        self.tell(Event::Closed { conn, cause });
    }

    fn make_ready(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn)
            && !connection.ready
        {
            connection.ready = true;
            match connection.carrier.is_inline() {
                true => self.ready_inline.push_back(conn),
                false => self.ready.push_back(conn),
            }
        }
    }
}

impl<S> Drop for Engine<S> {
    /// Whoever still waits for an answer is told that there will be none.
    fn drop(&mut self) {
        self.inbox.close();
    }
}

/// While it lives, this thread counts as running inside a broker.
struct InTurn {
    /// It did before: this broker was called by a hook of another one.
    before: bool,
}

impl InTurn {
    fn enter() -> Self {
        let before = set_in_turn(true);
        Self { before }
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        set_in_turn(self.before);
    }
}
