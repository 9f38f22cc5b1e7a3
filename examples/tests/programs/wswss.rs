//! E4: WebSocket without and with TLS, and the page.

use super::support::{Client, Program, Who, http};
use sanderling_core::packet::QoS;
use sanderling_tests::peer::Certificates;

#[test]
fn e4_clients_of_ws_and_wss_reach_each_other_and_the_page_may_connect() {
    let folder = Certificates::get().directory().to_str().unwrap();
    let arguments = ["127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", folder];
    let mut program = Program::start(env!("CARGO_BIN_EXE_wswss"), &arguments);
    let (ws, wss) = (program.url(), program.url());
    let page = program.told("page on ");

    let mut open = Client::connect(&ws, Who::new("open"));
    let mut secret = Client::connect(&wss, Who::new("secret"));
    open.subscribe("to/open", QoS::AtLeastOnce);
    secret.subscribe("to/secret", QoS::AtLeastOnce);
    open.publish("to/secret", "from open", QoS::AtLeastOnce);
    secret.publish("to/open", "from secret", QoS::AtLeastOnce);
    assert_eq!(secret.message().payload, "from open");
    assert_eq!(open.message().payload, "from secret");

    // The page is there, with what it is to connect to in its address.
    let (origin, query) = page.split_once("/?").unwrap();
    assert_eq!(query, format!("broker={ws}"));
    let (status, text) = http(origin, &format!("GET /?{query}"), "", "");
    assert_eq!(status, 200);
    assert!(text.contains("text/html") && text.contains("class Mqtt"));
    // Its own origin is let in, on any path; pages from elsewhere are not.
    let place = ws.trim_start_matches("ws://").trim_end_matches('/');
    assert_eq!(upgrade(place, "/", origin), 101);
    assert_eq!(upgrade(place, "/any/path", origin), 101);
    assert_eq!(upgrade(place, "/", "https://example.org"), 403);
    drop((open, secret));
    program.stop();
}

/// The status of the answer to a page that asks for WebSocket.
fn upgrade(place: &str, path: &str, origin: &str) -> u16 {
    use std::io::{BufRead, BufReader, Write};
    let mut stream = std::net::TcpStream::connect(place).unwrap();
    stream
        .set_read_timeout(Some(super::support::DEADLINE))
        .unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {place}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: mqtt\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}
