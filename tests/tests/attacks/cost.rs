//! What one peer makes the broker do follows what really matches. (A48, A49, A50, A52, A71)

use super::{
    got::Got,
    packets::{publish, retained, subscribe, unsubscribe},
    world::World,
};
use sanderling_core::{config::Limits, packet::QoS, reason::ReasonCode};
use std::time::{Duration, Instant};

#[test]
fn a48_a_filter_costs_the_same_among_very_many_though_messages_are_retained() {
    let few = subscribe_with_retained(100);
    let many = subscribe_with_retained(40_000);
    // Looked for one by one, those that wait for retained messages would make it more than twenty times as long.
    assert!(
        many < few * 15,
        "{many:?} for each of 40,000 filters, {few:?} of 100"
    );
}

/// How long each filter takes of a client that subscribes to so many, reads nothing, and unsubscribes; the quickest time.
fn subscribe_with_retained(filters: usize) -> Duration {
    let filters: Vec<_> = (0..filters).map(|n| format!("x/{n}")).collect();
    let filters: Vec<_> = filters.iter().map(String::as_str).collect();
    let measure = |_| {
        let mut world = World::new(Limits {
            outbound_bytes_max: 1,
            packet_bytes_max: 16 << 20,
            ..Limits::default()
        });
        let publisher = world.client("publisher");
        world.send(publisher, &retained("x/0", b"x"));
        let conn = world.client("client");
        let start = Instant::now();
        world.send(conn, &subscribe(filters.iter().copied(), QoS::AtMostOnce));
        world.send(conn, &unsubscribe(filters.iter().copied()));
        let took = start.elapsed();
        assert_eq!(world.statistics().subscriptions_current, 0);
        took / filters.len() as u32
    };
    (0..2).map(measure).min().unwrap()
}

#[test]
fn a49_topics_of_65535_levels_need_no_stack() {
    let deepest = "/".repeat(65_534);
    // A thread's stack that recursion over the levels would not fit in.
    let small = std::thread::Builder::new().stack_size(128 << 10);
    let thread = small.spawn(move || {
        let mut world = World::new(Limits {
            topic_levels_max: u16::MAX,
            ..Limits::default()
        });
        let conn = world.client("client");
        for filter in [&deepest[..], "#", "/#", "/+/#"] {
            world.subscribe(conn, filter, QoS::AtMostOnce);
        }
        world.send(conn, &publish(&deepest, b"x", QoS::AtMostOnce, 0));
        assert_eq!(world.messages(conn).len(), 1);
        world.send(conn, &retained(&deepest, b"x"));
        assert_eq!(world.messages(conn).len(), 1);
        let late = world.client("late");
        world.send(late, &subscribe(["#"], QoS::AtMostOnce));
        assert_eq!(world.take(late).len(), 2, "SUBACK and the retained message");
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn a49_one_level_too_many_is_refused_everywhere() {
    const MAX: u16 = 10;
    let mut world = World::new(Limits {
        topic_levels_max: MAX,
        ..Limits::default()
    });
    let conn = world.client("client");
    let (fits, too_deep) = ("a/".repeat(9) + "a", "a/".repeat(10) + "a");
    world.send(conn, &subscribe([&fits[..], &too_deep], QoS::AtMostOnce));
    let got = world.take(conn);
    let [Got::SubAck(codes)] = &got[..] else {
        panic!("{got:?}")
    };
    assert!(codes[0] == 0 && codes[1] >= 0x80, "{codes:02x?}");
    world.send(conn, &publish(&fits, b"x", QoS::AtLeastOnce, 1));
    world.send(conn, &publish(&too_deep, b"x", QoS::AtLeastOnce, 2));
    let got = world.take(conn);
    assert!(
        got.contains(&Got::PubAck(1, ReasonCode::SUCCESS)),
        "{got:?}"
    );
    assert!(
        got.iter().any(|got| matches!(got, Got::PubAck(2, reason) | Got::Disconnect(reason) if reason.is_error())),
        "{got:?}"
    );
}

#[test]
fn a50_every_mixture_of_wildcards_for_one_topic_brings_one_copy() {
    const LEVELS: u32 = 10;
    let mut world = World::new(Limits::default());
    let conn = world.client("client");
    let filters: Vec<_> = (0..1_u32 << LEVELS).map(mixture).collect();
    for some in filters.chunks(256) {
        world.send(
            conn,
            &subscribe(some.iter().map(String::as_str), QoS::AtMostOnce),
        );
    }
    world.take(conn);
    world.send(
        conn,
        &publish(&["a"; LEVELS as usize].join("/"), b"x", QoS::AtMostOnce, 0),
    );
    assert_eq!(world.messages(conn).len(), 1);
    assert_eq!(world.largest_step.min(2), 1, "one event, one copy");

    /// `a` or `+` on each level, by the bits of the number.
    fn mixture(number: u32) -> String {
        let levels: Vec<_> = (0..LEVELS)
            .map(|bit| if number >> bit & 1 == 0 { "a" } else { "+" })
            .collect();
        levels.join("/")
    }
}

#[test]
fn a52_a_filter_over_everything_brings_all_retained_messages_in_bounded_steps() {
    const TOPICS: usize = 20_000;
    const STEP: u32 = 100;
    let mut world = World::new(Limits {
        replay_step_max: STEP,
        ..Limits::default()
    });
    let publisher = world.client("publisher");
    for number in 0..TOPICS {
        world.send(publisher, &retained(&format!("a/{number}"), b"x"));
    }
    world.largest_step = 0;
    let reader = world.subscriber("reader", "b", QoS::AtLeastOnce);
    world.send(reader, &subscribe(["#"], QoS::AtMostOnce));
    assert_eq!(world.take(reader).len(), 1 + TOPICS);
    assert!(
        world.largest_step <= 2 * STEP as usize,
        "{} orders in one step",
        world.largest_step
    );
}

#[test]
fn a71_a_new_topic_costs_about_the_same_with_a_hundred_thousand_filters() {
    let few = first_publishes(100);
    let many = first_publishes(100_000);
    // One by one, every filter would make it a thousand times as long; caches and noise make it a few times.
    assert!(
        many < few * 100,
        "{many:?} with 100,000 filters, {few:?} with 100"
    );
}

/// How long the quickest of some publishes takes, each to a topic never seen before.
fn first_publishes(filters: usize) -> Duration {
    let mut world = World::new(Limits::default());
    for number in 0..filters.min(100) {
        let conn = world.client(&number.to_string());
        let own: Vec<_> = (number..filters)
            .step_by(100)
            .map(|n| format!("x/+/dev/{n}/#"))
            .collect();
        world.send(
            conn,
            &subscribe(own.iter().map(String::as_str), QoS::AtMostOnce),
        );
        world.discard(conn);
    }
    let publisher = world.client("publisher");
    let publish_new = |number: usize| {
        let packet_topic = format!("x/{number}/dev/{}/temp", number % filters);
        let packet = publish(&packet_topic, b"x", QoS::AtMostOnce, 0);
        let start = Instant::now();
        world.send(publisher, &packet);
        start.elapsed()
    };
    let quickest = (0..200).map(publish_new).min().unwrap();
    assert_eq!(world.statistics().messages_sent[0], 200);
    quickest
}
