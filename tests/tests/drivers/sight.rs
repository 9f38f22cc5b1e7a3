//! What the program around the broker sees and says: stores, messages, where clients come from, what they did, and why
//! their connections ended.

use super::{
    client::{Client, Received},
    layered::Layered,
    serve::{Serve, start, start_with},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use sanderling_core::{
    broker::{Command, Layer, Link, NewSubscription, Publication},
    codec::DecodeErrorKind,
    config::ListenerLimits,
    hooks::{Context, End, HookSet, Hooks, Notice, Ruling},
    packet::{ClientPacket, Connect, PropertiesBuf, Property, QoS, Version},
    reason::ReasonCode,
};
use sanderling_runtime::{
    Builder, ClientCertificates, HandleError, InlineOptions, Issuers, Listener, TlsFiles,
    WebSocketOptions,
};
use sanderling_tests::peer::{Below, Certificates};
use std::{
    net::TcpStream,
    path::Path,
    sync::{
        Arc, Barrier,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

super::on_every_driver! {
    a1_stores_are_read_and_changed_from_any_thread_and_from_hooks
    a4_a_message_of_the_program_has_all_that_a_clients_has
    a9_t5_why_a_connection_ended_is_a_value
    c4_t2_hooks_and_the_program_see_where_a_client_comes_from
    c6_s10_counters_of_a_session_go_on_with_it
    s7_a_takeover_that_meets_the_disconnect_of_the_old_connection_completes
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Looks at both stores when a client wants in, and orders changes to both.
struct Stores(Sender<(usize, usize)>);

impl Hooks for Stores {
    fn wants(&self) -> HookSet {
        HookSet::CONNECT
    }

    fn connect(&mut self, _: &Link, connect: &Connect<'_>, cx: &mut Context<'_>) -> Ruling {
        let seen = (
            cx.view.subscriptions_to("t").len(),
            cx.view.retained_after(None).count(),
        );
        self.0.send(seen).unwrap();
        let subscribe = Command::Subscribe {
            client_id: connect.client_id.into(),
            subscriptions: vec![NewSubscription::new("t", QoS::AtMostOnce)],
        };
        cx.order(subscribe).unwrap();
        let kept = Publication::new("kept/by/hook", "hook").retained();
        cx.order(Command::Retain(Box::new(kept))).unwrap();
        Ruling::Permit
    }
}

fn a1_stores_are_read_and_changed_from_any_thread_and_from_hooks<D: Serve>() {
    const THREADS: usize = 4;
    let (seen, looks) = channel();
    let builder: Builder<D> = Builder::default();
    let handle = builder.handle();
    // Before the start they are changed without an answer.
    let ahead = Command::Subscribe {
        client_id: "client".into(),
        subscriptions: vec![NewSubscription::new("ahead", QoS::AtMostOnce)],
    };
    handle.try_order(ahead).unwrap();
    assert_eq!(handle.retained().get("t"), Err(HandleError::NotStarted));
    let builder = builder.hook(Stores(seen)).listen("127.0.0.1:0").unwrap();
    let served = D::serve(builder);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (subscriptions, retained) = (handle.subscriptions(), handle.retained());
            scope.spawn(move || {
                let (client_id, topic) = (format!("{number}"), format!("kept/{number}"));
                let one = || NewSubscription::new("t", QoS::AtMostOnce);
                let made = subscriptions.subscribe(&client_id, vec![one()]).unwrap();
                assert_eq!(made, [Ok(false)]);
                assert_eq!(subscriptions.of_client(&client_id).unwrap().len(), 1);
                retained.store(Publication::new(&*topic, "x")).unwrap();
                assert!(retained.get(&topic).unwrap().is_some());
            });
        }
    });
    assert_eq!(handle.retained().matching("kept/+").unwrap().len(), THREADS);
    let mut client = Client::connect(served.address, "client");
    client.barrier();
    // Those made ahead, without a session, match nothing yet.
    assert_eq!(looks.recv_timeout(PATIENCE), Ok((0, THREADS)));
    assert_eq!(
        handle
            .retained()
            .get("kept/by/hook")
            .unwrap()
            .unwrap()
            .payload,
        "hook"
    );
    for topic in ["t", "ahead"] {
        assert_eq!(handle.publish(Publication::new(topic, topic)), Ok(1));
        assert_eq!(client.receive_payload(), topic.as_bytes());
    }
}

fn a4_a_message_of_the_program_has_all_that_a_clients_has<D: Serve>() {
    let served = start::<D>();
    let plain = Publication::new("a/b", "text");
    assert_eq!((plain.qos, plain.retain), (QoS::AtMostOnce, false));
    assert_eq!((&*plain.topic, &*plain.payload), ("a/b", &b"text"[..]));
    let mut properties = PropertiesBuf::new();
    for property in [
        Property::ContentType("text/plain"),
        Property::ResponseTopic("answers"),
        Property::CorrelationData(b"\0\xFF"),
        Property::UserProperty("key", "value"),
    ] {
        properties.push(property).unwrap();
    }
    let whole = Publication {
        properties: properties.clone(),
        ..Publication::new("a/b", vec![0, 0xFF])
            .qos(QoS::ExactlyOnce)
            .retained()
    };
    let inline = |client_id: &str| {
        let options = InlineOptions::new(client_id);
        let inline = pollster::block_on(served.handle.inline(options)).unwrap();
        pollster::block_on(inline.subscribe("a/+", QoS::ExactlyOnce)).unwrap();
        inline
    };
    let mut live = inline("live");
    assert_eq!(served.handle.publish(whole), Ok(1));
    let mut late = inline("late");
    // As a client's would be: RETAIN only because of a new subscription.
    for (message, retain) in [(live.recv().unwrap(), false), (late.recv().unwrap(), true)] {
        assert_eq!(
            (&*message.topic, &*message.payload),
            ("a/b", &[0, 0xFF][..])
        );
        assert_eq!((message.qos, message.retain), (QoS::ExactlyOnce, retain));
        assert_eq!(message.properties, properties);
    }
}

/// Hands on why connections end.
struct Ends(Sender<End>);

impl Hooks for Ends {
    fn wants(&self) -> HookSet {
        HookSet::NOTICE
    }

    fn notice(&mut self, notice: &Notice<'_>, _: &mut Context<'_>) {
        if let Notice::Ended { end, .. } = notice {
            // After the test nobody listens.
            let _ = self.0.send(*end);
        }
    }
}

fn a9_t5_why_a_connection_ended_is_a_value<D: Serve>() {
    let (ends, ended) = channel();
    let builder: Builder<D> = Builder::default();
    let hurried = ListenerLimits {
        connect_deadline: Some(Duration::from_millis(50)),
        ..ListenerLimits::default()
    };
    let hurried = Listener::tcp("127.0.0.1:0").limits(hurried);
    let pages = Listener::tcp("127.0.0.1:0").websocket(WebSocketOptions::default());
    let builder = builder.listen("127.0.0.1:0").unwrap();
    let builder = builder.listener(hurried).unwrap().listener(pages).unwrap();
    let served = D::serve(builder.hook(Ends(ends)));
    let address = |number: usize| served.handle.endpoints()[number].socket_addr().unwrap();
    let end = |ended: &Receiver<End>| ended.recv_timeout(PATIENCE).unwrap();

    let mut rude = Client::open(served.address, Version::V5);
    rude.send(&ClientPacket::PingReq);
    let not_connect = end(&ended);
    assert!(
        matches!(not_connect, End::Malformed(error) if error.kind() == DecodeErrorKind::NotConnect)
    );
    let _silent = TcpStream::connect(address(1)).unwrap();
    let too_late = end(&ended);
    assert!(matches!(too_late, End::Refused(refusal) if refusal.rule == "limit connect_deadline"));
    let mut page = Layered::open(address(2), Below::WebSocket);
    page.link.send_raw(b"\x81\x80\0\0\0\0");
    page.flush();
    let text = end(&ended);
    assert!(matches!(text, End::Faulted(fault) if fault.layer == Layer::WebSocket));
    let mut polite = Client::connect(served.address, "polite");
    polite.disconnect();
    let goodbye = end(&ended);
    assert_eq!(goodbye, End::Disconnected(ReasonCode::SUCCESS));
    drop(Client::connect(served.address, "gone"));
    let gone = end(&ended);
    assert_eq!(gone, End::PeerClosed);
    let _old = Client::connect(served.address, "twice");
    let mut new = Client::connect(served.address, "twice");
    let taken = end(&ended);
    assert_eq!(taken, End::TakenOver);
    assert_eq!(served.handle.close("twice"), Ok(true));
    let closed = end(&ended);
    assert_eq!(closed, End::Closed(ReasonCode::ADMINISTRATIVE_ACTION));
    while new.receive() != Received::Closed {}
    let all = [not_connect, too_late, text, goodbye, gone, taken, closed];
    for (number, one) in all.iter().enumerate() {
        assert!(
            !all[number + 1..].contains(one),
            "{one:?} stands for two causes"
        );
    }
}

/// Hands on where clients come from.
struct Origins(Sender<Link>);

impl Hooks for Origins {
    fn wants(&self) -> HookSet {
        HookSet::CONNECT
    }

    fn connect(&mut self, link: &Link, _: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        self.0.send(link.clone()).unwrap();
        Ruling::Permit
    }
}

fn c4_t2_hooks_and_the_program_see_where_a_client_comes_from<D: Serve>() {
    let driver = std::any::type_name::<D>().replace("::", "-");
    let directory = format!("origins-{driver}-{}", std::process::id());
    let made = Certificates::new(Path::new(env!("CARGO_TARGET_TMPDIR")).join(directory));
    made.issue("server", |params| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName("localhost".try_into().unwrap())];
    });
    made.issue("client", |_| {});
    let files = TlsFiles {
        clients: ClientCertificates::Required(Issuers {
            roots: made.path("ca.pem"),
            revoked: Vec::new(),
            username_from: None,
        }),
        ..made.server("server")
    };
    let (origins, seen) = channel();
    let builder: Builder<D> = Builder::default();
    let builder = builder
        .hook(Origins(origins))
        .listen("127.0.0.1:0")
        .unwrap();
    let secured = Listener::tcp("127.0.0.1:0").named("secured").tls(files);
    let served = D::serve(builder.listener(secured).unwrap());
    let endpoint = &served.handle.endpoints()[1];
    let address = endpoint.socket_addr().unwrap();
    let config = made.client_config(Some("client"));
    let mut client = Layered::with(address, Below::Tls, config);
    let accepted = Received::ConnAck(ReasonCode::SUCCESS);
    assert_eq!(client.connect("c", true), accepted);
    let local = client.stream.local_addr().unwrap();
    let certificate = CertificateDer::from_pem_file(made.path("client.pem")).unwrap();
    let link = seen.recv_timeout(PATIENCE).unwrap();
    assert_eq!((link.listener, link.remote), (1, Some(local)));
    assert_eq!(&*link.identity.unwrap().certificate, &*certificate);
    let info = served.handle.client("c").unwrap().unwrap();
    assert_eq!(
        (info.remote_addr, info.local_addr),
        (Some(local), Some(address))
    );
    assert_eq!(info.listener.as_deref(), Some("secured"));
    assert_eq!(&*info.identity.unwrap().certificate, &*certificate);
    assert_eq!(endpoint.scheme, "mqtts");
    // Who comes to the other listener shows none.
    let _plain = Client::connect(served.address, "plain");
    let link = seen.recv_timeout(PATIENCE).unwrap();
    assert_eq!((link.listener, link.identity), (0, None));
}

fn c6_s10_counters_of_a_session_go_on_with_it<D: Serve>() {
    let served = start::<D>();
    let counters = || served.handle.session_statistics("c").unwrap().unwrap();
    let open = |clean_start| {
        let mut client = Layered::open(served.address, Below::Nothing);
        let accepted = Received::ConnAck(ReasonCode::SUCCESS);
        assert_eq!(client.connect("c", clean_start), accepted);
        client
    };
    let mut client = open(false);
    client.subscribe("t");
    client.publish("t", b"one");
    assert_eq!(client.receive_payload(), b"one");
    client.publish("elsewhere", b"");
    client.publish("t", b"two");
    assert_eq!(client.receive_payload(), b"two");
    let before = counters();
    assert_eq!(before.messages_received, [3, 0, 0]);
    assert_eq!(before.messages_sent, [2, 0, 0]);
    assert_eq!(before.messages_dropped, [0; 3]);
    drop(client);
    let mut client = open(false);
    client.publish("t", b"three");
    assert_eq!(client.receive_payload(), b"three");
    let after = counters();
    assert_eq!(
        (after.messages_received, after.messages_sent),
        ([4, 0, 0], [3, 0, 0])
    );
    assert_eq!(
        before.messages_received,
        [3, 0, 0],
        "a copy stays what it is"
    );
    drop(client);
    let _new = open(true);
    assert_eq!(counters(), Default::default(), "another session");
}

fn s7_a_takeover_that_meets_the_disconnect_of_the_old_connection_completes<D: Serve>() {
    const ROUNDS: usize = 200;
    let served = start_with::<D>(|builder| builder);
    let mut old = Client::connect(served.address, "c");
    for round in 0..ROUNDS {
        let meet = Arc::new(Barrier::new(2));
        let leaves = {
            let meet = Arc::clone(&meet);
            thread::spawn(move || {
                meet.wait();
                match round % 2 {
                    0 => old.disconnect(),
                    _ => drop(old.stream),
                }
            })
        };
        let mut new = Client::open(served.address, Version::V5);
        meet.wait();
        new.say_connect("c");
        assert_eq!(new.receive(), Received::ConnAck(ReasonCode::SUCCESS));
        leaves.join().unwrap();
        old = new;
    }
    old.barrier();
    let statistics = served.handle.statistics().unwrap();
    assert_eq!(statistics.clients_connected, ROUNDS as u64 + 1);
    assert_eq!(served.handle.look(|view| view.sessions_len()), Ok(1));
}
