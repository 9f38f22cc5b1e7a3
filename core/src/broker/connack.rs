//! CONNACK: what a client is told of its session and of our bounds. [MQTT 5.0, 3.2]

use super::{Actions, Broker};
use crate::{
    id::ConnId,
    packet::{ConnAck, Connect, PropertiesBuf, Property, ServerPacket, Version},
    reason::ReasonCode,
};
use alloc::string::String;
use core::fmt::Write;

impl Broker {
    /// Who has no room for the CONNACK cannot be served. [MQTT-3.1.2-24]
    pub(super) fn check_connack(
        &self,
        conn: ConnId,
        connect: &Connect<'_>,
    ) -> Result<(), ReasonCode> {
        match connect.properties.maximum_packet_size() {
            Some(max) if self.connack_bytes(conn, connect) > max as usize => {
                Err(ReasonCode::PACKET_TOO_LARGE)
            }
            _ => Ok(()),
        }
    }

    fn connack_bytes(&self, conn: ConnId, connect: &Connect<'_>) -> usize {
        let assigned = connect
            .client_id
            .is_empty()
            .then(|| self.assign_client_id(conn));
        let properties = self.connack_properties(conn, connect, assigned.as_deref());
        let connack = ConnAck {
            session_present: false,
            reason: ReasonCode::SUCCESS,
            properties: properties.as_properties(),
        };
        let len = ServerPacket::ConnAck(connack).encoded_len(connect.version);
        len.expect("the broker builds packets that can be encoded")
    }

    pub(super) fn acknowledge_connect(
        &mut self,
        conn: ConnId,
        connect: &Connect<'_>,
        session_present: bool,
        assigned: Option<&str>,
        actions: &mut Actions,
    ) {
        let properties = match connect.version {
            Version::V5 => self.connack_properties(conn, connect, assigned),
            Version::V31 | Version::V311 => PropertiesBuf::default(),
        };
        let connack = ConnAck {
            session_present,
            reason: ReasonCode::SUCCESS,
            properties: properties.as_properties(),
        };
        self.state
            .send(conn, &ServerPacket::ConnAck(connack), actions);
    }

    /// What a 5.0 client must know of our bounds. [MQTT 5.0, 3.2.2.3]
    fn connack_properties(
        &self,
        conn: ConnId,
        connect: &Connect<'_>,
        assigned: Option<&str>,
    ) -> PropertiesBuf {
        let limits = self.state.limits(conn);
        let mut properties = PropertiesBuf::default();
        let mut push = |property| {
            properties
                .push(property)
                .expect("our own limits can be told");
        };
        let asked = connect.properties.session_expiry_interval().unwrap_or(0);
        let granted = self.granted_expiry_s(connect);
        if granted != asked {
            push(Property::SessionExpiryInterval(granted));
        }
        if limits.receive_maximum != u16::MAX {
            push(Property::ReceiveMaximum(limits.receive_maximum.max(1)));
        }
        push(Property::MaximumPacketSize(limits.packet_bytes_max.max(1)));
        if limits.topic_alias_maximum > 0 {
            push(Property::TopicAliasMaximum(limits.topic_alias_maximum));
        }
        if let Some(client_id) = assigned {
            push(Property::AssignedClientIdentifier(client_id));
        }
        let keep_alive_s = self.keep_alive_s(conn, connect);
        if keep_alive_s != connect.keep_alive_s {
            push(Property::ServerKeepAlive(keep_alive_s));
        }
        if let Some((method, _)) = self.state.conclusion(conn) {
            push(Property::AuthenticationMethod(method));
        }
        // What hooks and configuration say may be longer than can be told; then it is not.
        if let Some((_, Some(data))) = self.state.conclusion(conn) {
            let _ = properties.push(Property::AuthenticationData(data));
        }
        if connect.properties.request_response_information() == Some(true)
            && let Some(information) = &self.state.config.response_information
        {
            let _ = properties.push(Property::ResponseInformation(information));
        }
        properties
    }

    /// A client identifier that nobody can guess and nobody uses. [MQTT-3.1.3-6]
    pub(super) fn assign_client_id(&self, conn: ConnId) -> String {
        let mut id = String::from("auto-");
        for byte in self.state.link(conn).entropy {
            write!(id, "{byte:02x}").expect("writing to a string never fails");
        }
        while self.state.sessions.find(&id).is_some() {
            id.push('x');
        }
        id
    }
}
