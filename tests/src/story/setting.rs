//! What the header of a story says of the broker: its configuration and its hooks.

use super::{
    hook::{HookRule, RuleHooks, Watcher},
    script::duration,
    word::Word,
};
use sanderling_core::config::{Config, DeliveryMode, SharedStrategy};
use std::str::FromStr;

/// The broker that a story wants.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Its configuration: the default one, changed by `config` lines.
    pub config: Config,
    hooks: Vec<HookRule>,
}

impl Settings {
    /// One hook set for each `hook` line, asked in that order. What they are told goes to what `watcher` makes.
    pub fn hooks(&self, watcher: impl Fn() -> Watcher) -> impl Iterator<Item = RuleHooks> {
        self.hooks
            .iter()
            .map(move |rule| RuleHooks::new(rule.clone(), watcher()))
    }

    /// `config compat inflight_max=1 connect_deadline=5s`: the fields' own names.
    ///
    /// # Errors
    /// An unknown field or a value that does not fit.
    pub(super) fn config(&mut self, words: &[Word]) -> Result<(), String> {
        for word in words {
            match &word.key {
                None if word.is("compat") => self.config = Config::compat(),
                None => return Err(format!("expected compat or field=value, found {word}")),
                Some(field) => set(&mut self.config, field, &word.text)?,
            }
        }
        Ok(())
    }

    /// `hook publish refuse not_authorized secret/#`.
    ///
    /// # Errors
    /// What of the line is not understood.
    pub(super) fn hook(&mut self, words: &[Word]) -> Result<(), String> {
        self.hooks.push(HookRule::parse(words)?);
        Ok(())
    }
}

fn set(config: &mut Config, field: &str, value: &str) -> Result<(), String> {
    let limits = &mut config.limits;
    match field {
        "keep_alive_max_s" => config.keep_alive_max_s = number(value)?,
        "response_information" => config.response_information = Some(value.into()),
        "shared_strategy" => config.shared_strategy = shared_strategy(value)?,
        "queue_qos0" => config.queue_qos0 = number(value)?,
        "session_expiry_max_s" => config.session_expiry_max_s = number(value)?,
        "retry_interval" => config.retry_interval = Some(duration(value)?),
        "delivery_mode" => config.delivery_mode = delivery_mode(value)?,
        "connections_max" => limits.connections_max = number(value)?,
        "connect_deadline" => limits.connect_deadline = duration(value)?,
        "verdict_deadline" => limits.verdict_deadline = duration(value)?,
        "connect_packet_bytes_max" => limits.connect_packet_bytes_max = number(value)?,
        "packet_bytes_max" => limits.packet_bytes_max = number(value)?,
        "client_id_bytes_max" => limits.client_id_bytes_max = number(value)?,
        "topic_levels_max" => limits.topic_levels_max = number(value)?,
        "sessions_max" => limits.sessions_max = number(value)?,
        "subscriptions_per_session_max" => limits.subscriptions_per_session_max = number(value)?,
        "receive_maximum" => limits.receive_maximum = number(value)?,
        "authentication_steps_max" => limits.authentication_steps_max = number(value)?,
        "topic_alias_maximum" => limits.topic_alias_maximum = number(value)?,
        "topic_aliases_to_client_max" => limits.topic_aliases_to_client_max = number(value)?,
        "inflight_bytes_max" => limits.inflight_bytes_max = number(value)?,
        "subscription_bytes_per_session_max" => {
            limits.subscription_bytes_per_session_max = number(value)?;
        }
        "inflight_max" => limits.inflight_max = number(value)?,
        "awaiting_release_max" => limits.awaiting_release_max = number(value)?,
        "queue_messages_max" => limits.queue_messages_max = number(value)?,
        "queue_bytes_max" => limits.queue_bytes_max = number(value)?,
        "queue_bytes_total_max" => limits.queue_bytes_total_max = number(value)?,
        "outbound_bytes_max" => limits.outbound_bytes_max = number(value)?,
        "retained_messages_max" => limits.retained_messages_max = number(value)?,
        "retained_bytes_max" => limits.retained_bytes_max = number(value)?,
        "reserved_subscriptions_max" => limits.reserved_subscriptions_max = number(value)?,
        "replay_step_max" => limits.replay_step_max = number(value)?,
        _ => {
            return Err(format!(
                "{field:?} is no field of Config or Limits that stories set"
            ));
        }
    }
    Ok(())
}

fn number<T: FromStr>(value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{value:?} does not fit the field"))
}

fn delivery_mode(value: &str) -> Result<DeliveryMode, String> {
    match value {
        "only_once" => Ok(DeliveryMode::OnlyOnce),
        "overlap" => Ok(DeliveryMode::Overlap),
        _ => Err(format!("{value:?} is neither only_once nor overlap")),
    }
}

fn shared_strategy(text: &str) -> Result<SharedStrategy, String> {
    match text {
        "round_robin" => Ok(SharedStrategy::RoundRobin),
        "random" => Ok(SharedStrategy::Random),
        "sticky" => Ok(SharedStrategy::Sticky),
        "hash_publisher" => Ok(SharedStrategy::HashPublisher),
        "hash_topic" => Ok(SharedStrategy::HashTopic),
        "least_loaded" => Ok(SharedStrategy::LeastLoaded),
        other => Err(format!("{other:?} is no strategy for shared subscriptions")),
    }
}
