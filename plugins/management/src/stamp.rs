//! Points in time as both APIs write them. [RFC 3339]
//!
//! [RFC 3339]: https://www.rfc-editor.org/rfc/rfc3339

use sanderling_core::time::WallClock;
use serde::{Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Written as `2026-11-28T12:00:00Z`: whole seconds, because the broker keeps no finer times of sessions and subscriptions.
/// It is written when the answer is, not in the broker's turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp(pub(crate) WallClock);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seconds = i64::try_from(self.0.0 / 1000).unwrap_or(i64::MAX);
        let at = OffsetDateTime::from_unix_timestamp(seconds);
        let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let text = at
            .format(&Rfc3339)
            .expect("a year of four digits is written");
        serializer.serialize_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_world_expects() {
        let written = |millis| serde_json::to_value(Stamp(WallClock(millis))).unwrap();
        assert_eq!(written(0), "1970-01-01T00:00:00Z");
        assert_eq!(written(1_795_867_200_000), "2026-11-28T12:00:00Z");
        assert_eq!(written(1_500), "1970-01-01T00:00:01Z");
        assert_eq!(written(u64::MAX), "1970-01-01T00:00:00Z");
    }
}
