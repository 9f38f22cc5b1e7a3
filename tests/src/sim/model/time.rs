//! Deadlines: what happens because nothing happened, neither before its time nor after it.

use super::{Judged, Model, Phase, violated};
use crate::sim::{
    policy::Heard,
    tally::Tally,
    wire::{Out, Turn},
};
use sanderling_core::{
    hooks::Verdict,
    id::{ConnId, Ticket},
    packet::{PacketType, Version},
    reason::ReasonCode,
};

/// A deadline.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Due {
    Connect(ConnId),
    KeepAlive(ConnId),
    Verdict(Ticket),
    Will(String),
    Session(String),
}

impl Model {
    pub(super) fn on_timer(&mut self, turn: &mut Turn, tally: &mut Tally) -> Judged {
        let now_ms = self.now_ms;
        for conn in self.conns.values_mut().filter(|conn| conn.held.is_some()) {
            // Who is held cannot be heard.
            conn.excused_ms = now_ms;
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
            .deadlines(turn)
            .filter(|(at_ms, _)| *at_ms <= self.now_ms)
            .collect();
        dues.sort();
        let place = |due: &Due| {
            turn.heard.iter().position(|heard| match (due, heard) {
                (Due::Connect(id) | Due::KeepAlive(id), Heard::Ended(ended, _)) => id == ended,
                (Due::Session(client_id), Heard::SessionEnded(ended, _)) => client_id == ended,
                _ => false,
            })
        };
        let gets_something =
            |due: &Due| matches!(due, Due::KeepAlive(id) if turn.deliveries.contains_key(id));
        let first = dues
            .iter()
            .map(|(_, due)| due)
            .find(|due| !gets_something(due));
        let first = first.or_else(|| dues.first().map(|(_, due)| due))?;
        let heard_before = dues
            .iter()
            .filter(|(_, due)| {
                place(due).is_some_and(|at| place(first).is_some_and(|first| at < first))
            })
            .min_by_key(|(_, due)| place(due));
        Some(heard_before.map_or(first, |(_, due)| due).clone())
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
                session.will_ms = None;
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

    /// All deadlines. That of a keep alive is not sharp for a client that was held.
    fn deadlines<'a>(&'a self, turn: &'a Turn) -> impl Iterator<Item = (u64, Due)> + 'a {
        let conns = self
            .conns
            .iter()
            .filter_map(move |(id, conn)| match conn.phase {
                Phase::AwaitConnect | Phase::Waiting => {
                    Some((conn.connect_by_ms, Due::Connect(*id)))
                }
                // Who is held cannot be heard, and is not closed for that.
                Phase::Live if conn.held.is_some() => None,
                Phase::Live => {
                    let is_closed = turn.closes.iter().any(|(closed, _)| closed == id);
                    let since_ms = if is_closed {
                        conn.heard_ms
                    } else {
                        conn.excused_ms
                    };
                    Some((since_ms + conn.keep_alive_ms?, Due::KeepAlive(*id)))
                }
                Phase::Asking | Phase::Closing => None,
            });
        let tickets = self
            .tickets
            .iter()
            .map(|(ticket, asked)| (asked.by_ms, Due::Verdict(*ticket)));
        let sessions = self.sessions.iter().flat_map(|(client_id, session)| {
            let will = session
                .will_ms
                .map(|at_ms| (at_ms, Due::Will(client_id.clone())));
            let end = session
                .ends_ms
                .map(|at_ms| (at_ms, Due::Session(client_id.clone())));
            [will, end].into_iter().flatten()
        });
        conns.chain(tickets).chain(sessions)
    }

    /// When the broker must be called again at the latest.
    pub(in super::super) fn deadline_ms(&self) -> Option<u64> {
        let no_turn = Turn::new(sanderling_core::broker::Flow::Continue);
        self.deadlines(&no_turn).map(|(at_ms, _)| at_ms).min()
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
