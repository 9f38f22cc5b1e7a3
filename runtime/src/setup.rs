//! What a broker is made of before it runs: configuration, hooks and listeners, the same for every driver.

use crate::{
    Answerer, Bound, Endpoint, ListenError, Listener,
    engine::Answerers,
    guard::{Guarded, GuardedAnswerer},
};
use sanderling_core::{
    config::Config,
    hooks::{HookChain, Hooks},
};
use std::{fmt, io, marker::PhantomData};

#[cfg(feature = "tls")]
use crate::Certificates;

/// An event loop that a broker can run on.
pub trait Driver {
    /// A broker that runs.
    type Running;

    /// Starts to serve.
    ///
    /// # Errors
    /// The system refuses what the driver needs: a thread, a poller, randomness.
    fn start(setup: Setup) -> io::Result<Self::Running>;
}

/// What a driver starts with.
#[derive(Debug, Default)]
pub struct Setup {
    /// The broker's ways and limits.
    pub config: Config,
    /// Who decides and observes.
    pub hooks: HookChain,
    /// Who answers what hooks leave open.
    pub answerers: Answerers,
    /// Sockets that listen already and do not block, by their numbers.
    pub listeners: Vec<Bound>,
}

impl Setup {
    /// Where clients find the broker, with the ports the system chose.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let listeners = self.listeners.iter();
        listeners.map(|one| one.endpoint.clone()).collect()
    }

    /// The certificates of all listeners.
    #[cfg(feature = "tls")]
    pub(crate) fn certificates(&self) -> Certificates {
        let servers = self.listeners.iter().map(|one| one.transport.tls.clone());
        Certificates::of(servers.flatten())
    }
}

/// Gathers what a broker is made of, then starts it on the driver `D`.
#[derive(Debug)]
pub struct Builder<D> {
    config: Config,
    hooks: Vec<HookEntry>,
    answerers: Answerers,
    listeners: Vec<Bound>,
    driver: PhantomData<D>,
}

/// A hook set, and the names of the listeners that it is for; none for all.
struct HookEntry {
    listeners: Option<Vec<String>>,
    hooks: Box<dyn Hooks>,
}

impl fmt::Debug for HookEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookEntry")
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

impl<D> Default for Builder<D> {
    fn default() -> Self {
        Self {
            config: Config::default(),
            hooks: Vec::new(),
            answerers: Answerers::default(),
            listeners: Vec::new(),
            driver: PhantomData,
        }
    }
}

impl<D: Driver> Builder<D> {
    /// Sets the broker's ways and limits. What it says of listeners is replaced by what they say themselves.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Appends a hook set. Sets are asked in the order in which they were given. One that panics refuses what it was
    /// asked about; if it only observed, it is told nothing any more.
    #[must_use]
    pub fn hook(self, hooks: impl Hooks + 'static) -> Self {
        self.hook_entry(None, hooks)
    }

    /// Appends a hook set that is asked about, and told of, the clients of listeners with these names only.
    #[must_use]
    pub fn hook_on(self, listeners: &[&str], hooks: impl Hooks + 'static) -> Self {
        let names = listeners.iter().map(ToString::to_string).collect();
        self.hook_entry(Some(names), hooks)
    }

    /// Appends a hook set whose `Ask` is answered by `answerer`.
    #[must_use]
    pub fn asking_hook(
        mut self,
        hooks: impl Hooks + 'static,
        answerer: impl Answerer + 'static,
    ) -> Self {
        let answerer = Box::new(GuardedAnswerer(answerer));
        self.answerers.set(self.hooks.len(), answerer);
        self.hook(hooks)
    }

    fn hook_entry(mut self, listeners: Option<Vec<String>>, hooks: impl Hooks + 'static) -> Self {
        self.hooks.push(HookEntry {
            listeners,
            hooks: Box::new(Guarded::new(hooks)),
        });
        self
    }

    /// Listens on a URL, see [`Listener::parse`], or on every address that `HOST:PORT` stands for; with port 0 the system
    /// chooses one.
    ///
    /// # Errors
    /// See [`listener`](Self::listener).
    pub fn listen(self, address: &str) -> Result<Self, ListenError> {
        self.listener(Listener::parse(address).map_err(ListenError::Url)?)
    }

    /// Listens there.
    ///
    /// # Errors
    /// The name is unknown, the system does not let us listen there, or a file cannot be used.
    pub fn listener(mut self, listener: Listener) -> Result<Self, ListenError> {
        self.listeners.extend(listener.bind()?);
        Ok(self)
    }

    /// Starts the broker.
    ///
    /// # Errors
    /// See [`Driver::start`]; `InvalidInput` if a hook set is for a listener that there is not.
    pub fn start(self) -> io::Result<D::Running> {
        D::start(self.setup()?)
    }

    fn setup(self) -> io::Result<Setup> {
        let Self {
            mut config,
            hooks,
            answerers,
            listeners,
            ..
        } = self;
        config.listeners = listeners.iter().map(|one| one.config.clone()).collect();
        let mut chain = HookChain::new();
        for HookEntry {
            listeners: names,
            hooks,
        } in hooks
        {
            let numbers = names
                .map(|names| numbers_of(&names, &listeners))
                .transpose()?;
            chain.push_for(numbers.as_deref(), hooks);
        }
        Ok(Setup {
            config,
            hooks: chain,
            answerers,
            listeners,
        })
    }
}

/// The numbers of the listeners with these names.
fn numbers_of(names: &[String], listeners: &[Bound]) -> io::Result<Vec<u16>> {
    let mut numbers = Vec::new();
    for name in names {
        let these = (0..)
            .zip(listeners)
            .filter(|(_, listener)| *listener.endpoint.name == **name)
            .map(|(number, _)| number);
        let before = numbers.len();
        numbers.extend(these);
        if numbers.len() == before {
            let what = format!("a hook set is for listener {name:?}, and there is none");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nothing;

    impl Driver for Nothing {
        type Running = Setup;

        fn start(setup: Setup) -> io::Result<Self::Running> {
            Ok(setup)
        }
    }

    #[test]
    fn the_port_that_the_system_chose_is_told() {
        let setup = Builder::<Nothing>::default()
            .listen("127.0.0.1:0")
            .unwrap()
            .start()
            .unwrap();
        let [endpoint] = &setup.endpoints()[..] else {
            panic!("one address, one listener");
        };
        assert_ne!(endpoint.socket_addr().unwrap().port(), 0);
        assert_eq!(*endpoint.name, endpoint.to_string());
    }

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = taken.local_addr().unwrap().to_string();
        let error = Builder::<Nothing>::default().listen(&addr).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&addr) && text.contains("Choose another port"),
            "{text}"
        );
    }

    #[derive(Debug)]
    struct Silent;

    impl Hooks for Silent {
        fn wants(&self) -> sanderling_core::hooks::HookSet {
            Default::default()
        }
    }

    #[test]
    fn a_hook_for_a_listener_that_is_not_there_is_a_mistake() {
        let builder = || {
            Builder::<Nothing>::default()
                .listen("mqtt://127.0.0.1:0?name=lan")
                .unwrap()
        };
        assert!(builder().hook_on(&["lan"], Silent).start().is_ok());
        let error = builder().hook_on(&["wan"], Silent).start().unwrap_err();
        assert!(error.to_string().contains("\"wan\""));
    }
}
