//! Metrics of the [Sanderling](sanderling_core) MQTT broker, for Prometheus and whatever reads its text format 0.0.4.
//!
//! The plugin serves them over HTTP from a thread of its own, beside any driver. The names without the prefix
//! `sanderling_` are those of the broker that Sanderling succeeds, so that dashboards go on; [`families`] lists them all.
//! Labels are bounded: packet types, QoS, causes, reasons, names of listeners; never a client identifier or a topic.
//!
//! A scrape costs the broker one look at its counters, whatever the number of clients, and scrapes within a tenth of a
//! second share one. How long turns take is measured from the first scrape on.
//!
//! ```
//! use sanderling_prometheus::Prometheus;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! println!("http://{}/metrics", listener.local_addr()?);
//! let broker = sanderling_mio::Broker::builder()
//!     .plugin(Prometheus::on(listener).token("tell it to the scraper only"))
//!     .listen("127.0.0.1:0")?
//!     .start()?;
//! # broker.stop();
//! # broker.join()?;
//! # Ok(())
//! # }
//! ```
//!
//! Without a token everybody who can reach the address can read; the default, [`DEFAULT_ADDRESS`], is for this machine
//! only. There is no TLS: put a proxy in front of it for more.
//!
//! A dashboard for Grafana (`grafana.json`) and alert rules (`alerts.yaml`) stand beside this crate's source.

mod encode;
mod family;
mod names;
mod plugin;
mod scrape;
mod sight;
mod token;

pub use family::{Family, Kind, families};
pub use plugin::{DEFAULT_ADDRESS, DEFAULT_PATH, Prometheus};
