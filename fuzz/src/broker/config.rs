//! Which limits are low: each bit of the first two bytes sets some to 1.

use super::input::Input;
use sanderling_core::config::{Config, DeliveryMode};
use std::time::Duration;

pub(super) fn any(input: &mut Input<'_>) -> Config {
    let mut config = Config::default();
    let limits = &mut config.limits;
    let bits = u16::from_le_bytes([input.byte(), input.byte()]);
    let is_set = |bit: u16| bits & 1 << bit != 0;
    let counts = [
        &mut limits.connections_max,
        &mut limits.sessions_max,
        &mut limits.subscriptions_per_session_max,
        &mut limits.queue_messages_max,
        &mut limits.outbound_bytes_max,
        &mut limits.retained_messages_max,
        &mut limits.replay_step_max,
    ];
    for (_, limit) in (0..).zip(counts).filter(|&(bit, _)| is_set(bit)) {
        *limit = 1;
    }
    let small = [
        &mut limits.topic_levels_max,
        &mut limits.receive_maximum,
        &mut limits.inflight_max,
        &mut limits.awaiting_release_max,
    ];
    for (_, limit) in (7..).zip(small).filter(|&(bit, _)| is_set(bit)) {
        *limit = 1;
    }
    let bytes = [
        &mut limits.queue_bytes_max,
        &mut limits.queue_bytes_total_max,
        &mut limits.retained_bytes_max,
    ];
    for (_, limit) in (11..).zip(bytes).filter(|&(bit, _)| is_set(bit)) {
        *limit = 1;
    }
    if is_set(14) {
        config.retry_interval = Some(Duration::from_secs(1));
        config.evict_awaiting_release = true;
    }
    if is_set(15) {
        config.delivery_mode = DeliveryMode::Overlap;
    }
    config
}
