//! Lost messages are reported once a minute for each client and cause, with a count: a flood must not flood the log too.

use sanderling_core::hooks::DropCause;
use std::{
    collections::HashMap,
    mem,
    time::{Duration, Instant},
};

/// How often the same client is reported for the same cause.
const INTERVAL: Duration = Duration::from_secs(60);
/// Clients that are told apart in one interval. The rest is counted together.
const CLIENTS_MAX: usize = 1024;

/// Losses of the current interval.
#[derive(Debug)]
pub(super) struct Drops {
    since: Instant,
    counts: HashMap<(Box<str>, Cause), u64>,
    others: u64,
}

/// A key for [`DropCause`], and its words.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Cause(pub(super) &'static str);

/// What has not been reported of a past interval.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Summary {
    /// Client identifier, cause, and the messages lost after the one that was reported.
    pub(super) more: Vec<(Box<str>, Cause, u64)>,
    /// Messages of all other clients.
    pub(super) others: u64,
}

impl Drops {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            counts: HashMap::new(),
            others: 0,
        }
    }

    /// Counts a lost message. True if it is the first of its kind in this interval, and so to be reported.
    pub(super) fn count(&mut self, client_id: &str, cause: Cause) -> bool {
        let key = (client_id.into(), cause);
        if let Some(count) = self.counts.get_mut(&key) {
            *count += 1;
            return false;
        }
        if self.counts.len() >= CLIENTS_MAX {
            self.others += 1;
            return false;
        }
        self.counts.insert(key, 0);
        true
    }

    /// What was counted and not reported, once the interval is over.
    pub(super) fn due(&mut self, now: Instant) -> Option<Summary> {
        if now.saturating_duration_since(self.since) < INTERVAL {
            return None;
        }
        self.since = now;
        let others = mem::take(&mut self.others);
        let mut more: Vec<_> = mem::take(&mut self.counts)
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|((client_id, cause), count)| (client_id, cause, count))
            .collect();
        more.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.0.cmp(other.1.0)));
        (others > 0 || !more.is_empty()).then_some(Summary { more, others })
    }
}

impl From<DropCause> for Cause {
    fn from(cause: DropCause) -> Self {
        Self(match cause {
            DropCause::QueueFull => "queue full",
            DropCause::SlowReader => "slow reader",
            DropCause::Away => "client away",
            DropCause::TooLarge => "larger than the client's maximum packet size",
            DropCause::Expired => "expired",
            DropCause::SessionEnded => "session ended",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Cause = Cause("full");
    const SLOW: Cause = Cause("slow");

    #[test]
    fn only_the_first_loss_of_a_client_and_cause_is_reported_and_the_rest_counted() {
        let start = Instant::now();
        let mut drops = Drops::new(start);
        assert!(drops.count("a", FULL));
        assert!(!drops.count("a", FULL));
        assert!(!drops.count("a", FULL));
        assert!(drops.count("a", SLOW));
        assert!(drops.count("b", FULL));
        assert_eq!(drops.due(start + INTERVAL - Duration::from_nanos(1)), None);
        let summary = drops.due(start + INTERVAL).unwrap();
        assert_eq!(
            summary,
            Summary {
                more: vec![("a".into(), FULL, 2)],
                others: 0
            }
        );
        assert!(drops.count("a", FULL), "a new interval reports again");
        assert_eq!(
            drops.due(start + 2 * INTERVAL),
            None,
            "nothing was left out"
        );
    }

    #[test]
    fn clients_beyond_the_limit_are_counted_together() {
        let start = Instant::now();
        let mut drops = Drops::new(start);
        for number in 0..CLIENTS_MAX {
            assert!(drops.count(&number.to_string(), FULL));
        }
        assert!(!drops.count("one more", FULL));
        assert!(!drops.count("another", FULL));
        let summary = drops.due(start + INTERVAL).unwrap();
        assert_eq!(
            summary,
            Summary {
                more: vec![],
                others: 2
            }
        );
    }
}
