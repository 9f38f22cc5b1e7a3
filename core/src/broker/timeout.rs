//! Deadlines: everything that happens because nothing happened.

use super::{Actions, Broker, Flow, Stage, open, state::Due};
use crate::{
    connection::Phase,
    hooks::{Refusal, SessionEnd, Verdict},
    id::ConnId,
    packet::PacketType,
    reason::ReasonCode,
};
use core::time::Duration;

/// Messages that were retained before the store was emptied, dropped in one event.
const REMAINS_PER_STEP: usize = 1024;

/// Deadlines that are looked at in one event; the rest come in the next.
const DUES_PER_STEP: usize = 4096;

const SILENT: Refusal = Refusal {
    reason: ReasonCode::KEEP_ALIVE_TIMEOUT,
    what: "nothing received for one and a half times the keep alive",
    rule: "MQTT-3.1.2-22",
};

impl Broker {
    /// Looks at the deadlines that have passed and goes on with chores.
    pub(super) fn on_timer(&mut self, actions: &mut Actions) -> Flow {
        for _ in 0..DUES_PER_STEP {
            let Some(due) = self.state.pop_due() else {
                break;
            };
            match due {
                Due::Connect(conn) => self.on_connect_late(conn, actions),
                Due::KeepAlive(conn) => self.on_silence(conn, actions),
                Due::Verdict(ticket) => {
                    let verdict = Verdict::Refuse(ReasonCode::NOT_AUTHORIZED);
                    let _ = self.on_ruled(ticket, verdict, actions);
                }
                Due::Expiry(number) => {
                    self.state.sessions.get_mut(number).timer = None;
                    self.end_session(number, None, SessionEnd::Expired, actions);
                }
                Due::Will(number) => {
                    let session = self.state.sessions.get_mut(number);
                    session.will_timer = None;
                    if let Some(will) = session.will.take() {
                        self.publish_will(number, &will, actions);
                    }
                }
                Due::Retry(number) => self.on_retry(number, actions),
            }
        }
        self.state.forget_announced();
        self.state.carry_on(actions);
        self.state.rehome(actions);
        let remains = self.state.remains.drop_some(REMAINS_PER_STEP);
        if remains || !self.state.runnable.is_empty() {
            self.state.wake_now();
        }
        Flow::Continue
    }

    fn on_connect_late(&mut self, conn: ConnId, actions: &mut Actions) {
        let Some(connection) = self.state.connections.get_mut(conn) else {
            return;
        };
        connection.timer = None;
        match connection.phase {
            Phase::Opening(stage) => self.refuse(conn, open::late(stage), actions),
            Phase::AwaitConnect | Phase::Authenticating => {
                self.refuse(conn, open::late(Stage::Connect), actions);
            }
            Phase::Waiting { old, .. } => self.on_drained(old, actions),
            Phase::Asking(_) | Phase::Live(_) | Phase::Closing => {}
        }
    }

    /// Ends a connection whose client has been silent too long; one that is held has an excuse.
    fn on_silence(&mut self, conn: ConnId, actions: &mut Actions) {
        let now = self.state.now;
        let Some(connection) = self.state.connections.get_mut(conn) else {
            return;
        };
        connection.timer = None;
        let Some(live) = connection.live_mut() else {
            return;
        };
        if live.silence_max_ms == 0 {
            return;
        }
        if live.held.is_some() {
            live.last_received = now;
        }
        let at = live.last_received + Duration::from_millis(u64::from(live.silence_max_ms));
        if at <= now {
            self.refuse(conn, SILENT, actions);
            return;
        }
        let timer = self.state.set_timer(at, Due::KeepAlive(conn));
        if let Some(connection) = self.state.connections.get_mut(conn) {
            connection.timer = Some(timer);
        }
    }

    /// Before 5.0, if configured: what has not been acknowledged is sent again on the same connection. (F7)
    fn on_retry(&mut self, number: u32, actions: &mut Actions) {
        let now = self.state.now;
        let hot = self.state.hot[number as usize];
        let session = self.state.sessions.get_mut(number);
        session.timer = None;
        let Some(every) = self.state.config.retry_interval.filter(|_| hot.online) else {
            return;
        };
        let resends = session.outbound.overdue_messages(now, every);
        let releases = session.outbound.overdue_releases(now, every);
        for resend in &resends {
            // One that is too large for the client was never in flight.
            self.state.send_again(number, resend, actions);
        }
        for packet_id in releases {
            let (packet, reason) = (PacketType::PubRel, ReasonCode::SUCCESS);
            self.state
                .send_ack(hot.conn, packet, packet_id, reason, actions);
        }
        let timer = self.state.set_timer(now + every, Due::Retry(number));
        self.state.sessions.get_mut(number).timer = Some(timer);
    }
}
