//! What is told beyond the seed.

use super::{Measured, get, measured, persistent, scrape};
use crate::{
    client::{Client, Received},
    serve::Serve,
};
use sanderling_core::{
    broker::Link,
    config::Config,
    hooks::{Context, HookSet, Hooks, Question, Ruling, Verdict},
    packet::{ClientPacket, Connect, Properties, QoS, Version, Will},
    reason::ReasonCode,
    stats::Durations,
    topic::TopicName,
};
use sanderling_prometheus::{Kind, families};
use sanderling_runtime::{Answerer, Reply};
use sanderling_tests::exposition::{Sample, Scrape};
use std::{
    sync::mpsc::{Sender, channel},
    time::Duration,
};

crate::on_shipped_drivers! {
    every_family_is_told_and_nothing_else
    p10_refused_connects_are_told_by_reason_and_how_long_they_took
    p23_lost_messages_are_told_by_cause
    t1_connections_are_told_by_the_name_of_their_listener
    a56_no_name_from_the_wire_becomes_a_label
}

fn every_family_is_told_and_nothing_else<D: Serve>() {
    let measured = measured::<D>(|builder| builder);
    let scrape = scrape(measured.metrics);
    let told: Vec<_> = scrape.families.keys().map(String::as_str).collect();
    let mut listed: Vec<_> = families().iter().map(|family| family.name).collect();
    listed.sort_unstable();
    assert_eq!(told, listed);
    for family in families() {
        let told = &scrape.families[family.name];
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        assert_eq!(
            (&*told.kind, &*told.help),
            (kind, family.help),
            "{}",
            family.name
        );
        if family.kind != Kind::Histogram {
            let label = family.label.map(ToOwned::to_owned);
            let is_as_listed = |sample: &Sample| sample.labels.keys().eq(label.as_ref());
            assert!(told.samples.iter().all(is_as_listed), "{}", family.name);
        }
    }
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(scrape.value("sanderling_build_info", &version), Some(1.0));
    let started = scrape.value("sanderling_start_time_seconds", &[]).unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs_f64();
    assert!(
        (0.0..600.0).contains(&(now - started)),
        "{started} is not just before {now}"
    );
}

/// Asks about the client `late`, and refuses `banned`.
struct Doorkeeper;

impl Hooks for Doorkeeper {
    fn wants(&self) -> HookSet {
        HookSet::CONNECT
    }

    fn connect(&mut self, _: &Link, connect: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        match connect.client_id {
            "late" => Ruling::Ask,
            "banned" => Ruling::Refuse(ReasonCode::BANNED),
            _ => Ruling::Permit,
        }
    }
}

struct Later(Sender<Reply>);

impl Answerer for Later {
    fn answer(&mut self, _: Question, reply: Reply) {
        self.0.send(reply).unwrap();
    }
}

fn p10_refused_connects_are_told_by_reason_and_how_long_they_took<D: Serve>() {
    let (asked, questions) = channel();
    let mut measured = measured::<D>(|builder| builder.asking_hook(Doorkeeper, Later(asked)));
    let mut witness = measured.connect("witness");
    let mut banned = Client::open(measured.served.address, Version::V5);
    banned.say_connect("banned");
    assert_eq!(banned.receive(), Received::ConnAck(ReasonCode::BANNED));
    let mut late = Client::open(measured.served.address, Version::V5);
    late.say_connect("late");
    let reply = questions.recv().unwrap();
    let before = measured.scrape(&mut witness);
    assert_eq!(
        before.value("sanderling_connect_duration_seconds_count", &[]),
        Some(2.0)
    );
    assert_eq!(
        before.value("sanderling_connect_duration_seconds_sum", &[]),
        Some(0.0)
    );
    // The broker was scraped meanwhile, so it took longer than no time.
    reply.rule(Verdict::Refuse(ReasonCode::NOT_AUTHORIZED));
    assert_eq!(
        late.receive(),
        Received::ConnAck(ReasonCode::NOT_AUTHORIZED)
    );

    let scrape = measured.scrape(&mut witness);
    for (result, count) in [
        ("accepted", 1.0),
        ("banned", 1.0),
        ("not_authorized", 1.0),
        ("server_busy", 0.0),
    ] {
        let told = scrape.value("sanderling_connects_total", &[("result", result)]);
        assert_eq!(told, Some(count), "{result}");
    }
    let connects = &scrape.families["sanderling_connects_total"].samples;
    assert_eq!(connects.iter().map(|one| one.value).sum::<f64>(), 3.0);
    assert_eq!(
        scrape.value("sanderling_connect_duration_seconds_count", &[]),
        Some(3.0)
    );
    assert!(scrape.value("sanderling_connect_duration_seconds_sum", &[]) > Some(0.0));
    let buckets = scrape.families["sanderling_connect_duration_seconds"]
        .samples
        .iter();
    assert_eq!(
        buckets.filter(|one| one.name.ends_with("_bucket")).count(),
        Durations::BOUNDS.len() + 1
    );
}

fn p23_lost_messages_are_told_by_cause<D: Serve>() {
    let config = Config {
        queue_qos0: false,
        ..Config::default()
    };
    let mut measured = measured::<D>(|builder| builder.config(config));
    let mut away = Client::open(measured.served.address, Version::V311);
    away.send(&ClientPacket::Connect(Box::new(persistent("away"))));
    assert_eq!(away.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    away.subscribe("t", QoS::AtMostOnce);
    away.disconnect();
    assert_eq!(away.receive(), Received::Closed);
    let mut writer = measured.connect("writer");
    for _ in 0..3 {
        writer.publish("t", b"lost", QoS::AtMostOnce, 0);
    }
    writer.publish("nobody", b"cares", QoS::AtMostOnce, 0);
    let scrape = measured.scrape(&mut writer);
    let dropped = &scrape.families["sanderling_messages_dropped_total"].samples;
    for sample in dropped {
        let count = if sample.labels["cause"] == "away" {
            3.0
        } else {
            0.0
        };
        assert_eq!(sample.value, count, "{sample:?}");
    }
    assert_eq!(
        scrape.value("mqtt_messages_dropped_total", &[("qos", "0")]),
        Some(3.0)
    );
    assert_eq!(
        scrape.value("sanderling_messages_unrouted_total", &[]),
        Some(1.0)
    );
}

fn t1_connections_are_told_by_the_name_of_their_listener<D: Serve>() {
    // One is silent, and must be there yet when it is counted.
    let mut config = Config::default();
    config.limits.connect_deadline = Duration::from_secs(3600);
    let mut measured = measured::<D>(|builder| {
        let urls = [
            "mqtt://127.0.0.1:0?name=lan",
            "mqtt://127.0.0.1:0?name=lan",
            "mqtt://127.0.0.1:0?name=wan",
        ];
        urls.into_iter()
            .fold(builder.config(config), |builder, url| {
                builder.listen(url).unwrap()
            })
    });
    let mut witness = measured.connect("witness");
    let places: Vec<_> = measured.served.handle.endpoints()[1..]
        .iter()
        .map(|one| one.socket_addr().unwrap())
        .collect();
    let lan = [
        Client::connect(places[0], "a"),
        Client::connect(places[1], "b"),
    ];
    // One without a CONNECT counts as well.
    let silent = Client::open(places[2], Version::V5);
    let wan = Client::connect(places[2], "c");
    let scrape = measured.scrape(&mut witness);
    let of = |name| scrape.value("sanderling_listener_connections", &[("listener", name)]);
    assert_eq!(
        (of("lan"), of("wan"), of("inline")),
        (Some(2.0), Some(2.0), Some(0.0))
    );
    assert_eq!(of(&measured.served.handle.endpoints()[0].name), Some(1.0));
    drop((lan, silent, wan));
    while scrape_of(&mut measured, &mut witness, "lan")
        + scrape_of(&mut measured, &mut witness, "wan")
        > 0.0
    {}
}

fn scrape_of(measured: &mut Measured, witness: &mut Client, listener: &str) -> f64 {
    let scrape = measured.scrape(witness);
    scrape
        .value("sanderling_listener_connections", &[("listener", listener)])
        .unwrap()
}

/// Names that would end a label, a line or a sample, and begin a forged one. Nothing of what their owners do adds a line.
fn a56_no_name_from_the_wire_becomes_a_label<D: Serve>() {
    const NAME: &str = "canary\"} 1\nforged_total{name=\"\\canary";
    let config = Config {
        queue_qos0: false,
        ..Config::default()
    };
    let mut measured = measured::<D>(|builder| builder.config(config).hook(RefuseUser));
    let mut witness = measured.connect("witness");
    let before = lines(&measured.scrape(&mut witness));
    let connect = |username| Connect {
        username,
        will: Some(Will {
            topic: TopicName::parse(NAME).unwrap(),
            payload: NAME.as_bytes(),
            qos: QoS::AtMostOnce,
            retain: true,
            properties: Properties::EMPTY,
        }),
        ..persistent(NAME)
    };
    let open = |username| {
        let mut client = Client::open(measured.served.address, Version::V311);
        client.send(&ClientPacket::Connect(Box::new(connect(username))));
        let reason = client.receive();
        (client, reason)
    };
    let (_, refused) = open(Some(NAME));
    assert_eq!(refused, Received::ConnAck(ReasonCode::NOT_AUTHORIZED));
    let (mut client, accepted) = open(None);
    assert_eq!(accepted, Received::ConnAck(ReasonCode::SUCCESS));
    client.subscribe(NAME, QoS::AtMostOnce);
    client.publish(NAME, NAME.as_bytes(), QoS::AtMostOnce, 0);
    assert_eq!(client.receive_payload(), NAME.as_bytes());
    // Away, it loses its own will, which is retained, and what is sent to it.
    drop(client);
    while measured
        .served
        .handle
        .client(NAME)
        .unwrap()
        .unwrap()
        .is_connected
    {}
    witness.publish(NAME, b"lost", QoS::AtMostOnce, 0);
    let scrape = measured.scrape(&mut witness);
    let dropped = [("cause", "away")];
    assert_eq!(
        scrape.value("sanderling_messages_dropped_total", &dropped),
        Some(2.0)
    );
    assert_eq!(lines(&scrape), before);
    let text = get(measured.metrics, "GET /metrics", "");
    assert!(
        !text.contains("canary") && !text.contains("forged"),
        "{text}"
    );
}

/// Refuses whoever has a user name.
struct RefuseUser;

impl Hooks for RefuseUser {
    fn wants(&self) -> HookSet {
        HookSet::CONNECT
    }

    fn connect(&mut self, _: &Link, connect: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        match connect.username {
            Some(_) => Ruling::Refuse(ReasonCode::NOT_AUTHORIZED),
            None => Ruling::Permit,
        }
    }
}

/// Names and labels of all samples.
fn lines(scrape: &Scrape) -> Vec<String> {
    let samples = scrape.families.values().flat_map(|family| &family.samples);
    samples
        .map(|sample| format!("{} {:?}", sample.name, sample.labels))
        .collect()
}
