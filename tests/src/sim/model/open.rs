//! Layers below MQTT: each has its time, and who is let in is known when a proxy has told where a client comes from.

use super::{Conn, Judged, Model, Phase, time::Deadline, violated};
use crate::sim::{tally::Tally, wire::Turn};
use sanderling_core::{
    broker::{Close, Lag, Link, Stage},
    config::Limits,
    id::ConnId,
    packet::Version,
    reason::ReasonCode,
};
use std::{collections::BTreeMap, time::Duration};

impl Model {
    pub(super) fn on_opened(
        &mut self,
        id: ConnId,
        link: &Link,
        stage: Stage,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let is_full = !self.has_room_for_one_more(link.listener);
        let is_accepted = stage == Stage::Proxy || self.accepts(link);
        let limits = self.config.limits_of(link.listener);
        let deadline = self.deadline_in(time_of(stage, &limits));
        let conn = new_conn(link.clone(), stage, limits, deadline, self.now_ms);
        self.conns.insert(id, conn);
        if is_full {
            tally.sometimes("a connection too many");
        }
        if is_full || self.is_draining || !is_accepted {
            return self.expect_turned_away(id, turn, tally);
        }
        Ok(())
    }

    fn has_room_for_one_more(&self, listener: u16) -> bool {
        let own = self.config.listener(listener);
        let own_max = own.and_then(|own| own.limits.connections_max);
        let conns = self.conns.values();
        let of_it = conns.filter(|conn| conn.link.listener == listener).count();
        self.conns.len() < self.config.limits.connections_max as usize
            && own_max.is_none_or(|max| of_it < max as usize)
    }

    fn accepts(&self, link: &Link) -> bool {
        (0..self.sets).all(|hook| self.policy.accepts(hook, link))
    }

    fn expect_turned_away(&mut self, id: ConnId, turn: &mut Turn, tally: &mut Tally) -> Judged {
        tally.check("I43");
        self.conn(id).phase = Phase::Closing;
        match turn.take_close(id) {
            Some(Close::Abort) => Ok(()),
            other => violated!("I43", "{id} is not let in, but {other:?}"),
        }
    }

    pub(super) fn on_announced(
        &mut self,
        id: ConnId,
        stage: Stage,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        if self.conn(id).phase == Phase::Closing {
            return Ok(());
        }
        tally.sometimes("a proxy tells where a client comes from");
        let link = self.conn(id).link.clone();
        if !self.accepts(&link) {
            return self.expect_turned_away(id, turn, tally);
        }
        self.on_progressed(id, stage, tally)
    }

    /// The next layer has its own time.
    pub(super) fn on_progressed(&mut self, id: ConnId, stage: Stage, tally: &mut Tally) -> Judged {
        if self.conn(id).phase == Phase::Closing {
            return Ok(());
        }
        tally.check("I51");
        let time = time_of(stage, &self.conn(id).limits);
        let deadline = self.deadline_in(time);
        let conn = self.conn(id);
        conn.connect_by = deadline;
        conn.phase = phase_at(stage);
        Ok(())
    }

    /// A layer cannot go on and has said so itself: nothing of MQTT follows.
    pub(super) fn on_faulted(&mut self, id: ConnId, turn: &mut Turn, tally: &mut Tally) -> Judged {
        tally.check("R02");
        match self.conn(id).phase {
            Phase::Closing => return Ok(()),
            Phase::Live => {
                match turn.take_close(id) {
                    Some(Close::Linger) => {}
                    other => violated!("R02", "a layer of {id} fails, but {other:?}"),
                }
                return self.leave(id, false, false, turn, tally);
            }
            _ => {}
        }
        self.give_up(id, true, turn, tally)
    }

    /// The peer keeps half a packet, or our output, for too long.
    pub(super) fn on_lagged(
        &mut self,
        id: ConnId,
        _: Lag,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        match self.conn(id).phase {
            Phase::Closing => Ok(()),
            Phase::Live => self.refuse(id, &[ReasonCode::UNSPECIFIED_ERROR], turn, tally),
            _ => self.give_up(id, false, turn, tally),
        }
    }

    /// A connection without session ends without a word.
    fn give_up(
        &mut self,
        id: ConnId,
        is_fault: bool,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        self.drop_ticket(id, tally);
        self.stop_waiting(id);
        let opens = std::mem::replace(&mut self.conn(id).phase, Phase::Closing) == Phase::Opening;
        match turn.take_close(id) {
            // Who does not speak MQTT yet would not understand what comes.
            Some(Close::Abort) if opens && !is_fault => Ok(()),
            Some(Close::Linger) if !opens || is_fault => Ok(()),
            other => violated!("R02", "{id} is given up, but {other:?}"),
        }
    }
}

fn time_of(stage: Stage, limits: &Limits) -> Duration {
    match stage {
        Stage::Proxy => limits.proxy_deadline,
        Stage::Tls => limits.tls_deadline,
        Stage::Upgrade => limits.upgrade_deadline,
        Stage::Connect => limits.connect_deadline,
    }
}

fn phase_at(stage: Stage) -> Phase {
    match stage {
        Stage::Connect => Phase::AwaitConnect,
        _ => Phase::Opening,
    }
}

fn new_conn(link: Link, stage: Stage, limits: Limits, connect_by: Deadline, now_ms: u64) -> Conn {
    Conn {
        phase: phase_at(stage),
        version: Version::V311,
        connect_by,
        is_connect_late: false,
        client_id: String::new(),
        keep_alive_ms: None,
        heard_ms: now_ms,
        packet_bytes_max: u32::MAX,
        receive_maximum: usize::from(u16::MAX),
        held: None,
        authentication: None,
        wants_no_reasons: false,
        link,
        limits,
        asked_to_outlive: false,
        waits_for: None,
        successor: None,
        aliases_in: BTreeMap::new(),
        aliases_out: BTreeMap::new(),
        alias_maximum: 0,
        unflushed: 0,
        sent_now: 0,
        answers: 0,
        answers_now: 0,
        is_throttled: false,
    }
}
