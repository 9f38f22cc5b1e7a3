//! A run of messages for one topic: what holds for all of them is found out once, and the bytes go on as they came.

use super::{
    Actions, Broker, Flow,
    deliver::is_unwanted,
    permit::{self, Allowed},
    publish,
    routes::Route,
    state::State,
};
use crate::{
    codec::Run,
    config::DeliveryMode,
    hooks::HookSet,
    id::ConnId,
    packet::{ClientPacket, QoS, Version},
    topic,
};
use alloc::vec::Vec;

/// What the run is to all of its receivers.
pub(super) struct Copies<'a> {
    pub(super) run: Run<'a>,
    pub(super) v5: bool,
    /// The session of the publisher.
    pub(super) origin: u32,
}

impl Broker {
    /// Whether [`ReceivedRun`](super::Event::ReceivedRun) may be told: nobody is asked about single messages.
    #[inline]
    pub fn takes_runs(&self) -> bool {
        !self.hooks.wants(HookSet::PUBLISH)
    }

    pub(super) fn on_run(&mut self, conn: ConnId, run: &Run<'_>, actions: &mut Actions) -> Flow {
        let Some(allowed) = permit::unasked(&self.hooks, *run) else {
            panic!("contract: a run of connection {conn}, though hooks are asked about messages");
        };
        if self.state.take_run(conn, &allowed, actions).is_none() {
            for (publish, bytes) in run.packets() {
                // No hook is asked, so that none can hold the connection in the middle.
                let _ = self.take_packet(conn, ClientPacket::Publish(publish), bytes, actions);
            }
        }
        match run.qos() {
            QoS::AtMostOnce => Flow::Continue,
            QoS::AtLeastOnce | QoS::ExactlyOnce => self.state.flow(conn),
        }
    }
}

impl State {
    /// Takes all messages of a run together. None if they have to be taken one by one; nothing was done then.
    fn take_run(
        &mut self,
        conn: ConnId,
        allowed: &Allowed<Run<'_>>,
        actions: &mut Actions,
    ) -> Option<()> {
        let run = *allowed.get();
        let levels_max = usize::from(self.config.limits.topic_levels_max);
        let topic = run.topic();
        let is_odd = topic.starts_with('$')
            || (topic.len() >= levels_max && topic::deeper_than(topic, levels_max))
            || self.watches.deliveries
            || actions.is_crowded();
        let live = self.connections.get_mut(conn)?.live_mut()?;
        if is_odd || live.held.is_some() || live.throttled {
            return None;
        }
        let (v5, origin) = (live.version == Version::V5, live.session);
        let place = self.routes.find(live.route, topic)?;
        let route = self.routes.borrow(place)?;
        let has_one_copy_each =
            route.filters <= 1 || self.config.delivery_mode == DeliveryMode::OnlyOnce;
        // With more than one copy for a client, all of the first message come before those of the second.
        let is_simple = has_one_copy_each && route.groups.is_empty();
        let copies = Copies { run, v5, origin };
        let is_taken = match run.qos() {
            _ if !is_simple => false,
            QoS::AtMostOnce => {
                self.follow_with_run(&route, &copies, actions);
                true
            }
            QoS::AtLeastOnce | QoS::ExactlyOnce => {
                self.follow_with_acknowledged_run(conn, &route, &copies, actions)
            }
        };
        self.routes.give_back(place, route);
        if !is_taken {
            return None;
        }
        let live = self.connections.get_mut(conn)?.live_mut()?;
        live.route = place;
        live.last_received = self.now;
        live.received[run.qos() as usize] += u64::from(run.count());
        self.statistics
            .received_run(run.qos(), run.count(), run.bytes().len() as u32);
        Some(())
    }

    fn follow_with_run(&mut self, route: &Route, copies: &Copies<'_>, actions: &mut Actions) {
        let (run, first) = (&copies.run, actions.next_target());
        if route.filters == 0 {
            self.statistics.messages_unrouted += u64::from(run.count());
        }
        let mut others = core::mem::take(&mut self.others);
        for (place, receiver) in (0..).zip(&route.receivers) {
            if is_unwanted(receiver, Some(copies.origin)) {
                continue;
            }
            match receiver.subscription_id == 0 {
                true if self.pass_on_run(receiver.session, copies, actions) => {}
                _ => others.push(place),
            }
        }
        let passed = actions.deliver_since(first, run.bytes());
        self.statistics
            .delivered_runs(QoS::AtMostOnce, passed, run.count(), run.bytes().len());
        self.others = self.offer_one_by_one(others, route, copies, actions);
    }

    /// The whole run to a connection that takes it now and as it is. False if it is no such; nothing was done then.
    #[inline]
    fn pass_on_run(&mut self, number: u32, copies: &Copies<'_>, actions: &mut Actions) -> bool {
        let run = &copies.run;
        let hot = &mut self.hot[number as usize];
        let is_open = hot.online && !hot.backlog && !hot.aliases && hot.v5 == copies.v5;
        let outbound_bytes = hot.outbound_bytes.saturating_add(run.bytes().len() as u32);
        let sent = hot.sent.saturating_add(run.count());
        let takes_it = outbound_bytes <= self.config.limits.outbound_bytes_max
            && run.longest_bytes() <= hot.packet_bytes_max
            && sent < u32::MAX;
        if is_open && takes_it {
            (hot.outbound_bytes, hot.sent) = (outbound_bytes, sent);
            actions.target(hot.conn);
        }
        is_open && takes_it
    }

    /// The messages of a run in turn, each to all receivers that could not have the whole run.
    /// Returns the list of their places, empty.
    #[inline]
    pub(super) fn offer_one_by_one(
        &mut self,
        mut places: Vec<u32>,
        route: &Route,
        copies: &Copies<'_>,
        actions: &mut Actions,
    ) -> Vec<u32> {
        if !places.is_empty() {
            self.offer_each(&places, route, copies, actions);
            places.clear();
        }
        places
    }

    #[cold]
    fn offer_each(
        &mut self,
        places: &[u32],
        route: &Route,
        copies: &Copies<'_>,
        actions: &mut Actions,
    ) {
        for (publish, _) in copies.run.packets() {
            self.forms.clear();
            let mut kept = None;
            let mut message = publish::incoming(&publish, self);
            for &place in places {
                let copy = (&route.receivers[..], place, &route.further);
                self.offer_at(copy, &mut message, &mut kept, actions);
            }
        }
    }
}
