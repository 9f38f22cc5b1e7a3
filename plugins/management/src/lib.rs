//! The management API of the [Sanderling](sanderling_core) MQTT broker, as a plugin: HTTP on a thread of its own, beside
//! every driver.
//!
//! One server has two faces:
//! - `/api/v1`, for programs and people: clients, sessions with their queues, subscriptions, topics, retained messages,
//!   publishing, listeners, configuration, statistics. It describes itself at `/api/v1/openapi.json`. Who calls has a
//!   bearer [`Token`] with a [`Scope`]; only `/livez` and `/readyz` are open.
//! - the nine routes of the broker that this one succeeds, for those who have programs for them: `/clients`,
//!   `/client/{id}`, `/sessions`, `/session/{id}`, `/subscriptions/{id}`, `/subscribe`, `/unsubscribe`, `/publish`. Who
//!   calls has an [`Account`], or a token.
//!
//! There is no default token and no default password; without any the plugin does not load. Large tables are looked at
//! in pieces, so that no turn of the broker takes long.
//!
//! ```
//! use sanderling_management::{Management, Tokens};
//! use std::net::TcpListener;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (tokens, secret) = Tokens::one_time()?;
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let broker = sanderling_mio::Broker::builder()
//!     .plugin(Management::on(listener).tokens(tokens))
//!     .listen("127.0.0.1:0")?
//!     .start()?;
//! println!("curl -H 'Authorization: Bearer {}' http://{address}/api/v1/clients", secret.as_str());
//! # broker.stop();
//! # broker.join()?;
//! # Ok(())
//! # }
//! ```

mod access;
mod api;
mod calls;
mod plugin;
mod policy;
mod roll;
mod seed;
mod shared;
mod stamp;

pub use access::{Account, AccountError, Scope, Secret, Token, Tokens, TokensError};
pub use plugin::Management;
