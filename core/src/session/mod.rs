//! A session: what the broker keeps for a client identifier, with or without a connection. [MQTT 5.0, 4.1]

pub(crate) mod aliases;
mod by_filter;
mod inbound;
mod outbound;
mod queue;
mod rare;
mod replays;

pub(crate) use by_filter::ByFilter;
pub(crate) use inbound::Inbound;
pub(crate) use outbound::{Outbound, Resend, Window};
pub(crate) use queue::{Identifiers, Queue, Queued};
use rare::Rare;
use replays::Replays;

use crate::{
    hooks::ClientData,
    message::Message,
    packet::{SubscribeOptions, Version},
    retained::Replay,
    stats::SessionStatistics,
    timer::TimerKey,
};
use alloc::{boxed::Box, sync::Arc};
use bytes::Bytes;

/// The state of one session. What a fan-out needs of it stands in `Hot`, beside it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client_id: Box<str>,
    pub(crate) username: Option<Box<str>>,
    /// That of the last connection.
    pub(crate) version: Version,
    /// Seconds it outlives its connection: 0 for not at all, `u32::MAX` for ever.
    pub(crate) expiry_s: u32,
    /// How much may be in flight to it: our limit or its Receive Maximum, whichever is lower.
    pub(crate) inflight_max: u16,
    /// By filter as the client wrote it; ordered, so that ending a session has one order.
    pub(crate) subscriptions: ByFilter<Subscription>,
    /// What they count for in the byte limit.
    pub(crate) subscription_bytes: u64,
    /// How many were ever made.
    pub(crate) subscriptions_made: u32,
    /// It has been in a group, so it may hold messages that were sent to one.
    pub(crate) joined_groups: bool,
    pub(crate) inbound: Inbound,
    pub(crate) outbound: Outbound,
    pub(crate) queue: Queue,
    /// Topic aliases of the client's connection, bound by it.
    pub(crate) inbound_aliases: aliases::Inbound,
    /// Topic aliases of the client's connection, bound by us; none if it wants none.
    pub(crate) outbound_aliases: Option<Box<aliases::Outbound>>,
    /// Retained messages still to be sent for new subscriptions.
    replays: Rare<Replays>,
    /// True while it stands in the broker's list of sessions with work to do.
    pub(crate) runnable: bool,
    pub(crate) will: Option<Box<KeptWill>>,
    /// Its expiry while away; the next resend while connected.
    pub(crate) timer: Option<TimerKey>,
    /// The will's delay while away.
    pub(crate) will_timer: Option<TimerKey>,
    /// Its last connection asked for a clean start.
    pub(crate) clean_start: bool,
    /// That of the last connection.
    pub(crate) keep_alive_s: u16,
    /// When it was made, in seconds of the broker's time.
    pub(crate) created_s: u32,
    /// When its last connection was accepted.
    pub(crate) connected_s: Option<u32>,
    /// When its last connection ended, if it has no other.
    pub(crate) disconnected_s: Option<u32>,
    /// The CONNECT of its last connection, if such are kept.
    pub(crate) connect: Option<Box<Bytes>>,
    /// What the program kept with its last connection, while it is away.
    pub(crate) data: ClientData,
    /// What was counted before; more stands in `Hot`, in `Live` and in `outbound`.
    pub(crate) counted: Option<Box<SessionStatistics>>,
}

/// What a client asked for with one filter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Subscription {
    pub(crate) options: SubscribeOptions,
    /// 0 for none.
    pub(crate) identifier: u32,
    /// When it was made or replaced, in seconds of the broker's time.
    pub(crate) since_s: u32,
}

/// A will as it waits for its connection to end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeptWill {
    pub(crate) message: Arc<Message>,
    /// Its expiry interval counts from the moment it is published.
    pub(crate) expiry_s: Option<u32>,
    pub(crate) delay_s: u32,
}

impl Session {
    pub(crate) fn new(client_id: &str, version: Version, created_s: u32) -> Self {
        Self {
            client_id: client_id.into(),
            username: None,
            version,
            expiry_s: 0,
            inflight_max: 1,
            subscriptions: ByFilter::default(),
            subscription_bytes: 0,
            subscriptions_made: 0,
            joined_groups: false,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            queue: Queue::default(),
            inbound_aliases: aliases::Inbound::default(),
            outbound_aliases: None,
            replays: Rare::default(),
            runnable: false,
            will: None,
            timer: None,
            will_timer: None,
            clean_start: false,
            keep_alive_s: 0,
            created_s,
            connected_s: None,
            disconnected_s: None,
            connect: None,
            data: ClientData::default(),
            counted: None,
        }
    }

    /// The counters that it carries itself.
    pub(crate) fn statistics(&self) -> SessionStatistics {
        let mut statistics = self.counted.as_deref().copied().unwrap_or_default();
        for (qos, sent) in self.outbound.sent().into_iter().enumerate() {
            statistics.messages_sent[qos] += u64::from(sent);
        }
        statistics
    }

    pub(crate) fn count(&mut self) -> &mut SessionStatistics {
        self.counted.get_or_insert_default()
    }

    /// True if it goes on when its connection ends, so that messages in flight must be kept.
    pub(crate) fn survives(&self) -> bool {
        self.expiry_s > 0
    }

    /// True if something waits for room in the window or the connection's output.
    pub(crate) fn has_backlog(&self) -> bool {
        !self.queue.is_empty() || self.replays.get().is_some() || self.outbound.owes_resend()
    }

    /// Has retained messages sent, in the place of those that were still to be sent for the same filter.
    pub(crate) fn add_replay(&mut self, replay: Replay) {
        self.replays.make().push(replay);
    }

    /// What was still to be sent for this filter is not sent.
    pub(crate) fn forget_replay(&mut self, filter: &str) {
        if let Some(replays) = self.replays.get_mut() {
            replays.remove(filter);
            self.replays.free_if(Replays::is_empty);
        }
    }

    /// The retained messages to send next.
    pub(crate) fn replay(&mut self) -> Option<&mut Replay> {
        self.replays.get_mut()?.first_mut()
    }

    /// Those are sent.
    pub(crate) fn end_replay(&mut self) {
        if let Some(replays) = self.replays.get_mut() {
            replays.pop_first();
            self.replays.free_if(Replays::is_empty);
        }
    }
}
