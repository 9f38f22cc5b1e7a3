//! Exchanges that are opened and not ended, windows that change, packets that are too large. (A36 to A42, A51)

use super::{
    got::Got,
    packets::{self, ack, connect, connect_v311, properties, publish, resume},
    world::World,
};
use sanderling_core::{
    config::Limits,
    packet::{ClientPacket, Connect, Property, QoS},
    reason::ReasonCode,
};
use std::collections::BTreeSet;

#[test]
fn a36_an_older_client_may_open_every_exchange_and_each_is_kept_once() {
    let mut world = World::new(Limits::default());
    let (conn, _) = world.join(&connect_v311("client", false));
    world.discard(conn);
    let watcher = world.subscriber("watcher", "t", QoS::AtMostOnce);
    world.discard(watcher);
    for _ in 0..2 {
        for id in 1..=u16::MAX {
            world.send(conn, &publish("t", b"x", QoS::ExactlyOnce, id));
        }
    }
    assert!(!world.is_closed(conn));
    assert_eq!(world.statistics().messages_sent[0], u64::from(u16::MAX));
    world.drop_connection(conn);
    let (conn, session_present) = world.join(&connect_v311("client", false));
    assert!(session_present);
    world.send(conn, &publish("t", b"x", QoS::ExactlyOnce, 9));
    assert_eq!(world.take(conn), [Got::PubRec(9, ReasonCode::SUCCESS)]);
    assert_eq!(world.statistics().messages_sent[0], u64::from(u16::MAX));
}

#[test]
fn a36_a_client_that_ends_no_exchange_meets_the_receive_maximum() {
    for maximum in [1, 2, 64] {
        let mut world = World::new(Limits {
            receive_maximum: maximum,
            ..Limits::default()
        });
        let conn = world.client("client");
        for id in 1..=maximum {
            world.send(conn, &publish("t", b"x", QoS::ExactlyOnce, id));
            assert_eq!(world.take(conn).len(), 1);
        }
        world.send(conn, &publish("t", b"x", QoS::ExactlyOnce, maximum + 1));
        assert_eq!(
            world.take(conn),
            [Got::Disconnect(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED)]
        );
        assert!(world.is_closed(conn));
    }
}

#[test]
fn a37_a_receive_maximum_of_65535_is_not_taken_for_a_negative_number() {
    const MESSAGES: u32 = 65_535;
    let mut world = World::new(Limits {
        inflight_max: u16::MAX,
        ..Limits::default()
    });
    let publisher = world.client("publisher");
    world.discard(publisher);
    let most = properties([Property::ReceiveMaximum(u16::MAX)]);
    let (reader, _) = world.join(&Connect {
        properties: most.as_properties(),
        ..connect("reader")
    });
    world.subscribe(reader, "t", QoS::AtLeastOnce);
    for number in 0..=MESSAGES {
        let id = u16::try_from(number % 1000 + 1).unwrap();
        world.send(publisher, &publish("t", b"x", QoS::AtLeastOnce, id));
    }
    assert_eq!(world.messages(reader).len(), MESSAGES as usize);
    assert_eq!(world.statistics().messages_queued_current, 1);
    world.send(reader, &ack(ClientPacket::PubAck, 40_000));
    assert_eq!(
        world.messages(reader)[0].id,
        40_000,
        "the only identifier that is free"
    );
}

#[test]
fn a37_a_wider_window_after_a_reconnect_is_used_at_once() {
    let mut world = World::new(Limits::default());
    let publisher = world.client("publisher");
    let with_window = |window| {
        properties([
            Property::SessionExpiryInterval(60),
            Property::ReceiveMaximum(window),
        ])
    };
    let narrow = with_window(1);
    let (reader, _) = world.join(&resume("reader", &narrow));
    world.subscribe(reader, "t", QoS::AtLeastOnce);
    for id in 1..=9 {
        world.send(publisher, &publish("t", &[id as u8], QoS::AtLeastOnce, id));
    }
    assert_eq!(world.messages(reader).len(), 1);
    world.drop_connection(reader);
    let wide = with_window(4);
    let (reader, _) = world.join(&resume("reader", &wide));
    let payloads: Vec<_> = world
        .messages(reader)
        .iter()
        .map(|message| message.payload[0])
        .collect();
    assert_eq!(payloads, [1, 2, 3, 4]);
}

#[test]
fn a38_a_resumed_session_is_not_sent_all_at_once_to_who_does_not_read() {
    const BYTES: usize = 10_000;
    const OUTBOUND_MAX: u32 = 64 << 10;
    let mut world = World::new(Limits {
        outbound_bytes_max: OUTBOUND_MAX,
        ..Limits::default()
    });
    let publisher = world.client("publisher");
    world.discard(publisher);
    let hour = properties([Property::SessionExpiryInterval(3600)]);
    let (reader, _) = world.join(&resume("reader", &hour));
    world.subscribe(reader, "t", QoS::AtLeastOnce);
    for id in 1..=1000 {
        world.send(publisher, &publish("t", &[7; BYTES], QoS::AtLeastOnce, id));
    }
    assert_eq!(world.messages(reader).len(), 1000, "all are in flight");
    world.drop_connection(reader);
    let reader = world.open();
    world.stall(reader);
    world.send(
        reader,
        &ClientPacket::Connect(Box::new(resume("reader", &hour))),
    );
    let mut most = 0;
    let mut seen = 0;
    for round in 0.. {
        assert!(round < 10_000, "the session never comes to an end");
        let bytes = world.broker.view().outbound_bytes(reader).unwrap();
        most = most.max(bytes);
        if bytes == 0 {
            break;
        }
        world.flush(reader, 5000);
        seen += world
            .take(reader)
            .iter()
            .filter(|got| matches!(got, Got::Publish(_)))
            .count();
    }
    assert_eq!(seen, 1000);
    let bound = OUTBOUND_MAX + BYTES as u32 + 100;
    assert!(
        most <= bound,
        "{most} bytes waited for a client that did not read"
    );
}

#[test]
fn a39_identifiers_wrap_around_those_that_are_held() {
    let mut world = World::new(Limits {
        inflight_max: 10,
        ..Limits::default()
    });
    let publisher = world.client("publisher");
    world.discard(publisher);
    let reader = world.subscriber("reader", "t", QoS::AtLeastOnce);
    let mut held = BTreeSet::new();
    for round in 0..140_000_u32 {
        world.send(publisher, &publish("t", b"x", QoS::AtLeastOnce, 1));
        for message in world.messages(reader) {
            assert_ne!(message.id, 0);
            assert!(!held.contains(&message.id), "{} is in use", message.id);
            // Nine stay without an answer for ever.
            if held.len() < 9 && round % 7919 == 0 {
                held.insert(message.id);
            } else {
                world.send(reader, &ack(ClientPacket::PubAck, message.id));
            }
        }
    }
    assert_eq!(held.len(), 9);
    assert_eq!(world.statistics().messages_queued_current, 0);
}

#[test]
fn a40_no_acknowledgement_out_of_its_place_frees_or_blocks_anything() {
    let mut world = World::new(Limits {
        inflight_max: 2,
        ..Limits::default()
    });
    let publisher = world.client("publisher");
    let reader = world.subscriber("reader", "t", QoS::ExactlyOnce);
    world.send(publisher, &publish("t", b"1", QoS::AtLeastOnce, 1));
    world.send(publisher, &publish("t", b"2", QoS::ExactlyOnce, 2));
    world.send(publisher, &publish("t", b"3", QoS::AtLeastOnce, 3));
    let [one, two] = &world.messages(reader)[..] else {
        panic!("two are in flight")
    };
    // The wrong kind for each, the right kind for nothing, and the last step before the first.
    for (make, id) in [
        (ClientPacket::PubRec as fn(_) -> _, one.id),
        (ClientPacket::PubAck, two.id),
        (ClientPacket::PubComp, two.id),
        (ClientPacket::PubAck, 999),
        (ClientPacket::PubRec, 999),
        (ClientPacket::PubComp, 999),
        (ClientPacket::PubRel, two.id),
    ] {
        world.send(reader, &ack(make, id));
        let got = world.take(reader);
        assert!(
            !got.iter().any(|got| matches!(got, Got::Publish(_))),
            "{got:?}"
        );
    }
    assert!(!world.is_closed(reader));
    world.send(reader, &ack(ClientPacket::PubAck, one.id));
    world.send(reader, &ack(ClientPacket::PubAck, one.id));
    let rest = world.messages(reader);
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].payload, b"3");
    world.send(reader, &ack(ClientPacket::PubRec, two.id));
    assert_eq!(world.take(reader), [Got::PubRel(two.id)]);
}

#[test]
fn a41_the_aliases_towards_a_client_are_capped_by_the_server() {
    const CAP: u16 = 4;
    let limits = Limits {
        topic_aliases_to_client_max: CAP,
        ..Limits::default()
    };
    let mut world = World::new(limits);
    let most = properties([Property::TopicAliasMaximum(u16::MAX)]);
    let (reader, _) = world.join(&Connect {
        properties: most.as_properties(),
        ..connect("reader")
    });
    world.subscribe(reader, "#", QoS::AtMostOnce);
    let publisher = world.client("publisher");
    for topic in 0..1000 {
        let topic = topic.to_string();
        world.send(publisher, &publish(&topic, b"x", QoS::AtMostOnce, 0));
        world.send(publisher, &publish(&topic, b"x", QoS::AtMostOnce, 0));
    }
    let messages = world.messages(reader);
    assert_eq!(messages.len(), 2000);
    assert!(
        messages
            .iter()
            .all(|message| message.alias.is_none_or(|alias| alias <= CAP))
    );
    let aliases: BTreeSet<_> = messages
        .iter()
        .filter_map(|message| message.alias)
        .collect();
    assert_eq!(aliases.len(), usize::from(CAP));
}

#[test]
fn a42_a_packet_of_exactly_the_maximum_passes_and_one_byte_more_does_not() {
    const MAXIMUM: u32 = 200;
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::new(Limits::default());
        let publisher = world.client("publisher");
        let small = properties([Property::MaximumPacketSize(MAXIMUM)]);
        let (reader, _) = world.join(&Connect {
            properties: small.as_properties(),
            ..connect("reader")
        });
        world.subscribe(reader, "t", qos);
        // Fixed header with a length of two bytes, topic, property length, and the identifier.
        let rest = 3 + 3 + 1 + if qos == QoS::AtMostOnce { 0 } else { 2 };
        let fits = vec![7; MAXIMUM as usize - rest];
        let too_long = vec![8; fits.len() + 1];
        for (id, payload) in [(1, &fits), (2, &too_long), (3, &fits)] {
            world.send(publisher, &publish("t", payload, qos, id));
        }
        let payloads: Vec<_> = world
            .messages(reader)
            .into_iter()
            .map(|m| m.payload)
            .collect();
        assert_eq!(payloads, [&fits[..], &fits[..]], "QoS {qos}");
        assert_eq!(world.statistics().messages_dropped.iter().sum::<u64>(), 1);
    }
}

#[test]
fn a42_no_maximum_packet_size_however_small_is_exceeded() {
    let mut world = World::new(Limits::default());
    let publisher = world.client("publisher");
    world.discard(publisher);
    for maximum in 1..=60 {
        let small = properties([
            Property::MaximumPacketSize(maximum),
            Property::TopicAliasMaximum(3),
        ]);
        let conn = world.begin(&Connect {
            properties: small.as_properties(),
            ..connect("small")
        });
        world.send(
            conn,
            &packets::subscribe(["t", "t/#", "u"], QoS::ExactlyOnce),
        );
        for id in 1..=9 {
            world.send(
                publisher,
                &publish("t", &vec![7; usize::from(id) * 5], QoS::ExactlyOnce, id),
            );
            world.send(publisher, &ack(ClientPacket::PubRel, id));
        }
        // An empty topic without an alias: the reason must fit, too, or nothing is said.
        world.write(conn, &[0x32, 5, 0, 0, 0, 1, 0]);
        let lengths = world.lengths(conn);
        assert!(
            lengths.iter().all(|&length| length <= maximum as usize),
            "{lengths:?} bytes in packets of at most {maximum}"
        );
        assert!(maximum < 60 || lengths.len() > 9, "{lengths:?}");
        world.drop_connection(conn);
    }
}
