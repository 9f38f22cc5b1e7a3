//! WebSocket by the byte: what a server sends, and what comes of it.

use super::*;

/// What came of everything that a server sent, in pieces of this length.
#[derive(Debug, Default)]
struct Outcome {
    plain: Vec<u8>,
    /// What the client sent, after its request.
    reply: Vec<u8>,
    fault: Option<String>,
    is_open: bool,
}

fn received(piece: usize, bytes: impl Fn(&str) -> Vec<u8>) -> Outcome {
    let mut websocket = WebSocket::new("ws://broker.example:8080/mqtt?token=7").unwrap();
    let mut request = Vec::new();
    assert!(!websocket.open(&mut request));
    let mut outcome = Outcome::default();
    for part in bytes(&key(&request)).chunks(piece) {
        let taken = websocket.receive(part, &mut outcome.plain, &mut outcome.reply);
        if let Err(LinkFault(what)) = taken {
            outcome.fault = Some(what);
            break;
        }
    }
    outcome.is_open = websocket.open(&mut Vec::new());
    outcome
}

/// Checks the request and returns the key in it.
fn key(request: &[u8]) -> String {
    let text = std::str::from_utf8(request).unwrap();
    assert!(text.starts_with("GET /mqtt?token=7 HTTP/1.1\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n"), "{text}");
    for line in [
        "Host: broker.example:8080",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: mqtt",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} in {text}");
    }
    let key = text
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    key.unwrap().to_owned()
}

fn agreement(key: &str) -> Vec<u8> {
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
    )
    .into_bytes()
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(len as u8),
        len => {
            frame.push(126);
            frame.extend((len as u16).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// Undoes the mask of one short frame.
fn unmasked(frame: &[u8]) -> (u8, Vec<u8>) {
    let len = usize::from(frame[1] & 0x7f);
    assert!(
        frame[1] & 0x80 != 0 && frame.len() == 6 + len,
        "one masked frame"
    );
    let payload = frame[6..].iter().zip(frame[2..6].iter().cycle());
    (frame[0], payload.map(|(byte, key)| byte ^ key).collect())
}

#[test]
fn any_cut_of_messages_and_frames_gives_the_same_bytes() {
    let long = vec![b'x'; 1000];
    for piece in [1, 2, 3, 7, 64, 10_000] {
        let outcome = received(piece, |key| {
            [
                agreement(key),
                frame(0x82, b"one"),
                frame(0x02, b"tw"),
                frame(0x89, b"ping"),
                frame(0x00, b""),
                frame(0x80, b"o"),
                frame(0x8a, b"nobody asked"),
                frame(0x82, &long),
            ]
            .concat()
        });
        assert_eq!(outcome.fault, None);
        assert_eq!(outcome.plain, [&b"onetwo"[..], &long].concat());
        assert_eq!(unmasked(&outcome.reply), (0x8a, b"ping".to_vec()));
        assert!(outcome.is_open);
    }
}

#[test]
fn a_good_bye_is_answered_and_ends_it() {
    let outcome = received(5, |key| {
        let after = frame(0x82, b"too late");
        [agreement(key), frame(0x88, &[3, 232, b'x']), after].concat()
    });
    assert_eq!(outcome.fault, None);
    assert!(outcome.plain.is_empty());
    assert_eq!(unmasked(&outcome.reply), (0x88, vec![3, 232]));
}

#[test]
fn what_is_sent_is_masked_with_another_key_each_time() {
    let mut websocket = WebSocket::new("ws://h/mqtt").unwrap();
    let frames = [(); 2].map(|()| {
        let mut out = Vec::new();
        websocket.send(b"\x10\0", &mut out);
        out
    });
    assert!(
        frames
            .iter()
            .all(|frame| unmasked(frame) == (0x82, b"\x10\0".to_vec()))
    );
    assert_ne!(frames[0][2..6], frames[1][2..6]);
    let mut out = Vec::new();
    websocket.close(&mut out);
    assert_eq!(unmasked(&out), (0x88, vec![3, 232]));
    websocket.send(b"\x10\0", &mut Vec::new());
    websocket.close(&mut out);
    assert_eq!(out.len(), 8, "nothing follows a good-bye");
}

#[test]
fn what_no_mqtt_server_answers_is_told() {
    let without_mqtt = |key: &str| {
        let text = String::from_utf8(agreement(key)).unwrap();
        text.replace("Sec-WebSocket-Protocol: mqtt\r\n", "")
            .into_bytes()
    };
    let refusal = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    let told = |bytes: &dyn Fn(&str) -> Vec<u8>| received(3, bytes).fault.unwrap();
    for (told, part) in [
        (
            told(&|_| refusal("404 Not Found").into()),
            "404 Not Found: check the path",
        ),
        (told(&|_| refusal("403 Forbidden").into()), "403 Forbidden"),
        (
            told(&|_| refusal("301 Moved Permanently").into()),
            "sends its clients",
        ),
        (told(&|_| b"\x15\x03\x03\0\x02".to_vec()), "no HTTP"),
        (told(&|_| [b'x'; 100_000].to_vec()), "no HTTP"),
        (told(&|_| agreement("another key")), "did not look"),
        (told(&without_mqtt), "did not agree on MQTT"),
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn frames_that_a_server_must_not_send_are_faults() {
    let long = [0; 126];
    for (frame, part) in [
        (frame(0x81, b"text"), "text"),
        (frame(0x80, b"x"), "out of its place"),
        (
            [frame(0x02, b"x"), frame(0x82, b"x")].concat(),
            "out of its place",
        ),
        (frame(0xc2, b"x"), "must not send"),
        (vec![0x82, 0x81, 1, 2, 3, 4, 0], "must not send"),
        (frame(0x09, b"x"), "too long"),
        (frame(0x89, &long), "too long"),
        (frame(0x83, b"x"), "no WebSocket frame"),
    ] {
        let outcome = received(1, |key| [agreement(key), frame.clone()].concat());
        let told = outcome.fault.unwrap();
        assert!(told.contains(part), "{told}");
    }
}
