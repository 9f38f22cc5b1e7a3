//! What an engine measures of itself, beside what its broker counts.

use sanderling_core::stats::Durations;

/// Figures of a running driver. To look at them: [`Handle::measure_async`](crate::Handle::measure_async).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Measures {
    /// How long turns took, without the sleep between them, since somebody looked for the first time: only then it is
    /// worth to read the clock twice in a turn.
    pub turns: Durations,
    /// Bytes that wait because the sockets of their connections take no more now.
    pub waiting_bytes: u64,
}
