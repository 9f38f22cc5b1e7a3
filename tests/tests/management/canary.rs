//! Canaries: what must not be told to anybody is looked for in all that is logged and answered.

use super::{Managed, PASSWORD, USER, web::Web};
use crate::{
    client::{Client, Received},
    serve::Serve,
};
use sanderling_core::{
    config::Config,
    packet::{ClientPacket, Connect, Properties, PropertiesBuf, Property, Version},
    reason::ReasonCode,
};
use serde_json::json;
use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};
use tracing_subscriber::fmt::MakeWriter;

#[test]
fn m31_a57_no_secret_is_logged_or_answered() {
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

fn sing<D: Serve>(log: &Log) {
    let managed = Managed::start_with::<D>(
        |it| it,
        |builder| {
            let log = sanderling_runtime::Log::default();
            builder.config(Config::compat()).hook(log)
        },
    );
    let _client = connect(&managed);
    let mut told = String::new();
    for web in [
        managed.api(),
        managed.seed(),
        Web::new(managed.web),
        Web::new(managed.web).basic(USER, WRONG_PASSWORD),
        Web::new(managed.web).bearer(WRONG_TOKEN),
    ] {
        told.push_str(&everything(&web));
    }
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
