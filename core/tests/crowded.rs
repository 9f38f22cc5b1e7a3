//! One message that has a form of its own for each of very many receivers does not make one event grow without bound.

use sanderling_core::{
    broker::{Action, Actions, Broker, CloseCause, Event, Link, Seed, Stage},
    codec,
    config::Config,
    hooks::HookChain,
    id::ConnId,
    packet::{
        ClientPacket, Connect, PacketId, Properties, PropertiesBuf, Property, Publish, QoS,
        Subscribe, SubscribeEntry, SubscribeOptions, Version,
    },
    time::{Instant, WallClock},
    topic::TopicFilter,
};
use std::collections::HashMap;

const RECEIVERS: u32 = 60;
const ARENA_BYTES_MAX: usize = 18 << 20;

struct World {
    broker: Broker,
    actions: Actions,
    received: HashMap<ConnId, usize>,
}

impl World {
    fn tell(&mut self, event: Event<'_>) {
        let _ = self
            .broker
            .handle(Instant::ORIGIN, event, &mut self.actions);
        let mut arena_bytes = 0;
        let mut flushed: HashMap<ConnId, u32> = HashMap::new();
        for action in self.actions.list() {
            match action {
                Action::Send { conn, frame } => {
                    *flushed.entry(*conn).or_default() += frame.arena_len()
                }
                Action::Deliver { frame, targets, .. } => {
                    arena_bytes += self.actions.bytes(*frame).len();
                    for target in self.actions.targets(*targets) {
                        *self.received.entry(target.conn).or_default() += 1;
                        *flushed.entry(target.conn).or_default() += frame.arena_len();
                    }
                }
                _ => {}
            }
        }
        assert!(
            arena_bytes <= ARENA_BYTES_MAX,
            "{arena_bytes} bytes in one event"
        );
        self.actions.clear();
        let mut flushed: Vec<_> = flushed.into_iter().collect();
        flushed.sort();
        for (conn, bytes) in flushed {
            self.tell(Event::Flushed { conn, bytes });
        }
    }

    fn new(config: Config) -> Self {
        let (seed, now) = (Seed([1; 32]), Instant::ORIGIN);
        Self {
            broker: Broker::new(config, HookChain::new(), seed, now, WallClock(0)),
            actions: Actions::new(),
            received: HashMap::new(),
        }
    }

    fn open(&mut self, slot: u32) -> ConnId {
        let generation = 0;
        let conn = ConnId { slot, generation };
        let link = Link::new(0, None, [0; 16]);
        let stage = Stage::Connect;
        self.tell(Event::Opened { conn, link, stage });
        conn
    }

    fn connect(&mut self, conn: ConnId, client_id: &str, properties: Properties<'_>) {
        let connect = Connect {
            version: Version::V5,
            client_id,
            clean_start: false,
            keep_alive_s: 0,
            username: None,
            password: None,
            will: None,
            properties,
        };
        self.receive(conn, ClientPacket::Connect(Box::new(connect)));
    }

    fn subscribe(&mut self, conn: ConnId, qos: QoS, properties: Properties<'_>) {
        let options = SubscribeOptions {
            qos,
            ..SubscribeOptions::default()
        };
        let filter = TopicFilter::parse("t").expect("one that is legal");
        let subscribe = Subscribe {
            packet_id: PacketId::MIN,
            entries: vec![SubscribeEntry { filter, options }],
            properties,
        };
        self.receive(conn, ClientPacket::Subscribe(Box::new(subscribe)));
    }

    fn receive(&mut self, conn: ConnId, packet: ClientPacket<'_>) {
        self.tell(Event::Received {
            conn,
            packet,
            bytes: 1,
        });
    }
}

fn publish(qos: QoS, properties: &PropertiesBuf) -> Publish<'_> {
    Publish {
        topic: "t",
        payload: b"x",
        qos,
        retain: false,
        dup: false,
        packet_id: None,
        properties: properties.as_properties(),
    }
}

/// Properties of about 900,000 bytes.
fn large(value: &str) -> PropertiesBuf {
    let mut properties = PropertiesBuf::new();
    for _ in 0..15 {
        properties
            .push(Property::UserProperty("k", value))
            .expect("one that is legal");
    }
    properties
}

#[test]
fn a46_who_comes_back_to_a_long_queue_gets_it_in_steps() {
    const MESSAGES: u16 = 60;
    let mut config = Config::default();
    config.limits.outbound_bytes_max = u32::MAX;
    let mut world = World::new(config);
    let (publisher, reader) = (world.open(0), world.open(1));
    let mut hour = PropertiesBuf::new();
    hour.push(Property::SessionExpiryInterval(3600)).unwrap();
    world.connect(publisher, "publisher", Properties::EMPTY);
    world.connect(reader, "reader", hour.as_properties());
    world.subscribe(reader, QoS::AtLeastOnce, Properties::EMPTY);
    world.tell(Event::Closed {
        conn: reader,
        cause: CloseCause::Failed,
    });
    let value = "v".repeat(60_000);
    let properties = large(&value);
    for id in 1..=MESSAGES {
        let mut publish = publish(QoS::AtLeastOnce, &properties);
        publish.packet_id = PacketId::new(id);
        world.receive(publisher, ClientPacket::Publish(publish));
    }
    let again = world.open(2);
    world.connect(again, "reader", hour.as_properties());
    for _ in 0..10 {
        world.tell(Event::TimerFired);
    }
    assert_eq!(world.received[&again], usize::from(MESSAGES));
}

#[test]
fn a46_forms_without_number_are_made_in_steps_and_none_is_lost() {
    let mut world = World::new(Config::default());
    for slot in 0..=RECEIVERS {
        let conn = world.open(slot);
        world.connect(conn, &slot.to_string(), Properties::EMPTY);
        if slot == 0 {
            continue;
        }
        // A subscription identifier of its own makes a form of its own.
        let mut properties = PropertiesBuf::new();
        properties
            .push(Property::SubscriptionIdentifier(slot))
            .unwrap();
        world.subscribe(conn, QoS::AtMostOnce, properties.as_properties());
    }
    let value = "v".repeat(60_000);
    let properties = large(&value);
    let publish = publish(QoS::AtMostOnce, &properties);
    assert!(
        codec::publish_len(&codec::PublishForm {
            version: Version::V5,
            topic: publish.topic,
            payload: publish.payload,
            payload_bytes: 1,
            qos: publish.qos,
            retain: false,
            dup: false,
            packet_id: None,
            properties: publish.properties,
            message_expiry_interval: None,
            subscription_identifiers: &[],
            topic_alias: None,
        }) > 900_000
    );
    world.receive(
        ConnId {
            slot: 0,
            generation: 0,
        },
        ClientPacket::Publish(publish),
    );
    for _ in 0..10 {
        world.tell(Event::TimerFired);
    }
    assert_eq!(world.received.len(), RECEIVERS as usize);
    assert!(world.received.values().all(|&count| count == 1));
}
