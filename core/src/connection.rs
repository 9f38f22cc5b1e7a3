//! One network connection, from `Opened` to `Closed`.

use crate::{
    broker::{Authentication, Link, Stage},
    hooks::ClientData,
    id::{ConnId, Ticket},
    packet::Version,
    time::Instant,
    timer::TimerKey,
};
use alloc::boxed::Box;
use bytes::Bytes;

/// What the broker knows of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnId,
    pub(crate) link: Link,
    pub(crate) phase: Phase,
    /// The deadline of its stage, later the keep alive.
    pub(crate) timer: Option<TimerKey>,
    /// Bytes sent before it had a session, and not flushed.
    pub(crate) outbound_bytes: u32,
    /// When it was opened; from the CONNECT on, when that came.
    pub(crate) since: Instant,
    /// Its enhanced authentication.
    pub(crate) authentication: Option<Box<Authentication>>,
    /// What the program keeps with it.
    pub(crate) data: ClientData,
}

/// ```text
/// Opened -> Opening -> AwaitConnect --CONNECT--> Asking --permit--> Live --DISCONNECT, error, takeover--> Closing -> Closed
///              |            |                      |                                                       ^
///              +------------+--deadline, refusal---+-------------------------------------------------------+
/// ```
/// `Opening` is left out where MQTT is spoken at once. A CONNECT that no hook asks about goes from `AwaitConnect` to `Live`
/// at once; by way of `Waiting` if its session is in use.
#[derive(Debug)]
pub(crate) enum Phase {
    /// A layer below MQTT has still to do its part. Never [`Stage::Connect`].
    Opening(Stage),
    /// Nothing of MQTT was received yet.
    AwaitConnect,
    /// The CONNECT is in question. It has had no effect.
    Asking(Ticket),
    /// The CONNECT names an authentication method, and an AUTH is awaited.
    Authenticating,
    /// The CONNECT is permitted. It waits until what another connection of the session has received is read.
    Waiting {
        old: ConnId,
        version: Version,
        packet: Bytes,
    },
    /// Accepted.
    Live(Live),
    /// `Close` was ordered; whatever is reported of it before `Closed` is ignored.
    Closing,
}

/// A connection with a session.
#[derive(Debug)]
pub(crate) struct Live {
    /// Its place in the table of sessions.
    pub(crate) session: u32,
    pub(crate) version: Version,
    /// One and a half times the client's keep alive; 0 for as long as it likes. [MQTT-3.1.2-22]
    pub(crate) silence_max_ms: u32,
    pub(crate) last_received: Instant,
    /// The place among the known routes where its last message went.
    pub(crate) route: u32,
    /// PUBLISH packets decoded, by QoS.
    pub(crate) received: [u64; 3],
    /// Its CONNECT asked for a session that outlives it. [MQTT 5.0, 3.14.2.2.2]
    pub(crate) asked_to_outlive: bool,
    /// The question that holds it: nothing is read so long.
    pub(crate) held: Option<Ticket>,
    /// It does not take its answers: nothing is read until it does.
    pub(crate) throttled: bool,
    /// The connection that waits to take the session over.
    pub(crate) successor: Option<ConnId>,
}

impl Connection {
    pub(crate) fn live(&self) -> Option<&Live> {
        match &self.phase {
            Phase::Live(live) => Some(live),
            _ => None,
        }
    }

    pub(crate) fn live_mut(&mut self) -> Option<&mut Live> {
        match &mut self.phase {
            Phase::Live(live) => Some(live),
            _ => None,
        }
    }
}

/// Where a listener is counted: the highest number, which is no listener's, comes first.
fn place_of(listener: u16) -> usize {
    usize::from(listener.wrapping_add(1))
}

/// All connections, by the slots that the driver mints.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    slots: alloc::vec::Vec<Option<Connection>>,
    len: u32,
    /// How many there are of each listener, each in its [place](place_of).
    by_listener: alloc::vec::Vec<u32>,
}

impl Connections {
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// How many came in through this listener.
    pub(crate) fn len_of(&self, listener: u16) -> u32 {
        let of = self.by_listener.get(place_of(listener));
        of.copied().unwrap_or(0)
    }

    /// Files a new connection. The driver must not use a slot twice at a time (contract of `Opened`).
    pub(crate) fn open(&mut self, connection: Connection) {
        let slot = connection.id.slot as usize;
        if slot >= self.slots.len() {
            self.slots.resize_with(slot + 1, || None);
        }
        assert!(
            self.slots[slot].is_none(),
            "contract: a slot is opened again only after Closed"
        );
        *self.counted(connection.link.listener) += 1;
        self.slots[slot] = Some(connection);
        self.len += 1;
    }

    fn counted(&mut self, listener: u16) -> &mut u32 {
        let place = place_of(listener);
        if place >= self.by_listener.len() {
            self.by_listener.resize(place + 1, 0);
        }
        &mut self.by_listener[place]
    }

    /// Forgets a connection.
    pub(crate) fn close(&mut self, conn: ConnId) -> Option<Connection> {
        let listener = self.get(conn)?.link.listener;
        self.len -= 1;
        *self.counted(listener) -= 1;
        self.slots[conn.slot as usize].take()
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.slots
            .get(conn.slot as usize)?
            .as_ref()
            .filter(|connection| connection.id == conn)
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.slots
            .get_mut(conn.slot as usize)?
            .as_mut()
            .filter(|connection| connection.id == conn)
    }

    /// All connections, by slot.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ConnId> + '_ {
        self.slots.iter().flatten().map(|connection| connection.id)
    }
}
