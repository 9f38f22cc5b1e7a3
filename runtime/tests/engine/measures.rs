//! What an engine measures of itself.

use super::world::{World, message};
use sanderling_core::{
    config::Config,
    packet::QoS,
    stats::{Durations, Statistics},
};
use sanderling_runtime::Measures;
use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// What somebody who looks now is told.
fn measure(world: &mut World) -> (Statistics, Measures) {
    let handle = world.handle.clone();
    let look = handle.measure_async(|view, measures| (view.statistics().clone(), measures.clone()));
    let (mut look, mut cx) = (pin!(look), Context::from_waker(Waker::noop()));
    assert!(look.as_mut().poll(&mut cx).is_pending());
    world.engine.read_inbox();
    world.turn(&[]);
    match look.as_mut().poll(&mut cx) {
        Poll::Ready(answer) => answer.unwrap(),
        Poll::Pending => panic!("the turn has answered"),
    }
}

#[test]
fn turns_are_measured_from_the_first_look_on() {
    let mut world = World::new(Config::default());
    world.turn(&[]);
    assert_eq!(measure(&mut world).1.turns, Durations::default());
    world.turn(&[]);
    let turns = measure(&mut world).1.turns;
    assert_eq!(
        turns.count(),
        2,
        "the turn of the first look, and one after it"
    );
    assert!(turns.sum() > std::time::Duration::ZERO);
}

#[test]
fn bytes_wait_as_long_as_a_socket_takes_nothing() {
    let mut world = World::new(Config::default());
    let mut reader = world.connect("reader");
    world.subscribe(&mut reader, "t", QoS::AtMostOnce);
    let writer = world.connect("writer");
    reader.wire.borrow_mut().room = 10;
    writer.send(&message("t", &[0; 100], QoS::AtMostOnce));
    world.turn(&[&writer]);
    // A fixed header of two bytes, the topic with its length, no properties, the payload; ten bytes were taken.
    assert_eq!(measure(&mut world).1.waiting_bytes, 2 + 3 + 1 + 100 - 10);
    writer.send(&message("t", &[0; 50], QoS::AtMostOnce));
    world.turn(&[&writer]);
    assert_eq!(measure(&mut world).1.waiting_bytes, 96 + 56);

    reader.wire.borrow_mut().room = usize::MAX;
    world.engine.writable(reader.conn);
    world.turn(&[]);
    assert_eq!(measure(&mut world).1.waiting_bytes, 0);
}

#[test]
fn what_waits_for_a_connection_that_ends_waits_no_more() {
    let mut world = World::new(Config::default());
    let mut reader = world.connect("reader");
    world.subscribe(&mut reader, "t", QoS::AtMostOnce);
    let writer = world.connect("writer");
    reader.wire.borrow_mut().room = 0;
    writer.send(&message("t", &[0; 100], QoS::AtMostOnce));
    world.turn(&[&writer]);
    assert_eq!(measure(&mut world).1.waiting_bytes, 106);
    world
        .engine
        .ended(reader.conn, sanderling_core::broker::CloseCause::Failed);
    world.turn(&[]);
    assert_eq!(measure(&mut world).1.waiting_bytes, 0);
}

#[test]
fn a_look_at_the_next_turn_waits_for_nobody() {
    let mut world = World::new(Config::default());
    let (seen, looked) = std::sync::mpsc::channel();
    world
        .handle
        .try_look(move |view| seen.send(view.sessions_len()).unwrap())
        .unwrap();
    assert!(looked.try_recv().is_err());
    world.engine.read_inbox();
    assert_eq!(looked.try_recv(), Ok(0));
}
