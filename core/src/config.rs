//! What the broker is told once, at its making: its ways, and the bound of everything that grows.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

/// The broker's ways.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Every bound.
    pub limits: Limits,
    /// What single listeners do differently, by the driver's number of the listener.
    pub listeners: Vec<ListenerConfig>,
    /// Keep QoS 0 messages, too, for sessions that are away.
    pub queue_qos0: bool,
    /// How many copies a client gets that has overlapping subscriptions.
    pub delivery_mode: DeliveryMode,
    /// Which member of a shared subscription gets a message.
    pub shared_strategy: SharedStrategy,
    /// How long a session without connection is kept at most, in seconds; a client that asks for longer is told.
    /// Sessions of 3.1 and 3.1.1 clients with clean session 0 are kept this long. `u32::MAX`: for ever.
    pub session_expiry_max_s: u32,
    /// The longest keep alive in seconds; 5.0 clients that ask for a longer one, or none, are told. 0: as clients ask.
    pub keep_alive_max_s: u16,
    /// What 5.0 clients are told that ask for response information: the beginning of topics to receive answers on.
    pub response_information: Option<Box<str>>,
    /// Before 5.0: send unacknowledged messages again, on the same connection, after this time. 5.0 forbids it.
    pub retry_interval: Option<Duration>,
    /// Keep the CONNECT of each client, password and all, for programs that want to read it later.
    pub keep_connects: bool,
    /// Before 5.0: forget the oldest message that awaits PUBCOMP when more than `awaiting_release_max` do. Otherwise
    /// nothing new is sent until one is completed.
    pub evict_awaiting_release: bool,
}

/// What one listener does differently.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenerConfig {
    /// What it is called where listeners are told apart.
    pub name: Box<str>,
    /// Clients that do not say who they are may connect. If not, a CONNECT needs a user name that a connect hook is asked
    /// about, enhanced authentication, or a certificate that gives a user name.
    pub anonymous: bool,
    /// Bounds of its own.
    pub limits: ListenerLimits,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self {
            name: "".into(),
            anonymous: true,
            limits: ListenerLimits::default(),
        }
    }
}

/// Bounds that a listener may have of its own; without one, that of [`Limits`] or [`Config`] holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ListenerLimits {
    /// Network connections through it at one time, within those of all.
    pub connections_max: Option<u32>,
    /// See [`Limits::proxy_deadline`].
    pub proxy_deadline: Option<Duration>,
    /// See [`Limits::tls_deadline`].
    pub tls_deadline: Option<Duration>,
    /// See [`Limits::upgrade_deadline`].
    pub upgrade_deadline: Option<Duration>,
    /// See [`Limits::connect_deadline`].
    pub connect_deadline: Option<Duration>,
    /// See [`Limits::connect_packet_bytes_max`].
    pub connect_packet_bytes_max: Option<u32>,
    /// See [`Limits::packet_bytes_max`].
    pub packet_bytes_max: Option<u32>,
    /// See [`Limits::receive_maximum`].
    pub receive_maximum: Option<u16>,
    /// See [`Limits::topic_alias_maximum`].
    pub topic_alias_maximum: Option<u16>,
    /// See [`Limits::inflight_max`].
    pub inflight_max: Option<u16>,
    /// See [`Config::keep_alive_max_s`].
    pub keep_alive_max_s: Option<u16>,
}

/// Copies for overlapping subscriptions of one client. [MQTT 5.0, 3.3.4]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DeliveryMode {
    /// One copy, at the highest QoS granted, with the subscription identifiers of all.
    #[default]
    OnlyOnce,
    /// One copy for each matching subscription, each at its own QoS.
    Overlap,
}

/// Who gets a message of a shared subscription, among the members that could take it best. [MQTT 5.0, 4.8.2]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SharedStrategy {
    /// One after the other.
    #[default]
    RoundRobin,
    /// By lot.
    Random,
    /// Always the same, as long as it can.
    Sticky,
    /// All messages of one publisher go to one member.
    HashPublisher,
    /// All messages of one topic go to one member.
    HashTopic,
    /// The one with the fewest messages in flight and queued.
    LeastLoaded,
}

impl SharedStrategy {
    pub(crate) fn is_by_publisher(self) -> bool {
        self == Self::HashPublisher
    }
}

/// The bound of everything that grows. Units are in the names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Network connections at one time. The next one is closed at once.
    pub connections_max: u32,
    /// From `Opened` to the end of the header of the PROXY protocol.
    pub proxy_deadline: Duration,
    /// From the beginning of the TLS handshake to its end.
    pub tls_deadline: Duration,
    /// From the beginning of the WebSocket handshake to its end.
    pub upgrade_deadline: Duration,
    /// From `Opened`, or the end of the last layer's handshake, to a complete CONNECT.
    pub connect_deadline: Duration,
    /// From the first byte of a packet that the driver has in part to its last.
    pub packet_deadline: Duration,
    /// How long a peer may take none of the output that waits for it. Zero: for ever.
    pub output_deadline: Duration,
    /// From a hook's `Ask` to the verdict; then the answer is no.
    pub verdict_deadline: Duration,
    /// Steps of one enhanced authentication; each has the time of a CONNECT.
    pub authentication_steps_max: u16,
    /// Length of a CONNECT, all of it.
    pub connect_packet_bytes_max: u32,
    /// Length of any other packet, all of it. 5.0 clients are told.
    pub packet_bytes_max: u32,
    /// Length of a client identifier.
    pub client_id_bytes_max: u16,
    /// Levels of a topic name or filter.
    pub topic_levels_max: u16,
    /// Sessions, connected or not; less than 2^31. A new one is refused with 0x97 beyond it.
    pub sessions_max: u32,
    /// Subscriptions of one session; a filter beyond it is refused with 0x97.
    pub subscriptions_per_session_max: u32,
    /// Bytes of the filters of one session, with 64 on top for each level.
    pub subscription_bytes_per_session_max: u64,
    /// QoS 2 messages from one 5.0 client that await their PUBREL; it is told. The 65,535 packet identifiers bound
    /// older clients.
    pub receive_maximum: u16,
    /// Topic aliases that one client may bind; 5.0 clients are told. Each costs no more than a topic name.
    pub topic_alias_maximum: u16,
    /// Topic aliases that the broker binds towards one client; the client's Topic Alias Maximum if that is lower.
    pub topic_aliases_to_client_max: u16,
    /// QoS 1 and 2 messages to one client that await their end; the client's Receive Maximum if that is lower.
    pub inflight_max: u16,
    /// Bytes of messages to one client that are kept until they are acknowledged; beyond it they wait in the queue.
    pub inflight_bytes_max: u64,
    /// QoS 2 messages to one 3.1 or 3.1.1 client between PUBREC and PUBCOMP; then the window counts as full.
    pub awaiting_release_max: u16,
    /// Messages queued for one session; 0 for no count limit.
    pub queue_messages_max: u32,
    /// Bytes queued for one session.
    pub queue_bytes_max: u64,
    /// Bytes queued for all sessions together.
    pub queue_bytes_total_max: u64,
    /// Bytes sent to one connection that the network has not taken yet: from so many on nothing is added but answers.
    /// QoS 0 is dropped then, QoS 1 and 2 wait in the queue.
    pub outbound_bytes_max: u32,
    /// Bytes of answers to one connection that the network has not taken yet: from so many on it is not read, so that
    /// TCP slows it down. Its keep alive goes on.
    pub answer_bytes_max: u32,
    /// Retained messages.
    pub retained_messages_max: u32,
    /// Bytes of retained messages.
    pub retained_bytes_max: u64,
    /// Subscriptions that the program makes for client identifiers that have no session yet.
    pub reserved_subscriptions_max: u32,
    /// Orders that hooks may give during one event.
    pub hook_commands_max: u32,
    /// Retained messages looked at in one step of a replay.
    pub replay_step_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_000_000,
            proxy_deadline: Duration::from_secs(5),
            tls_deadline: Duration::from_secs(10),
            upgrade_deadline: Duration::from_secs(10),
            connect_deadline: Duration::from_secs(5),
            packet_deadline: Duration::from_secs(60),
            output_deadline: Duration::from_secs(300),
            verdict_deadline: Duration::from_secs(10),
            authentication_steps_max: 16,
            connect_packet_bytes_max: 16 << 10,
            packet_bytes_max: 1 << 20,
            client_id_bytes_max: 1024,
            topic_levels_max: 128,
            sessions_max: 1_000_000,
            subscriptions_per_session_max: 100_000,
            subscription_bytes_per_session_max: 64 << 20,
            receive_maximum: 1024,
            topic_alias_maximum: 16,
            topic_aliases_to_client_max: 16,
            inflight_max: 1024,
            inflight_bytes_max: 64 << 20,
            awaiting_release_max: 1024,
            queue_messages_max: 0,
            queue_bytes_max: 64 << 20,
            queue_bytes_total_max: 4 << 30,
            outbound_bytes_max: 1 << 20,
            answer_bytes_max: 256 << 10,
            retained_messages_max: 10_000_000,
            retained_bytes_max: 4 << 30,
            reserved_subscriptions_max: 100_000,
            hook_commands_max: 1024,
            replay_step_max: 256,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            listeners: Vec::new(),
            queue_qos0: true,
            delivery_mode: DeliveryMode::OnlyOnce,
            shared_strategy: SharedStrategy::RoundRobin,
            session_expiry_max_s: 7 * 24 * 3600,
            keep_alive_max_s: 0,
            response_information: None,
            retry_interval: None,
            keep_connects: false,
            evict_awaiting_release: false,
        }
    }
}

impl Config {
    /// The bounds that hold for connections through this listener.
    pub fn limits_of(&self, listener: u16) -> Limits {
        let all = &self.limits;
        let Some(own) = self.listener(listener).map(|own| &own.limits) else {
            return all.clone();
        };
        Limits {
            proxy_deadline: own.proxy_deadline.unwrap_or(all.proxy_deadline),
            tls_deadline: own.tls_deadline.unwrap_or(all.tls_deadline),
            upgrade_deadline: own.upgrade_deadline.unwrap_or(all.upgrade_deadline),
            connect_deadline: own.connect_deadline.unwrap_or(all.connect_deadline),
            connect_packet_bytes_max: own
                .connect_packet_bytes_max
                .unwrap_or(all.connect_packet_bytes_max),
            packet_bytes_max: own.packet_bytes_max.unwrap_or(all.packet_bytes_max),
            receive_maximum: own.receive_maximum.unwrap_or(all.receive_maximum),
            topic_alias_maximum: own.topic_alias_maximum.unwrap_or(all.topic_alias_maximum),
            inflight_max: own.inflight_max.unwrap_or(all.inflight_max),
            ..all.clone()
        }
    }

    /// What this listener does differently.
    pub fn listener(&self, listener: u16) -> Option<&ListenerConfig> {
        self.listeners.get(usize::from(listener))
    }

    /// The values of the Go broker that this one succeeds: a small window, a queue of 1,000 messages, resending every
    /// 20 s, sessions that never expire.
    pub fn compat() -> Self {
        Self {
            limits: Limits {
                inflight_max: 32,
                awaiting_release_max: 100,
                queue_messages_max: 1000,
                ..Limits::default()
            },
            session_expiry_max_s: u32::MAX,
            retry_interval: Some(Duration::from_secs(20)),
            keep_connects: true,
            evict_awaiting_release: true,
            ..Self::default()
        }
    }
}
