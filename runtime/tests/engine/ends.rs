//! How connections end, and what is read and written before.

use super::world::{World, connect};
use sanderling_core::{
    broker::CloseCause,
    config::Config,
    packet::{ClientPacket, Disconnect, Properties, QoS},
    reason::ReasonCode,
};
use sanderling_runtime::engine::Pulled;

#[test]
fn a_peer_that_closes_its_side_at_once_gets_its_answers() {
    let mut world = World::new(Config::default());
    let mut peer = world.open();
    peer.send(&connect("half"));
    peer.send(&ClientPacket::PingReq);
    peer.wire.borrow_mut().ended = true;
    world.engine.read_to_the_end(peer.conn);
    world.turn(&[&peer]);
    assert_eq!(peer.receive(), ["connack", "pingresp"]);
    assert!(peer.wire.borrow().dropped);
}

#[test]
fn a_peer_that_closes_its_side_gets_the_reason_although_it_reads_slowly() {
    let mut world = World::new(Config::default());
    let mut peer = world.connect("wrong");
    peer.wire.borrow_mut().sent.extend([0, 0]);
    peer.wire.borrow_mut().ended = true;
    peer.wire.borrow_mut().room = 1;
    world.engine.read_to_the_end(peer.conn);
    world.turn(&[&peer]);
    world.rest();
    peer.wire.borrow_mut().room = usize::MAX;
    world.engine.writable(peer.conn);
    world.turn(&[]);
    assert_eq!(peer.receive(), ["disconnect"]);
    assert!(peer.wire.borrow().dropped);
}

#[test]
fn a_disconnect_is_read_although_writing_failed() {
    let mut world = World::new(Config::default());
    let mut watcher = world.connect("watcher");
    world.subscribe(&mut watcher, "will", QoS::AtMostOnce);
    for says_why in [true, false] {
        let peer = world.connect("peer");
        peer.wire.borrow_mut().reset = true;
        peer.send(&ClientPacket::PingReq);
        world.turn(&[&peer]);
        if says_why {
            peer.send(&ClientPacket::Disconnect(Disconnect {
                reason: ReasonCode::SUCCESS,
                properties: Properties::EMPTY,
            }));
        }
        peer.wire.borrow_mut().ended = true;
        world.rest();
        assert!(peer.wire.borrow().dropped);
        let expected: &[&str] = if says_why { &[] } else { &["publish"] };
        assert_eq!(watcher.receive(), expected, "the will, unless it said why");
    }
}

/// [S7]
#[test]
fn a_disconnect_counts_although_the_next_connection_is_read_first() {
    let mut world = World::new(Config::default());
    let mut watcher = world.connect("watcher");
    world.subscribe(&mut watcher, "will", QoS::AtMostOnce);
    for says_why in [true, false] {
        let old = world.connect("peer");
        if says_why {
            old.send(&ClientPacket::Disconnect(Disconnect {
                reason: ReasonCode::SUCCESS,
                properties: Properties::EMPTY,
            }));
        }
        old.wire.borrow_mut().ended = says_why;
        let mut new = world.open();
        new.send(&connect("peer"));
        new.send(&ClientPacket::PingReq);
        world.turn(&[&new]);
        world.rest();
        assert_eq!(new.receive(), ["connack", "pingresp"]);
        let expected: &[&str] = if says_why { &[] } else { &["publish"] };
        assert_eq!(watcher.receive(), expected, "the will, unless it said why");
        new.wire.borrow_mut().sent.extend([0xE0, 0]);
        world.turn(&[&new]);
    }
}

#[test]
fn a_stop_ends_every_connection_with_a_reason() {
    let mut world = World::new(Config::default());
    let mut peers: Vec<_> = (0..3).map(|n| world.connect(&format!("{n}"))).collect();
    world.handle.stop();
    world.turn(&[]);
    assert!(world.engine.is_stopping() && !world.engine.is_finished());
    for peer in &mut peers {
        assert_eq!(peer.receive(), ["disconnect"]);
        assert!(peer.wire.borrow().shut_down && !peer.wire.borrow().dropped);
        peer.wire.borrow_mut().ended = true;
    }
    world.turn(&peers.iter().collect::<Vec<_>>());
    assert!(world.engine.is_finished());
}

#[test]
fn a_connection_that_the_driver_ended_is_forgotten_at_once() {
    let mut world = World::new(Config::default());
    let peer = world.connect("peer");
    world.engine.begin_turn();
    world.engine.ended(peer.conn, CloseCause::Failed);
    world.engine.settle();
    assert!(peer.wire.borrow().dropped);
    assert_eq!(world.engine.connections(), 0);
    assert_eq!(
        world.engine.pull(peer.conn, &mut world.buffer),
        Pulled::Ended
    );
    assert!(!world.engine.receive(peer.conn, &mut [0xc0, 0]));
}

#[test]
fn a_peer_that_closes_its_side_gets_its_answers_although_it_reads_slowly() {
    let mut world = World::new(Config::default());
    let mut peer = world.connect("half");
    peer.wire.borrow_mut().room = 1;
    peer.send(&ClientPacket::PingReq);
    peer.send(&ClientPacket::PingReq);
    peer.wire.borrow_mut().ended = true;
    world.engine.read_to_the_end(peer.conn);
    world.turn(&[&peer]);
    world.rest();
    assert!(!peer.wire.borrow().dropped);
    peer.wire.borrow_mut().room = usize::MAX;
    world.engine.writable(peer.conn);
    world.turn(&[]);
    assert_eq!(peer.receive(), ["pingresp", "pingresp"]);
    assert!(peer.wire.borrow().dropped);
}
