//! MQTT over WebSocket, without and with TLS, and a web page that speaks it.
//!
//! ```sh
//! cargo run -- cert     # makes an authority and a server's certificate in certs/
//! cargo run -p sanderling-examples --bin wswss -- 127.0.0.1:8080 127.0.0.1:8081 127.0.0.1:8000 certs
//! ```
//!
//! Then open the page that it names. For `wss` the browser must trust `certs/ca.pem`.

use axum::{Router, response::Html, routing::get};
use sanderling_examples::{Failure, announce, arguments, on_signal};
use sanderling_http::{Limits, Server};
use sanderling_runtime::{Listener, TlsFiles, WebSocketOptions};
use sanderling_tokio::Broker;
use std::{net::TcpListener, path::Path};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let [ws, wss, page, certificates] = arguments([
        "127.0.0.1:8080",
        "127.0.0.1:8081",
        "127.0.0.1:8000",
        "certs",
    ]);
    let page = TcpListener::bind(page)?;
    let origin = format!("http://{}", page.local_addr()?);

    let options = WebSocketOptions {
        paths: vec!["/".into()], // every path
        // Pages of other origins are refused: a page from anywhere would connect with its reader's place in the network.
        origins: vec![origin.clone()],
        ..WebSocketOptions::default()
    };
    let certificates = Path::new(&certificates);
    let files = TlsFiles::new(
        certificates.join("server.pem"),
        certificates.join("server.key"),
    );
    let broker = Broker::builder()
        .listener(Listener::tcp(ws).websocket(options.clone()))?
        .listener(Listener::tcp(wss).websocket(options).tls(files))?
        .start()?;

    let router = Router::new().route("/", get(async || Html(include_str!("page.html"))));
    let mut web = Server::start_on(Limits::default(), "page", page, router)?;

    let handle = broker.handle();
    on_signal(move || handle.stop())?;
    announce(broker.endpoints());
    println!("page on {origin}/?broker={}", broker.endpoints()[0]);
    broker.join().await?;
    web.stop();
    Ok(())
}
