//! Limits that nobody would choose. (A55)

use super::{
    packets::{self, ack, connect, connect_v311, properties, publish, resume, retained, subscribe},
    world::World,
};
use sanderling_core::{
    broker::{Command, Filters, NewSubscription, Publication},
    config::{Config, DeliveryMode, Limits, SharedStrategy},
    hooks::HookChain,
    packet::{ClientPacket, Property, QoS},
};
use std::time::Duration;

/// Sets one limit to a number.
type Set = fn(&mut Limits, u32);

/// Each limit, as far as its type goes.
const LIMITS: &[(&str, Set)] = &[
    ("connections_max", |l, n| l.connections_max = n),
    ("connect_deadline", |l, n| {
        l.connect_deadline = Duration::from_secs(n.into())
    }),
    ("proxy_deadline", |l, n| {
        l.proxy_deadline = Duration::from_secs(n.into())
    }),
    ("tls_deadline", |l, n| {
        l.tls_deadline = Duration::from_secs(n.into())
    }),
    ("upgrade_deadline", |l, n| {
        l.upgrade_deadline = Duration::from_secs(n.into())
    }),
    ("packet_deadline", |l, n| {
        l.packet_deadline = Duration::from_secs(n.into())
    }),
    ("output_deadline", |l, n| {
        l.output_deadline = Duration::from_secs(n.into())
    }),
    ("verdict_deadline", |l, n| {
        l.verdict_deadline = Duration::from_secs(n.into())
    }),
    ("authentication_steps_max", |l, n| {
        l.authentication_steps_max = n as u16
    }),
    ("connect_packet_bytes_max", |l, n| {
        l.connect_packet_bytes_max = n
    }),
    ("packet_bytes_max", |l, n| l.packet_bytes_max = n),
    ("client_id_bytes_max", |l, n| {
        l.client_id_bytes_max = n as u16
    }),
    ("topic_levels_max", |l, n| l.topic_levels_max = n as u16),
    ("sessions_max", |l, n| l.sessions_max = n),
    ("subscriptions_per_session_max", |l, n| {
        l.subscriptions_per_session_max = n
    }),
    ("receive_maximum", |l, n| l.receive_maximum = n as u16),
    ("topic_alias_maximum", |l, n| {
        l.topic_alias_maximum = n as u16
    }),
    ("topic_aliases_to_client_max", |l, n| {
        l.topic_aliases_to_client_max = n as u16
    }),
    ("inflight_bytes_max", |l, n| l.inflight_bytes_max = n.into()),
    ("subscription_bytes_per_session_max", |l, n| {
        l.subscription_bytes_per_session_max = n.into()
    }),
    ("inflight_max", |l, n| l.inflight_max = n as u16),
    ("awaiting_release_max", |l, n| {
        l.awaiting_release_max = n as u16
    }),
    ("queue_messages_max", |l, n| l.queue_messages_max = n),
    ("queue_bytes_max", |l, n| l.queue_bytes_max = n.into()),
    ("queue_bytes_total_max", |l, n| {
        l.queue_bytes_total_max = n.into()
    }),
    ("outbound_bytes_max", |l, n| l.outbound_bytes_max = n),
    ("answer_bytes_max", |l, n| l.answer_bytes_max = n),
    ("retained_messages_max", |l, n| l.retained_messages_max = n),
    ("retained_bytes_max", |l, n| l.retained_bytes_max = n.into()),
    ("hook_commands_max", |l, n| l.hook_commands_max = n),
    ("reserved_subscriptions_max", |l, n| {
        l.reserved_subscriptions_max = n
    }),
    ("replay_step_max", |l, n| l.replay_step_max = n),
];

/// Every limit is named once: its text form has as many fields. [§8]
#[test]
fn a55_every_limit_is_tried() {
    let fields = format!("{:#?}", Limits::default());
    let named = |line: &&str| line.starts_with("    ") && !line.starts_with("     ");
    let fields: Vec<_> = fields.lines().filter(named).collect();
    assert_eq!(fields.len(), LIMITS.len(), "{fields:#?}");
    for (name, _) in LIMITS {
        assert!(
            fields
                .iter()
                .any(|line| line.trim().starts_with(&format!("{name}:"))),
            "{name}"
        );
    }
}

/// [§8]
#[test]
fn a55_no_limit_at_its_end_stops_the_broker() {
    for (name, set) in LIMITS {
        for value in [0, 1, 2, u32::MAX] {
            let mut limits = Limits::default();
            set(&mut limits, value);
            println!("{name} = {value}");
            live(Config {
                limits,
                ..Config::default()
            });
        }
    }
}

#[test]
fn a55_all_limits_at_one_end_do_not_stop_the_broker() {
    for value in [0, 1, 2, u32::MAX] {
        for compat in [false, true] {
            let mut config = if compat {
                Config::compat()
            } else {
                Config::default()
            };
            for (_, set) in LIMITS {
                set(&mut config.limits, value);
            }
            config.delivery_mode = DeliveryMode::Overlap;
            config.shared_strategy = SharedStrategy::LeastLoaded;
            config.session_expiry_max_s = value;
            println!("everything = {value}, compat: {compat}");
            live(config);
        }
    }
}

/// Some of everything; whatever becomes of it, the broker goes on.
fn live(config: Config) {
    let mut world = World::with(config, HookChain::new());
    let section = properties([
        Property::SessionExpiryInterval(60),
        Property::TopicAliasMaximum(3),
    ]);
    let delay = properties([Property::WillDelayInterval(5)]);
    for _ in 0..3 {
        by_the_program(&mut world);
        let mut five = resume("five", &section);
        five.will = Some(packets::will("t/w", &delay));
        let five = world.begin(&five);
        let old = world.begin(&connect_v311("old", false));
        let third = world.begin(&connect("third"));
        for conn in [five, old, third] {
            world.send(
                conn,
                &subscribe(["t/#", "$share/g/t/+", "#"], QoS::ExactlyOnce),
            );
            for id in 1..=3 {
                world.send(conn, &publish("t/a", b"x", QoS::AtLeastOnce, id));
                world.send(conn, &publish("t/b", b"x", QoS::ExactlyOnce, id + 10));
                world.send(conn, &retained("t/c", b"x"));
            }
            world.send(conn, &ack(ClientPacket::PubAck, 1));
            world.send(conn, &ack(ClientPacket::PubRec, 2));
            world.send(conn, &ack(ClientPacket::PubRel, 11));
            world.send(conn, &ClientPacket::PingReq);
            world.take(conn);
        }
        world.stall(five);
        world.send(old, &publish("t/a", &[7; 3000], QoS::AtLeastOnce, 5));
        world.wait(Duration::from_secs(30));
        world.unstall(five);
        world.drop_connection(five);
        world.drop_connection(old);
        world.wait(Duration::from_secs(1));
        world.drop_connection(third);
    }
    world.wait(Duration::from_secs(3600));
    assert_eq!(world.statistics().connections_current, 0);
}

/// What the program around the broker may ask for.
fn by_the_program(world: &mut World) {
    let publication = || Box::new(Publication::new("t/a", "x").qos(QoS::AtLeastOnce));
    let all = || ["five", "old", "nobody"].into_iter();
    for client_id in all() {
        world.order(Command::Subscribe {
            client_id: client_id.into(),
            subscriptions: ["t/#", "$share/g/t/+", "t/p"]
                .map(|filter| NewSubscription::new(filter, QoS::ExactlyOnce))
                .to_vec(),
        });
        world.order(Command::PublishTo {
            client_id: client_id.into(),
            publication: publication(),
            matching: client_id == "five",
        });
        world.order(Command::Unsubscribe {
            client_id: client_id.into(),
            filters: Filters::These(vec!["t/p".into()]),
        });
    }
    world.order(Command::Publish(publication()));
    world.order(Command::Retain(publication()));
    world.order(Command::ClearRetained);
    world.order(Command::EndSession {
        client_id: "old".into(),
    });
    for client_id in all() {
        let client_id = client_id.into();
        let filters = Filters::All;
        world.order(Command::Unsubscribe { client_id, filters });
    }
}
