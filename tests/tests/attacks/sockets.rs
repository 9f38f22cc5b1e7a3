//! What only sockets can show, over the drivers that ship. (A05, A72, A74)

#[path = "../drivers/client.rs"]
#[allow(dead_code, reason = "the tests of the drivers use the rest")]
mod client;
#[path = "../drivers/serve.rs"]
#[allow(dead_code, reason = "the tests of the drivers use the rest")]
mod serve;

use super::packets;
use client::{Client, Received};
use sanderling_core::{
    packet::{ClientPacket, QoS, Version},
    reason::ReasonCode,
};
use serve::{Serve, start};
use socket2::SockRef;
use std::{
    collections::HashMap,
    io::Write,
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

#[test]
fn a72_a_thousand_connects_at_once_wait_for_no_retry_of_the_network_on_mio() {
    connect_a_thousand::<sanderling_mio::Broker>();
}

#[test]
fn a72_a_thousand_connects_at_once_wait_for_no_retry_of_the_network_on_tokio() {
    connect_a_thousand::<sanderling_tokio::Broker>();
}

#[test]
fn a74_order_within_a_topic_holds_under_load_at_every_qos_on_mio() {
    keep_order::<sanderling_mio::Broker>();
}

#[test]
fn a74_order_within_a_topic_holds_under_load_at_every_qos_on_tokio() {
    keep_order::<sanderling_tokio::Broker>();
}

/// A connection that the backlog has no room for is tried again by the network after a second.
fn connect_a_thousand<D: Serve>() {
    const THREADS: usize = 20;
    const EACH: usize = 50;
    let served = start::<D>();
    let address = served.address;
    let attempt = |attempt: usize| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| thread::spawn(move || time_connects(address, attempt, thread, EACH)))
            .collect();
        let times = threads.into_iter().map(|thread| thread.join().unwrap());
        let mut times: Vec<Duration> = times.flatten().collect();
        times.sort();
        times[times.len() * 99 / 100]
    };
    // A busy machine may be slow many times; a backlog that is too short is always.
    let mut times = Vec::new();
    let is_quick = |time: Duration| {
        times.push(time);
        time < Duration::from_secs(1)
    };
    assert!(
        (0..20).map(attempt).any(is_quick),
        "99 of 100 connect within {times:?}"
    );
}

/// Opens all, then waits for all.
fn time_connects(
    address: SocketAddr,
    attempt: usize,
    thread: usize,
    count: usize,
) -> Vec<Duration> {
    let opened: Vec<_> = (0..count)
        .map(|number| {
            let start = Instant::now();
            let mut client = Client::open(address, Version::V5);
            client.say_connect(&format!("{attempt} {thread} {number}"));
            (start, client)
        })
        .collect();
    opened
        .into_iter()
        .map(|(start, mut client)| {
            assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
            start.elapsed()
        })
        .collect()
}

fn keep_order<D: Serve>() {
    const PUBLISHERS: usize = 8;
    const MESSAGES: u16 = 300;
    for qos in QOS {
        let served = start::<D>();
        let address = served.address;
        let mut reader = Client::connect(address, "reader");
        reader.subscribe("t/+", qos);
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|number| thread::spawn(move || publish_all(address, number, qos, MESSAGES)))
            .collect();
        let mut next: HashMap<String, u16> = HashMap::new();
        let mut left = PUBLISHERS * usize::from(MESSAGES);
        while left > 0 {
            match reader.receive() {
                Received::Publish {
                    topic,
                    payload,
                    qos,
                    id,
                } => {
                    let expected = next.entry(topic).or_insert(1);
                    assert_eq!(payload, expected.to_be_bytes());
                    *expected += 1;
                    left -= 1;
                    match qos {
                        QoS::AtMostOnce => {}
                        QoS::AtLeastOnce => reader.ack(ClientPacket::PubAck, id),
                        QoS::ExactlyOnce => reader.ack(ClientPacket::PubRec, id),
                    }
                }
                Received::PubRel(id) => reader.ack(ClientPacket::PubComp, id),
                other => panic!("{other:?}"),
            }
        }
        for publisher in publishers {
            publisher.join().unwrap();
        }
    }
}

/// Publishes the numbers from 1 on to a topic of its own, all at once, and ends every exchange.
fn publish_all(address: SocketAddr, number: usize, qos: QoS, count: u16) {
    let mut client = Client::connect(address, &format!("publisher {number}"));
    for id in 1..=count {
        client.publish(&format!("t/{number}"), &id.to_be_bytes(), qos, id);
    }
    let mut open = if qos == QoS::AtMostOnce { 0 } else { count };
    while open > 0 {
        match client.receive() {
            Received::PubRec(id) => client.ack(ClientPacket::PubRel, id),
            Received::PubAck(_) | Received::PubComp(_) => open -= 1,
            other => panic!("{other:?}"),
        }
    }
    client.barrier();
}

#[test]
fn a05_whatever_attackers_write_others_lose_nothing_on_mio() {
    withstand::<sanderling_mio::Broker>();
}

#[test]
fn a05_whatever_attackers_write_others_lose_nothing_on_tokio() {
    withstand::<sanderling_tokio::Broker>();
}

/// Many connections with every kind of bytes, while a client sends itself messages.
fn withstand<D: Serve>() {
    const ATTACKERS: u64 = 8;
    const CONNECTIONS: u64 = 100;
    const MESSAGES: u16 = 500;
    let served = start::<D>();
    let address = served.address;
    let mut good = Client::connect(address, "good");
    good.subscribe("good", QoS::AtLeastOnce);
    let attackers: Vec<_> = (0..ATTACKERS)
        .map(|attacker| {
            thread::spawn(move || {
                for number in 0..CONNECTIONS {
                    let seed = attacker * CONNECTIONS + number;
                    attack(address, seed);
                }
            })
        })
        .collect();
    for id in 1..=MESSAGES {
        good.publish("good", &id.to_be_bytes(), QoS::AtLeastOnce, id);
        let mut is_acknowledged = false;
        let mut is_received = false;
        while !(is_acknowledged && is_received) {
            match good.receive() {
                Received::PubAck(acknowledged) if acknowledged == id => is_acknowledged = true,
                Received::Publish {
                    payload,
                    id: packet_id,
                    ..
                } => {
                    assert_eq!(payload, id.to_be_bytes());
                    good.ack(ClientPacket::PubAck, packet_id);
                    is_received = true;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    for attacker in attackers {
        attacker.join().unwrap();
    }
    good.barrier();
}

/// One connection: perhaps a CONNECT, then packets of which some bytes were changed, then perhaps a reset. What comes of
/// it is the broker's business; that it does not read any more, too.
fn attack(address: SocketAddr, seed: u64) {
    let mut dice = Dice(seed);
    let Ok(mut stream) = TcpStream::connect(address) else {
        return;
    };
    let mut bytes = Vec::new();
    if dice.below(4) > 0 {
        let client_id = format!("attacker {}", dice.below(5));
        let packet = ClientPacket::Connect(Box::new(packets::connect(&client_id)));
        bytes.extend(packets::encoded(&packet, Version::V5));
    }
    for _ in 0..dice.below(30) {
        let packet = match dice.below(5) {
            0 => packets::subscribe(["#", "$share/g/+"], QoS::ExactlyOnce),
            1 => packets::publish("bad", &[7; 300], QoS::ExactlyOnce, 1 + dice.below(3) as u16),
            2 => packets::ack(ClientPacket::PubRel, 1 + dice.below(3) as u16),
            3 => packets::unsubscribe(["#"]),
            _ => ClientPacket::PingReq,
        };
        let mut packet = packets::encoded(&packet, Version::V5);
        if dice.below(8) == 0 {
            let at = dice.below(packet.len() as u64) as usize;
            packet[at] = dice.below(256) as u8;
        }
        bytes.extend(packet);
    }
    let _ = stream.write_all(&bytes);
    if dice.below(2) == 0 {
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }
}

/// Numbers by a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % end
    }
}
