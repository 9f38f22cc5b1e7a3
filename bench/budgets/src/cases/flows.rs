//! What a connection does beside publishing.

use super::codec::TOPIC;
use crate::{
    rounds::Rounds,
    world::{self, World},
};
use sanderling_core::{
    packet::{ClientPacket, PacketId, Properties, QoS, Unsubscribe, Version},
    topic::TopicFilter,
};

const V311: Version = Version::V311;

pub(super) fn connect(rounds: &mut Rounds<'_>) {
    let mut world = World::new();
    let bytes = world::encoded(V311, &world::connect(V311, "a-client", true));
    while rounds.next() {
        let mut opened = None;
        rounds.count(|| {
            let peer = opened.insert(world.open(V311));
            peer.send_bytes(&bytes);
            world.turn(peer);
        });
        let peer = opened.expect("it was opened");
        assert_eq!(peer.first_byte(), 0x20, "CONNACK");
        world.disconnect(&peer);
    }
}

pub(super) fn subscribe(rounds: &mut Rounds<'_>) {
    let mut world = World::new();
    let peer = world.connect(V311, "a-client");
    let subscribe = world::encoded(V311, &world::subscribe(TOPIC, QoS::AtLeastOnce));
    let unsubscribe = ClientPacket::Unsubscribe(Box::new(Unsubscribe {
        packet_id: PacketId::MIN,
        filters: vec![TopicFilter::parse(TOPIC).expect("a topic filter")],
        properties: Properties::EMPTY,
    }));
    while rounds.next() {
        peer.send_bytes(&subscribe);
        rounds.count(|| world.turn(&peer));
        assert_eq!(peer.first_byte(), 0x90, "SUBACK");
        peer.send(&unsubscribe);
        world.turn(&peer);
    }
}

pub(super) fn idle(rounds: &mut Rounds<'_>) {
    let mut world = World::new();
    let mut peers = Vec::with_capacity(10_000);
    while rounds.next() {
        let number = peers.len();
        let client_id = format!("idle-client-{number:06}");
        let connect = world::encoded(V311, &world::connect(V311, &client_id, true));
        let filter = format!("idle/{number:06}");
        let subscribe = world::encoded(V311, &world::subscribe(&filter, QoS::AtMostOnce));
        let wire = world::Wire::roomy();
        let mut opened = None;
        rounds.count(|| {
            let peer = opened.insert(world.open_on(wire.clone(), V311));
            peer.send_bytes(&connect);
            world.turn(peer);
            peer.send_bytes(&subscribe);
            world.turn(peer);
        });
        let peer = opened.expect("it was opened");
        assert_eq!(peer.first_byte(), 0x90, "SUBACK");
        peers.push(peer);
    }
}

pub(super) fn ping(rounds: &mut Rounds<'_>) {
    let mut world = World::new();
    let peer = world.connect(V311, "a-client");
    while rounds.next() {
        peer.send(&ClientPacket::PingReq);
        rounds.count(|| world.turn(&peer));
        assert_eq!(peer.first_byte(), 0xD0, "PINGRESP");
    }
}
