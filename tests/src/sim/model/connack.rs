//! CONNACK: whether a session goes on, and what the client is told of our bounds. [MQTT 5.0, 3.2]

use super::{Judged, Model, violated};
use crate::sim::{
    tally::Tally,
    wire::{Out, Turn},
};
use sanderling_core::{
    id::ConnId,
    packet::{Connect, PropertiesBuf, Version},
    reason::ReasonCode,
};

impl Model {
    /// What the client asks for, or our own if that is shorter and the client can be told. [MQTT-3.1.2-21]
    pub(super) fn granted_keep_alive_s(&self, id: ConnId, connect: &Connect<'_>) -> u16 {
        let own = self.config.listener(self.conns[&id].link.listener);
        let own_max = own.and_then(|own| own.limits.keep_alive_max_s);
        let max = own_max.unwrap_or(self.config.keep_alive_max_s);
        let asked = connect.keep_alive_s;
        let is_told = connect.version == Version::V5 && max > 0;
        match is_told && (asked == 0 || asked > max) {
            true => max,
            false => asked,
        }
    }

    /// [MQTT 5.0, 3.1.2.11.2]
    pub(super) fn granted_expiry_s(&self, connect: &Connect<'_>) -> u32 {
        let asked = match connect.version {
            Version::V5 => connect.properties.session_expiry_interval().unwrap_or(0),
            Version::V31 | Version::V311 if connect.clean_start => 0,
            Version::V31 | Version::V311 => u32::MAX,
        };
        asked.min(self.config.session_expiry_max_s)
    }

    pub(super) fn expect_connack(
        &mut self,
        id: ConnId,
        connect: &Connect<'_>,
        resumes: bool,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let Some(Out::ConnAck {
            session_present,
            reason,
            properties,
        }) = turn.take(id)
        else {
            violated!("R01", "CONNECT on {id} is not answered with CONNACK");
        };
        if reason != ReasonCode::SUCCESS {
            violated!(
                "R01",
                "CONNECT on {id} is refused with {reason} for no reason"
            );
        }
        // 3.1 does not know Session Present.
        if connect.version != Version::V31 && session_present != resumes {
            violated!(
                "I25",
                "Session Present is {session_present} on {id}, and a session goes on: {resumes}"
            );
        }
        tally.check("I25");
        if resumes {
            tally.sometimes("a session is resumed");
        }
        if connect.version == Version::V5 {
            self.check_connack(id, connect, &properties)?;
        }
        Ok(())
    }

    /// A 5.0 client is told of every bound that is not the standard's. [MQTT 5.0, 3.2.2.3]
    fn check_connack(
        &self,
        id: ConnId,
        connect: &Connect<'_>,
        properties: &PropertiesBuf,
    ) -> Judged {
        let told = properties.as_properties();
        let authentication = self.conns[&id].authentication.as_ref();
        let conclusion = authentication.and_then(|one| one.conclusion.as_deref());
        // [MQTT-4.12.0-5]
        if told.authentication_method() != connect.properties.authentication_method()
            || told.authentication_data() != conclusion
        {
            violated!(
                "R06",
                "the hook concludes {conclusion:?}, and the client is told {told:?}"
            );
        }
        let limits = &self.conns[&id].limits;
        let asked = connect.properties.session_expiry_interval().unwrap_or(0);
        let granted = self.granted_expiry_s(connect);
        if told.session_expiry_interval().unwrap_or(asked) != granted {
            violated!(
                "I28",
                "the client asked for {asked} s, gets {granted} s and is told {told:?}"
            );
        }
        let receive_maximum = limits.receive_maximum.max(1);
        if told.receive_maximum().unwrap_or(u16::MAX) != receive_maximum {
            violated!(
                "I17",
                "our Receive Maximum is {receive_maximum}, and the client is told {told:?}"
            );
        }
        if told.maximum_packet_size().unwrap_or(u32::MAX) != limits.packet_bytes_max {
            violated!(
                "I19",
                "our Maximum Packet Size is {}, and the client is told {told:?}",
                limits.packet_bytes_max
            );
        }
        if told.assigned_client_identifier().is_some() != connect.client_id.is_empty() {
            violated!(
                "R01",
                "a name is assigned exactly if there is none: {told:?}"
            );
        }
        let keep_alive_s = self.granted_keep_alive_s(id, connect);
        if told.server_keep_alive().unwrap_or(connect.keep_alive_s) != keep_alive_s {
            violated!(
                "I48",
                "the keep alive is {keep_alive_s} s, and the client is told {told:?}"
            );
        }
        let asks = connect.properties.request_response_information() == Some(true);
        let information = self.config.response_information.as_deref();
        if told.response_information() != information.filter(|_| asks) {
            violated!(
                "R01",
                "the client asks for response information: {asks}, and is told {told:?}"
            );
        }
        if told.topic_alias_maximum().unwrap_or(0) != limits.topic_alias_maximum {
            violated!(
                "I20",
                "our Topic Alias Maximum is {}, and the client is told {told:?}",
                limits.topic_alias_maximum
            );
        }
        Ok(())
    }
}
