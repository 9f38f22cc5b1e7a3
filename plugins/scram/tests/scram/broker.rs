//! Clients over TCP, and what the broker's end of a connection makes the hook forget.

use crate::{
    scram::Scram,
    tcp::{Client, Received},
};
use sanderling_core::{
    broker::{Actions, Broker, CloseCause, Event, Link, Seed, Stage},
    config::Config,
    hooks::{AuthRuling, AuthStep, Context, HookChain, HookSet, Hooks, Notice},
    id::ConnId,
    packet::{ClientPacket, Connect, PropertiesBuf, Property, Version},
    reason::ReasonCode,
    time::{Instant, WallClock},
};
use sanderling_mio::Running;
use sanderling_scram::{ITERATIONS_MIN, METHOD, ScramSha256, StoredKey};
use std::sync::{Arc, Mutex};

fn hook() -> ScramSha256 {
    let key = StoredKey::derive("wonderland", *b"sixteen bytes of", ITERATIONS_MIN).unwrap();
    ScramSha256::new(move |user| (user == "alice").then(|| key.clone())).unwrap()
}

fn serve(hook: ScramSha256) -> Running {
    let broker = sanderling_mio::Broker::builder().hook(hook);
    broker.listen("127.0.0.1:0").unwrap().start().unwrap()
}

/// The client goes first: the broker would wait for it to close.
fn stop(broker: Running, client: Client) {
    drop(client);
    broker.stop();
    broker.join().unwrap();
}

#[test]
fn client_and_broker_prove_themselves() {
    let broker = serve(hook().required());
    let scram = Scram::new("alice", "wonderland");
    let mut client = Client::open(broker.local_addrs()[0]);

    client.connect(Some(&scram.first()));
    let answer = scram.answer(&client.receive_challenge());
    client.auth(ReasonCode::CONTINUE_AUTHENTICATION, &answer.message);
    let accepted = Received::ConnAck(ReasonCode::SUCCESS, Some(answer.server_proof));
    assert_eq!(client.receive(), accepted);

    client.auth(ReasonCode::RE_AUTHENTICATE, &scram.first());
    let answer = scram.answer(&client.receive_challenge());
    client.auth(ReasonCode::CONTINUE_AUTHENTICATION, &answer.message);
    let accepted = Received::Auth(ReasonCode::SUCCESS, Some(answer.server_proof));
    assert_eq!(client.receive(), accepted);

    client.ping();
    assert_eq!(client.receive(), Received::PingResp);
    stop(broker, client);
}

#[test]
fn a_wrong_password_is_not_authorized() {
    let broker = serve(hook());
    let scram = Scram::new("alice", "looking-glass");
    let mut client = Client::open(broker.local_addrs()[0]);
    client.connect(Some(&scram.first()));
    let answer = scram.answer(&client.receive_challenge());
    client.auth(ReasonCode::CONTINUE_AUTHENTICATION, &answer.message);
    let refused = Received::ConnAck(ReasonCode::NOT_AUTHORIZED, None);
    assert_eq!(client.receive(), refused);
    assert_eq!(client.receive(), Received::Closed);
    stop(broker, client);
}

#[test]
fn a_wrong_password_ends_an_authenticated_connection() {
    let broker = serve(hook());
    let mut client = Client::open(broker.local_addrs()[0]);
    let (right, wrong) = (
        Scram::new("alice", "wonderland"),
        Scram::new("alice", "looking-glass"),
    );
    client.connect(Some(&right.first()));
    let answer = right.answer(&client.receive_challenge());
    client.auth(ReasonCode::CONTINUE_AUTHENTICATION, &answer.message);
    assert!(matches!(
        client.receive(),
        Received::ConnAck(ReasonCode::SUCCESS, _)
    ));
    client.auth(ReasonCode::RE_AUTHENTICATE, &wrong.first());
    let answer = wrong.answer(&client.receive_challenge());
    client.auth(ReasonCode::CONTINUE_AUTHENTICATION, &answer.message);
    assert_eq!(
        client.receive(),
        Received::Disconnect(ReasonCode::NOT_AUTHORIZED)
    );
    assert_eq!(client.receive(), Received::Closed);
    stop(broker, client);
}

#[test]
fn without_authentication_a_client_is_refused_only_if_it_is_required() {
    for (hook, reason) in [
        (hook(), ReasonCode::SUCCESS),
        (hook().required(), ReasonCode::NOT_AUTHORIZED),
    ] {
        let broker = serve(hook);
        let mut client = Client::open(broker.local_addrs()[0]);
        client.connect(None);
        assert_eq!(client.receive(), Received::ConnAck(reason, None));
        stop(broker, client);
    }
}

/// A hook that the test can look at while a broker has it.
#[derive(Clone)]
struct Shared(Arc<Mutex<ScramSha256>>);

impl Hooks for Shared {
    fn wants(&self) -> HookSet {
        self.0.lock().unwrap().wants()
    }

    fn authenticate(
        &mut self,
        link: &Link,
        step: &AuthStep<'_>,
        cx: &mut Context<'_>,
    ) -> AuthRuling {
        self.0.lock().unwrap().authenticate(link, step, cx)
    }

    fn notice(&mut self, notice: &Notice<'_>, cx: &mut Context<'_>) {
        self.0.lock().unwrap().notice(notice, cx);
    }
}

impl Shared {
    fn knows(&self, connections: usize) -> bool {
        let text = format!("{:?}", self.0.lock().unwrap());
        text.contains(&format!("connections: {connections}"))
    }
}

#[test]
fn a_connection_that_ended_is_forgotten() {
    let hook = Shared(Arc::new(Mutex::new(hook())));
    let hooks = HookChain::new().with(hook.clone());
    let now = Instant::default();
    let mut broker = Broker::new(
        Config::default(),
        hooks,
        Seed([0; 32]),
        now,
        WallClock::default(),
    );
    let mut actions = Actions::new();
    let mut handle = |event| {
        let _ = broker.handle(now, event, &mut actions);
    };
    let first = Scram::new("alice", "wonderland").first();
    let mut properties = PropertiesBuf::new();
    properties
        .push(Property::AuthenticationMethod(METHOD))
        .unwrap();
    properties
        .push(Property::AuthenticationData(first.as_bytes()))
        .unwrap();
    let conns = [1, 2].map(|slot| ConnId {
        slot,
        generation: 0,
    });
    for conn in conns {
        let link = Link::new(0, None, [conn.slot as u8; 16]);
        handle(Event::Opened {
            conn,
            link,
            stage: Stage::Connect,
        });
        let connect = Connect {
            version: Version::V5,
            client_id: "",
            clean_start: true,
            keep_alive_s: 0,
            username: None,
            password: None,
            will: None,
            properties: properties.as_properties(),
        };
        handle(Event::Received {
            conn,
            packet: ClientPacket::Connect(Box::new(connect)),
            bytes: 100,
        });
    }
    assert!(hook.knows(2));
    for (conn, left) in conns.into_iter().zip([1, 0]) {
        handle(Event::Closed {
            conn,
            cause: CloseCause::PeerClosed,
        });
        assert!(hook.knows(left));
    }
}
