//! What waits goes out as soon as there is room: messages of an earlier connection, the queue, retained messages.
//! [MQTT 5.0, 4.4 and 4.9]

use super::{
    Action, Actions, Broker, DropCause, Flow, Target,
    form::{Alias, Encoded, Form},
    state::State,
};
use crate::{
    id::ConnId,
    message::Incoming,
    packet::{PacketType, QoS},
    reason::ReasonCode,
    session::{Queued, Resend},
};
use alloc::vec::Vec;

/// Copies that one session is sent in one go, before others get their turn.
const PUMP_STEP: u32 = 1024;

impl State {
    /// A session has a connection again: what was in flight, then PUBRELs, then the queue. [MQTT-4.4.0-1] (S4)
    pub(super) fn resume(&mut self, number: u32, actions: &mut Actions) {
        let session = self.sessions.get(number);
        let conn = self.hot[number as usize].conn;
        let releasing: Vec<_> = session.outbound.releasing().collect();
        self.hot[number as usize].backlog = session.has_backlog();
        self.resend(number, &mut PUMP_STEP.clone(), actions);
        for packet_id in releasing {
            let (packet, reason) = (PacketType::PubRel, ReasonCode::SUCCESS);
            self.send_ack(conn, packet, packet_id, reason, actions);
        }
        self.pump(number, actions);
    }

    /// Sends what waits, as far as window and output have room.
    pub(super) fn pump(&mut self, number: u32, actions: &mut Actions) {
        if !self.hot[number as usize].backlog {
            return;
        }
        let mut budget = PUMP_STEP;
        self.resend(number, &mut budget, actions);
        self.drain_queue(number, &mut budget, actions);
        self.replay(number, actions);
        self.hot[number as usize].backlog = self.sessions.get(number).has_backlog();
        if budget == 0 {
            self.carry_on_later(number);
        }
    }

    /// What an earlier connection left unacknowledged, with DUP and the same identifiers. [MQTT-3.3.1-1]
    fn resend(&mut self, number: u32, budget: &mut u32, actions: &mut Actions) {
        while *budget > 0 && self.may_send_now(number) && self.has_window(number) {
            if actions.is_crowded() {
                *budget = 0;
                return;
            }
            *budget -= 1;
            let outbound = &mut self.sessions.get_mut(number).outbound;
            let Some(resend) = outbound.next_resend(self.now) else {
                return;
            };
            if !self.send_again(number, &resend, actions) {
                self.sessions.get_mut(number).outbound.skip_resend();
                self.count_drop(number, resend.queued, DropCause::TooLarge);
            } else if self.watches.deliveries {
                let Resend { packet_id, queued } = resend;
                self.note_delivery(number, queued, Some(packet_id), true);
            }
        }
    }

    /// Sends a message that is in flight once more. False if the client does not take packets of its size.
    pub(super) fn send_again(
        &mut self,
        number: u32,
        resend: &Resend,
        actions: &mut Actions,
    ) -> bool {
        let Resend { packet_id, queued } = resend;
        let encoded = self.encode_queued(number, queued, true, actions);
        let hot = &mut self.hot[number as usize];
        if encoded.bytes > hot.packet_bytes_max {
            return false;
        }
        hot.outbound_bytes = hot.outbound_bytes.saturating_add(encoded.bytes);
        let target = Target {
            conn: hot.conn,
            packet_id: Some(*packet_id),
        };
        self.statistics.delivered(queued.qos, encoded.bytes);
        self.count_copy(number, queued.qos);
        actions.deliver(encoded.frame, encoded.packet_id_at, target);
        true
    }

    fn drain_queue(&mut self, number: u32, budget: &mut u32, actions: &mut Actions) {
        if self.sessions.get(number).outbound.owes_resend() {
            return;
        }
        while *budget > 0 && self.may_send_now(number) {
            if actions.is_crowded() {
                *budget = 0;
                return;
            }
            *budget -= 1;
            let now = self.now;
            let Some(front) = self.sessions.get(number).queue.front() else {
                return;
            };
            let expired = front.message.is_expired(now);
            if !expired && front.qos != QoS::AtMostOnce && !self.has_room(number) {
                return;
            }
            let Some(queued) = self.sessions.get_mut(number).queue.pop() else {
                return;
            };
            self.account_unqueued(&queued);
            if expired {
                self.count_drop(number, queued, DropCause::Expired);
            } else {
                self.send_queued(number, queued, actions);
            }
        }
    }

    /// Sends a message for the first time. The session is connected and has room.
    fn send_queued(&mut self, number: u32, queued: Queued, actions: &mut Actions) {
        let encoded = self.encode_queued(number, &queued, false, actions);
        let qos = queued.qos;
        if encoded.bytes > self.hot[number as usize].packet_bytes_max {
            self.count_drop(number, queued, DropCause::TooLarge);
            return;
        }
        let is_kept = queued.shared != 0 || self.keeps_inflight(number);
        let told = self.watches.deliveries.then(|| queued.clone());
        let kept = is_kept.then_some(queued);
        let packet_id = self.send_copy(number, qos, encoded, kept, actions);
        if let Some(copy) = told {
            self.note_delivery(number, copy, packet_id, false);
        }
    }

    /// Sends a retained message if there is room now. The queue is empty then.
    pub(super) fn send_retained(&mut self, number: u32, queued: Queued, actions: &mut Actions) {
        self.send_queued(number, queued, actions);
    }

    fn encode_queued(
        &mut self,
        number: u32,
        queued: &Queued,
        dup: bool,
        actions: &mut Actions,
    ) -> Encoded {
        let v5 = self.hot[number as usize].v5;
        let identifiers = if v5 { &queued.identifiers[..] } else { &[] };
        let (qos, retain) = (queued.qos, queued.retain);
        let dup = dup && qos != QoS::AtMostOnce;
        let form = Form {
            v5,
            qos,
            retain,
            dup,
            identifiers,
            alias: Alias::None,
        };
        self.encode_aliased(number, form, &mut Incoming::again(&queued.message), actions)
    }

    /// True while the session's connection takes more output.
    fn may_send_now(&self, number: u32) -> bool {
        let hot = &self.hot[number as usize];
        hot.online && hot.outbound_bytes < self.config.limits.outbound_bytes_max
    }

    /// True if a message of any QoS could be sent now and nothing waits before it.
    pub(super) fn may_replay(&self, number: u32) -> bool {
        let session = self.sessions.get(number);
        session.queue.is_empty()
            && !session.outbound.owes_resend()
            && self.may_send_now(number)
            && self.has_room(number)
    }
}

impl Broker {
    /// The network took bytes: there may be room for what waits.
    pub(super) fn on_flushed(&mut self, conn: ConnId, bytes: u32, actions: &mut Actions) -> Flow {
        let Some(connection) = self.state.connections.get_mut(conn) else {
            return Flow::Continue;
        };
        let Some(number) = connection.live().map(|live| live.session) else {
            connection.outbound_bytes = connection.outbound_bytes.saturating_sub(bytes);
            return Flow::Continue;
        };
        let hot = &mut self.state.hot[number as usize];
        let Some(left) = hot.outbound_bytes.checked_sub(bytes) else {
            panic!(
                "contract: {bytes} bytes flushed of {} sent to connection {conn}",
                hot.outbound_bytes
            );
        };
        hot.outbound_bytes = left;
        hot.answer_bytes = hot.answer_bytes.min(left);
        if hot.answer_bytes < self.state.config.limits.answer_bytes_max.max(1) {
            self.read_on(conn, actions);
        }
        self.state.pump(number, actions);
        Flow::Continue
    }

    /// A connection that had not taken its answers has taken enough of them.
    fn read_on(&mut self, conn: ConnId, actions: &mut Actions) {
        let live = self.state.live_mut(conn);
        if core::mem::take(&mut live.throttled) && live.held.is_none() {
            actions.push(Action::Resume { conn });
        }
    }
}

impl State {
    /// Whether to read on from a connection: not if it does not take its answers.
    pub(super) fn flow(&mut self, conn: ConnId) -> Flow {
        let answer_bytes_max = self.config.limits.answer_bytes_max;
        let connection = self.connections.get_mut(conn);
        let Some(live) = connection.and_then(|one| one.live_mut()) else {
            return Flow::Continue;
        };
        live.throttled = self.hot[live.session as usize].answer_bytes >= answer_bytes_max.max(1);
        match live.throttled {
            true => Flow::Hold,
            false => Flow::Continue,
        }
    }
}
