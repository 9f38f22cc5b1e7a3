//! What the broker looked like at one moment: all that a scrape tells.

use sanderling_core::{
    broker::{Link, View},
    config::Limits,
    stats::Statistics,
    time::Instant,
};
use sanderling_runtime::Measures;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Copies of counters; a few thousand bytes, however many clients there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight {
    pub(crate) statistics: Statistics,
    pub(crate) measures: Measures,
    pub(crate) limits: Limits,
    /// Connections by the name of their listener; listeners may share one.
    pub(crate) connections: BTreeMap<Arc<str>, u32>,
    pub(crate) retained_bytes: u64,
    /// Since 1970.
    pub(crate) started: Duration,
}

/// What connections inside the program are counted as.
pub(crate) const INLINE: &str = "inline";

impl Sight {
    /// `listeners` are the names of the listeners, by their numbers.
    pub(crate) fn of(view: View<'_>, measures: &Measures, listeners: &[Arc<str>]) -> Self {
        let mut connections = BTreeMap::from([(INLINE.into(), view.connections_of(Link::INLINE))]);
        for (number, name) in (0..).zip(listeners) {
            *connections.entry(Arc::clone(name)).or_default() += view.connections_of(number);
        }
        let uptime = view.now().saturating_since(Instant::ORIGIN);
        Self {
            statistics: view.statistics().clone(),
            measures: measures.clone(),
            limits: view.config().limits.clone(),
            connections,
            retained_bytes: view.retained_bytes(),
            started: Duration::from_millis(view.wall().0).saturating_sub(uptime),
        }
    }
}
