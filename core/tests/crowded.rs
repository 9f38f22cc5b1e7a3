//! One message that has a form of its own for each of very many receivers does not make one event grow without bound.

use sanderling_core::{
    broker::{Action, Actions, Broker, Event, Link, Seed, Stage},
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

    fn receive(&mut self, conn: ConnId, packet: ClientPacket<'_>) {
        self.tell(Event::Received {
            conn,
            packet,
            bytes: 1,
        });
    }
}

#[test]
fn a46_forms_without_number_are_made_in_steps_and_none_is_lost() {
    let chain = HookChain::new();
    let broker = Broker::new(
        Config::default(),
        chain,
        Seed([1; 32]),
        Instant::ORIGIN,
        WallClock(0),
    );
    let mut world = World {
        broker,
        actions: Actions::new(),
        received: HashMap::new(),
    };
    for slot in 0..=RECEIVERS {
        let conn = ConnId {
            slot,
            generation: 0,
        };
        let link = Link::new(0, None, [0; 16]);
        world.tell(Event::Opened {
            conn,
            link,
            stage: Stage::Connect,
        });
        let client_id = slot.to_string();
        world.receive(
            conn,
            ClientPacket::Connect(Box::new(Connect {
                version: Version::V5,
                client_id: &client_id,
                clean_start: true,
                keep_alive_s: 0,
                username: None,
                password: None,
                will: None,
                properties: Properties::EMPTY,
            })),
        );
        if slot == 0 {
            continue;
        }
        // A subscription identifier of its own makes a form of its own.
        let mut properties = PropertiesBuf::new();
        properties
            .push(Property::SubscriptionIdentifier(slot))
            .unwrap();
        let options = SubscribeOptions {
            qos: QoS::AtMostOnce,
            ..SubscribeOptions::default()
        };
        let entry = SubscribeEntry {
            filter: TopicFilter::parse("t").unwrap(),
            options,
        };
        world.receive(
            conn,
            ClientPacket::Subscribe(Box::new(Subscribe {
                packet_id: PacketId::MIN,
                entries: vec![entry],
                properties: properties.as_properties(),
            })),
        );
    }
    let mut properties = PropertiesBuf::new();
    let value = "v".repeat(60_000);
    for _ in 0..15 {
        properties
            .push(Property::UserProperty("k", &value))
            .unwrap();
    }
    let publish = Publish {
        topic: "t",
        payload: b"x",
        qos: QoS::AtMostOnce,
        retain: false,
        dup: false,
        packet_id: None,
        properties: properties.as_properties(),
    };
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
