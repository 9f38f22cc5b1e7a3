//! What the broker knows, and the small steps that several flows share.

use super::{Action, Actions, DropCause, Link};
use crate::{
    codec::{ack_len, put_ack},
    config::{Config, Limits},
    connection::{Connections, Live},
    hooks::{Client, HookSet},
    id::{ConnId, Ticket},
    packet::{PacketId, PacketType, ServerPacket, Version},
    reason::ReasonCode,
    retained::{Remains, Retained},
    session::{ByFilter, Queued, Session, Subscription},
    shared::Groups,
    stats::Statistics,
    time::{Instant, WallClock},
    timer::{TimerKey, Wheel},
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use super::{
    Seed,
    consult::Tickets,
    form::{Forms, PACKET_BYTES_MAX},
    routes::{Route, Routes},
    sessions::Sessions,
    share::Orphan,
};

/// Everything but the hooks, so that a flow can hold both.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: Config,
    /// The bounds of each listener that has its own, by its number.
    limits: Vec<Limits>,
    pub(crate) now: Instant,
    /// The civil time at the origin of `now`.
    wall_at_origin: WallClock,
    pub(crate) connections: Connections,
    pub(crate) sessions: Sessions,
    /// What a fan-out reads of each session, side by side.
    pub(crate) hot: Vec<Hot>,
    pub(crate) routes: Routes,
    pub(crate) groups: Groups,
    /// Messages of shared subscriptions whose receiver is gone.
    pub(crate) orphans: VecDeque<Orphan>,
    pub(crate) retained: Retained,
    pub(crate) tickets: Tickets,
    pub(crate) statistics: Statistics,
    /// Sessions with a replay to carry on, in turn.
    pub(crate) runnable: VecDeque<u32>,
    /// What happened to messages during this event; filled only if a hook wants to know.
    pub(crate) untold: Vec<Untold>,
    pub(crate) watches: Watches,
    pub(crate) draining: bool,
    /// Hooks know that it is over.
    pub(crate) stopped: bool,
    /// Subscriptions for client identifiers that have no session yet.
    pub(crate) reserved: Reserved,
    /// How many.
    pub(crate) reserved_len: u32,
    /// What was retained before the store was emptied.
    pub(crate) remains: Remains,
    /// The receivers of a message whose topic is not known; kept for its memory.
    pub(crate) found: Route,
    /// Places of the receivers of a run that cannot have it whole; kept for its memory.
    pub(crate) others: Vec<u32>,
    /// For each session the last message routed to it, and its place among the receivers then: so one that is met twice
    /// is noticed without a set.
    pub(crate) stamps: Vec<Stamp>,
    /// Numbers the routed messages.
    pub(crate) route: u32,
    /// The encoded forms of the message being routed.
    pub(crate) forms: Forms,
    wheel: Wheel<Due>,
    /// The time told to the driver last, until it fires.
    announced: Instant,
    /// The earliest deadline set since then.
    earliest: Instant,
}

/// What a timer was set for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Due {
    /// The CONNECT of this connection is late.
    Connect(ConnId),
    /// This connection may have been silent too long.
    KeepAlive(ConnId),
    /// Nobody ruled on this question.
    Verdict(Ticket),
    /// This session was away too long.
    Expiry(u32),
    /// This session's will has waited long enough.
    Will(u32),
    /// What this session has in flight is sent again.
    Retry(u32),
}

/// The part of a session that a fan-out reads: two share a cache line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hot {
    /// Meaningful while `online`.
    pub(crate) conn: ConnId,
    /// Bytes sent to the connection and not flushed.
    pub(crate) outbound_bytes: u32,
    /// How much of it are answers, at most.
    pub(crate) answer_bytes: u32,
    /// The client's Maximum Packet Size.
    pub(crate) packet_bytes_max: u32,
    /// QoS 0 copies handed to the connection that are not in the session's counters yet.
    pub(crate) sent: u32,
    pub(crate) online: bool,
    pub(crate) v5: bool,
    /// It takes topic aliases.
    pub(crate) aliases: bool,
    /// Something waits for room: look at the session when bytes are flushed.
    pub(crate) backlog: bool,
}

impl Hot {
    pub(super) const AWAY: Self = Self {
        conn: ConnId {
            slot: 0,
            generation: 0,
        },
        outbound_bytes: 0,
        answer_bytes: 0,
        packet_bytes_max: PACKET_BYTES_MAX,
        sent: 0,
        online: false,
        v5: false,
        aliases: false,
        backlog: false,
    };
}

/// See [`State::stamps`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamp {
    pub(crate) route: u32,
    pub(crate) receiver: u32,
}

/// What happened to a copy of a message, for the hooks.
#[derive(Debug)]
pub(crate) enum Untold {
    Dropped {
        client_id: Box<str>,
        /// As the receiver would have got it.
        copy: Queued,
        why: DropCause,
    },
    Delivered {
        conn: ConnId,
        copy: Queued,
        packet_id: Option<PacketId>,
        dup: bool,
    },
    Acked {
        conn: ConnId,
        copy: Queued,
        packet_id: PacketId,
    },
}

/// What hooks want to know of single messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watches {
    pub(crate) drops: bool,
    pub(crate) deliveries: bool,
    pub(crate) acks: bool,
}

impl Watches {
    pub(crate) fn of(wants: impl Fn(HookSet) -> bool) -> Self {
        Self {
            drops: wants(HookSet::NOTICE),
            deliveries: wants(HookSet::DELIVERED),
            acks: wants(HookSet::ACKED),
        }
    }
}

/// Subscriptions that the program made for clients that have no session yet: by client identifier, then by filter.
pub(crate) type Reserved = BTreeMap<Box<str>, ByFilter<Subscription>>;

impl State {
    pub(crate) fn new(
        config: Config,
        seed: Seed,
        now: Instant,
        wall: WallClock,
        watches: Watches,
    ) -> Self {
        let [hash_seed, lots_seed] = seed.two();
        let numbers = 0..u16::try_from(config.listeners.len()).unwrap_or(u16::MAX);
        Self {
            limits: numbers.map(|number| config.limits_of(number)).collect(),
            config,
            now,
            wall_at_origin: WallClock(wall.0.saturating_sub(now.as_millis())),
            connections: Connections::default(),
            sessions: Sessions::new(hash_seed),
            hot: Vec::new(),
            routes: Routes::new(hash_seed),
            groups: Groups::new(lots_seed),
            orphans: VecDeque::new(),
            retained: Retained::default(),
            tickets: Tickets::default(),
            statistics: Statistics::default(),
            runnable: VecDeque::new(),
            untold: Vec::new(),
            watches,
            draining: false,
            stopped: false,
            reserved: Reserved::new(),
            reserved_len: 0,
            remains: Remains::default(),
            found: Route::default(),
            others: Vec::new(),
            stamps: Vec::new(),
            route: 0,
            forms: Forms::default(),
            wheel: Wheel::new(now),
            announced: Instant::FAR_FUTURE,
            earliest: Instant::FAR_FUTURE,
        }
    }

    /// Takes the driver's clock.
    pub(crate) fn advance(&mut self, now: Instant) {
        assert!(
            now >= self.now,
            "contract: time went back from {} to {now}",
            self.now
        );
        self.now = now;
    }

    /// Whole seconds of the broker's time.
    pub(crate) fn seconds(&self) -> u32 {
        u32::try_from(self.now.as_millis() / 1000).unwrap_or(u32::MAX)
    }

    /// The civil time at this instant, if nobody has changed the clock since the broker began.
    pub(crate) fn wall_at(&self, at: Instant) -> WallClock {
        WallClock(self.wall_at_origin.0.saturating_add(at.as_millis()))
    }

    // Timers

    pub(crate) fn set_timer(&mut self, at: Instant, due: Due) -> TimerKey {
        // The wheel turns in whole milliseconds.
        let millis = at.as_nanos().div_ceil(1_000_000);
        self.earliest = self.earliest.min(Instant::from_millis(millis));
        self.wheel.insert(at, due)
    }

    pub(crate) fn cancel_timer(&mut self, timer: Option<TimerKey>) {
        if let Some(timer) = timer {
            self.wheel.cancel(timer);
        }
    }

    pub(crate) fn pop_due(&mut self) -> Option<Due> {
        self.wheel.pop_due(self.now)
    }

    /// Has the driver call again at once: there is more to do.
    pub(crate) fn wake_now(&mut self) {
        self.earliest = self.now;
    }

    /// After the timer fired, the next deadline is announced afresh.
    pub(crate) fn forget_announced(&mut self) {
        self.announced = Instant::FAR_FUTURE;
        self.earliest = self.wheel.next_deadline().unwrap_or(Instant::FAR_FUTURE);
    }

    /// Tells the driver of a deadline earlier than the one it knows.
    pub(crate) fn announce(&mut self, actions: &mut Actions) {
        if self.earliest < self.announced {
            self.announced = self.earliest;
            actions.push(Action::Timer { at: self.earliest });
        }
    }

    // Connections and sessions

    pub(crate) fn is_live(&self, conn: ConnId) -> bool {
        self.connections
            .get(conn)
            .is_some_and(|connection| connection.live().is_some())
    }

    pub(crate) fn live(&self, conn: ConnId) -> &Live {
        self.connections
            .get(conn)
            .and_then(|c| c.live())
            .expect("the flow was given a live connection")
    }

    pub(crate) fn live_mut(&mut self, conn: ConnId) -> &mut Live {
        self.connections
            .get_mut(conn)
            .and_then(|c| c.live_mut())
            .expect("the flow was given a live connection")
    }

    /// A live connection's session.
    pub(crate) fn session_of(&mut self, conn: ConnId) -> &mut Session {
        let session = self.live(conn).session;
        self.sessions.get_mut(session)
    }

    /// The bounds that hold for an open connection.
    pub(crate) fn limits(&self, conn: ConnId) -> &Limits {
        let listener = usize::from(self.link(conn).listener);
        self.limits.get(listener).unwrap_or(&self.config.limits)
    }

    pub(crate) fn link(&self, conn: ConnId) -> &Link {
        &self
            .connections
            .get(conn)
            .expect("the flow was given an open connection")
            .link
    }

    /// A live connection as hooks see it.
    pub(crate) fn client(&self, conn: ConnId) -> Client<'_> {
        let live = self.live(conn);
        let session = self.sessions.get(live.session);
        Client {
            conn,
            link: self.link(conn),
            client_id: &session.client_id,
            username: session.username.as_deref(),
            version: live.version,
        }
    }

    pub(crate) fn outbound_bytes(&self, conn: ConnId) -> Option<u32> {
        let live = self.connections.get(conn)?.live()?;
        Some(self.hot[live.session as usize].outbound_bytes)
    }

    pub(crate) fn sessions_by_client_id(&self) -> impl Iterator<Item = (&str, bool)> {
        let mut all: Vec<_> = self
            .sessions
            .iter()
            .map(|(number, session)| (&*session.client_id, self.hot[number as usize].online))
            .collect();
        all.sort_unstable();
        all.into_iter()
    }

    // Sending

    /// Sends a control packet to a live connection. None is ever dropped, but for one that is larger than the client
    /// takes. [MQTT-3.1.2-24]
    pub(crate) fn send(&mut self, conn: ConnId, packet: &ServerPacket<'_>, actions: &mut Actions) {
        let live = self.live(conn);
        let (session, version) = (live.session, live.version);
        let packet_bytes_max = self.hot[session as usize].packet_bytes_max;
        if packet_bytes_max < PACKET_BYTES_MAX
            && packet
                .encoded_len(version)
                .is_ok_and(|len| len > packet_bytes_max as usize)
        {
            return;
        }
        let bytes = self.send_unaccounted(conn, version, packet, actions);
        let hot = &mut self.hot[session as usize];
        hot.outbound_bytes = hot.outbound_bytes.saturating_add(bytes);
        hot.answer_bytes = hot.answer_bytes.saturating_add(bytes);
    }

    /// Sends an acknowledgement without properties, as [`send`](Self::send) would.
    pub(crate) fn send_ack(
        &mut self,
        conn: ConnId,
        packet: PacketType,
        packet_id: PacketId,
        reason: ReasonCode,
        actions: &mut Actions,
    ) {
        let packet_ids = core::iter::once(packet_id);
        self.send_acks(conn, packet, packet_ids, |_, _| reason, actions);
    }

    /// Sends one for each identifier, with the reason that the session gives.
    #[inline]
    pub(crate) fn send_acks(
        &mut self,
        conn: ConnId,
        packet: PacketType,
        packet_ids: impl Iterator<Item = PacketId>,
        mut reason: impl FnMut(&mut Session, PacketId) -> ReasonCode,
        actions: &mut Actions,
    ) {
        let live = self.live(conn);
        let (number, version) = (live.session, live.version);
        let session = self.sessions.get_mut(number);
        let hot = &mut self.hot[number as usize];
        let mut count = 0;
        let bytes = actions.send(conn, |arena| {
            for packet_id in packet_ids {
                let reason = reason(session, packet_id);
                if ack_len(version, reason) <= hot.packet_bytes_max {
                    put_ack(arena, version, packet, packet_id, reason);
                    count += 1;
                }
            }
        });
        hot.outbound_bytes = hot.outbound_bytes.saturating_add(bytes);
        hot.answer_bytes = hot.answer_bytes.saturating_add(bytes);
        self.statistics.sent_several(packet, count, bytes);
    }

    /// Sends to a connection that has no session, or none any more.
    pub(crate) fn send_unaccounted(
        &mut self,
        conn: ConnId,
        version: Version,
        packet: &ServerPacket<'_>,
        actions: &mut Actions,
    ) -> u32 {
        let bytes = actions.send(conn, |arena| {
            packet
                .encode(version, arena)
                .expect("the broker builds packets that can be encoded");
        });
        self.statistics.sent(packet.packet_type(), bytes);
        bytes
    }

    pub(crate) fn pong(&mut self, conn: ConnId, actions: &mut Actions) {
        self.send(conn, &ServerPacket::PingResp, actions);
    }

    /// Notes that a message was lost for one receiver.
    pub(crate) fn count_drop(&mut self, session: u32, copy: Queued, why: DropCause) {
        self.statistics.dropped(copy.qos, why);
        let session = self.sessions.get_mut(session);
        session.count().messages_dropped[copy.qos as usize] += 1;
        if self.watches.drops {
            let client_id = session.client_id.clone();
            self.untold.push(Untold::Dropped {
                client_id,
                copy,
                why,
            });
        }
    }

    /// The same for a receiver whose session may be gone.
    pub(crate) fn note_drop(&mut self, client_id: &str, copy: Queued, why: DropCause) {
        self.statistics.dropped(copy.qos, why);
        if self.watches.drops {
            let client_id = client_id.into();
            self.untold.push(Untold::Dropped {
                client_id,
                copy,
                why,
            });
        }
    }
}
