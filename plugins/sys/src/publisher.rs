//! The thread that looks at the broker and publishes what it sees.

use crate::topic::{Readings, Sight};
use sanderling_core::{
    broker::{Publication, View},
    time::{Instant, WallClock},
};
use sanderling_runtime::{Handle, HandleError, PluginError, wall_clock};
use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tracing::{info_span, warn};

/// The thread, as long as it runs.
#[derive(Debug)]
pub(crate) struct Publisher {
    events: Sender<Event>,
    thread: JoinHandle<()>,
}

/// What the thread waits for.
#[derive(Debug)]
enum Event {
    /// The broker was looked at.
    Seen(Box<Sight>),
    /// The plugin is unloaded.
    Stop,
}

impl Publisher {
    /// Begins to publish: as soon as the broker runs, then at each multiple of `interval`.
    pub(crate) fn start(
        handle: Handle,
        interval: Duration,
        clients_maximum: Arc<AtomicU32>,
    ) -> io::Result<Self> {
        let (events, received) = channel();
        let rounds = Rounds {
            handle,
            interval,
            clients_maximum,
            events: events.clone(),
            readings: Readings::default(),
            published: HashMap::new(),
        };
        let thread = thread::Builder::new()
            .name("sys".into())
            .spawn(move || rounds.run(&received))?;
        Ok(Self { events, thread })
    }

    /// Ends the thread.
    pub(crate) fn stop(self) -> Result<(), PluginError> {
        // If it has ended before, there is nobody to be told.
        let _ = self.events.send(Event::Stop);
        self.thread.join().map_err(|_| "its thread panicked".into())
    }
}

struct Rounds {
    handle: Handle,
    interval: Duration,
    clients_maximum: Arc<AtomicU32>,
    events: Sender<Event>,
    readings: Readings,
    /// What each topic says.
    published: HashMap<String, String>,
}

impl Rounds {
    /// It waits for events and the time and for nothing else, so that it ends at once when it is told to, whatever the
    /// broker does.
    fn run(mut self, events: &Receiver<Event>) {
        let _span = info_span!("plugin", name = "sys").entered();
        let mut goes_on = self.look();
        while goes_on {
            goes_on = match events.recv_timeout(until_next(wall_clock(), self.interval)) {
                Ok(Event::Seen(sight)) => self.publish(&sight),
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => false,
                Err(RecvTimeoutError::Timeout) => self.look(),
            };
        }
    }

    /// Asks for a look in the broker's next turn. False if there will be none.
    fn look(&self) -> bool {
        let (events, maximum) = (self.events.clone(), Arc::clone(&self.clients_maximum));
        let look = move |view: View<'_>| {
            let sight = Sight {
                statistics: view.statistics().clone(),
                retained_bytes: view.retained_bytes(),
                clients_maximum: maximum.load(Ordering::Relaxed),
                uptime: view.now().saturating_since(Instant::ORIGIN),
            };
            // Perhaps the thread has ended meanwhile.
            let _ = events.send(Event::Seen(Box::new(sight)));
        };
        goes_on(self.handle.try_look(look))
    }

    /// Publishes what has changed. False if the broker has stopped.
    fn publish(&mut self, sight: &Sight) -> bool {
        for (topic, reading) in self.readings.of(sight) {
            if self.published.get(&topic) == Some(&reading) {
                continue;
            }
            let publication = Publication::new(topic.clone(), reading.clone()).retained();
            match self.handle.try_publish(publication) {
                Ok(()) => {
                    self.published.insert(topic, reading);
                }
                // What is left is published next time.
                error => return goes_on(error),
            }
        }
        true
    }
}

/// Whether the broker still runs.
fn goes_on(outcome: Result<(), HandleError>) -> bool {
    match outcome {
        Ok(()) => true,
        Err(HandleError::Stopped) => false,
        Err(error) => {
            warn!(%error, "topics are not published this time");
            true
        }
    }
}

/// The time to the next multiple of `interval`.
fn until_next(now: WallClock, interval: Duration) -> Duration {
    let interval = u64::try_from(interval.as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    Duration::from_millis(interval - now.0 % interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_taken_at_multiples_of_the_interval() {
        let until = |now, interval| until_next(WallClock(now), Duration::from_millis(interval));
        assert_eq!(until(12_345, 10_000), Duration::from_millis(7_655));
        assert_eq!(until(20_000, 10_000), Duration::from_secs(10));
        assert_eq!(
            until(7, 0),
            Duration::from_millis(1),
            "it is not asked for zero"
        );
    }
}
