//! WebSocket as clients of every kind speak it: requests, subprotocols, and frames that have nothing to do with packets.

use super::{client::Received, layered::Layered, serve::Serve};
use sanderling_core::{packet::ClientPacket, reason::ReasonCode};
use sanderling_runtime::{Builder, Listener, WebSocketOptions};
use sanderling_tests::peer::{Below, Cut};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

super::on_every_driver! {
    t3_what_is_no_request_for_websocket_on_a_path_that_is_served_is_answered_in_http
    t6_packets_and_frames_are_cut_apart_from_each_other
    t7_a_subprotocol_that_means_mqtt_is_chosen
}

/// What a request for WebSocket has beside its path.
pub(crate) const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The head of the answer to a request with these headers.
pub(crate) fn ask(address: SocketAddr, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn listening<D: Serve>(paths: &[&str]) -> Builder<D> {
    let builder: Builder<D> = Builder::default();
    let options = WebSocketOptions {
        paths: paths.iter().map(|&path| path.into()).collect(),
        ..WebSocketOptions::default()
    };
    let listener = Listener::tcp("127.0.0.1:0").websocket(options);
    builder.listener(listener).unwrap()
}

fn t3_what_is_no_request_for_websocket_on_a_path_that_is_served_is_answered_in_http<D: Serve>() {
    let some = D::serve(listening(&["/mqtt"]));
    let every = D::serve(listening(&["/"]));
    for (served, path, headers, status) in [
        (&some, "/mqtt", UPGRADE, "101"),
        (&some, "/", UPGRADE, "404"),
        (&some, "/mqtt/more", UPGRADE, "404"),
        (&some, "/mqtt", "", "400"),
        (&every, "/", UPGRADE, "101"),
        (&every, "/whatever/it/is", UPGRADE, "101"),
        (&every, "/", "", "400"),
    ] {
        let head = ask(served.address, path, headers);
        let begin = format!("HTTP/1.1 {status} ");
        assert!(head.starts_with(&begin), "{path}: {head}");
    }
    // Clients that are no web pages name no origin; others may connect from where the page is.
    let same = format!("{UPGRADE}Origin: http://localhost\r\n");
    assert!(ask(some.address, "/mqtt", &same).starts_with("HTTP/1.1 101 "));
}

fn t6_packets_and_frames_are_cut_apart_from_each_other<D: Serve>() {
    let served = D::serve(listening(&["/mqtt"]));
    let large = vec![7; 200_000];
    for (frame_bytes, fragments, chatty, payload) in [
        (1, 3, true, &large[..2_000]),
        (4096, 0, false, &large),
        (4097, 2, true, &large),
        (0, 0, false, &large),
    ] {
        let cut = Cut {
            frame_bytes,
            fragments,
            chatty,
        };
        let mut client = Layered::cut(served.address, Below::WebSocket, cut);
        let accepted = Received::ConnAck(ReasonCode::SUCCESS);
        assert_eq!(client.connect("c", true), accepted);
        client.subscribe("t");
        client.publish("t", payload);
        client.send(&ClientPacket::PingReq);
        assert!(client.receive_payload() == payload, "{cut:?}");
        assert_eq!(client.receive(), Received::PingResp);
        // Many packets in one message, whatever becomes of that.
        client.link.send(&[0xC0, 0].repeat(50));
        client.flush();
        for _ in 0..50 {
            assert_eq!(client.receive(), Received::PingResp);
        }
    }
}

fn t7_a_subprotocol_that_means_mqtt_is_chosen<D: Serve>() {
    let served = D::serve(listening(&["/mqtt"]));
    for (offered, chosen) in [
        ("mqtt", "mqtt"),
        ("mqttv3.1", "mqttv3.1"),
        ("chat, mqtt", "mqtt"),
    ] {
        let headers = format!("{UPGRADE}Sec-WebSocket-Protocol: {offered}\r\n");
        let head = ask(served.address, "/mqtt", &headers).to_lowercase();
        let line = format!("\r\nsec-websocket-protocol: {chosen}\r\n");
        assert!(
            head.starts_with("http/1.1 101 ") && head.contains(&line),
            "{head}"
        );
    }
}
