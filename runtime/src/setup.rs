//! What a broker is made of before it runs: configuration, hooks and listeners, the same for every driver.

use crate::{
    Answerer, Bound, Endpoint, Handle, HookSets, Inbox, ListenError, Listener, Plugin, Plugins,
    engine::Answerers,
};
use sanderling_core::{
    config::Config,
    hooks::{HookChain, Hooks},
};
use std::{fmt, io, sync::Arc};

#[cfg(feature = "tls")]
use crate::Certificates;

/// An event loop that a broker can run on.
pub trait Driver {
    /// A broker that runs.
    type Running;
    /// What can be chosen of this driver, and of no other; `()` for nothing.
    type Options: Default + fmt::Debug;

    /// Starts to serve.
    ///
    /// # Errors
    /// The system refuses what the driver needs: a thread, a poller, randomness.
    fn start(setup: Setup, options: Self::Options) -> io::Result<Self::Running>;
}

/// What a driver starts with.
#[derive(Debug)]
pub struct Setup {
    /// The broker's ways and limits.
    pub config: Config,
    /// Who decides and observes.
    pub hooks: HookChain,
    /// Who answers what hooks leave open.
    pub answerers: Answerers,
    /// Sockets that listen already and do not block, by their numbers.
    pub listeners: Vec<Bound>,
    /// Loaded already.
    pub plugins: Plugins,
    /// Where letters to the broker go; the driver [attaches](Inbox::attach) itself.
    pub inbox: Arc<Inbox>,
    /// The way in for the program around the broker.
    pub handle: Handle,
}

impl Setup {
    /// Where clients find the broker, with the ports the system chose.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let listeners = self.listeners.iter();
        listeners.map(|one| one.endpoint.clone()).collect()
    }
}

/// Gathers what a broker is made of, then starts it on the driver `D`.
#[derive(Debug)]
pub struct Builder<D: Driver> {
    config: Config,
    hooks: HookSets,
    plugins: Vec<Box<dyn Plugin>>,
    listeners: Vec<Bound>,
    inbox: Arc<Inbox>,
    handle: Handle,
    options: D::Options,
}

impl<D: Driver> Default for Builder<D> {
    fn default() -> Self {
        let inbox = Inbox::new();
        Self {
            config: Config::default(),
            hooks: HookSets::default(),
            plugins: Vec::new(),
            listeners: Vec::new(),
            handle: Handle::new(Arc::clone(&inbox)),
            inbox,
            options: D::Options::default(),
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

    /// Chooses what can be chosen of the driver.
    #[must_use]
    pub fn driver_options(mut self, options: D::Options) -> Self {
        self.options = options;
        self
    }

    /// The way in to the broker that is being built, for hooks that keep it. What it is given that need not wait is
    /// carried out when the broker has started.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Appends a hook set; see [`HookSets::hook`].
    #[must_use]
    pub fn hook(mut self, hooks: impl Hooks + 'static) -> Self {
        self.hooks.hook(hooks);
        self
    }

    /// Appends a hook set for some listeners; see [`HookSets::hook_on`].
    #[must_use]
    pub fn hook_on(mut self, listeners: &[&str], hooks: impl Hooks + 'static) -> Self {
        self.hooks.hook_on(listeners, hooks);
        self
    }

    /// Appends a hook set that may ask; see [`HookSets::asking_hook`].
    #[must_use]
    pub fn asking_hook(
        mut self,
        hooks: impl Hooks + 'static,
        answerer: impl Answerer + 'static,
    ) -> Self {
        self.hooks.asking_hook(hooks, answerer);
        self
    }

    /// Adds a plugin. They are loaded in the order in which they were given; their hooks come after all others.
    #[must_use]
    pub fn plugin(mut self, plugin: impl Plugin + 'static) -> Self {
        self.plugins.push(Box::new(plugin));
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

    /// Loads the plugins and starts the broker.
    ///
    /// # Errors
    /// See [`Driver::start`]; `InvalidInput` if a hook set is for a listener that there is not; a [`LoadError`] inside
    /// if a plugin cannot be loaded.
    ///
    /// [`LoadError`]: crate::LoadError
    pub fn start(self) -> io::Result<D::Running> {
        let (setup, options) = self.setup()?;
        D::start(setup, options)
    }

    fn setup(self) -> io::Result<(Setup, D::Options)> {
        let Self {
            mut config,
            mut hooks,
            plugins,
            listeners,
            inbox,
            handle,
            options,
        } = self;
        config.listeners = listeners.iter().map(|one| one.config.clone()).collect();
        let endpoints: Vec<_> = listeners.iter().map(|one| one.endpoint.clone()).collect();
        handle.complete(
            endpoints.clone(),
            #[cfg(feature = "tls")]
            certificates_of(&listeners),
        );
        let plugins = Plugins::load(plugins, &handle, &mut hooks).map_err(io::Error::other)?;
        let (hooks, answerers) = hooks.into_chain(&endpoints)?;
        let setup = Setup {
            config,
            hooks,
            answerers,
            listeners,
            plugins,
            inbox,
            handle,
        };
        Ok((setup, options))
    }
}

#[cfg(feature = "tls")]
fn certificates_of(listeners: &[Bound]) -> Certificates {
    let servers = listeners.iter().map(|one| one.transport.tls.clone());
    Certificates::of(servers.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nothing;

    impl Driver for Nothing {
        type Running = Setup;
        type Options = ();

        fn start(setup: Setup, (): ()) -> io::Result<Self::Running> {
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
