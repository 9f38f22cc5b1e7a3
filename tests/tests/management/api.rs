//! `/api/v1`: what it shows and does, one resource after the other.

use super::Managed;
use crate::{
    client::{Client, Received},
    serve::Serve,
};
use sanderling_core::{
    broker::Publication,
    config::{Config, Limits},
    packet::{QoS, Version},
    reason::ReasonCode,
};
use serde_json::{Value, json};

super::on_shipped_drivers! {
    m20_clients_are_shown_and_closed
    m21_sessions_are_shown_and_ended
    m22_queues_and_what_is_in_flight_are_shown
    m23_subscriptions_are_made_and_ended
    m24_retained_messages_are_shown_and_removed
    m25_messages_are_published_with_properties
    m25_messages_are_published_to_one_session
    m26_listeners_configuration_and_counters_are_shown
    m27_what_is_wrong_is_told_by_codes
    m28_probes_say_whether_the_broker_is_there
}

fn items(value: &Value) -> &Vec<Value> {
    value["items"].as_array().unwrap()
}

fn m20_clients_are_shown_and_closed<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.api();
    let mut client = Client::connect(managed.served.address, "c/1");
    let shown = web.get("/api/v1/clients/c%2F1").json(200);
    let expected = json!({
        "client_id": "c/1", "protocol_version": "5.0", "listener": shown["listener"],
        "remote_address": client.stream.local_addr().unwrap().to_string(),
        "announced_by_proxy": false, "has_certificate": false, "clean_start": true,
        "keep_alive_s": 60, "connected_at": shown["connected_at"], "outbound_bytes": 0,
    });
    assert_eq!(shown, expected);
    assert_eq!(items(&web.get("/api/v1/clients").json(200)), &[expected]);
    let closed = web.delete("/api/v1/clients/c%2F1?reason=server_moved");
    assert_eq!((closed.status, &*closed.body), (204, ""));
    assert_eq!(
        client.receive(),
        Received::Disconnect(ReasonCode::SERVER_MOVED)
    );
    assert_eq!(client.receive(), Received::Closed);
    assert_eq!(
        web.delete("/api/v1/clients/c%2F1").problem(404),
        "not_found"
    );
    assert_eq!(web.get("/api/v1/clients/c%2F1").problem(404), "not_found");
}

fn m21_sessions_are_shown_and_ended<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.api();
    let mut client = Client::connect(managed.served.address, "c");
    client.subscribe("t", QoS::AtLeastOnce);
    managed
        .served
        .handle
        .publish(Publication::new("t", "x"))
        .unwrap();
    assert_eq!(client.receive_payload(), b"x");
    let shown = web.get("/api/v1/sessions/c").json(200);
    for (field, value) in [
        ("connected", json!(true)),
        ("subscriptions", json!(1)),
        ("queue_messages", json!(0)),
        ("expires_after_s", json!(0)),
        ("messages_sent", json!([1, 0, 0])),
        ("protocol_version", json!("5.0")),
    ] {
        assert_eq!(shown[field], value, "{field} in {shown}");
    }
    assert_eq!(
        items(&web.get("/api/v1/sessions?connected=false").json(200)).len(),
        0
    );
    assert_eq!(web.delete("/api/v1/sessions/c").status, 204);
    assert!(matches!(client.receive(), Received::Disconnect(_)));
    assert_eq!(web.get("/api/v1/sessions/c").problem(404), "not_found");
    assert_eq!(web.delete("/api/v1/sessions/c").problem(404), "not_found");
}

fn m22_queues_and_what_is_in_flight_are_shown<D: Serve>() {
    let config = Config {
        limits: Limits {
            inflight_max: 3,
            ..Limits::default()
        },
        ..Config::default()
    };
    let managed = Managed::start_with::<D>(|it| it, |builder| builder.config(config));
    let web = managed.api();
    let mut client = managed.keep("c");
    client.subscribe("t/#", QoS::AtLeastOnce);
    for number in 0..10 {
        let message = Publication::new(format!("t/{number}"), vec![number; 100]);
        managed
            .served
            .handle
            .publish(message.qos(QoS::AtLeastOnce))
            .unwrap();
    }
    let list = |path: &str, limit: usize| {
        let (mut topics, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = web
                .get(&format!("/api/v1/sessions/c/{path}?limit={limit}{cursor}"))
                .json(200);
            assert!(items(&page).len() <= limit);
            topics.extend(
                items(&page)
                    .iter()
                    .map(|one| one["topic"].as_str().unwrap().to_owned()),
            );
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return topics,
            }
        }
    };
    assert_eq!(list("inflight", 2), ["t/0", "t/1", "t/2"]);
    assert_eq!(
        list("queue", 3),
        ["t/3", "t/4", "t/5", "t/6", "t/7", "t/8", "t/9"]
    );
    let page = web
        .get("/api/v1/sessions/c/queue?limit=1&payload_bytes_max=3")
        .json(200);
    let first = &items(&page)[0];
    let expected = json!({
        "topic": "t/3", "qos": 1, "retain": false, "payload_bytes": 100,
        "payload_base64": "AwMD", "payload_is_cut": true, "properties": {},
    });
    assert_eq!(first, &expected);
    assert_eq!(
        web.get("/api/v1/sessions/nobody/queue").problem(404),
        "not_found"
    );
    assert_eq!(
        web.get("/api/v1/sessions/nobody/inflight").problem(404),
        "not_found"
    );
}

fn m23_subscriptions_are_made_and_ended<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.api();
    let mut client = Client::connect(managed.served.address, "c");
    let new = json!({"client_id": "c", "filter": "t/+", "qos": 1, "retain_as_published": true});
    assert_eq!(
        web.post_json("/api/v1/subscriptions", &new).json(200),
        json!({"replaced": false})
    );
    assert_eq!(
        web.post_json("/api/v1/subscriptions", &new).json(200),
        json!({"replaced": true})
    );
    managed
        .served
        .handle
        .publish(Publication::new("t/x", "hello"))
        .unwrap();
    assert_eq!(client.receive_payload(), b"hello");
    let list = |query: &str| web.get(&format!("/api/v1/subscriptions?{query}")).json(200);
    let all = list("");
    let expected = json!({
        "client_id": "c", "filter": "t/+", "qos": 1, "no_local": false,
        "retain_as_published": true, "identifier": 0, "at": items(&all)[0]["at"],
    });
    assert_eq!(items(&all), &[expected]);
    for (query, count) in [
        ("client_id=c", 1),
        ("client_id=d", 0),
        ("filter=t%2F%2B", 1),
        ("filter=t%2F%23", 0),
        ("matches=t%2Fx", 1),
        ("matches=t", 0),
    ] {
        assert_eq!(items(&list(query)).len(), count, "{query}");
    }
    let gone = "/api/v1/subscriptions?client_id=c&filter=t%2F%2B";
    assert_eq!(web.delete(gone).status, 204);
    assert_eq!(web.delete(gone).problem(404), "not_found");
    // For one without a session it waits.
    let new = json!({"client_id": "later", "filter": "t"});
    web.post_json("/api/v1/subscriptions", &new).json(200);
    assert_eq!(items(&list("client_id=later")).len(), 1);
    let shared = json!({"client_id": "c", "filter": "$share/g/t", "no_local": true});
    assert_eq!(
        web.post_json("/api/v1/subscriptions", &shared).problem(409),
        "conflict"
    );
    let deep = json!({"client_id": "c", "filter": "x/".repeat(200)});
    assert_eq!(
        web.post_json("/api/v1/subscriptions", &deep).problem(409),
        "topic_too_deep"
    );
}

fn m24_retained_messages_are_shown_and_removed<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.api();
    let store = managed.served.handle.retained();
    for topic in ["a/1", "a/2", "b/1", "$sys/1"] {
        store
            .store(
                Publication::new(topic, "x")
                    .qos(QoS::AtLeastOnce)
                    .retained(),
            )
            .unwrap();
    }
    let one = web.get("/api/v1/retained/a%2F1").json(200);
    assert_eq!(
        (&one["topic"], &one["payload_base64"], &one["qos"]),
        (&json!("a/1"), &json!("eA=="), &json!(1))
    );
    let topics = |query: &str| {
        let page = web.get(&format!("/api/v1/retained?{query}")).json(200);
        let topics = items(&page)
            .iter()
            .map(|one| one["topic"].as_str().unwrap().to_owned());
        (topics.collect::<Vec<_>>(), page["next"].clone())
    };
    assert_eq!(
        topics("limit=2"),
        (vec!["$sys/1".into(), "a/1".into()], json!("a/1"))
    );
    assert_eq!(
        topics("limit=2&cursor=a%2F1"),
        (vec!["a/2".into(), "b/1".into()], Value::Null)
    );
    assert_eq!(topics("filter=a%2F%2B").0, ["a/1", "a/2"]);
    assert_eq!(topics("filter=%23").0, ["a/1", "a/2", "b/1"]);
    assert_eq!(web.delete("/api/v1/retained/b%2F1").status, 204);
    assert_eq!(
        web.delete("/api/v1/retained/b%2F1").problem(404),
        "not_found"
    );
    assert_eq!(web.get("/api/v1/retained/b%2F1").problem(404), "not_found");
    assert_eq!(
        web.delete("/api/v1/retained").problem(400),
        "invalid_request"
    );
    assert_eq!(
        web.delete("/api/v1/retained?filter=a%2F%23").json(200),
        json!({"removed": 2})
    );
    assert_eq!(topics("").0, ["$sys/1"]);
}

fn m25_messages_are_published_with_properties<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.api();
    let message = json!({
        "topic": "t", "payload": "hé", "qos": 1, "retain": true, "expires_in_s": 600,
        "properties": {
            "payload_is_utf8": true, "content_type": "text/plain", "response_topic": "r",
            "correlation_data_base64": "AQI=", "user_properties": [{"name": "k", "value": "v"}],
        },
    });
    assert_eq!(
        web.post_json("/api/v1/publish", &message).json(200),
        json!({"receivers": 0})
    );
    let kept = web.get("/api/v1/retained/t").json(200);
    assert_eq!(kept["properties"], message["properties"]);
    assert_eq!(kept["payload_base64"], "aMOp");
    assert!(
        (1..=600).contains(&kept["expires_in_s"].as_u64().unwrap()),
        "{kept}"
    );
    let mut client = Client::connect(managed.served.address, "c");
    client.subscribe("u", QoS::AtMostOnce);
    let bytes = json!({"topic": "u", "payload_base64": "AP8="});
    assert_eq!(
        web.post_json("/api/v1/publish", &bytes).json(200),
        json!({"receivers": 1})
    );
    assert_eq!(client.receive_payload(), [0, 255]);
}

fn m25_messages_are_published_to_one_session<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.api();
    let mut client = Client::connect(managed.served.address, "c");
    let _other = Client::connect(managed.served.address, "d");
    client.subscribe("t", QoS::AtMostOnce);
    let post = |client_id: &str, topic: &str, matching: bool| {
        let delivery = json!({"message": {"topic": topic, "payload": topic}, "matching": matching});
        web.post_json(&format!("/api/v1/sessions/{client_id}/publish"), &delivery)
    };
    assert_eq!(post("c", "t", true).json(200), json!({"receivers": 1}));
    assert_eq!(post("c", "other", true).json(200), json!({"receivers": 0}));
    assert_eq!(
        post("c", "forced", false).json(200),
        json!({"receivers": 1})
    );
    assert_eq!(client.receive_payload(), b"t");
    assert_eq!(client.receive_payload(), b"forced");
    assert_eq!(post("nobody", "t", false).problem(404), "not_found");
    let retained = json!({"message": {"topic": "t", "retain": true}});
    let answer = web.post_json("/api/v1/sessions/c/publish", &retained);
    assert_eq!(answer.problem(409), "conflict");
}

fn m26_listeners_configuration_and_counters_are_shown<D: Serve>() {
    let managed = Managed::start_with::<D>(|it| it, |builder| builder.config(Config::compat()));
    let web = managed.api();
    let _client = Client::connect(managed.served.address, "c");
    let listeners = web.get("/api/v1/listeners").json(200);
    let expected = json!({
        "name": items(&listeners)[0]["name"], "scheme": "mqtt",
        "address": managed.served.address.to_string(), "path": "", "anonymous": true, "connections": 1,
    });
    assert_eq!(items(&listeners), &[expected]);
    let config = web.get("/api/v1/config").json(200);
    assert_eq!(config["limits"]["inflight_max"], 32);
    assert_eq!(config["limits"]["connect_deadline_ms"], 5000);
    assert_eq!(config["retry_interval_ms"], 20_000);
    assert_eq!(config["delivery_mode"], "only_once");
    let counters = web.get("/api/v1/statistics").json(200);
    assert_eq!(counters["clients_connected"], 1);
    assert_eq!(counters["packets_received"]["connect"], 1);
    assert_eq!(counters["messages_dropped_by_cause"]["queue_full"], 0);
}

fn m27_what_is_wrong_is_told_by_codes<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.api();
    for path in [
        "/api/v1/clients?limit=0",
        "/api/v1/clients?limit=1001",
        "/api/v1/clients?limit=x",
        "/api/v1/clients?cursor=x",
        "/api/v1/clients?cursr=1",
        "/api/v1/subscriptions?cursor=x.a",
        "/api/v1/subscriptions?filter=a%2F%23%2Fb",
        "/api/v1/topics?cursor=t",
        "/api/v1/retained/a%2F%2B",
        "/api/v1/sessions/c/queue?payload_bytes_max=70000",
    ] {
        assert_eq!(web.get(path).problem(400), "invalid_request", "{path}");
    }
    for body in [
        json!({}),
        json!({"topic": "a/+"}),
        json!({"topic": "t", "qos": 3}),
        json!({"topic": "t", "qos": 1.5}),
        json!({"topic": "t", "expires_in_s": 4_294_967_296_u64}),
        json!({"topic": "t", "payload_base64": "A"}),
        json!({"topic": "t", "unknown": 1}),
        json!([]),
    ] {
        let answer = web.post_json("/api/v1/publish", &body);
        assert_eq!(answer.problem(400), "invalid_request", "{body}");
    }
    let twice = json!({"topic": "t", "payload": "a", "payload_base64": "AA=="});
    assert_eq!(
        web.post_json("/api/v1/publish", &twice).problem(409),
        "conflict"
    );
    let long = format!("/api/v1/retained/{}", "a".repeat(2049));
    assert_eq!(web.get(&long).problem(400), "invalid_request");
    assert_eq!(web.get(&long[..long.len() - 1]).problem(404), "not_found");
    let answer = web.send("POST", "/api/v1/publish", "text/plain", "{}");
    assert_eq!(answer.problem(415), "unsupported_media_type");
    let answer = web.send(
        "POST",
        "/api/v1/publish",
        "application/json",
        &"[".repeat(5 << 20),
    );
    assert_eq!(answer.problem(413), "too_large");
    let answer = web.send("PUT", "/api/v1/publish", "", "");
    assert_eq!(answer.problem(405), "method_not_allowed");
    assert!(answer.head.contains("allow: post"), "{answer:?}");
}

fn m28_probes_say_whether_the_broker_is_there<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = super::web::Web::new(managed.web);
    assert_eq!(web.probe("GET", "/livez").status, 200);
    assert_eq!(web.probe("GET", "/readyz").status, 200);
    let mut client = Client::open(managed.served.address, Version::V5);
    client.say_connect("c");
    assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    assert_eq!(web.probe("HEAD", "/readyz").status, 200);
}
