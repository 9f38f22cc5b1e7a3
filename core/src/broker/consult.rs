//! Open questions: what a hook answers later.
//!
//! A ticket ends exactly once: ruled, timed out (refused), or its connection ended. While it is open its connection is
//! held, so there is at most one for each connection.

use super::{Action, Actions, Broker, Flow, permit::Judged, state::Due};
use crate::{
    connection::Phase,
    hooks::{Edit, Question, Verdict},
    id::{ConnId, Ticket},
    packet::{ClientPacket, Publish, QoS, Version},
    reason::ReasonCode,
    timer::TimerKey,
};
use alloc::{boxed::Box, vec::Vec};
use bytes::Bytes;

/// The open questions.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    open: Option<Open>,
}

/// A question and how far the chain had got.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) conn: ConnId,
    pub(super) version: Version,
    /// The set that answers.
    pub(super) hook: u16,
    /// The packet as it was received, encoded again.
    pub(super) packet: Bytes,
    /// For a CONNECT: the highest refusal so far.
    pub(super) worst: ReasonCode,
    /// For a SUBSCRIBE: what was granted so far.
    pub(super) granted: Vec<Result<QoS, ReasonCode>>,
    /// For a PUBLISH: what was made of it so far.
    pub(super) edit: Edit,
    timer: Option<TimerKey>,
}

impl Tickets {
    fn open(&mut self, open: Open) -> Ticket {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                open: None,
            });
            u32::try_from(self.slots.len() - 1).expect("one ticket a connection")
        });
        let entry = &mut self.slots[slot as usize];
        entry.open = Some(open);
        Ticket {
            slot,
            generation: entry.generation,
        }
    }

    fn close(&mut self, ticket: Ticket) -> Option<Open> {
        let entry = self.slots.get_mut(ticket.slot as usize)?;
        if entry.generation != ticket.generation {
            return None;
        }
        let open = entry.open.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(ticket.slot);
        Some(open)
    }

    fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Open> {
        let entry = self.slots.get_mut(ticket.slot as usize)?;
        entry
            .open
            .as_mut()
            .filter(|_| entry.generation == ticket.generation)
    }
}

impl Broker {
    /// Opens a ticket for `packet` and asks for a verdict. The caller holds the connection.
    pub(super) fn ask(
        &mut self,
        conn: ConnId,
        version: Version,
        packet: &ClientPacket<'_>,
        so_far: SoFar,
        actions: &mut Actions,
    ) -> Ticket {
        let SoFar {
            hook,
            worst,
            granted,
            edit,
        } = so_far;
        let shown = encode_edited(packet, &edit, version);
        let packet = match edit.is_empty() {
            true => shown.clone(),
            false => encode(packet, version),
        };
        let question = self.question(conn, version, shown, granted.clone());
        let open = Open {
            conn,
            version,
            hook,
            packet,
            worst,
            granted,
            edit,
            timer: None,
        };
        let ticket = self.state.tickets.open(open);
        let at = self.state.now + self.state.config.limits.verdict_deadline;
        let timer = self.state.set_timer(at, Due::Verdict(ticket));
        if let Some(open) = self.state.tickets.get_mut(ticket) {
            open.timer = Some(timer);
        }
        actions.push(Action::Consult {
            ticket,
            hook,
            question: Box::new(question),
        });
        ticket
    }

    fn question(
        &self,
        conn: ConnId,
        version: Version,
        packet: Bytes,
        granted: Vec<Result<QoS, ReasonCode>>,
    ) -> Question {
        let link = self.state.link(conn).clone();
        let mut question = Question {
            link,
            client_id: Default::default(),
            username: None,
            version,
            granted,
            packet,
        };
        let (client_id, username) = match question.packet() {
            ClientPacket::Connect(connect) => {
                (connect.client_id.into(), connect.username.map(Into::into))
            }
            _ => self.state.identity(conn),
        };
        question.client_id = client_id.into();
        question.username = username.map(Into::into);
        question
    }

    /// A verdict came: the chain goes on behind the set that gave it.
    pub(super) fn on_ruled(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        actions: &mut Actions,
    ) -> Flow {
        let Some(mut open) = self.close_ticket(ticket) else {
            self.state.statistics.verdicts_late += 1;
            return Flow::Continue;
        };
        let packet = open.packet.clone();
        let conn = open.conn;
        let packet = crate::codec::decode_again(&packet, open.version);
        if self.state.is_authenticating(conn) || matches!(packet, ClientPacket::Auth(_)) {
            self.on_step_ruled(&open, &packet, verdict, actions);
            self.resume_if_free(conn, actions);
            return Flow::Continue;
        }
        match packet {
            ClientPacket::Connect(connect) => {
                self.on_connect_ruled(&open, &connect, verdict, actions);
            }
            ClientPacket::Publish(publish) => {
                self.state.release(conn);
                self.on_publish_ruled(&mut open, &publish, verdict, actions);
            }
            ClientPacket::Subscribe(subscribe) => {
                self.state.release(conn);
                self.on_subscribe_ruled(&open, &subscribe, verdict, actions);
            }
            _ => unreachable!("only CONNECT, AUTH, PUBLISH and SUBSCRIBE are asked about"),
        }
        self.resume_if_free(conn, actions);
        Flow::Continue
    }

    /// Ends a ticket and its timer.
    pub(super) fn close_ticket(&mut self, ticket: Ticket) -> Option<Open> {
        let open = self.state.tickets.close(ticket)?;
        self.state.cancel_timer(open.timer);
        Some(open)
    }

    /// Reads on, unless the next set asked again, the client takes no answers, or the connection was ended.
    fn resume_if_free(&mut self, conn: ConnId, actions: &mut Actions) {
        let is_free = match self
            .state
            .connections
            .get(conn)
            .map(|connection| &connection.phase)
        {
            Some(Phase::Live(live)) => live.held.is_none(),
            Some(Phase::Authenticating) => true,
            _ => false,
        };
        if is_free && self.state.flow(conn) == Flow::Continue {
            actions.push(Action::Resume { conn });
        }
    }
}

impl super::state::State {
    /// A connection is not held any more. It could not be heard so long, which is not its silence.
    pub(super) fn release(&mut self, conn: ConnId) {
        let now = self.now;
        let live = self.live_mut(conn);
        live.held = None;
        live.last_received = now;
    }
}

/// What was decided before a set answered `Ask`.
#[derive(Debug)]
pub(super) struct SoFar {
    pub(super) hook: u16,
    pub(super) worst: ReasonCode,
    pub(super) granted: Vec<Result<QoS, ReasonCode>>,
    pub(super) edit: Edit,
}

impl SoFar {
    pub(super) fn at(hook: u16) -> Self {
        Self {
            hook,
            worst: ReasonCode::SUCCESS,
            granted: Vec::new(),
            edit: Edit::default(),
        }
    }
}

impl Open {
    /// The set after the one that answered.
    pub(super) fn next_hook(&self) -> u16 {
        self.hook.saturating_add(1)
    }
}

/// A verdict on a packet that is permitted or refused as a whole.
pub(super) fn judged(verdict: Verdict) -> Judged {
    match verdict {
        Verdict::Permit => Judged::Permitted,
        Verdict::Refuse(reason) => Judged::Refused(super::permit::refusal(reason)),
        // Others answer a SUBSCRIBE or an AUTH; for anything else they fail closed.
        Verdict::Grant(_) | Verdict::Authenticate(_) | Verdict::Replace(_) => {
            Judged::Refused(ReasonCode::NOT_AUTHORIZED)
        }
    }
}

fn encode(packet: &ClientPacket<'_>, version: Version) -> Bytes {
    let mut encoded = Vec::new();
    packet
        .encode(version, &mut encoded)
        .expect("a decoded packet can be encoded again");
    encoded.into()
}

/// A PUBLISH as hooks have changed it, but for what belongs to the client's exchange. If that is longer than a packet can
/// be, it is shown as it came.
fn encode_edited(packet: &ClientPacket<'_>, edit: &Edit, version: Version) -> Bytes {
    let ClientPacket::Publish(publish) = packet else {
        return encode(packet, version);
    };
    let mut encoded = Vec::new();
    let changed = Publish {
        topic: edit.topic.as_deref().unwrap_or(publish.topic),
        payload: edit.payload.as_deref().unwrap_or(publish.payload),
        retain: edit.retain.unwrap_or(publish.retain),
        properties: match &edit.properties {
            Some(properties) => properties.as_properties(),
            None => publish.properties,
        },
        ..publish.clone()
    };
    match ClientPacket::Publish(changed).encode(version, &mut encoded) {
        Ok(()) => encoded.into(),
        Err(_) => encode(packet, version),
    }
}
