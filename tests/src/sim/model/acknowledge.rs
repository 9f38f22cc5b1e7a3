//! PUBACK, PUBREC, PUBREL, PUBCOMP from a client. [MQTT 5.0, 4.3]

use super::{Judged, Model, publish::Told, session::Release};
use crate::sim::{tally::Tally, wire::Turn};
use sanderling_core::{
    id::ConnId,
    packet::{Ack, PacketType, QoS, Version},
};

impl Model {
    /// Ends a QoS 1 message; one that is not under way changes nothing.
    pub(super) fn on_puback(&mut self, id: ConnId, ack: &Ack<'_>, tally: &mut Tally) -> Judged {
        let packet_id = ack.packet_id.get();
        let session = self.session_of(id);
        let before = session.inflight.len();
        session
            .inflight
            .retain(|flight| flight.packet_id != packet_id || flight.copy.qos != QoS::AtLeastOnce);
        if session.inflight.len() == before {
            tally.sometimes("a PUBACK for nothing");
        }
        Ok(())
    }

    /// The message is delivered; from now on there is only PUBREL. [MQTT-4.3.3-4] [MQTT-4.3.3-5]
    pub(super) fn on_pubrec(
        &mut self,
        id: ConnId,
        ack: &Ack<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let packet_id = ack.packet_id.get();
        let now_ms = self.now_ms;
        let releasing_max = usize::from(self.config.limits.awaiting_release_max);
        let is_older = self.conn(id).version != Version::V5;
        let evicts = self.config.evict_awaiting_release && is_older;
        let session = self.session_of(id);
        let at = session.inflight.iter().position(|flight| {
            flight.packet_id == packet_id && flight.copy.qos == QoS::ExactlyOnce
        });
        if ack.reason.is_error() {
            tally.sometimes("a PUBREC that refuses");
            if let Some(at) = at {
                session.inflight.remove(at);
            }
            return Ok(());
        }
        let mut is_known = session
            .releasing
            .iter()
            .any(|release| release.packet_id == packet_id);
        if let Some(at) = at {
            let flight = session.inflight.remove(at);
            let is_sent_here = flight.is_sent_here;
            session.releasing.push(Release {
                packet_id,
                is_sent_here,
                sent_ms: now_ms,
            });
            is_known = true;
        }
        while evicts && session.releasing.len() > releasing_max {
            tally.sometimes("a PUBREL is given up");
            session.releasing.remove(0);
        }
        tally.check("I08");
        if !is_known {
            tally.sometimes("a PUBREC for nothing");
        }
        let told = if is_known {
            Told::Success
        } else {
            Told::NotFound
        };
        self.expect_ack(id, PacketType::PubRel, packet_id, told, turn)
    }

    /// The client releases an identifier of its own. [MQTT-4.3.3-11]
    pub(super) fn on_pubrel(
        &mut self,
        id: ConnId,
        ack: &Ack<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let packet_id = ack.packet_id.get();
        tally.check("I07");
        let told = match self.session_of(id).inbound.remove(&packet_id) {
            true => Told::Success,
            false => Told::NotFound,
        };
        self.expect_ack(id, PacketType::PubComp, packet_id, told, turn)
    }

    pub(super) fn on_pubcomp(&mut self, id: ConnId, ack: &Ack<'_>) -> Judged {
        let packet_id = ack.packet_id.get();
        self.session_of(id)
            .releasing
            .retain(|release| release.packet_id != packet_id);
        Ok(())
    }
}
