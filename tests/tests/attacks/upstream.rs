//! Defects of the broker that this one succeeds, as far as no story or attack shows that they are gone. (U04, U10, U23,
//! U27)

use super::{
    got::Got,
    packets::{self, ack, connect, connect_v311, publish, subscribe},
    world::World,
};
use sanderling_core::{
    broker::{Answer, Command, Publication},
    config::{Config, Limits},
    hooks::{Context, HookChain, HookSet, Hooks, Notice},
    packet::{ClientPacket, Connect, QoS, Version, Will},
    topic::TopicName,
};

/// Publishes because of everything that it is told, messages that it is told of again among it.
struct Echo;

impl Hooks for Echo {
    fn wants(&self) -> HookSet {
        HookSet::NOTICE
    }

    fn notice(&mut self, notice: &Notice<'_>, cx: &mut Context<'_>) {
        let what = match notice {
            Notice::Connected { .. } => "connected",
            Notice::SessionCreated { .. } => "session_created",
            Notice::SessionResumed { .. } => "session_resumed",
            Notice::Ended { .. } => "ended",
            Notice::SessionEnded { .. } => "session_ended",
            Notice::Subscribed { .. } => "subscribed",
            Notice::Unsubscribed { .. } => "unsubscribed",
            Notice::Delivered { .. } => "delivered",
            Notice::Acked { .. } => "acked",
            Notice::Stopped => "stopped",
            // A message of which is lost again for want of room.
            Notice::Dropped { .. } => "dropped",
        };
        let publication = Publication::new(format!("echo/{what}"), "x").qos(QoS::AtLeastOnce);
        let _ = cx.order(Command::Publish(Box::new(publication)));
    }
}

#[test]
fn u04_hooks_that_publish_because_of_what_they_cause_come_to_an_end() {
    const COMMANDS_MAX: u32 = 50;
    let limits = Limits {
        hook_commands_max: COMMANDS_MAX,
        inflight_max: 1,
        queue_messages_max: 1,
        ..Limits::default()
    };
    let mut world = World::with(
        Config {
            limits,
            ..Config::default()
        },
        HookChain::new().with(Echo),
    );
    let watcher = world.client("watcher");
    // Each message that it cannot have is reported, and the report is one more.
    world.send(watcher, &subscribe(["echo/#"], QoS::AtLeastOnce));
    let first = world.take(watcher);
    assert!(
        matches!(&first[..], [Got::SubAck(_), Got::Publish(m)] if m.topic == "echo/subscribed"),
        "{first:?}"
    );
    world.client("other");
    let dropped = world.statistics().messages_dropped[1];
    world.client("another");
    let dropped = world.statistics().messages_dropped[1] - dropped;
    assert!(
        dropped > 1 && dropped <= 4 * u64::from(COMMANDS_MAX),
        "{dropped} reports of reports"
    );
    world.send(watcher, &ClientPacket::PingReq);
    assert_eq!(world.take(watcher).last(), Some(&Got::PingResp));
}

#[test]
fn u10_what_the_program_publishes_retained_is_retained() {
    let mut world = World::new(Limits::default());
    let publication = Publication::new("t", "x").retained();
    let answer = world.order(Command::Publish(Box::new(publication)));
    assert_eq!(answer, Answer::Published { receivers: 0 });
    let late = world.client("late");
    world.send(late, &subscribe(["t"], QoS::AtMostOnce));
    let got = world.take(late);
    assert!(
        matches!(&got[..], [Got::SubAck(_), Got::Publish(m)] if m.retain && m.payload == b"x"),
        "{got:?}"
    );
}

#[test]
fn u23_wills_and_passwords_are_bytes() {
    let bytes: Vec<u8> = (0..=255).rev().collect();
    let section = packets::properties([]);
    for version in [Version::V31, Version::V311, Version::V5] {
        let mut world = World::new(Limits::default());
        let watcher = world.subscriber("watcher", "w", QoS::AtMostOnce);
        let (conn, _) = world.join(&Connect {
            version,
            username: Some("user"),
            password: Some(&bytes),
            will: Some(Will {
                topic: TopicName::parse("w").unwrap(),
                payload: &bytes,
                ..packets::will("w", &section)
            }),
            ..connect("client")
        });
        world.drop_connection(conn);
        assert_eq!(world.messages(watcher)[0].payload, bytes, "{version:?}");
    }
}

#[test]
fn u27_a_message_that_is_no_longer_awaited_gives_its_identifier_back_once() {
    let mut config = Config::compat();
    config.limits.awaiting_release_max = 2;
    config.limits.inflight_max = 4;
    let mut world = World::with(config, HookChain::new());
    let publisher = world.client("publisher");
    let (reader, _) = world.join(&connect_v311("reader", true));
    world.subscribe(reader, "t", QoS::ExactlyOnce);
    for round in 0..70_000_u32 {
        let payload = round.to_be_bytes();
        world.send(publisher, &publish("t", &payload, QoS::ExactlyOnce, 1));
        let messages = world.take(reader);
        let Some(Got::Publish(message)) = messages.first() else {
            panic!("round {round}: a PUBLISH was expected, not {messages:?}");
        };
        assert_eq!(message.payload, payload);
        // It never completes one.
        world.send(reader, &ack(ClientPacket::PubRec, message.id));
        assert_eq!(world.take(reader), [Got::PubRel(message.id)]);
        world.send(publisher, &ack(ClientPacket::PubRel, 1));
        world.take(publisher);
    }
    assert_eq!(world.statistics().messages_dropped, [0; 3]);
}
