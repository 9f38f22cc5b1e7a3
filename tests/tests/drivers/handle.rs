//! The broker as the program around it sees it: clients, retained messages, values, counters.

use super::{
    client::{Client, Received},
    serve::{Serve, start, start_with},
};
use sanderling_core::{
    broker::{Link, Publication},
    config::Config,
    hooks::{Client as HookClient, Context, Draft, HookSet, Hooks, Notice, Ruling},
    packet::{ClientPacket, Connect, Properties, QoS, Version, Will},
    reason::ReasonCode,
    topic::TopicName,
};
use sanderling_runtime::{Builder, HandleError, Value, value};
use std::{
    collections::BTreeSet,
    sync::mpsc::{Sender, channel},
    thread,
    time::Duration,
};

super::on_every_driver! {
    a2_what_is_handed_over_before_the_start_is_carried_out_after_it
    a5_d6_a_client_is_there_as_long_as_its_session
    c1_c3_what_a_client_has_said_of_itself
    c1_passwords_are_kept_only_if_wanted_and_never_shown
    c2_c5_closing_is_complete_when_the_call_returns
    c7_s9_values_are_kept_as_long_as_the_connection
    c7_hooks_and_the_program_share_what_is_kept
    clients_are_listed_in_pages
    r1_to_r3_retained_messages
    a6_copies_do_not_change
    a_look_that_panics_is_its_callers
    an_answer_that_takes_five_seconds_delays_nobody_else
}

fn message(topic: &str, payload: &'static str) -> Publication {
    Publication::new(topic, payload)
}

fn a2_what_is_handed_over_before_the_start_is_carried_out_after_it<D: Serve>() {
    let builder: Builder<D> = Builder::default().listen("127.0.0.1:0").unwrap();
    let handle = builder.handle();
    handle
        .try_publish(message("early", "kept").retained())
        .unwrap();
    assert_eq!(
        handle.publish(message("early", "")),
        Err(HandleError::NotStarted)
    );
    assert!(handle.endpoints().is_empty());
    let served = D::serve(builder);
    assert_eq!(handle.endpoints()[0].socket_addr(), Some(served.address));
    let kept = handle.retained().get("early").unwrap().unwrap();
    assert_eq!(kept.payload, "kept");
}

fn a5_d6_a_client_is_there_as_long_as_its_session<D: Serve>() {
    let served = start::<D>();
    let handle = &served.handle;
    assert_eq!(handle.client("nobody"), Ok(None));
    assert_eq!(handle.session_statistics("nobody"), Ok(None));
    let mut client = Client::open(served.address, Version::V311);
    client.send(&connect(Version::V311, "keeps", false));
    assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    assert!(handle.client("keeps").unwrap().unwrap().is_connected);
    client.disconnect();
    assert_eq!(client.receive(), Received::Closed);
    let away = handle.client("keeps").unwrap().unwrap();
    assert!(!away.is_connected && away.disconnected_at.is_some());
    assert_eq!(handle.end_session("keeps"), Ok(true));
    assert_eq!(handle.client("keeps"), Ok(None));
}

fn connect(version: Version, client_id: &str, clean_start: bool) -> ClientPacket<'_> {
    ClientPacket::Connect(Box::new(Connect {
        version,
        client_id,
        clean_start,
        keep_alive_s: 77,
        username: Some("ursula"),
        password: Some(b"pass\0word"),
        will: Some(Will {
            topic: TopicName::parse("gone").unwrap(),
            payload: b"she left",
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: Properties::EMPTY,
        }),
        properties: Properties::EMPTY,
    }))
}

fn c1_c3_what_a_client_has_said_of_itself<D: Serve>() {
    let served = start::<D>();
    let before = sanderling_runtime::wall_clock();
    let mut client = Client::open(served.address, Version::V311);
    client.send(&connect(Version::V311, "ursula's", true));
    assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    client.subscribe("a", QoS::AtMostOnce);
    let info = served.handle.client("ursula's").unwrap().unwrap();
    assert_eq!(info.username.as_deref(), Some("ursula"));
    assert_eq!(
        (info.version, info.keep_alive_s, info.clean_start),
        (Version::V311, 77, true)
    );
    assert_eq!(info.remote_addr, client.stream.local_addr().ok());
    assert_eq!(info.local_addr, Some(served.address));
    assert_eq!(
        info.listener.as_deref(),
        Some(&*served.handle.endpoints()[0].name)
    );
    assert_eq!((info.expiry_s, info.subscriptions), (0, 1));
    let will = info.will.unwrap();
    assert_eq!((&*will.topic, &*will.payload), ("gone", &b"she left"[..]));
    assert_eq!(
        (will.qos, will.retain, will.delay_s),
        (QoS::AtLeastOnce, true, 0)
    );
    // Whole seconds, rounded down.
    let since = info.connected_at.unwrap().0;
    assert!(
        since + 1000 > before.0 && since <= before.0 + 60_000,
        "{since} {before:?}"
    );
    assert_eq!(info.disconnected_at, None);
}

fn c1_passwords_are_kept_only_if_wanted_and_never_shown<D: Serve>() {
    for keep_connects in [false, true] {
        let config = Config {
            keep_connects,
            ..Config::default()
        };
        let served = start_with::<D>(|builder| builder.config(config));
        let mut client = Client::open(served.address, Version::V5);
        client.send(&connect(Version::V5, "c", true));
        assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
        let info = served.handle.client("c").unwrap().unwrap();
        let kept = keep_connects.then_some(&b"pass\0word"[..]);
        assert_eq!(info.password.as_deref(), kept);
        let shown = format!("{info:?}");
        assert!(
            !shown.contains("pass") && !shown.contains("112, 97"),
            "{shown}"
        );
    }
}

/// Says when a connection has ended.
struct Ends(Sender<String>);

impl Hooks for Ends {
    fn wants(&self) -> HookSet {
        HookSet::NOTICE
    }

    fn notice(&mut self, notice: &Notice<'_>, _: &mut Context<'_>) {
        if let Notice::Ended { client_id, .. } = notice {
            let _ = self.0.send(client_id.unwrap_or("nobody").into());
        }
    }
}

fn c2_c5_closing_is_complete_when_the_call_returns<D: Serve>() {
    let (ends, ended) = channel();
    let served = start_with::<D>(|builder| builder.hook(Ends(ends)));
    let mut client = Client::connect(served.address, "c");
    assert_eq!(served.handle.close("c"), Ok(true));
    assert_eq!(
        ended.try_recv().as_deref(),
        Ok("c"),
        "hooks have been told already"
    );
    assert_eq!(served.handle.client("c"), Ok(None));
    assert_eq!(served.handle.close("c"), Ok(false));
    assert_eq!(
        client.receive(),
        Received::Disconnect(ReasonCode::ADMINISTRATIVE_ACTION)
    );
    assert_eq!(client.receive(), Received::Closed);
}

fn c7_s9_values_are_kept_as_long_as_the_connection<D: Serve>() {
    let served = start::<D>();
    let handle = &served.handle;
    assert_eq!(
        handle.set_value("c", "tenant", "blue"),
        Ok(false),
        "there is no such client"
    );
    assert_eq!(handle.value("c", "tenant"), Ok(None));
    let open = || {
        let mut client = Client::open(served.address, Version::V311);
        client.send(&connect(Version::V311, "c", false));
        assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
        client
    };
    let mut client = open();
    assert_eq!(handle.set_value("c", "tenant", "blue"), Ok(true));
    assert_eq!(handle.set_value("c", "count", 7_u64), Ok(true));
    assert_eq!(handle.value("c", "tenant"), Ok(Some(Value::from("blue"))));
    assert_eq!(handle.remove_value("c", "count"), Ok(Some(Value::U64(7))));
    assert_eq!(handle.remove_value("c", "count"), Ok(None));
    // It is there while the session is away, and not in its next connection.
    client.disconnect();
    assert_eq!(client.receive(), Received::Closed);
    assert_eq!(handle.value("c", "tenant"), Ok(Some(Value::from("blue"))));
    let _client = open();
    assert_eq!(handle.value("c", "tenant"), Ok(None));
}

/// Gives each client a number at CONNECT, and asks for it later.
struct Numbering {
    count: u32,
    ended: Sender<Option<u32>>,
}

impl Hooks for Numbering {
    fn wants(&self) -> HookSet {
        HookSet::CONNECT | HookSet::PUBLISH | HookSet::NOTICE
    }

    fn connect(&mut self, _: &Link, _: &Connect<'_>, cx: &mut Context<'_>) -> Ruling {
        self.count += 1;
        value::set(cx.data, "number", self.count);
        Ruling::Permit
    }

    fn publish(
        &mut self,
        _: &HookClient<'_>,
        draft: &mut Draft<'_>,
        cx: &mut Context<'_>,
    ) -> Ruling {
        let number = value::get(cx.data, "number").and_then(Value::as_u32);
        draft.set_payload(format!("from {number:?}"));
        Ruling::Permit
    }

    fn notice(&mut self, notice: &Notice<'_>, cx: &mut Context<'_>) {
        if matches!(notice, Notice::Ended { .. } | Notice::SessionEnded { .. }) {
            let number = value::get(cx.data, "number").and_then(Value::as_u32);
            let _ = self.ended.send(number);
        }
    }
}

fn c7_hooks_and_the_program_share_what_is_kept<D: Serve>() {
    let (ended, ends) = channel();
    let hooks = Numbering { count: 0, ended };
    let served = start_with::<D>(|builder| builder.hook(hooks));
    let mut one = Client::connect(served.address, "one");
    let mut two = Client::connect(served.address, "two");
    one.subscribe("t", QoS::AtMostOnce);
    two.publish("t", b"", QoS::AtMostOnce, 0);
    assert_eq!(one.receive_payload(), b"from Some(2)");
    assert_eq!(
        served.handle.value("one", "number"),
        Ok(Some(Value::U32(1)))
    );
    served.handle.set_value("two", "number", 22_u32).unwrap();
    two.publish("t", b"", QoS::AtMostOnce, 0);
    assert_eq!(one.receive_payload(), b"from Some(22)");
    two.disconnect();
    assert_eq!(two.receive(), Received::Closed);
    // Both ends, that of the session and that of the connection.
    for _ in 0..2 {
        assert_eq!(ends.recv_timeout(Duration::from_secs(20)), Ok(Some(22)));
    }
}

fn clients_are_listed_in_pages<D: Serve>() {
    let served = start::<D>();
    let clients: Vec<_> = (0..25)
        .map(|number| Client::connect(served.address, &format!("client {number}")))
        .collect();
    let (mut from, mut seen, mut pages) = (Some(0), BTreeSet::new(), 0);
    while let Some(begin) = from {
        let page = served.handle.clients(begin, 7).unwrap();
        assert!(page.clients.len() <= 7);
        pages += 1;
        // Some come and go meanwhile.
        if pages == 2 {
            served.handle.close("client 3").unwrap();
        }
        seen.extend(page.clients.into_iter().map(|client| client.client_id));
        from = page.next;
    }
    assert_eq!(pages, 4);
    assert!(
        (0..25)
            .filter(|number| *number != 3)
            .all(|number| seen.contains(&format!("client {number}")))
    );
    drop(clients);
}

fn r1_to_r3_retained_messages<D: Serve>() {
    let served = start::<D>();
    let store = served.handle.retained();
    for topic in ["a", "a/b", "a/b/c", "b/c", "$x/y"] {
        store
            .store(message(topic, "kept").qos(QoS::AtLeastOnce))
            .unwrap();
    }
    let kept = store.get("a/b").unwrap().unwrap();
    assert_eq!(
        (&*kept.payload, kept.qos, kept.retain),
        (&b"kept"[..], QoS::AtLeastOnce, true)
    );
    assert_eq!(store.get("a/x"), Ok(None));
    let topics = |filter| -> Vec<_> {
        let found = store.matching(filter).unwrap();
        found.into_iter().map(|one| one.topic).collect()
    };
    assert_eq!(topics("a/#"), ["a", "a/b", "a/b/c"], "and nothing of b");
    assert_eq!(topics("#"), ["a", "a/b", "a/b/c", "b/c"]);
    assert_eq!(topics("$x/+"), ["$x/y"]);
    let mut all = Vec::new();
    store
        .for_each(|one| {
            all.push(one.topic);
            true
        })
        .unwrap();
    assert_eq!(all, ["$x/y", "a", "a/b", "a/b/c", "b/c"]);
    let mut first = Vec::new();
    store
        .for_each(|one| {
            first.push(one.topic);
            false
        })
        .unwrap();
    assert_eq!(first.len(), 1);
    // More than are looked at in one turn.
    for number in 0..600 {
        store
            .store(message(&format!("many/{number}"), "x"))
            .unwrap();
    }
    assert_eq!(topics("many/+").len(), 600);
    store.store(message("a/b", "new")).unwrap();
    assert_eq!(store.get("a/b").unwrap().unwrap().payload, "new");
    store.remove("a/b").unwrap();
    store.remove("never").unwrap();
    assert_eq!(store.get("a/b"), Ok(None));
    assert!(matches!(
        store.store(message("a/+", "x")),
        Err(HandleError::InvalidTopic(_))
    ));
    store.clear().unwrap();
    assert_eq!(topics("#"), [""; 0]);
}

fn a6_copies_do_not_change<D: Serve>() {
    let served = start::<D>();
    let mut config = served.handle.config().unwrap();
    let statistics = served.handle.statistics().unwrap();
    config.keep_alive_max_s = 1;
    Client::connect(served.address, "c").barrier();
    assert_eq!(statistics.clients_connected, 0);
    assert_ne!(served.handle.config().unwrap().keep_alive_max_s, 1);
    assert_eq!(served.handle.statistics().unwrap().clients_connected, 1);
}

fn a_look_that_panics_is_its_callers<D: Serve>() {
    let served = start::<D>();
    let handle = served.handle.clone();
    let outcome = thread::spawn(move || {
        let _ = handle.look(|_| panic!("a panic that this test wants"));
    });
    assert!(outcome.join().is_err());
    assert_eq!(served.handle.look(|view| view.sessions_len()), Ok(0));
}

/// Asks about every CONNECT of one client.
struct AskAbout(&'static str);

impl Hooks for AskAbout {
    fn wants(&self) -> HookSet {
        HookSet::CONNECT
    }

    fn connect(&mut self, _: &Link, connect: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        match connect.client_id == self.0 {
            true => Ruling::Ask,
            false => Ruling::Permit,
        }
    }
}

/// [§6]
fn an_answer_that_takes_five_seconds_delays_nobody_else<D: Serve>() {
    let (let_go, wait) = channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    // A database that does not answer until it is let go; what passes meanwhile is counted, not timed.
    let workers = sanderling_runtime::Workers::start(1, 1, move |_| {
        let _ = wait.lock().unwrap().recv();
        sanderling_core::hooks::Verdict::Permit
    });
    // However long the rest takes, it is not refused meanwhile.
    let mut config = Config::default();
    config.limits.verdict_deadline = Duration::from_secs(3600);
    let served = start_with::<D>(|builder| {
        let builder = builder.config(config);
        builder.asking_hook(AskAbout("slow"), workers.unwrap())
    });
    let mut slow = Client::open(served.address, Version::V5);
    slow.say_connect("slow");
    let mut quick = Client::connect(served.address, "quick");
    quick.subscribe("t", QoS::AtMostOnce);
    for _ in 0..1000 {
        quick.publish("t", b"x", QoS::AtMostOnce, 0);
        assert_eq!(quick.receive_payload(), b"x");
    }
    assert_eq!(served.handle.client("slow"), Ok(None));
    let_go.send(()).unwrap();
    assert_eq!(slow.receive(), Received::ConnAck(ReasonCode::SUCCESS));
}
