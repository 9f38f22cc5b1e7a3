//! PUBACK, PUBREC, PUBREL, PUBCOMP: the exchanges of QoS 1 and 2 go on. [MQTT 5.0, 4.3]

use super::{Actions, Broker, state::Untold};
use crate::{
    id::ConnId,
    packet::{Ack, PacketId, QoS, ServerPacket, Version},
    reason::ReasonCode,
};

impl Broker {
    /// The client has a QoS 1 message. Success or failure, it is not sent again. [MQTT-4.3.2-3] [MQTT-4.4.0-2]
    pub(super) fn on_puback(&mut self, conn: ConnId, ack: Ack<'_>, actions: &mut Actions) {
        self.note_ack(conn, ack.packet_id, QoS::AtLeastOnce);
        if self
            .state
            .session_of(conn)
            .outbound
            .acknowledge(ack.packet_id)
        {
            self.go_on(conn, actions);
        }
    }

    /// The client has a QoS 2 message, or refuses it. [MQTT-4.3.3-4] [MQTT-4.3.3-5]
    pub(super) fn on_pubrec(&mut self, conn: ConnId, ack: Ack<'_>, actions: &mut Actions) {
        let now = self.state.now;
        let is_older = self.state.live(conn).version != Version::V5;
        let evicts = self.state.config.evict_awaiting_release && is_older;
        let releasing_max = self.state.config.limits.awaiting_release_max;
        if !ack.reason.is_error() {
            self.note_ack(conn, ack.packet_id, QoS::ExactlyOnce);
        }
        let outbound = &mut self.state.session_of(conn).outbound;
        if ack.reason.is_error() {
            if outbound.reject(ack.packet_id) {
                self.go_on(conn, actions);
            }
            return;
        }
        let known = outbound.receive(ack.packet_id, now);
        if evicts {
            outbound.evict_releasing(releasing_max);
        }
        let packet = ServerPacket::PubRel(answer(ack.packet_id, known));
        self.state.send(conn, &packet, actions);
        // [F1] The window of the older versions reopens here, and whatever the version, nothing is kept of the message now.
        self.go_on(conn, actions);
    }

    /// The client releases the identifier of a QoS 2 message it sent. [MQTT-4.3.3-11]
    pub(super) fn on_pubrel(&mut self, conn: ConnId, ack: Ack<'_>, actions: &mut Actions) {
        let known = self.state.session_of(conn).inbound.release(ack.packet_id);
        let packet = ServerPacket::PubComp(answer(ack.packet_id, known));
        self.state.send(conn, &packet, actions);
    }

    /// A QoS 2 message to the client has come to its end.
    pub(super) fn on_pubcomp(&mut self, conn: ConnId, ack: Ack<'_>, actions: &mut Actions) {
        if self.state.session_of(conn).outbound.complete(ack.packet_id) {
            self.go_on(conn, actions);
        }
    }

    /// Notes that a client has a message, before the next one is sent because of it.
    fn note_ack(&mut self, conn: ConnId, packet_id: PacketId, qos: QoS) {
        if self.state.watches.acks
            && let Some(copy) = self
                .state
                .session_of(conn)
                .outbound
                .find(packet_id, qos)
                .cloned()
        {
            self.state.untold.push(Untold::Acked {
                conn,
                copy,
                packet_id,
            });
        }
    }

    /// There may be room in the window now.
    fn go_on(&mut self, conn: ConnId, actions: &mut Actions) {
        let number = self.state.live(conn).session;
        self.state.pump(number, actions);
    }
}

/// Before 5.0 the reason is not told. [MQTT 5.0, 3.6.2.1, 3.7.2.1]
fn answer(packet_id: PacketId, known: bool) -> Ack<'static> {
    let reason = if known {
        ReasonCode::SUCCESS
    } else {
        ReasonCode::PACKET_IDENTIFIER_NOT_FOUND
    };
    Ack::with_reason(packet_id, reason)
}
