//! Hooks that log what happens to clients, one line each, with [`tracing`].
//!
//! No payload and no password is logged.

mod drops;

use drops::{Cause, Drops};
use sanderling_core::{
    broker::Link,
    hooks::{Client, Context, End, HookSet, Hooks, Notice, SessionEnd},
    packet::Version,
    reason::ReasonCode,
};
use std::{net::SocketAddr, time::Instant};
use tracing::{
    debug,
    field::{DisplayValue, display},
    info, warn,
};

/// Logs connections, refusals and losses to the `tracing` subscriber of the program; without one, nothing. It decides
/// nothing.
#[derive(Debug)]
pub struct Log {
    drops: Drops,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            drops: Drops::new(Instant::now()),
        }
    }
}

impl Log {
    fn on_dropped(&mut self, client_id: &str, topic: &str, cause: Cause) {
        if self.drops.count(client_id, cause) {
            warn!(
                client = client_id,
                topic,
                cause = cause.0,
                "message dropped"
            );
        }
    }

    /// Reports what was counted in the last interval, if that is over.
    fn sum_up(&mut self) {
        let Some(summary) = self.drops.due(Instant::now()) else {
            return;
        };
        for (client_id, cause, count) in summary.more {
            warn!(
                client = &*client_id,
                cause = cause.0,
                count,
                "more messages dropped"
            );
        }
        if summary.others > 0 {
            warn!(
                count = summary.others,
                "more messages dropped for other clients"
            );
        }
    }
}

impl Hooks for Log {
    fn wants(&self) -> HookSet {
        if tracing::enabled!(tracing::Level::WARN) {
            HookSet::NOTICE
        } else {
            HookSet::NONE
        }
    }

    fn notice(&mut self, notice: &Notice<'_>, _: &mut Context<'_>) {
        self.sum_up();
        match *notice {
            Notice::Connected {
                ref client,
                session_present,
            } => {
                connected(client, session_present);
            }
            Notice::Ended {
                link,
                client_id,
                end,
                ..
            } => ended(link, client_id, end),
            Notice::SessionCreated { .. }
            | Notice::SessionResumed { .. }
            | Notice::Delivered { .. }
            | Notice::Acked { .. } => {}
            Notice::Stopped => info!("every connection has ended"),
            Notice::SessionEnded { session, why } => {
                let client_id = session.client_id();
                let reason = match why {
                    SessionEnd::Normal => "connection ended",
                    SessionEnd::Conflict => "clean start",
                    SessionEnd::Expired => "expired",
                };
                debug!(client = client_id, reason, "session ended");
            }
            Notice::Subscribed {
                ref client,
                ref entry,
                granted,
            } => debug!(
                client = client.client_id,
                filter = entry.filter.as_str(),
                qos = granted as u8,
                "subscribed"
            ),
            Notice::Unsubscribed { ref client, filter } => {
                debug!(client = client.client_id, filter, "unsubscribed");
            }
            Notice::Dropped {
                client_id,
                topic,
                why,
                ..
            } => {
                self.on_dropped(client_id, topic, Cause::from(why));
            }
        }
    }
}

fn connected(client: &Client<'_>, session_present: bool) {
    info!(
        client = client.client_id,
        addr = address(client.link),
        user = client.username,
        version = match client.version {
            Version::V31 => "3.1",
            Version::V311 => "3.1.1",
            Version::V5 => "5.0",
        },
        session_present,
        "connected"
    );
}

/// A broken rule is for somebody to look at; the rest is the way of the network.
fn ended(link: &Link, client_id: Option<&str>, end: End) {
    let addr = address(link);
    match end {
        End::Malformed(error) => {
            let reason = error.to_string();
            warn!(
                client = client_id,
                addr,
                reason,
                rule = error.rule(),
                "closed"
            );
        }
        End::Faulted(fault) => {
            let layer = fault.layer.to_string();
            warn!(addr, layer, reason = fault.what, "closed");
        }
        End::Refused(refusal) if refusal.reason != ReasonCode::KEEP_ALIVE_TIMEOUT => {
            warn!(
                client = client_id,
                addr,
                reason = refusal.what,
                rule = refusal.rule,
                "closed"
            );
        }
        End::Refused(refusal) => {
            info!(
                client = client_id,
                addr,
                reason = refusal.what,
                rule = refusal.rule,
                "closed"
            );
        }
        End::ConnectRefused(_) => {
            warn!(client = client_id, addr, reason = end.to_string(), "closed");
        }
        End::Disconnected(ReasonCode::NORMAL_DISCONNECTION) => {
            info!(client = client_id, addr, reason = "disconnected", "closed");
        }
        End::Disconnected(_)
        | End::PeerClosed
        | End::Failed
        | End::TakenOver
        | End::Closed(_)
        | End::Drained => {
            info!(client = client_id, addr, reason = end.to_string(), "closed");
        }
    }
}

fn address(link: &Link) -> Option<DisplayValue<SocketAddr>> {
    link.remote.map(display)
}
