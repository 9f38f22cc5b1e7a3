//! Sessions that are stolen, fought over and left behind. (A18, A22, A41, A44, A47, I26)

use super::{
    got::Got,
    packets::{ack, connect, connect_v311, properties, publish, publish_with, resume},
    world::{AskAboutPublish, World},
};
use sanderling_core::{
    broker::Command,
    config::{Config, Limits},
    hooks::HookChain,
    packet::{ClientPacket, Disconnect, Properties, Property, QoS},
    reason::ReasonCode,
};
use std::{collections::BTreeSet, time::Duration};

#[test]
fn a22_of_2000_connections_with_one_identifier_one_is_left_and_no_message_is_lost() {
    const RIVALS: u16 = 2000;
    let mut world = World::new(Limits::default());
    let publisher = world.client("publisher");
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    let (mut owner, _) = world.join(&resume("prize", &hour));
    world.subscribe(owner, "t", QoS::AtLeastOnce);
    let mut seen = BTreeSet::new();
    for round in 1..=RIVALS {
        world.send(
            publisher,
            &publish("t", &round.to_be_bytes(), QoS::AtLeastOnce, round),
        );
        let (rival, session_present) = world.join(&resume("prize", &hour));
        assert!(session_present, "round {round}");
        let last = world.take(owner);
        assert_eq!(
            last.last(),
            Some(&Got::Disconnect(ReasonCode::SESSION_TAKEN_OVER))
        );
        assert!(world.is_closed(owner));
        owner = rival;
        // Every third owner has the time to acknowledge.
        if round % 3 == 0 {
            for message in world.messages(owner) {
                seen.insert(message.payload);
                world.send(owner, &ack(ClientPacket::PubAck, message.id));
            }
        }
    }
    for message in world.messages(owner) {
        seen.insert(message.payload);
    }
    assert_eq!(seen.len(), usize::from(RIVALS));
    assert_eq!(world.statistics().sessions_active_current, 2);
    assert_eq!(world.statistics().connections_current, 2);
}

#[test]
fn a22_of_those_who_want_the_session_of_a_connection_that_is_held_the_last_gets_it() {
    let mut world = World::with(Config::default(), HookChain::new().with(AskAboutPublish));
    world.never_drains = true;
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    let (owner, _) = world.join(&resume("prize", &hour));
    let waiting = world.begin(&resume("prize", &hour));
    assert_eq!(world.take(waiting), [], "the owner is not read yet");
    world.send(owner, &publish("t", b"?", QoS::AtLeastOnce, 1));
    let (last, session_present) = world.join(&connect("prize"));
    assert!(!session_present, "it wants a clean start");
    assert!(world.is_closed(owner) && world.is_closed(waiting));
    assert!(!world.is_closed(last));
    assert_eq!(world.statistics().sessions_active_current, 1);
}

#[test]
fn a22_who_waits_for_a_session_that_is_ended_from_outside_goes_as_well() {
    let mut world = World::new(Limits::default());
    world.never_drains = true;
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    let (owner, _) = world.join(&resume("prize", &hour));
    let waiting = world.begin(&resume("prize", &hour));
    assert_eq!(world.take(waiting), [], "the owner is not read yet");
    world.order(Command::EndSession {
        client_id: "prize".into(),
    });
    assert!(world.is_closed(owner) && world.is_closed(waiting));
    assert_eq!(world.statistics().sessions_active_current, 0);
    let (_, session_present) = world.join(&resume("prize", &hour));
    assert!(!session_present);
}

#[test]
fn a22_who_takes_a_session_over_while_its_backlog_drains_gets_the_rest() {
    const MESSAGES: u16 = 500;
    let mut world = World::new(Limits {
        inflight_max: 7,
        ..Limits::default()
    });
    let publisher = world.client("publisher");
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    let (mut owner, _) = world.join(&resume("away", &hour));
    world.subscribe(owner, "t", QoS::AtLeastOnce);
    world.drop_connection(owner);
    for id in 1..=MESSAGES {
        world.send(
            publisher,
            &publish("t", &id.to_be_bytes(), QoS::AtLeastOnce, id),
        );
    }
    let mut order = Vec::new();
    for round in 0.. {
        assert!(round < 1000, "the backlog never ends");
        owner = world.join(&resume("away", &hour)).0;
        // It acknowledges a few and is taken over in the middle.
        let waiting = world.messages(owner);
        if waiting.is_empty() {
            break;
        }
        for message in waiting.iter().take(3) {
            order.push(u16::from_be_bytes([message.payload[0], message.payload[1]]));
            world.send(owner, &ack(ClientPacket::PubAck, message.id));
        }
    }
    assert_eq!(order, (1..=MESSAGES).collect::<Vec<_>>());
}

#[test]
fn a41_aliases_end_with_their_connection() {
    let mut world = World::new(Limits::default());
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    let alias = properties([Property::TopicAlias(1)]);
    let watcher = world.subscriber("watcher", "#", QoS::AtMostOnce);
    let (conn, _) = world.join(&resume("client", &hour));
    world.send(conn, &publish_with("t", b"1", &alias));
    world.send(conn, &publish_with("", b"2", &alias));
    world.drop_connection(conn);
    let (conn, session_present) = world.join(&resume("client", &hour));
    assert!(session_present);
    world.send(conn, &publish_with("", b"3", &alias));
    let got = world.take(conn);
    assert!(
        matches!(got[..], [Got::Disconnect(reason)] if reason.is_error()),
        "{got:?}"
    );
    let topics: Vec<_> = world
        .messages(watcher)
        .into_iter()
        .map(|m| m.topic)
        .collect();
    assert_eq!(topics, ["t", "t"]);
}

#[test]
fn a41_an_acknowledged_message_sent_by_alias_survives_the_disconnect_of_both() {
    let mut world = World::new(Limits::default());
    let hour = properties([
        Property::SessionExpiryInterval(3600),
        Property::TopicAliasMaximum(5),
    ]);
    let (reader, _) = world.join(&resume("reader", &hour));
    world.subscribe(reader, "t", QoS::AtLeastOnce);
    world.drop_connection(reader);
    let publisher = world.client("publisher");
    let alias = properties([Property::TopicAlias(1)]);
    for (id, topic) in [(1, "t"), (2, "")] {
        let ClientPacket::Publish(mut message) = publish(topic, b"x", QoS::AtLeastOnce, id) else {
            unreachable!("it is one");
        };
        message.properties = alias.as_properties();
        world.send(publisher, &ClientPacket::Publish(message));
    }
    assert_eq!(world.take(publisher).len(), 2);
    world.drop_connection(publisher);
    for _ in 0..2 {
        // On each connection the first of them names the topic anew.
        let (reader, _) = world.join(&resume("reader", &hour));
        let messages = world.messages(reader);
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].topic, "t");
        world.drop_connection(reader);
    }
}

#[test]
fn a44_the_longest_expiry_interval_is_136_years_and_ends() {
    let years = 0xFFFF_FFFE;
    let config = Config {
        session_expiry_max_s: u32::MAX,
        ..Config::default()
    };
    let mut world = World::with(config, HookChain::new());
    // Late in the life of the broker, so that a sum in 32 bits would overflow.
    world.wait(Duration::from_secs(u32::MAX.into()));
    let long = properties([Property::SessionExpiryInterval(years)]);
    let (conn, _) = world.join(&resume("long", &long));
    world.drop_connection(conn);
    world.wait(Duration::from_secs(u64::from(years) - 1));
    assert_eq!(world.broker.view().sessions().count(), 1);
    world.wait(Duration::from_secs(1));
    assert_eq!(world.broker.view().sessions().count(), 0);
}

#[test]
fn a44_disconnect_may_raise_an_expiry_interval_to_the_cap_and_no_further() {
    let config = Config {
        session_expiry_max_s: 100,
        ..Config::default()
    };
    let mut world = World::with(config, HookChain::new());
    let (one, most) = (
        properties([Property::SessionExpiryInterval(1)]),
        properties([Property::SessionExpiryInterval(u32::MAX)]),
    );
    let conn = world.begin(&resume("client", &most));
    let told = world.next(conn);
    assert!(
        matches!(
            told,
            Some(Got::ConnAck {
                session_expiry_s: Some(100),
                ..
            })
        ),
        "{told:?}"
    );
    world.drop_connection(conn);
    let (conn, _) = world.join(&resume("client", &one));
    world.send(
        conn,
        &ClientPacket::Disconnect(Disconnect {
            reason: ReasonCode::SUCCESS,
            properties: most.as_properties(),
        }),
    );
    assert_eq!(world.take(conn), []);
    world.wait(Duration::from_secs(99));
    assert_eq!(world.broker.view().sessions().count(), 1);
    world.wait(Duration::from_secs(1));
    assert_eq!(world.broker.view().sessions().count(), 0);
}

#[test]
fn a47_abandoned_sessions_are_bounded_and_do_not_lock_out_who_has_one() {
    const MAX: u32 = 1000;
    let mut world = World::new(Limits {
        sessions_max: MAX,
        ..Limits::default()
    });
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    for number in 0..3 * MAX {
        let conn = world.begin(&resume(&number.to_string(), &hour));
        let got = world.next(conn);
        let is_in = matches!(
            got,
            Some(Got::ConnAck {
                reason: ReasonCode::SUCCESS,
                ..
            })
        );
        assert_eq!(is_in, number < MAX, "{number}: {got:?}");
        world.drop_connection(conn);
    }
    assert_eq!(world.statistics().sessions_inactive_current, MAX);
    assert!(world.join(&resume("0", &hour)).1);
    world.wait(Duration::from_secs(3600));
    assert_eq!(world.broker.view().sessions().count(), 1);
    world.client("new");
}

#[test]
fn a67_two_takeovers_in_one_breath_go_on_with_pubrel() {
    let mut world = World::new(Limits::default());
    let publisher = world.client("publisher");
    let (reader, _) = world.join(&connect_v311("reader", false));
    world.subscribe(reader, "t", QoS::ExactlyOnce);
    world.send(publisher, &publish("t", b"x", QoS::ExactlyOnce, 1));
    let id = world.messages(reader)[0].id;
    world.send(reader, &ack(ClientPacket::PubRec, id));
    assert_eq!(world.take(reader), [Got::PubRel(id)]);
    let first = world.begin(&connect_v311("reader", false));
    let second = world.begin(&connect_v311("reader", false));
    for conn in [first, second] {
        let got = world.take(conn);
        assert!(
            matches!(
                got[..],
                [
                    Got::ConnAck {
                        session_present: true,
                        ..
                    },
                    Got::PubRel(_)
                ]
            ),
            "{got:?}"
        );
    }
    world.send(second, &ack(ClientPacket::PubComp, id));
    let third = world.begin(&connect_v311("reader", false));
    assert_eq!(world.take(third).len(), 1, "nothing is owed any more");
}

#[test]
fn a18_a_refused_connect_changes_nothing_that_can_be_seen() {
    let mut world = World::new(Limits {
        client_id_bytes_max: 8,
        ..Limits::default()
    });
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    let (owner, _) = world.join(&resume("owner", &hour));
    world.subscribe(owner, "t", QoS::AtLeastOnce);
    let before: Vec<_> = world
        .broker
        .view()
        .sessions()
        .map(|(id, on)| (id.to_owned(), on))
        .collect();
    let method = properties([Property::AuthenticationMethod("NONE")]);
    let none = Properties::EMPTY;
    for (client_id, properties) in [("owner", method.as_properties()), ("123456789", none)] {
        let mut connect = connect(client_id);
        connect.properties = properties;
        let conn = world.begin(&connect);
        assert!(world.is_closed(conn));
    }
    let after: Vec<_> = world
        .broker
        .view()
        .sessions()
        .map(|(id, on)| (id.to_owned(), on))
        .collect();
    assert_eq!(before, after);
    let publisher = world.client("pub");
    world.send(publisher, &publish("t", b"x", QoS::AtLeastOnce, 1));
    assert_eq!(world.messages(owner).len(), 1);
}

#[test]
fn a35_a_repeat_on_another_connection_is_no_new_message() {
    let mut world = World::new(Limits::default());
    let watcher = world.subscriber("watcher", "t", QoS::AtMostOnce);
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    let (mut conn, _) = world.join(&resume("client", &hour));
    for round in 0..10 {
        let ClientPacket::Publish(mut message) = publish("t", b"x", QoS::ExactlyOnce, 1) else {
            unreachable!("it is one");
        };
        message.dup = round > 0;
        for _ in 0..3 {
            world.send(conn, &ClientPacket::Publish(message.clone()));
            assert_eq!(world.take(conn), [Got::PubRec(1, ReasonCode::SUCCESS)]);
            message.dup = true;
        }
        conn = world.join(&resume("client", &hour)).0;
    }
    world.send(conn, &ack(ClientPacket::PubRel, 1));
    assert_eq!(world.take(conn), [Got::PubComp(1)]);
    assert_eq!(world.messages(watcher).len(), 1);
    // The identifier is free: what comes now is a message of its own, whatever DUP says.
    world.send(conn, &publish("t", b"y", QoS::ExactlyOnce, 1));
    assert_eq!(world.messages(watcher).len(), 1);
}
