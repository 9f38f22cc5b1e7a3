//! All together: configuration, hooks, WebSocket, the management API, metrics, and a log.
//!
//! ```sh
//! cargo run -p sanderling-examples --bin all -- 127.0.0.1:1883 127.0.0.1:8080 127.0.0.1:8081 127.0.0.1:8082
//! ```
//!
//! The addresses are those of MQTT, MQTT over WebSocket, management and metrics.

use sanderling_core::{
    config::{Config, Limits},
    hooks::{Client, Context, Draft, HookSet, Hooks, Ruling},
    reason::ReasonCode,
};
use sanderling_examples::{Failure, announce, arguments, log_to_stderr, on_signal};
use sanderling_management::{Management, Tokens};
use sanderling_mio::{Broker, Listener, Log};
use sanderling_prometheus::Prometheus;
use sanderling_runtime::WebSocketOptions;
use std::net::TcpListener;

fn main() -> Result<(), Failure> {
    let [mqtt, websocket, management, metrics] = arguments([
        "127.0.0.1:1883",
        "127.0.0.1:8080",
        "127.0.0.1:8081",
        "127.0.0.1:8082",
    ]);
    // The broker says what happens through `tracing`; without a subscriber it is silent.
    log_to_stderr();
    let config = Config {
        keep_alive_max_s: 300,
        limits: Limits {
            packet_bytes_max: 64 << 10,
            queue_messages_max: 1000,
            ..Limits::default()
        },
        ..Config::default()
    };
    let management = TcpListener::bind(management)?;
    let metrics = TcpListener::bind(metrics)?;
    println!("management on http://{}", management.local_addr()?);
    println!("metrics on http://{}/metrics", metrics.local_addr()?);
    // Good for this run only; `Tokens::file` keeps them.
    let (tokens, secret) = Tokens::one_time()?;
    println!("management token: {}", secret.as_str());

    let broker = Broker::builder()
        .config(config)
        .hook(Log::default())
        .hook(Public)
        .plugin(Management::on(management).tokens(tokens))
        .plugin(Prometheus::on(metrics))
        .listener(Listener::tcp(mqtt))?
        .listener(Listener::tcp(websocket).websocket(WebSocketOptions::default()))?
        .start()?;
    let handle = broker.handle();
    on_signal(move || handle.stop())?;
    announce(broker.endpoints());
    // Plugins end with the broker.
    broker.join()?;
    Ok(())
}

/// Clients publish below `public/` and nowhere else.
struct Public;

impl Hooks for Public {
    fn wants(&self) -> HookSet {
        HookSet::PUBLISH
    }

    fn publish(&mut self, _: &Client<'_>, draft: &mut Draft<'_>, _: &mut Context<'_>) -> Ruling {
        match draft.topic().starts_with("public/") {
            true => Ruling::Permit,
            false => Ruling::Refuse(ReasonCode::NOT_AUTHORIZED),
        }
    }
}
