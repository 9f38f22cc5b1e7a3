//! However bytes are cut, at every layer, the same packets come of them, and the same answers arrive. (I60, T6)

use super::pair::{Pair, proxied, splits, transport};
use proptest::prelude::*;
use sanderling_core::packet::{ClientPacket, Connect, PacketId, Properties, Publish, QoS, Version};
use sanderling_tests::peer::{Below, Cut, Link};

/// CONNECT and PUBLISHes with payloads of these lengths, each followed by PINGREQ.
pub(crate) fn stream(sizes: &[usize]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |packet: ClientPacket<'_>| packet.encode(Version::V5, &mut bytes).unwrap();
    put(ClientPacket::Connect(Box::new(Connect {
        version: Version::V5,
        client_id: "c",
        clean_start: true,
        keep_alive_s: 0,
        username: None,
        password: None,
        will: None,
        properties: Properties::EMPTY,
    })));
    for &size in sizes {
        put(ClientPacket::Publish(Publish {
            topic: "t",
            payload: &vec![b'x'; size],
            qos: QoS::AtLeastOnce,
            retain: false,
            dup: false,
            packet_id: PacketId::new(1),
            properties: Properties::EMPTY,
        }));
        put(ClientPacket::PingReq);
    }
    bytes
}

/// What a proxy announces, in either version, and the address in it.
const ANNOUNCED: [(&[u8], &str); 2] = [
    (
        b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 1883\r\n",
        "192.0.2.7:4711",
    ),
    (
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x12\x67\x07\x5b",
        "192.0.2.7:4711",
    ),
];

fn below() -> impl Strategy<Value = Below> {
    prop::sample::select(&Below::ALL[..])
}

fn cut() -> impl Strategy<Value = Cut> {
    let frame_bytes = prop::sample::select(vec![0usize, 1, 2, 7, 130, 70_000]);
    (frame_bytes, 0usize..4, any::<bool>()).prop_map(|(frame_bytes, fragments, chatty)| Cut {
        frame_bytes,
        fragments,
        chatty,
    })
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        prop::collection::vec(1usize..30, 1..8),
        prop::collection::vec(1usize..5000, 1..8),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn i60_any_split_at_any_layer_gives_the_same_packets_and_answers(
        below in below(),
        announced in prop::option::of(prop::sample::select(&ANNOUNCED[..])),
        cut in cut(),
        sizes in prop::collection::vec(prop_oneof![0usize..200, 15_000usize..40_000], 1..5),
        answers in prop::collection::vec(0usize..30_000, 0..5),
        to_broker in lengths(),
        to_client in lengths(),
    ) {
        let plain = stream(&sizes);
        let mut whole = Pair::new(&transport(Below::Nothing), Link::new(Below::Nothing, Cut::default()));
        whole.client.send(&plain);
        whole.talk();

        let client = Link::new(below, cut);
        let (to_broker, to_client) = (splits(&to_broker), splits(&to_client));
        let transport = if announced.is_some() { proxied(below) } else { transport(below) };
        let mut pair = Pair::split(&transport, client, to_broker, to_client);
        pair.announce(announced.map_or(&[], |(header, _)| header));
        let (first, second) = plain.split_at(plain.len() / 3);
        pair.client.send(first);
        pair.talk();
        prop_assert_eq!((&pair.complaint, &pair.seen.fault), (&None, &None));
        prop_assert!(pair.client.is_open());
        pair.client.send(second);
        let mut expected = Vec::new();
        for (number, &len) in answers.iter().enumerate() {
            let answer = vec![number as u8; len];
            expected.extend_from_slice(&answer);
            match number % 2 {
                0 => pair.answer(&answer),
                _ => pair.answer_shared(answer),
            }
        }
        pair.talk();
        prop_assert_eq!(&pair.seen.packets, &whole.seen.packets);
        prop_assert_eq!(pair.seen.packets.len(), 1 + 2 * sizes.len());
        let remote = announced.map(|(_, remote)| Some(remote.parse().unwrap()));
        prop_assert_eq!(pair.seen.announced, remote);
        prop_assert_eq!(&pair.received, &expected);
        prop_assert_eq!(pair.flushed, expected.len(), "accounts are in MQTT bytes");
        prop_assert_eq!((&pair.complaint, &pair.seen.fault), (&None, &None));
    }
}

#[test]
fn every_layer_says_good_bye() {
    for below in Below::ALL {
        let mut pair = Pair::new(&transport(below), Link::new(below, Cut::default()));
        pair.client.send(&stream(&[3]));
        pair.talk();
        pair.close();
        assert_eq!(
            pair.client.close_code(),
            below.has_websocket().then_some(1000)
        );
        assert_eq!(pair.complaint, None);

        let mut pair = Pair::new(&transport(below), Link::new(below, Cut::default()));
        let bytes = stream(&[3]);
        let (first, second) = bytes.split_at(10);
        pair.client.send(first);
        pair.talk();
        pair.client.send(second);
        pair.client.close();
        pair.talk();
        assert_eq!(
            pair.seen.packets.len(),
            3,
            "what came before the good-bye counts"
        );
        assert_eq!(pair.seen.closed, below != Below::Nothing);
        assert_eq!(
            pair.client.close_code(),
            below.has_websocket().then_some(1000)
        );
    }
}

#[test]
fn nothing_follows_a_close_frame() {
    // Opcode 1 is text.
    let text = [0x81, 0x80, 1, 2, 3, 4];
    for below in [Below::WebSocket, Below::Both] {
        for is_polite in [true, false] {
            let mut pair = Pair::new(&transport(below), Link::new(below, Cut::default()));
            pair.client.send(&stream(&[]));
            pair.talk();
            match is_polite {
                true => pair.client.close(),
                false => pair.client.send_raw(&text),
            }
            pair.talk();
            assert!(pair.client.close_code().is_some());
            pair.answer(b"owed");
            pair.talk();
            assert_eq!((&pair.received[..], pair.complaint), (&[][..], None));
        }
    }
}
