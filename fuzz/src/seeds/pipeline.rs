//! What arrives at a listener, see [`pipeline`](crate::pipeline()).

use super::Seed;
use crate::pipeline::{ABOVE_ALL, ABOVE_PROXY, ABOVE_TLS, HOLDS, PROXY, RUNS, TLS, WEBSOCKET};

pub(super) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |name, choices: u8, cut: u8, bytes: &[&[u8]]| {
        let choices = [choices, cut, choices ^ cut];
        seeds.push(Seed {
            target: "pipeline",
            name,
            bytes: [&choices[..], &bytes.concat()].concat(),
        });
    };
    add("mqtt", 0, 0, STREAM);
    add("mqtt-held", HOLDS, 0, STREAM);
    add("mqtt-runs", RUNS, 0, ROW);
    add("mqtt-runs-held", RUNS | HOLDS, 0, ROW);
    add(
        "mqtt-malformed",
        0,
        0,
        &[CONNECT, PUBLISH, &[0xC1, 0], PING_REQ],
    );
    add(
        "mqtt-too-long",
        0,
        0,
        &[CONNECT, &[0x30, 0x81, 0x10], &[7; 64]],
    );
    proxied(&mut add);
    in_tls(&mut add);
    in_frames(&mut add);
    seeds
}

const CONNECT: &[u8] = b"\x10\x0D\0\x04MQTT\x04\x02\0\0\0\x01c";
const PUBLISH: &[u8] = b"\x30\x06\0\x01tabc";
const PUBLISH_QOS1: &[u8] = b"\x32\x08\0\x01t\0\x01abc";
const PING_REQ: &[u8] = &[0xC0, 0];
const STREAM: &[&[u8]] = &[CONNECT, PUBLISH, PING_REQ, PUBLISH_QOS1, PUBLISH, PING_REQ];
const ROW: &[&[u8]] = &[
    CONNECT, PUBLISH, PUBLISH, PUBLISH, PUBLISH, PING_REQ, PUBLISH,
];

/// Takes the name of a seed, the choices, and the bytes.
type Add<'a> = dyn FnMut(&'static str, u8, u8, &[&[u8]]) + 'a;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn proxied(add: &mut Add<'_>) {
    let v1 = b"PROXY TCP6 2001:db8::1 2001:db8::2 4000 1883\r\n";
    add("proxy-v1", PROXY, 0, &[v1, CONNECT, PUBLISH]);
    add(
        "proxy-v1-unknown",
        PROXY,
        0,
        &[b"PROXY UNKNOWN\r\n", CONNECT],
    );
    let v2 = [
        SIGNATURE,
        &[0x21, 0x11, 0, 12],
        &[192, 0, 2, 7, 192, 0, 2, 1, 0x15, 0xB3, 7, 0x5B],
    ];
    add("proxy-v2", PROXY, 0, &[&v2.concat(), CONNECT, PING_REQ]);
    let field = [&[0x21, 0x11, 0, 17][..], &[7; 12], &[4, 0, 2, 1, 2]].concat();
    add("proxy-v2-field", PROXY, 0, &[SIGNATURE, &field, CONNECT]);
    let local = [0x20, 0, 0, 0];
    add("proxy-v2-local", PROXY, 0, &[SIGNATURE, &local, CONNECT]);
    add("proxy-no-header", PROXY, 0, STREAM);
    let all = PROXY | TLS | WEBSOCKET | ABOVE_ALL;
    add("all-layers", all, 9, STREAM);
}

fn in_tls(add: &mut Add<'_>) {
    let hello = client_hello();
    add("tls-hello", TLS, 0, &[&hello]);
    add("tls-hello-then-plain", TLS, 0, &[&hello, CONNECT]);
    let (first, second) = hello.split_at(40);
    let halves = [record(22, &first[5..]), record(22, second)].concat();
    add("tls-hello-in-two-records", TLS, 0, &[&halves]);
    add("tls-alert", TLS, 0, &[&record(21, &[2, 40])]);
    add("tls-after-proxy", PROXY | TLS | ABOVE_PROXY, 0, &[&hello]);
    add("mqtt-in-tls", TLS | ABOVE_ALL, 0, STREAM);
    add("mqtt-runs-in-tls", TLS | ABOVE_ALL | RUNS, 0, ROW);
    add("mqtt-in-tls-held", TLS | ABOVE_ALL | HOLDS, 0, STREAM);
    add(
        "mqtt-malformed-in-tls",
        TLS | ABOVE_ALL,
        0,
        &[CONNECT, &[0, 0]],
    );
}

/// Enough of a ClientHello to be answered. [RFC 8446, 4.1.2]
fn client_hello() -> Vec<u8> {
    let extensions: [(u8, &[u8]); 4] = [
        (10, &[0, 2, 0, 29]),
        (13, &[0, 4, 4, 3, 8, 4]),
        (43, &[2, 3, 4]),
        (51, &[&[0, 36, 0, 29, 0, 32][..], &[9; 32]].concat()),
    ];
    let extensions: Vec<u8> = extensions
        .iter()
        .flat_map(|(kind, body)| [&[0, *kind, 0, body.len() as u8][..], body].concat())
        .collect();
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[0],
        &[0, 2, 0x13, 1],
        &[1, 0],
        &[0, extensions.len() as u8],
        &extensions,
    ]
    .concat();
    record(22, &[&[1, 0, 0, body.len() as u8][..], &body].concat())
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1, 0, body.len() as u8][..], body].concat()
}

const REQUEST: &[u8] = b"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

fn in_frames(add: &mut Add<'_>) {
    let all = STREAM.concat();
    add("upgrade", WEBSOCKET, 0, &[REQUEST, &frame(0x82, &all)]);
    add(
        "upgrade-bad-request",
        WEBSOCKET,
        0,
        &[b"POST / HTTP/1.1\r\n\r\n"],
    );
    add(
        "upgrade-long-header",
        WEBSOCKET,
        0,
        &[b"GET / HTTP/1.1\r\nA: ", &[b'a'; 300]],
    );
    let frames = WEBSOCKET | ABOVE_TLS;
    let fragments = [frame(2, &all[..9]), frame(0, b""), frame(0x80, &all[9..])].concat();
    add("frames-fragments", frames, 0, &[&fragments]);
    let ping = frame(0x89, b"ping");
    add(
        "frames-pings",
        frames,
        0,
        &[&ping, &frame(0x82, CONNECT), &ping, &ping],
    );
    let close = frame(0x88, &[3, 0xE8]);
    add(
        "frames-close",
        frames,
        0,
        &[&frame(0x82, CONNECT), &close, &frame(0x82, PING_REQ)],
    );
    add("frames-text", frames, 0, &[&frame(0x81, CONNECT)]);
    let malformed = frame(0x82, &[CONNECT, &[0xC1, 0]].concat());
    add(
        "frames-text-after-malformed",
        frames,
        0,
        &[&malformed, &frame(0x81, CONNECT)],
    );
    add(
        "frames-close-after-malformed",
        frames,
        0,
        &[&malformed, &frame(0x88, &[3, 0xE8])],
    );
    add(
        "frames-continuation-of-nothing",
        frames,
        0,
        &[&frame(0x80, CONNECT)],
    );
    add("frames-unmasked", frames, 0, &[&[0x82, 2], PING_REQ]);
    add(
        "frames-huge",
        frames,
        0,
        &[&[0x82, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], CONNECT],
    );
    add(
        "frames-in-tls",
        frames | TLS,
        0,
        &[&fragments, &ping, &close],
    );
    add("mqtt-in-frames", WEBSOCKET | ABOVE_ALL, 42, STREAM);
}

/// A short frame, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [
        &[first, 0x80 | payload.len() as u8, 0, 0, 0, 0][..],
        payload,
    ]
    .concat()
}
