//! What the broker promises and the driver can check after each turn.

use super::{Direct, Phase};

/// What the broker must have counted, too.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) bytes_received: u64,
    pub(super) bytes_sent: u64,
    /// PUBLISH packets.
    pub(super) delivered: u64,
}

impl Direct {
    /// The counters agree with what was seen from outside.
    pub(super) fn check_counters(&self) {
        let view = self.broker.view();
        let counted = view.statistics();
        let Tally {
            bytes_received,
            bytes_sent,
            delivered,
        } = self.tally;
        assert_eq!(
            counted.packet_bytes_received.sum(),
            bytes_received,
            "bytes received"
        );
        assert_eq!(counted.packet_bytes_sent.sum(), bytes_sent, "bytes sent");
        assert_eq!(
            counted.messages_sent.iter().sum::<u64>(),
            delivered,
            "messages sent"
        );
        let open = self
            .conns
            .iter()
            .filter(|conn| conn.phase != Phase::Closed)
            .count();
        assert_eq!(counted.connections_current as usize, open, "connections");
        let active = view
            .sessions()
            .filter(|(_, is_connected)| *is_connected)
            .count();
        assert_eq!(
            counted.sessions_active_current as usize, active,
            "active sessions"
        );
        let inactive = view.sessions().count() - active;
        assert_eq!(
            counted.sessions_inactive_current as usize, inactive,
            "inactive sessions"
        );
    }

    /// I21: the broker's account of each connection is what the network has not taken.
    pub(super) fn check_accounts(&self) {
        for conn in &self.conns {
            if let Some(bytes) = self.broker.view().outbound_bytes(conn.id) {
                assert_eq!(
                    bytes, conn.unflushed,
                    "the account of connection {}",
                    conn.id
                );
            }
        }
    }
}
