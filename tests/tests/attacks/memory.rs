//! Memory follows what is there, not what a peer claims, and comes back when the peer goes. (A02, A06, A15, A21, A46 to
//! A54)
//!
//! Only allocations of the test's own thread are counted, the broker's and those of the connections to it; each claim
//! compares few peers or rounds with many.

use super::{
    got::Got,
    packets::{self, ack, connect, properties, publish, resume, retained, subscribe, unsubscribe},
    world::World,
};
use allocation_counter::measure;
use sanderling_core::{
    broker::Link,
    config::{Config, Limits},
    hooks::{
        AuthRuling, AuthStep, Client, Context, Draft, HookChain, HookSet, Hooks, Ruling,
        SubscribeRequest, Verdict,
    },
    packet::{ClientPacket, Connect, Property, QoS},
};
use std::time::Duration;

/// What tables may have kept of their largest size.
const SLACK_BYTES: i64 = 64 << 10;

/// Bytes that are allocated more after `act` than before.
fn growth(act: impl FnOnce()) -> i64 {
    measure(act).bytes_current
}

/// Fails if a thousand more rounds cost more memory than the first few hundred left room for.
#[track_caller]
fn assert_no_growth(world: &mut World, mut round: impl FnMut(&mut World, u32)) {
    for number in 0..500 {
        round(world, number);
    }
    let grown = growth(|| {
        for number in 500..5000 {
            round(world, number);
        }
    });
    assert!(
        grown <= SLACK_BYTES,
        "{grown} bytes are left of 4500 rounds"
    );
}

#[test]
fn a02_a_declared_length_costs_nothing_until_the_bytes_come() {
    const CONNECTIONS: usize = 2000;
    let mut world = World::new(Limits::default());
    let idle: Vec<_> = (0..CONNECTIONS)
        .map(|n| world.client(&n.to_string()))
        .collect();
    let grown = growth(|| {
        for conn in idle {
            // One byte less than a MiB is promised, one comes.
            world.write(conn, &[0x30, 0xFB, 0xFF, 0x3F, 0]);
        }
    });
    let each = grown / CONNECTIONS as i64;
    assert!(
        each < 100,
        "{each} bytes for a packet of which five have come"
    );
}

#[test]
fn a02_a_connection_without_connect_costs_little_and_its_place_is_given_back() {
    let mut world = World::new(Limits::default());
    assert_no_growth(&mut world, |world, _| {
        let conn = world.open();
        // 10 KiB are promised, a few bytes of a CONNECT come.
        world.write(conn, &[0x10, 0x80, 0x50, 0, 4, b'M', b'Q']);
        world.wait(Duration::from_secs(5));
        assert!(world.is_closed(conn));
    });
}

#[test]
fn a06_refused_wills_leave_nothing() {
    let section = properties([]);
    let mut connect = connect("attacker");
    connect.will = Some(packets::will("$SYS/w", &section));
    let mut world = World::new(Limits::default());
    assert_no_growth(&mut world, |world, _| {
        let conn = world.begin(&connect);
        assert!(world.is_closed(conn));
    });
}

/// Asks about everything, and has a method of authentication that never ends.
struct Asking;

impl Hooks for Asking {
    fn wants(&self) -> HookSet {
        HookSet::CONNECT | HookSet::PUBLISH | HookSet::SUBSCRIBE | HookSet::AUTHENTICATE
    }

    fn connect(&mut self, _: &Link, connect: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        match connect.client_id {
            "unknown" => Ruling::Ask,
            _ => Ruling::Permit,
        }
    }

    fn authenticate(&mut self, _: &Link, _: &AuthStep<'_>, _: &mut Context<'_>) -> AuthRuling {
        AuthRuling::Continue(vec![7; 100])
    }

    fn subscribe(
        &mut self,
        _: &Client<'_>,
        _: &mut [SubscribeRequest<'_>],
        _: &mut Context<'_>,
    ) -> Ruling {
        Ruling::Ask
    }

    fn publish(&mut self, _: &Client<'_>, _: &mut Draft<'_>, _: &mut Context<'_>) -> Ruling {
        Ruling::Ask
    }
}

#[test]
fn a15_authentications_that_are_broken_off_leave_nothing() {
    let method = properties([Property::AuthenticationMethod("ENDLESS")]);
    let mut world = World::with(Config::default(), HookChain::new().with(Asking));
    assert_no_growth(&mut world, |world, _| {
        let connect = Connect {
            properties: method.as_properties(),
            ..connect("client")
        };
        let conn = world.begin(&connect);
        assert!(matches!(world.take(conn)[..], [Got::Auth(_)]));
        world.drop_connection(conn);
    });
    assert_eq!(world.broker.view().sessions().count(), 0);
}

#[test]
fn a21_questions_of_clients_that_do_not_wait_leave_nothing_and_late_verdicts_do_nothing() {
    let mut world = World::with(Config::default(), HookChain::new().with(Asking));
    assert_no_growth(&mut world, |world, number| {
        let conn = match number % 3 {
            0 => world.begin(&connect("unknown")),
            1 => {
                let conn = world.client("publisher");
                world.send(conn, &publish("t", &[7; 1000], QoS::AtLeastOnce, 1));
                conn
            }
            _ => {
                let conn = world.client("subscriber");
                world.send(conn, &subscribe(["t"], QoS::AtLeastOnce));
                conn
            }
        };
        let ticket = world.questions.pop_front().expect("it is asked");
        // What it sends meanwhile stays where it is.
        world.send(conn, &ClientPacket::PingReq);
        world.drop_connection(conn);
        world.rule(ticket, Verdict::Permit);
    });
    assert_eq!(world.statistics().verdicts_late, 5000);
    assert_eq!(world.statistics().subscriptions_current, 0);
    assert_eq!(world.statistics().connections_current, 0);
}

#[test]
fn a46_a_thousand_clients_that_do_not_read_cost_what_the_limits_say() {
    const READERS: usize = 1000;
    const OUTBOUND_MAX: u32 = 4 << 10;
    const QUEUE_MAX: u64 = 8 << 10;
    const TOTAL_MAX: u64 = 2 << 20;
    let mut world = World::new(Limits {
        outbound_bytes_max: OUTBOUND_MAX,
        queue_bytes_max: QUEUE_MAX,
        queue_bytes_total_max: TOTAL_MAX,
        ..Limits::default()
    });
    let stalled: Vec<_> = (0..READERS)
        .map(|number| {
            let qos = if number % 2 == 0 {
                QoS::AtMostOnce
            } else {
                QoS::AtLeastOnce
            };
            let conn = world.subscriber(&number.to_string(), "#", qos);
            world.discard(conn);
            world.stall(conn);
            conn
        })
        .collect();
    let reader = world.subscriber("reader", "#", QoS::AtMostOnce);
    let publisher = world.client("publisher");
    world.discard(publisher);
    let publish_some = |world: &mut World| {
        for size in [10, 1000, 3000] {
            for id in 1..=20 {
                world.send(
                    publisher,
                    &publish("t", &vec![7; size], QoS::AtLeastOnce, id),
                );
            }
            assert_eq!(world.messages(reader).len(), 20, "who reads loses nothing");
            for &conn in &stalled {
                let bytes = world.broker.view().outbound_bytes(conn).unwrap();
                assert!(
                    bytes < OUTBOUND_MAX + 3100,
                    "{bytes} bytes wait for one connection"
                );
            }
            let queued = world.statistics().queued_bytes_current;
            assert!(queued <= TOTAL_MAX, "{queued} bytes are queued");
        }
    };
    for _ in 0..3 {
        publish_some(&mut world);
    }
    let grown = growth(|| (0..5).for_each(|_| publish_some(&mut world)));
    assert!(
        grown <= 4 * SLACK_BYTES,
        "{grown} bytes more when all was full already"
    );
    assert!(world.statistics().messages_dropped[0] > 0);
}

#[test]
fn a47_what_abandoned_sessions_cost_does_not_depend_on_how_many_there_were() {
    let minute = properties([Property::SessionExpiryInterval(60)]);
    let mut world = World::new(Limits {
        sessions_max: 100,
        ..Limits::default()
    });
    let publisher = world.client("publisher");
    assert_no_growth(&mut world, |world, number| {
        let (conn, _) = world.join(&resume(&number.to_string(), &minute));
        world.subscribe(conn, &format!("only/{number}"), QoS::AtLeastOnce);
        world.drop_connection(conn);
        world.send(
            publisher,
            &publish(&format!("only/{number}"), b"x", QoS::AtLeastOnce, 1),
        );
        world.take(publisher);
        world.wait(Duration::from_secs(1));
    });
    world.wait(Duration::from_secs(60));
    let statistics = world.statistics();
    assert_eq!(statistics.sessions_inactive_current, 0);
    assert_eq!(statistics.subscriptions_current, 0);
    assert_eq!(statistics.messages_queued_current, 0);
    assert_eq!(statistics.queued_bytes_current, 0);
}

#[test]
fn a48_a_subscribe_with_twenty_thousand_filters_meets_the_limit_filter_by_filter() {
    const MAX: u32 = 1000;
    let mut world = World::new(Limits {
        subscriptions_per_session_max: MAX,
        ..Limits::default()
    });
    let conn = world.client("client");
    let filters: Vec<_> = (0..20_000).map(|number| format!("f/{number}")).collect();
    world.send(
        conn,
        &subscribe(filters.iter().map(String::as_str), QoS::AtMostOnce),
    );
    let [Got::SubAck(codes)] = &world.take(conn)[..] else {
        panic!("a SUBACK was expected")
    };
    assert_eq!(codes.len(), filters.len());
    assert!(codes[..MAX as usize].iter().all(|&code| code == 0));
    assert!(codes[MAX as usize..].iter().all(|&code| code == 0x97));
    assert_eq!(world.statistics().subscriptions_current, MAX);
    world.drop_connection(conn);
    assert_eq!(world.statistics().subscriptions_current, 0);
}

#[test]
fn a48_filters_and_shares_that_come_and_go_leave_nothing() {
    let mut world = World::new(Limits::default());
    let conn = world.client("client");
    assert_no_growth(&mut world, |world, number| {
        let filters = [
            format!("a/{number}/+/#"),
            format!("$share/g{number}/b/{number}"),
        ];
        let filters = || filters.iter().map(String::as_str);
        world.send(conn, &subscribe(filters(), QoS::AtLeastOnce));
        world.send(conn, &unsubscribe(filters()));
        world.take(conn);
    });
    assert_eq!(world.statistics().subscriptions_current, 0);
}

#[test]
fn a48_filters_that_were_never_subscribed_to_are_given_up_for_nothing() {
    let mut world = World::new(Limits::default());
    let conn = world.client("client");
    assert_no_growth(&mut world, |world, number| {
        let filters: Vec<_> = (0..20).map(|n| format!("a/{number}/{n}/#")).collect();
        world.send(conn, &unsubscribe(filters.iter().map(String::as_str)));
        let no_subscription = vec![0x11; 20];
        assert_eq!(world.take(conn), [Got::UnsubAck(no_subscription)]);
    });
}

#[test]
fn a48_malformed_subscribes_leave_nothing() {
    let mut world = World::new(Limits::default());
    assert_no_growth(&mut world, |world, _| {
        let conn = world.client("client");
        // A good filter, and one with a misplaced wildcard.
        world.write(
            conn,
            &[0x82, 12, 0, 1, 0, 0, 1, b'a', 0, 0, 2, b'#', b'a', 0],
        );
        assert!(world.is_closed(conn));
    });
    assert_eq!(world.statistics().subscriptions_current, 0);
}

#[test]
fn a51_a_message_to_very_many_is_encoded_once() {
    const READERS: usize = 5000;
    let mut world = World::new(Limits::default());
    for number in 0..READERS {
        let conn = world.subscriber(&number.to_string(), "t", QoS::AtMostOnce);
        world.discard(conn);
    }
    let publisher = world.client("publisher");
    let mut section = properties([]);
    for _ in 0..100 {
        section
            .push(Property::UserProperty("name", &"value".repeat(10)))
            .unwrap();
    }
    let packet = packets::publish_with("t", b"x", &section);
    world.send(publisher, &packet);
    let bytes = world.statistics().packet_bytes_sent.sum();
    let taken = measure(|| world.send(publisher, &packet));
    assert!(world.statistics().packet_bytes_sent.sum() - bytes > READERS as u64 * 5000);
    let each = taken.bytes_max / READERS as u64;
    assert!(
        each < 100,
        "{each} bytes for each of the receivers of a packet of 5 KB"
    );
}

#[test]
fn a51_a_large_message_that_waits_for_many_is_kept_once() {
    const READERS: u64 = 500;
    const BYTES: usize = 500_000;
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    let mut world = World::new(Limits::default());
    for number in 0..READERS {
        let (conn, _) = world.join(&resume(&number.to_string(), &hour));
        world.subscribe(conn, "t", QoS::AtLeastOnce);
        world.drop_connection(conn);
    }
    let publisher = world.client("publisher");
    let packet_payload = vec![7; BYTES];
    let packet = publish("t", &packet_payload, QoS::AtLeastOnce, 1);
    let taken = measure(|| world.send(publisher, &packet));
    assert_eq!(world.statistics().messages_queued_current, READERS);
    let (kept, most) = (taken.bytes_current as usize, taken.bytes_max as usize);
    assert!(kept < 2 * BYTES, "{kept} bytes are kept");
    // What was received, what is decoded of it, and what is kept.
    assert!(most < 6 * BYTES, "{most} bytes at a time");
}

#[test]
fn a52_retained_messages_that_come_and_go_leave_nothing() {
    let mut world = World::new(Limits::default());
    let publisher = world.client("publisher");
    let forgetful = world.client("forgetful");
    assert_no_growth(&mut world, |world, number| {
        let topic = format!("a/{number}/b/c/d/e");
        if number.is_multiple_of(500) {
            // Who gets the messages of which topic is remembered of so many topics, and forgotten now.
            world.subscribe(forgetful, "$of/nobody/#", QoS::AtMostOnce);
        }
        world.send(publisher, &retained(&topic, b"x"));
        world.send(publisher, &retained(&topic, b""));
    });
    assert_eq!(world.statistics().retained_current, 0);
}

#[test]
fn a52_more_topics_than_may_be_retained_cost_no_more() {
    let mut world = World::new(Limits {
        retained_messages_max: 100,
        ..Limits::default()
    });
    let publisher = world.client("publisher");
    assert_no_growth(&mut world, |world, number| {
        world.send(publisher, &retained(&format!("a/{number}/b"), &[7; 100]));
    });
    assert_eq!(world.statistics().retained_current, 100);
    assert_eq!(world.statistics().retained_refused, 4900);
}

/// [§12]
#[test]
fn a54_clients_that_come_and_go_leave_nothing() {
    let day = properties([Property::WillDelayInterval(10)]);
    let section = properties([Property::SessionExpiryInterval(20)]);
    let mut world = World::new(Limits::default());
    assert_no_growth(&mut world, |world, number| {
        let client_id = number.to_string();
        let mut connect = Connect {
            keep_alive_s: 30,
            ..resume(&client_id, &section)
        };
        connect.will = Some(packets::will("w", &day));
        let (conn, _) = world.join(&connect);
        world.subscribe(conn, &format!("t/{number}/#"), QoS::ExactlyOnce);
        world.send(
            conn,
            &publish(&format!("t/{number}"), b"x", QoS::ExactlyOnce, 1),
        );
        let got = world.take(conn);
        assert_eq!(got.len(), 2, "{got:?}");
        world.send(conn, &ack(ClientPacket::PubRec, 1));
        world.drop_connection(conn);
        world.wait(Duration::from_secs(1));
    });
    world.wait(Duration::from_secs(20));
    let statistics = world.statistics();
    assert_eq!(statistics.connections_current, 0);
    assert_eq!(
        statistics.sessions_active_current + statistics.sessions_inactive_current,
        0
    );
    assert_eq!(statistics.subscriptions_current, 0);
}
