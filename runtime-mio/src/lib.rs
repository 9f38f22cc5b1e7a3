//! Drives the [Sanderling](sanderling_core) MQTT broker with [mio]: one thread, one loop, the lowest latency.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = sanderling_mio::Broker::builder().listen("127.0.0.1:0")?.start()?;
//! println!("{}", broker.endpoints()[0]);
//! broker.handle().stop();
//! broker.join()?;
//! # Ok(())
//! # }
//! ```

mod event_loop;
mod ready;
mod running;
mod socket;

pub use ready::{Ready, ThisThread};
pub use running::Running;
pub use sanderling_core::broker::Publication;
pub use sanderling_runtime::{
    Answerer, Builder, Endpoint, Handle, HandleError, HookSets, Inline, InlineError, InlineMessage,
    InlineOptions, ListenError, Listener, LoadError, Log, Plugin, PluginError, Reply, RequestError,
    Requester, Value, Workers, random_id,
};

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
enum Readme {}

use event_loop::EventLoop;
use sanderling_runtime::{Driver, Setup};
use std::{io, time::Duration};

/// What can be chosen of this driver.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// How long the loop looks again and again for something to do before it sleeps.
    ///
    /// Waking a thread that sleeps takes the system some microseconds, and longer where it has let the processor sleep.
    /// A loop that looks is at work at once, but uses its processor up for so long each time it has nothing to do. So it
    /// pays where messages come more often than this, on a processor that nobody else wants. Zero, the default, is never.
    pub busy_poll: Duration,
}

/// A broker on a thread of its own.
#[derive(Debug)]
pub enum Broker {}

impl Broker {
    /// Begins with the default configuration, no hooks and no listeners.
    pub fn builder() -> Builder<Self> {
        Builder::default()
    }

    /// The same for a broker that runs on the thread that says so, and on no other.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let broker = sanderling_mio::Broker::on_this_thread().listen("127.0.0.1:0")?.start()?;
    /// let handle = broker.handle();
    /// std::thread::spawn(move || handle.stop());
    /// broker.run()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_this_thread() -> Builder<ThisThread> {
        Builder::default()
    }
}

impl Driver for Broker {
    type Running = Running;
    type Options = Options;

    fn start(setup: Setup, options: Options) -> io::Result<Running> {
        let endpoints = setup.endpoints();
        let handle = setup.handle.clone();
        let event_loop = EventLoop::new(setup, options)?;
        Running::spawn(endpoints, handle, event_loop)
    }
}
