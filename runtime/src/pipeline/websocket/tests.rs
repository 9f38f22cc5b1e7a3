//! WebSocket by the byte: what clients send, and what comes of it.

use super::*;
use proptest::prelude::*;

const KEY: [u8; 4] = [1, 2, 3, 4];

/// What came of everything a client sent.
#[derive(Debug, Default, Eq, PartialEq)]
struct Outcome {
    plain: Vec<u8>,
    reply: Vec<u8>,
    fault: Option<&'static str>,
    closed: bool,
    pong: Option<Vec<u8>>,
}

/// Hands `bytes` over in pieces of these lengths, in turn.
fn received(options: WebSocketOptions, bytes: &[u8], splits: &[usize]) -> Outcome {
    let mut websocket = WebSocket::new(&Arc::new(options));
    let mut outcome = Outcome::default();
    let mut splits = splits.iter().cycle();
    let mut rest = bytes;
    while !rest.is_empty() && outcome.fault.is_none() {
        let at = (*splits.next().unwrap()).clamp(1, rest.len());
        let (now, later) = rest.split_at(at);
        rest = later;
        let taken =
            websocket.receive(
                &mut now.to_vec(),
                &mut outcome.reply,
                &mut |arrival| match arrival {
                    Arrival::Plain(bytes) => outcome.plain.extend_from_slice(bytes),
                    Arrival::Closed => outcome.closed = true,
                    Arrival::Reached(stage) => assert_eq!(stage, Stage::Connect),
                    other => panic!("{other:?} of WebSocket"),
                },
            );
        outcome.fault = taken.err().map(|fault| fault.what);
    }
    outcome.pong = websocket.pong;
    outcome
}

fn request(path: &str, headers: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: broker.example:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
    .into_bytes()
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap()];
    assert!(payload.len() < 126);
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

/// A request that is granted, and frames after it.
fn session(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = request("/ws", "Sec-WebSocket-Protocol: mqtt\r\n");
    bytes.extend(frames.concat());
    bytes
}

fn status(reply: &[u8]) -> &str {
    let text = std::str::from_utf8(reply).unwrap();
    text.split("\r\n").next().unwrap()
}

fn asked(bytes: &[u8]) -> (String, Outcome) {
    let outcome = received(WebSocketOptions::default(), bytes, &[usize::MAX]);
    (status(&outcome.reply).to_owned(), outcome)
}

/// The fault that frames end in, and the code of our close frame.
fn failed(frames: &[Vec<u8>]) -> (&'static str, u16) {
    let options = WebSocketOptions {
        frame_bytes_max: 100,
        fragments_max: 3,
        ..WebSocketOptions::default()
    };
    let outcome = received(options, &session(frames), &[usize::MAX]);
    let [0x88, 2, high, low] = outcome.reply[outcome.reply.len() - 4..] else {
        panic!("no close frame: {outcome:?}");
    };
    let code = u16::from_be_bytes([high, low]);
    (outcome.fault.expect("a fault"), code)
}

#[test]
fn t3_only_the_paths_of_the_listener_are_served() {
    for path in ["/ws", "/mqtt", "/ws?token=7"] {
        assert_eq!(
            asked(&request(path, "")).0,
            "HTTP/1.1 101 Switching Protocols"
        );
    }
    let (status, outcome) = asked(&request("/", ""));
    assert_eq!(status, "HTTP/1.1 404 Not Found");
    assert_eq!(outcome.fault, Some("a path that is not served"));
    let every_path = WebSocketOptions {
        paths: vec!["/".into()],
        ..WebSocketOptions::default()
    };
    let outcome = received(every_path, &request("/anything/at/all", ""), &[7]);
    assert_eq!(outcome.fault, None);
}

#[test]
fn t3_what_is_no_request_for_websocket_is_answered_in_http() {
    for (request, answer) in [
        ("GET /ws HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
        ("POST /ws HTTP/1.1\r\nHost: h\r\n\r\n", "405"),
        ("GET /ws HTTP/1.0\r\nHost: h\r\n\r\n", "400"),
        ("\x10\x0c\0\x04MQTT\r\n\r\n", "400"),
        (
            "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            "426",
        ),
        (
            "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2hvcnQ=\r\n\r\n",
            "400",
        ),
    ] {
        let (status, outcome) = asked(request.as_bytes());
        assert_eq!(status.split(' ').nth(1), Some(answer), "{request}");
        assert!(outcome.fault.is_some() && outcome.plain.is_empty());
    }
}

#[test]
fn another_protocol_is_answered_by_its_first_byte() {
    for first in [&b"\x10"[..], b"\x16\x03\x01", b"\0", b"\xff"] {
        let (status, outcome) = asked(first);
        assert_eq!(status, "HTTP/1.1 400 Bad Request");
        assert_eq!(outcome.fault, Some("bytes that are no HTTP request"));
    }
    assert_eq!(asked(b"\r\nG").1, Outcome::default());
}

#[test]
fn t7_a_subprotocol_that_means_mqtt_is_chosen() {
    for (offers, chosen) in [
        ("mqtt", Some("mqtt")),
        ("mqttv3.1", Some("mqttv3.1")),
        ("graphql, mqttv3.1 , mqtt", Some("mqttv3.1")),
        ("graphql", None),
    ] {
        let header = format!("Sec-WebSocket-Protocol: {offers}\r\n");
        let (_, outcome) = asked(&request("/ws", &header));
        let reply = String::from_utf8(outcome.reply)
            .unwrap()
            .to_ascii_lowercase();
        let line = reply
            .lines()
            .find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(line, chosen, "{offers}");
    }
}

#[test]
fn a09_pages_of_foreign_origins_are_refused() {
    let allowed = |origin: &str, origins: &[&str]| {
        let options = WebSocketOptions {
            origins: origins.iter().map(ToString::to_string).collect(),
            ..WebSocketOptions::default()
        };
        let header = format!("Origin: {origin}\r\n");
        let outcome = received(options, &request("/ws", &header), &[usize::MAX]);
        match status(&outcome.reply) {
            "HTTP/1.1 101 Switching Protocols" => true,
            "HTTP/1.1 403 Forbidden" => false,
            other => panic!("{other}"),
        }
    };
    assert!(allowed("http://broker.example:8080", &[]));
    assert!(allowed("https://BROKER.example:8080", &[]));
    assert!(!allowed("http://broker.example", &[]));
    assert!(!allowed("http://broker.example:8080.evil.example", &[]));
    assert!(!allowed("http://evil.example", &[]));
    assert!(!allowed("null", &[]));
    assert!(!allowed("", &[]));
    assert!(!allowed("file://", &[]));
    assert!(!allowed(
        &format!("http://{}.example", "x".repeat(300)),
        &[]
    ));
    assert!(allowed("https://app.example", &["https://app.example"]));
    assert!(!allowed("http://app.example", &["https://app.example"]));
    assert!(allowed("https://any.example", &["*"]));
    let (status, _) = asked(&request(
        "/ws",
        "Origin: http://broker.example:8080\r\nOrigin: http://x\r\n",
    ));
    assert_eq!(status, "HTTP/1.1 403 Forbidden");
}

#[test]
fn a09_a_long_request_is_refused_before_it_is_whole() {
    let endless = [&b"GET /ws HTTP/1.1\r\nX: "[..], &[b'x'; 9000]].concat();
    let (status, outcome) = asked(&endless);
    assert_eq!(status, "HTTP/1.1 431 Request Header Fields Too Large");
    assert!(outcome.fault.is_some());
    let byte_by_byte = received(WebSocketOptions::default(), &endless, &[1]);
    assert!(byte_by_byte.fault.is_some());
    let many = "X: y\r\n".repeat(500);
    assert!(asked(&request("/ws", &many)).1.fault.is_some());
}

#[test]
fn t5_a_text_message_ends_the_connection() {
    let (what, code) = failed(&[frame(0x81, b"hello")]);
    assert!(what.starts_with("invalid websocket message type"));
    assert_eq!(code, 1003);
    assert_eq!(failed(&[frame(0x01, b"")]).1, 1003);
}

#[test]
fn a08_frames_that_break_a_rule_end_the_connection() {
    let unmasked = vec![0x82, 1, 0];
    let endless = [&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0][..], &KEY].concat();
    for (frames, code) in [
        (vec![unmasked], 1002),
        (vec![frame(0xc2, b"x")], 1002),
        (vec![frame(0x83, b"x")], 1002),
        (vec![frame(0x8b, b"x")], 1002),
        (vec![frame(0x80, b"x")], 1002),
        (vec![frame(0x02, b"x"), frame(0x82, b"y")], 1002),
        (vec![frame(0x09, b"x")], 1002),
        (vec![[&[0x89, 0xfe, 0, 126][..], &KEY].concat()], 1002),
        (vec![frame(0x88, b"x")], 1002),
        (vec![frame(0x82, &[0; 101])], 1009),
        (vec![endless], 1009),
        (
            vec![
                frame(0x02, b""),
                frame(0x00, b""),
                frame(0x00, b""),
                frame(0x00, b""),
            ],
            1008,
        ),
    ] {
        assert_eq!(failed(&frames).1, code, "{frames:02x?}");
    }
}

#[test]
fn a73_an_empty_frame_is_legal() {
    let bytes = session(&[frame(0x82, b""), frame(0x02, b""), frame(0x80, b"x")]);
    let outcome = received(WebSocketOptions::default(), &bytes, &[usize::MAX]);
    assert_eq!((outcome.fault, &outcome.plain[..]), (None, &b"x"[..]));
}

#[test]
fn a_ping_is_answered_and_of_many_the_last() {
    let bytes = session(&[frame(0x89, b"a"), frame(0x89, b"b"), frame(0x8a, b"c")]);
    let outcome = received(WebSocketOptions::default(), &bytes, &[usize::MAX]);
    assert_eq!(outcome.pong.as_deref(), Some(&b"b"[..]));
}

#[test]
fn a_close_frame_is_answered_with_its_code_and_ends_what_is_read() {
    let bytes = session(&[frame(0x88, &[3, 0xe9, b'!']), frame(0x82, b"late")]);
    let outcome = received(WebSocketOptions::default(), &bytes, &[usize::MAX]);
    assert!(outcome.closed && outcome.plain.is_empty());
    assert!(outcome.reply.ends_with(&[0x88, 2, 3, 0xe9]));
    let bytes = session(&[frame(0x88, b"")]);
    let outcome = received(WebSocketOptions::default(), &bytes, &[usize::MAX]);
    assert!(outcome.closed && outcome.reply.ends_with(&[0x88, 0]));
}

/// Data frames, with control frames between them.
fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let payload = || prop::collection::vec(any::<u8>(), 0..60);
    let message = prop::collection::vec(payload(), 1..5).prop_map(|parts| {
        let last = parts.len() - 1;
        let frames = parts.iter().enumerate().map(|(at, part)| {
            let opcode = if at == 0 { 2 } else { 0 };
            let fin = if at == last { 0x80 } else { 0 };
            frame(opcode | fin, part)
        });
        frames.collect::<Vec<_>>()
    });
    let control = payload().prop_map(|payload| vec![frame(0x89, &payload)]);
    prop::collection::vec(prop_oneof![message, control], 0..8).prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn t6_any_split_gives_the_same_bytes(
        frames in frames(),
        splits in prop::collection::vec(1usize..90, 1..12),
    ) {
        let bytes = session(&frames);
        let whole = received(WebSocketOptions::default(), &bytes, &[usize::MAX]);
        prop_assert_eq!(whole.fault, None);
        prop_assert_eq!(received(WebSocketOptions::default(), &bytes, &splits), whole);
    }

    #[test]
    fn a_mask_is_undone_whatever_the_split(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        key: [u8; 4],
        at in 0usize..100,
    ) {
        let plain: Vec<_> = bytes.iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b).collect();
        let mut masked = bytes;
        let mut mask = Mask::new(key);
        let (first, second) = masked.split_at_mut(at.min(plain.len()));
        mask.apply(first);
        mask.apply(second);
        prop_assert_eq!(masked, plain);
    }

    #[test]
    fn nothing_that_a_client_writes_is_a_bug(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        split in 1usize..50,
    ) {
        received(WebSocketOptions::default(), &bytes, &[split]);
        received(WebSocketOptions::default(), &session(&[bytes]), &[split]);
    }
}
