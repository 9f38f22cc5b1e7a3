//! QoS 2 messages from the client that were taken and await their PUBREL. [MQTT 5.0, 4.3.3]

use crate::packet::PacketId;
use alloc::collections::VecDeque;

/// The packet identifiers in use by the client. Bounded by the Receive Maximum.
///
/// Clients release in the order they sent, so both look-ups nearly always end at the first entry.
#[derive(Debug, Default)]
pub(crate) struct Inbound(VecDeque<PacketId>);

impl Inbound {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// True if this identifier was taken and not released: its PUBLISH is a repeat. [MQTT-4.3.3-10]
    pub(crate) fn contains(&self, packet_id: PacketId) -> bool {
        self.0.contains(&packet_id)
    }

    /// Takes an identifier that is not yet in use.
    pub(crate) fn take(&mut self, packet_id: PacketId) {
        debug_assert!(
            !self.contains(packet_id),
            "I18: an identifier is in use at most once"
        );
        self.0.push_back(packet_id);
    }

    /// Frees an identifier; false if it was not in use.
    pub(crate) fn release(&mut self, packet_id: PacketId) -> bool {
        match self.0.iter().position(|&taken| taken == packet_id) {
            Some(at) => self.0.remove(at).is_some(),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_taken_until_it_is_released_once() {
        let mut inbound = Inbound::default();
        let id = PacketId::new(7).unwrap();
        inbound.take(id);
        assert!(inbound.contains(id));
        assert!(inbound.release(id));
        assert!(!inbound.release(id));
        assert_eq!(inbound.len(), 0);
    }
}
