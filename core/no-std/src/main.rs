//! The broker in a program without `std`. C's start files call `main`, and `abort` is all that it asks of the C library.
//!
//! A client connects; exit code 0 means that the broker answered with the CONNACK that success looks like.
#![no_std]
#![no_main]

extern crate alloc;

/// Set by the test that shows that `std` would be noticed.
#[cfg(counter_example)]
extern crate std;

mod runtime;

use alloc::boxed::Box;
use sanderling_core::{
    broker::{Action, Actions, Broker, Event, Flow, Link, Seed, Stage},
    config::Config,
    hooks::HookChain,
    id::ConnId,
    packet::{ClientPacket, Connect, Properties, Version},
    time::{Instant, WallClock},
};

/// CONNACK of 3.1.1: no session present, accepted. [MQTT 3.1.1, 3.2]
const CONNACK: &[u8] = &[0x20, 2, 0, 0];

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    i32::from(!client_gets_connack())
}

fn client_gets_connack() -> bool {
    let now = Instant::ORIGIN;
    let config = Config::default();
    let mut broker = Broker::new(config, HookChain::new(), Seed([7; 32]), now, WallClock(0));
    let mut actions = Actions::new();
    let conn = ConnId {
        slot: 0,
        generation: 0,
    };
    let link = Link::new(0, None, [7; 16]);
    let opened = broker.handle(
        now,
        Event::Opened {
            conn,
            link,
            stage: Stage::Connect,
        },
        &mut actions,
    );
    let packet = ClientPacket::Connect(Box::new(Connect {
        version: Version::V311,
        client_id: "wader",
        clean_start: true,
        keep_alive_s: 60,
        username: None,
        password: None,
        will: None,
        properties: Properties::EMPTY,
    }));
    let received = Event::Received {
        conn,
        packet,
        bytes: 19,
    };
    let connected = broker.handle(now, received, &mut actions);
    let is_connack = |action: &Action| match *action {
        Action::Send { conn: to, frame } => to == conn && actions.bytes(frame) == CONNACK,
        _ => false,
    };
    (opened, connected) == (Flow::Continue, Flow::Continue) && actions.list().iter().any(is_connack)
}
