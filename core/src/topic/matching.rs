//! Matching one topic filter with one topic name, and what can be said of either without parsing it.
//!
//! Nothing here allocates or recurses. For many filters at once there is [`Index`](super::Index).

use super::filter::SHARE_PREFIX;

/// Whether the filter `path` (what [`TopicFilter::path`](super::TopicFilter::path) returns) matches the topic name
/// `topic`. [MQTT 5.0, 4.7.1]
///
/// Takes time linear in the shorter of both.
pub fn matches(path: &str, topic: &str) -> bool {
    // A wildcard at the beginning keeps away from `$SYS` and its like. [MQTT-4.7.2-1]
    if topic.starts_with('$') && path.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.as_bytes().split(|&byte| byte == b'/');
    for pattern in path.as_bytes().split(|&byte| byte == b'/') {
        // Also where the topic has ended: `a/#` matches `a`.
        if pattern == b"#" {
            return true;
        }
        match levels.next() {
            Some(level) if pattern == b"+" || pattern == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// What of a well-formed filter is matched: all of it, or what follows `$share/{name}/`.
pub fn path_of(filter: &str) -> &str {
    match filter
        .strip_prefix(SHARE_PREFIX)
        .and_then(|rest| rest.split_once('/'))
    {
        Some((_, path)) => path,
        None => filter,
    }
}

/// How many levels a topic name or filter path has; at least 1.
pub fn depth(topic: &str) -> usize {
    let slashes = topic.bytes().filter(|&byte| byte == b'/').count();
    slashes.saturating_add(1)
}

/// Whether a topic name or filter path has more than `levels_max` levels. Costs nothing for a topic with fewer bytes.
pub fn deeper_than(topic: &str, levels_max: usize) -> bool {
    topic.len() >= levels_max && depth(topic) > levels_max
}
