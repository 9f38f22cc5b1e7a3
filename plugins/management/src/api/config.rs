//! The configuration in effect.

use super::problem::Problem;
use crate::shared::State;
use axum::{Json, extract::State as Extract};
use sanderling_core::config::{Config, DeliveryMode, Limits, SharedStrategy};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};
use utoipa::ToSchema;

/// The configuration in effect.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Settings {
    /// Every limit by its name, in the unit that the name ends with. Times are in milliseconds (`_ms`).
    limits: BTreeMap<&'static str, u64>,
    /// Whether QoS 0 messages are queued for sessions that are away.
    queue_qos0: bool,
    delivery_mode: Mode,
    shared_strategy: Strategy,
    /// Missing if sessions may stay for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_expiry_max_s: Option<u32>,
    /// 0 if clients may choose.
    keep_alive_max_s: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_information: Option<String>,
    /// Missing if nothing is sent again on the same connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_interval_ms: Option<u64>,
    keep_connects: bool,
    evict_awaiting_release: bool,
}

/// How many copies a client gets that has overlapping subscriptions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    OnlyOnce,
    Overlap,
}

/// Which member of a shared subscription gets a message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Strategy {
    RoundRobin,
    Random,
    Sticky,
    HashPublisher,
    HashTopic,
    LeastLoaded,
}

/// Get the configuration in effect
#[utoipa::path(
    get, path = "/api/v1/config", tag = "broker",
    responses((status = 200, description = "The configuration.", body = Settings)),
    security(("token" = ["read"])),
)]
pub(super) async fn get_config(Extract(shared): State) -> Result<Json<Settings>, Problem> {
    let config = shared.calls().look(|view| view.config().clone()).await?;
    Ok(Json(config.into()))
}

impl From<Config> for Settings {
    fn from(config: Config) -> Self {
        let expiry_s = config.session_expiry_max_s;
        Self {
            limits: limits(&config.limits),
            queue_qos0: config.queue_qos0,
            delivery_mode: match config.delivery_mode {
                DeliveryMode::OnlyOnce => Mode::OnlyOnce,
                DeliveryMode::Overlap => Mode::Overlap,
            },
            shared_strategy: match config.shared_strategy {
                SharedStrategy::RoundRobin => Strategy::RoundRobin,
                SharedStrategy::Random => Strategy::Random,
                SharedStrategy::Sticky => Strategy::Sticky,
                SharedStrategy::HashPublisher => Strategy::HashPublisher,
                SharedStrategy::HashTopic => Strategy::HashTopic,
                SharedStrategy::LeastLoaded => Strategy::LeastLoaded,
            },
            session_expiry_max_s: (expiry_s != u32::MAX).then_some(expiry_s),
            keep_alive_max_s: config.keep_alive_max_s,
            response_information: config.response_information.map(Into::into),
            retry_interval_ms: config.retry_interval.map(millis),
            keep_connects: config.keep_connects,
            evict_awaiting_release: config.evict_awaiting_release,
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Every field is named, so that a new one is not forgotten.
fn limits(limits: &Limits) -> BTreeMap<&'static str, u64> {
    macro_rules! table {
        ($($count:ident)* ; $($time:ident = $name:literal)*) => {{
            let Limits { $($count,)* $($time,)* } = limits;
            BTreeMap::from([
                $((stringify!($count), u64::from(*$count)),)*
                $(($name, millis(*$time)),)*
            ])
        }};
    }
    table! {
        connections_max authentication_steps_max connect_packet_bytes_max packet_bytes_max
        client_id_bytes_max topic_levels_max sessions_max subscriptions_per_session_max
        subscription_bytes_per_session_max receive_maximum topic_alias_maximum
        topic_aliases_to_client_max inflight_max inflight_bytes_max awaiting_release_max
        queue_messages_max queue_bytes_max queue_bytes_total_max outbound_bytes_max
        answer_bytes_max retained_messages_max retained_bytes_max reserved_subscriptions_max
        hook_commands_max replay_step_max ;
        proxy_deadline = "proxy_deadline_ms"
        tls_deadline = "tls_deadline_ms"
        upgrade_deadline = "upgrade_deadline_ms"
        connect_deadline = "connect_deadline_ms"
        packet_deadline = "packet_deadline_ms"
        output_deadline = "output_deadline_ms"
        verdict_deadline = "verdict_deadline_ms"
    }
}
