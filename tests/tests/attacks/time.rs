//! Slowness as an attack: at every stage, and many deadlines at once. (A12, A13, A15, A45, A58)

use super::{
    got::Got,
    packets::{self, connect, connect_v311, properties, publish, resume},
    world::{AskAboutPublish, World},
};
use sanderling_core::{
    broker::Command,
    config::{Config, Limits},
    hooks::HookChain,
    packet::{ClientPacket, Connect, Property, QoS, Version},
    reason::ReasonCode,
};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a12_ten_thousand_peers_that_dribble_a_connect_are_gone_at_the_deadline() {
    const PEERS: usize = 10_000;
    let limits = Limits {
        connect_deadline: Duration::from_secs(5),
        ..Limits::default()
    };
    let mut world = World::new(limits);
    let packet = packets::encoded(
        &ClientPacket::Connect(Box::new(connect("slow"))),
        Version::V5,
    );
    let peers: Vec<_> = (0..PEERS).map(|_| world.open()).collect();
    for second in 0..4 {
        for &conn in &peers {
            world.write(conn, &packet[second..=second]);
        }
        world.wait(SECOND);
    }
    // Meanwhile others come in.
    world.client("good");
    world.wait(SECOND);
    assert_eq!(world.statistics().connections_current, 1);
    assert!(peers.iter().all(|&conn| world.is_closed(conn)));
}

#[test]
fn a12_half_a_packet_is_no_sign_of_life() {
    for version in [Version::V31, Version::V311, Version::V5] {
        let mut world = World::new(Limits::default());
        let connect = Connect {
            version,
            keep_alive_s: 10,
            ..connect("slow")
        };
        let (conn, _) = world.join(&connect);
        let packet = packets::encoded(&publish("t", &[7; 100], QoS::AtMostOnce, 0), version);
        for byte in &packet[..15] {
            assert!(!world.is_closed(conn));
            world.write(conn, &[*byte]);
            world.wait(SECOND);
        }
        assert!(world.is_closed(conn), "{version:?}");
    }
}

#[test]
fn a12_reading_nothing_does_not_count_as_silence_and_costs_no_more_than_the_limit() {
    const OUTBOUND_MAX: u32 = 10_000;
    let mut world = World::new(Limits {
        outbound_bytes_max: OUTBOUND_MAX,
        ..Limits::default()
    });
    let (stalled, _) = world.join(&Connect {
        keep_alive_s: 10,
        ..connect("stalled")
    });
    world.subscribe(stalled, "t", QoS::AtMostOnce);
    world.stall(stalled);
    let publisher = world.client("publisher");
    for _ in 0..100 {
        world.send(publisher, &publish("t", &[7; 1000], QoS::AtMostOnce, 0));
    }
    assert!(world.broker.view().outbound_bytes(stalled).unwrap() < OUTBOUND_MAX + 1100);
    for _ in 0..1000 {
        world.send(stalled, &ClientPacket::PingReq);
        world.wait(SECOND);
    }
    // Answers are never dropped, so they must not be without an end, either.
    let waiting = world.broker.view().outbound_bytes(stalled);
    assert!(
        waiting.is_none_or(|bytes| bytes < 2 * OUTBOUND_MAX),
        "{waiting:?}"
    );
}

#[test]
fn a45_every_will_of_very_many_that_are_due_at_once_is_published_once() {
    const CLIENTS: usize = 20_000;
    let mut world = World::new(Limits::default());
    let watcher = world.subscriber("watcher", "w/#", QoS::AtMostOnce);
    let delay = properties([Property::WillDelayInterval(10)]);
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    let all: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (client_id, topic) = (number.to_string(), format!("w/{number}"));
            let mut connect = resume(&client_id, &hour);
            connect.will = Some(packets::will(&topic, &delay));
            world.join(&connect).0
        })
        .collect();
    for conn in all {
        world.drop_connection(conn);
    }
    world.wait(SECOND * 9);
    assert_eq!(world.messages(watcher), []);
    world.largest_step = 0;
    world.wait(SECOND);
    let mut topics: Vec<_> = world
        .messages(watcher)
        .into_iter()
        .map(|m| m.topic)
        .collect();
    topics.sort();
    topics.dedup();
    assert_eq!(topics.len(), CLIENTS);
    assert!(
        world.largest_step < CLIENTS / 2,
        "{} orders in one step",
        world.largest_step
    );
    world.wait(SECOND * 7200);
    assert_eq!(world.messages(watcher), []);
}

#[test]
fn a58_very_many_keep_alives_in_one_tick_are_handled_in_steps() {
    const CLIENTS: usize = 20_000;
    let mut world = World::new(Limits::default());
    for number in 0..CLIENTS {
        let client_id = number.to_string();
        let (conn, _) = world.join(&Connect {
            keep_alive_s: 10,
            ..connect_v311(&client_id, true)
        });
        world.discard(conn);
    }
    world.largest_step = 0;
    world.wait(SECOND * 15);
    assert_eq!(world.statistics().connections_current, 0);
    assert!(
        world.largest_step < CLIENTS / 2,
        "{} orders in one step",
        world.largest_step
    );
}

#[test]
fn a58_the_longest_delays_do_not_overflow() {
    let mut world = World::new(Limits::default());
    let delays = properties([Property::WillDelayInterval(u32::MAX)]);
    let for_ever = properties([Property::SessionExpiryInterval(u32::MAX)]);
    let watcher = world.subscriber("watcher", "w", QoS::AtMostOnce);
    let mut connect = Connect {
        keep_alive_s: u16::MAX,
        ..resume("client", &for_ever)
    };
    connect.will = Some(packets::will("w", &delays));
    let (conn, _) = world.join(&connect);
    world.drop_connection(conn);
    // The session is capped to a week, and the will is published at its end.
    world.wait(SECOND * (7 * 24 * 3600 - 1));
    assert_eq!(world.messages(watcher), []);
    world.wait(SECOND);
    assert_eq!(world.messages(watcher).len(), 1);
}

#[test]
fn a13_the_longest_keep_alive_is_counted_to_its_end() {
    let mut world = World::new(Limits::default());
    let (conn, _) = world.join(&Connect {
        keep_alive_s: u16::MAX,
        ..connect("idle")
    });
    // One and a half times 65,535 s does not fit into 16 bits.
    world.wait(SECOND * 98_302);
    assert!(!world.is_closed(conn));
    world.wait(SECOND);
    assert_eq!(
        world.take(conn),
        [Got::Disconnect(ReasonCode::KEEP_ALIVE_TIMEOUT)]
    );
}

#[test]
fn a43_the_longest_expiry_interval_of_a_message_counts_down() {
    const WEEKS: u32 = 3 * 7 * 24 * 3600;
    let mut world = World::new(Limits::default());
    // Late, so that a sum in 32 bits would overflow.
    world.wait(SECOND * u32::MAX);
    let publisher = world.client("publisher");
    let longest = properties([Property::MessageExpiryInterval(u32::MAX)]);
    let ClientPacket::Publish(mut message) = packets::retained("t", b"x") else {
        unreachable!("it is one");
    };
    message.properties = longest.as_properties();
    world.send(publisher, &ClientPacket::Publish(message));
    world.wait(SECOND * WEEKS);
    let reader = world.client("reader");
    world.send(reader, &packets::subscribe(["t"], QoS::AtMostOnce));
    let got = world.take(reader);
    let [Got::SubAck(_), Got::Publish(message)] = &got[..] else {
        panic!("{got:?}")
    };
    assert_eq!(message.expiry_s, Some(u32::MAX - WEEKS));
    world.wait(SECOND * (u32::MAX - WEEKS));
    world.send(reader, &packets::subscribe(["t"], QoS::AtMostOnce));
    assert_eq!(world.take(reader).len(), 1, "it has expired");
}

#[test]
fn a21_who_was_held_by_a_question_is_not_taken_for_silent_after_a_pause() {
    let mut world = World::with(Config::default(), HookChain::new().with(AskAboutPublish));
    let (conn, _) = world.join(&Connect {
        keep_alive_s: 10,
        ..connect("held")
    });
    world.send(conn, &publish("t", b"?", QoS::AtLeastOnce, 1));
    // The deadlines of the verdict and of the keep alive pass in one leap, and the client was read in between by nobody.
    world.now = world.now + SECOND * 100;
    world.order(Command::Statistics);
    assert!(matches!(world.take(conn)[..], [Got::PubAck(..)]));
    world.wait(SECOND * 14);
    assert!(!world.is_closed(conn));
    world.wait(SECOND);
    assert!(world.is_closed(conn));
}

#[test]
fn a46_who_takes_not_even_connack_is_not_read_any_further() {
    let mut world = World::new(Limits {
        answer_bytes_max: 1,
        ..Limits::default()
    });
    let conn = world.open();
    world.stall(conn);
    let connect = ClientPacket::Connect(Box::new(connect("slow")));
    world.write(conn, &packets::encoded(&connect, Version::V5));
    world.write(conn, &[0xC0, 0]);
    assert_eq!(world.take(conn).len(), 1, "CONNACK, and no PINGRESP");
    world.unstall(conn);
    assert_eq!(world.take(conn), [Got::PingResp]);
}

#[test]
fn a46_a_client_that_asks_on_and_on_and_reads_no_answer_is_not_served_without_end() {
    const ANSWERS_MAX: u32 = 10_000;
    let mut world = World::new(Limits {
        answer_bytes_max: ANSWERS_MAX,
        ..Limits::default()
    });
    let stalled = world.client("stalled");
    world.stall(stalled);
    let question = packets::encoded(&publish("t", b"", QoS::AtLeastOnce, 1), Version::V5);
    let many = question.repeat(1000);
    for _ in 0..100 {
        world.write(stalled, &many);
    }
    let waiting = world.broker.view().outbound_bytes(stalled);
    assert!(
        waiting.is_none_or(|bytes| bytes < 2 * ANSWERS_MAX),
        "{waiting:?} bytes of answers wait"
    );
}

#[test]
fn a46_who_is_slowed_down_because_it_takes_no_answers_is_given_up_or_goes_on() {
    const PINGS: usize = 10_000;
    for comes_back in [false, true] {
        let mut world = World::new(Limits {
            answer_bytes_max: 100,
            ..Limits::default()
        });
        let (conn, _) = world.join(&Connect {
            keep_alive_s: 10,
            ..connect("slow")
        });
        world.stall(conn);
        world.write(conn, &[0xC0, 0].repeat(PINGS));
        world.wait(SECOND * 10);
        assert!(world.broker.view().outbound_bytes(conn).unwrap() <= 102);
        if comes_back {
            world.unstall(conn);
            assert_eq!(world.take(conn), vec![Got::PingResp; PINGS]);
        } else {
            // Its keep alive has not been heard of since.
            world.wait(SECOND * 5);
            assert_eq!(world.statistics().sessions_active_current, 0);
        }
    }
}
