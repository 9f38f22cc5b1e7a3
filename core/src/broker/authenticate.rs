//! Enhanced authentication: AUTH goes to and fro until a hook is satisfied, before CONNACK or later again.
//! [MQTT 5.0, 4.12]

use super::{
    Actions, Broker, Flow,
    consult::{Open, SoFar},
    state::Due,
};
use crate::{
    codec,
    connection::Phase,
    hooks::{AuthRuling, AuthStage, AuthStep, End, HookSet, Refusal, Verdict},
    id::ConnId,
    packet::{Auth, ClientPacket, Connect, PropertiesBuf, Property, ServerPacket, Version},
    reason::ReasonCode,
};
use alloc::{boxed::Box, vec::Vec};
use bytes::Bytes;

const UNEXPECTED: Refusal = Refusal {
    reason: ReasonCode::PROTOCOL_ERROR,
    what: "AUTH without an authentication that is under way, or a second one beside it",
    rule: "MQTT 5.0, 4.12",
};

const OTHER_METHOD: Refusal = Refusal {
    reason: ReasonCode::PROTOCOL_ERROR,
    what: "AUTH with another authentication method than CONNECT",
    rule: "MQTT-4.12.0-5",
};

const NOT_AUTH: Refusal = Refusal {
    reason: ReasonCode::PROTOCOL_ERROR,
    what: "a packet other than AUTH or DISCONNECT before CONNACK",
    rule: "MQTT-3.1.2-30",
};

const TOO_MANY_STEPS: Refusal = Refusal {
    reason: ReasonCode::NOT_AUTHORIZED,
    what: "an authentication of more steps than this server takes",
    rule: "limit authentication_steps_max",
};

const AUTH_TOO_LARGE: Refusal = Refusal {
    reason: ReasonCode::PACKET_TOO_LARGE,
    what: "authentication data that the client's Maximum Packet Size has no room for",
    rule: "MQTT-3.1.2-24",
};

/// The enhanced authentication of one connection.
#[derive(Debug)]
pub(crate) struct Authentication {
    method: Box<str>,
    /// The client's Maximum Packet Size.
    packet_bytes_max: u32,
    /// The hook set that knows the method.
    hook: u16,
    /// The CONNECT; empty once it is authenticated.
    connect: Bytes,
    /// What the hook said last; goes into CONNACK.
    conclusion: Option<Vec<u8>>,
    /// Steps of this exchange.
    steps: u16,
    /// An AUTH of the client is awaited.
    is_open: bool,
}

impl Authentication {
    /// True until the CONNECT is authenticated.
    pub(super) fn is_first(&self) -> bool {
        !self.connect.is_empty()
    }
}

impl Broker {
    /// A CONNECT that names a method. It is judged like any other once a hook is satisfied.
    pub(super) fn begin_authentication(
        &mut self,
        conn: ConnId,
        method: &str,
        connect: &Connect<'_>,
        actions: &mut Actions,
    ) -> Flow {
        let step = AuthStep {
            conn,
            client_id: connect.client_id,
            username: connect.username,
            stage: AuthStage::Begin,
            method,
            data: connect.properties.authentication_data(),
        };
        let known = self.ask_hooks(conn, |hooks, state, cx| {
            let link = state.link(conn);
            hooks
                .wanting(HookSet::AUTHENTICATE, 0, link.listener)
                .map(|(number, hooks)| (number, hooks.authenticate(link, &step, cx)))
                .find(|(_, ruling)| *ruling != AuthRuling::UnknownMethod)
        });
        let Some((hook, ruling)) = known else {
            let reason = ReasonCode::BAD_AUTHENTICATION_METHOD;
            self.refuse_connect(conn, connect, reason, actions);
            return Flow::Continue;
        };
        let packet = ClientPacket::Connect(Box::new(connect.clone()));
        let authentication = Authentication {
            method: method.into(),
            packet_bytes_max: connect.properties.maximum_packet_size().unwrap_or(u32::MAX),
            hook,
            connect: encoded(&packet),
            conclusion: None,
            steps: 0,
            is_open: false,
        };
        if let Some(connection) = self.state.connections.get_mut(conn) {
            connection.authentication = Some(Box::new(authentication));
        }
        self.conclude_step(conn, &packet, ruling, actions)
    }

    /// AUTH: the next step, or the first one of a re-authentication.
    pub(super) fn on_auth(&mut self, conn: ConnId, auth: &Auth<'_>, actions: &mut Actions) -> Flow {
        let (hook, stage) = match self.state.auth_step(conn, auth) {
            Ok(step) => step,
            Err(refusal) => {
                self.refuse(conn, refusal, actions);
                return Flow::Continue;
            }
        };
        let (client_id, username) = self.state.identity(conn);
        let step = AuthStep {
            conn,
            client_id: &client_id,
            username: username.as_deref(),
            stage,
            method: auth.properties.authentication_method().unwrap_or_default(),
            data: auth.properties.authentication_data(),
        };
        let ruling = self.ask_hooks(conn, |hooks, state, cx| {
            let link = state.link(conn);
            let mut sets = hooks.wanting(HookSet::AUTHENTICATE, hook, link.listener);
            match sets.next() {
                Some((_, hooks)) => hooks.authenticate(link, &step, cx),
                None => AuthRuling::UnknownMethod,
            }
        });
        self.conclude_step(conn, &ClientPacket::Auth(*auth), ruling, actions)
    }

    /// Another packet while AUTH is awaited before CONNACK. [MQTT-3.1.2-30]
    pub(super) fn on_packet_while_authenticating(
        &mut self,
        conn: ConnId,
        packet: &ClientPacket<'_>,
        actions: &mut Actions,
    ) -> Flow {
        match packet {
            ClientPacket::Auth(auth) => return self.on_auth(conn, auth, actions),
            ClientPacket::Disconnect(bye) => self.end(conn, End::Disconnected(bye.reason), actions),
            _ => self.refuse(conn, NOT_AUTH, actions),
        }
        Flow::Continue
    }

    /// The late verdict on a step.
    pub(super) fn on_step_ruled(
        &mut self,
        open: &Open,
        packet: &ClientPacket<'_>,
        verdict: Verdict,
        actions: &mut Actions,
    ) {
        let ruling = match verdict {
            Verdict::Authenticate(ruling) => ruling,
            Verdict::Permit => AuthRuling::Succeed(None),
            Verdict::Refuse(reason) => AuthRuling::Refuse(reason),
            Verdict::Grant(_) | Verdict::Replace(_) => {
                AuthRuling::Refuse(ReasonCode::NOT_AUTHORIZED)
            }
        };
        if self.state.is_live(open.conn) {
            self.state.release(open.conn);
        } else {
            self.set_phase(open.conn, Phase::AwaitConnect);
        }
        // Held or not: `on_ruled` resumes reading only if not.
        let _ = self.conclude_step(open.conn, packet, ruling, actions);
    }

    fn conclude_step(
        &mut self,
        conn: ConnId,
        packet: &ClientPacket<'_>,
        ruling: AuthRuling,
        actions: &mut Actions,
    ) -> Flow {
        match ruling {
            AuthRuling::Continue(data) => self.continue_authentication(conn, &data, actions),
            AuthRuling::Succeed(data) => return self.authenticated(conn, data, actions),
            AuthRuling::Refuse(reason) => {
                self.refuse_authentication(conn, super::permit::refusal(reason), actions);
            }
            AuthRuling::UnknownMethod => {
                let reason = ReasonCode::BAD_AUTHENTICATION_METHOD;
                self.refuse_authentication(conn, reason, actions);
            }
            AuthRuling::Ask => {
                let hook = self.state.authentication(conn).hook;
                let ticket = self.ask(conn, Version::V5, packet, SoFar::at(hook), actions);
                if self.state.is_live(conn) {
                    self.state.live_mut(conn).held = Some(ticket);
                } else {
                    self.set_phase(conn, Phase::Asking(ticket));
                }
                return Flow::Hold;
            }
        }
        Flow::Continue
    }

    fn continue_authentication(&mut self, conn: ConnId, data: &[u8], actions: &mut Actions) {
        let steps_max = self.state.config.limits.authentication_steps_max;
        let authentication = self.state.authentication(conn);
        authentication.steps = authentication.steps.saturating_add(1);
        authentication.is_open = true;
        if authentication.steps > steps_max {
            self.refuse(conn, TOO_MANY_STEPS, actions);
            return;
        }
        let properties = authentication.properties(Some(data));
        let reason = ReasonCode::CONTINUE_AUTHENTICATION;
        if !self.send_auth(conn, reason, &properties, actions) || self.state.is_live(conn) {
            return;
        }
        // Each step has the time of a CONNECT.
        let at = self.state.now + self.state.limits(conn).connect_deadline;
        let timer = self.state.set_timer(at, Due::Connect(conn));
        if let Some(connection) = self.state.connections.get_mut(conn) {
            connection.phase = Phase::Authenticating;
            let former = connection.timer.replace(timer);
            self.state.cancel_timer(former);
        }
    }

    /// The hook is satisfied.
    fn authenticated(
        &mut self,
        conn: ConnId,
        data: Option<Vec<u8>>,
        actions: &mut Actions,
    ) -> Flow {
        let authentication = self.state.authentication(conn);
        authentication.is_open = false;
        authentication.steps = 0;
        if !authentication.is_first() {
            let properties = authentication.properties(data.as_deref());
            self.send_auth(conn, ReasonCode::SUCCESS, &properties, actions);
            return Flow::Continue;
        }
        authentication.conclusion = data;
        let packet = core::mem::take(&mut authentication.connect);
        self.set_phase(conn, Phase::AwaitConnect);
        let ClientPacket::Connect(connect) = codec::decode_again(&packet, Version::V5) else {
            unreachable!("an authentication begins with CONNECT");
        };
        // What the hook said last makes CONNACK longer.
        if let Err(reason) = self.check_connack(conn, &connect) {
            self.refuse_connect(conn, &connect, reason, actions);
            return Flow::Continue;
        }
        self.judge_connect(conn, &connect, 0, ReasonCode::SUCCESS, actions)
    }

    fn refuse_authentication(&mut self, conn: ConnId, reason: ReasonCode, actions: &mut Actions) {
        let authentication = self.state.authentication(conn);
        if !authentication.is_first() {
            // What only a CONNACK may say is said more plainly. [MQTT-3.14.2-1]
            let reason = match reason.0 {
                0x80..=0x83 | 0x87 | 0x89 | 0x95 | 0x97 | 0x99..=0xA2 => reason,
                _ => ReasonCode::NOT_AUTHORIZED,
            };
            let what = "the client failed to authenticate again";
            let rule = "MQTT 5.0, 4.12.1";
            self.refuse(conn, Refusal { reason, what, rule }, actions);
            return;
        }
        let packet = core::mem::take(&mut authentication.connect);
        if let ClientPacket::Connect(connect) = codec::decode_again(&packet, Version::V5) {
            self.refuse_connect(conn, &connect, reason, actions);
        }
    }

    /// Sends an AUTH. False if it is larger than the client takes; then the connection has ended.
    fn send_auth(
        &mut self,
        conn: ConnId,
        reason: ReasonCode,
        properties: &PropertiesBuf,
        actions: &mut Actions,
    ) -> bool {
        let properties = properties.as_properties();
        let packet = ServerPacket::Auth(Auth { reason, properties });
        let max = self.state.authentication(conn).packet_bytes_max as usize;
        if packet.encoded_len(Version::V5).is_ok_and(|len| len > max) {
            if self.state.authentication(conn).is_first() {
                self.refuse_authentication(conn, ReasonCode::PACKET_TOO_LARGE, actions);
            } else {
                self.refuse(conn, AUTH_TOO_LARGE, actions);
            }
            return false;
        }
        if self.state.is_live(conn) {
            self.state.send(conn, &packet, actions);
            return true;
        }
        let bytes = self
            .state
            .send_unaccounted(conn, Version::V5, &packet, actions);
        if let Some(connection) = self.state.connections.get_mut(conn) {
            connection.outbound_bytes = connection.outbound_bytes.saturating_add(bytes);
        }
        true
    }
}

impl super::state::State {
    /// True from a CONNECT with a method to the end of the exchange.
    pub(super) fn is_authenticating(&self, conn: ConnId) -> bool {
        let connection = self.connections.get(conn);
        let authentication = connection.and_then(|one| one.authentication.as_deref());
        authentication.is_some_and(Authentication::is_first)
    }

    fn authentication(&mut self, conn: ConnId) -> &mut Authentication {
        let connection = self.connections.get_mut(conn);
        connection
            .and_then(|connection| connection.authentication.as_deref_mut())
            .expect("the flow was given a connection that authenticates")
    }

    /// The hook set to ask about an AUTH, and what the AUTH is.
    fn auth_step(&mut self, conn: ConnId, auth: &Auth<'_>) -> Result<(u16, AuthStage), Refusal> {
        let connection = self.connections.get_mut(conn);
        let authentication = connection
            .and_then(|connection| connection.authentication.as_deref_mut())
            .ok_or(super::UNEXPECTED_AUTH)?;
        if auth.properties.authentication_method() != Some(&*authentication.method) {
            return Err(OTHER_METHOD);
        }
        let stage = match auth.reason {
            ReasonCode::CONTINUE_AUTHENTICATION if authentication.is_open => AuthStage::Continue,
            ReasonCode::RE_AUTHENTICATE
                if !authentication.is_open && !authentication.is_first() =>
            {
                AuthStage::Again
            }
            _ => return Err(UNEXPECTED),
        };
        authentication.is_open = false;
        Ok((authentication.hook, stage))
    }

    /// Client identifier and user name, of the session or of the CONNECT.
    pub(super) fn identity(&self, conn: ConnId) -> (Box<str>, Option<Box<str>>) {
        if self.is_live(conn) {
            let client = self.client(conn);
            return (client.client_id.into(), client.username.map(Into::into));
        }
        let connection = self.connections.get(conn);
        let connect = connection
            .and_then(|connection| connection.authentication.as_deref())
            .map(|authentication| codec::decode_again(&authentication.connect, Version::V5));
        match connect {
            Some(ClientPacket::Connect(connect)) => {
                (connect.client_id.into(), connect.username.map(Into::into))
            }
            _ => unreachable!("an authentication begins with CONNECT"),
        }
    }

    /// What CONNACK says of the authentication. [MQTT 5.0, 3.2.2.3.17 and 3.2.2.3.18]
    pub(super) fn conclusion(&self, conn: ConnId) -> Option<(&str, Option<&[u8]>)> {
        let authentication = self.connections.get(conn)?.authentication.as_deref()?;
        Some((&authentication.method, authentication.conclusion.as_deref()))
    }
}

impl Authentication {
    fn properties(&self, data: Option<&[u8]>) -> PropertiesBuf {
        let mut properties = PropertiesBuf::default();
        let told = properties.push(Property::AuthenticationMethod(&self.method));
        debug_assert!(told.is_ok(), "the client could tell it");
        if let Some(data) = data {
            // A hook's data of more than 65,535 bytes cannot be told; the client fails then.
            let _ = properties.push(Property::AuthenticationData(data));
        }
        properties
    }
}

fn encoded(packet: &ClientPacket<'_>) -> Bytes {
    let mut bytes = Vec::new();
    packet
        .encode(Version::V5, &mut bytes)
        .expect("a decoded packet can be encoded again");
    bytes.into()
}
