//! Hooks that use the broker from inside every call: whatever they order and look at, nothing stops. (U04)

use super::{
    packets::{
        ack, connect, connect_v311, properties, publish, resume, retained, subscribe, unsubscribe,
    },
    world::World,
};
use sanderling_core::{
    broker::{Command, Filters, Link, NewSubscription, Publication},
    config::{Config, Limits},
    hooks::{
        AuthRuling, AuthStep, Client, Context, Draft, HookChain, HookSet, Hooks, Notice, Ruling,
        SubscribeRequest,
    },
    packet::{ClientPacket, Connect, Property, QoS},
    reason::ReasonCode,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const CLIENTS: [&str; 3] = ["one", "two", "old"];

/// Orders one thing more in each call, of everything that there is to order.
struct Meddling {
    calls: Calls,
    rate: u64,
}

/// How often hooks were called.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicU64>);

impl Calls {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

fn order(number: u64) -> Command {
    let client_id = || CLIENTS[(number / 12) as usize % 3].into();
    let publication = || Publication::new("t/a", "meddled").qos(QoS::ExactlyOnce);
    match number % 12 {
        0 => Command::Publish(Box::new(publication())),
        1 => Command::Publish(Box::new(publication().retained())),
        2 | 3 => Command::PublishTo {
            client_id: client_id(),
            publication: Box::new(publication()),
            matching: number % 12 == 2,
        },
        4 => Command::Subscribe {
            client_id: client_id(),
            subscriptions: ["t/#", "$share/g/t/a"]
                .map(|filter| NewSubscription::new(filter, QoS::AtLeastOnce))
                .to_vec(),
        },
        5 => Command::Unsubscribe {
            client_id: client_id(),
            filters: Filters::All,
        },
        6 => Command::Unsubscribe {
            client_id: client_id(),
            filters: Filters::These(vec!["t/#".into()]),
        },
        7 => Command::Retain(Box::new(publication())),
        8 => Command::ClearRetained,
        9 => Command::Close {
            client_id: client_id(),
            reason: ReasonCode::USE_ANOTHER_SERVER,
        },
        10 => Command::EndSession {
            client_id: client_id(),
        },
        _ => Command::Statistics,
    }
}

impl Meddling {
    fn meddle(&mut self, cx: &mut Context<'_>) {
        let number = self.calls.next();
        *cx.data.get_or_insert_with(|| 0_u64) += 1;
        let seen: usize = CLIENTS
            .iter()
            .filter_map(|client_id| cx.view.session(client_id))
            .map(|session| session.inflight().count() + session.queue_len())
            .sum();
        let matching = cx.view.subscriptions_to("t/a").len();
        let exact = cx.view.subscribers("$share/g/t/a").len();
        let retained = cx.view.retained_after(None).count();
        assert!(seen < 10_000 && matching <= 3 && exact <= 3 && retained < 10);
        assert_eq!(cx.view.sessions_from(0).count(), cx.view.sessions_len());
        if number.is_multiple_of(self.rate) {
            // More than may wait is given back.
            let _ = cx.order(order(number / self.rate));
        }
    }
}

impl Hooks for Meddling {
    fn wants(&self) -> HookSet {
        let asked = HookSet::ACCEPT | HookSet::CONNECT | HookSet::AUTHENTICATE;
        let asked = asked | HookSet::SUBSCRIBE | HookSet::PUBLISH;
        asked | HookSet::NOTICE | HookSet::DELIVERED | HookSet::ACKED
    }

    fn accept(&mut self, _: &Link, cx: &mut Context<'_>) -> bool {
        self.meddle(cx);
        true
    }

    fn connect(&mut self, _: &Link, _: &Connect<'_>, cx: &mut Context<'_>) -> Ruling {
        self.meddle(cx);
        Ruling::Permit
    }

    fn authenticate(&mut self, _: &Link, _: &AuthStep<'_>, cx: &mut Context<'_>) -> AuthRuling {
        self.meddle(cx);
        AuthRuling::Succeed(None)
    }

    fn subscribe(
        &mut self,
        _: &Client<'_>,
        _: &mut [SubscribeRequest<'_>],
        cx: &mut Context<'_>,
    ) -> Ruling {
        self.meddle(cx);
        Ruling::Permit
    }

    fn publish(&mut self, _: &Client<'_>, _: &mut Draft<'_>, cx: &mut Context<'_>) -> Ruling {
        self.meddle(cx);
        Ruling::Permit
    }

    fn notice(&mut self, _: &Notice<'_>, cx: &mut Context<'_>) {
        self.meddle(cx);
    }
}

/// [§6]
#[test]
fn u04_every_order_may_be_given_from_every_hook() {
    for rate in [1, 2, 3, 5, 7, 11, 101] {
        let calls = Calls::default();
        let hooks = Meddling {
            calls: calls.clone(),
            rate,
        };
        let limits = Limits {
            hook_commands_max: 20,
            inflight_max: 3,
            queue_messages_max: 4,
            ..Limits::default()
        };
        let config = Config {
            limits,
            ..Config::default()
        };
        let mut world = World::with(config, HookChain::new().with(hooks));
        for round in 0..20 {
            live(&mut world, round);
        }
        assert!(calls.next() > 500, "hooks were called");
        world.order(Command::Drain);
        let statistics = world.statistics();
        assert_eq!(
            statistics.clients_connected,
            statistics.clients_disconnected
        );
        assert_eq!(statistics.sessions_active_current, 0);
    }
}

/// Orders one thing because of another.
struct Chained {
    given_back: Arc<AtomicU64>,
}

impl Hooks for Chained {
    fn wants(&self) -> HookSet {
        HookSet::NOTICE
    }

    fn notice(&mut self, notice: &Notice<'_>, cx: &mut Context<'_>) {
        let order = match *notice {
            Notice::SessionEnded { session, .. } => match session.client_id() {
                "one" => Command::EndSession {
                    client_id: "two".into(),
                },
                _ => Command::Publish(Box::new(Publication::new("ends", "both"))),
            },
            _ => return,
        };
        if cx.order(order).is_err() {
            self.given_back.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn u04_what_hooks_order_beyond_the_bound_of_an_event_is_given_back_and_nothing_waits() {
    let limits = Limits {
        hook_commands_max: 1,
        ..Limits::default()
    };
    let config = Config {
        limits,
        ..Config::default()
    };
    let given_back = Arc::new(AtomicU64::new(0));
    let hooks = Chained {
        given_back: Arc::clone(&given_back),
    };
    let mut world = World::with(config, HookChain::new().with(hooks));
    let watcher = world.subscriber("watcher", "ends", QoS::AtMostOnce);
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    for client_id in ["one", "two"] {
        let (away, _) = world.join(&resume(client_id, &hour));
        world.drop_connection(away);
    }
    world.order(Command::EndSession {
        client_id: "one".into(),
    });
    assert_eq!(
        world.statistics().sessions_active_current,
        1,
        "the watcher's"
    );
    assert_eq!(given_back.load(Ordering::Relaxed), 1);
    world.wait(Duration::from_secs(60));
    assert_eq!(world.messages(watcher), []);
}

/// Clients that may be closed at any moment do what clients do.
fn live(world: &mut World, round: u16) {
    let method = properties([
        Property::AuthenticationMethod("any"),
        Property::SessionExpiryInterval(30),
    ]);
    let one = Connect {
        properties: (&method).into(),
        clean_start: round.is_multiple_of(3),
        ..connect("one")
    };
    let connects = [one, connect("two"), connect_v311("old", false)];
    let conns: Vec<_> = connects
        .iter()
        .map(|connect| world.begin(connect))
        .collect();
    let say = |world: &mut World, packet: &ClientPacket<'_>| {
        for &conn in &conns {
            if !world.is_closed(conn) {
                world.send(conn, packet);
            }
        }
    };
    say(world, &subscribe(["t/#", "$share/g/t/a"], QoS::ExactlyOnce));
    say(world, &publish("t/a", b"x", QoS::AtLeastOnce, 1));
    say(world, &publish("t/a", b"x", QoS::ExactlyOnce, 2));
    say(world, &ack(ClientPacket::PubRel, 2));
    say(world, &retained("t/a", b"kept"));
    for id in 1..=3 {
        say(world, &ack(ClientPacket::PubRec, id));
        say(world, &ack(ClientPacket::PubComp, id));
    }
    say(world, &unsubscribe(["t/#"]));
    world.wait(Duration::from_secs(20));
    for &conn in &conns {
        if !world.is_closed(conn) {
            world.drop_connection(conn);
        }
    }
}
