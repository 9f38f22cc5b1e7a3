//! A broker called by hand, with any number of clients, that keeps little itself: what it holds can be measured.

use super::{
    got::{Got, Message},
    packets,
};
use sanderling_core::{
    broker::{
        Action, Actions, Answer, Broker, CloseCause, Command, Event, Flow, Frame, Link, Seed, Stage,
    },
    codec::{DecodeLimits, Decoded, FromClient, FromServer},
    config::{Config, Limits},
    hooks::{Client, Context, Draft, HookChain, HookSet, Hooks, Ruling, Verdict},
    id::{ConnId, RequestId, Ticket},
    packet::{ClientPacket, Connect, QoS, Version},
    reason::ReasonCode,
    stats::Statistics,
    time::{Instant, WallClock},
};
use std::{collections::VecDeque, time::Duration};

/// Turns of the timer in one instant, after which it is taken for a loop.
const FIRINGS_MAX: usize = 100_000;
/// Closed connections whose slots are kept, so that tests can look at what they received last.
const CLOSED_KEPT: usize = 64;

const ANY_LENGTH: DecodeLimits = DecodeLimits {
    first_packet_bytes_max: u32::MAX,
    packet_bytes_max: u32::MAX,
};

pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) now: Instant,
    /// The most that one event ordered: actions and targets.
    pub(crate) largest_step: usize,
    actions: Actions,
    timer: Option<Instant>,
    /// By slot.
    conns: Vec<Conn>,
    closed: VecDeque<u32>,
    /// Connections that may have something to flush or an end to come to.
    touched: Vec<u32>,
    answer: Option<Answer>,
    /// What hooks asked and nobody has answered, oldest first.
    pub(crate) questions: VecDeque<Ticket>,
    /// Orders to drain are left undone.
    pub(crate) never_drains: bool,
}

struct Conn {
    id: ConnId,
    version: Version,
    decoder: FromClient,
    inbound: Vec<u8>,
    /// What the client has not looked at yet.
    received: Vec<u8>,
    from_server: FromServer,
    /// Received bytes are counted and thrown away.
    discards: bool,
    unflushed: u32,
    is_held: bool,
    is_stalled: bool,
    is_malformed: bool,
    is_ordered: bool,
    is_closed: bool,
}

impl World {
    /// A broker with these limits.
    pub(crate) fn new(limits: Limits) -> Self {
        Self::with(
            Config {
                limits,
                ..Config::default()
            },
            HookChain::new(),
        )
    }

    pub(crate) fn with(config: Config, hooks: HookChain) -> Self {
        let now = Instant::ORIGIN;
        Self {
            broker: Broker::new(config, hooks, Seed([7; 32]), now, WallClock::default()),
            now,
            largest_step: 0,
            actions: Actions::new(),
            timer: None,
            conns: Vec::new(),
            closed: VecDeque::new(),
            touched: Vec::new(),
            answer: None,
            questions: VecDeque::new(),
            never_drains: false,
        }
    }

    pub(crate) fn statistics(&self) -> &Statistics {
        self.broker.view().statistics()
    }

    /// A network connection, nothing more.
    pub(crate) fn open(&mut self) -> ConnId {
        let id = if self.closed.len() > CLOSED_KEPT {
            let slot = self.closed.pop_front().unwrap();
            let old = self.conns[slot as usize].id;
            ConnId {
                generation: old.generation + 1,
                ..old
            }
        } else {
            let slot = u32::try_from(self.conns.len()).unwrap();
            ConnId {
                slot,
                generation: 0,
            }
        };
        let limits = &self.broker.view().config().limits;
        let conn = Conn {
            id,
            version: Version::V5,
            decoder: FromClient::new(DecodeLimits {
                first_packet_bytes_max: limits.connect_packet_bytes_max,
                packet_bytes_max: limits.packet_bytes_max,
            }),
            inbound: Vec::new(),
            received: Vec::new(),
            from_server: FromServer::new(Version::V5, ANY_LENGTH),
            discards: false,
            unflushed: 0,
            is_held: false,
            is_stalled: false,
            is_malformed: false,
            is_ordered: false,
            is_closed: false,
        };
        match self.conns.get_mut(id.slot as usize) {
            Some(old) => *old = conn,
            None => self.conns.push(conn),
        }
        let mut entropy = [0; 16];
        entropy[..4].copy_from_slice(&id.slot.to_be_bytes());
        entropy[4..8].copy_from_slice(&id.generation.to_be_bytes());
        let link = Link::new(0, None, entropy);
        let _ = self.handle(Event::Opened {
            conn: id,
            link,
            stage: Stage::Connect,
        });
        self.run();
        id
    }

    /// A connection whose CONNECT was sent.
    pub(crate) fn begin(&mut self, connect: &Connect<'_>) -> ConnId {
        let conn = self.open();
        self.send(conn, &ClientPacket::Connect(Box::new(connect.clone())));
        conn
    }

    /// A connection whose CONNECT was accepted; whether its session went on.
    pub(crate) fn join(&mut self, connect: &Connect<'_>) -> (ConnId, bool) {
        let conn = self.begin(connect);
        let first = self.next(conn);
        let Some(Got::ConnAck {
            session_present,
            reason: ReasonCode::SUCCESS,
            ..
        }) = first
        else {
            panic!("CONNACK was expected, not {first:?}");
        };
        (conn, session_present)
    }

    /// A 5.0 client with a new session that ends with its connection.
    pub(crate) fn client(&mut self, client_id: &str) -> ConnId {
        self.join(&packets::connect(client_id)).0
    }

    /// The same, subscribed.
    pub(crate) fn subscriber(&mut self, client_id: &str, filter: &str, qos: QoS) -> ConnId {
        let conn = self.client(client_id);
        self.subscribe(conn, filter, qos);
        conn
    }

    pub(crate) fn subscribe(&mut self, conn: ConnId, filter: &str, qos: QoS) {
        self.send(conn, &packets::subscribe([filter], qos));
        let got = self.take(conn);
        assert_eq!(got.first(), Some(&Got::SubAck(vec![qos as u8])), "{filter}");
    }

    pub(crate) fn send(&mut self, conn: ConnId, packet: &ClientPacket<'_>) {
        if let ClientPacket::Connect(connect) = packet {
            let conn = self.conn(conn);
            conn.version = connect.version;
            conn.from_server = FromServer::new(connect.version, ANY_LENGTH);
        }
        let bytes = packets::encoded(packet, self.conn(conn).version);
        self.write(conn, &bytes);
    }

    /// Sends bytes of a client.
    pub(crate) fn write(&mut self, conn: ConnId, bytes: &[u8]) {
        self.conn(conn).inbound.extend_from_slice(bytes);
        self.read(conn);
        self.run();
    }

    /// Whether the broker has closed the connection.
    pub(crate) fn is_closed(&mut self, conn: ConnId) -> bool {
        self.conn(conn).is_closed
    }

    /// The packets received since the last look.
    pub(crate) fn take(&mut self, conn: ConnId) -> Vec<Got> {
        std::iter::from_fn(|| self.next(conn)).collect()
    }

    /// The application messages among them, all that there are.
    pub(crate) fn messages(&mut self, conn: ConnId) -> Vec<Message> {
        let got = self.take(conn).into_iter();
        got.map(|got| match got {
            Got::Publish(message) => message,
            other => panic!("a PUBLISH was expected, not {other:?}"),
        })
        .collect()
    }

    /// How long the packets are that were received since the last look.
    pub(crate) fn lengths(&mut self, conn: ConnId) -> Vec<usize> {
        let left = |world: &mut Self| world.conn(conn).received.len();
        let mut before = left(self);
        let mut lengths = Vec::new();
        while self.next(conn).is_some() {
            lengths.push(before - left(self));
            before = left(self);
        }
        lengths
    }

    /// The next packet received.
    pub(crate) fn next(&mut self, conn: ConnId) -> Option<Got> {
        let conn = self.conn(conn);
        let Decoded::Packet { packet, len } = conn.from_server.decode(&conn.received).unwrap()
        else {
            assert!(
                conn.received.is_empty() || conn.unflushed > 0,
                "half a packet"
            );
            return None;
        };
        let got = Got::from(packet);
        conn.received.drain(..len);
        Some(got)
    }

    /// From now on the client counts as reading, but nothing of it is kept.
    pub(crate) fn discard(&mut self, conn: ConnId) {
        let conn = self.conn(conn);
        conn.discards = true;
        conn.received = Vec::new();
    }

    /// From now on the network takes nothing for this client.
    pub(crate) fn stall(&mut self, conn: ConnId) {
        self.conn(conn).is_stalled = true;
    }

    /// It takes everything again.
    pub(crate) fn unstall(&mut self, conn: ConnId) {
        self.conn(conn).is_stalled = false;
        self.touched.push(conn.slot);
        self.run();
    }

    /// The network takes this many bytes more.
    pub(crate) fn flush(&mut self, id: ConnId, bytes: u32) {
        let conn = self.conn(id);
        let bytes = conn.unflushed.min(bytes);
        conn.unflushed -= bytes;
        let _ = self.handle(Event::Flushed { conn: id, bytes });
        self.run();
    }

    /// The client's connection breaks.
    pub(crate) fn drop_connection(&mut self, conn: ConnId) {
        if !self.conn(conn).is_closed {
            self.closed(conn, CloseCause::Failed);
        }
        self.run();
    }

    pub(crate) fn order(&mut self, command: Command) -> Answer {
        let request = RequestId(1);
        let _ = self.handle(Event::Ordered { request, command });
        self.run();
        self.answer.take().expect("every command is answered")
    }

    /// Rules on a question.
    pub(crate) fn rule(&mut self, ticket: Ticket, verdict: Verdict) {
        let _ = self.handle(Event::Ruled { ticket, verdict });
        self.run();
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.timer.filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.run();
        }
        self.now = until;
        self.run();
    }

    fn conn(&mut self, id: ConnId) -> &mut Conn {
        let conn = &mut self.conns[id.slot as usize];
        assert_eq!(conn.id, id, "a connection that was forgotten");
        conn
    }

    /// Hands in what was received until it ends, the connection is held, or it is to close.
    fn read(&mut self, id: ConnId) {
        let bytes = std::mem::take(&mut self.conn(id).inbound);
        let mut at = 0;
        loop {
            let conn = self.conn(id);
            if conn.is_held || conn.is_malformed || conn.is_ordered || conn.is_closed {
                break;
            }
            let event = match conn.decoder.decode(&bytes[at..]) {
                Ok(Decoded::Need(_)) => break,
                Ok(Decoded::Packet { packet, len }) => {
                    at += len;
                    let bytes = u32::try_from(len).unwrap();
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
            let flow = self.handle(event);
            self.conn(id).is_held |= flow == Flow::Hold;
            self.perform();
        }
        if at < bytes.len() {
            self.conn(id)
                .inbound
                .splice(..0, bytes[at..].iter().copied());
        }
    }

    fn handle(&mut self, event: Event<'_>) -> Flow {
        let before = self.actions.list().len();
        let flow = self.broker.handle(self.now, event, &mut self.actions);
        let ordered = self.actions.list()[before..].iter();
        let step = ordered.map(|action| match action {
            Action::Deliver { targets, .. } => self.actions.targets(*targets).len(),
            _ => 1,
        });
        self.largest_step = self.largest_step.max(step.sum());
        flow
    }

    /// Performs, flushes, closes and fires the timer until nothing is left to do.
    fn run(&mut self) {
        for _ in 0..FIRINGS_MAX {
            self.perform();
            for slot in std::mem::take(&mut self.touched) {
                self.settle(slot);
            }
            if self.timer.is_some_and(|at| at <= self.now) {
                self.timer = None;
                let _ = self.handle(Event::TimerFired);
            } else if self.actions.is_empty() && self.touched.is_empty() {
                return;
            }
        }
        panic!("the broker asks for TimerFired at {} without end", self.now);
    }

    fn settle(&mut self, slot: u32) {
        let conn = &mut self.conns[slot as usize];
        let id = conn.id;
        if conn.is_closed {
            return;
        }
        if !conn.is_stalled && conn.unflushed > 0 {
            let bytes = std::mem::take(&mut conn.unflushed);
            let _ = self.handle(Event::Flushed { conn: id, bytes });
        }
        let conn = &self.conns[slot as usize];
        if conn.is_ordered && conn.unflushed == 0 {
            self.closed(id, CloseCause::Ordered);
        }
    }

    fn closed(&mut self, id: ConnId, cause: CloseCause) {
        self.conn(id).is_closed = true;
        self.closed.push_back(id.slot);
        let _ = self.handle(Event::Closed { conn: id, cause });
    }

    fn perform(&mut self) {
        let actions = std::mem::take(&mut self.actions);
        let (mut resumed, mut drained) = (Vec::new(), Vec::new());
        for action in actions.list() {
            match action {
                Action::Send { conn, frame } => self.output(*conn, &actions, *frame, None),
                Action::Deliver {
                    frame,
                    packet_id_at,
                    targets,
                } => {
                    for target in actions.targets(*targets) {
                        let id = target
                            .packet_id
                            .map(|id| (*packet_id_at as usize, id.get()));
                        self.output(target.conn, &actions, *frame, id);
                    }
                }
                Action::Close { conn, .. } => {
                    self.conn(*conn).is_ordered = true;
                    self.touched.push(conn.slot);
                }
                Action::Drain { .. } if self.never_drains => {}
                Action::Drain { conn } => drained.push(*conn),
                Action::Resume { conn } => {
                    self.conn(*conn).is_held = false;
                    resumed.push(*conn);
                }
                Action::Timer { at } => self.timer = Some(*at),
                Action::Consult { ticket, .. } => self.questions.push_back(*ticket),
                Action::Answer { answer, .. } => self.answer = Some(answer.clone()),
            }
        }
        let mut spent = actions;
        spent.clear();
        self.actions = spent;
        for conn in drained {
            self.read(conn);
            let _ = self.handle(Event::Drained { conn });
        }
        for conn in resumed {
            self.read(conn);
        }
    }

    fn output(
        &mut self,
        id: ConnId,
        actions: &Actions,
        frame: Frame,
        packet_id: Option<(usize, u16)>,
    ) {
        let conn = self.conn(id);
        assert!(!conn.is_ordered, "bytes after the order to close");
        let (head, tail) = (actions.bytes(frame), actions.tail(frame));
        let len = head.len() + tail.map_or(0, |tail| tail.len());
        conn.unflushed += u32::try_from(len).unwrap();
        self.touched.push(id.slot);
        let conn = self.conn(id);
        if conn.discards {
            return;
        }
        let start = conn.received.len();
        conn.received.extend_from_slice(head);
        conn.received.extend(tail.into_iter().flatten());
        if let Some((at, packet_id)) = packet_id {
            conn.received[start + at..][..2].copy_from_slice(&packet_id.to_be_bytes());
        }
    }
}

/// Leaves every PUBLISH in question.
pub(crate) struct AskAboutPublish;

impl Hooks for AskAboutPublish {
    fn wants(&self) -> HookSet {
        HookSet::PUBLISH
    }

    fn publish(&mut self, _: &Client<'_>, _: &mut Draft<'_>, _: &mut Context<'_>) -> Ruling {
        Ruling::Ask
    }
}
