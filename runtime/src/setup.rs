//! What a broker is made of before it runs: configuration, hooks and listeners, the same for every driver.

use crate::{
    Answerer,
    engine::Answerers,
    guard::{Guarded, GuardedAnswerer},
};
use sanderling_core::{
    config::Config,
    hooks::{HookChain, Hooks},
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    error::Error,
    fmt, io,
    marker::PhantomData,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
};

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
    /// Sockets that listen already and do not block.
    pub listeners: Vec<TcpListener>,
}

impl Setup {
    /// The addresses that are listened on, with the ports the system chose.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }
}

/// Gathers what a broker is made of, then starts it on the driver `D`.
#[derive(Debug)]
pub struct Builder<D> {
    setup: Setup,
    hooks: usize,
    driver: PhantomData<D>,
}

impl<D> Default for Builder<D> {
    fn default() -> Self {
        Self {
            setup: Setup::default(),
            hooks: 0,
            driver: PhantomData,
        }
    }
}

impl<D: Driver> Builder<D> {
    /// Sets the broker's ways and limits.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.setup.config = config;
        self
    }

    /// Appends a hook set. Sets are asked in the order in which they were given. One that panics refuses what it was
    /// asked about; if it only observed, it is told nothing any more.
    #[must_use]
    pub fn hook(mut self, hooks: impl Hooks + 'static) -> Self {
        self.setup.hooks.push(Box::new(Guarded::new(hooks)));
        self.hooks += 1;
        self
    }

    /// Appends a hook set whose `Ask` is answered by `answerer`.
    #[must_use]
    pub fn asking_hook(
        mut self,
        hooks: impl Hooks + 'static,
        answerer: impl Answerer + 'static,
    ) -> Self {
        let answerer = Box::new(GuardedAnswerer(answerer));
        self.setup.answerers.set(self.hooks, answerer);
        self.hook(hooks)
    }

    /// Listens on every address that `addr` stands for; with port 0 the system chooses one.
    ///
    /// # Errors
    /// The name is unknown, or the system does not let us listen there.
    pub fn listen(mut self, addr: &str) -> Result<Self, ListenError> {
        let fail = |source| ListenError {
            addr: addr.to_owned(),
            source,
        };
        let found: Vec<_> = addr.to_socket_addrs().map_err(fail)?.collect();
        if found.is_empty() {
            return Err(fail(io::Error::new(
                io::ErrorKind::NotFound,
                "the name has no address",
            )));
        }
        for one in found {
            self.setup.listeners.push(listen_on(one).map_err(fail)?);
        }
        Ok(self)
    }

    /// Starts the broker.
    ///
    /// # Errors
    /// See [`Driver::start`].
    pub fn start(self) -> io::Result<D::Running> {
        D::start(self.setup)
    }
}

/// Connections that the system completes before they are accepted; it may have a lower limit. With the standard
/// library's 128, clients that come back together after a restart would wait for whole seconds.
const BACKLOG: i32 = 4096;

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // A broker that starts again gets its port at once. On Windows the option would let others take the port.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Why an address cannot be listened on.
#[derive(Debug)]
pub struct ListenError {
    addr: String,
    source: io::Error,
}

impl ListenError {
    /// What the system says.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { addr, source } = self;
        write!(f, "cannot listen on {addr}: {source}")?;
        f.write_str(match source.kind() {
            io::ErrorKind::AddrInUse => "; is another broker running? Choose another port",
            io::ErrorKind::PermissionDenied => "; ports below 1024 need privileges",
            io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
            io::ErrorKind::InvalidInput => "; write HOST:PORT",
            _ => "",
        })
    }
}

impl Error for ListenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nothing;

    impl Driver for Nothing {
        type Running = Vec<SocketAddr>;

        fn start(setup: Setup) -> io::Result<Self::Running> {
            setup.local_addrs()
        }
    }

    #[test]
    fn the_port_that_the_system_chose_is_told() {
        let addrs = Builder::<Nothing>::default()
            .listen("127.0.0.1:0")
            .unwrap()
            .start()
            .unwrap();
        assert_eq!(addrs.len(), 1);
        assert_ne!(addrs[0].port(), 0);
    }

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = taken.local_addr().unwrap().to_string();
        let error = Builder::<Nothing>::default().listen(&addr).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&addr) && text.contains("Choose another port"),
            "{text}"
        );
    }
    #[cfg(target_os = "linux")]
    #[test]
    fn a_burst_of_connections_waits_in_the_system_until_it_is_accepted() {
        let limit = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let burst = limit.trim().parse::<usize>().unwrap().min(600);
        let listener = listen_on("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let connections: Vec<_> = (0..burst)
            .map(|_| std::net::TcpStream::connect(address).unwrap())
            .collect();
        let accepted = std::iter::from_fn(|| listener.accept().ok());
        assert_eq!(accepted.count(), connections.len());
    }
}
