//! The reference model: what a server owes its clients, written from the standard with plain maps and lists. It knows
//! the events and the configuration, nothing of the broker's insides, and takes apart what came of each event: every
//! packet and order must be one that the rules call for, and everything they call for must be there. Where the standard
//! or the configuration leaves the choice to the broker, any allowed outcome is taken, and the model follows it.

mod account;
mod acknowledge;
mod authenticate;
mod command;
mod connack;
mod connect;
mod consult;
mod deliver;
mod drop;
mod end;
mod matching;
mod open;
mod publish;
mod session;
mod share;
mod subscribe;
mod takeover;
mod time;

use super::{
    policy::{Policy, Rates},
    tally::Tally,
    wire::{Out, Payload, Turn},
    world::Judged,
};
use sanderling_core::{
    broker::{Close, Event, Flow, Link, NewSubscription},
    config::{Config, Limits},
    id::{ConnId, Ticket},
    packet::{ClientPacket, PacketType, QoS, Version},
    reason::ReasonCode,
};
use session::{Message, Session};
use std::{collections::BTreeMap, rc::Rc};
use time::Deadline;

/// A rule that was broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Violation {
    /// The number of the invariant.
    pub(super) rule: &'static str,
    pub(super) what: String,
}

impl Violation {
    pub(super) fn new(rule: &'static str, what: impl Into<String>) -> Self {
        Self {
            rule,
            what: what.into(),
        }
    }
}

/// Fails with a rule and a text.
macro_rules! violated {
    ($rule:literal, $($what:tt)*) => {
        return Err($crate::sim::model::Violation::new($rule, format!($($what)*)))
    };
}
use violated;

#[derive(Debug)]
pub(super) struct Model {
    pub(super) config: Config,
    now_ms: u64,
    policy: Policy,
    sets: u16,
    conns: BTreeMap<ConnId, Conn>,
    pub(super) sessions: BTreeMap<String, Session>,
    retained: BTreeMap<String, Rc<Message>>,
    /// Subscriptions that the program has made for clients without session.
    reserved: BTreeMap<String, Vec<NewSubscription>>,
    /// Topics whose retained messages hooks have replaced at the end of this event.
    replaced_late: Vec<String>,
    /// Subscriptions that were ended at the end of this event, by client.
    unsubscribed_late: Vec<(String, String)>,
    accepted: u64,
    /// Deadlines set so far.
    deadlines_set: u64,
    tickets: BTreeMap<Ticket, consult::Asked>,
    /// The group that each shared filter has now or had last, by its number among all that were founded.
    groups: BTreeMap<String, u64>,
    founded: u64,
    /// What one member of a group is owed.
    floating: Vec<share::Floating>,
    /// What has found its end during this event.
    landed: Vec<share::Floating>,
    /// QoS 2 messages of groups that sessions had begun which ended during this event: hooks hear that they are lost.
    abandoned: Vec<(String, session::Copy)>,
    pub(super) is_draining: bool,
    /// Messages lost for one receiver, by QoS, as the hooks heard.
    dropped: [u64; 3],
    /// Sessions that ended during this event, as they were.
    ended: Vec<(String, Session)>,
    /// Messages that could not be retained.
    retained_refused: u64,
    /// Everything any message said: payload to topic, to explain what should not have been sent.
    said: BTreeMap<Payload, String>,
}

/// A network connection.
#[derive(Debug)]
struct Conn {
    phase: Phase,
    version: Version,
    /// The CONNECT must be complete by then.
    connect_by: Deadline,
    /// That has passed, but its CONNECT is complete and in question.
    is_connect_late: bool,
    client_id: String,
    keep_alive_ms: Option<u64>,
    /// When the client was last heard of, or could not be heard because it was held.
    heard_ms: u64,
    packet_bytes_max: u32,
    /// What the client takes at one time on this connection. [MQTT-3.3.4-9]
    receive_maximum: usize,
    held: Option<Ticket>,
    authentication: Option<authenticate::Authentication>,
    /// It wants no reason strings and user properties but where they must be. [MQTT-3.1.2-29]
    wants_no_reasons: bool,
    /// Where it came from; questions carry its random bytes, too.
    link: Link,
    /// The bounds that hold for it.
    limits: Limits,
    /// Its CONNECT gave an expiry interval above 0.
    asked_to_outlive: bool,
    /// While it waits: the connection it waits for, and its CONNECT.
    waits_for: Option<(ConnId, Vec<u8>)>,
    /// Who waits for its session.
    successor: Option<ConnId>,
    /// Topic aliases that the client has bound, and that the broker has.
    aliases_in: BTreeMap<u16, String>,
    aliases_out: BTreeMap<u16, String>,
    alias_maximum: u16,
    /// Bytes sent and not flushed.
    pub(super) unflushed: u64,
    /// How many of them were sent during this event.
    sent_now: u64,
    /// How many of them are answers, at most, and how many of those came during this event.
    answers: u64,
    answers_now: u64,
    /// It does not take its answers, and so is not read.
    is_throttled: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// A layer below MQTT is at work.
    Opening,
    AwaitConnect,
    Asking,
    /// For an AUTH of the client, before CONNACK.
    Authenticating,
    /// For its session to leave another connection.
    Waiting,
    Live,
    Closing,
}

impl Model {
    pub(super) fn new(config: Config, rates: Rates, now_ms: u64) -> Self {
        Self {
            config,
            now_ms,
            policy: Policy::default(),
            sets: rates.sets,
            conns: BTreeMap::new(),
            sessions: BTreeMap::new(),
            retained: BTreeMap::new(),
            reserved: BTreeMap::new(),
            replaced_late: Vec::new(),
            unsubscribed_late: Vec::new(),
            accepted: 0,
            deadlines_set: 0,
            tickets: BTreeMap::new(),
            groups: BTreeMap::new(),
            founded: 0,
            floating: Vec::new(),
            landed: Vec::new(),
            abandoned: Vec::new(),
            is_draining: false,
            dropped: [0; 3],
            ended: Vec::new(),
            retained_refused: 0,
            said: BTreeMap::new(),
        }
    }

    /// Judges what came of an event.
    pub(super) fn judge(
        &mut self,
        now_ms: u64,
        policy: Policy,
        event: &Event<'_>,
        mut turn: Turn,
        tally: &mut Tally,
    ) -> Judged {
        self.now_ms = now_ms;
        self.policy = policy;
        self.ended.clear();
        self.landed.clear();
        let turn = &mut turn;
        self.account_for(turn);
        match event {
            Event::Opened { conn, link, stage } => {
                self.on_opened(*conn, link, *stage, turn, tally)?;
            }
            Event::Announced { conn, stage, .. } => {
                self.on_announced(*conn, *stage, turn, tally)?;
            }
            Event::Identified { conn, identity } => {
                self.conn(*conn).link.identity = Some(identity.clone());
            }
            Event::Progressed { conn, stage } => self.on_progressed(*conn, *stage, tally)?,
            Event::Faulted { conn, .. } => self.on_faulted(*conn, turn, tally)?,
            Event::Lagged { conn, lag } => self.on_lagged(*conn, *lag, turn, tally)?,
            Event::Received { conn, packet, .. } => self.on_packet(*conn, packet, turn, tally)?,
            Event::ReceivedRun { conn, run } => {
                if run.count() > 1 {
                    tally.sometimes(match run.qos() {
                        QoS::AtMostOnce => "messages come in a run",
                        QoS::AtLeastOnce => "messages of QoS 1 come in a run",
                        QoS::ExactlyOnce => "messages of QoS 2 come in a run",
                    });
                }
                for (publish, _) in run.packets() {
                    self.on_packet(*conn, &ClientPacket::Publish(publish), turn, tally)?;
                }
            }
            Event::ReceivedAcks { conn, acks } => {
                if acks.count() > 1 {
                    tally.sometimes(match acks.packet_type() {
                        PacketType::PubRec => "PUBRECs come in a row",
                        PacketType::PubRel => "PUBRELs come in a row",
                        PacketType::PubComp => "PUBCOMPs come in a row",
                        _ => "PUBACKs come in a row",
                    });
                }
                for packet in acks.packets() {
                    self.on_packet(*conn, &packet, turn, tally)?;
                }
            }
            Event::Malformed { conn, error } => self.on_malformed(*conn, error, turn, tally)?,
            Event::Flushed { conn, bytes } => self.on_flushed(*conn, *bytes, turn, tally)?,
            Event::Closed { conn, cause } => self.on_closed(*conn, *cause, turn, tally)?,
            Event::Drained { conn } => self.on_drained(*conn, turn, tally)?,
            Event::TimerFired => self.on_timer(turn, tally)?,
            Event::Ruled { ticket, verdict } => {
                self.on_ruled(*ticket, verdict.clone(), turn, tally)?;
            }
            Event::Ordered { command, .. } => self.on_command(command, turn, tally)?,
        }
        let held = self.is_to_be_held(event, tally);
        self.obey_hooks(turn, tally)?;
        self.match_all(turn, tally)?;
        self.match_drops(turn, tally)?;
        self.stop_replays_late();
        self.settle_floating()?;
        check_hold(turn, held)?;
        self.close_accounts();
        finish(turn)
    }

    fn on_packet(
        &mut self,
        id: ConnId,
        packet: &ClientPacket<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let now_ms = self.now_ms;
        let conn = self.conn(id);
        match (conn.phase, packet) {
            (Phase::Closing, _) => return Ok(()),
            (Phase::Asking | Phase::Waiting, _) => {
                violated!("R03", "a packet of {id} is read while it is held")
            }
            (Phase::AwaitConnect, ClientPacket::Connect(connect)) => {
                return self.on_connect(id, connect, turn, tally);
            }
            (Phase::Authenticating, ClientPacket::Disconnect(_)) => {
                conn.phase = Phase::Closing;
                return match turn.take_close(id) {
                    Some(Close::Flush) => Ok(()),
                    other => violated!("R01", "{id} says good-bye and then {other:?}"),
                };
            }
            (Phase::Authenticating, _) => {
                return self.on_packet_while_authenticating(id, packet, turn, tally);
            }
            (Phase::Opening, _) => violated!("R03", "{id} does not speak MQTT yet"),
            (Phase::AwaitConnect, _) => violated!("R01", "the decoder lets {packet:?} come first"),
            (Phase::Live, _) => {}
        }
        conn.heard_ms = now_ms;
        match packet {
            ClientPacket::Publish(publish) => self.on_publish(id, publish, turn, tally),
            ClientPacket::PubAck(ack) => self.on_puback(id, ack, tally),
            ClientPacket::PubRec(ack) => self.on_pubrec(id, ack, turn, tally),
            ClientPacket::PubRel(ack) => self.on_pubrel(id, ack, turn, tally),
            ClientPacket::PubComp(ack) => self.on_pubcomp(id, ack),
            ClientPacket::Subscribe(subscribe) => self.on_subscribe(id, subscribe, turn, tally),
            ClientPacket::Unsubscribe(unsubscribe) => {
                self.on_unsubscribe(id, unsubscribe, turn, tally)
            }
            ClientPacket::PingReq => match turn.take(id) {
                Some(Out::PingResp) => {
                    tally.check("R01");
                    Ok(())
                }
                other => violated!("R01", "PINGREQ is answered with {other:?}"),
            },
            ClientPacket::Disconnect(disconnect) => self.on_disconnect(id, disconnect, turn, tally),
            ClientPacket::Connect(_) => self.refuse(id, &[ReasonCode::PROTOCOL_ERROR], turn, tally),
            ClientPacket::Auth(auth) => self.on_auth(id, auth, turn, tally),
        }
    }

    fn conn(&mut self, id: ConnId) -> &mut Conn {
        self.conns.get_mut(&id).expect("the driver opened it")
    }

    fn session(&mut self, client_id: &str) -> &mut Session {
        self.sessions.get_mut(client_id).expect("it exists")
    }

    /// The session of a live connection.
    fn session_of(&mut self, id: ConnId) -> &mut Session {
        let client_id = self.conn(id).client_id.clone();
        self.session(&client_id)
    }

    /// A connection is held exactly as long as there is a question about it, or it takes no answers.
    fn is_to_be_held(&mut self, event: &Event<'_>, tally: &mut Tally) -> bool {
        let (Event::Received { conn: id, .. }
        | Event::ReceivedRun { conn: id, .. }
        | Event::ReceivedAcks { conn: id, .. }) = event
        else {
            return false;
        };
        let conn = self.conns.get(id);
        let asks = |conn: &Conn| conn.held.is_some() || conn.phase == Phase::Waiting;
        conn.is_some_and(asks) || self.throttles(*id, tally)
    }
}

fn check_hold(turn: &Turn, held: bool) -> Judged {
    if !turn.consults.is_empty() {
        violated!("R04", "questions that no hook asks: {:?}", turn.consults);
    }
    if (turn.flow == Flow::Hold) != held {
        violated!("R04", "{:?}, though held is {held}", turn.flow);
    }
    Ok(())
}

/// Nothing is left that was not called for.
fn finish(turn: &Turn) -> Judged {
    if let Some((conn, (_, packet))) = turn
        .packets
        .iter()
        .find_map(|(c, list)| Some((c, list.front()?)))
    {
        violated!("R01", "{conn} is sent {packet:?}, which nothing calls for");
    }
    if let Some((conn, how)) = turn.closes.first() {
        violated!("R01", "{conn} is closed ({how:?}), which nothing calls for");
    }
    if let Some(conn) = turn.resumes.first() {
        violated!("R04", "{conn} is resumed, which nothing calls for");
    }
    if let Some(conn) = turn.drains.first() {
        violated!("I26", "{conn} is to be drained, which nothing calls for");
    }
    if let Some(answer) = turn.answers.first() {
        violated!("R01", "{answer:?} answers nothing");
    }
    Ok(())
}
