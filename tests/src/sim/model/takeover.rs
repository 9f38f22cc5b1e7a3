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
        // Who is held is not read, and so not waited for.
        let Some(older) = older.filter(|older| self.conns[older].held.is_none()) else {
            return self.admit(id, connect, turn, tally);
        };
        let now_ms = self.now_ms;
        let conn = self.conn(id);
        conn.phase = Phase::Waiting;
        if conn.connect_by_ms <= now_ms {
            // The deadline passed while a hook was asked; that the driver reports `Drained` is its contract.
            conn.connect_by_ms = u64::MAX;
        }
        conn.waits_for = Some((older, connect_bytes(connect)));
        tally.sometimes("a connection waits for another to be read");
        if let Some(rival) = self.conn(older).successor.replace(id) {
            tally.sometimes("two connections wait for the same session");
            self.conn(rival).phase = Phase::Closing;
            return match turn.take_close(rival) {
                Some(_) => Ok(()),
                None => violated!("I26", "{rival} and {id} both wait for {older}"),
            };
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
        self.expect_resume(id, turn)
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
