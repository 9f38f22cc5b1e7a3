//! A small HTTP server on a thread of its own, for plugins of the Sanderling MQTT broker.
//!
//! It serves an [`axum::Router`], by HTTP/1.1 without TLS, and works beside every driver: whoever starts it needs no
//! runtime. Everything has a limit, see [`Limits`]: connections, the size of headers and bodies, the time for everything.
//!
//! ```
//! use axum::{Router, routing::get};
//! use sanderling_http::Server;
//!
//! # fn main() -> std::io::Result<()> {
//! let router = Router::new().route("/", get(async || "hello"));
//! let mut server = Server::start("greeter", "127.0.0.1:0".parse().unwrap(), router)?;
//! println!("http://{}/", server.local_addr());
//! server.stop();
//! # Ok(())
//! # }
//! ```

mod answer;
mod limits;
mod patient;
mod serve;
mod server;

pub use limits::Limits;
pub use server::Server;
