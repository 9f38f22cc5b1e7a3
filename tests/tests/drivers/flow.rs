//! One or two clients: every packet comes back over the wire as the standard says.

use super::{
    client::{Client, Received, publish},
    serve::{Serve, start},
};
use sanderling_core::{
    packet::{ClientPacket, QoS, Version},
    reason::ReasonCode,
};
use std::{io::Write, net::Shutdown};

super::on_every_driver! {
    a_message_of_each_qos_comes_through
    packets_may_come_byte_by_byte_and_all_at_once
    large_messages_come_through_unharmed
    a_second_connection_takes_the_session_over
    a_client_that_breaks_a_rule_reads_the_reason_before_the_end
    a_client_that_closes_its_side_early_gets_its_answers
    a_disconnect_ends_the_connection
    slots_are_used_again
}

fn a_message_of_each_qos_comes_through<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut subscriber = Client::connect(address, "subscriber");
    subscriber.subscribe("t/#", QoS::ExactlyOnce);
    let mut publisher = Client::connect(address, "publisher");

    publisher.publish("t/0", b"zero", QoS::AtMostOnce, 0);
    publisher.publish("t/1", b"one", QoS::AtLeastOnce, 7);
    assert_eq!(publisher.receive(), Received::PubAck(7));
    publisher.publish("t/2", b"two", QoS::ExactlyOnce, 9);
    assert_eq!(publisher.receive(), Received::PubRec(9));
    publisher.ack(ClientPacket::PubRel, 9);
    assert_eq!(publisher.receive(), Received::PubComp(9));

    let mut message = |topic: &str, payload: &[u8], qos, id| {
        let expected = Received::Publish {
            topic: topic.into(),
            payload: payload.into(),
            qos,
            id,
        };
        assert_eq!(subscriber.receive(), expected);
    };
    message("t/0", b"zero", QoS::AtMostOnce, 0);
    message("t/1", b"one", QoS::AtLeastOnce, 1);
    message("t/2", b"two", QoS::ExactlyOnce, 2);
    subscriber.ack(ClientPacket::PubAck, 1);
    subscriber.ack(ClientPacket::PubRec, 2);
    assert_eq!(subscriber.receive(), Received::PubRel(2));
    subscriber.ack(ClientPacket::PubComp, 2);
    subscriber.barrier();
}

fn packets_may_come_byte_by_byte_and_all_at_once<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut client = Client::open(address, Version::V311);
    client.say_connect("slow");
    assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    client.subscribe("a", QoS::AtMostOnce);
    let one = publish(Version::V311, "a", b"payload", QoS::AtMostOnce, 0);
    for byte in &one {
        client.stream.write_all(&[*byte]).unwrap();
    }
    client.stream.write_all(&one.repeat(1000)).unwrap();
    for _ in 0..1001 {
        assert_eq!(client.receive_payload(), b"payload");
    }
}

fn large_messages_come_through_unharmed<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut subscribers: Vec<_> = (0..3)
        .map(|number| {
            let mut client = Client::connect(address, &format!("subscriber{number}"));
            client.subscribe("large", QoS::AtLeastOnce);
            client
        })
        .collect();
    let payloads: Vec<Vec<u8>> = [1 << 20, 70_000, 5000, 4096, 4095, 1]
        .iter()
        .map(|len| {
            (0..len - 100_i32.min(len - 1))
                .map(|at| (at * 31 / 7) as u8)
                .collect()
        })
        .collect();
    let mut publisher = Client::connect(address, "publisher");
    let sender = std::thread::spawn({
        let payloads = payloads.clone();
        move || {
            for (payload, id) in payloads.iter().zip(1..) {
                publisher.publish("large", payload, QoS::AtLeastOnce, id);
            }
            for id in 1..=payloads.len() as u16 {
                assert_eq!(publisher.receive(), Received::PubAck(id));
            }
        }
    });
    for client in &mut subscribers {
        for payload in &payloads {
            assert!(
                client.receive_payload() == *payload,
                "{} bytes",
                payload.len()
            );
        }
    }
    sender.join().unwrap();
}

fn a_second_connection_takes_the_session_over<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut first = Client::connect(address, "same");
    first.subscribe("a", QoS::AtMostOnce);
    let mut second = Client::connect(address, "same");
    assert_eq!(
        first.receive(),
        Received::Disconnect(ReasonCode::SESSION_TAKEN_OVER)
    );
    assert_eq!(first.receive(), Received::Closed);
    second.barrier();
}

fn a_client_that_breaks_a_rule_reads_the_reason_before_the_end<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut client = Client::connect(address, "wrong");
    // What follows the bad packet is not read, and must not destroy the answer by a reset.
    client.stream.write_all(b"\x00\x00").unwrap();
    client.stream.write_all(&[0xC0; 100_000]).unwrap();
    assert_eq!(
        client.receive(),
        Received::Disconnect(ReasonCode::MALFORMED_PACKET)
    );
    assert_eq!(client.receive(), Received::Closed);
}

fn a_client_that_closes_its_side_early_gets_its_answers<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut client = Client::open(address, Version::V5);
    client.say_connect("half");
    client.send(&ClientPacket::PingReq);
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    assert_eq!(client.receive(), Received::PingResp);
    assert_eq!(client.receive(), Received::Closed);
}

fn a_disconnect_ends_the_connection<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut client = Client::connect(address, "gone");
    client.disconnect();
    assert_eq!(client.receive(), Received::Closed);
    let statistics = served.handle.statistics().unwrap();
    assert_eq!(statistics.clients_disconnected, 1);
}

fn slots_are_used_again<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    for round in 0..200 {
        let mut clients: Vec<_> = (0..5)
            .map(|number| Client::connect(address, &format!("{round}-{number}")))
            .collect();
        clients[0].barrier();
        clients.rotate_left(round % 5);
    }
    let mut last = Client::connect(address, "last");
    last.barrier();
    let statistics = served.handle.statistics().unwrap();
    assert_eq!(statistics.clients_connected, 1001);
}
