//! The scenarios with rumqttc, in this process: the client that most Rust programs use.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Version;
use crate::broker::{Broker, Driver};
use crate::rumqttc_peer::{Client, Message, Peer, Ways, message};
use crate::rumqttc_v4::V4;
use crate::rumqttc_v5::V5;

pub(crate) fn run(driver: Driver, version: Version, scenario: &str) {
    let world = World::new(driver);
    match version {
        Version::V3_1 => panic!("rumqttc does not speak 3.1"),
        Version::V3_1_1 => play::<V4>(&world, scenario),
        Version::V5_0 => play::<V5>(&world, scenario),
    }
}

fn play<C: Client>(world: &World, scenario: &str) {
    match scenario {
        "qos0" => qos::<C>(world, 0),
        "qos1" => qos::<C>(world, 1),
        "qos2" => qos::<C>(world, 2),
        "retained" => retained::<C>(world),
        "will" => will::<C>(world),
        "resumed_session" => resumed_session::<C>(world),
        "redelivery" => redelivery::<C>(world),
        "large_message" => large_message::<C>(world),
        "wildcards" => wildcards::<C>(world),
        "unsubscribe" => unsubscribe::<C>(world),
        "clean_session" => clean_session::<C>(world),
        _ => panic!("no scenario {scenario}"),
    }
}

fn qos<C: Client>(world: &World, qos: u8) {
    let topic = world.topic("messages");
    let mut subscriber = world.connect::<C>("sub");
    subscriber.subscribe(&topic, qos);
    let mut lower = world.connect::<C>("lower");
    lower.subscribe(&topic, 0);
    let mut publisher = world.connect::<C>("pub");
    let mut payloads: Vec<Vec<u8>> = vec![b"text".to_vec(), Vec::new(), (0..=255).collect()];
    payloads.extend((0..20).map(|number| format!("number {number}").into_bytes()));
    for payload in &payloads {
        publisher.publish(&topic, payload, qos, false);
    }
    for payload in &payloads {
        subscriber.receive(&topic, payload, qos, false);
        lower.receive(&topic, payload, 0, false);
    }
    subscriber.nothing_more();
    lower.nothing_more();
}

fn retained<C: Client>(world: &World) {
    let topic = world.topic("state");
    let mut publisher = world.connect::<C>("pub");
    let mut live = world.connect::<C>("live");
    live.subscribe(&topic, 1);
    publisher.publish(&topic, b"old", 1, true);
    publisher.publish(&topic, b"new", 1, true);
    live.receive(&topic, b"old", 1, false);
    live.receive(&topic, b"new", 1, false);
    let mut late = world.connect::<C>("late");
    late.subscribe(&world.topic("+"), 1);
    late.receive(&topic, b"new", 1, true);
    publisher.publish(&topic, b"", 1, true);
    live.receive(&topic, b"", 1, false);
    late.receive(&topic, b"", 1, false);
    let mut after = world.connect::<C>("after");
    after.subscribe(&topic, 1);
    after.nothing_more();
}

fn will<C: Client>(world: &World) {
    let (lost, polite) = (world.topic("will/lost"), world.topic("will/polite"));
    let mut observer = world.connect::<C>("obs");
    observer.subscribe(&world.topic("will/+"), 2);
    let with_will = |name: &str, will: Message| {
        let ways = Ways {
            will: Some(will),
            ..world.ways(name)
        };
        Peer::<C>::connect(world.broker.address, ways, false)
    };
    with_will("lost", message(&lost, b"lost", 2, true)).drop_connection();
    observer.receive(&lost, b"lost", 2, false);
    let mut late = world.connect::<C>("late");
    late.subscribe(&lost, 1);
    late.receive(&lost, b"lost", 1, true);
    late.publish(&lost, b"", 1, true);
    observer.receive(&lost, b"", 1, false);
    with_will("polite", message(&polite, b"never", 1, false)).disconnect();
    observer.nothing_more();
}

fn resumed_session<C: Client>(world: &World) {
    let topic = world.topic("away");
    let mut subscriber = world.keep::<C>("sub", false);
    subscriber.subscribe(&topic, 2);
    subscriber.disconnect();
    let mut publisher = world.connect::<C>("pub");
    let sent: Vec<(String, u8)> = (0..20)
        .map(|n| (format!("message {n}"), 1 + n % 2))
        .collect();
    for (payload, qos) in &sent {
        publisher.publish(&topic, payload.as_bytes(), *qos, false);
    }
    let mut subscriber = world.keep::<C>("sub", true);
    // rumqttc hands a QoS 2 message over when it comes, so the order is that of the publisher.
    for (payload, qos) in &sent {
        let wanted = message(&topic, payload.as_bytes(), *qos, false);
        let got = subscriber.next_message();
        // A broker that had not read the DISCONNECT yet may have sent the first ones before.
        assert_eq!(Message { dup: false, ..got }, wanted);
    }
    subscriber.nothing_more();
    publisher.publish(&topic, b"still subscribed", 1, false);
    subscriber.receive(&topic, b"still subscribed", 1, false);
}

/// What was received and not acknowledged comes again, marked, on the next connection.
fn redelivery<C: Client>(world: &World) {
    let topic = world.topic("again");
    let ways = Ways {
        keep_session: true,
        manual_acks: true,
        ..world.ways("sub")
    };
    let mut subscriber = Peer::<C>::connect(world.broker.address, ways, false);
    subscriber.subscribe(&topic, 2);
    let mut publisher = world.connect::<C>("pub");
    for (payload, qos) in [(b"at least once", 1), (b"exactly once!", 2)] {
        publisher.publish(&topic, payload, qos, false);
        subscriber.receive(&topic, payload, qos, false);
    }
    subscriber.drop_connection();
    let mut subscriber = world.keep::<C>("sub", true);
    for (payload, qos) in [(b"at least once", 1), (b"exactly once!", 2)] {
        let again = Message {
            dup: true,
            ..message(&topic, payload, qos, false)
        };
        subscriber.receive_message(&again);
    }
    subscriber.nothing_more();
}

fn large_message<C: Client>(world: &World) {
    let topic = world.topic("large");
    let payload: Vec<u8> = (0..200_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    let mut subscriber = world.connect::<C>("sub");
    subscriber.subscribe(&topic, 2);
    let mut publisher = world.connect::<C>("pub");
    for qos in [0, 1, 2] {
        publisher.publish(&topic, &payload, qos, false);
        subscriber.receive(&topic, &payload, qos, false);
    }
}

fn wildcards<C: Client>(world: &World) {
    let topics = ["a", "a/b", "a/b/c", "a//c", "a/b/c/d", "x/y", "A/b/C"];
    let matches: [(&str, &[&str]); 4] = [
        ("a/+/c", &["a/b/c", "a//c"]),
        ("a/#", &["a", "a/b", "a/b/c", "a//c", "a/b/c/d"]),
        ("+/+", &["a/b", "x/y"]),
        ("a/+", &["a/b"]),
    ];
    let mut subscribers: Vec<Peer<C>> = (0..matches.len())
        .map(|number| world.connect::<C>(&format!("sub{number}")))
        .collect();
    for (subscriber, (filter, _)) in subscribers.iter_mut().zip(matches) {
        subscriber.subscribe(&world.topic(filter), 1);
    }
    let mut publisher = world.connect::<C>("pub");
    for topic in topics {
        publisher.publish(&world.topic(topic), topic.as_bytes(), 1, false);
    }
    for (subscriber, (_, expected)) in subscribers.iter_mut().zip(matches) {
        for topic in expected {
            subscriber.receive(&world.topic(topic), topic.as_bytes(), 1, false);
        }
        subscriber.nothing_more();
    }
}

fn unsubscribe<C: Client>(world: &World) {
    let (gone, kept) = (world.topic("gone"), world.topic("kept"));
    let mut subscriber = world.connect::<C>("sub");
    subscriber.subscribe(&gone, 1);
    subscriber.subscribe(&kept, 2);
    let mut publisher = world.connect::<C>("pub");
    publisher.publish(&gone, b"before", 1, false);
    subscriber.receive(&gone, b"before", 1, false);
    subscriber.unsubscribe(&gone);
    publisher.publish(&gone, b"after", 1, false);
    publisher.publish(&kept, b"other", 2, false);
    subscriber.receive(&kept, b"other", 2, false);
    subscriber.nothing_more();
}

fn clean_session<C: Client>(world: &World) {
    let topic = world.topic("dropped");
    let mut publisher = world.connect::<C>("pub");
    let mut kept = world.keep::<C>("sub", false);
    kept.subscribe(&topic, 1);
    kept.disconnect();
    publisher.publish(&topic, b"dropped with the session", 1, false);
    let mut clean = world.connect::<C>("sub");
    clean.nothing_more();
    clean.disconnect();
    world.keep::<C>("sub", false).nothing_more();
}

struct World {
    broker: Broker,
    /// In every topic and client identifier, so that no other test uses them.
    run: String,
}

impl World {
    fn new(driver: Driver) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let run = format!(
            "rumq{:x}-{}",
            process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        Self {
            broker: Broker::start(driver),
            run,
        }
    }

    fn topic(&self, rest: &str) -> String {
        format!("interop/{}/{rest}", self.run)
    }

    fn ways(&self, name: &str) -> Ways {
        Ways {
            client_id: format!("{}-{name}", self.run),
            ..Ways::default()
        }
    }

    /// A client whose session is new and ends with its connection.
    fn connect<C: Client>(&self, name: &str) -> Peer<C> {
        Peer::connect(self.broker.address, self.ways(name), false)
    }

    /// A client whose session is kept; `session_present` is whether there must be one already.
    fn keep<C: Client>(&self, name: &str, session_present: bool) -> Peer<C> {
        let ways = Ways {
            keep_session: true,
            ..self.ways(name)
        };
        Peer::connect(self.broker.address, ways, session_present)
    }
}
