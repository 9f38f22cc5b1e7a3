//! Small stories for the broker, as the choices that [`broker`](crate::broker()) reads.

use super::Seed;

/// The limits as they are by default.
const DEFAULTS: [u8; 2] = [0, 0];

/// QoS of what follows, as a choice.
const QOS: [u8; 3] = [0, 1, 2];

pub(super) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |name, config: [u8; 2], steps: &[&[u8]]| {
        let bytes = [&config[..], &steps.concat()].concat();
        seeds.push(Seed {
            target: "broker",
            name,
            bytes,
        });
    };
    let (a, b) = (connect(0, V5, A), connect(1, V311, B));
    let to_a = |qos| subscribe(0, TO_A, qos);
    let from_b = |qos| publish(1, qos, 0);
    for (qos, name) in QOS.into_iter().zip(["qos-0", "qos-1", "qos-2"]) {
        let answers = [ack(1), ack(0), ack(1), ack(0)].concat();
        add(
            name,
            DEFAULTS,
            &[&a, &b, &to_a(qos), &from_b(qos), &answers, &flush(0)],
        );
    }
    let kept = publish(1, 1, RETAIN);
    add(
        "retained-then-subscribed",
        DEFAULTS,
        &[&b, &kept, &a, &to_a(1), &ack(0)],
    );
    add(
        "will-of-a-lost-connection",
        DEFAULTS,
        &[&a, &to_a(0), &with_will(1), &close(1)],
    );
    let keep = lasting(0, V5, A);
    let away = [&keep[..], &to_a(1), &close(0), &b, &from_b(1), &from_b(1)].concat();
    add(
        "queued-for-a-session-that-is-away",
        DEFAULTS,
        &[&away, &lasting(0, V5, A), &ack(0)],
    );
    add(
        "taken-over",
        DEFAULTS,
        &[&keep, &to_a(1), &lasting(1, V311, A), &close(0), &close(1)],
    );
    let unanswered = [&keep[..], &to_a(2), &b, &from_b(2), &ack(1), &close(0)].concat();
    add(
        "resent-on-resume",
        DEFAULTS,
        &[&unanswered, &lasting(0, V5, A), &ack(0), &ack(0)],
    );
    add(
        "session-expires",
        DEFAULTS,
        &[&keep, &to_a(1), &close(0), &wait(255), &connect(0, V5, A)],
    );
    add(
        "keep-alive-ends",
        DEFAULTS,
        &[&a, &wait(100), &wait(100), &wait(100), &wait(100)],
    );
    add(
        "connect-deadline",
        DEFAULTS,
        &[&[0x08, 0, 7, 32], &wait(255)],
    );
    add(
        "published-from-inside",
        DEFAULTS,
        &[&a, &to_a(2), &[0x0F, 2, 1, 2], &ack(0), &ack(0)],
    );
    add(
        "drained",
        DEFAULTS,
        &[&a, &with_will(1), &[0x0F, 255], &close(0), &b],
    );
    let burst = [from_b(1), from_b(1), from_b(0)].concat();
    for (name, config) in [
        ("one-connection", [1 << 0, 0]),
        ("one-session", [1 << 1, 0]),
        ("queue-of-one-message", [1 << 3, 1 << 1]),
        ("window-of-one-byte", [1 << 4, 0]),
        ("retained-one-message", [1 << 5, 0]),
        ("inflight-of-one-message", [0, 1 << 1]),
        ("queue-of-one-byte", [0, 1 << 3]),
        ("everything-low", [0xFE, 0x7F]),
    ] {
        add(
            name,
            config,
            &[&a, &b, &to_a(2), &burst, &kept, &ack(0), &flush(0), &ack(1)],
        );
    }
    let pair = [from_b(1), from_b(1)].concat();
    for (name, bits, qos) in [
        ("client-takes-one-message-at-a-time", 2, 1),
        ("client-takes-topic-aliases", 4 | 2 << 6, 0),
        ("client-takes-packets-of-100-bytes", 8, 1),
    ] {
        let limited = connect_with(0, V5, bits, A);
        let sent = [publish_payload(1, 3), pair.clone(), ack(0), pair.clone()].concat();
        add(
            name,
            DEFAULTS,
            &[&limited, &b, &to_a(qos), &sent, &ack(0), &ack(0)],
        );
    }
    seeds
}

const V311: u8 = 1;
const V5: u8 = 2;
/// Client identifiers.
const A: u8 = 0;
const B: u8 = 1;
/// The filter `a/+`.
const TO_A: u8 = 2;
const RETAIN: u8 = 16;

/// A clean start, without a will, after the connection opens.
fn connect(slot: u8, version: u8, client_id: u8) -> Vec<u8> {
    connect_with(slot, version, 0, client_id)
}

/// Each bit gives CONNECT a property.
fn connect_with(slot: u8, version: u8, bits: u8, client_id: u8) -> Vec<u8> {
    vec![slot << 4, 1, 1, 7, version, bits, 0, client_id, 1, 1, 0]
}

/// The session goes on, and lasts 10 seconds.
fn lasting(slot: u8, version: u8, client_id: u8) -> Vec<u8> {
    vec![slot << 4, 1, 1, 7, version, 1, 2, client_id, 0, 1, 0]
}

/// Leaves `hello` to be published to `a/b`.
fn with_will(slot: u8) -> Vec<u8> {
    vec![slot << 4, 1, 1, 7, V5, 0, 0, B, 1, 1, 1, 1, 2, 0, 1]
}

/// One filter.
fn subscribe(slot: u8, filter: u8, qos: u8) -> Vec<u8> {
    vec![slot << 4 | 5, 0, filter, 0, qos, 0]
}

/// `hello` to `a/b`.
fn publish(slot: u8, qos: u8, bits: u8) -> Vec<u8> {
    vec![slot << 4 | 1, bits, qos, 1, 2, 0][..if qos == 0 { 5 } else { 6 }].to_vec()
}

/// One of the payloads to `a/b`, with QoS 0.
fn publish_payload(slot: u8, payload: u8) -> Vec<u8> {
    vec![slot << 4 | 1, 0, 0, 1, payload]
}

fn ack(slot: u8) -> Vec<u8> {
    vec![slot << 4 | 9]
}

fn flush(slot: u8) -> Vec<u8> {
    vec![slot << 4 | 12, 1]
}

fn close(slot: u8) -> Vec<u8> {
    vec![slot << 4 | 13]
}

/// Ten milliseconds, times the square.
fn wait(root: u8) -> Vec<u8> {
    vec![14, root]
}
