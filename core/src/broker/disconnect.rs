//! How connections and sessions end: every way leads through [`Broker::end`]. [MQTT 5.0, 3.14, 4.13]

use super::{Action, Actions, Broker, Close, CloseCause, Flow, View, permit};
use crate::{
    codec::{DecodeError, DecodeErrorKind},
    connection::{Live, Phase},
    hooks::{ClientData, Context, End, HookSet, Notice, Refusal, SessionEnd},
    id::ConnId,
    packet::{ConnAck, Disconnect, Properties, PropertiesBuf, Property, ServerPacket, Version},
    reason::ReasonCode,
    session::{KeptWill, aliases},
    time::Instant,
    topic::TopicFilter,
};
use alloc::boxed::Box;
use core::time::Duration;

use super::state::Due;

const EXPIRY_RAISED_FROM_0: Refusal = Refusal {
    reason: ReasonCode::PROTOCOL_ERROR,
    what: "DISCONNECT gives a session an expiry interval that had none",
    rule: "MQTT 5.0, 3.14.2.2.2",
};

impl Broker {
    /// The client says good-bye. With 0x00 its will is dropped. [MQTT-3.14.4-3]
    pub(super) fn on_disconnect(
        &mut self,
        conn: ConnId,
        disconnect: &Disconnect<'_>,
        actions: &mut Actions,
    ) {
        let cap = self.state.config.session_expiry_max_s;
        let asked_to_outlive = self.state.live(conn).asked_to_outlive;
        let session = self.state.session_of(conn);
        if let Some(asked) = disconnect.properties.session_expiry_interval() {
            if !asked_to_outlive && asked > 0 {
                self.refuse(conn, EXPIRY_RAISED_FROM_0, actions);
                return;
            }
            session.expiry_s = asked.min(cap);
        }
        self.end(conn, End::Disconnected(disconnect.reason), actions);
    }

    /// The bytes of a connection are no MQTT. A 5.0 client is told which rule; an older one is just closed.
    pub(super) fn on_malformed(
        &mut self,
        conn: ConnId,
        error: DecodeError,
        actions: &mut Actions,
    ) -> Flow {
        let Some(connection) = self.state.connections.get(conn) else {
            panic!("contract: bytes of connection {conn}, which is not open");
        };
        if matches!(connection.phase, Phase::Closing) {
            return Flow::Continue;
        }
        self.state.statistics.protocol_errors += 1;
        if matches!(connection.phase, Phase::AwaitConnect) {
            self.answer_malformed_connect(conn, error, actions);
        }
        self.end(conn, End::Malformed(error), actions);
        Flow::Continue
    }

    /// [MQTT-3.1.4-1] [MQTT-3.1.2-2]: an unknown protocol is refused in the form that all versions understand.
    fn answer_malformed_connect(
        &mut self,
        conn: ConnId,
        error: DecodeError,
        actions: &mut Actions,
    ) {
        let version = match error.kind() {
            DecodeErrorKind::ProtocolName | DecodeErrorKind::ProtocolVersion => Version::V311,
            _ if error.version() == Some(Version::V5) => Version::V5,
            _ => return,
        };
        let reason = error.reason();
        let connack = ConnAck {
            session_present: false,
            reason,
            properties: Properties::EMPTY,
        };
        self.state
            .send_unaccounted(conn, version, &ServerPacket::ConnAck(connack), actions);
    }

    /// The driver reports the end of a connection.
    pub(super) fn on_closed(
        &mut self,
        conn: ConnId,
        cause: CloseCause,
        actions: &mut Actions,
    ) -> Flow {
        let Some(connection) = self.state.connections.get(conn) else {
            panic!("contract: the end of connection {conn}, which is not open");
        };
        if !matches!(connection.phase, Phase::Closing) {
            let end = if cause == CloseCause::Failed {
                End::Failed
            } else {
                End::PeerClosed
            };
            self.end(conn, end, actions);
        }
        self.state.connections.close(conn);
        self.state.statistics.connections_current -= 1;
        self.tell_of_stop();
        Flow::Continue
    }

    /// Once nobody is left after the order to stop, hooks are told. Nobody comes after that.
    pub(super) fn tell_of_stop(&mut self) {
        let is_over = self.state.draining && self.state.connections.len() == 0;
        if is_over && !core::mem::replace(&mut self.state.stopped, true) {
            let mut none = ClientData::default();
            let view = View::new(&self.state);
            let mut cx = Context::new(&mut none, view, &mut self.orders);
            self.hooks.notice(&Notice::Stopped, &mut cx);
        }
    }

    /// Ends a connection for the broker: the last packet, the will, the session's further life, the hooks, the order to
    /// close. What the driver still reports of it is ignored.
    pub(super) fn end(&mut self, conn: ConnId, end: End, actions: &mut Actions) {
        // What became of messages before comes first.
        self.tell_hooks();
        let connection = self
            .state
            .connections
            .get_mut(conn)
            .expect("the caller looked it up");
        let phase = core::mem::replace(&mut connection.phase, Phase::Closing);
        let timer = connection.timer.take();
        self.state.cancel_timer(timer);
        let mut client_id: Option<Box<str>> = None;
        let (mut successor, mut discarded) = (None, None);
        let mut order = close_order(&end);
        match phase {
            Phase::Closing => return,
            // Nobody there understands what a broker could say.
            Phase::Opening(_) => {
                if matches!(end, End::Refused(_) | End::Drained) {
                    order = Some(Close::Abort);
                }
            }
            Phase::AwaitConnect | Phase::Authenticating => {}
            Phase::Asking(ticket) => {
                self.close_ticket(ticket);
            }
            Phase::Waiting { old, .. } => self.stop_waiting(conn, old),
            Phase::Live(live) => {
                if let Some(ticket) = live.held {
                    self.close_ticket(ticket);
                }
                successor = live.successor;
                self.say_why(conn, &live, &end, actions);
                client_id = Some(self.state.sessions.get(live.session).client_id.clone());
                discarded = self.leave(conn, &live, &end, actions);
                self.state.statistics.clients_disconnected += 1;
            }
        }
        if let Some(how) = order {
            actions.push(Action::Close { conn, how });
        }
        self.tell_of_end(conn, client_id.as_deref(), end);
        match discarded {
            // Who takes a session over that was not to outlive its connection begins anew.
            Some(number) => self.end_session(number, Some(conn), SessionEnd::Conflict, actions),
            None => self.keep_data(conn, client_id.as_deref()),
        }
        self.go_on_with(successor, actions);
    }

    fn tell_of_end(&mut self, conn: ConnId, client_id: Option<&str>, end: End) {
        if self.hooks.wants(HookSet::NOTICE) {
            self.ask_hooks(conn, |hooks, state, cx| {
                let link = state.link(conn);
                let notice = Notice::Ended {
                    conn,
                    link,
                    client_id,
                    end,
                };
                hooks.notice(&notice, cx);
            });
        }
    }

    /// What the program kept with a connection stays with its session, while that is away.
    fn keep_data(&mut self, conn: ConnId, client_id: Option<&str>) {
        let data = self.state.take_data(conn);
        let session = client_id.and_then(|client_id| self.state.sessions.find(client_id));
        if let Some(number) = session.filter(|_| !data.is_empty()) {
            self.state.sessions.get_mut(number).data = data;
        }
    }

    /// A 5.0 client reads in a DISCONNECT why the server ends its connection. [MQTT-4.13.1-1]
    fn say_why(&mut self, conn: ConnId, live: &Live, end: &End, actions: &mut Actions) {
        let Some(reason) = disconnect_reason(end) else {
            return;
        };
        let version = live.version;
        if version != Version::V5 {
            return;
        }
        let mut properties = PropertiesBuf::default();
        let text = match end {
            End::Malformed(_) | End::Refused(_) => Some(alloc::format!("{end}")),
            _ => None,
        };
        if let Some(text) = &text {
            // A reason that cannot be told is left out; the code says enough.
            let _ = properties.push(Property::ReasonString(text));
        }
        let packet_bytes_max = self.state.hot[live.session as usize].packet_bytes_max;
        let mut packet = Disconnect {
            reason,
            properties: properties.as_properties(),
        };
        // [MQTT-3.14.2-3]
        let fits = |packet: &Disconnect<'_>| {
            let len = ServerPacket::Disconnect(*packet).encoded_len(version);
            len.is_ok_and(|len| len <= packet_bytes_max as usize)
        };
        if !fits(&packet) {
            packet.properties = Properties::EMPTY;
        }
        if fits(&packet) {
            let packet = ServerPacket::Disconnect(packet);
            self.state.send_unaccounted(conn, version, &packet, actions);
        }
    }

    /// A session loses its connection. Returns it if it is to end after the connection.
    fn leave(
        &mut self,
        conn: ConnId,
        live: &Live,
        end: &End,
        actions: &mut Actions,
    ) -> Option<u32> {
        let (now, seconds_now) = (self.state.now, self.state.seconds());
        let number = live.session;
        self.state.detach(number, live.received);
        let session = self.state.sessions.get_mut(number);
        session.disconnected_s = Some(seconds_now);
        session.outbound.disconnected();
        session.outbound_aliases = None;
        session.inbound_aliases = aliases::Inbound::default();
        let timer = session.timer.take();
        let expiry_s = session.expiry_s;
        let will = session.will.take();
        self.state.cancel_timer(timer);
        // [MQTT-3.14.4-3]; 0x04 and errors leave the will in place.
        let will = match end {
            End::Disconnected(ReasonCode::NORMAL_DISCONNECTION) => None,
            _ => will,
        };
        if let Some(will) = will {
            self.schedule_will(number, will, expiry_s, matches!(end, End::Drained), actions);
        }
        if expiry_s == 0 {
            if matches!(end, End::TakenOver) {
                return Some(number);
            }
            self.end_session(number, Some(conn), SessionEnd::Normal, actions);
            return None;
        }
        self.state.orphan_queued(number);
        self.state.rehome(actions);
        if expiry_s != u32::MAX {
            let at = now + seconds(expiry_s);
            let timer = self.state.set_timer(at, Due::Expiry(number));
            self.state.sessions.get_mut(number).timer = Some(timer);
        }
        None
    }

    /// Publishes the will now, or when its delay has passed or the session ends, whichever comes first.
    /// [MQTT-3.1.2-8] [MQTT-3.1.3-9]
    fn schedule_will(
        &mut self,
        number: u32,
        will: Box<KeptWill>,
        expiry_s: u32,
        at_once: bool,
        actions: &mut Actions,
    ) {
        if at_once || will.delay_s == 0 || expiry_s == 0 {
            self.publish_will(number, &will, actions);
            return;
        }
        let at: Instant = self.state.now + seconds(will.delay_s);
        let timer = self.state.set_timer(at, Due::Will(number));
        let session = self.state.sessions.get_mut(number);
        session.will = Some(will);
        session.will_timer = Some(timer);
    }

    /// The will's time has come.
    pub(super) fn publish_will(&mut self, number: u32, will: &KeptWill, actions: &mut Actions) {
        let expires = will
            .expiry_s
            .map(|interval| self.state.now + seconds(interval));
        let mut message = (*will.message).clone();
        message.expire_at(expires);
        self.state
            .take_message(Some(number), &mut 0, permit::will(&message), actions);
    }

    /// A session is gone: its will comes first, then everything that belonged to it is freed. `conn` is the connection
    /// that it ends with, if it does.
    pub(super) fn end_session(
        &mut self,
        number: u32,
        conn: Option<ConnId>,
        why: SessionEnd,
        actions: &mut Actions,
    ) {
        let session = self.state.sessions.get_mut(number);
        if let Some(will) = session.will.take() {
            self.publish_will(number, &will, actions);
        }
        // A connection of the session that is still to end must not end it again.
        debug_assert!(
            !self.state.hot[number as usize].online,
            "the connection ends before the session"
        );
        let mut session = self.state.forget_session(number);
        let statistics = &mut self.state.statistics;
        *match why {
            SessionEnd::Normal => &mut statistics.sessions_ended,
            SessionEnd::Conflict => &mut statistics.sessions_discarded,
            SessionEnd::Expired => &mut statistics.sessions_expired,
        } += 1;
        self.state.rehome(actions);
        self.tell_hooks();
        self.tell_of_session_end(&mut session, conn, why);
    }
}

impl super::state::State {
    /// Frees a session and all that names it: subscriptions, timers, queue.
    fn forget_session(&mut self, number: u32) -> Box<crate::session::Session> {
        let mut session = self.sessions.remove(number);
        self.cancel_timer(session.timer.take());
        self.cancel_timer(session.will_timer.take());
        for filter in session.subscriptions.filters() {
            match TopicFilter::parse(filter) {
                Ok(filter) if filter.shared().is_some() => self.leave_group(filter, number),
                Ok(filter) => self.routes.unsubscribe(filter.path(), number),
                Err(error) => unreachable!("a subscription has a filter that {error}"),
            }
        }
        self.orphan_all(&mut session);
        let count = u32::try_from(session.subscriptions.len()).unwrap_or(u32::MAX);
        self.statistics.subscriptions_current -= count;
        self.statistics.messages_queued_current -= session.queue.len() as u64;
        self.statistics.queued_bytes_current -= session.queue.bytes();
        self.statistics.sessions_inactive_current -= 1;
        session
    }
}

/// How the driver closes; none if it reported the end itself.
fn close_order(end: &End) -> Option<Close> {
    match end {
        End::PeerClosed | End::Failed => None,
        End::Disconnected(_) => Some(Close::Flush),
        End::Malformed(_)
        | End::Faulted(_)
        | End::Refused(_)
        | End::ConnectRefused(_)
        | End::TakenOver
        | End::Closed(_)
        | End::Drained => Some(Close::Linger),
    }
}

/// The reason code of the DISCONNECT that tells a client of this end; none if there is nothing to say.
fn disconnect_reason(end: &End) -> Option<ReasonCode> {
    match end {
        End::Malformed(error) => Some(error.reason()),
        End::Refused(refusal) => Some(refusal.reason),
        End::TakenOver => Some(ReasonCode::SESSION_TAKEN_OVER),
        End::Closed(reason) => Some(*reason),
        End::Drained => Some(ReasonCode::SERVER_SHUTTING_DOWN),
        // After what the layer below said, nothing more may come.
        End::Faulted(_) => None,
        End::Disconnected(_) | End::PeerClosed | End::Failed | End::ConnectRefused(_) => None,
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}
