//! After the faults: everybody comes back, reads and acknowledges, and everything owed arrives; then everybody leaves,
//! and nothing is left.

use super::{
    model::Violation,
    network::Phase,
    packets::{self, ConnectForm},
    plan::{Acks, Persona},
    world::{Judged, World},
};
use sanderling_core::{
    broker::{CloseCause, Event},
    hooks::Verdict,
    packet::Version,
};

/// Rounds of healing, each with some time, after which nothing may be owed.
const ROUNDS_MAX: usize = 64;
/// As much as a CONNECT that wants a clean start is long.
const CONNECT_BYTES: u32 = 40;
const YEAR_MS: u64 = 366 * 24 * 3600 * 1000;

impl World {
    /// The safety phase is over: from now on everything goes well.
    pub(super) fn heal(&mut self) -> Judged {
        self.trace.note(|| "-- healing".into());
        self.is_healing = true;
        for place in 0..self.conns.len() {
            self.close(place, CloseCause::Failed)?;
        }
        for (ticket, _) in std::mem::take(&mut self.questions) {
            self.report(&Event::Ruled {
                ticket,
                verdict: Verdict::Permit,
            })?;
        }
        self.settle()?;
        if self.model.is_draining {
            // Nobody is let in any more.
            return Ok(());
        }
        let sessions: Vec<_> = self.model.sessions.keys().cloned().collect();
        for client_id in sessions {
            self.bring_back(&client_id)?;
        }
        self.drain_queues()?;
        if self.best_listener().1 < CONNECT_BYTES {
            // Who had a session came with a certificate or by another configuration, and cannot come back without.
            return Ok(());
        }
        self.leave_nothing()
    }

    /// Connects a well-behaved client to a session and lets it take everything, then leave.
    fn bring_back(&mut self, client_id: &str) -> Judged {
        // A name that the broker made is known to nobody who would come back before 5.0.
        let known = self
            .plan
            .personas
            .iter()
            .find(|persona| persona.client_id == client_id);
        let Some(persona) = known.copied() else {
            return Ok(());
        };
        if !self.model.sessions.contains_key(client_id) {
            return Ok(());
        }
        let version = match self.dice.chance(50) {
            true => Version::V5,
            false => persona.version,
        };
        let persona = Persona {
            version,
            acks: Acks::AtOnce,
            hostile: false,
            lazy: 0,
            ..persona
        };
        let client = self.clients.len();
        self.clients.push(super::client::Client::new(persona));
        let place = self.open(client, false)?;
        let bytes = ConnectForm::plain().encode(&persona, b"");
        self.conns[place].sent.extend(bytes);
        self.settle()?;
        for _ in 0..ROUNDS_MAX {
            if self
                .model
                .sessions
                .get(client_id)
                .is_none_or(|session| session.is_quiet(self.now_ms))
            {
                break;
            }
            self.sleep(self.now_ms + 1000, false)?;
        }
        if let Some(session) = self.model.sessions.get(client_id)
            && !session.is_quiet(self.now_ms)
            && self.is_connected(place)
        {
            return Err(Violation::new(
                "I23",
                format!("{client_id:?} reads and acknowledges, and is still owed {session:?}"),
            ));
        }
        self.tally.check("I23");
        let bytes = packets::farewell(version);
        self.conns[place].sent.extend(bytes);
        self.settle()?;
        self.close(place, CloseCause::PeerClosed)?;
        self.settle()
    }

    fn is_connected(&self, place: usize) -> bool {
        let conn = &self.conns[place];
        conn.phase == Phase::Open && self.clients[conn.client].is_connected
    }

    /// Wills that wait may fill queues again: time passes first, then nothing is under way.
    fn drain_queues(&mut self) -> Judged {
        self.sleep(self.now_ms + YEAR_MS, false)
    }

    /// Sessions that never expire are discarded; then there is nothing but retained messages.
    fn leave_nothing(&mut self) -> Judged {
        let sessions: Vec<_> = self.model.sessions.keys().cloned().collect();
        let mut kept = 0;
        for client_id in sessions {
            let known = self
                .plan
                .personas
                .iter()
                .find(|persona| persona.client_id == client_id);
            let Some(persona) = known.copied() else {
                kept += 1;
                continue;
            };
            let client = self.clients.len();
            self.clients.push(super::client::Client::new(Persona {
                acks: Acks::AtOnce,
                ..persona
            }));
            let place = self.open(client, false)?;
            let form = ConnectForm {
                clean_start: true,
                expiry_s: None,
                ..ConnectForm::plain()
            };
            let bytes = form.encode(&persona, b"");
            self.conns[place].sent.extend(bytes);
            self.settle()?;
            self.close(place, CloseCause::PeerClosed)?;
            self.settle()?;
        }
        self.sleep(self.now_ms + YEAR_MS, false)?;
        let counters = self.broker.view().statistics();
        let left = self.broker.view().sessions().count();
        if left > kept {
            return Err(Violation::new(
                "I30",
                format!("{left} sessions are left, {kept} of them nameless"),
            ));
        }
        let residue = [
            u64::from(counters.connections_current),
            u64::from(counters.sessions_active_current),
            if kept == 0 {
                u64::from(counters.subscriptions_current)
            } else {
                0
            },
            if kept == 0 {
                counters.messages_queued_current
            } else {
                0
            },
            if kept == 0 {
                counters.queued_bytes_current
            } else {
                0
            },
        ];
        self.tally.check("I30");
        if residue.iter().any(|count| *count > 0) {
            return Err(Violation::new(
                "I30",
                format!("something is left: {counters:?}"),
            ));
        }
        Ok(())
    }
}
