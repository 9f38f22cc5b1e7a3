//! Deadlines: what happens because nothing happened, neither before its time nor after it.

use super::{Judged, Model, Phase, violated};
use crate::sim::{
    policy::Heard,
    tally::Tally,
    wire::{Out, Turn},
};
use sanderling_core::{
    hooks::{End, Verdict},
    id::{ConnId, Ticket},
    packet::{PacketType, Version},
    reason::ReasonCode,
};
use std::time::Duration;

/// A deadline.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Due {
    Connect(ConnId),
    KeepAlive(ConnId),
    Verdict(Ticket),
    Will(String),
    Session(String),
}

/// When something is due. Of what is due at the same time, what was set first comes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Deadline {
    pub(super) at_ms: u64,
    number: u64,
}

impl Model {
    /// A deadline that is set now.
    pub(super) fn deadline_in(&mut self, time: Duration) -> Deadline {
        self.deadlines_set += 1;
        Deadline {
            at_ms: self.now_ms + time.as_millis() as u64,
            number: self.deadlines_set,
        }
    }

    pub(super) fn on_timer(&mut self, turn: &mut Turn, tally: &mut Tally) -> Judged {
        let now_ms = self.now_ms;
        for conn in self.conns.values_mut() {
            conn.is_connect_late |= conn.phase == Phase::Asking && conn.connect_by.at_ms <= now_ms;
        }
        self.expect_retries(turn, tally)?;
        while let Some(due) = self.next_due(turn) {
            tally.check("I51");
            self.on_due(due, turn, tally)?;
            self.expect_retries(turn, tally)?;
        }
        Ok(())
    }

    /// The deadline to look at next. After a pause many have passed; then the order is the broker's choice, and what hooks
    /// hear tells it.
    fn next_due(&self, turn: &Turn) -> Option<Due> {
        let mut dues: Vec<_> = self
            .deadlines()
            .filter(|(deadline, _)| deadline.at_ms <= self.now_ms)
            .collect();
        dues.sort();
        let dues: Vec<_> = dues.into_iter().map(|(_, due)| due).collect();
        let place = |due: &Due| turn.heard.iter().position(|heard| self.tells(due, heard));
        let is_told = |due: &Due| !matches!(due, Due::Verdict(_) | Due::Will(_));
        let comes = |due: &&Due| !is_told(due) || place(due).is_some();
        let gets_something =
            |due: &Due| matches!(due, Due::KeepAlive(id) if turn.deliveries.contains_key(id));
        let first = dues
            .iter()
            .filter(comes)
            .find(|due| !gets_something(due))
            .or_else(|| dues.iter().find(comes))
            .or_else(|| dues.first())?;
        let heard_before = dues.iter().filter(|due| {
            place(due).is_some_and(|at| place(first).is_some_and(|first| at < first))
        });
        let heard_first = heard_before.min_by_key(|due| place(due));
        Some(heard_first.unwrap_or(first).clone())
    }

    /// Whether a notice is what hooks hear when the broker looks at a deadline.
    fn tells(&self, due: &Due, heard: &Heard) -> bool {
        match (due, heard) {
            (Due::Connect(id), Heard::Ended(ended, end)) => match &self.conns[id].waits_for {
                // It gets the session of the other one, which ends.
                Some((older, _)) => older == ended && *end == End::TakenOver,
                None => id == ended,
            },
            (Due::KeepAlive(id), Heard::Ended(ended, end)) => id == ended && *end != End::TakenOver,
            (Due::Session(client_id), Heard::SessionEnded(ended, _)) => client_id == ended,
            _ => false,
        }
    }

    fn on_due(&mut self, due: Due, turn: &mut Turn, tally: &mut Tally) -> Judged {
        match due {
            Due::Connect(id) if self.conn(id).phase == Phase::Waiting => {
                tally.sometimes("a connection has waited long enough");
                let older = self.conn(id).waits_for.as_ref().map(|(older, _)| *older);
                older.map_or(Ok(()), |older| self.on_drained(older, turn, tally))
            }
            Due::Connect(id) => {
                tally.sometimes("a CONNECT does not come");
                self.conn(id).phase = Phase::Closing;
                match turn.take_close(id) {
                    Some(_) => Ok(()),
                    None => violated!("I51", "{id} stays open without CONNECT"),
                }
            }
            Due::KeepAlive(id) => {
                tally.check("I48");
                tally.sometimes("a client is silent too long");
                self.expect_goodbye(id, &[ReasonCode::KEEP_ALIVE_TIMEOUT], turn)?;
                self.leave(id, false, false, turn, tally)
            }
            Due::Verdict(ticket) => {
                tally.sometimes("a verdict does not come");
                let asked = self.tickets.remove(&ticket).expect("it is the earliest");
                let state = self.state_of(asked.conn);
                tally.fault("no verdict", state);
                self.rule(
                    asked,
                    Verdict::Refuse(ReasonCode::NOT_AUTHORIZED),
                    turn,
                    tally,
                )
            }
            Due::Will(client_id) => {
                tally.check("I37");
                tally.sometimes("a will has waited");
                let session = self.session(&client_id);
                session.will_due = None;
                match session.will.take() {
                    Some(will) => self.publish_will(&client_id, will, tally)?,
                    None => violated!("I37", "{client_id:?} has a deadline for no will"),
                }
                Ok(())
            }
            Due::Session(client_id) => {
                tally.check("I28");
                tally.sometimes("a session expires");
                self.end_session(&client_id, turn, tally)
            }
        }
    }

    /// All deadlines.
    fn deadlines(&self) -> impl Iterator<Item = (Deadline, Due)> + '_ {
        let conns = self
            .conns
            .iter()
            .filter_map(move |(id, conn)| match conn.phase {
                Phase::Opening | Phase::AwaitConnect | Phase::Authenticating | Phase::Waiting => {
                    Some((conn.connect_by, Due::Connect(*id)))
                }
                // Who is held cannot be heard, and is not closed for that.
                Phase::Live if conn.held.is_some() => None,
                Phase::Live => {
                    let at_ms = conn.heard_ms + conn.keep_alive_ms?;
                    Some((Deadline { at_ms, number: 0 }, Due::KeepAlive(*id)))
                }
                Phase::Asking | Phase::Closing => None,
            });
        let tickets = self
            .tickets
            .iter()
            .map(|(ticket, asked)| (asked.by, Due::Verdict(*ticket)));
        let sessions = self.sessions.iter().flat_map(|(client_id, session)| {
            let will = session
                .will_due
                .map(|at| (at, Due::Will(client_id.clone())));
            let end = session.ends.map(|at| (at, Due::Session(client_id.clone())));
            [will, end].into_iter().flatten()
        });
        conns.chain(tickets).chain(sessions)
    }

    /// When the broker must be called again at the latest.
    pub(in super::super) fn deadline_ms(&self) -> Option<u64> {
        self.deadlines().map(|(deadline, _)| deadline.at_ms).min()
    }

    /// Before 5.0, if configured, PUBREL goes out again on the same connection. (F7)
    fn expect_retries(&mut self, turn: &mut Turn, tally: &mut Tally) -> Judged {
        let Some(every) = self.config.retry_interval else {
            return Ok(());
        };
        let (now_ms, every_ms) = (self.now_ms, every.as_millis() as u64);
        for session in self
            .sessions
            .values_mut()
            .filter(|session| session.version != Version::V5)
        {
            let Some(id) = session.conn else {
                continue;
            };
            while let Some(Out::Ack {
                packet: PacketType::PubRel,
                packet_id,
                ..
            }) = turn.peek(id)
            {
                let known = session
                    .releasing
                    .iter_mut()
                    .find(|release| release.packet_id == *packet_id);
                match known {
                    Some(release) if release.sent_ms + every_ms <= now_ms => {
                        release.sent_ms = now_ms
                    }
                    other => violated!(
                        "I08",
                        "PUBREL {packet_id} is sent again to {id} too early: {other:?}"
                    ),
                }
                tally.check("I08");
                tally.sometimes("a PUBREL is sent again by the retry timer");
                turn.take(id);
            }
        }
        Ok(())
    }
}
