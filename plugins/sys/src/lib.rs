//! `$SYS` topics for the [Sanderling](sanderling_core) MQTT broker.
//!
//! Two kinds of topics, under the names that operators know:
//!
//! - `$SYS/broker/…`: what the broker counts, as text, retained, QoS 0. They are published every ten seconds, or as often
//!   as [`Sys::interval`] says, and only those that have changed; [`topics`] lists them all.
//! - `$SYS/brokers/<node>/clients/<client identifier>/connected` and `…/disconnected`: who comes and goes, as JSON, when
//!   it happens, not retained, QoS 1.
//!
//! Administrators alone may subscribe to them: connections of this machine, and users with the names that
//! [`Sys::administrator`] gives. Others are refused with "Not authorized", and so is a session that an administrator
//! left and somebody else takes up again: its subscriptions to `$SYS` end, though what waited in its queue is delivered.
//! The broker itself lets no client publish there.
//!
//! A user's name is worth what checks it: without a hook that authenticates, anybody may use any name. And behind a proxy
//! on this machine that does not announce clients with the PROXY protocol, every client is one of this machine; see
//! [`Sys::without_local`].
//!
//! ```
//! use sanderling_sys::Sys;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = sanderling_mio::Broker::builder()
//!     .plugin(Sys::new().administrator("operations").node("harbour"))
//!     .listen("127.0.0.1:0")?
//!     .start()?;
//! # broker.stop();
//! # broker.join()?;
//! # Ok(())
//! # }
//! ```

mod gate;
mod hook;
mod load;
mod plugin;
mod presence;
mod publisher;
mod topic;

pub use plugin::Sys;
pub use topic::topics;
