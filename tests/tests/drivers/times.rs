//! What happens because time passes, with clocks that nobody moves: the shortest times that there are. That something
//! does not come early is measured, never that it comes soon.

use super::{
    client::{Client, Received},
    serve::{Serve, start, start_with},
};
use sanderling_core::{
    broker::Publication,
    config::Config,
    hooks::{Context, HookSet, Hooks, Notice, SessionEnd},
    packet::{ClientPacket, Connect, Properties, QoS, Version},
    reason::ReasonCode,
};
use std::{
    io::Read,
    sync::mpsc::{Sender, channel},
    time::{Duration, Instant},
};

super::on_every_driver! {
    p13_silence_for_one_and_a_half_times_the_keep_alive_ends_a_connection
    s8_d4_sessions_expire_after_their_time_away_and_never_while_connected
    f7_what_is_not_acknowledged_in_time_is_sent_again_before_5_0
    s3_what_was_in_flight_comes_once_to_who_comes_back
}

const PATIENCE: Duration = Duration::from_secs(20);

fn connect(version: Version, client_id: &str, keep_alive_s: u16) -> ClientPacket<'_> {
    ClientPacket::Connect(Box::new(Connect {
        version,
        client_id,
        clean_start: false,
        keep_alive_s,
        username: None,
        password: None,
        will: None,
        properties: Properties::EMPTY,
    }))
}

fn p13_silence_for_one_and_a_half_times_the_keep_alive_ends_a_connection<D: Serve>() {
    let served = start::<D>();
    let mut silent = Client::open(served.address, Version::V5);
    let mut calm = Client::open(served.address, Version::V5);
    calm.send(&connect(Version::V5, "calm", 0));
    assert_eq!(calm.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    let since = Instant::now();
    silent.send(&connect(Version::V5, "silent", 1));
    assert_eq!(silent.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    assert_eq!(
        silent.receive(),
        Received::Disconnect(ReasonCode::KEEP_ALIVE_TIMEOUT)
    );
    assert!(since.elapsed() >= Duration::from_millis(1500));
    assert_eq!(silent.receive(), Received::Closed);
    // Without a keep alive silence means nothing.
    calm.barrier();
}

/// Hands on whose sessions expire.
struct Expiries(Sender<String>);

impl Hooks for Expiries {
    fn wants(&self) -> HookSet {
        HookSet::NOTICE
    }

    fn notice(&mut self, notice: &Notice<'_>, _: &mut Context<'_>) {
        if let Notice::SessionEnded {
            session,
            why: SessionEnd::Expired,
        } = notice
        {
            // After the test nobody listens.
            let _ = self.0.send(session.client_id().into());
        }
    }
}

fn s8_d4_sessions_expire_after_their_time_away_and_never_while_connected<D: Serve>() {
    let (expiries, expired) = channel();
    let config = Config {
        session_expiry_max_s: 1,
        ..Config::default()
    };
    let served = start_with::<D>(|builder| builder.config(config).hook(Expiries(expiries)));
    let open = |client_id| {
        let mut client = Client::open(served.address, Version::V311);
        client.send(&connect(Version::V311, client_id, 0));
        assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
        client
    };
    let mut stays = open("stays");
    let mut leaves = open("leaves");
    let since = Instant::now();
    leaves.disconnect();
    assert_eq!(leaves.receive(), Received::Closed);
    assert_eq!(expired.recv_timeout(PATIENCE).as_deref(), Ok("leaves"));
    assert!(since.elapsed() >= Duration::from_secs(1));
    assert_eq!(served.handle.client("leaves"), Ok(None));
    // It has been connected for longer than that.
    stays.barrier();
    assert!(served.handle.client("stays").unwrap().is_some());
    let statistics = served.handle.statistics().unwrap();
    assert_eq!(statistics.sessions_expired, 1);
}

fn f7_what_is_not_acknowledged_in_time_is_sent_again_before_5_0<D: Serve>() {
    let config = Config {
        retry_interval: Some(Duration::from_millis(50)),
        ..Config::default()
    };
    let served = start_with::<D>(|builder| builder.config(config));
    let mut client = Client::open(served.address, Version::V311);
    client.say_connect("c");
    assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    client.subscribe("t", QoS::AtLeastOnce);
    let message = Publication::new("t", "again").qos(QoS::AtLeastOnce);
    assert_eq!(served.handle.publish(message), Ok(1));
    let sent = |dup: u8| [&[0x32 | dup << 3, 10, 0, 1, b't', 0, 1], &b"again"[..]].concat();
    for dup in [0, 1, 1] {
        let mut bytes = [0; 12];
        client.stream.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, sent(dup)[..]);
    }
}

fn s3_what_was_in_flight_comes_once_to_who_comes_back<D: Serve>() {
    let served = start::<D>();
    let open = || {
        let mut client = Client::open(served.address, Version::V311);
        client.send(&connect(Version::V311, "c", 0));
        assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
        client
    };
    let mut client = open();
    client.subscribe("t", QoS::AtLeastOnce);
    let publish = |text: &'static str| {
        let message = Publication::new("t", text).qos(QoS::AtLeastOnce);
        assert_eq!(served.handle.publish(message), Ok(1));
    };
    publish("in flight");
    assert_eq!(client.receive_payload(), b"in flight");
    client.disconnect();
    assert_eq!(client.receive(), Received::Closed);
    publish("queued");
    let info = served.handle.client("c").unwrap().unwrap();
    assert_eq!((info.inflight_len, info.queue_len), (1, 1));
    let mut client = open();
    assert_eq!(client.receive_payload(), b"in flight");
    assert_eq!(client.receive_payload(), b"queued");
    client.barrier();
}
