//! Configurations: the defaults, the compatible one, and limits drawn down to 1.

use super::{dice::Dice, policy::Rates};
use sanderling_core::config::{
    Config, DeliveryMode, Limits, ListenerConfig, ListenerLimits, SharedStrategy,
};
use std::time::Duration;

pub(super) fn draw(dice: &mut Dice) -> Config {
    let mut config = if dice.chance(20) {
        Config::compat()
    } else {
        Config::default()
    };
    config.queue_qos0 = dice.chance(70);
    if dice.chance(30) {
        config.delivery_mode = DeliveryMode::Overlap;
    }
    config.shared_strategy = dice.one(&[
        SharedStrategy::RoundRobin,
        SharedStrategy::Random,
        SharedStrategy::Sticky,
        SharedStrategy::HashPublisher,
        SharedStrategy::HashTopic,
        SharedStrategy::LeastLoaded,
    ]);
    for _ in 0..dice.one(&[0, 0, 1, 3]) {
        config.listeners.push(listener(dice));
    }
    if dice.chance(20) {
        config.keep_alive_max_s = dice.one(&[1, 30]);
    }
    if dice.chance(20) {
        config.response_information = Some("answers/".into());
    }
    config.session_expiry_max_s = dice.one(&[u32::MAX, 7 * 24 * 3600, 3600, 10, 1, 0]);
    if dice.chance(20) {
        config.retry_interval = Some(Duration::from_secs(dice.one(&[1, 20])));
    }
    // Each limit is left alone in most runs, so that one that is tight is not hidden behind another.
    let tightness = dice.one(&[0, 0, 15, 40]);
    limits(&mut config.limits, dice, tightness);
    if dice.chance(15) {
        // A queue that waits though its reader takes everything is rare otherwise.
        config.limits.inflight_max = dice.one(&[1, 2, 3]);
    }
    config
}

/// A listener that does some things differently.
fn listener(dice: &mut Dice) -> ListenerConfig {
    let anonymous = dice.chance(80);
    let mut draw = |choices: &[u16]| dice.chance(20).then(|| dice.one(choices));
    let seconds = |n: u16| Duration::from_secs(n.into());
    let limits = ListenerLimits {
        connections_max: draw(&[1, 2]).map(u32::from),
        proxy_deadline: draw(&[0, 1, 20]).map(seconds),
        tls_deadline: draw(&[0, 1, 20]).map(seconds),
        upgrade_deadline: draw(&[0, 1, 20]).map(seconds),
        connect_deadline: draw(&[1, 20]).map(seconds),
        connect_packet_bytes_max: draw(&[40, 100]).map(u32::from),
        packet_bytes_max: draw(&[40, 200, 1000]).map(u32::from),
        receive_maximum: draw(&[1, 2, 3]),
        topic_alias_maximum: draw(&[0, 1, 2]),
        inflight_max: draw(&[1, 2, 3]),
        keep_alive_max_s: draw(&[0, 1, 30]),
    };
    ListenerConfig {
        name: "".into(),
        anonymous,
        limits,
    }
}

fn limits(limits: &mut Limits, dice: &mut Dice, tightness: u32) {
    let mut draw = |choices: &[u64]| dice.chance(tightness).then(|| dice.one(choices));
    if let Some(n) = draw(&[1, 2, 4]) {
        limits.connections_max = n as u32;
    }
    if let Some(n) = draw(&[0, 1, 60]) {
        limits.proxy_deadline = Duration::from_secs(n);
    }
    if let Some(n) = draw(&[0, 1, 60]) {
        limits.tls_deadline = Duration::from_secs(n);
    }
    if let Some(n) = draw(&[0, 1, 60]) {
        limits.upgrade_deadline = Duration::from_secs(n);
    }
    if let Some(n) = draw(&[1, 60]) {
        limits.connect_deadline = Duration::from_secs(n);
    }
    if let Some(n) = draw(&[1, 60]) {
        limits.verdict_deadline = Duration::from_secs(n);
    }
    if let Some(n) = draw(&[0, 1, 2]) {
        limits.authentication_steps_max = n as u16;
    }
    if let Some(n) = draw(&[1, 40, 40, 100, 100]) {
        limits.connect_packet_bytes_max = n as u32;
    }
    if let Some(n) = draw(&[1, 4, 40, 40, 200, 200, 1000, 1000]) {
        limits.packet_bytes_max = n as u32;
    }
    if let Some(n) = draw(&[1, 3]) {
        limits.client_id_bytes_max = n as u16;
    }
    if let Some(n) = draw(&[1, 2, 3]) {
        limits.topic_levels_max = n as u16;
    }
    if let Some(n) = draw(&[1, 2, 3]) {
        limits.sessions_max = n as u32;
    }
    if let Some(n) = draw(&[1, 2, 3]) {
        limits.subscriptions_per_session_max = n as u32;
    }
    if let Some(n) = draw(&[1, 100, 200, 400]) {
        limits.subscription_bytes_per_session_max = n;
    }
    if let Some(n) = draw(&[1, 2, 3]) {
        limits.receive_maximum = n as u16;
    }
    if let Some(n) = draw(&[0, 1, 2]) {
        limits.topic_alias_maximum = n as u16;
    }
    if let Some(n) = draw(&[0, 1, 2]) {
        limits.topic_aliases_to_client_max = n as u16;
    }
    if let Some(n) = draw(&[1, 1, 2, 3]) {
        limits.inflight_max = n as u16;
    }
    if let Some(n) = draw(&[1, 100, 300, 1000]) {
        limits.inflight_bytes_max = n;
    }
    if let Some(n) = draw(&[1, 2]) {
        limits.awaiting_release_max = n as u16;
    }
    if let Some(n) = draw(&[1, 2, 3, 10]) {
        limits.queue_messages_max = n as u32;
    }
    if let Some(n) = draw(&[1, 150, 400, 1000]) {
        limits.queue_bytes_max = n;
    }
    if let Some(n) = draw(&[1, 200, 600, 2000]) {
        limits.queue_bytes_total_max = n;
    }
    if let Some(n) = draw(&[1, 10, 100, 1000]) {
        limits.outbound_bytes_max = n as u32;
    }
    if let Some(n) = draw(&[1, 4, 20, 100]) {
        limits.answer_bytes_max = n as u32;
    }
    if let Some(n) = draw(&[0, 1, 2]) {
        limits.retained_messages_max = n as u32;
    }
    if let Some(n) = draw(&[1, 150, 500]) {
        limits.retained_bytes_max = n;
    }
    if let Some(n) = draw(&[0, 1, 2]) {
        limits.hook_commands_max = n as u32;
    }
    if let Some(n) = draw(&[0, 1, 2]) {
        limits.reserved_subscriptions_max = n as u32;
    }
    if let Some(n) = draw(&[1, 2]) {
        limits.replay_step_max = n as u32;
    }
}

pub(super) fn rates(dice: &mut Dice) -> Rates {
    if dice.chance(55) {
        return Rates::default();
    }
    Rates {
        sets: 1 + dice.below(3) as u16,
        turn_away: dice.one(&[0, 0, 10]),
        refuse: dice.one(&[0, 5, 20]),
        ask: dice.one(&[0, 10, 40]),
        order: dice.one(&[0, 0, 30]),
        edit: dice.one(&[0, 0, 15]),
    }
}
