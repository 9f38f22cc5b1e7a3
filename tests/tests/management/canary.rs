//! Canaries: what must not be told to anybody is looked for in all that is logged, answered, measured and published.

use super::{Managed, PASSWORD, USER, web::Web};
use crate::{
    client::{Client, Received},
    serve::Serve,
};
use sanderling_core::{
    config::Config,
    packet::{ClientPacket, Connect, Properties, PropertiesBuf, Property, QoS, Version},
    reason::ReasonCode,
};
use sanderling_prometheus::Prometheus;
use sanderling_runtime::{Inline, InlineOptions};
use sanderling_sys::Sys;
use serde_json::json;
use std::{
    io::{self, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};
use tracing_subscriber::fmt::MakeWriter;

#[test]
fn m31_a57_no_secret_is_logged_answered_measured_or_published() {
    // One process has one log, so both drivers are watched by one test.
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    // Others of this process may write into it; their secrets are others.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    sing::<sanderling_mio::Broker>(&log);
    sing::<sanderling_tokio::Broker>(&log);
}

/// What is looked for.
const CLIENT_PASSWORD: &str = "canary-of-a-client";
const AUTH_DATA: &str = "canary-of-an-exchange";
const WRONG_PASSWORD: &str = "canary-that-is-wrong";
const WRONG_TOKEN: &str = "sanderling_canary-that-is-wrong";
const METRICS_TOKEN: &str = "canary-of-metrics";

fn sing<D: Serve>(log: &Log) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = listener.local_addr().unwrap();
    let prometheus = Prometheus::on(listener).token(METRICS_TOKEN);
    let managed = Managed::start_with::<D>(
        |it| it,
        |builder| {
            let log = sanderling_runtime::Log::default();
            let builder = builder.config(Config::compat()).hook(log);
            builder.plugin(prometheus).plugin(Sys::new())
        },
    );
    let mut topics = sys_topics(&managed);
    let client = connect(&managed);
    let mut told = published(&mut topics);
    for web in [
        Web::new(metrics),
        Web::new(metrics).bearer(METRICS_TOKEN),
        Web::new(metrics).bearer(WRONG_TOKEN),
    ] {
        told.push_str(&web.get("/metrics").body);
    }
    assert!(told.contains("mqtt_clients_connected_total"));
    for web in [
        managed.api(),
        managed.seed(),
        Web::new(managed.web),
        Web::new(managed.web).basic(USER, WRONG_PASSWORD),
        Web::new(managed.web).bearer(WRONG_TOKEN),
    ] {
        told.push_str(&everything(&web));
    }
    drop(client);
    managed.served.handle.stop();
    managed.served.join();
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("publishing") && logged.contains("canary-client"),
        "the log works"
    );
    assert!(told.contains("canary-client"), "the answers are there");
    let token = managed.token.as_str();
    let secrets = [
        CLIENT_PASSWORD,
        AUTH_DATA,
        WRONG_PASSWORD,
        WRONG_TOKEN,
        METRICS_TOKEN,
        PASSWORD,
        token,
    ];
    let encoded = secrets.map(|secret| {
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, secret)
    });
    for secret in secrets
        .iter()
        .copied()
        .chain(encoded.iter().map(|text| &**text))
    {
        assert!(!told.contains(secret), "{secret} is told");
        assert!(!logged.contains(secret), "{secret} is logged");
    }
}

/// What the broker says of itself, to one inside the program.
fn sys_topics(managed: &Managed) -> Inline {
    let options = InlineOptions::new("reader");
    let inline = pollster::block_on(managed.served.handle.inline(options)).unwrap();
    pollster::block_on(inline.subscribe("$SYS/#", QoS::AtMostOnce)).unwrap();
    inline
}

/// All of it, until it tells of the client.
fn published(topics: &mut Inline) -> String {
    let mut told = String::new();
    while !told.contains("canary-client") {
        let message = topics.recv().unwrap();
        let payload = String::from_utf8_lossy(&message.payload);
        told.push_str(&format!("{} {payload}\n", message.topic));
    }
    told
}

/// A client with a password, and one with enhanced authentication, which is refused.
fn connect(managed: &Managed) -> Client {
    let connect = |version, client_id, properties| Connect {
        version,
        client_id,
        clean_start: false,
        keep_alive_s: 60,
        username: Some("canary-user"),
        password: Some(CLIENT_PASSWORD.as_bytes()),
        will: None,
        properties,
    };
    let mut properties = PropertiesBuf::new();
    properties
        .push(Property::AuthenticationMethod("canary"))
        .unwrap();
    let data = Property::AuthenticationData(AUTH_DATA.as_bytes());
    properties.push(data).unwrap();
    let mut other = Client::open(managed.served.address, Version::V5);
    let packet = connect(Version::V5, "canary-other", Properties::from(&properties));
    other.send(&ClientPacket::Connect(Box::new(packet)));
    assert!(matches!(other.receive(), Received::ConnAck(reason) if reason != ReasonCode::SUCCESS));
    let mut client = Client::open(managed.served.address, Version::V311);
    let packet = connect(Version::V311, "canary-client", Properties::EMPTY);
    client.send(&ClientPacket::Connect(Box::new(packet)));
    assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    client
}

/// Every answer to every question.
fn everything(web: &Web) -> String {
    let mut told = String::new();
    for path in [
        "/clients",
        "/client/canary-client",
        "/sessions",
        "/session/canary-client",
        "/subscriptions/canary-client",
        "/livez",
        "/readyz",
        "/api/v1/clients",
        "/api/v1/clients/canary-client",
        "/api/v1/sessions",
        "/api/v1/sessions/canary-client",
        "/api/v1/sessions/canary-client/queue",
        "/api/v1/sessions/canary-client/inflight",
        "/api/v1/subscriptions",
        "/api/v1/topics",
        "/api/v1/retained",
        "/api/v1/listeners",
        "/api/v1/config",
        "/api/v1/statistics",
        "/api/v1/openapi.json",
        "/api/v1/nothing",
    ] {
        let answer = web.get(path);
        told.push_str(&answer.head);
        told.push_str(&answer.body);
    }
    told.push_str(
        &web.post_form("/publish", "qos=0&topic=canary&payload=x")
            .body,
    );
    let message = json!({"topic": "canary", "payload": "x"});
    told.push_str(&web.post_json("/api/v1/publish", &message).body);
    told
}

/// All that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
