//! How connections and sessions end, and what becomes of the will. [MQTT 5.0, 3.1.2.5, 3.14, 4.13]

use super::{
    Judged, Model, Phase,
    session::{Message, Will},
    violated,
};
use crate::sim::{
    tally::Tally,
    wire::{Out, Turn},
};
use sanderling_core::{
    broker::{Close, CloseCause},
    codec::DecodeError,
    id::ConnId,
    packet::{Disconnect, Version},
    reason::ReasonCode,
};
use std::time::Duration;

impl Model {
    /// A rule was broken: a 5.0 client is told which kind, then the connection ends and the will is published.
    pub(super) fn refuse(
        &mut self,
        id: ConnId,
        reasons: &[ReasonCode],
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        tally.check("R02");
        self.expect_goodbye(id, reasons, turn)?;
        self.leave(id, false, false, turn, tally)
    }

    /// A 5.0 client reads why the server ends its connection. [MQTT-4.13.1-1]
    pub(super) fn expect_goodbye(
        &mut self,
        id: ConnId,
        reasons: &[ReasonCode],
        turn: &mut Turn,
    ) -> Judged {
        let conn = self.conn(id);
        let (version, max) = (conn.version, conn.packet_bytes_max);
        if version == Version::V5 {
            match turn.take(id) {
                Some(Out::Disconnect { reason }) if reasons.contains(&reason) => {}
                None if max < 4 => {}
                other => violated!("R02", "{id} is to be told {reasons:?} and gets {other:?}"),
            }
        }
        match turn.take_close(id) {
            Some(Close::Flush | Close::Linger) => Ok(()),
            other => violated!("R02", "{id} is to be closed ({reasons:?}), but {other:?}"),
        }
    }

    pub(super) fn on_malformed(
        &mut self,
        id: ConnId,
        error: &DecodeError,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        match self.conn(id).phase {
            Phase::Closing => Ok(()),
            Phase::Opening | Phase::Asking | Phase::Waiting => {
                violated!("R03", "bytes of {id} are decoded while it is held or opens")
            }
            Phase::AwaitConnect => {
                tally.check("R02");
                tally.sometimes("a malformed CONNECT");
                match turn.take(id) {
                    None
                    | Some(Out::ConnAck {
                        session_present: false,
                        ..
                    }) => {}
                    other => violated!("R02", "a malformed CONNECT is answered with {other:?}"),
                }
                self.conn(id).phase = Phase::Closing;
                match turn.take_close(id) {
                    Some(_) => Ok(()),
                    None => violated!("R02", "{id} stays open after a malformed CONNECT"),
                }
            }
            Phase::Authenticating => {
                tally.check("R02");
                self.conn(id).phase = Phase::Closing;
                match turn.take_close(id) {
                    Some(_) => Ok(()),
                    None => violated!("R02", "{id} stays open after a malformed packet"),
                }
            }
            Phase::Live => {
                tally.sometimes("a malformed packet");
                self.refuse(id, &[error.reason()], turn, tally)
            }
        }
    }

    pub(super) fn on_closed(
        &mut self,
        id: ConnId,
        _: CloseCause,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        match self.conn(id).phase {
            Phase::Live => self.leave(id, false, false, turn, tally)?,
            Phase::Asking => self.drop_ticket(id, tally),
            Phase::Waiting => self.stop_waiting(id),
            Phase::Opening | Phase::AwaitConnect | Phase::Authenticating | Phase::Closing => {}
        }
        self.conns.remove(&id);
        Ok(())
    }

    pub(super) fn drop_ticket(&mut self, id: ConnId, tally: &mut Tally) {
        if let Some(ticket) = self.conn(id).held.take() {
            tally.sometimes("a question ends with its connection");
            self.tickets.remove(&ticket);
        }
    }

    /// The client says good-bye; with 0x00 its will is dropped. [MQTT-3.14.4-3]
    pub(super) fn on_disconnect(
        &mut self,
        id: ConnId,
        disconnect: &Disconnect<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let cap = self.config.session_expiry_max_s;
        let asked_to_outlive = self.conn(id).asked_to_outlive;
        let session = self.session_of(id);
        if let Some(asked) = disconnect.properties.session_expiry_interval() {
            if !asked_to_outlive && asked > 0 {
                tally.sometimes("DISCONNECT raises an expiry interval of 0");
                return self.refuse(id, &[ReasonCode::PROTOCOL_ERROR], turn, tally);
            }
            let granted = asked.min(cap);
            session.expiry_s = (granted != u32::MAX).then_some(granted);
        }
        match turn.take_close(id) {
            Some(Close::Flush | Close::Linger) => {}
            other => violated!("R01", "after DISCONNECT {id} is not closed but {other:?}"),
        }
        let is_normal = disconnect.reason == ReasonCode::NORMAL_DISCONNECTION;
        self.leave(id, is_normal, false, turn, tally)
    }

    pub(super) fn on_drain(&mut self, turn: &mut Turn, tally: &mut Tally) -> Judged {
        self.is_draining = true;
        // The broker chooses the order.
        let order: Vec<_> = turn.closes.iter().map(|(id, _)| *id).collect();
        for id in order {
            let state = self.state_of(id);
            tally.fault("drain", state);
            if self.conn(id).phase == Phase::Live {
                self.expect_goodbye(id, &[ReasonCode::SERVER_SHUTTING_DOWN], turn)?;
                self.leave(id, false, true, turn, tally)?;
            } else {
                self.drop_ticket(id, tally);
                self.stop_waiting(id);
                self.conn(id).phase = Phase::Closing;
                turn.take_close(id);
            }
        }
        match self
            .conns
            .iter()
            .find(|(_, conn)| conn.phase != Phase::Closing)
        {
            Some((id, _)) => violated!("R01", "{id} stays open though the broker stops"),
            None => Ok(()),
        }
    }

    /// A session loses its connection. Its will is dropped, published now, or waits.
    pub(super) fn leave(
        &mut self,
        id: ConnId,
        is_normal: bool,
        at_once: bool,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        self.match_deliveries(id, turn, tally)?;
        self.drop_ticket(id, tally);
        let conn = self.conn(id);
        conn.phase = Phase::Closing;
        let client_id = conn.client_id.clone();
        let session = self.session(&client_id);
        session.conn = None;
        session
            .inflight
            .iter_mut()
            .for_each(|flight| flight.is_sent_here = false);
        session
            .releasing
            .iter_mut()
            .for_each(|release| release.is_sent_here = false);
        let expiry_s = session.expiry_s;
        let ends_with_it = expiry_s == Some(0);
        match session.will.take() {
            Some(_) if is_normal => {
                tally.check("I36");
                tally.sometimes("a will is dropped");
            }
            Some(will) if at_once || will.delay_s == 0 || ends_with_it => {
                self.publish_will(&client_id, will, tally)?;
            }
            Some(will) => {
                tally.sometimes("a will waits");
                let due = self.deadline_in(seconds(will.delay_s));
                let session = self.session(&client_id);
                session.will_due = Some(due);
                session.will = Some(will);
            }
            None => {}
        }
        if ends_with_it {
            self.end_session(&client_id, turn, tally)?;
        } else {
            self.offer_anew(&client_id);
            let ends = expiry_s.map(|expiry_s| self.deadline_in(seconds(expiry_s)));
            self.session(&client_id).ends = ends;
        }
        let successor = self.conn(id).successor.take();
        self.go_on_with(successor, turn, tally)
    }

    pub(super) fn publish_will(
        &mut self,
        client_id: &str,
        will: Will,
        tally: &mut Tally,
    ) -> Judged {
        tally.check("I36");
        tally.sometimes("a will is published");
        let message = Message {
            order: 0,
            topic: will.topic,
            payload: will.payload,
            properties: will.properties,
            qos: will.qos,
            retain: will.retain,
            accepted_ms: self.now_ms,
            expiry_s: will.expiry_s,
            publisher: Some(client_id.to_owned()),
        };
        self.accept(message, tally)?;
        Ok(())
    }

    /// A session ends: its will comes first, then everything of it is gone.
    pub(super) fn end_session(
        &mut self,
        client_id: &str,
        _: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        if let Some(will) = self.session(client_id).will.take() {
            tally.check("I37");
            self.publish_will(client_id, will, tally)?;
        }
        tally.check("I30");
        let session = self.sessions.remove(client_id).expect("it exists");
        let flights = session.inflight.clone().into_iter();
        self.release_shared(client_id, flights.map(|flight| flight.copy), tally);
        self.ended.push((client_id.to_owned(), session));
        Ok(())
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
