//! Short ways to make packets.

use sanderling_core::{
    packet::{
        Ack, ClientPacket, Connect, PacketId, Properties, PropertiesBuf, Property, Publish, QoS,
        Subscribe, SubscribeEntry, SubscribeOptions, Unsubscribe, Version, Will,
    },
    topic::{TopicFilter, TopicName},
};

/// A 5.0 CONNECT with Clean Start and without keep alive.
pub(crate) fn connect(client_id: &str) -> Connect<'_> {
    Connect {
        version: Version::V5,
        client_id,
        clean_start: true,
        keep_alive_s: 0,
        username: None,
        password: None,
        will: None,
        properties: Properties::EMPTY,
    }
}

/// A 5.0 CONNECT that goes on with a session, with these properties.
pub(crate) fn resume<'a>(client_id: &'a str, properties: &'a PropertiesBuf) -> Connect<'a> {
    Connect {
        clean_start: false,
        properties: properties.as_properties(),
        ..connect(client_id)
    }
}

/// A 3.1.1 CONNECT.
pub(crate) fn connect_v311(client_id: &str, clean_session: bool) -> Connect<'_> {
    Connect {
        version: Version::V311,
        clean_start: clean_session,
        ..connect(client_id)
    }
}

pub(crate) fn will<'a>(topic: &'a str, properties: &'a PropertiesBuf) -> Will<'a> {
    Will {
        topic: TopicName::parse(topic).unwrap(),
        payload: b"will",
        qos: QoS::AtMostOnce,
        retain: false,
        properties: properties.as_properties(),
    }
}

pub(crate) fn properties<const N: usize>(list: [Property<'_>; N]) -> PropertiesBuf {
    let mut buf = PropertiesBuf::new();
    for property in list {
        buf.push(property).unwrap();
    }
    buf
}

/// `id` is ignored with QoS 0.
pub(crate) fn publish<'a>(
    topic: &'a str,
    payload: &'a [u8],
    qos: QoS,
    id: u16,
) -> ClientPacket<'a> {
    ClientPacket::Publish(message(topic, payload, qos, id))
}

/// The same with RETAIN.
pub(crate) fn retained<'a>(topic: &'a str, payload: &'a [u8]) -> ClientPacket<'a> {
    ClientPacket::Publish(Publish {
        retain: true,
        ..message(topic, payload, QoS::AtMostOnce, 0)
    })
}

/// The same with properties.
pub(crate) fn publish_with<'a>(
    topic: &'a str,
    payload: &'a [u8],
    properties: &'a PropertiesBuf,
) -> ClientPacket<'a> {
    ClientPacket::Publish(Publish {
        properties: properties.as_properties(),
        ..message(topic, payload, QoS::AtMostOnce, 0)
    })
}

pub(crate) fn message<'a>(topic: &'a str, payload: &'a [u8], qos: QoS, id: u16) -> Publish<'a> {
    Publish {
        topic,
        payload,
        qos,
        retain: false,
        dup: false,
        packet_id: (qos != QoS::AtMostOnce).then(|| PacketId::new(id).unwrap()),
        properties: Properties::EMPTY,
    }
}

/// Packet identifier 1.
pub(crate) fn subscribe<'a>(
    filters: impl IntoIterator<Item = &'a str>,
    qos: QoS,
) -> ClientPacket<'a> {
    let options = SubscribeOptions {
        qos,
        ..SubscribeOptions::default()
    };
    let entry = |filter| SubscribeEntry {
        filter: TopicFilter::parse(filter).unwrap(),
        options,
    };
    ClientPacket::Subscribe(Box::new(Subscribe {
        packet_id: PacketId::MIN,
        entries: filters.into_iter().map(entry).collect(),
        properties: Properties::EMPTY,
    }))
}

/// Packet identifier 1.
pub(crate) fn unsubscribe<'a>(filters: impl IntoIterator<Item = &'a str>) -> ClientPacket<'a> {
    let parse = |filter| TopicFilter::parse(filter).unwrap();
    ClientPacket::Unsubscribe(Box::new(Unsubscribe {
        packet_id: PacketId::MIN,
        filters: filters.into_iter().map(parse).collect(),
        properties: Properties::EMPTY,
    }))
}

/// An acknowledgement: `ack(ClientPacket::PubAck, 1)`.
pub(crate) fn ack(
    make: fn(Ack<'static>) -> ClientPacket<'static>,
    id: u16,
) -> ClientPacket<'static> {
    make(Ack::success(PacketId::new(id).unwrap()))
}

pub(crate) fn encoded(packet: &ClientPacket<'_>, version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes).unwrap();
    bytes
}
