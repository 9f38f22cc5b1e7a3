//! What the engine looks at after a time: connections that are to close, and peers that keep it waiting.

use super::{CLOSE_DEADLINE, Engine, Socket, connection::Writing};
use sanderling_core::{
    broker::{CloseCause, Event, Lag},
    id::ConnId,
};

/// Something to look at. A connection has each kind at most once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Alarm {
    /// It was ordered to close.
    Close(ConnId),
    /// It has begun a packet.
    Packet(ConnId),
    /// Its socket takes nothing.
    Output(ConnId),
}

impl<S: Socket> Engine<S> {
    pub(super) fn ring_alarms(&mut self) {
        while let Some(alarm) = self.alarms.pop_due(self.now) {
            match alarm {
                Alarm::Close(conn) => self.end(conn, CloseCause::Ordered),
                Alarm::Packet(conn) => self.look_for_packet(conn),
                Alarm::Output(conn) => self.look_for_output(conn),
            }
        }
    }

    /// Ends a closing connection whose peer does not do its part.
    pub(super) fn close_by_deadline(&mut self, conn: ConnId) {
        self.alarms
            .insert(self.now + CLOSE_DEADLINE, Alarm::Close(conn));
    }

    /// Part of a packet waits for its rest.
    pub(super) fn watch_packet(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn)
            && !core::mem::replace(&mut connection.lags.packet_is_watched, true)
        {
            let at = self.now + self.limits.packet_deadline;
            self.alarms.insert(at, Alarm::Packet(conn));
        }
    }

    fn look_for_packet(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.lags.packet_is_watched = false;
        // What a connection sends while nobody wants to read it is no reproach.
        let Some(since) = connection.lags.packet.get().filter(|_| !connection.held) else {
            return;
        };
        let at = since + self.limits.packet_deadline;
        if at > self.now {
            connection.lags.packet_is_watched = true;
            self.alarms.insert(at, Alarm::Packet(conn));
        } else {
            let lag = Lag::Packet;
            self.tell(Event::Lagged { conn, lag });
        }
    }

    /// After each attempt to write: the socket takes nothing, or does again.
    pub(super) fn watch_output(&mut self, conn: ConnId) {
        let deadline = self.limits.output_deadline;
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if connection.writing != Writing::Full || deadline.is_zero() {
            connection.lags.output.end();
        } else if connection.lags.output.get().is_none() {
            connection.lags.output.begin(self.now);
            if !core::mem::replace(&mut connection.lags.output_is_watched, true) {
                self.alarms.insert(self.now + deadline, Alarm::Output(conn));
            }
        }
    }

    fn look_for_output(&mut self, conn: ConnId) {
        let deadline = self.limits.output_deadline;
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.lags.output_is_watched = false;
        let Some(since) = connection.lags.output.get() else {
            return;
        };
        if since + deadline > self.now {
            connection.lags.output_is_watched = true;
            self.alarms.insert(since + deadline, Alarm::Output(conn));
        } else {
            let lag = Lag::Output;
            self.tell(Event::Lagged { conn, lag });
        }
    }
}
