//! The machine: one entry, [`Broker::handle`], and one file per flow. All ifs of the protocol stand in the flows; the
//! parts they use (sessions, index, retained store, wheel) are plain values that know nothing of each other.

mod acknowledge;
mod acknowledged_run;
mod action;
mod attach;
mod authenticate;
mod command;
mod connack;
mod connect;
mod consult;
mod deliver;
mod disconnect;
mod enqueue;
mod event;
mod form;
mod open;
mod permit;
mod publish;
mod pump;
mod replay;
mod routes;
mod run;
mod sessions;
mod share;
mod state;
mod subscribe;
mod takeover;
mod tell;
mod timeout;
mod view;

pub use action::{Action, Actions, Close, Frame, Target, Targets};
pub(crate) use authenticate::Authentication;
pub use command::{Answer, Command, Filters, NewSubscription, Publication};
pub use event::{CloseCause, Event, Fault, Identity, Lag, Layer, Link, Stage};
pub use view::{MessageView, SessionView, SubscriptionView, View, WillView};

use crate::{
    config::Config,
    hooks::{ClientData, DropCause, End, HookChain, Orders, Refusal},
    id::ConnId,
    packet::{ClientPacket, QoS},
    reason::ReasonCode,
    time::{Instant, WallClock},
};
use state::{State, Watches};

/// An MQTT server as a value.
///
/// # The contract
/// - Feed it every fact through [`handle`](Self::handle), with a `now` that never decreases; read the clock once a turn.
/// - Obey the [`Action`]s in order. They may be gathered over many events and performed together.
/// - After [`Flow::Hold`], hand in no more packets of that connection until `Action::Resume` names it.
/// - Within a turn, report what was received before `TimerFired`, so that a pause kills no client that has spoken.
/// - Report `Closed` once for every connection opened, and use its slot again only after that.
///
/// In return: nothing is owed when `handle` returns, its work is bounded by [`Limits`](crate::config::Limits), no input
/// from the network makes it panic, and the same events give the same actions. A driver that breaks the contract meets an
/// assertion that names the rule. Facts about a connection between its `Close` order and `Closed` are legal and ignored.
#[derive(Debug)]
pub struct Broker {
    hooks: HookChain,
    orders: Orders,
    state: State,
}

/// Whether the driver may go on reading from the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Flow {
    /// Go on.
    Continue,
    /// Hand in no more packets of this connection until `Action::Resume`.
    Hold,
}

/// The source of all randomness that is not a connection's own. Two brokers with the same seed act alike.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    /// One number that only hash tables see, so that it changes no action, and one that draws lots.
    fn two(self) -> [u64; 2] {
        let (hashes, lots) = self.0.split_at(16);
        [hashes, lots].map(|bytes| {
            bytes
                .iter()
                .fold(0, |sum: u64, &b| sum.rotate_left(8) ^ u64::from(b))
        })
    }
}

impl Broker {
    /// A broker without sessions. `now` is monotonic; `wall` is the civil time at `now`.
    pub fn new(
        config: Config,
        hooks: HookChain,
        seed: Seed,
        now: Instant,
        wall: WallClock,
    ) -> Self {
        let orders = Orders::new(config.limits.hook_commands_max);
        let watches = Watches::of(|what| hooks.wants(what));
        let state = State::new(config, seed, now, wall, watches);
        Self {
            hooks,
            orders,
            state,
        }
    }

    /// Takes one fact. All that must happen because of it is in `actions` on return.
    #[inline]
    pub fn handle(&mut self, now: Instant, event: Event<'_>, actions: &mut Actions) -> Flow {
        self.state.advance(now);
        // Those that come with every message are told apart where the caller makes them.
        let flow = match event {
            Event::Received {
                conn,
                packet,
                bytes,
            } => self.on_packet(conn, packet, bytes, actions),
            Event::ReceivedRun { conn, run } => self.on_run(conn, &run, actions),
            Event::ReceivedAcks { conn, acks } => self.on_acks(conn, acks, actions),
            Event::Flushed { conn, bytes } => self.on_flushed(conn, bytes, actions),
            event => self.on_rare_event(event, actions),
        };
        if self.hooks_have_something() {
            self.obey_hooks(actions);
        }
        self.state.announce(actions);
        flow
    }

    #[inline(never)]
    fn on_rare_event(&mut self, event: Event<'_>, actions: &mut Actions) -> Flow {
        match event {
            Event::Received { .. }
            | Event::ReceivedRun { .. }
            | Event::ReceivedAcks { .. }
            | Event::Flushed { .. } => unreachable!("these are not rare"),
            Event::Opened { conn, link, stage } => self.on_opened(conn, link, stage, actions),
            Event::Malformed { conn, error } => self.on_malformed(conn, error, actions),
            Event::Closed { conn, cause } => self.on_closed(conn, cause, actions),
            Event::Drained { conn } => {
                self.on_drained(conn, actions);
                Flow::Continue
            }
            Event::Announced {
                conn,
                remote,
                stage,
            } => self.on_announced(conn, remote, stage, actions),
            Event::Identified { conn, identity } => self.on_identified(conn, identity),
            Event::Progressed { conn, stage } => self.on_progressed(conn, stage),
            Event::Faulted { conn, fault } => self.on_faulted(conn, fault, actions),
            Event::Lagged { conn, lag } => self.on_lagged(conn, lag, actions),
            Event::TimerFired => self.on_timer(actions),
            Event::Ruled { ticket, verdict } => self.on_ruled(ticket, verdict, actions),
            Event::Ordered { request, command } => {
                let answer = self.on_command(command, actions);
                actions.push(Action::Answer { request, answer });
                Flow::Continue
            }
        }
    }

    /// What is going on inside, to look at.
    pub fn view(&self) -> View<'_> {
        View::new(&self.state)
    }

    #[inline]
    fn on_packet(
        &mut self,
        conn: ConnId,
        packet: ClientPacket<'_>,
        bytes: u32,
        actions: &mut Actions,
    ) -> Flow {
        let is_answered =
            !matches!(&packet, ClientPacket::Publish(publish) if publish.qos == QoS::AtMostOnce);
        match self.take_packet(conn, packet, bytes, actions) {
            // Where nothing is answered, nobody can be slow to take the answers.
            Flow::Continue if is_answered => self.state.flow(conn),
            flow => flow,
        }
    }

    /// Takes a packet, whether or not the client takes its answers.
    #[inline]
    fn take_packet(
        &mut self,
        conn: ConnId,
        packet: ClientPacket<'_>,
        bytes: u32,
        actions: &mut Actions,
    ) -> Flow {
        self.state.statistics.received(packet.packet_type(), bytes);
        let Some(connection) = self.state.connections.get_mut(conn) else {
            panic!("contract: a packet of connection {conn}, which is not open");
        };
        let Some(live) = connection.live_mut() else {
            return self.on_early_packet(conn, packet, actions);
        };
        assert!(
            live.held.is_none() && !live.throttled,
            "a packet of connection {conn}, which is held"
        );
        live.last_received = self.state.now;
        if let ClientPacket::Publish(publish) = &packet {
            live.received[publish.qos as usize] += 1;
            self.state.statistics.messages_received[publish.qos as usize] += 1;
            return self.on_publish(conn, publish, actions);
        }
        self.on_live_packet(conn, packet, actions)
    }

    fn on_live_packet(
        &mut self,
        conn: ConnId,
        packet: ClientPacket<'_>,
        actions: &mut Actions,
    ) -> Flow {
        match packet {
            ClientPacket::Publish(_) => unreachable!("it was taken before"),
            ClientPacket::PubAck(ack) => self.on_puback(conn, ack, actions),
            ClientPacket::PubRec(ack) => self.on_pubrec(conn, ack, actions),
            ClientPacket::PubRel(ack) => self.on_pubrel(conn, ack, actions),
            ClientPacket::PubComp(ack) => self.on_pubcomp(conn, ack, actions),
            ClientPacket::PingReq => self.state.pong(conn, actions),
            ClientPacket::Subscribe(subscribe) => {
                return self.on_subscribe(conn, &subscribe, actions);
            }
            ClientPacket::Unsubscribe(unsubscribe) => {
                self.on_unsubscribe(conn, &unsubscribe, actions);
            }
            ClientPacket::Disconnect(disconnect) => self.on_disconnect(conn, &disconnect, actions),
            ClientPacket::Connect(_) => self.refuse(conn, SECOND_CONNECT, actions),
            ClientPacket::Auth(auth) => return self.on_auth(conn, &auth, actions),
        }
        Flow::Continue
    }

    /// What the program keeps with a connected client, or one that is away, to be changed. That changes nothing else.
    pub fn client_data(&mut self, client_id: &str) -> Option<&mut ClientData> {
        let number = self.state.sessions.find(client_id)?;
        let hot = &self.state.hot[number as usize];
        match hot.online {
            true => {
                let connection = self.state.connections.get_mut(hot.conn)?;
                Some(&mut connection.data)
            }
            false => Some(&mut self.state.sessions.get_mut(number).data),
        }
    }

    fn hooks_have_something(&self) -> bool {
        !self.state.untold.is_empty() || !self.orders.is_empty()
    }

    /// Carries out what hooks asked for. What that makes them ask for again comes after it, within the same bound.
    #[cold]
    fn obey_hooks(&mut self, actions: &mut Actions) {
        self.tell_hooks();
        while let Some(command) = self.orders.take() {
            self.on_command(command, actions);
            self.tell_hooks();
        }
    }

    /// Ends a connection that broke a rule.
    fn refuse(&mut self, conn: ConnId, refusal: Refusal, actions: &mut Actions) {
        self.state.statistics.protocol_errors += 1;
        self.end(conn, End::Refused(refusal), actions);
    }
}

const SECOND_CONNECT: Refusal = Refusal {
    reason: ReasonCode::PROTOCOL_ERROR,
    what: "a second CONNECT on one connection",
    rule: "MQTT-3.1.0-2",
};

const UNEXPECTED_AUTH: Refusal = Refusal {
    reason: ReasonCode::PROTOCOL_ERROR,
    what: "AUTH without an authentication method in CONNECT",
    rule: "MQTT-4.12.0-7",
};
