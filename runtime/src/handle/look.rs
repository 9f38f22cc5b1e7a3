//! What there is to know of clients, copied out of the broker.

use crate::Endpoint;
use bytes::Bytes;
use sanderling_core::{
    broker::{Identity, Link, MessageView, SessionView, SubscriptionView, View, WillView},
    packet::{PropertiesBuf, QoS, SubscribeOptions, Version},
    stats::SessionStatistics,
    time::WallClock,
};
use std::{fmt, net::SocketAddr, sync::Arc};

/// A client: its session, and its connection if it has one.
#[derive(Clone, Eq, PartialEq)]
pub struct ClientInfo {
    /// Its number as long as it lives; see [`Handle::clients`](crate::Handle::clients).
    pub client_id: String,
    /// The user name of its last connection.
    pub username: Option<String>,
    /// The password of its last connection; only with [`keep_connects`](sanderling_core::config::Config::keep_connects).
    pub password: Option<Bytes>,
    /// Whether it is connected.
    pub is_connected: bool,
    /// The version that it spoke last.
    pub version: Version,
    /// The listener of its connection.
    pub listener: Option<Box<str>>,
    /// The address of its connection.
    pub remote_addr: Option<SocketAddr>,
    /// The address that it connected to.
    pub local_addr: Option<SocketAddr>,
    /// Who it proved to be by a certificate.
    pub identity: Option<Arc<Identity>>,
    /// The keep alive of its last connection in seconds.
    pub keep_alive_s: u16,
    /// Whether its last connection asked for a clean start.
    pub clean_start: bool,
    /// How long its session outlives its connection, in seconds; `u32::MAX` for ever.
    pub expiry_s: u32,
    /// The will that waits.
    pub will: Option<WillInfo>,
    /// When its session was made.
    pub created_at: WallClock,
    /// When its last connection was accepted.
    pub connected_at: Option<WallClock>,
    /// When its last connection ended, if it has no other.
    pub disconnected_at: Option<WallClock>,
    /// How many subscriptions it has.
    pub subscriptions: usize,
    /// How many messages may be in flight to it.
    pub inflight_max: u16,
    /// How many are.
    pub inflight_len: usize,
    /// How many QoS 2 messages to it await PUBCOMP.
    pub awaiting_release_len: usize,
    /// How many QoS 2 messages from it await PUBREL.
    pub inbound_len: usize,
    /// How many messages wait in its queue.
    pub queue_len: usize,
    /// Bytes that wait there.
    pub queue_bytes: u64,
    /// What it has sent, received and lost.
    pub statistics: SessionStatistics,
}

impl fmt::Debug for ClientInfo {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientInfo")
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("is_connected", &self.is_connected)
            .field("version", &self.version)
            .field("remote_addr", &self.remote_addr)
            .finish_non_exhaustive()
    }
}

impl ClientInfo {
    /// A copy of what a view shows. `endpoints` are those of the broker.
    pub fn of(session: SessionView<'_>, endpoints: &[Endpoint]) -> Self {
        let link = session.link();
        let endpoint = link.and_then(|link| endpoints.get(usize::from(link.listener)));
        let connect = session.connect();
        Self {
            client_id: session.client_id().into(),
            username: session.username().map(Into::into),
            password: connect.and_then(|one| one.password.map(Bytes::copy_from_slice)),
            is_connected: link.is_some(),
            version: session.version(),
            listener: endpoint.map(|endpoint| endpoint.name.clone()),
            remote_addr: link.and_then(|link| link.remote),
            local_addr: endpoint.and_then(Endpoint::socket_addr),
            identity: link.and_then(|link: &Link| link.identity.clone()),
            keep_alive_s: session.keep_alive_s(),
            clean_start: session.clean_start(),
            expiry_s: session.expiry_s(),
            will: session.will().map(WillInfo::of),
            created_at: session.created_at(),
            connected_at: session.connected_at(),
            disconnected_at: session.disconnected_at(),
            subscriptions: session.subscriptions().len(),
            inflight_max: session.inflight_max(),
            inflight_len: session.inflight_len(),
            awaiting_release_len: session.awaiting_release_len(),
            inbound_len: session.inbound_len(),
            queue_len: session.queue_len(),
            queue_bytes: session.queue_bytes(),
            statistics: session.statistics(),
        }
    }
}

/// Some sessions, and where the others begin.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionsPage {
    /// The sessions.
    pub clients: Vec<ClientInfo>,
    /// Where the next page begins; none after the last.
    pub next: Option<u32>,
}

/// Sessions on one page: to look at more would keep everybody else waiting.
const PAGE_MAX: usize = 1000;

impl SessionsPage {
    pub(super) fn of(view: View<'_>, from: u32, count: usize, endpoints: &[Endpoint]) -> Self {
        let count = count.clamp(1, PAGE_MAX);
        let mut sessions = view.sessions_from(from);
        let clients = sessions
            .by_ref()
            .take(count)
            .map(|(_, session)| ClientInfo::of(session, endpoints))
            .collect();
        Self {
            clients,
            next: sessions.next().map(|(number, _)| number),
        }
    }
}

/// A will that waits for its connection to end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WillInfo {
    /// Its topic.
    pub topic: String,
    /// What it says.
    pub payload: Bytes,
    /// The QoS it is published with.
    pub qos: QoS,
    /// Whether it will be retained.
    pub retain: bool,
    /// How long it waits after the connection has ended, in seconds.
    pub delay_s: u32,
}

impl WillInfo {
    fn of(will: WillView<'_>) -> Self {
        Self {
            topic: will.topic.into(),
            payload: Bytes::copy_from_slice(will.payload),
            qos: will.qos,
            retain: will.retain,
            delay_s: will.delay_s,
        }
    }
}

/// A subscription of a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SubscriptionInfo {
    /// Whose.
    pub client_id: String,
    /// The filter, as it was written.
    pub filter: String,
    /// What was asked for; the QoS is the one granted.
    pub options: SubscribeOptions,
    /// The subscription identifier; 0 for none.
    pub identifier: u32,
    /// When it was made or replaced.
    pub at: WallClock,
}

impl SubscriptionInfo {
    pub(super) fn of(client_id: &str, subscription: SubscriptionView<'_>) -> Self {
        Self {
            client_id: client_id.into(),
            filter: subscription.filter.into(),
            options: subscription.options,
            identifier: subscription.identifier,
            at: subscription.at,
        }
    }
}

/// A message that the broker keeps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MessageInfo {
    /// Its topic.
    pub topic: String,
    /// What it says.
    pub payload: Bytes,
    /// Its QoS.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// The packet identifier, if it is in flight.
    pub packet_id: Option<u16>,
    /// Its 5.0 properties.
    pub properties: PropertiesBuf,
    /// Seconds until it expires.
    pub expires_in_s: Option<u32>,
}

impl MessageInfo {
    /// A copy of what a view shows.
    pub fn of(message: MessageView<'_>) -> Self {
        Self {
            topic: message.topic.into(),
            payload: Bytes::copy_from_slice(message.payload),
            qos: message.qos,
            retain: message.retain,
            packet_id: message.packet_id,
            properties: message.properties.into(),
            expires_in_s: message.expires_in_s,
        }
    }
}
