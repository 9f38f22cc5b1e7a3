//! Drives the [Sanderling](sanderling_core) MQTT broker inside a [tokio] application.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = sanderling_tokio::Broker::builder().listen("127.0.0.1:0")?.start()?;
//! println!("{}", broker.endpoints()[0]);
//! broker.handle().stop();
//! broker.join().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Each connection has a task that waits for its socket; whichever task has news takes the broker for one turn, in which
//! it also writes to all sockets that take bytes at once. So a message wakes nobody but the readers of the network.

mod running;
mod socket;
mod tasks;

pub use running::Running;
pub use sanderling_core::broker::Publication;
pub use sanderling_runtime::{
    Answerer, Builder, Endpoint, Handle, HandleError, HookSets, Inline, InlineError, InlineMessage,
    InlineOptions, ListenError, Listener, LoadError, Log, Plugin, PluginError, Reply, RequestError,
    Requester, Value, Workers, random_id,
};

use sanderling_runtime::{Driver, Engine, Owner, Setup};
use socket::Acceptor;
use std::{io, sync::Arc};
use tasks::Bell;

/// A broker on the tokio runtime it is started in.
#[derive(Debug)]
pub enum Broker {}

impl Broker {
    /// Begins with the default configuration, no hooks and no listeners.
    pub fn builder() -> Builder<Self> {
        Builder::default()
    }
}

impl Driver for Broker {
    type Running = Running;
    type Options = ();

    fn start(setup: Setup, (): ()) -> io::Result<Running> {
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let endpoints = setup.endpoints();
        let handle = setup.handle.clone();
        let bell = Bell::default();
        setup.inbox.attach(bell.clone());
        let (engine, sockets) = Engine::new(setup)?;
        let listeners: Vec<_> = sockets
            .into_iter()
            .map(Acceptor::new)
            .collect::<io::Result<_>>()?;
        let owner = Arc::new(Owner::new(engine, bell.clone()));
        let keeper = runtime.spawn(tasks::keep(owner, bell, listeners));
        Ok(Running::new(endpoints, handle, keeper))
    }
}
