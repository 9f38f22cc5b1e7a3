//! A session and its connection: where they come together and part, and what is counted and kept beside the session
//! meanwhile.

use super::state::{Hot, Stamp, State};
use crate::{
    hooks::ClientData,
    id::ConnId,
    packet::{QoS, Version},
    session::Session,
};

impl State {
    /// Files a new session without connection.
    pub(crate) fn create_session(&mut self, client_id: &str, version: Version) -> u32 {
        let session = Session::new(client_id, version, self.seconds());
        let number = self.sessions.insert(session);
        if self.hot.len() <= number as usize {
            self.hot.resize(number as usize + 1, Hot::AWAY);
            self.stamps.resize(number as usize + 1, Stamp::default());
        }
        self.hot[number as usize] = Hot::AWAY;
        self.statistics.sessions_inactive_current += 1;
        self.statistics.sessions_created += 1;
        number
    }

    pub(crate) fn attach(&mut self, number: u32, conn: ConnId, packet_bytes_max: u32) {
        let session = self.sessions.get(number);
        let (v5, aliases) = (
            session.version == Version::V5,
            session.outbound_aliases.is_some(),
        );
        self.hot[number as usize] = Hot {
            conn,
            packet_bytes_max,
            online: true,
            v5,
            aliases,
            ..Hot::AWAY
        };
        self.statistics.sessions_inactive_current -= 1;
        self.statistics.sessions_active_current += 1;
    }

    /// What was sent before the connection had a session counts from now on.
    pub(crate) fn carry_account(&mut self, number: u32, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn) {
            self.hot[number as usize].outbound_bytes = connection.outbound_bytes;
        }
    }

    pub(crate) fn detach(&mut self, number: u32, received: [u64; 3]) {
        self.fold_counters(number, received);
        self.hot[number as usize] = Hot::AWAY;
        self.statistics.sessions_active_current -= 1;
        self.statistics.sessions_inactive_current += 1;
    }

    /// Puts what was counted beside the session into its own counters.
    fn fold_counters(&mut self, number: u32, received: [u64; 3]) {
        let hot = &mut self.hot[number as usize];
        let session = self.sessions.get_mut(number);
        let mut sent = session.outbound.take_sent();
        sent[0] = core::mem::take(&mut hot.sent);
        if sent == [0; 3] && received == [0; 3] {
            return;
        }
        let counted = session.count();
        for qos in 0..3 {
            counted.messages_sent[qos] += u64::from(sent[qos]);
            counted.messages_received[qos] += received[qos];
        }
    }

    /// Counts a copy for one session.
    #[inline]
    pub(crate) fn count_copy(&mut self, number: u32, qos: QoS) {
        if qos == QoS::AtMostOnce {
            let hot = &mut self.hot[number as usize];
            hot.sent += 1;
            if hot.sent == u32::MAX {
                self.fold_counters(number, [0; 3]);
            }
        } else {
            self.sessions.get_mut(number).outbound.count(qos, 1);
        }
    }

    /// Takes out what the program keeps with a connection, while hooks may change it.
    pub(crate) fn take_data(&mut self, conn: ConnId) -> ClientData {
        let connection = self.connections.get_mut(conn);
        connection.map_or_else(ClientData::default, |connection| {
            core::mem::take(&mut connection.data)
        })
    }

    pub(crate) fn put_data(&mut self, conn: ConnId, data: ClientData) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.data = data;
        }
    }
}
