//! Points in time as both APIs write them. [RFC 3339]
//!
//! [RFC 3339]: https://www.rfc-editor.org/rfc/rfc3339

use sanderling_core::time::WallClock;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// `2026-11-28T12:00:00Z`: whole seconds, because the broker keeps no finer times of sessions and subscriptions.
pub(crate) fn stamp(at: WallClock) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    let at = OffsetDateTime::from_unix_timestamp(seconds);
    let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339)
        .expect("a year of four digits is written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_world_expects() {
        assert_eq!(stamp(WallClock(0)), "1970-01-01T00:00:00Z");
        assert_eq!(stamp(WallClock(1_795_867_200_000)), "2026-11-28T12:00:00Z");
        assert_eq!(stamp(WallClock(1_500)), "1970-01-01T00:00:01Z");
        assert_eq!(stamp(WallClock(u64::MAX)), "1970-01-01T00:00:00Z");
    }
}
