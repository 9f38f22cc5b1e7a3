//! What was encoded is decoded to the same, however it is cut; and nothing a peer sends can do more than be refused.
//!
//! A failing test prints the packet it failed with, shrunk, and a seed that repeats it.

mod packets;

use bytes::Bytes;
use packets::{any_properties, client_packet, connack, connect, server_packet, version};
use proptest::{prelude::*, test_runner::FileFailurePersistence};
use sanderling_core::{
    codec::{
        DecodeLimits, Decoded, FromClient, FromServer, PublishForm, decode_again, publish_len,
        put_ack, put_pingresp, put_publish, put_suback, put_unsuback,
    },
    packet::{ClientPacket, PacketType, Properties, Property, ServerPacket, Version},
};

const LIMITS: DecodeLimits = DecodeLimits {
    first_packet_bytes_max: 100_000,
    packet_bytes_max: 100_000,
};

/// The most calls one packet can cost: one for each byte of the fixed header, one for the rest, one for an empty slice.
const CALLS_MAX: usize = 7;

proptest! {
    #![proptest_config(cases(4))]

    /// [K1]
    #[test]
    fn a_client_packet_comes_back(
        (version, packet) in version().prop_flat_map(|v| (Just(v), client_packet(v))),
    ) {
        let bytes = encode_client(&packet, version);
        prop_assert_eq!(packet.encoded_len(version), Ok(bytes.len()));
        let len = bytes.len();
        let decoded = decoder_of_clients(version).decode(&bytes);
        prop_assert_eq!(decoded, Ok(Decoded::Packet { packet: packet.clone(), len }));
        let bytes = Bytes::from(bytes);
        prop_assert_eq!(decode_again(&bytes, version), packet);
    }

    /// [K1]
    #[test]
    fn a_server_packet_comes_back(
        (version, packet) in version().prop_flat_map(|v| (Just(v), server_packet(v))),
    ) {
        let bytes = encode_server(&packet, version);
        prop_assert_eq!(packet.encoded_len(version), Ok(bytes.len()));
        let len = bytes.len();
        let decoded = decoder_of_servers(version).decode(&bytes);
        prop_assert_eq!(decoded, Ok(Decoded::Packet { packet, len }));
    }

    #[test]
    fn hot_functions_write_what_encode_writes(
        (version, packet) in version().prop_flat_map(|v| (Just(v), server_packet(v))),
    ) {
        if let Some(bytes) = written_hot(&packet, version) {
            prop_assert_eq!(bytes, encode_server(&packet, version));
        }
    }
}

proptest! {
    #![proptest_config(cases(1))]

    /// And no split makes the decoder work more than a fixed number of times for each packet. [K2]
    #[test]
    fn any_split_of_a_stream_gives_the_same_packets(
        (version, connect, sent) in version().prop_flat_map(|v| {
            (Just(v), connect(v), prop::collection::vec(client_packet(v), 0..10))
        }),
        chunks in prop::collection::vec(1..50_usize, 1..20),
    ) {
        let mut packets = vec![ClientPacket::Connect(Box::new(connect))];
        packets.extend(sent);
        let stream: Vec<u8> =
            packets.iter().flat_map(|packet| encode_client(packet, version)).collect();

        for chunks in [&chunks[..], &[1], &[usize::MAX]] {
            let mut decoder = FromClient::new(LIMITS);
            let (mut received, mut start, mut calls, mut need) = (0_usize, 0, 0, 0);
            let mut expected = packets.iter();
            for chunk in chunks.iter().cycle() {
                received = stream.len().min(received.saturating_add(*chunk));
                while received - start >= need {
                    calls += 1;
                    match decoder.decode(&stream[start..received]) {
                        Ok(Decoded::Packet { packet, len }) => {
                            prop_assert_eq!(Some(&packet), expected.next());
                            start += len;
                            need = 0;
                        }
                        Ok(Decoded::Need(bytes)) => {
                            prop_assert!(bytes > received - start, "asks for what is there");
                            need = bytes;
                        }
                        Err(error) => prop_assert!(false, "{error}"),
                    }
                }
                if received == stream.len() {
                    break;
                }
            }
            prop_assert_eq!((start, expected.next()), (stream.len(), None));
            let calls_max = CALLS_MAX * packets.len() + 1;
            prop_assert!(calls <= calls_max, "{calls} calls for {} packets", packets.len());
        }
    }

    /// What comes first from a server, and then whatever.
    #[test]
    fn a_server_begins_with_connack(
        (version, connack, packet) in version().prop_flat_map(|v| {
            (Just(v), connack(v), server_packet(v))
        }),
    ) {
        let connack = ServerPacket::ConnAck(connack);
        let packet_type = encode_server(&packet, version)[0] >> 4;
        let mut decoder = FromServer::new(version, LIMITS);
        let first = encode_server(&packet, version);
        let is_legal = packet_type == PacketType::ConnAck as u8
            || packet_type == PacketType::Auth as u8;
        prop_assert_eq!(decoder.decode(&first).is_ok(), is_legal);
        let mut decoder = FromServer::new(version, LIMITS);
        prop_assert!(decoder.decode(&encode_server(&connack, version)).is_ok());
        prop_assert!(decoder.decode(&first).is_ok());
    }
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn arbitrary_bytes_are_decoded_or_refused(
        version in version(),
        bytes in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        check_client_bytes(version, &bytes)?;
        check_server_bytes(version, &bytes)?;
        if let Ok(Decoded::Need(need)) = FromClient::new(LIMITS).decode(&bytes) {
            prop_assert!(need > bytes.len());
        }
    }

    #[test]
    fn a_damaged_client_packet_is_decoded_or_refused(
        (version, packet) in version().prop_flat_map(|v| (Just(v), client_packet(v))),
        damage in damage(),
    ) {
        let bytes = damaged(encode_client(&packet, version), &damage);
        check_client_bytes(version, &bytes)?;
    }

    /// What the decoder keeps of the packets before does not show: each is sent twice, whole, damaged and whole again.
    #[test]
    fn a_decoder_that_lends_topics_decodes_the_same(
        (version, packets) in version().prop_flat_map(|v| {
            (Just(v), prop::collection::vec(client_packet(v), 1..6))
        }),
        damage in damage(),
    ) {
        let (mut plain, mut lending) = (decoder_of_clients(version), decoder_of_clients(version));
        for packet in &packets {
            let whole = encode_client(packet, version);
            let damaged = damaged(whole.clone(), &damage);
            for bytes in [&whole, &whole, &damaged, &whole] {
                prop_assert_eq!(lending.decode_lending(bytes), plain.decode(bytes));
            }
        }
    }

    #[test]
    fn a_damaged_server_packet_is_decoded_or_refused(
        (version, packet) in version().prop_flat_map(|v| (Just(v), server_packet(v))),
        damage in damage(),
    ) {
        let bytes = damaged(encode_server(&packet, version), &damage);
        check_server_bytes(version, &bytes)?;
    }
}

proptest! {
    #![proptest_config(cases(2))]

    /// Every accessor finds its property, whatever stands around it.
    #[test]
    fn accessors_agree_with_the_walk(
        all in any_properties(&[
            0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x11, 0x12, 0x13, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A,
            0x1C, 0x1F, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A,
        ]),
    ) {
        let by_accessors = [
            all.payload_format_indicator().map(Property::PayloadFormatIndicator),
            all.message_expiry_interval().map(Property::MessageExpiryInterval),
            all.content_type().map(Property::ContentType),
            all.response_topic().map(Property::ResponseTopic),
            all.correlation_data().map(Property::CorrelationData),
            all.subscription_identifier().map(Property::SubscriptionIdentifier),
            all.session_expiry_interval().map(Property::SessionExpiryInterval),
            all.assigned_client_identifier().map(Property::AssignedClientIdentifier),
            all.server_keep_alive().map(Property::ServerKeepAlive),
            all.authentication_method().map(Property::AuthenticationMethod),
            all.authentication_data().map(Property::AuthenticationData),
            all.request_problem_information().map(Property::RequestProblemInformation),
            all.will_delay_interval().map(Property::WillDelayInterval),
            all.request_response_information().map(Property::RequestResponseInformation),
            all.response_information().map(Property::ResponseInformation),
            all.server_reference().map(Property::ServerReference),
            all.reason_string().map(Property::ReasonString),
            all.receive_maximum().map(Property::ReceiveMaximum),
            all.topic_alias_maximum().map(Property::TopicAliasMaximum),
            all.topic_alias().map(Property::TopicAlias),
            all.maximum_qos().map(Property::MaximumQoS),
            all.retain_available().map(Property::RetainAvailable),
            all.user_properties().next().map(|(name, value)| Property::UserProperty(name, value)),
            all.maximum_packet_size().map(Property::MaximumPacketSize),
            all.wildcard_subscription_available().map(Property::WildcardSubscriptionAvailable),
            all.subscription_identifiers_available().map(Property::SubscriptionIdentifierAvailable),
            all.shared_subscription_available().map(Property::SharedSubscriptionAvailable),
        ];
        let mut first_of_each: Vec<Property<'_>> = Vec::new();
        for property in all.iter() {
            if first_of_each.iter().all(|other| other.id() != property.id()) {
                first_of_each.push(property);
            }
        }
        first_of_each.sort_by_key(Property::id);
        prop_assert_eq!(by_accessors.into_iter().flatten().collect::<Vec<_>>(), first_of_each);
    }
}

/// So many times the usual number, which `PROPTEST_CASES` sets. Seeds of failures are printed and kept beside this file.
fn cases(times: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases * times,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("seeds"))),
        ..usual
    }
}

/// What is decoded can be encoded, and is the same then.
fn check_client_bytes(version: Version, bytes: &[u8]) -> Result<(), TestCaseError> {
    match decoder_of_clients(version).decode(bytes) {
        Ok(Decoded::Packet { packet, len }) => {
            prop_assert!(len <= bytes.len());
            let bytes = Bytes::copy_from_slice(&bytes[..len]);
            prop_assert_eq!(&decode_again(&bytes, version), &packet);
            let again = Bytes::from(encode_client(&packet, version));
            prop_assert_eq!(&decode_again(&again, version), &packet);
        }
        Ok(Decoded::Need(need)) => prop_assert!(need > bytes.len()),
        Err(error) => prop_assert!(error.reason().is_error(), "{error}"),
    }
    Ok(())
}

fn check_server_bytes(version: Version, bytes: &[u8]) -> Result<(), TestCaseError> {
    let mut decoder = decoder_of_servers(version);
    match decoder.decode(bytes) {
        Ok(Decoded::Packet { packet, len }) => {
            prop_assert!(len <= bytes.len());
            let again = encode_server(&packet, version);
            let len = again.len();
            prop_assert_eq!(decoder.decode(&again), Ok(Decoded::Packet { packet, len }));
        }
        Ok(Decoded::Need(need)) => prop_assert!(need > bytes.len()),
        Err(error) => prop_assert!(error.reason().is_error(), "{error}"),
    }
    Ok(())
}

/// One way to spoil bytes. Positions are taken modulo their number.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Set(usize, u8),
    Flip(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    /// Removes a byte and has the remaining length say so.
    Shorten(usize),
    /// Inserts a byte and has the remaining length say so.
    Lengthen(usize, u8),
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let at = any::<usize>;
    let one = prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        at().prop_map(Damage::Remove),
        at().prop_map(Damage::Shorten),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Lengthen(at, byte)),
    ];
    prop::collection::vec(one, 1..4)
}

fn damaged(mut bytes: Vec<u8>, damage: &[Damage]) -> Vec<u8> {
    for &damage in damage {
        if bytes.len() < 2 {
            break;
        }
        let len = bytes.len();
        match damage {
            Damage::Set(at, byte) => bytes[at % len] = byte,
            Damage::Flip(at, bit) => bytes[at % len] ^= 1 << bit,
            Damage::Insert(at, byte) => bytes.insert(at % len, byte),
            Damage::Remove(at) => drop(bytes.remove(at % len)),
            Damage::Shorten(at) if len > 2 && bytes[1] > 0 => {
                bytes.remove(2 + at % (len - 2));
                bytes[1] -= 1;
            }
            Damage::Lengthen(at, byte) => {
                bytes.insert(2 + at % (len - 1), byte);
                bytes[1] = bytes[1].wrapping_add(1);
            }
            Damage::Shorten(_) => {}
        }
    }
    bytes
}

/// The same packet by the functions that a broker uses; `None` where there is none for it.
fn written_hot(packet: &ServerPacket<'_>, version: Version) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match packet {
        ServerPacket::Publish(publish) => {
            let form = PublishForm {
                version,
                topic: publish.topic,
                payload: publish.payload,
                payload_bytes: publish.payload.len(),
                qos: publish.qos,
                retain: publish.retain,
                dup: publish.dup,
                packet_id: publish.packet_id,
                properties: publish.properties,
                message_expiry_interval: None,
                subscription_identifiers: &[],
                topic_alias: None,
            };
            let at = put_publish(&mut out, &form);
            assert_eq!(out.len(), publish_len(&form));
            match publish.packet_id {
                Some(id) => assert_eq!(out[at..at + 2], id.get().to_be_bytes()),
                None => assert_eq!(at, 0),
            }
        }
        ServerPacket::PubAck(ack)
        | ServerPacket::PubRec(ack)
        | ServerPacket::PubRel(ack)
        | ServerPacket::PubComp(ack)
            if ack.properties.is_empty() =>
        {
            let packet_type = match packet {
                ServerPacket::PubAck(_) => PacketType::PubAck,
                ServerPacket::PubRec(_) => PacketType::PubRec,
                ServerPacket::PubRel(_) => PacketType::PubRel,
                _ => PacketType::PubComp,
            };
            put_ack(&mut out, version, packet_type, ack.packet_id, ack.reason);
        }
        ServerPacket::SubAck(ack) if ack.properties == Properties::EMPTY => {
            put_suback(&mut out, version, ack.packet_id, ack.codes);
        }
        ServerPacket::UnsubAck(ack) if ack.properties == Properties::EMPTY => {
            put_unsuback(&mut out, version, ack.packet_id, ack.codes);
        }
        ServerPacket::PingResp => put_pingresp(&mut out),
        _ => return None,
    }
    Some(out)
}

fn encode_client(packet: &ClientPacket<'_>, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    if let Err(error) = packet.encode(version, &mut out) {
        panic!("{error}: {packet:?}");
    }
    out
}

fn encode_server(packet: &ServerPacket<'_>, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    if let Err(error) = packet.encode(version, &mut out) {
        panic!("{error}: {packet:?}");
    }
    out
}

/// A decoder that has seen a CONNECT.
fn decoder_of_clients(version: Version) -> FromClient {
    let connect: &[u8] = match version {
        Version::V31 => b"\x10\x0F\0\x06MQIsdp\x03\x02\0\x3C\0\x01c",
        Version::V311 => b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01c",
        Version::V5 => b"\x10\x0E\0\x04MQTT\x05\x02\0\x3C\0\0\x01c",
    };
    let mut decoder = FromClient::new(LIMITS);
    decoder.decode(connect).expect("a CONNECT");
    decoder
}

/// A decoder that has seen a CONNACK.
fn decoder_of_servers(version: Version) -> FromServer {
    let connack: &[u8] = match version {
        Version::V31 | Version::V311 => b"\x20\x02\0\0",
        Version::V5 => b"\x20\x03\0\0\0",
    };
    let mut decoder = FromServer::new(version, LIMITS);
    decoder.decode(connack).expect("a CONNACK");
    decoder
}
