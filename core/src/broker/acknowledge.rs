//! PUBACK, PUBREC, PUBREL, PUBCOMP: the exchanges of QoS 1 and 2 go on. [MQTT 5.0, 4.3]

use super::{
    Actions, Broker, Flow,
    state::{State, Untold},
};
use crate::{
    codec::Acks,
    id::ConnId,
    packet::{Ack, ClientPacket, PacketId, PacketType, QoS, Version},
    reason::ReasonCode,
};

impl Broker {
    /// What several [`PUBACK`](Self::on_puback) packets have in common is done once.
    pub(super) fn on_acks(&mut self, conn: ConnId, acks: Acks<'_>, actions: &mut Actions) -> Flow {
        let connection = self.state.connections.get_mut(conn);
        match connection.and_then(|connection| connection.live_mut()) {
            Some(live) if !self.state.watches.acks => {
                assert!(
                    live.held.is_none() && !live.throttled,
                    "packets of connection {conn}, which is held"
                );
                live.last_received = self.state.now;
                let number = live.session;
                self.state.take_acks(number, acks, actions);
            }
            _ => {
                for packet_id in acks.packet_ids() {
                    let packet = ClientPacket::PubAck(Ack::success(packet_id));
                    // It is not answered: nothing can hold the connection.
                    let _ = self.on_packet(conn, packet, Acks::PACKET_BYTES, actions);
                }
            }
        }
        Flow::Continue
    }

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
        let (packet, reason) = (PacketType::PubRel, answer(known));
        self.state
            .send_ack(conn, packet, ack.packet_id, reason, actions);
        // [F1] The window of the older versions reopens here, and whatever the version, nothing is kept of the message now.
        self.go_on(conn, actions);
    }

    /// The client releases the identifier of a QoS 2 message it sent. [MQTT-4.3.3-11]
    pub(super) fn on_pubrel(&mut self, conn: ConnId, ack: Ack<'_>, actions: &mut Actions) {
        let known = self.state.session_of(conn).inbound.release(ack.packet_id);
        let (packet, reason) = (PacketType::PubComp, answer(known));
        self.state
            .send_ack(conn, packet, ack.packet_id, reason, actions);
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

impl State {
    fn take_acks(&mut self, number: u32, acks: Acks<'_>, actions: &mut Actions) {
        let bytes = acks.bytes().len() as u32;
        self.statistics
            .received_several(PacketType::PubAck, acks.count(), bytes);
        let outbound = &mut self.sessions.get_mut(number).outbound;
        let mut has_room = false;
        for packet_id in acks.packet_ids() {
            has_room |= outbound.acknowledge(packet_id);
        }
        if has_room {
            self.pump(number, actions);
        }
    }
}

/// Before 5.0 the reason is not told. [MQTT 5.0, 3.6.2.1, 3.7.2.1]
fn answer(known: bool) -> ReasonCode {
    match known {
        true => ReasonCode::SUCCESS,
        false => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
    }
}
