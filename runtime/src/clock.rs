//! The time and the randomness that drivers hand to the broker.

use sanderling_core::{
    broker::Seed,
    time::{Instant, WallClock},
};
use std::{
    io,
    time::{Duration, SystemTime},
};

/// Turns the machine's monotonic clock into the broker's [`Instant`]s.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self {
            origin: std::time::Instant::now(),
        }
    }

    /// The time since the beginning.
    pub fn now(&self) -> Instant {
        let nanos = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos(nanos)
    }

    /// How long it is from now to `at`; zero if that has passed.
    pub fn until(&self, at: Instant) -> Duration {
        at.saturating_since(self.now())
    }
}

/// The civil time.
pub fn wall_clock() -> WallClock {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    WallClock(since_epoch.map_or(0, |time| {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    }))
}

/// A seed for the broker from the system's source of randomness.
///
/// # Errors
/// The system has no such source.
pub fn seed() -> io::Result<Seed> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(Seed(seed))
}

/// Fresh random bytes for each connection, from a stream that is seeded once.
#[derive(Debug)]
pub struct Entropy {
    pool: Vec<u8>,
}

/// Connections served by one call of the system.
const POOL_BYTES: usize = 16 * 64;

impl Entropy {
    /// An empty pool.
    pub fn new() -> Self {
        Self { pool: Vec::new() }
    }

    /// Sixteen bytes that nobody can guess.
    pub fn sixteen(&mut self) -> [u8; 16] {
        if self.pool.is_empty() {
            self.pool.resize(POOL_BYTES, 0);
            getrandom::fill(&mut self.pool)
                .expect("the system's source of randomness worked when the broker was made");
        }
        let rest = self.pool.len() - 16;
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.pool[rest..]);
        self.pool.truncate(rest);
        bytes
    }
}

impl Default for Entropy {
    fn default() -> Self {
        Self::new()
    }
}
