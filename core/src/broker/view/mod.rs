//! Looking at a broker without changing it.

mod subscriptions;

pub use subscriptions::SubscriptionView;

use super::{Link, state::State};
use crate::{
    config::Config,
    connection::Connection,
    id::ConnId,
    message::Message,
    packet::{ClientPacket, Connect, PacketId, Properties, QoS, Version},
    session::{Queued, Session},
    stats::{SessionStatistics, Statistics},
    time::{Instant, WallClock},
};
use subscriptions::subscription_view;

/// Read-only access to a broker. Whoever looks at many things does it in pieces: a view is had within a turn, and
/// everybody waits meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    state: &'a State,
}

impl<'a> View<'a> {
    pub(crate) fn new(state: &'a State) -> Self {
        Self { state }
    }

    /// The counters.
    pub fn statistics(self) -> &'a Statistics {
        &self.state.statistics
    }

    /// The configuration in effect.
    pub fn config(self) -> &'a Config {
        &self.state.config
    }

    /// The time of the last event.
    pub fn now(self) -> Instant {
        self.state.now
    }

    /// The civil time of the last event.
    pub fn wall(self) -> WallClock {
        self.state.wall_at(self.state.now)
    }

    /// True once the broker was told to stop: nobody is accepted any more.
    pub fn is_draining(self) -> bool {
        self.state.draining
    }

    /// How many network connections there are through this listener, by the driver's number.
    pub fn connections_of(self, listener: u16) -> u32 {
        self.state.connections.len_of(listener)
    }

    /// Bytes sent to a connection that were not reported as flushed.
    pub fn outbound_bytes(self, conn: ConnId) -> Option<u32> {
        self.state.outbound_bytes(conn)
    }

    // Sessions

    /// The client identifiers that have a session, in their order, each with whether it is connected.
    pub fn sessions(self) -> impl Iterator<Item = (&'a str, bool)> {
        self.state.sessions_by_client_id()
    }

    /// How many sessions there are.
    pub fn sessions_len(self) -> usize {
        self.state.sessions.len()
    }

    /// The session of this client identifier.
    pub fn session(self, client_id: &str) -> Option<SessionView<'a>> {
        Some(self.session_at(self.state.sessions.find(client_id)?))
    }

    /// The sessions with numbers from `from` on, each with its number, in the order of those. A session keeps its number
    /// as long as it lives, so a walk in pieces misses none that is there all the time.
    pub fn sessions_from(self, from: u32) -> impl Iterator<Item = (u32, SessionView<'a>)> {
        let sessions = self.state.sessions.iter_from(from);
        sessions.map(move |(number, _)| (number, self.session_at(number)))
    }

    pub(crate) fn session_at(self, number: u32) -> SessionView<'a> {
        let hot = &self.state.hot[number as usize];
        let connection = match hot.online {
            true => self.state.connections.get(hot.conn),
            false => None,
        };
        SessionView {
            connection,
            unfolded: u64::from(hot.sent),
            ..self.ended(self.state.sessions.get(number))
        }
    }

    /// A session that is not filed any more.
    pub(crate) fn ended(self, session: &'a Session) -> SessionView<'a> {
        SessionView {
            session,
            connection: None,
            unfolded: 0,
            now: self.state.now,
            origin: self.state.wall_at(Instant::ORIGIN),
        }
    }

    // Retained messages

    /// The retained message of a topic, unless it has expired.
    pub fn retained(self, topic: &str) -> Option<MessageView<'a>> {
        let message = self.state.retained.get(topic)?;
        let is_there = !message.is_expired(self.state.now);
        is_there.then(|| MessageView::of(message, self.state.now))
    }

    /// The retained messages of topics after `after`, in the order of topics, that have not expired.
    pub fn retained_after(self, after: Option<&str>) -> impl Iterator<Item = MessageView<'a>> {
        let now = self.state.now;
        let messages = self.state.retained.after(after);
        messages
            .filter(move |message| !message.is_expired(now))
            .map(move |message| MessageView::of(message, now))
    }

    /// Bytes of retained messages, as they count for the limit.
    pub fn retained_bytes(self) -> u64 {
        self.state.retained.bytes()
    }
}

/// One session, connected or not.
#[derive(Clone, Copy, Debug)]
pub struct SessionView<'a> {
    session: &'a Session,
    connection: Option<&'a Connection>,
    /// Copies that are not in its counters yet.
    unfolded: u64,
    now: Instant,
    origin: WallClock,
}

impl<'a> SessionView<'a> {
    /// The client identifier.
    pub fn client_id(self) -> &'a str {
        &self.session.client_id
    }

    /// The user name of its last connection.
    pub fn username(self) -> Option<&'a str> {
        self.session.username.as_deref()
    }

    /// The version that its client spoke last.
    pub fn version(self) -> Version {
        self.session.version
    }

    /// Its connection, if there is one.
    pub fn conn(self) -> Option<ConnId> {
        Some(self.connection?.id)
    }

    /// Where its connection comes from.
    pub fn link(self) -> Option<&'a Link> {
        Some(&self.connection?.link)
    }

    /// Whether its last connection asked for a clean start.
    pub fn clean_start(self) -> bool {
        self.session.clean_start
    }

    /// The keep alive of its last connection in seconds; 0 for none.
    pub fn keep_alive_s(self) -> u16 {
        self.session.keep_alive_s
    }

    /// How long it outlives its connection, in seconds; `u32::MAX` for ever.
    pub fn expiry_s(self) -> u32 {
        self.session.expiry_s
    }

    /// When it was made.
    pub fn created_at(self) -> WallClock {
        self.at(self.session.created_s)
    }

    /// When its last connection was accepted.
    pub fn connected_at(self) -> Option<WallClock> {
        self.session.connected_s.map(|seconds| self.at(seconds))
    }

    /// When its last connection ended, if it has no other.
    pub fn disconnected_at(self) -> Option<WallClock> {
        self.session.disconnected_s.map(|seconds| self.at(seconds))
    }

    fn at(self, seconds: u32) -> WallClock {
        let millis = u64::from(seconds) * 1000;
        WallClock(self.origin.0.saturating_add(millis))
    }

    /// The will that waits for its connection to end, or its delay to pass.
    pub fn will(self) -> Option<WillView<'a>> {
        let will = self.session.will.as_deref()?;
        Some(WillView {
            topic: will.message.topic(),
            payload: will.message.payload(),
            qos: will.message.qos,
            retain: will.message.retain,
            delay_s: will.delay_s,
        })
    }

    /// The CONNECT of its last connection, password and all; kept only with
    /// [`keep_connects`](crate::config::Config::keep_connects).
    pub fn connect(self) -> Option<Connect<'a>> {
        let packet = self.session.connect.as_deref()?;
        match crate::codec::decode_again(packet, self.session.version) {
            ClientPacket::Connect(connect) => Some(*connect),
            other => unreachable!("a CONNECT was kept, not {other:?}"),
        }
    }

    /// Its subscriptions, in the order of their filters.
    pub fn subscriptions(self) -> impl ExactSizeIterator<Item = SubscriptionView<'a>> {
        let origin = self.origin;
        let all = self.session.subscriptions.iter();
        all.map(move |(filter, subscription)| subscription_view(filter, subscription, origin))
    }

    /// The same after the one to `after`.
    pub fn subscriptions_after(
        self,
        after: Option<&str>,
    ) -> impl Iterator<Item = SubscriptionView<'a>> {
        let origin = self.origin;
        let some = self.session.subscriptions.after(after);
        some.map(move |(filter, subscription)| subscription_view(filter, subscription, origin))
    }

    /// How many subscriptions were ever made in it; to replace one does not count.
    pub fn subscriptions_made(self) -> u32 {
        self.session.subscriptions_made
    }

    /// Its subscription to exactly this filter.
    pub fn subscription(self, filter: &str) -> Option<SubscriptionView<'a>> {
        let (filter, subscription) = self.session.subscriptions.get(filter)?;
        Some(subscription_view(filter, subscription, self.origin))
    }

    /// How many messages may be in flight to it.
    pub fn inflight_max(self) -> u16 {
        self.session.inflight_max
    }

    /// How many messages are in flight to it: QoS 1 not acknowledged, QoS 2 not received.
    pub fn inflight_len(self) -> usize {
        self.session.outbound.inflight()
    }

    /// The messages in flight to it, oldest first, as far as they are kept.
    pub fn inflight(self) -> impl Iterator<Item = MessageView<'a>> {
        let kept = self.session.outbound.kept();
        kept.map(move |(packet_id, queued)| self.message(queued, Some(packet_id)))
    }

    /// The same after the one with this packet identifier; all if that is not in flight any more. So a walk in pieces
    /// misses none that is there all the time.
    pub fn inflight_after(self, packet_id: PacketId) -> impl Iterator<Item = MessageView<'a>> {
        let kept = self.session.outbound.kept_after(packet_id);
        kept.map(move |(packet_id, queued)| self.message(queued, Some(packet_id)))
    }

    /// How many QoS 2 messages to it await PUBCOMP.
    pub fn awaiting_release_len(self) -> usize {
        self.session.outbound.releasing_len()
    }

    /// How many QoS 2 messages from it await PUBREL.
    pub fn inbound_len(self) -> usize {
        self.session.inbound.len()
    }

    /// How many messages wait in its queue.
    pub fn queue_len(self) -> usize {
        self.session.queue.len()
    }

    /// Bytes that wait in its queue.
    pub fn queue_bytes(self) -> u64 {
        self.session.queue.bytes()
    }

    /// The messages in its queue, next first.
    pub fn queue(self) -> impl Iterator<Item = MessageView<'a>> {
        self.queue_after(0).map(|(_, message)| message)
    }

    /// The messages in its queue that came after the one with this number, each with its number; the first one was 1. A
    /// message keeps its number, so a walk in pieces misses none that is there all the time.
    pub fn queue_after(self, number: u64) -> impl Iterator<Item = (u64, MessageView<'a>)> {
        let queue = self.session.queue.iter_after(number);
        queue.map(move |(number, queued)| (number, self.message(queued, None)))
    }

    fn message(self, queued: &'a Queued, packet_id: Option<PacketId>) -> MessageView<'a> {
        MessageView {
            qos: queued.qos,
            retain: queued.retain,
            packet_id: packet_id.map(PacketId::get),
            ..MessageView::of(&queued.message, self.now)
        }
    }

    /// What it has sent, received and lost since it was made.
    pub fn statistics(self) -> SessionStatistics {
        let mut statistics = self.session.statistics();
        statistics.messages_sent[0] += self.unfolded;
        if let Some(live) = self.connection.and_then(Connection::live) {
            for (sum, more) in statistics.messages_received.iter_mut().zip(live.received) {
                *sum += more;
            }
        }
        statistics
    }
}

/// A will that waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WillView<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// What it says.
    pub payload: &'a [u8],
    /// The QoS it is published with.
    pub qos: QoS,
    /// Whether it will be retained.
    pub retain: bool,
    /// How long it waits after the connection has ended, in seconds.
    pub delay_s: u32,
}

/// A message that is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MessageView<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// What it says.
    pub payload: &'a [u8],
    /// Its QoS: of a retained one that it was published with, of others that it is delivered with.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// The packet identifier, if it is in flight.
    pub packet_id: Option<u16>,
    /// The 5.0 properties that are forwarded with it.
    pub properties: Properties<'a>,
    /// Seconds until it expires, rounded up.
    pub expires_in_s: Option<u32>,
}

impl<'a> MessageView<'a> {
    fn of(message: &'a Message, now: Instant) -> Self {
        Self {
            topic: message.topic(),
            payload: message.payload(),
            qos: message.qos,
            retain: message.retain,
            packet_id: None,
            properties: message.properties(),
            expires_in_s: crate::message::remaining_expiry_s(message.expires(), now),
        }
    }
}
