//! The plugin: what its builder is told, and its life.

use crate::{
    access::{Account, AccountError, Keys, Token, Tokens},
    api, policy,
    roll::{Keeper, Roll},
    seed,
    shared::Shared,
};
use axum::{Router, middleware::from_fn_with_state};
use sanderling_http::{Limits, Server};
use sanderling_runtime::{Handle, HookSets, Plugin, PluginError};
use std::{
    error::Error,
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tracing::warn;

/// Its name, in logs and errors.
const NAME: &str = "management";

/// The management API, as a plugin. See the [crate](crate).
#[derive(Debug)]
pub struct Management {
    place: Place,
    tokens: Vec<Token>,
    accounts: Vec<Account>,
    without_authentication: bool,
    show_passwords: bool,
    roll: Roll,
    server: Option<Server>,
}

/// Where the server is to be.
#[derive(Debug)]
enum Place {
    Address(SocketAddr),
    /// Somebody listens already.
    Listener(TcpListener),
    /// It is there.
    Taken,
}

impl Management {
    /// A server at this address. It does not start without [tokens](Self::tokens) or [accounts](Self::account).
    pub fn new(address: SocketAddr) -> Self {
        Self::at(Place::Address(address))
    }

    /// The same where the program listens already. It knows the address then, also if the system chose the port.
    pub fn on(listener: TcpListener) -> Self {
        Self::at(Place::Listener(listener))
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            tokens: Vec::new(),
            accounts: Vec::new(),
            without_authentication: false,
            show_passwords: false,
            roll: Roll::default(),
            server: None,
        }
    }

    /// Those with one of these tokens may call, each for the scopes of the token.
    #[must_use]
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.tokens.extend(tokens.0);
        self
    }

    /// One more token.
    #[must_use]
    pub fn token(mut self, token: Token) -> Self {
        self.tokens.push(token);
        self
    }

    /// The owner of this account may call the seed's routes, all of them.
    #[must_use]
    pub fn account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// Everybody may call everything. Only good at a loopback address, and then for every program on the machine.
    #[must_use]
    pub fn without_authentication(self) -> Self {
        Self {
            without_authentication: true,
            ..self
        }
    }

    /// Shows the passwords of clients in the seed's routes, as the seed did; for a broker that
    /// [keeps them](sanderling_core::config::Config::keep_connects). They are masked otherwise.
    #[must_use]
    pub fn show_passwords(self) -> Self {
        Self {
            show_passwords: true,
            ..self
        }
    }

    /// Who may call at this address, if that is all right.
    fn keys(&self, address: SocketAddr) -> Result<Keys, Refusal> {
        let is_guarded = !self.tokens.is_empty() || !self.accounts.is_empty();
        match self.without_authentication {
            true if is_guarded => return Err(Refusal::Both),
            true if !address.ip().is_loopback() => return Err(Refusal::Exposed(address)),
            false if !is_guarded => return Err(Refusal::Unguarded),
            _ => {}
        }
        let (tokens, accounts) = (self.tokens.clone(), self.accounts.clone());
        Keys::new(tokens, accounts, self.without_authentication).map_err(Refusal::Account)
    }
}

impl Plugin for Management {
    fn name(&self) -> &str {
        NAME
    }

    fn load(&mut self, handle: &Handle) -> Result<(), PluginError> {
        let listener = self.place.take()?;
        let address = listener.local_addr()?;
        let keys = self.keys(address)?;
        if keys.is_open() {
            warn!(%address, "every program on this machine may manage the broker");
        }
        let shared = Arc::new(Shared {
            handle: handle.clone(),
            roll: self.roll.clone(),
            keys,
            show_passwords: self.show_passwords,
            pulse: api::Pulse::default(),
            document: api::document().into(),
        });
        let server = Server::start_on(limits(), NAME, listener, router(&shared))?;
        self.server = Some(server);
        Ok(())
    }

    fn hooks(&mut self, hooks: &mut HookSets) {
        hooks.hook(Keeper(self.roll.clone()));
    }

    fn unload(&mut self) -> Result<(), PluginError> {
        if let Some(mut server) = self.server.take() {
            server.stop();
        }
        Ok(())
    }
}

impl Place {
    fn take(&mut self) -> Result<TcpListener, Refusal> {
        match std::mem::replace(self, Self::Taken) {
            Self::Address(address) => {
                TcpListener::bind(address).map_err(|error| Refusal::Bind(address, error))
            }
            Self::Listener(listener) => Ok(listener),
            Self::Taken => unreachable!("a plugin is loaded once"),
        }
    }
}

/// Handlers answer sooner than the server would for them, in the form of their API.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.body_bytes_max = 8 << 20;
    limits.header_bytes_max = 64 << 10;
    limits.answer_time_max = Duration::from_secs(60);
    limits
}

fn router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .merge(api::router(shared))
        .merge(seed::router(shared))
        .fallback(api::unknown)
        .layer(from_fn_with_state(Arc::clone(shared), policy::check))
        .with_state(Arc::clone(shared))
}

/// Why the plugin is not loaded.
#[derive(Debug)]
enum Refusal {
    Unguarded,
    Exposed(SocketAddr),
    Both,
    Account(AccountError),
    Bind(SocketAddr, io::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unguarded => {
                f.write_str("there are no tokens and no accounts: nobody could call")
            }
            Self::Exposed(address) => write!(
                f,
                "{address} can be reached from other machines: tokens or accounts are needed there"
            ),
            Self::Both => f.write_str("tokens and accounts mean nothing without authentication"),
            Self::Account(error) => error.fmt(f),
            Self::Bind(address, error) => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Account(error) => Some(error),
            Self::Bind(_, error) => Some(error),
            _ => None,
        }
    }
}
