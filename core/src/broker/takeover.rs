//! A session changes its connection. [MQTT-3.1.4-3]
//!
//! A client that says DISCONNECT and connects again at once has two connections for a moment, and a driver may well read
//! the newer one first. So what the older one has received is read before the session goes over: its DISCONNECT counts,
//! and its messages keep their order. The newer connection waits, held, until the driver reports `Drained`.

use super::{Action, Actions, Broker, Flow, state::Due};
use crate::{
    codec,
    connection::Phase,
    hooks::End,
    id::ConnId,
    packet::{ClientPacket, Connect},
};
use alloc::{boxed::Box, vec::Vec};
use bytes::Bytes;

impl Broker {
    /// The CONNECT is permitted. If its session is in use, that connection comes to its end first.
    pub(super) fn succeed(
        &mut self,
        conn: ConnId,
        connect: &Connect<'_>,
        actions: &mut Actions,
    ) -> Flow {
        let Some(old) = self.in_use_by(connect.client_id) else {
            self.admit(conn, connect, actions);
            return Flow::Continue;
        };
        if self.state.live(old).held.is_some() {
            // It waits for a verdict and is not read; nothing is worth waiting for it. Who has waited since before it was
            // held is passed by: of two the later takes over.
            if let Some(rival) = self.state.live_mut(old).successor.take() {
                self.end(rival, End::TakenOver, actions);
            }
            self.admit(conn, connect, actions);
            return Flow::Continue;
        }
        let mut packet = Vec::new();
        ClientPacket::Connect(Box::new(connect.clone()))
            .encode(connect.version, &mut packet)
            .expect("a decoded packet can be encoded again");
        let (version, packet) = (connect.version, Bytes::from(packet));
        self.set_phase(
            conn,
            Phase::Waiting {
                old,
                version,
                packet,
            },
        );
        self.wait_no_longer_than_connect(conn);
        let rival = self.state.live_mut(old).successor.replace(conn);
        match rival {
            // Of two that wait, the later takes over.
            Some(rival) => self.end(rival, End::TakenOver, actions),
            None => actions.push(Action::Drain { conn: old }),
        }
        Flow::Hold
    }

    /// A driver that never reports `Drained` must not hold a client for ever. The deadline may have passed while a hook
    /// was asked.
    fn wait_no_longer_than_connect(&mut self, conn: ConnId) {
        let Some(connection) = self.state.connections.get(conn) else {
            return;
        };
        if connection.timer.is_none() {
            let at = self.state.now + self.state.limits(conn).connect_deadline;
            let timer = self.state.set_timer(at, Due::Connect(conn));
            if let Some(connection) = self.state.connections.get_mut(conn) {
                connection.timer = Some(timer);
            }
        }
    }

    fn in_use_by(&self, client_id: &str) -> Option<ConnId> {
        let hot = &self.state.hot[self.state.sessions.find(client_id)? as usize];
        hot.online.then_some(hot.conn)
    }

    /// What a connection had received was read: its successor need not wait any longer.
    pub(super) fn on_drained(&mut self, conn: ConnId, actions: &mut Actions) {
        let live = self
            .state
            .connections
            .get_mut(conn)
            .and_then(|old| old.live_mut());
        let successor = live.and_then(|live| live.successor.take());
        self.go_on_with(successor, actions);
    }

    /// Admits a connection that waited for another one.
    pub(super) fn go_on_with(&mut self, waiting: Option<ConnId>, actions: &mut Actions) {
        let Some(conn) = waiting else { return };
        let Some(connection) = self.state.connections.get_mut(conn) else {
            return;
        };
        if !matches!(connection.phase, Phase::Waiting { .. }) {
            return;
        }
        let phase = core::mem::replace(&mut connection.phase, Phase::AwaitConnect);
        let Phase::Waiting {
            version, packet, ..
        } = phase
        else {
            return;
        };
        let ClientPacket::Connect(connect) = codec::decode_again(&packet, version) else {
            unreachable!("only a CONNECT waits for a session");
        };
        self.admit(conn, &connect, actions);
        if self.state.is_live(conn) && self.state.flow(conn) == Flow::Continue {
            actions.push(Action::Resume { conn });
        }
    }

    /// A connection that waited has ended: nobody succeeds the one it waited for.
    pub(super) fn stop_waiting(&mut self, conn: ConnId, old: ConnId) {
        if let Some(live) = self
            .state
            .connections
            .get_mut(old)
            .and_then(|old| old.live_mut())
            && live.successor == Some(conn)
        {
            live.successor = None;
        }
    }
}
