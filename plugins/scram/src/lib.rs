//! SCRAM-SHA-256 for the [Sanderling](sanderling_core) MQTT broker. [RFC 5802] [RFC 7677]
//!
//! Clients of MQTT 5.0 prove that they know a password without telling it, and the broker proves that it knows the user.
//! What the broker keeps of a password does not log anybody in. There is no channel binding: `n` and `y` are accepted,
//! `p` is refused.
//!
//! The messages of the exchange are the Authentication Data of these packets: [MQTT 5.0, 4.12]
//!
//! | from | packet | message |
//! | --- | --- | --- |
//! | client | CONNECT, or AUTH to authenticate again | client-first: user and nonce |
//! | broker | AUTH | server-first: both nonces, salt, iterations |
//! | client | AUTH | client-final: proof that it knows the password |
//! | broker | CONNACK, or AUTH | server-final: proof that it knows the user |
//!
//! ```
//! use sanderling_scram::{ScramSha256, StoredKey};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let alice = StoredKey::derive("wet feet, never", *b"16 random bytes!", 4096)?;
//! let lookup = move |user: &str| (user == "alice").then(|| alice.clone());
//! let broker = sanderling_mio::Broker::builder()
//!     .hook(ScramSha256::new(lookup)?.required())
//!     .listen("127.0.0.1:0")?
//!     .start()?;
//! # broker.stop();
//! # broker.join()?;
//! # Ok(())
//! # }
//! ```
//!
//! [RFC 5802]: https://www.rfc-editor.org/rfc/rfc5802
//! [RFC 7677]: https://www.rfc-editor.org/rfc/rfc7677

mod crypto;
mod decoy;
mod exchange;
mod fault;
mod hook;
mod message;
mod stored_key;

pub use hook::{METHOD, ScramSha256};
pub use stored_key::{ITERATIONS_MIN, KeyError, StoredKey};
