//! The seed's routes that look: clients, sessions, subscriptions; and the one that closes.

use super::{Managed, USER, connect, web::Web};
use crate::{
    client::{Client, Received},
    serve::Serve,
};
use sanderling_core::{
    config::Config,
    packet::{ClientPacket, Connect, Properties, QoS, Version, Will},
    reason::ReasonCode,
    topic::TopicName,
};
use serde_json::{Value, json};

super::on_shipped_drivers! {
    m01_every_answer_has_the_envelope_and_unknown_routes_are_404
    m02_m03_clients_come_in_pages_in_the_order_of_creation
    m03_a_client_is_shown_as_its_connect_said_and_its_password_is_not
    m04_one_client_is_found_or_not
    m05_m06_sessions_tell_their_state_and_counters
    m07_subscriptions_are_a_bare_list
    m11_a_client_is_closed_and_its_session_stays
    m12_every_route_needs_a_login
}

/// Asks until the answer is as it should be: the broker learns of a closed connection in its own time.
fn until(mut answer: impl FnMut() -> Value, is: impl Fn(&Value) -> bool) -> Value {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let value = answer();
        if is(&value) {
            return value;
        }
        assert!(std::time::Instant::now() < deadline, "{value}");
        std::thread::yield_now();
    }
}

fn m01_every_answer_has_the_envelope_and_unknown_routes_are_404<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.seed();
    let answer = web.get("/clients");
    assert!(
        answer.head.contains("content-type: application/json"),
        "{answer:?}"
    );
    assert_eq!(
        answer.json(200),
        json!({"code": 0, "message": "", "data": {
            "pager": {"page": 1, "page_size": 20, "count": 0, "total": 0}, "result": []}})
    );
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/nothing"),
        ("POST", "/clients"),
        ("PUT", "/publish"),
    ] {
        assert_eq!(
            web.send(method, path, "", "").status,
            404,
            "{method} {path}"
        );
    }
}

fn m02_m03_clients_come_in_pages_in_the_order_of_creation<D: Serve>() {
    let managed = Managed::start::<D>();
    let address = managed.served.address;
    let names: Vec<_> = (0..45)
        .map(|n| format!("client {}", (n * 7) % 45))
        .collect();
    let mut clients: Vec<_> = names
        .iter()
        .map(|name| Client::connect(address, name))
        .collect();
    let web = managed.seed();
    let page = |query: &str| {
        let data = web.get(&format!("/clients{query}")).data();
        let rows = data["result"].as_array().unwrap();
        let ids: Vec<_> = rows
            .iter()
            .map(|row| row["client_id"].as_str().unwrap().to_owned())
            .collect();
        (data["pager"].clone(), ids)
    };
    let pager = |page: u64, page_size: u64, count: u64| json!({"page": page, "page_size": page_size, "count": count, "total": 45});
    assert_eq!(page(""), (pager(1, 20, 20), names[..20].to_vec()));
    assert_eq!(page("?page=3"), (pager(3, 20, 5), names[40..].to_vec()));
    assert_eq!(page("?page=4"), (pager(4, 20, 0), vec![]));
    assert_eq!(
        page("?page=4&page_size=7"),
        (pager(4, 7, 7), names[21..28].to_vec())
    );
    assert_eq!(
        page("?page=x&page_size=-1"),
        (pager(1, 20, 20), names[..20].to_vec())
    );
    // Who comes with a new session is the last.
    let again = Client::connect(address, &names[0]);
    let order: Vec<_> = names[1..].iter().chain(&names[..1]).cloned().collect();
    assert_eq!(page("?page_size=50").1, order);
    clients.push(again);
}

fn m03_a_client_is_shown_as_its_connect_said_and_its_password_is_not<D: Serve>() {
    let managed = Managed::start_with::<D>(|it| it, |builder| builder.config(Config::compat()));
    let shown = show_full(&managed);
    assert_eq!(shown["password"], "******");
    // Where somebody asked for it, it is shown as the seed did.
    let managed = Managed::start_with::<D>(
        |management| management.show_passwords(),
        |builder| builder.config(Config::compat()),
    );
    assert_eq!(show_full(&managed)["password"], "open sesame");
}

fn show_full(managed: &Managed) -> Value {
    let mut client = Client::open(managed.served.address, Version::V311);
    client.send(&ClientPacket::Connect(Box::new(Connect {
        keep_alive_s: 77,
        username: Some("ali"),
        password: Some(b"open sesame"),
        will: Some(Will {
            topic: TopicName::parse("gone/ali").unwrap(),
            payload: b"bye",
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: Properties::EMPTY,
        }),
        ..connect("cave")
    })));
    assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    let shown = managed.seed().get("/client/cave").data();
    let mut expected = json!({
        "client_id": "cave", "username": "ali", "keep_alive": 77, "clean_session": true,
        "will_flag": true, "will_retain": true, "will_qos": 1, "will_topic": "gone/ali",
        "will_payload": "bye", "remote_addr": client.stream.local_addr().unwrap().to_string(),
        "local_addr": managed.served.address.to_string(), "disconnected_at": "1970-01-01T00:00:00Z",
    });
    expected["password"] = shown["password"].clone();
    expected["connected_at"] = shown["connected_at"].clone();
    assert_eq!(shown, expected);
    let at = shown["connected_at"].as_str().unwrap();
    assert!(
        at.starts_with("20") && at.ends_with('Z') && at.len() == 20,
        "{at}"
    );
    shown
}

fn m04_one_client_is_found_or_not<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.seed();
    assert_eq!(web.get("/client/nobody").wrong(), "not found");
    assert_eq!(web.get("/session/nobody").wrong(), "not found");
    let name = "a/b c%ü";
    let _client = Client::connect(managed.served.address, name);
    let found = web.get("/client/a%2Fb%20c%25%C3%BC").data();
    assert_eq!(found["client_id"], name);
    assert_eq!(found["password"], "");
}

/// [D9]
fn m05_m06_sessions_tell_their_state_and_counters<D: Serve>() {
    let managed = Managed::start_with::<D>(|it| it, |builder| builder.config(Config::compat()));
    let web = managed.seed();
    let mut kept = managed.keep("kept");
    kept.subscribe("news/#", QoS::AtLeastOnce);
    let handle = &managed.served.handle;
    let news = || sanderling_core::broker::Publication::new("news/1", "x").qos(QoS::AtLeastOnce);
    assert_eq!(handle.publish(news()), Ok(1));
    assert!(matches!(kept.receive(), Received::Publish { .. }));
    let session = |status: &str| {
        until(
            || web.get("/session/kept").data(),
            |session| session["status"] == status,
        )
    };
    let online = session("online");
    let expected = json!({
        "client_id": "kept", "status": "online", "clean_session": false, "subscriptions": 1,
        "max_inflight": 32, "inflight_len": 1, "max_msg_queue": 1000, "msg_queue_len": 0,
        "max_await_rel": 100, "await_rel_len": 0,
        "qos0_msg_dropped_total": 0, "qos1_msg_dropped_total": 0, "qos2_msg_dropped_total": 0,
        "msg_dropped_total": 0, "qos0_msg_delivered_total": 0, "qos1_msg_delivered_total": 1,
        "qos2_msg_delivered_total": 0, "msg_delivered_total": 1,
        "connected_at": online["connected_at"], "disconnected_at": "1970-01-01T00:00:00Z",
    });
    assert_eq!(online, expected);
    drop(kept);
    let offline = session("offline");
    assert!(
        offline["disconnected_at"].as_str().unwrap() >= offline["connected_at"].as_str().unwrap()
    );
    assert_eq!(handle.publish(news()), Ok(1));
    assert_eq!(session("offline")["msg_queue_len"], 1);
    let page = web.get("/sessions").data();
    assert_eq!(
        page["pager"],
        json!({"page": 1, "page_size": 20, "count": 1, "total": 1})
    );
    assert_eq!(page["result"][0], session("offline"));
    // One that is away is a client, too.
    assert_eq!(web.get("/clients").data()["pager"]["count"], 1);
}

fn m07_subscriptions_are_a_bare_list<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.seed();
    assert_eq!(web.get("/subscriptions/nobody").data(), json!([]));
    let mut client = Client::connect(managed.served.address, "c");
    for number in 0..25 {
        client.subscribe(&format!("t/{number:02}"), QoS::AtLeastOnce);
    }
    let names = |query: &str| {
        let rows = web.get(&format!("/subscriptions/c{query}")).data();
        let rows = rows.as_array().unwrap().clone();
        for row in &rows {
            assert_eq!((&row["client_id"], &row["qos"]), (&json!("c"), &json!(1)));
            assert!(row["at"].as_str().unwrap().ends_with('Z'));
        }
        rows.iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("").len(), 20);
    assert_eq!(names("?page=2"), ["t/20", "t/21", "t/22", "t/23", "t/24"]);
    assert_eq!(names("?page=3&page_size=3"), ["t/06", "t/07", "t/08"]);
    assert!(names("?page=9").is_empty());
}

fn m11_a_client_is_closed_and_its_session_stays<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.seed();
    let mut kept = managed.keep("kept");
    assert_eq!(web.delete("/client/kept").data(), json!({}));
    assert_eq!(kept.receive(), Received::Closed);
    assert_eq!(web.delete("/client/kept").data(), json!({}));
    assert_eq!(web.delete("/client/nobody").data(), json!({}));
    let session = until(
        || web.get("/session/kept").data(),
        |session| session["status"] == "offline",
    );
    assert_eq!(session["client_id"], "kept");
}

fn m12_every_route_needs_a_login<D: Serve>() {
    let managed = Managed::start::<D>();
    let nobody = Web::new(managed.web);
    let wrong = nobody.clone().basic(USER, "wrong");
    for (method, path) in [
        ("GET", "/clients"),
        ("GET", "/client/c"),
        ("DELETE", "/client/c"),
        ("GET", "/sessions"),
        ("GET", "/session/c"),
        ("GET", "/subscriptions/c"),
        ("POST", "/subscribe"),
        ("POST", "/unsubscribe"),
        ("POST", "/publish"),
    ] {
        let answer = nobody.send(method, path, "", "");
        assert_eq!(answer.status, 401, "{method} {path}");
        assert!(
            answer.head.contains("www-authenticate: basic"),
            "{answer:?}"
        );
        // A token is as good as a login, if it has the scope.
        assert_ne!(managed.api().send(method, path, "", "").status, 401);
    }
    assert_eq!(wrong.get("/clients").status, 401);
    assert_eq!(managed.seed().get("/clients").status, 200);
}
