//! A message through the engine: from bytes to frames in outboxes, and whole turns.

use super::codec::{MEDIUM, SMALL, TOPIC, properties};
use crate::{
    rounds::Rounds,
    world::{self, Peer, World},
};
use sanderling_core::packet::{ClientPacket, PacketId, Publish, QoS, Version};

const V311: Version = Version::V311;

/// A publisher and one subscriber.
fn pair(version: Version, qos: QoS) -> (World, Peer, Peer) {
    let mut world = World::new();
    let publisher = world.connect(version, "publisher");
    let subscriber = world.connect(version, "subscriber");
    world.subscribe(&subscriber, TOPIC, qos);
    (world, publisher, subscriber)
}

/// Only what happens between reading and writing is counted.
fn receive(rounds: &mut Rounds<'_>, world: &mut World, publisher: &Peer, bytes: &[u8]) {
    let mut buffer = bytes.to_vec();
    while rounds.next() {
        // A broker may write into what it has read.
        buffer.copy_from_slice(bytes);
        rounds.count(|| world.receive(publisher, &mut buffer));
        world.settle();
    }
}

fn small() -> Vec<u8> {
    let publish = world::publish(TOPIC, SMALL, QoS::AtMostOnce);
    world::encoded(V311, &ClientPacket::Publish(publish))
}

pub(super) fn qos0(rounds: &mut Rounds<'_>) {
    let (mut world, publisher, _subscriber) = pair(V311, QoS::AtMostOnce);
    receive(rounds, &mut world, &publisher, &small());
}

pub(super) fn qos0_many(rounds: &mut Rounds<'_>) {
    let (mut world, publisher, _subscriber) = pair(V311, QoS::AtMostOnce);
    receive(rounds, &mut world, &publisher, &small().repeat(32));
}

pub(super) fn qos0_to_101(rounds: &mut Rounds<'_>) {
    let (mut world, publisher, _subscriber) = pair(V311, QoS::AtMostOnce);
    for number in 0..100 {
        let subscriber = world.connect(V311, &format!("further-{number}"));
        world.subscribe(&subscriber, TOPIC, QoS::AtMostOnce);
    }
    receive(rounds, &mut world, &publisher, &small());
}

pub(super) fn qos0_to_nobody(rounds: &mut Rounds<'_>) {
    let mut world = World::new();
    let publisher = world.connect(V311, "publisher");
    receive(rounds, &mut world, &publisher, &small());
}

pub(super) fn v5(rounds: &mut Rounds<'_>) {
    let (mut world, publisher, _subscriber) = pair(Version::V5, QoS::AtMostOnce);
    let properties = properties();
    let publish = Publish {
        properties: properties.as_properties(),
        ..world::publish(TOPIC, MEDIUM, QoS::AtMostOnce)
    };
    let bytes = world::encoded(Version::V5, &ClientPacket::Publish(publish));
    receive(rounds, &mut world, &publisher, &bytes);
}

pub(super) fn retained(rounds: &mut Rounds<'_>) {
    let mut world = World::new();
    let publisher = world.connect(V311, "publisher");
    let publish = Publish {
        retain: true,
        ..world::publish(TOPIC, MEDIUM, QoS::AtMostOnce)
    };
    let bytes = world::encoded(V311, &ClientPacket::Publish(publish));
    receive(rounds, &mut world, &publisher, &bytes);
}

pub(super) fn retained_anew(rounds: &mut Rounds<'_>) {
    let mut world = World::new();
    let publisher = world.connect(V311, "publisher");
    for number in 0.. {
        if !rounds.next() {
            return;
        }
        let topic = format!("retained/{number:06}");
        let publish = Publish {
            retain: true,
            ..world::publish(&topic, MEDIUM, QoS::AtMostOnce)
        };
        let mut bytes = world::encoded(V311, &ClientPacket::Publish(publish));
        rounds.count(|| world.receive(&publisher, &mut bytes));
        world.settle();
    }
}

pub(super) fn shared(rounds: &mut Rounds<'_>) {
    let mut world = World::new();
    let publisher = world.connect(V311, "publisher");
    for number in 0..8 {
        let subscriber = world.connect(V311, &format!("member-{number}"));
        world.subscribe(
            &subscriber,
            &format!("$share/group/{TOPIC}"),
            QoS::AtMostOnce,
        );
    }
    receive(rounds, &mut world, &publisher, &small());
}

pub(super) fn queued(rounds: &mut Rounds<'_>) {
    let mut world = World::new();
    let publisher = world.connect(V311, "publisher");
    let away = world.open(V311);
    away.send(&world::connect(V311, "away", false));
    world.turn(&away);
    world.subscribe(&away, TOPIC, QoS::AtLeastOnce);
    world.disconnect(&away);
    let publish = world::publish(TOPIC, MEDIUM, QoS::AtLeastOnce);
    let bytes = world::encoded(V311, &ClientPacket::Publish(publish));
    receive(rounds, &mut world, &publisher, &bytes);
}

pub(super) fn turn_qos0(rounds: &mut Rounds<'_>) {
    turn(rounds, pair(V311, QoS::AtMostOnce));
}

pub(super) fn turn_qos0_framed(rounds: &mut Rounds<'_>) {
    let mut world = World::new();
    let publisher = world.connect_framed(V311, "publisher");
    let subscriber = world.connect_framed(V311, "subscriber");
    world.subscribe(&subscriber, TOPIC, QoS::AtMostOnce);
    turn(rounds, (world, publisher, subscriber));
}

fn turn(rounds: &mut Rounds<'_>, (mut world, publisher, subscriber): (World, Peer, Peer)) {
    let bytes = small();
    while rounds.next() {
        publisher.send_bytes(&bytes);
        rounds.count(|| world.turn(&publisher));
        assert_eq!(subscriber.first_byte(), 0x30, "PUBLISH");
    }
}

pub(super) fn turn_qos1(rounds: &mut Rounds<'_>) {
    let (mut world, publisher, subscriber) = pair(V311, QoS::AtLeastOnce);
    let publish = world::publish(TOPIC, MEDIUM, QoS::AtLeastOnce);
    let bytes = world::encoded(V311, &ClientPacket::Publish(publish));
    while rounds.next() {
        publisher.send_bytes(&bytes);
        rounds.count(|| world.turn(&publisher));
        assert_eq!(publisher.first_byte(), 0x40, "PUBACK");
        subscriber.send(&ClientPacket::PubAck(world::ack(subscriber.packet_id())));
        rounds.count(|| world.turn(&subscriber));
    }
}

pub(super) fn turn_qos2(rounds: &mut Rounds<'_>) {
    let (mut world, publisher, subscriber) = pair(V311, QoS::ExactlyOnce);
    let publish = world::publish(TOPIC, MEDIUM, QoS::ExactlyOnce);
    let bytes = world::encoded(V311, &ClientPacket::Publish(publish.clone()));
    let published = publish.packet_id.expect("QoS 2 has one");
    while rounds.next() {
        publisher.send_bytes(&bytes);
        rounds.count(|| world.turn(&publisher));
        assert_eq!(publisher.first_byte(), 0x50, "PUBREC");
        publisher.send(&ClientPacket::PubRel(world::ack(published)));
        rounds.count(|| world.turn(&publisher));
        assert_eq!(publisher.first_byte(), 0x70, "PUBCOMP");

        let delivered = subscriber.packet_id();
        subscriber.send(&ClientPacket::PubRec(world::ack(delivered)));
        rounds.count(|| world.turn(&subscriber));
        assert_eq!(subscriber.first_byte(), 0x62, "PUBREL");
        subscriber.send(&ClientPacket::PubComp(world::ack(delivered)));
        rounds.count(|| world.turn(&subscriber));
    }
}

/// As many messages as are read and acknowledged at once.
const ROW: u16 = 32;

fn row(qos: QoS) -> Vec<u8> {
    let messages = (1..=ROW).flat_map(|number| {
        let publish = Publish {
            packet_id: PacketId::new(number),
            ..world::publish(TOPIC, MEDIUM, qos)
        };
        world::encoded(V311, &ClientPacket::Publish(publish))
    });
    messages.collect()
}

pub(super) fn turn_qos1_many(rounds: &mut Rounds<'_>) {
    let (mut world, publisher, subscriber) = pair(V311, QoS::AtLeastOnce);
    let bytes = row(QoS::AtLeastOnce);
    while rounds.next() {
        publisher.send_bytes(&bytes);
        rounds.count(|| world.turn(&publisher));
        assert_eq!(publisher.first_byte(), 0x40, "PUBACK");
        subscriber.send_bytes(&subscriber.answers());
        rounds.count(|| world.turn(&subscriber));
    }
}

pub(super) fn turn_qos2_many(rounds: &mut Rounds<'_>) {
    let (mut world, publisher, subscriber) = pair(V311, QoS::ExactlyOnce);
    let bytes = row(QoS::ExactlyOnce);
    while rounds.next() {
        publisher.send_bytes(&bytes);
        rounds.count(|| world.turn(&publisher));
        publisher.send_bytes(&publisher.answers());
        rounds.count(|| world.turn(&publisher));
        assert_eq!(publisher.first_byte(), 0x70, "PUBCOMP");
        subscriber.send_bytes(&subscriber.answers());
        rounds.count(|| world.turn(&subscriber));
        subscriber.send_bytes(&subscriber.answers());
        rounds.count(|| world.turn(&subscriber));
    }
}
