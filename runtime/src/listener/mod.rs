//! Where clients come in: an address, the layers that are spoken there, and what that listener does differently.

mod endpoint;
mod socket;
mod url;

pub use endpoint::{Address, Endpoint};
pub use socket::{ListeningSocket, SocketFile};
pub use url::UrlError;

#[cfg(feature = "tls")]
use crate::{CertificatesError, TlsFiles, pipeline::TlsServer};
use crate::{Proxies, Transport, WebSocketOptions};
use sanderling_core::config::{ListenerConfig, ListenerLimits};
use std::{
    error::Error,
    fmt, io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    path::PathBuf,
    sync::Arc,
};

/// A place to listen, until it is bound.
///
/// ```
/// use sanderling_runtime::{Listener, WebSocketOptions};
///
/// let plain = Listener::tcp("127.0.0.1:1883").named("lan");
/// let pages = Listener::tcp("127.0.0.1:8080").websocket(WebSocketOptions::default());
/// let same_as_pages = Listener::parse("ws://127.0.0.1:8080/ws")?;
/// # Ok::<(), sanderling_runtime::UrlError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Listener {
    place: Place,
    name: Option<String>,
    proxies: Option<Proxies>,
    #[cfg(feature = "tls")]
    tls: Option<TlsFiles>,
    websocket: Option<WebSocketOptions>,
    anonymous: bool,
    limits: ListenerLimits,
}

#[derive(Clone, Debug)]
enum Place {
    /// `HOST:PORT`
    Tcp(String),
    Unix {
        path: PathBuf,
        /// Who may connect, as permissions of the file.
        mode: Option<u32>,
    },
    /// TCP, bound by the program.
    Given(Arc<TcpListener>),
}

impl Listener {
    /// Listens on every address that `HOST:PORT` stands for; with port 0 the system chooses one.
    pub fn tcp(address: impl Into<String>) -> Self {
        Self::at(Place::Tcp(address.into()))
    }

    /// Listens on a Unix socket at this path. A file that a broker before left there is replaced.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::at(Place::Unix { path, mode: None })
    }

    /// Listens on a socket that the program has bound, or was handed by whoever started it. It is the broker's from now on,
    /// which closes it when it stops; clones of this listener keep it open.
    pub fn on(socket: TcpListener) -> Self {
        Self::at(Place::Given(Arc::new(socket)))
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            name: None,
            proxies: None,
            #[cfg(feature = "tls")]
            tls: None,
            websocket: None,
            anonymous: true,
            limits: ListenerLimits::default(),
        }
    }

    /// Names it, for those who tell listeners apart. Without a name it is called by its address.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Expects a header of the PROXY protocol in front of each connection, from these proxies and nobody else.
    #[must_use]
    pub fn proxied(mut self, proxies: Proxies) -> Self {
        self.proxies = Some(proxies);
        self
    }

    /// Speaks TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.tls = Some(files);
        self
    }

    /// Speaks WebSocket.
    #[must_use]
    pub fn websocket(mut self, options: WebSocketOptions) -> Self {
        self.websocket = Some(options);
        self
    }

    /// Whether clients that do not say who they are may connect; see [`ListenerConfig::anonymous`].
    #[must_use]
    pub fn anonymous(mut self, anonymous: bool) -> Self {
        self.anonymous = anonymous;
        self
    }

    /// Sets bounds of its own.
    #[must_use]
    pub fn limits(mut self, limits: ListenerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Permissions of a Unix socket's file, such as `0o660`; without them those that the process gives new files.
    #[must_use]
    pub fn mode(mut self, permissions: u32) -> Self {
        if let Place::Unix { mode, .. } = &mut self.place {
            *mode = Some(permissions);
        }
        self
    }

    /// The same for each address that its name stands for, so that some can be left out. Other sockets are what they are.
    ///
    /// # Errors
    /// The name is unknown.
    pub fn resolve(&self) -> Result<Vec<Self>, ListenError> {
        let Place::Tcp(name) = &self.place else {
            return Ok(vec![self.clone()]);
        };
        let failed = |source| ListenError::Socket {
            address: name.clone(),
            source,
        };
        let found: Vec<_> = name.to_socket_addrs().map_err(failed)?.collect();
        if found.is_empty() {
            let what = "the name has no address";
            return Err(failed(io::Error::new(io::ErrorKind::NotFound, what)));
        }
        let each = found.into_iter().map(|address| Self {
            place: Place::Tcp(address.to_string()),
            ..self.clone()
        });
        Ok(each.collect())
    }

    /// The address, once it is [resolved](Self::resolve).
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match &self.place {
            Place::Tcp(address) => address.parse().ok(),
            Place::Unix { .. } => None,
            Place::Given(socket) => socket.local_addr().ok(),
        }
    }

    /// Listens, on each address if a name stands for several. From now on the system completes connections, which wait
    /// there until a driver accepts them.
    ///
    /// # Errors
    /// The name is unknown, the system does not let us listen there, or a file cannot be used.
    pub fn bind(self) -> Result<Vec<Bound>, ListenError> {
        let address = match &self.place {
            Place::Tcp(address) => address.clone(),
            Place::Unix { path, .. } => path.display().to_string(),
            Place::Given(socket) => format!("{socket:?}"),
        };
        let failed = |source| ListenError::Socket {
            address: address.clone(),
            source,
        };
        let transport = self.transport()?;
        let sockets = match &self.place {
            Place::Tcp(_) => {
                let each = self.resolve()?;
                let addresses = each.iter().filter_map(Self::socket_addr);
                let sockets = addresses.map(ListeningSocket::tcp);
                sockets.collect::<io::Result<Vec<_>>>().map_err(failed)?
            }
            Place::Unix { path, mode } => {
                vec![ListeningSocket::unix(path, *mode).map_err(failed)?]
            }
            Place::Given(socket) => vec![ListeningSocket::given(socket).map_err(failed)?],
        };
        let bound = sockets.into_iter().map(|socket| {
            let address = socket.local_address()?;
            Ok(self.bound(socket, address, transport.clone()))
        });
        bound.collect::<io::Result<_>>().map_err(failed)
    }

    /// The layers that are spoken there.
    ///
    /// # Errors
    /// A file of certificates or keys cannot be used.
    pub fn transport(&self) -> Result<Transport, ListenError> {
        Ok(Transport {
            proxies: self.proxies.clone().map(Arc::new),
            #[cfg(feature = "tls")]
            tls: match self.tls.clone() {
                Some(files) => {
                    let protocol = self.protocol();
                    Some(TlsServer::load(files, protocol).map_err(ListenError::Certificates)?)
                }
                None => None,
            },
            #[cfg(not(feature = "tls"))]
            tls: None,
            websocket: self.websocket.clone().map(Arc::new),
        })
    }

    /// What TLS clients ask for by ALPN.
    #[cfg(feature = "tls")]
    fn protocol(&self) -> &'static [u8] {
        match self.websocket {
            Some(_) => b"http/1.1",
            None => b"mqtt",
        }
    }

    fn bound(&self, socket: ListeningSocket, address: Address, transport: Transport) -> Bound {
        let scheme = match (transport.tls.is_some(), &self.websocket, &address) {
            (true, Some(_), _) => "wss",
            (false, Some(_), _) => "ws",
            (true, None, _) => "mqtts",
            (false, None, Address::Ip(_)) => "mqtt",
            (false, None, Address::Unix(_)) => "unix",
        };
        let path = self.websocket.as_ref().and_then(|one| one.paths.first());
        let mut endpoint = Endpoint {
            name: "".into(),
            scheme,
            address,
            path: path.map(|path| (**path).into()).unwrap_or_default(),
        };
        endpoint.name = match &self.name {
            Some(name) => (**name).into(),
            None => endpoint.to_string().into(),
        };
        let config = ListenerConfig {
            name: endpoint.name.clone(),
            anonymous: self.anonymous,
            limits: self.limits.clone(),
        };
        Bound {
            socket,
            endpoint,
            transport,
            config,
        }
    }
}

/// A socket that listens, and what is spoken there.
#[derive(Debug)]
pub struct Bound {
    /// The socket. It does not block.
    pub socket: ListeningSocket,
    /// Where clients find it.
    pub endpoint: Endpoint,
    /// The layers below MQTT.
    pub transport: Transport,
    /// What it does differently.
    pub config: ListenerConfig,
}

/// Why there is no listening.
#[derive(Debug)]
pub enum ListenError {
    /// The address cannot be listened on.
    Socket {
        /// As it was given.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The URL is not understood.
    Url(UrlError),
    /// A file of certificates or keys cannot be used.
    #[cfg(feature = "tls")]
    Certificates(CertificatesError),
}

impl ListenError {
    /// What the system says.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Socket { source, .. } => source.kind(),
            _ => io::ErrorKind::InvalidInput,
        }
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, source) = match self {
            Self::Socket { address, source } => (address, source),
            Self::Url(error) => return error.fmt(f),
            #[cfg(feature = "tls")]
            Self::Certificates(error) => return error.fmt(f),
        };
        write!(f, "cannot listen on {address}: {source}")?;
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
        match self {
            Self::Socket { source, .. } => Some(source),
            Self::Url(error) => Some(error),
            #[cfg(feature = "tls")]
            Self::Certificates(error) => Some(error),
        }
    }
}
