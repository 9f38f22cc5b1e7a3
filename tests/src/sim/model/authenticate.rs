//! Enhanced authentication: AUTH goes to and fro before CONNACK, or later again. [MQTT 5.0, 4.12]

use super::{Judged, Model, Phase, consult::Subject, violated};
use crate::sim::{
    packets,
    policy::METHOD,
    tally::Tally,
    wire::{Out, Turn},
};
use sanderling_core::{
    broker::Close,
    codec::decode_again,
    hooks::{AuthRuling, Verdict},
    id::ConnId,
    packet::{Auth, ClientPacket, Connect, Version},
    reason::ReasonCode,
};

/// The enhanced authentication of one connection.
#[derive(Clone, Debug)]
pub(super) struct Authentication {
    /// The CONNECT, until it is authenticated.
    connect: Option<Vec<u8>>,
    /// Steps of this exchange.
    steps: u16,
    /// An AUTH of the client is awaited.
    is_open: bool,
    /// What the hook said last; goes into CONNACK.
    pub(super) conclusion: Option<Vec<u8>>,
}

impl Model {
    /// A CONNECT that names a method. If a hook knows it, it is judged like any other once the hook is satisfied.
    pub(super) fn begin_authentication(
        &mut self,
        id: ConnId,
        connect: &Connect<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let method = connect.properties.authentication_method();
        let data = connect.properties.authentication_data();
        let ruling = self.policy.authenticate(method.unwrap_or_default(), data);
        if ruling == AuthRuling::UnknownMethod {
            tally.sometimes("a method of authentication that nobody knows");
            return self.refuse_connect(id, &[ReasonCode::BAD_AUTHENTICATION_METHOD], turn, tally);
        }
        let bytes = super::connect::connect_bytes(connect);
        self.conn(id).authentication = Some(Authentication {
            connect: Some(bytes.clone()),
            steps: 0,
            is_open: false,
            conclusion: None,
        });
        self.conclude_step(id, bytes, ruling, turn, tally)
    }

    /// AUTH: the next step, or the first one of a re-authentication. [MQTT-4.12.0-5]
    pub(super) fn on_auth(
        &mut self,
        id: ConnId,
        auth: &Auth<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let method = auth.properties.authentication_method();
        let conn = self.conn(id);
        let authentication = conn.authentication.as_mut();
        let is_in_turn = authentication.is_some_and(|authentication| {
            let is_first = authentication.connect.is_some();
            let is_in_turn = match auth.reason {
                ReasonCode::CONTINUE_AUTHENTICATION => authentication.is_open,
                _ => !authentication.is_open && !is_first,
            };
            authentication.is_open &= !(is_in_turn && method == Some(METHOD));
            is_in_turn
        });
        if !is_in_turn || method != Some(METHOD) {
            tally.sometimes("an AUTH out of turn");
            return self.break_off(id, &[ReasonCode::PROTOCOL_ERROR], turn, tally);
        }
        let data = auth.properties.authentication_data();
        let ruling = self.policy.authenticate(METHOD, data);
        let bytes = packets::encode(&ClientPacket::Auth(*auth), Version::V5);
        self.conclude_step(id, bytes, ruling, turn, tally)
    }

    /// Another packet while AUTH is awaited before CONNACK. [MQTT-3.1.2-30]
    pub(super) fn on_packet_while_authenticating(
        &mut self,
        id: ConnId,
        packet: &ClientPacket<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        match packet {
            ClientPacket::Auth(auth) => self.on_auth(id, auth, turn, tally),
            _ => {
                tally.sometimes("something else while AUTH is awaited");
                self.break_off(id, &[ReasonCode::PROTOCOL_ERROR], turn, tally)
            }
        }
    }

    /// The verdict on a step.
    pub(super) fn rule_on_step(
        &mut self,
        id: ConnId,
        packet: Vec<u8>,
        verdict: Verdict,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let ruling = match verdict {
            Verdict::Authenticate(ruling) => ruling,
            Verdict::Permit => AuthRuling::Succeed(None),
            Verdict::Refuse(reason) => AuthRuling::Refuse(reason),
            Verdict::Grant(_) | Verdict::Replace(_) => {
                AuthRuling::Refuse(ReasonCode::NOT_AUTHORIZED)
            }
        };
        self.conclude_step(id, packet, ruling, turn, tally)
    }

    fn conclude_step(
        &mut self,
        id: ConnId,
        packet: Vec<u8>,
        ruling: AuthRuling,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        tally.check("R06");
        match ruling {
            AuthRuling::Continue(data) => self.continue_authentication(id, &data, turn, tally),
            AuthRuling::Succeed(data) => self.authenticated(id, data, turn, tally),
            AuthRuling::Refuse(reason) => {
                self.fail(id, super::consult::refusal(reason), turn, tally)
            }
            AuthRuling::UnknownMethod => {
                self.fail(id, ReasonCode::BAD_AUTHENTICATION_METHOD, turn, tally)
            }
            AuthRuling::Ask => {
                tally.sometimes("a step of an authentication in question");
                if self.conn(id).phase != Phase::Live {
                    self.conn(id).phase = Phase::Asking;
                }
                self.open_ticket(id, 0, Subject::Step, packet, turn)
            }
        }
    }

    fn continue_authentication(
        &mut self,
        id: ConnId,
        data: &[u8],
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let steps_max = self.config.limits.authentication_steps_max;
        let authentication = self.authentication(id);
        authentication.steps += 1;
        authentication.is_open = true;
        if authentication.steps > steps_max {
            tally.check("I21");
            tally.sometimes("an authentication of too many steps");
            return self.break_off(id, &[ReasonCode::NOT_AUTHORIZED], turn, tally);
        }
        if !self.expect_auth(id, ReasonCode::CONTINUE_AUTHENTICATION, Some(data), turn)? {
            return self.fail(id, ReasonCode::PACKET_TOO_LARGE, turn, tally);
        }
        if self.conn(id).phase != Phase::Live {
            // Each step has the time of a CONNECT.
            let deadline = self.deadline_in(self.conns[&id].limits.connect_deadline);
            let conn = self.conn(id);
            conn.phase = Phase::Authenticating;
            conn.connect_by = deadline;
            conn.is_connect_late = false;
        }
        Ok(())
    }

    /// The hook is satisfied.
    fn authenticated(
        &mut self,
        id: ConnId,
        data: Option<Vec<u8>>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let authentication = self.authentication(id);
        authentication.is_open = false;
        authentication.steps = 0;
        let Some(packet) = authentication.connect.take() else {
            tally.sometimes("a client authenticates again");
            return match self.expect_auth(id, ReasonCode::SUCCESS, data.as_deref(), turn)? {
                true => Ok(()),
                false => self.fail(id, ReasonCode::PACKET_TOO_LARGE, turn, tally),
            };
        };
        authentication.conclusion = data;
        tally.sometimes("a client is authenticated");
        self.conn(id).phase = Phase::AwaitConnect;
        let packet = packet.into();
        let ClientPacket::Connect(connect) = decode_again(&packet, Version::V5) else {
            violated!("R06", "{id} authenticates without CONNECT");
        };
        // What the hook said last makes CONNACK longer.
        if self.has_no_room_for_connack(id, &connect, turn) {
            return self.refuse_connect(id, &[ReasonCode::PACKET_TOO_LARGE], turn, tally);
        }
        self.judge_connect(id, &connect, 0, ReasonCode::SUCCESS, turn, tally)
    }

    /// The hook is not satisfied: CONNACK or DISCONNECT says so. [MQTT-4.12.0-4] [MQTT-4.12.1-2]
    fn fail(
        &mut self,
        id: ConnId,
        reason: ReasonCode,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        tally.sometimes("an authentication fails");
        if self.authentication(id).connect.take().is_none() {
            // A DISCONNECT cannot say everything. [MQTT-3.14.2-1]
            let told = match reason {
                ReasonCode::BAD_AUTHENTICATION_METHOD | ReasonCode::BAD_USER_NAME_OR_PASSWORD => {
                    ReasonCode::NOT_AUTHORIZED
                }
                reason => reason,
            };
            return self.refuse(id, &[told], turn, tally);
        }
        self.refuse_connect(id, &[reason], turn, tally)
    }

    /// A rule was broken: before CONNACK nothing is said.
    fn break_off(
        &mut self,
        id: ConnId,
        reasons: &[ReasonCode],
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        if self.conn(id).phase == Phase::Live {
            return self.refuse(id, reasons, turn, tally);
        }
        tally.check("R02");
        self.conn(id).phase = Phase::Closing;
        match turn.take_close(id) {
            Some(Close::Flush | Close::Linger) => Ok(()),
            other => violated!("R02", "{id} breaks off its authentication, but {other:?}"),
        }
    }

    /// AUTH with this reason and data; false if it is too large for the client. [MQTT-3.1.2-24]
    fn expect_auth(
        &mut self,
        id: ConnId,
        expected: ReasonCode,
        data: Option<&[u8]>,
        turn: &mut Turn,
    ) -> Judged<bool> {
        let max = self.conn(id).packet_bytes_max;
        match turn.peek(id) {
            Some(Out::Auth { reason, properties }) => {
                let told = properties.as_properties();
                let is_right = *reason == expected
                    && told.authentication_method() == Some(METHOD)
                    && told.authentication_data() == data;
                if !is_right {
                    violated!(
                        "R06",
                        "{id} gets AUTH {reason} {told:?}, not {expected} {data:?}"
                    );
                }
                turn.take(id);
                Ok(true)
            }
            _ if max < 40 => Ok(false),
            other => violated!("R06", "{id} is to get AUTH {expected} and gets {other:?}"),
        }
    }

    fn authentication(&mut self, id: ConnId) -> &mut Authentication {
        let authentication = self.conn(id).authentication.as_mut();
        authentication.expect("it authenticates")
    }
}
