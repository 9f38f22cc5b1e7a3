//! Many clients, and clients that do not do their part.

use super::{
    client::{Client, Received, publish},
    serve::{Serve, start, start_with},
};
use sanderling_core::{
    config::Config,
    packet::{ClientPacket, QoS, Version},
    reason::ReasonCode,
};
use socket2::SockRef;
use std::{
    collections::HashMap,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

super::on_shipped_drivers! {
    a_hundred_publishers_to_one_subscriber_keep_their_order
    one_publisher_to_many_subscribers_loses_nothing
    a_reader_that_stopped_reading_delays_nobody_and_gets_what_was_acknowledged
    a_flooding_publisher_starves_nobody
    a_broker_stops_under_load_and_what_it_sent_is_whole
    a_peer_that_vanishes_while_output_waits_is_noticed
    a_healthy_reader_of_many_publishers_loses_nothing_of_qos_0
}

fn a_hundred_publishers_to_one_subscriber_keep_their_order<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut subscriber = Client::connect(address, "subscriber");
    subscriber.subscribe("fan/+", QoS::AtLeastOnce);
    const PUBLISHERS: usize = 100;
    const MESSAGES: u16 = 200;
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|number| {
            let mut client = Client::connect(address, &format!("publisher{number}"));
            thread::spawn(move || {
                let topic = format!("fan/{number}");
                for id in 1..=MESSAGES {
                    client.publish(&topic, &id.to_be_bytes(), QoS::AtLeastOnce, id);
                }
                for id in 1..=MESSAGES {
                    assert_eq!(client.receive(), Received::PubAck(id));
                }
            })
        })
        .collect();
    let mut next: HashMap<String, u16> = HashMap::new();
    for _ in 0..PUBLISHERS * usize::from(MESSAGES) {
        let Received::Publish {
            topic, payload, id, ..
        } = subscriber.receive()
        else {
            panic!("a PUBLISH was expected");
        };
        let expected = next.entry(topic).or_insert(1);
        assert_eq!(payload, expected.to_be_bytes());
        *expected += 1;
        subscriber.ack(ClientPacket::PubAck, id);
    }
    for publisher in publishers {
        publisher.join().unwrap();
    }
    subscriber.barrier();
}

fn one_publisher_to_many_subscribers_loses_nothing<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut subscribers: Vec<_> = (0..50)
        .map(|number| {
            let mut client = Client::connect(address, &format!("subscriber{number}"));
            client.subscribe("out", QoS::AtMostOnce);
            client
        })
        .collect();
    let mut publisher = Client::connect(address, "publisher");
    let mut batch = Vec::new();
    for number in 0..2000_u32 {
        batch.extend(publish(
            Version::V5,
            "out",
            &number.to_be_bytes(),
            QoS::AtMostOnce,
            0,
        ));
    }
    publisher.stream.write_all(&batch).unwrap();
    for client in &mut subscribers {
        for number in 0..2000_u32 {
            assert_eq!(client.receive_payload(), number.to_be_bytes());
        }
    }
}

fn a_reader_that_stopped_reading_delays_nobody_and_gets_what_was_acknowledged<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut stalled = Client::connect(address, "stalled");
    stalled.subscribe("news", QoS::AtLeastOnce);
    let mut reader = Client::connect(address, "reader");
    reader.subscribe("news", QoS::AtLeastOnce);
    let mut publisher = Client::connect(address, "publisher");
    let payload = vec![5; 60_000];
    // Far more than sockets and the broker's account of a connection hold.
    for id in 1..=400 {
        publisher.publish("news", &payload, QoS::AtLeastOnce, id);
        assert_eq!(publisher.receive(), Received::PubAck(id));
        let Received::Publish { id, .. } = reader.receive() else {
            panic!("a PUBLISH was expected");
        };
        reader.ack(ClientPacket::PubAck, id);
    }
    for _ in 1..=400 {
        let Received::Publish {
            id, payload: got, ..
        } = stalled.receive()
        else {
            panic!("a PUBLISH was expected");
        };
        assert!(got == payload);
        stalled.ack(ClientPacket::PubAck, id);
    }
    stalled.barrier();
}

fn a_flooding_publisher_starves_nobody<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut flood = Client::connect(address, "flood");
    let done = Arc::new(AtomicBool::new(false));
    let flooding = thread::spawn({
        let done = done.clone();
        move || {
            let batch = publish(Version::V5, "flood", &[0; 16], QoS::AtMostOnce, 0).repeat(5000);
            while !done.load(Ordering::Relaxed) {
                flood.stream.write_all(&batch).unwrap();
            }
        }
    });
    let mut calm = Client::connect(address, "calm");
    calm.subscribe("calm", QoS::AtLeastOnce);
    for id in 1..=200 {
        calm.publish("calm", b"payload", QoS::AtLeastOnce, id);
        let mut acknowledged = 0;
        for _ in 0..2 {
            match calm.receive() {
                Received::Publish { id, .. } => {
                    calm.ack(ClientPacket::PubAck, id);
                }
                Received::PubAck(acked) => acknowledged = acked,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(acknowledged, id);
    }
    done.store(true, Ordering::Relaxed);
    flooding.join().unwrap();
}

fn a_peer_that_vanishes_while_output_waits_is_noticed<D: Serve>() {
    let served = start::<D>();
    let mut stalled = Client::connect(served.address, "stalled");
    stalled.subscribe("t", QoS::AtMostOnce);
    let mut publisher = Client::connect(served.address, "publisher");
    // More than the sockets hold, so that something waits in the broker.
    for _ in 0..200 {
        publisher.publish("t", &[0; 60_000], QoS::AtMostOnce, 0);
    }
    publisher.barrier();
    SockRef::from(&stalled.stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stalled);
    while served.handle.statistics().unwrap().connections_current > 1 {
        publisher.barrier();
    }
    publisher.barrier();
}

fn a_healthy_reader_of_many_publishers_loses_nothing_of_qos_0<D: Serve>() {
    const PUBLISHERS: usize = 40;
    const MESSAGES: usize = 1500;
    let served = start::<D>();
    let mut reader = Client::connect(served.address, "reader");
    reader.subscribe("t", QoS::AtMostOnce);
    let batch = publish(Version::V5, "t", &[0; 50], QoS::AtMostOnce, 0).repeat(MESSAGES);
    let mut publishers: Vec<_> = (0..PUBLISHERS)
        .map(|number| Client::connect(served.address, &format!("publisher {number}")))
        .collect();
    let reading = thread::spawn(move || {
        for _ in 0..PUBLISHERS * MESSAGES {
            reader.receive_payload();
        }
    });
    for publisher in &mut publishers {
        publisher.stream.write_all(&batch).unwrap();
    }
    for publisher in &mut publishers {
        publisher.barrier();
    }
    assert_eq!(served.handle.statistics().unwrap().messages_dropped, [0; 3]);
    reading.join().unwrap();
}

fn a_broker_stops_under_load_and_what_it_sent_is_whole<D: Serve>() {
    // Little enough that a slow subscriber has taken it before the broker gives up.
    let mut config = Config::default();
    config.limits.outbound_bytes_max = 64 << 10;
    let served = start_with::<D>(|builder| builder.config(config));
    let address = served.address;
    let mut subscriber = Client::connect(address, "subscriber");
    subscriber.subscribe("load", QoS::AtMostOnce);
    let (begun, begins) = mpsc::channel();
    let publishers: Vec<_> = (0..4)
        .map(|number| {
            let mut client = Client::connect(address, &format!("publisher{number}"));
            let begun = begun.clone();
            thread::spawn(move || {
                let batch = publish(Version::V5, "load", &[7; 100], QoS::AtMostOnce, 0).repeat(100);
                client.stream.write_all(&batch).unwrap();
                begun.send(()).unwrap();
                while client.stream.write_all(&batch).is_ok() {}
            })
        })
        .collect();
    for _ in 0..4 {
        begins.recv().unwrap();
    }
    let mut messages = 0;
    while messages < 1000 {
        assert_eq!(subscriber.receive_payload(), [7; 100]);
        messages += 1;
    }
    served.handle.stop();
    loop {
        match subscriber.receive() {
            Received::Publish { payload, .. } => assert_eq!(payload, [7; 100]),
            Received::Disconnect(reason) => {
                assert_eq!(reason, ReasonCode::SERVER_SHUTTING_DOWN);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(subscriber.receive(), Received::Closed);
    drop(subscriber);
    for publisher in publishers {
        publisher.join().unwrap();
    }
    served.join();
}
