//! What hooks refuse stays refused on every way. (A15, A28, A30, A31)

use super::{
    got::Got,
    packets::{self, ack, connect, properties, publish},
    world::World,
};
use sanderling_core::{
    broker::Link,
    config::Config,
    hooks::{
        AuthRuling, AuthStep, Client, Context, Draft, HookChain, HookSet, Hooks, Ruling,
        SubscribeRequest,
    },
    packet::{ClientPacket, Connect, Property, QoS},
    reason::ReasonCode,
};

/// Refuses what it is told to, and knows one authentication method.
struct Guard {
    client_id: &'static str,
    subscribing: &'static str,
    publishing: &'static str,
}

const NOTHING: Guard = Guard {
    client_id: "-",
    subscribing: "-",
    publishing: "-",
};

impl Hooks for Guard {
    fn wants(&self) -> HookSet {
        HookSet::CONNECT | HookSet::SUBSCRIBE | HookSet::PUBLISH | HookSet::AUTHENTICATE
    }

    fn connect(&mut self, _: &Link, connect: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        self.rule(connect.client_id == self.client_id)
    }

    fn authenticate(&mut self, _: &Link, step: &AuthStep<'_>, _: &mut Context<'_>) -> AuthRuling {
        match step.method {
            "ANY" => AuthRuling::Succeed(None),
            _ => AuthRuling::UnknownMethod,
        }
    }

    fn subscribe(
        &mut self,
        _: &Client<'_>,
        requests: &mut [SubscribeRequest<'_>],
        _: &mut Context<'_>,
    ) -> Ruling {
        for request in requests {
            if request.entry.filter.path() == self.subscribing {
                request.granted = Err(ReasonCode::NOT_AUTHORIZED);
            }
        }
        Ruling::Permit
    }

    fn publish(&mut self, _: &Client<'_>, publish: &mut Draft<'_>, _: &mut Context<'_>) -> Ruling {
        self.rule(publish.topic() == self.publishing)
    }
}

impl Guard {
    fn rule(&self, is_refused: bool) -> Ruling {
        match is_refused {
            true => Ruling::Refuse(ReasonCode::NOT_AUTHORIZED),
            false => Ruling::Permit,
        }
    }
}

fn guarded(guard: Guard) -> World {
    World::with(Config::default(), HookChain::new().with(guard))
}

#[test]
fn a15_enhanced_authentication_is_no_way_around_the_connect_hook() {
    let mut world = guarded(Guard {
        client_id: "banned",
        ..NOTHING
    });
    let method = properties([Property::AuthenticationMethod("ANY")]);
    for (client_id, reason) in [
        ("banned", ReasonCode::NOT_AUTHORIZED),
        ("welcome", ReasonCode::SUCCESS),
    ] {
        let conn = world.begin(&Connect {
            properties: method.as_properties(),
            ..connect(client_id)
        });
        let got = world.next(conn);
        assert!(
            matches!(got, Some(Got::ConnAck { reason: r, .. }) if r == reason),
            "{got:?}"
        );
    }
    let sessions: Vec<_> = world.broker.view().sessions().collect();
    assert_eq!(sessions, [("welcome", true)]);
}

#[test]
fn a28_a_share_is_no_way_around_a_refused_filter_and_leaves_nothing() {
    let mut world = guarded(Guard {
        subscribing: "secret",
        ..NOTHING
    });
    let conn = world.client("attacker");
    world.send(
        conn,
        &packets::subscribe(["secret", "$share/g/secret"], QoS::AtLeastOnce),
    );
    let refused = ReasonCode::NOT_AUTHORIZED.0;
    assert_eq!(world.take(conn), [Got::SubAck(vec![refused, refused])]);
    assert_eq!(world.statistics().subscriptions_current, 0);
    let publisher = world.client("publisher");
    world.send(publisher, &publish("secret", b"x", QoS::AtLeastOnce, 1));
    assert_eq!(world.statistics().messages_sent, [0; 3]);
    assert_eq!(world.take(conn), []);
}

#[test]
fn a28_a_share_of_everything_does_not_get_what_begins_with_a_dollar() {
    let mut world = guarded(NOTHING);
    let conn = world.subscriber("attacker", "$share/g/#", QoS::AtMostOnce);
    let publisher = world.client("publisher");
    world.send(publisher, &publish("$other/a", b"x", QoS::AtMostOnce, 0));
    world.order(sanderling_core::broker::Command::Publish(Box::new(
        sanderling_core::broker::Publication::new("$SYS/broker/uptime", "1"),
    )));
    assert_eq!(world.messages(conn), []);
}

#[test]
fn a30_no_way_of_writing_leads_to_the_topics_of_the_server() {
    let mut world = guarded(NOTHING);
    let watcher = world.subscriber("watcher", "$SYS/#", QoS::AtMostOnce);
    world.subscribe(watcher, "$CONTROL/#", QoS::AtMostOnce);
    for topic in ["$SYS", "$SYS/", "$CONTROL", "$SYS/x", "$CONTROL/x"] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let conn = world.client("attacker");
            world.send(conn, &publish(topic, b"x", qos, 1));
            world.send(conn, &packets::retained(topic, b"x"));
            let alias = properties([Property::TopicAlias(1)]);
            world.send(conn, &packets::publish_with(topic, b"x", &alias));
            world.send(conn, &packets::publish_with("", b"x", &alias));
            world.drop_connection(conn);
        }
    }
    assert_eq!(world.messages(watcher), []);
    assert_eq!(world.statistics().retained_current, 0);
}

#[test]
fn a31_what_was_refused_is_not_handed_on_when_it_is_released() {
    let mut world = guarded(Guard {
        publishing: "secret",
        ..NOTHING
    });
    let watcher = world.subscriber("watcher", "#", QoS::AtMostOnce);
    let conn = world.client("attacker");
    world.send(conn, &publish("secret", b"x", QoS::ExactlyOnce, 1));
    world.send(conn, &ack(ClientPacket::PubRel, 1));
    assert!(matches!(
        world.take(conn)[..],
        [Got::PubRec(1, ReasonCode::NOT_AUTHORIZED), Got::PubComp(1)]
    ));
    assert_eq!(world.messages(watcher), []);
}

#[test]
fn a31_a_release_hands_on_nothing_it_was_done_at_the_publish() {
    let mut world = guarded(NOTHING);
    let watcher = world.subscriber("watcher", "#", QoS::AtMostOnce);
    let (conn, _) = world.join(&packets::connect_v311("client", false));
    world.send(conn, &publish("t", b"x", QoS::ExactlyOnce, 1));
    assert_eq!(world.messages(watcher).len(), 1);
    world.drop_connection(conn);
    let (conn, session_present) = world.join(&packets::connect_v311("client", false));
    assert!(session_present);
    world.send(conn, &ack(ClientPacket::PubRel, 1));
    assert_eq!(world.take(conn), [Got::PubComp(1)]);
    assert_eq!(world.messages(watcher), []);
}
