//! What the broker knows, and the small steps that several flows share.

use super::{Action, Actions, DropCause, Link};
use crate::{
    config::{Config, Limits},
    connection::{Connections, Live},
    hooks::Client,
    id::{ConnId, Ticket},
    packet::{ServerPacket, Version},
    retained::Retained,
    session::{Queued, Session},
    shared::Groups,
    stats::Statistics,
    time::{Instant, WallClock},
    timer::{TimerKey, Wheel},
    topic::{Index, Member},
};
use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use core::hash::BuildHasher;
use hashbrown::HashMap;

use super::{
    Seed,
    consult::Tickets,
    form::{Forms, PACKET_BYTES_MAX},
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
    #[allow(dead_code, reason = "read when sessions outlive a restart")]
    wall_at_origin: WallClock,
    pub(crate) connections: Connections,
    pub(crate) sessions: Sessions,
    /// What a fan-out reads of each session, side by side.
    pub(crate) hot: Vec<Hot>,
    pub(crate) index: Index,
    pub(crate) groups: Groups,
    /// Messages of shared subscriptions whose receiver is gone.
    pub(crate) orphans: VecDeque<Orphan>,
    pub(crate) retained: Retained,
    pub(crate) tickets: Tickets,
    pub(crate) statistics: Statistics,
    /// Sessions with a replay to carry on, in turn.
    pub(crate) runnable: VecDeque<u32>,
    /// Messages lost during this event; filled only if a hook wants to know.
    pub(crate) drops: Vec<Drop>,
    pub(crate) watches_drops: bool,
    pub(crate) draining: bool,
    /// Receivers of the message being routed; kept for its memory.
    pub(crate) receivers: Vec<Member>,
    /// Numbers the routed messages, so that a session met twice is noticed without a set.
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
    /// The last message routed to it, and its place among the receivers then.
    pub(crate) route: u32,
    pub(crate) receiver: u32,
    pub(crate) online: bool,
    pub(crate) v5: bool,
    /// It takes topic aliases.
    pub(crate) aliases: bool,
    /// Something waits for room: look at the session when bytes are flushed.
    pub(crate) backlog: bool,
}

impl Hot {
    const AWAY: Self = Self {
        conn: ConnId {
            slot: 0,
            generation: 0,
        },
        outbound_bytes: 0,
        answer_bytes: 0,
        packet_bytes_max: PACKET_BYTES_MAX,
        route: 0,
        receiver: 0,
        online: false,
        v5: false,
        aliases: false,
        backlog: false,
    };
}

/// A message that was lost, for the hooks.
#[derive(Debug)]
pub(crate) struct Drop {
    pub(crate) client_id: Box<str>,
    /// As the receiver would have got it.
    pub(crate) copy: Queued,
    pub(crate) why: DropCause,
}

impl State {
    pub(crate) fn new(
        config: Config,
        seed: Seed,
        now: Instant,
        wall: WallClock,
        watches_drops: bool,
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
            index: Index::new(hash_seed),
            groups: Groups::new(lots_seed),
            orphans: VecDeque::new(),
            retained: Retained::default(),
            tickets: Tickets::default(),
            statistics: Statistics::default(),
            runnable: VecDeque::new(),
            drops: Vec::new(),
            watches_drops,
            draining: false,
            receivers: Vec::new(),
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

    /// Files a new session without connection.
    pub(crate) fn create_session(&mut self, client_id: &str, version: Version) -> u32 {
        let number = self.sessions.insert(Session::new(client_id, version));
        if self.hot.len() <= number as usize {
            self.hot.resize(number as usize + 1, Hot::AWAY);
        }
        self.hot[number as usize] = Hot::AWAY;
        self.statistics.sessions_inactive_current += 1;
        number
    }

    pub(crate) fn attach(&mut self, number: u32, conn: ConnId, packet_bytes_max: u32) {
        let session = self.sessions.get(number);
        let (v5, aliases) = (
            session.version == Version::V5,
            session.outbound_aliases.is_some(),
        );
        self.hot[number as usize] = Hot {
            conn,
            packet_bytes_max,
            online: true,
            v5,
            aliases,
            ..Hot::AWAY
        };
        self.statistics.sessions_inactive_current -= 1;
        self.statistics.sessions_active_current += 1;
    }

    /// What was sent before the connection had a session counts from now on.
    pub(crate) fn carry_account(&mut self, number: u32, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn) {
            self.hot[number as usize].outbound_bytes = connection.outbound_bytes;
        }
    }

    pub(crate) fn detach(&mut self, number: u32) {
        self.hot[number as usize] = Hot::AWAY;
        self.statistics.sessions_active_current -= 1;
        self.statistics.sessions_inactive_current += 1;
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
        self.statistics.dropped(copy.qos);
        if self.watches_drops {
            let client_id = self.sessions.get(session).client_id.clone();
            self.drops.push(Drop {
                client_id,
                copy,
                why,
            });
        }
    }

    /// The same for a receiver whose session may be gone.
    pub(crate) fn note_drop(&mut self, client_id: &str, copy: Queued, why: DropCause) {
        self.statistics.dropped(copy.qos);
        if self.watches_drops {
            let client_id = client_id.into();
            self.drops.push(Drop {
                client_id,
                copy,
                why,
            });
        }
    }
}

/// All sessions: dense numbers for the fan-out, and the way from a client identifier to its number.
#[derive(Debug)]
pub(crate) struct Sessions {
    slots: Vec<Option<Box<Session>>>,
    free: Vec<u32>,
    by_client_id: HashMap<Box<str>, u32, foldhash::fast::FixedState>,
}

impl Sessions {
    fn new(hash_seed: u64) -> Self {
        let by_client_id = HashMap::with_hasher(foldhash::fast::FixedState::with_seed(hash_seed));
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_client_id,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn find(&self, client_id: &str) -> Option<u32> {
        self.by_client_id.get(client_id).copied()
    }

    pub(crate) fn get(&self, number: u32) -> &Session {
        self.slots[number as usize]
            .as_ref()
            .expect("a session number is valid while it is filed")
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> &mut Session {
        self.slots[number as usize]
            .as_mut()
            .expect("a session number is valid while it is filed")
    }

    /// A number that stands for the client identifier of this session, and of any later one with the same.
    pub(crate) fn fingerprint(&self, number: u32) -> u64 {
        self.by_client_id
            .hasher()
            .hash_one(&*self.get(number).client_id)
            .max(1)
    }

    /// The session with this number, if there is one.
    pub(crate) fn look_up(&mut self, number: u32) -> Option<&mut Session> {
        self.slots.get_mut(number as usize)?.as_deref_mut()
    }

    fn insert(&mut self, session: Session) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("sessions are limited to fewer than 2^32")
        });
        self.by_client_id.insert(session.client_id.clone(), number);
        self.slots[number as usize] = Some(Box::new(session));
        number
    }

    pub(crate) fn remove(&mut self, number: u32) -> Box<Session> {
        let session = self.slots[number as usize]
            .take()
            .expect("a session ends once");
        self.by_client_id.remove(&session.client_id);
        self.free.push(number);
        session
    }

    fn iter(&self) -> impl Iterator<Item = (u32, &Session)> {
        (0..)
            .zip(&self.slots)
            .filter_map(|(number, slot)| Some((number, &**slot.as_ref()?)))
    }
}
