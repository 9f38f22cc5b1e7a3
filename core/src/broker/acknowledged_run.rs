//! A run of QoS 1 or 2: acknowledged in one go, and handed on with packet identifiers of the receiver.

use super::{Actions, deliver::is_unwanted, routes::Route, run::Copies, state::State};
use crate::{
    codec::Run,
    id::ConnId,
    packet::{PacketType, QoS},
    reason::ReasonCode,
    session::Session,
    topic::Member,
};

/// With more receivers, messages that each of them acknowledges are encoded once for all.
const RECEIVERS_MAX: usize = 8;

impl State {
    /// False if the messages have to be taken one by one; nothing was done then.
    pub(super) fn follow_with_acknowledged_run(
        &mut self,
        conn: ConnId,
        route: &Route,
        copies: &Copies<'_>,
        actions: &mut Actions,
    ) -> bool {
        let receivers = &route.receivers;
        // To the publisher, acknowledgements and copies go in turn.
        let is_for_publisher = receivers
            .iter()
            .any(|receiver| receiver.session == copies.origin);
        if receivers.len() > RECEIVERS_MAX || is_for_publisher || !self.is_new(conn, copies) {
            return false;
        }
        let run = &copies.run;
        if route.filters == 0 {
            self.statistics.messages_unrouted += u64::from(run.count());
        }
        self.acknowledge_run(conn, run, actions);
        let (mut passed, mut others) = (0, core::mem::take(&mut self.others));
        for (place, receiver) in (0..).zip(receivers) {
            if is_unwanted(receiver, Some(copies.origin)) {
                continue;
            }
            match self.pass_on_as_own(receiver, copies, actions) {
                true => passed += 1,
                false => others.push(place),
            }
        }
        self.statistics
            .delivered_runs(run.qos(), passed, run.count(), run.bytes().len());
        self.others = self.offer_one_by_one(others, route, copies, actions);
        true
    }

    /// Whether none was taken before, and the client may send as many now. [MQTT-4.3.3-10] [MQTT-3.3.4-7]
    fn is_new(&self, conn: ConnId, copies: &Copies<'_>) -> bool {
        let run = &copies.run;
        if run.qos() != QoS::ExactlyOnce {
            return true;
        }
        let inbound = &self.sessions.get(copies.origin).inbound;
        let receive_maximum = usize::from(self.limits(conn).receive_maximum.max(1));
        let fits = !copies.v5 || inbound.len() + run.count() as usize <= receive_maximum;
        fits && !run.packet_ids().any(|(_, id)| inbound.contains(id))
    }

    fn acknowledge_run(&mut self, conn: ConnId, run: &Run<'_>, actions: &mut Actions) {
        let packet_ids = run.packet_ids().map(|(_, id)| id);
        if run.qos() == QoS::ExactlyOnce {
            let take = |session: &mut Session, id| {
                session.inbound.take(id);
                ReasonCode::SUCCESS
            };
            self.send_acks(conn, PacketType::PubRec, packet_ids, take, actions);
        } else {
            let taken = |_: &mut Session, _| ReasonCode::SUCCESS;
            self.send_acks(conn, PacketType::PubAck, packet_ids, taken, actions);
        }
    }

    /// The whole run to a connection that takes it now and as it is, but for the identifiers. False if it is no such;
    /// nothing was done then.
    fn pass_on_as_own(
        &mut self,
        receiver: &Member,
        copies: &Copies<'_>,
        actions: &mut Actions,
    ) -> bool {
        let (run, number) = (&copies.run, receiver.session);
        let hot = &self.hot[number as usize];
        let is_open = hot.online && !hot.backlog && !hot.aliases && hot.v5 == copies.v5;
        let outbound_bytes = hot.outbound_bytes.saturating_add(run.bytes().len() as u32);
        let takes_it = receiver.subscription_id == 0
            && receiver.options.qos() >= run.qos()
            && outbound_bytes <= self.config.limits.outbound_bytes_max
            && run.longest_bytes() <= hot.packet_bytes_max
            && !self.keeps_inflight(number)
            && self.room(number) >= run.count() as usize;
        if !is_open || !takes_it {
            return false;
        }
        let now = self.now;
        let hot = &mut self.hot[number as usize];
        hot.outbound_bytes = outbound_bytes;
        let outbound = &mut self.sessions.get_mut(number).outbound;
        outbound.count(run.qos(), run.count());
        actions.deliver_changed(hot.conn, run.bytes(), |copy| {
            for (at, _) in run.packet_ids() {
                let packet_id = outbound.begin(run.qos(), None, now);
                let packet_id = packet_id.expect("S12: a window with room has free identifiers");
                copy[at..at + 2].copy_from_slice(&packet_id.get().to_be_bytes());
            }
        });
        true
    }
}
