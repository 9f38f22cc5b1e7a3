//! What is counted is what it costs: limits in bytes bound memory, not only numbers. (A40, A46, A47,
//! A52)

use super::{
    packets::{ack, connect, properties, publish, resume, retained, subscribe},
    world::World,
};
use allocation_counter::measure;
use sanderling_core::{
    config::{Config, Limits, SharedStrategy},
    hooks::HookChain,
    id::ConnId,
    packet::{ClientPacket, Connect, Property, QoS},
};
use std::{collections::BTreeSet, time::Duration};

/// How many bytes of memory may stand behind a byte that is counted.
const FACTOR: u64 = 3;

#[test]
fn a47_a_queue_costs_about_what_it_is_counted_at() {
    const MESSAGES: u64 = 2000;
    let mut world = World::new(Limits::default());
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    let (conn, _) = world.join(&resume("away", &hour));
    world.subscribe(conn, "#", QoS::AtLeastOnce);
    world.drop_connection(conn);
    let publisher = world.client("publisher");
    world.discard(publisher);
    for (topic, len) in [
        ("t", 0),
        ("t", 1),
        ("t", 100),
        ("t", 1000),
        ("a/long/topic/of/levels", 0),
    ] {
        let before = world.statistics().queued_bytes_current;
        let payload = vec![7; len];
        let taken = measure(|| {
            for _ in 0..MESSAGES {
                world.send(publisher, &publish(topic, &payload, QoS::AtLeastOnce, 1));
            }
        });
        let counted = world.statistics().queued_bytes_current - before;
        let cost = u64::try_from(taken.bytes_current).unwrap();
        assert!(
            cost < FACTOR * counted,
            "{cost} bytes, counted as {counted}: {topic}, {len} bytes"
        );
    }
}

#[test]
fn a40_a_client_that_never_acknowledges_holds_its_window_and_its_queue_and_no_more() {
    const WINDOW: u16 = 20;
    const QUEUE_MAX: u64 = 100_000;
    const BYTES: usize = 10_000;
    let limits = Limits {
        inflight_max: WINDOW,
        queue_bytes_max: QUEUE_MAX,
        ..Limits::default()
    };
    let mut world = World::new(limits);
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    let (reader, _) = world.join(&resume("reader", &hour));
    world.subscribe(reader, "t", QoS::ExactlyOnce);
    world.discard(reader);
    let publisher = world.client("publisher");
    world.discard(publisher);
    let taken = measure(|| {
        for id in 1..=1000 {
            let payload = vec![id as u8; BYTES];
            world.send(publisher, &publish("t", &payload, QoS::AtLeastOnce, id));
        }
    });
    let bound = u64::from(WINDOW) * BYTES as u64 + QUEUE_MAX;
    let kept = u64::try_from(taken.bytes_current).unwrap();
    assert!(
        kept < bound + bound / 4,
        "{kept} bytes are kept, {bound} are allowed"
    );
    assert!(world.statistics().messages_dropped[1] > 900);
    world.drop_connection(reader);
    world.wait(Duration::from_secs(3600));
    assert_eq!(world.statistics().queued_bytes_current, 0);
}

#[test]
fn a52_retained_messages_cost_about_what_they_are_counted_at() {
    const TOPICS: u64 = 1000;
    let mut world = World::new(Limits::default());
    let publisher = world.client("publisher");
    let forgetful = world.client("forgetful");
    for levels in [1, 16, 127] {
        let topic_of =
            |number: u64| format!("{number:06}") + &format!("/{levels}").repeat(levels - 1);
        let counted = TOPICS * (topic_of(0).len() as u64 + 1 + 96);
        let taken = measure(|| {
            for number in 0..TOPICS {
                world.send(publisher, &retained(&topic_of(number), b"x"));
            }
            // Who gets the messages of which topic is remembered of so many topics, and forgotten now.
            world.subscribe(forgetful, "$of/nobody/#", QoS::AtMostOnce);
        });
        let cost = u64::try_from(taken.bytes_current).unwrap();
        assert!(
            cost < FACTOR * counted,
            "{cost} bytes, counted as {counted}: {levels} levels"
        );
    }
    assert_eq!(u64::from(world.statistics().retained_current), 3 * TOPICS);
}

#[test]
fn a52_replays_to_clients_that_do_not_read_cost_no_more_when_asked_for_again() {
    const READERS: usize = 100;
    const OUTBOUND_MAX: u32 = 4 << 10;
    let mut world = World::new(Limits {
        outbound_bytes_max: OUTBOUND_MAX,
        ..Limits::default()
    });
    let publisher = world.client("publisher");
    for number in 0..10_000 {
        world.send(publisher, &retained(&format!("a/{number}"), b"x"));
    }
    let stalled: Vec<_> = (0..READERS)
        .map(|number| {
            let conn = world.client(&number.to_string());
            world.discard(conn);
            world.stall(conn);
            conn
        })
        .collect();
    let everything = subscribe(["#", "a/#", "a/+", "+/+"], QoS::AtLeastOnce);
    let taken = measure(|| {
        for _ in 0..20 {
            for &conn in &stalled {
                world.send(conn, &everything);
            }
        }
    });
    let each = taken.bytes_current / READERS as i64;
    assert!(
        each < 8 << 10,
        "{each} bytes for each client that waits for its replays"
    );
    for &conn in &stalled {
        // The SUBACKs of a few bytes are always added.
        let bytes = world.broker.view().outbound_bytes(conn).unwrap();
        assert!(bytes < OUTBOUND_MAX + 500, "{bytes} bytes wait");
    }
    // Nothing is left of replays whose client goes in the middle of them.
    for conn in stalled {
        world.drop_connection(conn);
    }
    let taken = measure(|| {
        for _ in 0..500 {
            let conn = world.client("again");
            world.discard(conn);
            world.stall(conn);
            world.send(conn, &everything);
            world.drop_connection(conn);
        }
    });
    assert!(
        taken.bytes_current < 64 << 10,
        "{} bytes are left",
        taken.bytes_current
    );
}

#[test]
fn a46_a_member_that_does_not_read_neither_blocks_its_group_nor_loses_anything() {
    const MESSAGES: u16 = 1000;
    for strategy in [
        SharedStrategy::RoundRobin,
        SharedStrategy::Random,
        SharedStrategy::Sticky,
        SharedStrategy::HashPublisher,
        SharedStrategy::HashTopic,
        SharedStrategy::LeastLoaded,
    ] {
        let limits = Limits {
            outbound_bytes_max: 2000,
            ..Limits::default()
        };
        let config = Config {
            limits,
            shared_strategy: strategy,
            ..Config::default()
        };
        let mut world = World::with(config, HookChain::new());
        let stalled = world.subscriber("stalled", "$share/g/t", QoS::AtLeastOnce);
        world.stall(stalled);
        let (good, _) = world.join(&Connect {
            keep_alive_s: 0,
            ..connect("good")
        });
        world.subscribe(good, "$share/g/t", QoS::AtLeastOnce);
        let publisher = world.client("publisher");
        world.discard(publisher);
        let mut seen = BTreeSet::new();
        for id in 1..=MESSAGES {
            world.send(
                publisher,
                &publish("t", &id.to_be_bytes(), QoS::AtLeastOnce, id),
            );
            acknowledge(&mut world, good, &mut seen);
        }
        let before = seen.len();
        assert!(
            before > usize::from(MESSAGES) / 2,
            "{strategy:?}: only {before} came through"
        );
        world.drop_connection(stalled);
        acknowledge(&mut world, good, &mut seen);
        assert_eq!(
            seen.len(),
            usize::from(MESSAGES),
            "{strategy:?}: {before} before the other went"
        );
    }
}

/// The client receives and acknowledges all that is there.
fn acknowledge(world: &mut World, conn: ConnId, seen: &mut BTreeSet<Vec<u8>>) {
    loop {
        let messages = world.messages(conn);
        if messages.is_empty() {
            return;
        }
        for message in messages {
            world.send(conn, &ack(ClientPacket::PubAck, message.id));
            seen.insert(message.payload);
        }
    }
}
