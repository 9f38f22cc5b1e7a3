//! CONNECT: from a network connection to a session. [MQTT 5.0, 3.1 and 3.2]
//!
//! Nothing has an effect before the CONNECT is permitted: no session is touched, no client disconnected, no will kept.

use super::{
    Actions, Broker, Flow,
    consult::{self, Open, SoFar},
    form::PACKET_BYTES_MAX,
    permit::{self, Judged},
    state::{Due, State},
    tell::tell,
};
use crate::{
    connection::{Live, Phase},
    hooks::{ClientData, End, HookSet, Notice, Refusal, SessionEnd, Verdict},
    id::ConnId,
    message::{self, Incoming, Payload},
    packet::{ClientPacket, ConnAck, Connect, Properties, ServerPacket, Version, Will},
    reason::ReasonCode,
    session::{KeptWill, aliases},
    shared::GROUP,
    topic,
};
use alloc::{boxed::Box, vec::Vec};
use bytes::Bytes;
use core::time::Duration;

const NOT_CONNECT_FIRST: Refusal = Refusal {
    reason: ReasonCode::PROTOCOL_ERROR,
    what: "the first packet is not CONNECT",
    rule: "MQTT-3.1.0-1",
};

impl Broker {
    /// A packet on a connection that has no session.
    pub(super) fn on_early_packet(
        &mut self,
        conn: ConnId,
        packet: ClientPacket<'_>,
        actions: &mut Actions,
    ) -> Flow {
        let connection = self
            .state
            .connections
            .get(conn)
            .expect("the caller looked it up");
        match (&connection.phase, packet) {
            (Phase::Closing, _) => Flow::Continue,
            (Phase::AwaitConnect, ClientPacket::Connect(connect)) => {
                self.on_connect(conn, &connect, actions)
            }
            (Phase::Authenticating, packet) => {
                self.on_packet_while_authenticating(conn, &packet, actions)
            }
            (Phase::AwaitConnect, _) => {
                self.refuse(conn, NOT_CONNECT_FIRST, actions);
                Flow::Continue
            }
            (Phase::Asking(_) | Phase::Waiting { .. } | Phase::Live(_), _) => {
                panic!("a packet of connection {conn}, which is held")
            }
            (Phase::Opening(stage), _) => {
                panic!("contract: a packet of connection {conn}, which is at {stage:?}")
            }
        }
    }

    fn on_connect(&mut self, conn: ConnId, connect: &Connect<'_>, actions: &mut Actions) -> Flow {
        if let Some(connection) = self.state.connections.get_mut(conn) {
            connection.since = self.state.now;
        }
        let identity = self.state.link(conn).identity.clone();
        match identity.as_ref().and_then(|one| one.username.as_deref()) {
            // A certificate says more than what the client says of itself.
            Some(username) => {
                let connect = Connect {
                    username: Some(username),
                    ..connect.clone()
                };
                self.on_named_connect(conn, &connect, actions)
            }
            None => self.on_named_connect(conn, connect, actions),
        }
    }

    fn on_named_connect(
        &mut self,
        conn: ConnId,
        connect: &Connect<'_>,
        actions: &mut Actions,
    ) -> Flow {
        if let Err(reason) = self.check_connect(conn, connect) {
            self.refuse_connect(conn, connect, reason, actions);
            return Flow::Continue;
        }
        if let Some(method) = connect.properties.authentication_method() {
            return self.begin_authentication(conn, method, connect, actions);
        }
        self.judge_connect(conn, connect, 0, ReasonCode::SUCCESS, actions)
    }

    /// What the standard and the limits say, before any hook is asked.
    fn check_connect(&self, conn: ConnId, connect: &Connect<'_>) -> Result<(), ReasonCode> {
        let limits = self.state.limits(conn);
        let id = connect.client_id;
        let id_is_legal = match connect.version {
            Version::V31 => (1..=23).contains(&id.chars().count()),
            // [MQTT-3.1.3-8]
            Version::V311 => !id.is_empty() || connect.clean_start,
            Version::V5 => true,
        };
        if !id_is_legal || id.len() > usize::from(limits.client_id_bytes_max) {
            return Err(ReasonCode::CLIENT_IDENTIFIER_NOT_VALID);
        }
        if let Some(will) = &connect.will {
            let topic = will.topic.as_str();
            if topic::deeper_than(topic, usize::from(limits.topic_levels_max)) {
                return Err(ReasonCode::TOPIC_NAME_INVALID);
            }
            if topic::is_server_topic(topic) {
                return Err(ReasonCode::NOT_AUTHORIZED);
            }
        }
        // One that a certificate gives need not be a string of MQTT, and must not be cut short. [MQTT-1.5.4-2]
        if connect.username.is_some_and(|name| !is_string(name)) {
            return Err(ReasonCode::BAD_USER_NAME_OR_PASSWORD);
        }
        if !self.is_known(conn, connect) {
            return Err(ReasonCode::NOT_AUTHORIZED);
        }
        self.check_connack(conn, connect)
    }

    /// False for a client that does not say who it is, or says what nobody would look into, where that is not enough.
    fn is_known(&self, conn: ConnId, connect: &Connect<'_>) -> bool {
        let link = self.state.link(conn);
        let own = self.state.config.listener(link.listener);
        if own.is_none_or(|own| own.anonymous) {
            return true;
        }
        let has_certificate = link
            .identity
            .as_ref()
            .is_some_and(|one| one.username.is_some());
        // A hook that knows the method is asked next.
        let proves_itself = connect.properties.authentication_method().is_some();
        let is_looked_into =
            connect.username.is_some() && self.hooks.wants_of(HookSet::CONNECT, link.listener);
        has_certificate || proves_itself || is_looked_into
    }

    pub(super) fn judge_connect(
        &mut self,
        conn: ConnId,
        connect: &Connect<'_>,
        from: u16,
        worst: ReasonCode,
        actions: &mut Actions,
    ) -> Flow {
        let judged = self.ask_hooks(conn, |hooks, state, cx| {
            permit::connect(hooks, from, worst, state.link(conn), connect, cx)
        });
        match judged {
            (Judged::Permitted, _) => return self.succeed(conn, connect, actions),
            (Judged::Refused(reason), _) => {
                self.refuse_connect(conn, connect, reason, actions);
            }
            (Judged::Asked(hook), worst) => {
                let so_far = SoFar {
                    worst,
                    ..SoFar::at(hook)
                };
                let packet = ClientPacket::Connect(Box::new(connect.clone()));
                let ticket = self.ask(conn, connect.version, &packet, so_far, actions);
                self.set_phase(conn, Phase::Asking(ticket));
                return Flow::Hold;
            }
        }
        Flow::Continue
    }

    /// The verdict on a CONNECT: the rest of the chain is asked, whatever it says.
    pub(super) fn on_connect_ruled(
        &mut self,
        open: &Open,
        connect: &Connect<'_>,
        verdict: Verdict,
        actions: &mut Actions,
    ) {
        let worst = match consult::judged(verdict) {
            Judged::Refused(reason) => open.worst.max(reason),
            Judged::Permitted | Judged::Asked(_) => open.worst,
        };
        self.set_phase(open.conn, Phase::AwaitConnect);
        // Held or not: the caller resumes reading only if nobody asks again.
        let _ = self.judge_connect(open.conn, connect, open.next_hook(), worst, actions);
    }

    /// A CONNECT is refused: CONNACK with the reason, then close. [MQTT-3.2.2-7]
    pub(super) fn refuse_connect(
        &mut self,
        conn: ConnId,
        connect: &Connect<'_>,
        reason: ReasonCode,
        actions: &mut Actions,
    ) {
        let version = connect.version;
        let reason = match version {
            Version::V5 if !reason.is_error() => ReasonCode::from_connect_return_code(reason.0),
            Version::V5 => connect_refusal(reason),
            Version::V31 | Version::V311 => reason,
        };
        let took = self.state.in_question(conn);
        self.state.statistics.refused(reason, took);
        let connack = ConnAck {
            session_present: false,
            reason,
            properties: Properties::EMPTY,
        };
        let packet = ServerPacket::ConnAck(connack);
        let max = connect.properties.maximum_packet_size().unwrap_or(u32::MAX);
        if packet
            .encoded_len(version)
            .is_ok_and(|len| len <= max as usize)
        {
            self.state.send_unaccounted(conn, version, &packet, actions);
        }
        self.end(conn, End::ConnectRefused(reason), actions);
    }

    /// The CONNECT is permitted: from here on it has effects.
    pub(super) fn admit(&mut self, conn: ConnId, connect: &Connect<'_>, actions: &mut Actions) {
        let assigned = connect
            .client_id
            .is_empty()
            .then(|| self.assign_client_id(conn));
        let client_id = assigned.as_deref().unwrap_or(connect.client_id);
        let found = self.state.sessions.find(client_id);
        let sessions_max = self.state.config.limits.sessions_max.min(GROUP) as usize;
        if found.is_none() && self.state.sessions.len() >= sessions_max {
            self.refuse_connect(conn, connect, ReasonCode::QUOTA_EXCEEDED, actions);
            return;
        }
        self.tell_hooks();
        if let Some(number) = found {
            self.take_over(number, connect.clean_start, actions);
        }
        let resumed = self.state.sessions.find(client_id);
        let number = match resumed {
            Some(number) => number,
            None => self.state.begin_session(client_id, connect.version),
        };
        self.enter(conn, number, connect);
        let present = resumed.is_some();
        self.acknowledge_connect(conn, connect, present, assigned.as_deref(), actions);
        let took = self.state.in_question(conn);
        self.state.statistics.accepted(took);
        tell!(self, conn, |client| Notice::Connected {
            client,
            session_present: present,
        });
        self.state.resume(number, actions);
        self.tell_hooks();
        tell!(self, conn, |client| match present {
            true => Notice::SessionResumed { client },
            false => Notice::SessionCreated { client },
        });
    }

    /// Ends the connection that uses the session now, and the session itself if it is not to go on. [MQTT-3.1.4-3]
    fn take_over(&mut self, number: u32, clean_start: bool, actions: &mut Actions) {
        let hot = self.state.hot[number as usize];
        let client_id = self.state.sessions.get(number).client_id.clone();
        if hot.online {
            self.end(hot.conn, End::TakenOver, actions);
        }
        if clean_start && self.state.sessions.find(&client_id) == Some(number) {
            self.end_session(number, None, SessionEnd::Conflict, actions);
        }
    }

    /// Ties connection and session together, and keeps what the CONNECT says.
    fn enter(&mut self, conn: ConnId, number: u32, connect: &Connect<'_>) {
        let (now, seconds) = (self.state.now, self.state.seconds());
        let keep_alive_s = self.keep_alive_s(conn, connect);
        let kept_connect = self.state.config.keep_connects.then(|| encoded(connect));
        let asked = connect.properties.maximum_packet_size();
        let packet_bytes_max = asked.unwrap_or(PACKET_BYTES_MAX).min(PACKET_BYTES_MAX);
        let expiry_s = self.granted_expiry_s(connect);
        let limits = self.state.limits(conn);
        let receive_maximum = connect.properties.receive_maximum().unwrap_or(u16::MAX);
        let inflight_max = limits.inflight_max.min(receive_maximum).max(1);
        let aliases_max = connect.properties.topic_alias_maximum().unwrap_or(0);
        let aliases_max = aliases_max.min(limits.topic_aliases_to_client_max);
        let session = self.state.sessions.get_mut(number);
        session.version = connect.version;
        session.clean_start = connect.clean_start;
        session.keep_alive_s = keep_alive_s;
        session.connected_s = Some(seconds);
        session.disconnected_s = None;
        session.connect = kept_connect;
        session.data = ClientData::default();
        session.username = connect.username.map(Into::into);
        session.expiry_s = expiry_s;
        session.inflight_max = inflight_max;
        session.inbound_aliases = aliases::Inbound::default();
        session.outbound_aliases =
            (aliases_max > 0).then(|| aliases::Outbound::new(aliases_max).into());
        session.will = connect.will.as_ref().map(|will| Box::new(keep_will(will)));
        let timers = [session.timer.take(), session.will_timer.take()];
        for timer in timers {
            self.state.cancel_timer(timer);
        }
        self.state.attach(number, conn, packet_bytes_max);
        self.state.carry_account(number, conn);
        let silence_max_ms = u32::from(keep_alive_s) * 1500;
        let version = connect.version;
        let live = Live {
            session: number,
            version,
            silence_max_ms,
            last_received: now,
            route: 0,
            received: [0; 3],
            asked_to_outlive: connect.properties.session_expiry_interval().unwrap_or(0) > 0,
            held: None,
            throttled: false,
            successor: None,
        };
        self.set_phase(conn, Phase::Live(live));
        let timer = (silence_max_ms > 0).then(|| {
            let at = now + Duration::from_millis(u64::from(silence_max_ms));
            self.state.set_timer(at, Due::KeepAlive(conn))
        });
        if let Some(connection) = self.state.connections.get_mut(conn) {
            let connect_deadline = core::mem::replace(&mut connection.timer, timer);
            self.state.cancel_timer(connect_deadline);
        }
        if let Some(every) = self.state.config.retry_interval
            && version != Version::V5
        {
            let timer = self.state.set_timer(now + every, Due::Retry(number));
            self.state.sessions.get_mut(number).timer = Some(timer);
        }
    }

    /// The keep alive that holds: what the client asks for, up to our cap where it can be told. [MQTT-3.1.2-21]
    pub(super) fn keep_alive_s(&self, conn: ConnId, connect: &Connect<'_>) -> u16 {
        let config = &self.state.config;
        let own = config.listener(self.state.link(conn).listener);
        let own_max = own.and_then(|own| own.limits.keep_alive_max_s);
        let max = own_max.unwrap_or(config.keep_alive_max_s);
        let asked = connect.keep_alive_s;
        let is_told = connect.version == Version::V5 && max > 0;
        if is_told && (asked == 0 || asked > max) {
            max
        } else {
            asked
        }
    }

    /// How long the session outlives its connections: what the client asks for, up to our cap. [MQTT 5.0, 3.1.2.11.2]
    pub(super) fn granted_expiry_s(&self, connect: &Connect<'_>) -> u32 {
        let asked = match connect.version {
            Version::V5 => connect.properties.session_expiry_interval().unwrap_or(0),
            Version::V31 | Version::V311 if connect.clean_start => 0,
            Version::V31 | Version::V311 => u32::MAX,
        };
        asked.min(self.state.config.session_expiry_max_s)
    }

    pub(super) fn set_phase(&mut self, conn: ConnId, phase: Phase) {
        if let Some(connection) = self.state.connections.get_mut(conn) {
            connection.phase = phase;
        }
    }
}

/// The codes that a CONNACK may carry. [MQTT-3.2.2-8]
fn connect_refusal(reason: ReasonCode) -> ReasonCode {
    match reason.0 {
        0x80..=0x8A | 0x8C | 0x90 | 0x95 | 0x97 | 0x99..=0x9D | 0x9F => reason,
        _ => ReasonCode::NOT_AUTHORIZED,
    }
}

/// Whether a CONNECT can carry a text.
fn is_string(text: &str) -> bool {
    text.len() <= usize::from(u16::MAX) && !text.contains('\0')
}

impl State {
    /// How long ago the CONNECT came.
    fn in_question(&self, conn: ConnId) -> Duration {
        let connection = self.connections.get(conn);
        connection.map_or(Duration::ZERO, |one| self.now.saturating_since(one.since))
    }
}

fn keep_will(will: &Will<'_>) -> KeptWill {
    KeptWill {
        message: Incoming {
            topic: will.topic.as_str(),
            payload: Payload::Borrowed(will.payload),
            properties: message::forwardable(will.properties),
            qos: will.qos,
            retain: will.retain,
            expires: None,
        }
        .keep(),
        expiry_s: will.properties.message_expiry_interval(),
        delay_s: will.properties.will_delay_interval().unwrap_or(0),
    }
}

/// A CONNECT, to be read again later.
fn encoded(connect: &Connect<'_>) -> Box<Bytes> {
    let mut packet = Vec::new();
    ClientPacket::Connect(Box::new(connect.clone()))
        .encode(connect.version, &mut packet)
        .expect("a decoded packet can be encoded again");
    Box::new(packet.into())
}
