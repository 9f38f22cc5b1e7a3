//! The driver of the simulation: one broker, many connections, a clock that moves when told to. It keeps the contract of
//! [`Broker`], hands each event to the model as well, and lets the model judge what came of it.

use super::{
    client::Client,
    dice::{Dice, mix},
    model::{Model, Violation},
    network::{Conn, Phase, UNLIMITED},
    plan::Plan,
    policy::{Heard, Policy, Shared, SimHooks},
    tally::Tally,
    trace::Trace,
    wire::{Out, Turn, gives_reasons},
};
use sanderling_core::{
    broker::{Action, Actions, Broker, Event, Flow, Frame, Seed},
    codec::{Decoded, FromServer},
    config::Config,
    hooks::HookChain,
    id::{ConnId, RequestId, Ticket},
    packet::Version,
    time::{Instant, WallClock},
};
use std::sync::{Arc, Mutex};

/// What can go wrong ends the run.
pub(super) type Judged<T = ()> = Result<T, Violation>;

#[derive(Debug)]
pub(super) struct World {
    pub(super) broker: Broker,
    chances: Chances,
    actions: Actions,
    shared: Arc<Mutex<Shared>>,
    pub(super) model: Model,
    pub(super) now_ms: u64,
    pub(super) timer: Option<Instant>,
    pub(super) conns: Vec<Conn>,
    pub(super) free_slots: Vec<ConnId>,
    pub(super) slots: u32,
    pub(super) clients: Vec<Client>,
    /// Open and settled questions, each with the connection it is about, oldest first.
    pub(super) questions: Vec<(Ticket, ConnId)>,
    pub(super) settled: Vec<(Ticket, ConnId)>,
    requests: u64,
    pub(super) tally: Tally,
    pub(super) trace: Trace,
    /// The details of the current step.
    pub(super) dice: Dice,
    pub(super) plan: Plan,
    pub(super) orders: u64,
    /// True once hooks permit everything.
    pub(super) is_healing: bool,
}

impl World {
    pub(super) fn new(plan: Plan, chances: Chances, verbose: bool) -> Self {
        let policy = Policy {
            rates: plan.rates,
            shares: plan.shares,
            nonce: 0,
        };
        let shared = Arc::new(Mutex::new(Shared::new(policy)));
        let now_ms = 1 + mix(plan.seed) % 1_000_000;
        let config = plan.config.clone();
        let broker = new_broker(&config, &plan, chances, now_ms, &shared);
        Self {
            broker,
            chances,
            actions: Actions::new(),
            shared,
            model: Model::new(config, plan.rates, now_ms),
            now_ms,
            timer: None,
            conns: Vec::new(),
            free_slots: Vec::new(),
            slots: 0,
            clients: plan.personas.iter().copied().map(Client::new).collect(),
            questions: Vec::new(),
            settled: Vec::new(),
            requests: 0,
            tally: Tally::default(),
            trace: Trace::new(verbose),
            dice: Dice::new(plan.seed),
            plan,
            orders: 0,
            is_healing: false,
        }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_millis(self.now_ms)
    }

    /// Hands an event to the broker, obeys, and has the model judge.
    pub(super) fn report(&mut self, event: &Event<'_>) -> Judged {
        self.now_ms += 1;
        let now = self.now();
        let mut policy = Policy {
            rates: self.plan.rates,
            shares: self.plan.shares,
            nonce: self.dice.roll(),
        };
        if self.is_healing {
            policy.rates.turn_away = 0;
            policy.rates.refuse = 0;
            policy.rates.ask = 0;
            policy.rates.order = 0;
            policy.rates.edit = 0;
        }
        self.shared.lock().expect("one thread").policy = policy;
        self.trace.event(now, event);
        self.tally.events += 1;
        let flow = self.broker.handle(now, event.clone(), &mut self.actions);
        let mut turn = Turn::new(flow);
        turn.heard = std::mem::take(&mut self.shared.lock().expect("one thread").heard);
        for heard in &turn.heard {
            if let Heard::Ordered(command) = heard {
                self.trace.order(|| format!("a hook orders {command:?}"));
            }
        }
        let received = match event {
            Event::Received { conn, .. }
            | Event::ReceivedRun { conn, .. }
            | Event::ReceivedAcks { conn, .. } => Some(conn),
            _ => None,
        };
        if let (Some(conn), Flow::Hold) = (received, flow) {
            self.find(*conn)?.is_held = true;
        }
        self.perform(&mut turn)?;
        if let Event::Ruled { ticket, .. } = event {
            let at = self.questions.iter().position(|(open, _)| open == ticket);
            if let Some(at) = at {
                self.settled.push(self.questions.remove(at));
            }
        }
        self.model
            .judge(self.now_ms, policy, event, turn, &mut self.tally)?;
        self.check()
    }

    /// After each event: counters, limits, accounts, deadlines, and that nothing waits without reason.
    fn check(&mut self) -> Judged {
        self.tally.check("R03");
        self.model.recount(self.broker.view(), &mut self.tally)?;
        let has_chore = self.timer.is_some_and(|at| at <= self.now());
        self.model.check_progress(has_chore, &mut self.tally)?;
        for conn in self.conns.iter().filter(|conn| conn.phase == Phase::Open) {
            if let Some(bytes) = self.broker.view().outbound_bytes(conn.id)
                && bytes as usize != conn.outbound.len()
            {
                let what = format!(
                    "{bytes} bytes of {} are on account, not {}",
                    conn.id,
                    conn.outbound.len()
                );
                return Err(Violation::new("I21", what));
            }
        }
        let told_ms = self.timer.map_or(u64::MAX, Instant::as_millis);
        match self.model.deadline_ms() {
            Some(deadline_ms) if told_ms > deadline_ms => {
                let what =
                    format!("a deadline at {deadline_ms} ms, and the driver is told {told_ms} ms");
                Err(Violation::new("I51", what))
            }
            _ => Ok(()),
        }
    }

    fn perform(&mut self, turn: &mut Turn) -> Judged {
        let actions = std::mem::take(&mut self.actions);
        for action in actions.list() {
            match action {
                Action::Send { conn, frame } => {
                    self.output(*conn, &whole(&actions, *frame), turn)?;
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
                        if target.packet_id.is_some() != (at > 0) {
                            return Err(Violation::new(
                                "R03",
                                "a packet identifier without its place",
                            ));
                        }
                        if let Some(packet_id) = target.packet_id {
                            bytes[at..at + 2].copy_from_slice(&packet_id.get().to_be_bytes());
                        }
                        self.output(target.conn, &bytes, turn)?;
                    }
                }
                Action::Close { conn, how } => {
                    self.trace.order(|| format!("close {conn} {how:?}"));
                    self.find(*conn)?.phase = Phase::Ordered(*how);
                    turn.closes.push((*conn, *how));
                }
                Action::Resume { conn } => {
                    self.trace.order(|| format!("resume {conn}"));
                    let found = self.find(*conn)?;
                    if !std::mem::take(&mut found.is_held) {
                        return Err(Violation::new(
                            "R03",
                            format!("{conn} is resumed, though it was not held"),
                        ));
                    }
                    turn.resumes.push(*conn);
                }
                Action::Drain { conn } => {
                    self.trace.order(|| format!("drain {conn}"));
                    let takes_its_time = !self.is_healing && self.dice.chance(30);
                    let found = self.find(*conn)?;
                    found.is_to_drain = true;
                    found.drains_later = takes_its_time;
                    turn.drains.push(*conn);
                }
                Action::Timer { at } => {
                    self.trace.order(|| format!("timer {at}"));
                    self.timer = Some(*at);
                }
                Action::Consult {
                    ticket,
                    hook,
                    question,
                } => {
                    self.trace.order(|| format!("consult {ticket} hook {hook}"));
                    let entropy = question.link.entropy;
                    let about = self.conns.iter().find(|conn| conn.entropy == entropy);
                    let Some(about) = about.map(|conn| conn.id) else {
                        return Err(Violation::new("R03", "a question about no connection"));
                    };
                    self.questions.push((*ticket, about));
                    turn.consults.push((*ticket, *hook, entropy));
                }
                Action::Answer { answer, .. } => {
                    self.trace.order(|| format!("answer {answer:?}"));
                    turn.answers.push(answer.clone());
                }
            }
        }
        self.actions = actions;
        self.actions.clear();
        Ok(())
    }

    /// The connection that an order names.
    fn find(&mut self, id: ConnId) -> Judged<&mut Conn> {
        let conn = self.conns.iter_mut().rev().find(|conn| conn.id == id);
        match conn {
            Some(conn) if conn.phase == Phase::Open => Ok(conn),
            _ => Err(Violation::new(
                "R03",
                format!("an order names {id}, which is not open"),
            )),
        }
    }

    /// Bytes for a connection: kept for the network, decoded for the model.
    fn output(&mut self, id: ConnId, bytes: &[u8], turn: &mut Turn) -> Judged {
        self.trace.bytes(id, bytes);
        let conn = self.find(id)?;
        conn.outbound.extend_from_slice(bytes);
        let version = conn.decoder.version().unwrap_or(Version::V311);
        let checker = conn
            .checker
            .get_or_insert_with(|| FromServer::new(version, UNLIMITED));
        let packets = decode_all(checker, bytes)
            .map_err(|what| Violation::new("R01", format!("to {id}: {what}")))?;
        for (out, len, gives_reasons) in packets {
            self.trace.packet(id, &out);
            self.model
                .check_packet(id, &out, len, gives_reasons, &mut self.tally)?;
            turn.push(id, out);
        }
        Ok(())
    }

    /// The process ends without a word and begins anew, with this configuration and, as nothing is stored yet, with
    /// nothing in mind.
    pub(super) fn restart(&mut self, config: Config) {
        self.trace.note(|| format!("{config:#?}"));
        for place in 0..self.conns.len() {
            let conn = &mut self.conns[place];
            if conn.phase == Phase::Closed {
                continue;
            }
            conn.phase = Phase::Closed;
            let state = self.model.state_of(conn.id);
            self.tally.fault("restart", state);
            let client = &mut self.clients[conn.client];
            if client.conn == Some(place) {
                client.leaves();
            }
        }
        self.broker = new_broker(&config, &self.plan, self.chances, self.now_ms, &self.shared);
        self.model = Model::new(config, self.plan.rates, self.now_ms);
        self.timer = None;
        self.free_slots.clear();
        self.slots = 0;
        self.questions.clear();
        self.settled.clear();
    }

    pub(super) fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }
}

/// What must make no difference to a run.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Chances {
    /// Decides the order of the broker's hash maps.
    pub hash_seed: u8,
    /// Milliseconds by which the clock on the wall is ahead.
    pub wall_ms: u64,
}

fn new_broker(
    config: &Config,
    plan: &Plan,
    chances: Chances,
    now_ms: u64,
    shared: &Arc<Mutex<Shared>>,
) -> Broker {
    let sets = plan.rates.sets.max(1);
    let hooks = (0..sets).fold(HookChain::new(), |chain, number| {
        chain.with(SimHooks::new(number, Arc::clone(shared)))
    });
    // The first half decides the order of hash maps, the second half draws lots.
    let mut seed = [0; 32];
    seed[..16].fill(chances.hash_seed);
    seed[16..24].copy_from_slice(&plan.seed.to_le_bytes());
    let wall = WallClock(now_ms.saturating_add(chances.wall_ms));
    let now = Instant::from_millis(now_ms);
    Broker::new(config.clone(), hooks, Seed(seed), now, wall)
}

/// Whole packets, which may follow each other, each with its length and whether it gives reasons; what is wrong if they are not.
fn decode_all(checker: &mut FromServer, bytes: &[u8]) -> Result<Vec<(Out, usize, bool)>, String> {
    let mut packets = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match checker.decode(&bytes[at..]) {
            Ok(Decoded::Packet { packet, len }) => {
                packets.push((Out::of(&packet, len), len, gives_reasons(&packet)));
                at += len;
            }
            Ok(Decoded::Need(_)) => return Err(format!("half a packet: {:02x?}", &bytes[at..])),
            Err(error) => return Err(format!("{error}: {:02x?}", &bytes[at..])),
        }
    }
    Ok(packets)
}

/// The bytes of a frame, tail and all.
fn whole(actions: &Actions, frame: Frame) -> Vec<u8> {
    let mut bytes = actions.bytes(frame).to_vec();
    if let Some(tail) = actions.tail(frame) {
        bytes.extend_from_slice(tail);
    }
    bytes
}
