//! PUBACK, PUBREC, PUBREL, PUBCOMP: the exchanges of QoS 1 and 2 go on. [MQTT 5.0, 4.3]

use super::{
    Actions, Broker, Flow,
    state::{State, Untold},
};
use crate::{
    codec::Acks,
    id::ConnId,
    packet::{Ack, PacketId, PacketType, QoS, Version},
    reason::ReasonCode,
    session::Session,
};
use core::iter;

impl Broker {
    /// What several acknowledgements of one type have in common is done once.
    pub(super) fn on_acks(&mut self, conn: ConnId, acks: Acks<'_>, actions: &mut Actions) -> Flow {
        if self.state.take_acks(conn, acks, actions).is_none() {
            for packet in acks.packets() {
                // None of them asks a hook that could hold the connection.
                let _ = self.take_packet(conn, packet, Acks::PACKET_BYTES, actions);
            }
        }
        self.state.flow(conn)
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
        if ack.reason.is_error() {
            let outbound = &mut self.state.session_of(conn).outbound;
            if outbound.reject(ack.packet_id) {
                self.go_on(conn, actions);
            }
            return;
        }
        self.note_ack(conn, ack.packet_id, QoS::ExactlyOnce);
        self.state
            .answer_pubrecs(conn, iter::once(ack.packet_id), actions);
        // [F1] The window of the older versions reopens here, and whatever the version, nothing is kept of the message now.
        self.go_on(conn, actions);
    }

    /// The client releases the identifier of a QoS 2 message it sent. [MQTT-4.3.3-11]
    pub(super) fn on_pubrel(&mut self, conn: ConnId, ack: Ack<'_>, actions: &mut Actions) {
        self.state
            .answer_pubrels(conn, iter::once(ack.packet_id), actions);
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
    /// Takes a row of acknowledgements. None if they have to be taken one by one; nothing was done then.
    fn take_acks(&mut self, conn: ConnId, acks: Acks<'_>, actions: &mut Actions) -> Option<()> {
        let live = self.connections.get_mut(conn)?.live_mut()?;
        assert!(
            live.held.is_none() && !live.throttled,
            "packets of connection {conn}, which is held"
        );
        let number = live.session;
        // With something waiting, each PUBREL may be followed by a message.
        let waits = acks.packet_type() == PacketType::PubRec && self.hot[number as usize].backlog;
        if self.watches.acks || waits {
            return None;
        }
        live.last_received = self.now;
        self.statistics.received_several(
            acks.packet_type(),
            acks.count(),
            acks.bytes().len() as u32,
        );
        let outbound = &mut self.sessions.get_mut(number).outbound;
        let mut has_room = false;
        match acks.packet_type() {
            PacketType::PubRec => self.answer_pubrecs(conn, acks.packet_ids(), actions),
            PacketType::PubRel => self.answer_pubrels(conn, acks.packet_ids(), actions),
            PacketType::PubComp => {
                for packet_id in acks.packet_ids() {
                    has_room |= outbound.complete(packet_id);
                }
            }
            _ => {
                for packet_id in acks.packet_ids() {
                    has_room |= outbound.acknowledge(packet_id);
                }
            }
        }
        if has_room {
            self.pump(number, actions);
        }
        Some(())
    }

    /// Messages have come: their release begins. [MQTT-4.3.3-4]
    fn answer_pubrecs(
        &mut self,
        conn: ConnId,
        packet_ids: impl Iterator<Item = PacketId>,
        actions: &mut Actions,
    ) {
        let now = self.now;
        let is_older = self.live(conn).version != Version::V5;
        let evicts = self.config.evict_awaiting_release && is_older;
        let releasing_max = self.config.limits.awaiting_release_max;
        let receive = |session: &mut Session, packet_id| {
            let known = session.outbound.receive(packet_id, now);
            if evicts {
                session.outbound.evict_releasing(releasing_max);
            }
            answer(known)
        };
        self.send_acks(conn, PacketType::PubRel, packet_ids, receive, actions);
    }

    /// Identifiers are free again. [MQTT-4.3.3-11]
    fn answer_pubrels(
        &mut self,
        conn: ConnId,
        packet_ids: impl Iterator<Item = PacketId>,
        actions: &mut Actions,
    ) {
        let release = |session: &mut Session, packet_id| answer(session.inbound.release(packet_id));
        self.send_acks(conn, PacketType::PubComp, packet_ids, release, actions);
    }
}

/// Before 5.0 the reason is not told. [MQTT 5.0, 3.6.2.1, 3.7.2.1]
fn answer(known: bool) -> ReasonCode {
    match known {
        true => ReasonCode::SUCCESS,
        false => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
    }
}
