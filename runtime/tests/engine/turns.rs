//! A turn does all it should, and has an end.

use super::world::{World, message};
use sanderling_core::{
    config::{Config, Limits},
    packet::{ClientPacket, QoS},
};
use sanderling_runtime::engine::ACCEPT_PAUSE;

#[test]
fn many_publishers_in_one_turn_cannot_overflow_a_reader_that_takes_everything() {
    let mut world = World::new(Config::default());
    let mut reader = world.connect("reader");
    world.subscribe(&mut reader, "t", QoS::AtMostOnce);
    let writers: Vec<_> = (0..60)
        .map(|n| world.connect(&format!("writer {n}")))
        .collect();
    // Each fills what a connection may read in a turn; together far more than one connection's output may be.
    let each = 1000;
    for writer in &writers {
        for _ in 0..each {
            writer.send(&message("t", &[0; 60], QoS::AtMostOnce));
        }
    }
    world.turn(&writers.iter().collect::<Vec<_>>());
    world.rest();
    assert_eq!(reader.receive().len(), writers.len() * each);
}

#[test]
fn a_turn_has_an_end_however_much_waits_for_a_fast_reader() {
    let limits = Limits {
        outbound_bytes_max: 64 << 10,
        ..Limits::default()
    };
    let mut world = World::new(Config {
        limits,
        ..Config::default()
    });
    let mut reader = world.connect("reader");
    world.subscribe(&mut reader, "t", QoS::AtLeastOnce);
    reader.wire.borrow_mut().room = 0;
    let writer = world.connect("writer");
    for _ in 0..5000 {
        writer.send(&message("t", &[0; 1000], QoS::AtLeastOnce));
    }
    world.turn(&[&writer]);
    world.rest();
    reader.wire.borrow_mut().room = usize::MAX;
    world.engine.writable(reader.conn);
    world.turn(&[]);
    let writes = reader.wire.borrow().writes;
    assert!(writes < 50, "{writes} writes in one turn");
}

#[test]
fn bytes_that_cause_much_work_are_handled_in_several_turns() {
    let mut world = World::new(Config::default());
    let mut readers: Vec<_> = (0..500)
        .map(|n| {
            let mut reader = world.connect(&format!("reader {n}"));
            world.subscribe(&mut reader, "t", QoS::AtMostOnce);
            reader
        })
        .collect();
    let writer = world.connect("writer");
    let messages = 3000;
    for _ in 0..messages {
        writer.send(&message("t", &[0; 4], QoS::AtMostOnce));
    }
    world.turn(&[&writer]);
    let first = readers[0].receive().len();
    assert!(
        first < messages / 4,
        "{first} messages to each of 500 in one turn"
    );
    world.rest();
    for reader in &mut readers[1..] {
        assert_eq!(reader.receive().len(), messages);
    }
}

#[test]
fn everything_of_a_turn_leaves_in_one_write() {
    let mut world = World::new(Config::default());
    let mut reader = world.connect("reader");
    world.subscribe(&mut reader, "t", QoS::AtMostOnce);
    let writers: Vec<_> = (0..20)
        .map(|n| world.connect(&format!("writer {n}")))
        .collect();
    for writer in &writers {
        writer.send(&message("t", b"payload", QoS::AtMostOnce));
        // Large payloads stand beside the small ones.
        writer.send(&message("t", &[0; 5000], QoS::AtMostOnce));
    }
    reader.wire.borrow_mut().writes = 0;
    let all: Vec<_> = writers[..5].iter().collect();
    world.turn(&all);
    assert_eq!(reader.wire.borrow().writes, 1);
    assert_eq!(reader.receive().len(), 10);
}

#[test]
fn a_socket_that_is_full_is_not_tried_with_every_message() {
    let mut world = World::new(Config::default());
    let mut stalled = world.connect("stalled");
    world.subscribe(&mut stalled, "t", QoS::AtMostOnce);
    let writer = world.connect("writer");
    stalled.wire.borrow_mut().room = 1000;
    stalled.wire.borrow_mut().writes = 0;
    for _ in 0..100 {
        for _ in 0..20 {
            writer.send(&message("t", &[0; 400], QoS::AtMostOnce));
        }
        world.turn(&[&writer]);
    }
    assert!(stalled.wire.borrow().writes <= 2);
    stalled.wire.borrow_mut().room = usize::MAX;
    world.engine.writable(stalled.conn);
    world.rest();
    assert_eq!(stalled.receive().len(), 2000);
}

#[test]
fn large_payloads_for_one_reader_are_written_before_they_overflow_it() {
    let mut world = World::new(Config::default());
    let mut reader = world.connect("reader");
    world.subscribe(&mut reader, "t", QoS::AtMostOnce);
    for _ in 0..1000 {
        let publication = sanderling_core::broker::Publication {
            topic: "t".into(),
            payload: vec![0; 16 << 10].into(),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Default::default(),
        };
        world.handle.try_publish(publication).unwrap();
    }
    world.turn(&[]);
    world.rest();
    assert_eq!(reader.receive().len(), 1000);
}

/// [L15]
#[test]
fn accepting_pauses_when_the_system_has_no_room() {
    let mut world = World::new(Config::default());
    let mut peer = world.connect("peer");
    assert!(world.engine.may_accept());
    world.engine.accept_failed();
    assert!(!world.engine.may_accept());
    // It ends by itself; on a slow machine it may be over already.
    assert!(world.engine.deadline().is_some());
    let sleep = world.engine.sleep().unwrap();
    assert!(sleep <= ACCEPT_PAUSE, "{sleep:?}");
    peer.send(&ClientPacket::PingReq);
    world.turn(&[&peer]);
    assert_eq!(peer.receive(), ["pingresp"]);
    while !world.engine.may_accept() {
        world.turn(&[]);
    }
}

#[test]
fn a_peer_that_takes_no_answers_is_not_read_any_further() {
    const PINGS: usize = 100_000;
    let limits = Limits {
        answer_bytes_max: 1000,
        ..Limits::default()
    };
    let mut world = World::new(Config {
        limits,
        ..Config::default()
    });
    let mut peer = world.connect("peer");
    peer.wire.borrow_mut().room = 0;
    for _ in 0..PINGS {
        peer.send(&ClientPacket::PingReq);
    }
    world.turn(&[&peer]);
    for _ in 0..10 {
        world.rest();
    }
    let unread = peer.wire.borrow().sent.len();
    assert!(unread > PINGS, "only {unread} bytes are left unread");
    peer.wire.borrow_mut().room = usize::MAX;
    world.engine.writable(peer.conn);
    world.turn(&[]);
    world.rest();
    assert_eq!(peer.receive().len(), PINGS);
}
