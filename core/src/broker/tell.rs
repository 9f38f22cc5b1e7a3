//! What hooks are told and asked: each time with its surroundings.

use super::{
    Broker,
    state::{State, Untold},
    view::View,
};
use crate::{
    hooks::{ClientData, Context, Delivery, HookChain, HookSet, Notice, SessionEnd},
    id::ConnId,
    packet::PacketId,
    session::{Queued, Session},
};

/// Tells hooks of something about a connected client.
macro_rules! tell {
    ($broker:expr, $conn:expr, |$client:ident| $notice:expr) => {{
        let (broker, conn): (&mut $crate::broker::Broker, _) = (&mut *$broker, $conn);
        if broker.hooks.observes() {
            let mut data = broker.state.take_data(conn);
            let view = $crate::broker::View::new(&broker.state);
            let mut cx = $crate::hooks::Context::new(&mut data, view, &mut broker.orders);
            let $client = broker.state.client(conn);
            broker.hooks.notice(&$notice, &mut cx);
            broker.state.put_data(conn, data);
        }
    }};
}
pub(super) use tell;

impl Broker {
    /// Asks hooks about a connection. While they are asked, what the program keeps with it is theirs.
    pub(super) fn ask_hooks<R>(
        &mut self,
        conn: ConnId,
        ask: impl FnOnce(&mut HookChain, &State, &mut Context<'_>) -> R,
    ) -> R {
        let mut data = self.state.take_data(conn);
        let state = &self.state;
        let mut cx = Context::new(&mut data, View::new(state), &mut self.orders);
        let answer = ask(&mut self.hooks, state, &mut cx);
        self.state.put_data(conn, data);
        answer
    }

    /// Lends the surroundings that a hook has when it is asked about nobody, for tests of hooks. What it orders is carried
    /// out with the next event.
    pub fn lend_context<R>(&mut self, act: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let mut none = ClientData::default();
        let view = View::new(&self.state);
        act(&mut Context::new(&mut none, view, &mut self.orders))
    }

    /// Tells hooks that a session has ended. `conn` is the connection that it ended with, if it did.
    pub(super) fn tell_of_session_end(
        &mut self,
        session: &mut Session,
        conn: Option<ConnId>,
        why: SessionEnd,
    ) {
        if !self.hooks.wants(HookSet::NOTICE) {
            return;
        }
        let mut data = match conn {
            Some(conn) => self.state.take_data(conn),
            None => core::mem::take(&mut session.data),
        };
        let view = View::new(&self.state);
        let mut cx = Context::new(&mut data, view, &mut self.orders);
        let session = view.ended(session);
        let notice = Notice::SessionEnded { session, why };
        self.hooks.notice(&notice, &mut cx);
        if let Some(conn) = conn {
            self.state.put_data(conn, data);
        }
    }

    /// Tells hooks what became of messages since the last time.
    pub(super) fn tell_hooks(&mut self) {
        if self.state.untold.is_empty() {
            return;
        }
        for untold in core::mem::take(&mut self.state.untold) {
            match &untold {
                Untold::Dropped {
                    client_id,
                    copy,
                    why,
                } => {
                    let mut none = ClientData::default();
                    let view = View::new(&self.state);
                    let mut cx = Context::new(&mut none, view, &mut self.orders);
                    let message = &copy.message;
                    let notice = Notice::Dropped {
                        client_id,
                        topic: message.topic(),
                        payload: message.payload(),
                        properties: message.properties(),
                        qos: copy.qos,
                        retain: copy.retain,
                        identifiers: &copy.identifiers,
                        shared: copy.shared != 0,
                        why: *why,
                    };
                    self.hooks.notice(&notice, &mut cx);
                }
                Untold::Delivered {
                    conn,
                    copy,
                    packet_id,
                    dup,
                } => {
                    let delivery = delivery(copy, *packet_id, *dup);
                    tell!(self, *conn, |client| Notice::Delivered { client, delivery });
                }
                Untold::Acked {
                    conn,
                    copy,
                    packet_id,
                } => {
                    let delivery = delivery(copy, Some(*packet_id), false);
                    tell!(self, *conn, |client| Notice::Acked { client, delivery });
                }
            }
        }
    }
}

fn delivery(copy: &Queued, packet_id: Option<PacketId>, dup: bool) -> Delivery<'_> {
    Delivery {
        topic: copy.message.topic(),
        payload: copy.message.payload(),
        qos: copy.qos,
        retain: copy.retain,
        dup,
        packet_id,
    }
}
