//! Listeners that differ: proxies in front of some, deadlines for every layer, bounds and hooks of their own.

use super::{
    client::{Client, Received},
    serve::{Serve, Served},
};
use sanderling_core::{
    broker::Link,
    config::{Config, Limits, ListenerLimits},
    hooks::{Context, End, HookSet, Hooks, Notice, Ruling},
    packet::{Connect, QoS, Version},
    reason::ReasonCode,
};
use sanderling_runtime::{Builder, Listener, Proxies, WebSocketOptions};
use sanderling_tests::peer::{self, Below, Certificates, Cut};
use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

super::on_shipped_drivers! {
    t1_ipv6_is_an_address_like_any_other
    what_a_proxy_says_of_a_client_is_what_hooks_see
    a11_only_named_proxies_are_believed_and_nobody_else_is_served
    a11_a_proxy_cannot_make_a_client_a_local_one
    a10_half_open_handshakes_keep_nobody_out
    a12_every_layer_has_its_time
    a12_a_packet_that_was_begun_has_its_time
    a12_output_that_nobody_takes_has_its_time
    a_listener_has_its_own_bounds
    a_listener_that_wants_names_lets_nobody_in_without
    hooks_may_be_for_one_listener
}

const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(3600);

fn start_on<D: Serve>(make: impl FnOnce(Builder<D>) -> Builder<D>) -> Served {
    D::serve(make(Builder::default()))
}

fn open(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything until the broker closes.
fn read_to_the_end(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// Tells what it sees.
struct Watch(Sender<String>);

impl Watch {
    fn new() -> (Self, Receiver<String>) {
        let (sender, receiver) = channel();
        (Self(sender), receiver)
    }

    fn tell(&self, what: String) {
        // After the test nobody listens.
        let _ = self.0.send(what);
    }
}

impl Hooks for Watch {
    fn wants(&self) -> HookSet {
        HookSet::ACCEPT | HookSet::CONNECT | HookSet::NOTICE
    }

    fn accept(&mut self, link: &Link, _: &mut Context<'_>) -> bool {
        let local = if link.is_local() { "local" } else { "remote" };
        let remote = link.remote.map(|remote| remote.ip());
        self.tell(format!("accept {remote:?} {local}"));
        true
    }

    fn connect(&mut self, link: &Link, connect: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        let remote = link.remote.map(|remote| remote.ip());
        self.tell(format!("connect {} {remote:?}", connect.client_id));
        Ruling::Permit
    }

    fn notice(&mut self, notice: &Notice<'_>, _: &mut Context<'_>) {
        if let Notice::Ended { end, .. } = notice {
            self.tell(match end {
                End::Faulted(fault) => format!("ended {fault}"),
                End::Refused(refusal) => format!("ended {}", refusal.rule),
                other => format!("ended {other}"),
            });
        }
    }
}

fn loopback_proxies() -> Proxies {
    let addresses: [IpAddr; 1] = [[127, 0, 0, 1].into()];
    addresses.into_iter().collect()
}

fn t1_ipv6_is_an_address_like_any_other<D: Serve>() {
    if TcpListener::bind("[::1]:0").is_err() {
        // This machine has none.
        return;
    }
    let (watch, seen) = Watch::new();
    let served = start_on::<D>(|builder| builder.hook(watch).listen("[::1]:0").unwrap());
    assert!(served.address.is_ipv6() && served.address.port() != 0);
    let mut client = Client::connect(served.address, "six");
    client.subscribe("t", QoS::AtMostOnce);
    client.publish("t", b"x", QoS::AtMostOnce, 0);
    assert!(matches!(client.receive(), Received::Publish { .. }));
    assert_eq!(seen.recv().unwrap(), "accept Some(::1) local");
}

fn what_a_proxy_says_of_a_client_is_what_hooks_see<D: Serve>() {
    let (watch, seen) = Watch::new();
    let served = start_on::<D>(|builder| {
        let listener = Listener::tcp("127.0.0.1:0").proxied(loopback_proxies());
        builder.hook(watch).listener(listener).unwrap()
    });
    let mut client = Client::open(served.address, Version::V5);
    let header = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 1883\r\n";
    client.stream.write_all(header).unwrap();
    client.say_connect("behind");
    assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    assert_eq!(seen.recv().unwrap(), "accept Some(192.0.2.7) remote");
    assert_eq!(seen.recv().unwrap(), "connect behind Some(192.0.2.7)");
}

fn a11_only_named_proxies_are_believed_and_nobody_else_is_served<D: Serve>() {
    let (watch, seen) = Watch::new();
    let served = start_on::<D>(|builder| {
        let elsewhere: [IpAddr; 1] = [[192, 0, 2, 1].into()];
        let listener = Listener::tcp("127.0.0.1:0").proxied(elsewhere.into_iter().collect());
        builder.hook(watch).listener(listener).unwrap()
    });
    let mut stream = open(served.address);
    let header = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 1883\r\n";
    stream.write_all(header).unwrap();
    assert!(read_to_the_end(stream).is_empty());
    assert_eq!(
        seen.recv().unwrap(),
        "ended PROXY: the peer is not one of the proxies that are trusted"
    );
}

fn a11_a_proxy_cannot_make_a_client_a_local_one<D: Serve>() {
    let (watch, seen) = Watch::new();
    let served = start_on::<D>(|builder| {
        let listener = Listener::tcp("127.0.0.1:0").proxied(loopback_proxies());
        builder.hook(watch).listener(listener).unwrap()
    });
    let mut stream = open(served.address);
    let header = b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 1883\r\n";
    stream.write_all(header).unwrap();
    assert_eq!(seen.recv().unwrap(), "accept Some(127.0.0.1) remote");
}

/// Half of them stop in the middle of what they say first, the others when the broker has answered.
fn a10_half_open_handshakes_keep_nobody_out<D: Serve>() {
    const HALF_OPEN: usize = 500;
    const GOOD: usize = 20;
    let served = start_on::<D>(|builder| {
        let limits = ListenerLimits {
            tls_deadline: Some(LONG),
            ..ListenerLimits::default()
        };
        let listener = Listener::tcp("127.0.0.1:0").tls(Certificates::get().server("server"));
        builder.listener(listener.limits(limits)).unwrap()
    });
    let crowd: Vec<_> = (0..HALF_OPEN)
        .map(|number| {
            let hello = peer::Link::new(Below::Tls, Cut::default()).take_wire();
            let mut stream = open(served.address);
            let is_whole = number % 2 == 0;
            let len = if is_whole {
                hello.len()
            } else {
                hello.len() / 2
            };
            stream.write_all(&hello[..len]).unwrap();
            if is_whole {
                stream.read_exact(&mut [0]).unwrap();
            }
            stream
        })
        .collect();
    let good: Vec<_> = (0..GOOD)
        .map(|number| connect_over_tls(served.address, &format!("good-{number}")))
        .collect();
    let statistics = served.handle.statistics().unwrap();
    assert_eq!(statistics.clients_connected, GOOD as u64);
    for mut stream in crowd {
        stream.set_nonblocking(true).unwrap();
        let mut rest = [0; 8192];
        // What the broker had answered may be there still; its end is not.
        while let Ok(read) = stream.read(&mut rest) {
            assert_ne!(read, 0, "each has its time");
        }
    }
    drop(good);
}

/// Up to CONNACK.
fn connect_over_tls(address: SocketAddr, client_id: &str) -> TcpStream {
    let mut link = peer::Link::new(Below::Tls, Cut::default());
    let mut stream = open(address);
    let mut connect = vec![0x10, 12 + client_id.len() as u8];
    connect.extend(b"\0\x04MQTT\x04\x02\0\0\0");
    connect.push(client_id.len() as u8);
    connect.extend(client_id.as_bytes());
    link.send(&connect);
    let mut answer = Vec::new();
    while answer.len() < 4 {
        stream.write_all(&link.take_wire()).unwrap();
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "the broker lets it in");
        link.receive(&buffer[..read]).unwrap();
        answer.extend(link.take_plain());
    }
    assert_eq!(answer, [0x20, 2, 0, 0]);
    stream
}

/// [P1]
fn a12_every_layer_has_its_time<D: Serve>() {
    let listener = || Listener::tcp("127.0.0.1:0");
    let proxied = listener().proxied(loopback_proxies());
    let tls = listener().tls(Certificates::get().server("server"));
    let websocket = listener().websocket(WebSocketOptions::default());
    let plain = listener();
    let begun: [(Listener, &[u8], &str); 4] = [
        (proxied, b"PROXY TCP4 192.0.2.7 ", "limit proxy_deadline"),
        (tls, b"\x16\x03\x01\x02", "limit tls_deadline"),
        (
            websocket,
            b"GET /mqtt HTTP/1.1\r\n",
            "limit upgrade_deadline",
        ),
        (plain, b"\x10\x0c\0\x04MQ", "limit connect_deadline"),
    ];
    for (listener, bytes, rule) in begun {
        let (watch, seen) = Watch::new();
        // Only the deadline in question is short.
        let short = |other: &str| if other == rule { SHORT } else { LONG };
        let limits = ListenerLimits {
            proxy_deadline: Some(short("limit proxy_deadline")),
            tls_deadline: Some(short("limit tls_deadline")),
            upgrade_deadline: Some(short("limit upgrade_deadline")),
            connect_deadline: Some(short("limit connect_deadline")),
            ..ListenerLimits::default()
        };
        let served = start_on::<D>(|builder| {
            builder
                .hook(watch)
                .listener(listener.limits(limits))
                .unwrap()
        });
        let mut stream = open(served.address);
        stream.write_all(bytes).unwrap();
        read_to_the_end(stream);
        let ended = seen.iter().find(|what| what.starts_with("ended")).unwrap();
        assert_eq!(ended, format!("ended {rule}"));
    }
}

fn a12_a_packet_that_was_begun_has_its_time<D: Serve>() {
    let (watch, seen) = Watch::new();
    let served = start_on::<D>(|builder| {
        let limits = Limits {
            packet_deadline: SHORT,
            ..Limits::default()
        };
        let config = Config {
            limits,
            ..Config::default()
        };
        builder
            .config(config)
            .hook(watch)
            .listen("127.0.0.1:0")
            .unwrap()
    });
    let mut client = Client::connect(served.address, "slow");
    client.stream.write_all(&[0x30, 100, 0, 1]).unwrap();
    assert_eq!(
        client.receive(),
        Received::Disconnect(ReasonCode::UNSPECIFIED_ERROR)
    );
    assert_eq!(client.receive(), Received::Closed);
    let ended = seen.iter().find(|what| what.starts_with("ended")).unwrap();
    assert_eq!(ended, "ended limit packet_deadline");
}

fn a12_output_that_nobody_takes_has_its_time<D: Serve>() {
    let (watch, seen) = Watch::new();
    let served = start_on::<D>(|builder| {
        let limits = Limits {
            output_deadline: SHORT,
            ..Limits::default()
        };
        let config = Config {
            limits,
            ..Config::default()
        };
        builder
            .config(config)
            .hook(watch)
            .listen("127.0.0.1:0")
            .unwrap()
    });
    let mut stalled = Client::connect(served.address, "stalled");
    stalled.subscribe("t", QoS::AtMostOnce);
    let mut publisher = Client::connect(served.address, "publisher");
    let payload = vec![0; 100_000];
    // Until the buffers of the network are full, and one that is not read is gone.
    let ended = loop {
        publisher.publish("t", &payload, QoS::AtMostOnce, 0);
        publisher.barrier();
        if let Some(ended) = seen.try_iter().find(|what| what.starts_with("ended")) {
            break ended;
        }
    };
    assert_eq!(ended, "ended limit output_deadline");
    drop(stalled);
}

fn a_listener_has_its_own_bounds<D: Serve>() {
    let served = start_on::<D>(|builder| {
        let limits = ListenerLimits {
            connections_max: Some(1),
            packet_bytes_max: Some(100),
            ..ListenerLimits::default()
        };
        let narrow = Listener::tcp("127.0.0.1:0").limits(limits);
        builder.listener(narrow).unwrap()
    });
    let mut client = Client::connect(served.address, "one");
    assert!(
        read_to_the_end(open(served.address)).is_empty(),
        "one is enough"
    );
    client.publish("t", &[0; 200], QoS::AtMostOnce, 0);
    assert_eq!(
        client.receive(),
        Received::Disconnect(ReasonCode::PACKET_TOO_LARGE)
    );
    assert_eq!(client.receive(), Received::Closed);
}

fn a_listener_that_wants_names_lets_nobody_in_without<D: Serve>() {
    let served = start_on::<D>(|builder| {
        let listener = Listener::tcp("127.0.0.1:0").anonymous(false);
        builder.listener(listener).unwrap()
    });
    let mut client = Client::open(served.address, Version::V5);
    client.say_connect("nobody");
    assert_eq!(
        client.receive(),
        Received::ConnAck(ReasonCode::NOT_AUTHORIZED)
    );
    assert_eq!(client.receive(), Received::Closed);
    // A name that nobody looks into is none: without a hook that does, it is as good as any.
    let mut stream = open(served.address);
    let named = b"\x10\x10\0\x04MQTT\x04\x82\0\0\0\x01c\0\x01u";
    stream.write_all(named).unwrap();
    assert_eq!(read_to_the_end(stream), [0x20, 2, 0, 5]);
}

fn hooks_may_be_for_one_listener<D: Serve>() {
    struct Refuse;

    impl Hooks for Refuse {
        fn wants(&self) -> HookSet {
            HookSet::CONNECT
        }

        fn connect(&mut self, _: &Link, _: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
            Ruling::Refuse(ReasonCode::BANNED)
        }
    }

    let served = |name: &str| {
        start_on::<D>(|builder| {
            let listener = |name| Listener::tcp("127.0.0.1:0").named(name);
            let builder = builder.listener(listener(name)).unwrap();
            let builder = builder.listener(listener("outside")).unwrap();
            builder.hook_on(&["outside"], Refuse)
        })
    };
    let outcome = |served: &Served| {
        let mut client = Client::open(served.address, Version::V5);
        client.say_connect("c");
        client.receive()
    };
    let (inside, outside) = (served("inside"), served("outside"));
    assert_eq!(outcome(&inside), Received::ConnAck(ReasonCode::SUCCESS));
    assert_eq!(outcome(&outside), Received::ConnAck(ReasonCode::BANNED));
}
