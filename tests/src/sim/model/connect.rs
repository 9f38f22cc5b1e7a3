//! From a network connection to a session. [MQTT 5.0, 3.1, 3.2]

use super::{
    Judged, Model, Phase,
    consult::Subject,
    matching::levels,
    publish::is_server_topic,
    session::{Session, Will, forwarded},
    violated,
};
use crate::sim::{
    policy::Heard,
    tally::Tally,
    wire::{Out, Turn},
};
use sanderling_core::{
    broker::Close,
    id::ConnId,
    packet::{Connect, PacketType, Version},
    reason::ReasonCode,
};
impl Model {
    pub(super) fn on_connect(
        &mut self,
        id: ConnId,
        connect: &Connect<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let max = connect.properties.maximum_packet_size().unwrap_or(u32::MAX);
        let conn = self.conn(id);
        conn.version = connect.version;
        conn.packet_bytes_max = max;
        conn.wants_no_reasons = connect.properties.request_problem_information() == Some(false);
        if let Some(reason) = self.fault_of(id, connect) {
            return self.refuse_connect(id, &[reason], turn, tally);
        }
        if self.has_no_room_for_connack(id, connect, turn) {
            tally.sometimes("a client without room for CONNACK");
            return self.refuse_connect(id, &[ReasonCode::PACKET_TOO_LARGE], turn, tally);
        }
        if connect.properties.authentication_method().is_some() {
            return self.begin_authentication(id, connect, turn, tally);
        }
        self.judge_connect(id, connect, 0, ReasonCode::SUCCESS, turn, tally)
    }

    /// Whether a CONNACK fits is seen from what is sent: one that says so, or nothing if not even that fits.
    pub(super) fn has_no_room_for_connack(
        &self,
        id: ConnId,
        connect: &Connect<'_>,
        turn: &Turn,
    ) -> bool {
        let max = connect.properties.maximum_packet_size().unwrap_or(u32::MAX);
        let is_told = match turn.peek(id) {
            Some(Out::ConnAck { reason, .. }) => *reason == ReasonCode::PACKET_TOO_LARGE,
            None => max < 5,
            Some(_) => false,
        };
        let is_closed = turn.closes.iter().any(|(closed, _)| *closed == id);
        is_told && is_closed && max < 120 + connect.client_id.len() as u32
    }

    /// What is wrong with a CONNECT whatever hooks say.
    fn fault_of(&self, id: ConnId, connect: &Connect<'_>) -> Option<ReasonCode> {
        let limits = &self.config.limits;
        let client_id = connect.client_id;
        let is_named = match connect.version {
            Version::V31 => (1..=23).contains(&client_id.chars().count()),
            // [MQTT-3.1.3-8]
            Version::V311 => !client_id.is_empty() || connect.clean_start,
            Version::V5 => true,
        };
        if !is_named || client_id.len() > usize::from(limits.client_id_bytes_max) {
            return Some(ReasonCode::CLIENT_IDENTIFIER_NOT_VALID);
        }
        let will = connect.will.as_ref().map(|will| will.topic.as_str());
        if will.is_some_and(|topic| levels(topic) > usize::from(limits.topic_levels_max)) {
            return Some(ReasonCode::TOPIC_NAME_INVALID);
        }
        let identity = self.conns[&id].link.identity.as_ref();
        let certified = identity.and_then(|identity| identity.username.as_deref());
        if !will.is_some_and(is_server_topic) && certified.is_some_and(|name| name.contains('\0')) {
            return Some(ReasonCode::BAD_USER_NAME_OR_PASSWORD);
        }
        let is_allowed = !will.is_some_and(is_server_topic) && self.is_known(id, connect);
        (!is_allowed).then_some(ReasonCode::NOT_AUTHORIZED)
    }

    /// Whether a client says who it is, in a way that is looked into, where it must.
    fn is_known(&self, id: ConnId, connect: &Connect<'_>) -> bool {
        let link = &self.conns[&id].link;
        let own = self.config.listener(link.listener);
        let identity = link.identity.as_ref();
        own.is_none_or(|own| own.anonymous)
            || identity.is_some_and(|identity| identity.username.is_some())
            || connect.properties.authentication_method().is_some()
            || (connect.username.is_some() && self.sets > 0)
    }

    /// All hook sets are asked; the highest refusal wins.
    pub(super) fn judge_connect(
        &mut self,
        id: ConnId,
        connect: &Connect<'_>,
        from: u16,
        mut worst: ReasonCode,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        use sanderling_core::hooks::Ruling;
        for hook in from..self.sets {
            match self.policy.connect(hook, connect) {
                Ruling::Permit => {}
                Ruling::Refuse(reason) => worst = worst.max(super::consult::refusal(reason)),
                Ruling::Ask => {
                    self.conn(id).phase = Phase::Asking;
                    tally.sometimes("a CONNECT in question");
                    let subject = Subject::Connect { worst };
                    return self.open_ticket(id, hook, subject, connect_bytes(connect), turn);
                }
            }
        }
        if worst == ReasonCode::SUCCESS {
            return self.succeed(id, connect, turn, tally);
        }
        tally.check("I43");
        let told = match connect.version {
            Version::V5 if !worst.is_error() => ReasonCode::from_connect_return_code(worst.0),
            // A CONNACK cannot say everything. [MQTT-3.2.2-8]
            Version::V5 if worst == ReasonCode::TOPIC_FILTER_INVALID => ReasonCode::NOT_AUTHORIZED,
            Version::V5 => worst,
            Version::V31 | Version::V311 => return self.refuse_connect(id, &[], turn, tally),
        };
        self.refuse_connect(id, &[told], turn, tally)
    }

    /// CONNACK with a reason, unless not even that fits, then close. [MQTT-3.2.2-7]
    pub(super) fn refuse_connect(
        &mut self,
        id: ConnId,
        reasons: &[ReasonCode],
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        tally.check("I27");
        tally.sometimes("a CONNECT is refused");
        let conn = self.conn(id);
        let (version, max) = (conn.version, conn.packet_bytes_max);
        conn.phase = Phase::Closing;
        match turn.take(id) {
            Some(Out::ConnAck {
                session_present: false,
                reason,
                ..
            }) => {
                let is_right = match version {
                    Version::V5 => reasons.contains(&reason),
                    Version::V31 | Version::V311 => reason != ReasonCode::SUCCESS,
                };
                if !is_right {
                    violated!(
                        "R02",
                        "CONNECT on {id} is refused with {reason}, not one of {reasons:?}"
                    );
                }
            }
            None if max < 5 => {}
            other => violated!(
                "R02",
                "a bad CONNECT on {id} is answered with {other:?}, not {reasons:?}"
            ),
        }
        match turn.take_close(id) {
            Some(Close::Flush | Close::Linger) => Ok(()),
            other => violated!("R02", "{id} is refused and then {other:?}"),
        }
    }

    pub(super) fn admit(
        &mut self,
        id: ConnId,
        connect: &Connect<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let assigned = match connect.client_id {
            "" => self.assigned_name(id, connect.version, turn)?,
            client_id => Some(client_id.to_owned()),
        };
        let exists = assigned
            .as_ref()
            .is_some_and(|client_id| self.sessions.contains_key(client_id));
        if !exists && self.sessions.len() >= self.config.limits.sessions_max as usize {
            tally.sometimes("a session too many");
            return self.refuse_connect(id, &[ReasonCode::QUOTA_EXCEEDED], turn, tally);
        }
        let Some(client_id) = assigned else {
            violated!("R01", "{id} without a name is not assigned one");
        };
        if connect.client_id.is_empty() && exists {
            violated!(
                "R01",
                "the assigned name {client_id:?} is in use [MQTT-3.2.2-16]"
            );
        }
        let resumes = self.make_room(&client_id, connect.clean_start, turn, tally)?;
        if !resumes {
            self.begin_session(&client_id, Session::new(connect.version), tally);
        }
        self.enter(id, &client_id, connect);
        self.expect_connack(id, connect, resumes, turn, tally)?;
        self.expect_releases(id, turn, tally)
    }

    /// The name that the broker gives a client without one. Hooks hear it; a 5.0 client is told. [MQTT-3.1.3-6]
    fn assigned_name(&self, id: ConnId, version: Version, turn: &Turn) -> Judged<Option<String>> {
        let heard = turn.heard.iter().find_map(|heard| match heard {
            Heard::Connected(name, _) => Some(name.clone()),
            _ => None,
        });
        if let (Some(Out::ConnAck { properties, .. }), Version::V5) = (turn.peek(id), version) {
            let told = properties.as_properties().assigned_client_identifier();
            if told != heard.as_deref() {
                violated!(
                    "R01",
                    "{id} is told that it is {told:?}, and hooks hear {heard:?}"
                );
            }
        }
        Ok(heard)
    }

    /// Ends the older connection and what a clean start discards. True if a session goes on.
    /// [MQTT-3.1.4-3] [MQTT-3.1.4-4]
    fn make_room(
        &mut self,
        client_id: &str,
        clean_start: bool,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged<bool> {
        let Some(session) = self.sessions.get(client_id) else {
            return Ok(false);
        };
        if let Some(older) = session.conn {
            tally.check("I26");
            let state = self.state_of(older);
            tally.fault("takeover", state);
            self.expect_goodbye(older, &[ReasonCode::SESSION_TAKEN_OVER], turn)?;
            self.leave(older, false, false, turn, tally)?;
        }
        if clean_start && self.sessions.contains_key(client_id) {
            tally.sometimes("a clean start discards a session");
            self.end_session(client_id, turn, tally)?;
        }
        Ok(self.sessions.contains_key(client_id))
    }

    fn enter(&mut self, id: ConnId, client_id: &str, connect: &Connect<'_>) {
        let receive_maximum = connect.properties.receive_maximum().unwrap_or(u16::MAX);
        let expiry_s = self.granted_expiry_s(connect);
        let inflight_max = self.conns[&id].limits.inflight_max;
        let inflight_max = inflight_max.min(receive_maximum).max(1);
        let now_ms = self.now_ms;
        let keep_alive_s = self.granted_keep_alive_s(id, connect);
        let aliases_max = self.config.limits.topic_aliases_to_client_max;
        let conn = self.conn(id);
        conn.phase = Phase::Live;
        // What was said before there was a session is no answer to anything.
        conn.answers = conn.answers_now;
        conn.client_id = client_id.to_owned();
        conn.receive_maximum = usize::from(receive_maximum);
        conn.asked_to_outlive = connect.properties.session_expiry_interval().unwrap_or(0) > 0;
        conn.alias_maximum = connect.properties.topic_alias_maximum().unwrap_or(0);
        conn.alias_maximum = conn.alias_maximum.min(aliases_max);
        conn.keep_alive_ms = (keep_alive_s > 0).then(|| u64::from(keep_alive_s) * 1500);
        conn.heard_ms = now_ms;
        let packet_bytes_max = conn.packet_bytes_max;
        let session = self.session(client_id);
        session.former = Some((session.version, session.packet_bytes_max));
        session.packet_bytes_max = packet_bytes_max;
        session.version = connect.version;
        session.conn = Some(id);
        session.expiry_s = (expiry_s != u32::MAX).then_some(expiry_s);
        session.ends = None;
        session.inflight_max = usize::from(inflight_max);
        // A will that waits is void: the client is back. [MQTT-3.1.3-9]
        session.will_due = None;
        session.will = connect.will.as_ref().map(|will| Will {
            topic: will.topic.as_str().to_owned(),
            payload: will.payload.into(),
            properties: forwarded(will.properties),
            qos: will.qos,
            retain: will.retain,
            delay_s: will.properties.will_delay_interval().unwrap_or(0),
            expiry_s: will.properties.message_expiry_interval(),
        });
    }

    /// The PUBRELs of an earlier connection go out again, in order. [MQTT-4.4.0-1] [MQTT-4.6.0-4]
    fn expect_releases(&mut self, id: ConnId, turn: &mut Turn, tally: &mut Tally) -> Judged {
        let now_ms = self.now_ms;
        for release in &mut self.session_of(id).releasing {
            release.is_sent_here = false;
            release.sent_ms = now_ms;
            match turn.take(id) {
                Some(Out::Ack {
                    packet: PacketType::PubRel,
                    packet_id,
                    reason: ReasonCode::SUCCESS,
                }) if packet_id == release.packet_id => {}
                other => violated!(
                    "I08",
                    "PUBREL {} is owed again, and {id} gets {other:?}",
                    release.packet_id
                ),
            }
            tally.check("I08");
        }
        Ok(())
    }
}

pub(super) fn connect_bytes(connect: &Connect<'_>) -> Vec<u8> {
    let packet = sanderling_core::packet::ClientPacket::Connect(Box::new(connect.clone()));
    crate::sim::packets::encode(&packet, connect.version)
}
