//! What is compared after each event: the recount of everything, the limits, and that nothing waits that could go.

use super::{
    Judged, Model, Phase,
    session::{Session, Weight},
    violated,
};
use crate::sim::{
    tally::Tally,
    wire::{Out, Turn},
};
use sanderling_core::{
    broker::View,
    id::ConnId,
    packet::{QoS, Version},
};

impl Model {
    /// A new event: what was new is not any more.
    pub(super) fn account_for(&mut self, _: &Turn) {
        for session in self.sessions.values_mut() {
            session.delivered_now = Weight::default();
            session.former = None;
            session.owed.iter_mut().for_each(|copy| copy.is_new = false);
        }
    }

    /// The event is judged: what comes now belongs to the next one.
    pub(super) fn close_accounts(&mut self) {
        for conn in self.conns.values_mut() {
            conn.answers_now = 0;
            conn.sent_now = 0;
        }
    }

    /// The network took bytes. Who had taken too few answers may be read again.
    pub(super) fn on_flushed(
        &mut self,
        id: ConnId,
        bytes: u32,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let conn = self.conn(id);
        conn.unflushed = conn.unflushed.saturating_sub(u64::from(bytes));
        // What goes out because of it is not there yet.
        conn.answers = conn
            .answers
            .min(conn.unflushed.saturating_sub(conn.sent_now));
        let was_throttled = std::mem::take(&mut conn.is_throttled);
        if was_throttled && conn.phase == Phase::Live && conn.held.is_none() {
            return self.expect_resume(id, turn, tally);
        }
        Ok(())
    }

    /// True if a client had not taken its answers even before this event.
    pub(super) fn must_throttle(&self, id: ConnId) -> bool {
        let max = u64::from(self.config.limits.answer_bytes_max.max(1));
        let conn = &self.conns[&id];
        conn.phase == Phase::Live && conn.answers - conn.answers_now.min(conn.answers) >= max
    }

    /// Stops reading from a client that does not take its answers. True if it is so.
    pub(super) fn throttles(&mut self, id: ConnId, tally: &mut Tally) -> bool {
        let max = u64::from(self.config.limits.answer_bytes_max.max(1));
        let Some(conn) = self.conns.get_mut(&id) else {
            return false;
        };
        conn.is_throttled = conn.phase == Phase::Live && conn.answers >= max;
        if conn.is_throttled {
            tally.check("R05");
            tally.sometimes("a client that takes no answers is not read");
        }
        conn.is_throttled
    }

    /// Every packet fits its client. [MQTT-3.1.2-24]
    pub(in super::super) fn check_packet(
        &mut self,
        id: ConnId,
        packet: &Out,
        bytes: usize,
        gives_reasons: bool,
        tally: &mut Tally,
    ) -> Judged {
        let conn = self.conn(id);
        if conn.wants_no_reasons && gives_reasons {
            violated!("R01", "{id} wants no reason strings and gets {packet:?}");
        }
        conn.unflushed += bytes as u64;
        conn.sent_now += bytes as u64;
        if !matches!(packet, Out::Publish(_) | Out::Disconnect { .. }) {
            conn.answers += bytes as u64;
            conn.answers_now += bytes as u64;
        }
        if conn.packet_bytes_max < u32::MAX {
            tally.check("I19");
        }
        if bytes > conn.packet_bytes_max as usize {
            violated!(
                "I19",
                "a packet of {bytes} bytes to {id}, which takes {}",
                conn.packet_bytes_max
            );
        }
        Ok(())
    }

    /// What is in flight to each client, and what waits for PUBCOMP.
    fn recount_windows(&self, view: View<'_>) -> Judged {
        for (client_id, session) in &self.sessions {
            let should = (session.inflight.len(), session.releasing.len());
            let is = view
                .session(client_id)
                .map(|session| (session.inflight_len(), session.awaiting_release_len()));
            if is != Some(should) {
                violated!(
                    "I58",
                    "in flight to {client_id} and awaiting PUBCOMP are {is:?}, not {should:?}"
                );
            }
        }
        Ok(())
    }

    /// Compares the broker's view with a recount.
    pub(in super::super) fn recount(&mut self, view: View<'_>, tally: &mut Tally) -> Judged {
        tally.check("I58");
        let here: Vec<_> = self
            .sessions
            .iter()
            .map(|(client_id, session)| (client_id.as_str(), session.conn.is_some()))
            .collect();
        let there: Vec<_> = view.sessions().collect();
        if here != there {
            violated!("I28", "sessions are {there:?} and should be {here:?}");
        }
        self.recount_windows(view)?;
        let counters = view.statistics();
        let queued = self.queued();
        if counters.messages_queued_current != queued.count {
            violated!(
                "I03",
                "{} messages are queued, and {} are owed, {} of them to groups",
                counters.messages_queued_current,
                queued.count,
                self.floating.len()
            );
        }
        if counters.queued_bytes_current != queued.bytes {
            violated!(
                "I58",
                "{} bytes are queued, not {}",
                counters.queued_bytes_current,
                queued.bytes
            );
        }
        let online = here.iter().filter(|(_, is_online)| *is_online).count() as u64;
        let subscriptions: usize = self
            .sessions
            .values()
            .map(|session| session.subscriptions.len())
            .sum();
        let fresh = self
            .retained
            .values()
            .filter(|message| !message.is_expired(self.now_ms))
            .count();
        let pairs = [
            (
                "connections",
                u64::from(counters.connections_current),
                self.conns.len() as u64,
            ),
            (
                "active sessions",
                u64::from(counters.sessions_active_current),
                online,
            ),
            (
                "inactive sessions",
                u64::from(counters.sessions_inactive_current),
                here.len() as u64 - online,
            ),
            (
                "subscriptions",
                u64::from(counters.subscriptions_current),
                subscriptions as u64,
            ),
            (
                "refusals to retain",
                counters.retained_refused,
                self.retained_refused,
            ),
            ("QoS 0 drops", counters.messages_dropped[0], self.dropped[0]),
            ("QoS 1 drops", counters.messages_dropped[1], self.dropped[1]),
            ("QoS 2 drops", counters.messages_dropped[2], self.dropped[2]),
        ];
        if let Some((what, counted, recounted)) = pairs.iter().find(|(_, a, b)| a != b) {
            violated!("I58", "{what}: counted {counted}, recounted {recounted}");
        }
        let retained = counters.retained_current as usize;
        if !(fresh..=self.retained.len()).contains(&retained) {
            violated!(
                "I31",
                "{retained} messages are retained, not {fresh} to {}",
                self.retained.len()
            );
        }
        self.check_limits(tally)
    }

    /// All that waits.
    fn queued(&self) -> Weight {
        let mut weight = Weight {
            count: self.floating.len() as u64,
            bytes: self.floating_bytes(),
        };
        for session in self.sessions.values() {
            let queued = session.queued();
            weight.count += queued.count;
            weight.bytes += queued.bytes;
        }
        weight
    }

    fn check_limits(&self, tally: &mut Tally) -> Judged {
        let limits = &self.config.limits;
        let count_max = limits.queue_messages_max as usize;
        for (client_id, session) in &self.sessions {
            // The last one may go beyond it.
            let kept = session.kept_bytes();
            let last = session.inflight.last();
            let last = last.map_or(0, |flight| flight.copy.message.weight());
            if kept > 0 && kept - last.min(kept) >= limits.inflight_bytes_max.max(1) {
                violated!("I21", "{kept} bytes in flight are kept for {client_id:?}");
            }
            if session.owed.is_empty() {
                continue;
            }
            tally.check("I21");
            if count_max > 0 && session.owed.len() > count_max {
                violated!(
                    "I21",
                    "{} messages are queued for {client_id:?}",
                    session.owed.len()
                );
            }
            let bytes = session.queued().bytes;
            if bytes > limits.queue_bytes_max {
                violated!("I21", "{bytes} bytes are queued for {client_id:?}");
            }
        }
        let total = self.queued().bytes;
        if total > limits.queue_bytes_total_max {
            violated!("I21", "{total} bytes are queued");
        }
        // What has expired may be gone already, or go later.
        let fresh = self
            .retained
            .values()
            .filter(|message| !message.is_expired(self.now_ms));
        let fresh = fresh.count();
        if fresh > limits.retained_messages_max as usize {
            violated!("I21", "{fresh} messages are retained");
        }
        Ok(())
    }

    /// What could be sent was sent, unless the broker has asked to be called again at once.
    pub(in super::super) fn check_progress(&self, has_chore: bool, tally: &mut Tally) -> Judged {
        if !has_chore {
            self.check_progress_of_groups(tally)?;
        }
        for (client_id, session) in &self.sessions {
            let Some(id) = session.conn else {
                continue;
            };
            let has_replays = session.owes_retained(self.now_ms);
            if session.owed.is_empty() && !session.owes_again() && !has_replays {
                continue;
            }
            tally.check("I23");
            let is_full =
                self.conns[&id].unflushed >= u64::from(self.config.limits.outbound_bytes_max);
            if has_chore || is_full {
                continue;
            }
            let has_room = self.has_room(session);
            // Several copies of one message may stand in any order, and what is for a group anywhere.
            let first = session.owed.first().map(|copy| copy.message.order);
            let first_waits = self.may_hold(client_id).next().is_some()
                || session
                    .owed
                    .iter()
                    .take_while(|copy| Some(copy.message.order) == first)
                    .any(|copy| copy.qos != QoS::AtMostOnce);
            let is_stuck = if session.owes_again() {
                self.has_window(session)
            } else if session.owed.is_empty() || first_waits {
                has_room
            } else {
                true
            };
            if is_stuck {
                violated!(
                    "I23",
                    "{client_id:?} has room and is owed {:?}, {:?} and again {:?}",
                    session.owed,
                    session.replays,
                    session.inflight
                );
            }
        }
        Ok(())
    }

    fn check_progress_of_groups(&self, tally: &mut Tally) -> Judged {
        if !self.floating.is_empty() {
            tally.check("I46");
        }
        let limit = u64::from(self.config.limits.outbound_bytes_max);
        let waits = |session: &Session| {
            let is_full = |id| self.conns[&id].unflushed >= limit;
            !self.has_room(session) || session.conn.is_none_or(is_full)
        };
        match self.stuck_floating(waits) {
            Some(floating) => violated!("I46", "nobody who may have it has to wait: {floating:?}"),
            None => Ok(()),
        }
    }

    /// True if one more message may go into flight.
    fn has_room(&self, session: &Session) -> bool {
        let max = self.config.limits.inflight_bytes_max.max(1);
        self.has_window(session) && session.kept_bytes() < max
    }

    /// True if one more may be under way.
    fn has_window(&self, session: &Session) -> bool {
        let is_v5 = session.version == Version::V5;
        let releasing_max = usize::from(self.config.limits.awaiting_release_max);
        let waits_for_release = !is_v5
            && !self.config.evict_awaiting_release
            && session.releasing.len() >= releasing_max;
        !waits_for_release && session.occupied() < session.inflight_max
    }

    /// The state of a connection, for the grid.
    pub(in super::super) fn state_of(&self, id: ConnId) -> &'static str {
        let Some(conn) = self.conns.get(&id) else {
            return "closing";
        };
        match conn.phase {
            Phase::Opening => return "opening",
            Phase::AwaitConnect => return "before CONNECT",
            Phase::Asking => return "asking about CONNECT",
            Phase::Authenticating => return "authenticating",
            Phase::Waiting => return "waiting for a session",
            Phase::Closing => return "closing",
            Phase::Live if conn.held.is_some() => return "held",
            Phase::Live if conn.is_throttled => return "takes no answers",
            Phase::Live => {}
        }
        let session = &self.sessions[&conn.client_id];
        if conn.unflushed >= u64::from(self.config.limits.outbound_bytes_max) {
            "output full"
        } else if session
            .replays
            .iter()
            .any(|replay| !replay.messages.is_empty())
        {
            "replay waits"
        } else if !session.owed.is_empty() {
            "queue waits"
        } else if !session.inflight.is_empty() && !self.has_room(session) {
            "window full"
        } else if !session.releasing.is_empty() {
            "awaits PUBCOMP"
        } else if !session.inflight.is_empty() {
            "awaits PUBACK or PUBREC"
        } else if !session.inbound.is_empty() {
            "awaits PUBREL"
        } else {
            "idle"
        }
    }
}

impl Session {
    /// What is kept until it is acknowledged.
    fn kept_bytes(&self) -> u64 {
        let kept = self.inflight.iter().filter(|flight| flight.is_kept);
        kept.map(|flight| flight.copy.message.weight()).sum()
    }

    fn queued(&self) -> Weight {
        let mut weight = Weight::default();
        self.owed.iter().for_each(|copy| weight.add(&copy.message));
        weight
    }
}
