//! What the plugin decides and observes: who subscribes, who comes and goes.

use crate::{
    gate::{self, Gate},
    presence::Presence,
};
use sanderling_core::{
    broker::{Command, Filters},
    hooks::{Client, Context, End, HookSet, Hooks, Notice, Ruling, SubscribeRequest},
    reason::ReasonCode,
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use tracing::warn;

pub(crate) struct SysHook {
    pub(crate) gate: Gate,
    pub(crate) presence: Option<Presence>,
    pub(crate) clients_maximum: Arc<AtomicU32>,
}

impl Hooks for SysHook {
    fn wants(&self) -> HookSet {
        HookSet::SUBSCRIBE | HookSet::NOTICE
    }

    fn subscribe(
        &mut self,
        client: &Client<'_>,
        requests: &mut [SubscribeRequest<'_>],
        _: &mut Context<'_>,
    ) -> Ruling {
        for request in requests {
            let filter = request.entry.filter;
            if gate::is_about_server(filter) && !self.gate.is_open_to(client) {
                warn!(
                    client = client.client_id,
                    user = client.username,
                    addr = client.link.remote.map(tracing::field::display),
                    filter = filter.as_str(),
                    rule = "sys: administrators only",
                    "subscription refused"
                );
                request.granted = Err(ReasonCode::NOT_AUTHORIZED);
            }
        }
        Ruling::Permit
    }

    fn notice(&mut self, notice: &Notice<'_>, cx: &mut Context<'_>) {
        match notice {
            Notice::Connected {
                client,
                session_present,
            } => {
                let connected = cx.view.statistics().sessions_active_current;
                self.clients_maximum.fetch_max(connected, Ordering::Relaxed);
                if *session_present && !self.gate.is_open_to(client) {
                    end_subscriptions(client, cx);
                }
                if let Some(presence) = &self.presence {
                    presence.connected(client, *session_present, cx);
                }
            }
            Notice::Ended {
                link,
                client_id: Some(client_id),
                end,
                ..
            } if *end != End::Drained => {
                if let Some(presence) = &self.presence {
                    presence.disconnected(client_id, link, end, cx);
                }
            }
            _ => {}
        }
    }
}

/// An administrator left this session; who has it now is none.
fn end_subscriptions(client: &Client<'_>, cx: &mut Context<'_>) {
    let filters = gate::subscriptions_about_server(cx.view, client.client_id);
    if filters.is_empty() {
        return;
    }
    let command = Command::Unsubscribe {
        client_id: client.client_id.into(),
        filters: Filters::These(filters),
    };
    if cx.order(command).is_err() {
        warn!(
            client = client.client_id,
            "too many orders: subscriptions to $SYS are left"
        );
    }
}
