//! What a program builds a broker of: its configuration, its listeners, and hooks that hold the handle.

use super::{
    client::{Client, Received},
    layered::Layered,
    serve::{Serve, Served, in_the_end, refuses_in_the_end, start_with},
    transports::{UPGRADE, ask},
};
use sanderling_core::{
    broker::{Command, NewSubscription, Publication},
    config::{Config, Limits},
    hooks::{Context, HookSet, Hooks, Notice},
    packet::{ClientPacket, Disconnect, Properties, QoS, Version},
    reason::ReasonCode,
};
use sanderling_runtime::{Builder, Handle, HandleError, Listener, WebSocketOptions};
use sanderling_tests::peer::{Below, Certificates};
use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
};

super::on_every_driver! {
    l2_a_configuration_replaces_the_one_before_and_zero_is_zero
    l3_t1_clients_of_all_tcp_listeners_share_sessions_and_subscriptions
    l4_t4_websocket_listeners_have_paths_and_certificates_of_their_own
    l8_hooks_hold_the_handle_of_the_broker_that_is_still_being_built
    t9_an_address_in_use_is_an_error_that_names_it
}

fn l2_a_configuration_replaces_the_one_before_and_zero_is_zero<D: Serve>() {
    let first = Config {
        keep_alive_max_s: 7,
        queue_qos0: false,
        limits: Limits {
            receive_maximum: 3,
            ..Limits::default()
        },
        ..Config::compat()
    };
    let second = Config {
        session_expiry_max_s: 0,
        limits: Limits {
            topic_alias_maximum: 0,
            ..Limits::default()
        },
        ..Config::default()
    };
    let last = second.clone();
    let served = start_with::<D>(|builder| builder.config(first).config(last));
    let in_effect = served.handle.config().unwrap();
    let listeners = in_effect.listeners.clone();
    assert_eq!(listeners.len(), 1, "listeners say themselves what they are");
    assert_eq!(
        in_effect,
        Config {
            listeners,
            ..second
        }
    );
    // No session outlives its connection, whatever a client asks for.
    let mut client = Layered::open(served.address, Below::Nothing);
    let accepted = Received::ConnAck(ReasonCode::SUCCESS);
    assert_eq!(client.connect("keeps", false), accepted);
    client.send(&ClientPacket::Disconnect(Disconnect {
        reason: ReasonCode::SUCCESS,
        properties: Properties::EMPTY,
    }));
    assert_eq!(client.receive(), Received::Closed);
    assert_eq!(served.handle.client("keeps"), Ok(None));
}

/// The addresses of all listeners, in the order in which they were added.
fn addresses(served: &Served) -> Vec<SocketAddr> {
    let endpoints = served.handle.endpoints().iter();
    endpoints.filter_map(|one| one.socket_addr()).collect()
}

/// One after the other publishes, and all get it.
fn talk(clients: &mut [Layered]) {
    for client in &mut *clients {
        client.subscribe("t");
    }
    for publisher in 0..clients.len() {
        let said = format!("from {publisher}");
        clients[publisher].publish("t", said.as_bytes());
        for client in &mut *clients {
            assert_eq!(client.receive_payload(), said.as_bytes());
        }
    }
}

fn l3_t1_clients_of_all_tcp_listeners_share_sessions_and_subscriptions<D: Serve>() {
    let plain = || Listener::tcp("127.0.0.1:0");
    let secured = |listener: Listener| listener.tls(Certificates::get().server("server"));
    let bound = || Listener::on(TcpListener::bind("127.0.0.1:0").unwrap());
    let builder: Builder<D> = Builder::default();
    let builder = builder.listen("127.0.0.1:0").unwrap();
    let builder = builder.listener(plain().named("second")).unwrap();
    let builder = builder.listener(bound()).unwrap();
    let builder = builder.listener(secured(bound())).unwrap();
    let served = D::serve(builder.listener(secured(plain())).unwrap());
    let addresses = addresses(&served);
    let plain = Below::Nothing;
    let ways = [plain, plain, plain, Below::Tls, Below::Tls];
    let mut clients: Vec<_> = addresses
        .iter()
        .zip(ways)
        .enumerate()
        .map(|(number, (address, below))| {
            let mut client = Layered::open(*address, below);
            let accepted = Received::ConnAck(ReasonCode::SUCCESS);
            assert_eq!(client.connect(&format!("{number}"), false), accepted);
            client
        })
        .collect();
    assert_eq!(clients.len(), 5);
    talk(&mut clients);
    // A session that began at the first goes on at the last, with its subscription.
    let mut moved = Layered::open(addresses[4], Below::Tls);
    moved.connect("0", false);
    clients[1].publish("t", b"again");
    assert_eq!(moved.receive_payload(), b"again");
    assert_eq!(served.handle.subscriptions().counts().unwrap().current, 5);
    // All are closed when the broker stops, wherever they came from.
    drop((moved, clients));
    served.handle.stop();
    served.join();
    for address in addresses {
        refuses_in_the_end(address);
    }
}

fn l4_t4_websocket_listeners_have_paths_and_certificates_of_their_own<D: Serve>() {
    let at = |paths: &[&str]| {
        Listener::tcp("127.0.0.1:0").websocket(WebSocketOptions {
            paths: paths.iter().map(|&path| path.into()).collect(),
            ..WebSocketOptions::default()
        })
    };
    let secured = at(&["/mqtt"]).tls(Certificates::get().server("server"));
    let builder: Builder<D> = Builder::default();
    let builder = builder.listener(at(&["/one", "/mqtt"])).unwrap();
    let builder = builder.listener(at(&["/two", "/mqtt"])).unwrap();
    let served = D::serve(builder.listener(secured).unwrap());
    let addresses = addresses(&served);
    for (listener, path, expected) in [
        (0, "/one", "HTTP/1.1 101"),
        (0, "/two", "HTTP/1.1 404"),
        (1, "/one", "HTTP/1.1 404"),
        (1, "/two", "HTTP/1.1 101"),
    ] {
        let head = ask(addresses[listener], path, UPGRADE);
        assert!(head.starts_with(expected), "{path}: {head}");
    }
    let ways = [Below::WebSocket, Below::WebSocket, Below::Both];
    let mut clients: Vec<_> = addresses
        .iter()
        .zip(ways)
        .enumerate()
        .map(|(number, (address, below))| {
            let mut client = Layered::open(*address, below);
            client.connect(&format!("{number}"), true);
            client
        })
        .collect();
    talk(&mut clients);
}

/// Subscribes whoever connects, by the handle that it was made with.
struct Welcome(Handle);

impl Hooks for Welcome {
    fn wants(&self) -> HookSet {
        HookSet::NOTICE
    }

    fn notice(&mut self, notice: &Notice<'_>, _: &mut Context<'_>) {
        if let Notice::Connected { client, .. } = notice {
            let order = Command::Subscribe {
                client_id: client.client_id.into(),
                subscriptions: vec![NewSubscription::new("news", QoS::AtLeastOnce)],
            };
            self.0.try_order(order).unwrap();
        }
    }
}

fn l8_hooks_hold_the_handle_of_the_broker_that_is_still_being_built<D: Serve>() {
    let builder: Builder<D> = Builder::default();
    let handle = builder.handle();
    assert_eq!(handle.statistics(), Err(HandleError::NotStarted));
    // Whatever is added later, it is the handle of this broker.
    let builder = builder.hook(Welcome(handle.clone()));
    let builder = builder
        .config(Config::compat())
        .listen("127.0.0.1:0")
        .unwrap();
    let kept = Publication::new("kept", "from before").retained();
    handle.try_publish(kept).unwrap();
    let served = D::serve(builder);
    let mut client = Client::connect(served.address, "c");
    client.barrier();
    assert_eq!(handle.publish(Publication::new("news", "for you")), Ok(1));
    assert_eq!(client.receive_payload(), b"for you");
    client.subscribe("kept", QoS::AtMostOnce);
    assert_eq!(client.receive_payload(), b"from before");
}

fn t9_an_address_in_use_is_an_error_that_names_it<D: Serve>() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let plain = || Listener::tcp(&*address);
    let websocket = || plain().websocket(WebSocketOptions::default());
    let files = || Certificates::get().server("server");
    for listener in [
        plain(),
        plain().tls(files()),
        websocket(),
        websocket().tls(files()),
    ] {
        let builder: Builder<D> = Builder::default();
        let Err(error) = builder.listener(listener) else {
            panic!("two listen at {address}");
        };
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&address), "{error}");
    }
    drop(taken);
    // It was not taken for longer than that.
    let builder = in_the_end(|| Builder::<D>::default().listener(plain()));
    let served = D::serve(builder);
    let mut client = Client::open(served.address, Version::V5);
    client.say_connect("c");
    assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
}
