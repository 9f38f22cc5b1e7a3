//! What a view shows in pieces is whole, whatever changes between two looks.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use sanderling_core::{
    broker::{Actions, Broker, Command, Event, Link, NewSubscription, Publication, Seed, Stage},
    config::Config,
    hooks::HookChain,
    id::{ConnId, RequestId},
    packet::{Ack, ClientPacket, Connect, PacketId, PropertiesBuf, Property, QoS, Version},
    time::{Instant, WallClock},
};

struct World {
    broker: Broker,
    actions: Actions,
    now: Instant,
}

impl World {
    fn new() -> Self {
        let wall = WallClock(1_000_000);
        let (config, chain) = (Config::default(), HookChain::new());
        Self {
            broker: Broker::new(config, chain, Seed([1; 32]), Instant::ORIGIN, wall),
            actions: Actions::new(),
            now: Instant::ORIGIN,
        }
    }

    fn tell(&mut self, event: Event<'_>) {
        let _ = self.broker.handle(self.now, event, &mut self.actions);
        self.actions.clear();
    }

    fn receive(&mut self, conn: ConnId, packet: ClientPacket<'_>) {
        self.tell(Event::Received {
            conn,
            packet,
            bytes: 1,
        });
    }

    fn order(&mut self, command: Command) {
        let request = RequestId(0);
        self.tell(Event::Ordered { request, command });
    }

    /// A client of MQTT 5.0 whose session outlives its connection, and takes two messages at a time.
    fn connect(&mut self, slot: u32, client_id: &str) -> ConnId {
        let conn = ConnId {
            slot,
            generation: 0,
        };
        let link = Link::new(3, None, [slot as u8; 16]);
        let stage = Stage::Connect;
        self.tell(Event::Opened { conn, link, stage });
        let mut properties = PropertiesBuf::new();
        for property in [
            Property::SessionExpiryInterval(60),
            Property::ReceiveMaximum(2),
        ] {
            properties.push(property).unwrap();
        }
        let connect = Connect {
            version: Version::V5,
            client_id,
            clean_start: true,
            keep_alive_s: 0,
            username: None,
            password: None,
            will: None,
            properties: properties.as_properties(),
        };
        self.receive(conn, ClientPacket::Connect(Box::new(connect)));
        conn
    }

    fn subscribe(&mut self, client_id: &str, filters: &[&str]) {
        let make = |filter: &&str| NewSubscription::new(*filter, QoS::AtLeastOnce);
        self.order(Command::Subscribe {
            client_id: client_id.into(),
            subscriptions: filters.iter().map(make).collect(),
        });
    }

    fn publish(&mut self, topic: &str, expiry_s: u32) {
        let mut properties = PropertiesBuf::new();
        let property = Property::MessageExpiryInterval(expiry_s);
        properties.push(property).unwrap();
        let publication = Publication {
            properties,
            ..Publication::new(topic, "payload").qos(QoS::AtLeastOnce)
        };
        self.order(Command::Publish(Box::new(publication)));
    }
}

#[test]
fn messages_in_flight_and_queued_are_walked_in_pieces() {
    let mut world = World::new();
    let conn = world.connect(0, "c");
    world.subscribe("c", &["#"]);
    for topic in ["1", "2", "3", "4", "5"] {
        world.publish(topic, 100);
    }
    world.now = Instant::from_millis(40_000);
    world.tell(Event::TimerFired);
    let id = |number| PacketId::new(number).unwrap();
    {
        let session = world.broker.view().session("c").unwrap();
        let inflight: Vec<_> = session.inflight().map(|one| one.topic).collect();
        assert_eq!(inflight, ["1", "2"]);
        let rest: Vec<_> = session.inflight_after(id(1)).map(|one| one.topic).collect();
        assert_eq!(rest, ["2"]);
        let queue: Vec<_> = session.queue_after(0).take(2).collect();
        assert_eq!(queue[1].1.topic, "4");
        assert_eq!(queue[1].1.expires_in_s, Some(60), "counted from now");
        let (last, _) = queue[1];
        let rest: Vec<_> = session
            .queue_after(last)
            .map(|(_, one)| one.topic)
            .collect();
        assert_eq!(rest, ["5"]);
    }
    let packet_id = id(1);
    world.receive(conn, ClientPacket::PubAck(Ack::success(packet_id)));
    let session = world.broker.view().session("c").unwrap();
    let all: Vec<_> = session.inflight_after(packet_id).collect();
    let topics: Vec<_> = all.iter().map(|one| one.topic).collect();
    assert_eq!(topics, ["2", "3"], "what is gone hides nothing");
    assert_eq!(all[1].packet_id, Some(3));
}

#[test]
fn filters_in_use_are_walked_with_their_subscribers() {
    let mut world = World::new();
    world.connect(0, "a");
    world.connect(1, "b");
    world.subscribe(
        "a",
        &["x/+", "x/#", "$share/g/x/+", "long enough a level/y"],
    );
    world.subscribe("b", &["x/+", "$share/g/x/+", "$share/h/z"]);
    let view = world.broker.view();
    let mut filters: Vec<_> = view.filters_from(0).map(|(_, text, n)| (text, n)).collect();
    filters.sort();
    let expected = [("long enough a level/y", 1), ("x/#", 1), ("x/+", 2)];
    assert!(filters.iter().map(|(text, n)| (&**text, *n)).eq(expected));
    let shared: Vec<_> = view.shared_after(None).collect();
    assert_eq!(shared, [("$share/g/x/+", 2), ("$share/h/z", 1)]);
    assert_eq!(view.shared_after(Some("$share/g/x/+")).count(), 1);
    let session = view.session("a").unwrap();
    let rest: Vec<_> = session.subscriptions_after(Some("x/#")).collect();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].filter, "x/+");
    assert!(session.subscription("x/+").is_some() && session.subscription("z").is_none());
}

#[test]
fn s11_what_waits_for_a_client_is_shown() {
    let mut world = World::new();
    world.now = Instant::from_millis(5000);
    world.subscribe("away", &["b", "a"]);
    let view = world.broker.view();
    let waiting: Vec<_> = view.reserved_after("away", None).collect();
    assert_eq!((waiting[0].filter, waiting[1].filter), ("a", "b"));
    assert_eq!(waiting[0].at, WallClock(1_005_000));
    assert_eq!(view.reserved_after("away", Some("a")).count(), 1);
    assert_eq!(view.reserved_after("nobody", None).count(), 0);
    world.connect(0, "away");
    let view = world.broker.view();
    assert_eq!(view.reserved_after("away", None).count(), 0);
    assert_eq!(view.session("away").unwrap().subscriptions().len(), 2);
}

#[test]
fn connections_are_counted_by_listener_and_the_end_shows() {
    let mut world = World::new();
    world.connect(0, "c");
    let view = world.broker.view();
    assert_eq!((view.connections_of(3), view.connections_of(0)), (1, 0));
    assert!(!view.is_draining());
    world.order(Command::Drain);
    assert!(world.broker.view().is_draining());
}

#[test]
fn beyond_the_last_number_there_is_nothing() {
    let mut world = World::new();
    world.connect(0, "c");
    world.subscribe("c", &["a"]);
    let view = world.broker.view();
    for from in [u32::MAX - 1, u32::MAX] {
        assert_eq!(view.sessions_from(from).count(), 0);
        assert_eq!(view.filters_from(from).count(), 0);
    }
}
