//! Time, made up: the wheel, and what idle connections cost.

use crate::{rounds::Rounds, world};
use sanderling_core::{
    broker::{Actions, Broker, Event, Link, Seed, Stage},
    config::Config,
    hooks::HookChain,
    id::ConnId,
    packet::{ClientPacket, Version},
    time::{Instant, WallClock},
    timer::Wheel,
};
use std::{hint::black_box, time::Duration};

pub(super) fn set(rounds: &mut Rounds<'_>) {
    let mut wheel = Wheel::new(Instant::ORIGIN);
    for number in 0..10_000_u32 {
        wheel.insert(Instant::from_millis(u64::from(number) * 17), number);
    }
    while rounds.next() {
        rounds.count(|| {
            let key = wheel.insert(black_box(Instant::from_millis(90_000)), 1);
            black_box(wheel.cancel(key));
        });
    }
}

pub(super) fn fire(rounds: &mut Rounds<'_>) {
    let mut wheel = Wheel::new(Instant::ORIGIN);
    let mut now = Instant::ORIGIN;
    while rounds.next() {
        for number in 0..1_000 {
            wheel.insert(now + Duration::from_millis(number), number);
        }
        now = now + Duration::from_secs(1);
        rounds.count(|| {
            let mut fired = 0;
            while wheel.pop_due(now).is_some() {
                fired += 1;
            }
            assert_eq!(fired, 1_000);
        });
    }
}

/// Every connection has said something when its time would be over, so the broker looks at each and goes on waiting.
pub(super) fn keep_alive(rounds: &mut Rounds<'_>) {
    let (hooks, mut now) = (HookChain::new(), Instant::ORIGIN);
    let mut broker = Broker::new(Config::default(), hooks, Seed([7; 32]), now, WallClock(0));
    let mut actions = Actions::new();
    let conns: Vec<_> = (0..1_000)
        .map(|slot| ConnId {
            slot,
            generation: 0,
        })
        .collect();
    for &conn in &conns {
        let link = Link::new(0, None, [0; 16]);
        let stage = Stage::Connect;
        let client_id = format!("client-{}", conn.slot);
        let packet = world::connect(Version::V311, &client_id, true);
        let _ = broker.handle(now, Event::Opened { conn, link, stage }, &mut actions);
        let _ = broker.handle(
            now,
            Event::Received {
                conn,
                packet,
                bytes: 20,
            },
            &mut actions,
        );
        actions.clear();
    }
    while rounds.next() {
        // One and a half times the keep alive of 60 s. [MQTT-3.1.2-22]
        now = now + Duration::from_secs(90);
        for &conn in &conns {
            let packet = ClientPacket::PingReq;
            let _ = broker.handle(
                now,
                Event::Received {
                    conn,
                    packet,
                    bytes: 2,
                },
                &mut actions,
            );
            let _ = broker.handle(now, Event::Flushed { conn, bytes: 2 }, &mut actions);
        }
        actions.clear();
        rounds.count(|| {
            let _ = broker.handle(now, Event::TimerFired, &mut actions);
        });
        actions.clear();
    }
    assert_eq!(
        broker
            .view()
            .sessions()
            .filter(|(_, connected)| *connected)
            .count(),
        1_000
    );
}
