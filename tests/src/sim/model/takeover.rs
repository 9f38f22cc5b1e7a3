//! A session changes its connection: what the older one has received counts first. [MQTT-3.1.4-3]

use super::{Judged, Model, Phase, connect::connect_bytes, violated};
use crate::sim::{tally::Tally, wire::Turn};
use sanderling_core::{
    codec::decode_again,
    id::ConnId,
    packet::{ClientPacket, Connect},
};

impl Model {
    /// The CONNECT is permitted. A session in use comes over when what its connection has received was read.
    pub(super) fn succeed(
        &mut self,
        id: ConnId,
        connect: &Connect<'_>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let older = self
            .sessions
            .get(connect.client_id)
            .and_then(|session| session.conn);
        let Some(older) = older else {
            return self.admit(id, connect, turn, tally);
        };
        let rival = self.conn(older).successor.take();
        if let Some(rival) = rival {
            tally.sometimes("two connections want the same session");
            let state = self.state_of(rival);
            tally.fault("takeover", state);
            self.conn(rival).phase = Phase::Closing;
            if turn.take_close(rival).is_none() {
                violated!("I26", "{rival} and {id} both wait for {older}");
            }
        }
        if self.conn(older).held.is_some() {
            // Who is held is not read, and so not waited for.
            return self.admit(id, connect, turn, tally);
        }
        let anew = self.deadline_in(self.conns[&id].limits.connect_deadline);
        let conn = self.conn(id);
        conn.phase = Phase::Waiting;
        if conn.is_connect_late {
            // The deadline passed while a hook was asked, and begins anew.
            conn.connect_by = anew;
        }
        conn.waits_for = Some((older, connect_bytes(connect)));
        tally.sometimes("a connection waits for another to be read");
        self.conn(older).successor = Some(id);
        if rival.is_some() {
            return Ok(());
        }
        match turn.drains.iter().position(|drained| *drained == older) {
            Some(at) => {
                turn.drains.remove(at);
                Ok(())
            }
            None => violated!("I26", "{id} waits for {older}, which is not to be drained"),
        }
    }

    pub(super) fn on_drained(&mut self, id: ConnId, turn: &mut Turn, tally: &mut Tally) -> Judged {
        let successor = self
            .conns
            .get_mut(&id)
            .and_then(|conn| conn.successor.take());
        self.go_on_with(successor, turn, tally)
    }

    /// A connection that waited gets its session.
    pub(super) fn go_on_with(
        &mut self,
        waiting: Option<ConnId>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let Some(id) = waiting else {
            return Ok(());
        };
        let conn = self.conn(id);
        let Some((_, packet)) = conn
            .waits_for
            .take()
            .filter(|_| conn.phase == Phase::Waiting)
        else {
            return Ok(());
        };
        conn.phase = Phase::AwaitConnect;
        let (packet, version) = (packet.into(), conn.version);
        let ClientPacket::Connect(connect) = decode_again(&packet, version) else {
            violated!("I26", "{id} waits with a packet that is no CONNECT");
        };
        self.admit(id, &connect, turn, tally)?;
        self.expect_resume(id, turn, tally)
    }

    /// A connection that waits has ended.
    pub(super) fn stop_waiting(&mut self, id: ConnId) {
        let older = self.conn(id).waits_for.take().map(|(older, _)| older);
        if let Some(older) = older.and_then(|older| self.conns.get_mut(&older))
            && older.successor == Some(id)
        {
            older.successor = None;
        }
    }
}
