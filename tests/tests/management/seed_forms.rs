//! The seed's routes that change something: subscribe, unsubscribe, publish.

use super::Managed;
use crate::{
    client::{Client, Received},
    serve::Serve,
};
use sanderling_core::packet::QoS;
use serde_json::json;

super::on_shipped_drivers! {
    m08_subscriptions_are_made_and_what_is_wrong_is_told_in_order
    m09_subscriptions_are_ended_whether_there_are_any_or_not
    m10_messages_are_published_as_text_or_bytes
    m10_what_is_wrong_with_a_message_is_told
    m13_forms_may_be_multipart
    a32_what_is_published_over_http_is_checked_like_any_publish
}

const WRONG_QOS: &str = "invalid Qos,only support qos0 | qos1 | qos2";

fn m08_subscriptions_are_made_and_what_is_wrong_is_told_in_order<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.seed();
    let wrong = |form: &str| web.post_form("/subscribe", form).wrong();
    assert_eq!(wrong(""), WRONG_QOS);
    assert_eq!(wrong("qos=3&topic=&clientID="), WRONG_QOS);
    assert_eq!(
        wrong("qos=1&topic=a%2F%23%2Fb&clientID="),
        "invalid topic filter"
    );
    assert_eq!(wrong("qos=1&clientID=c"), "invalid topic filter");
    assert_eq!(wrong("qos=1&topic=a&clientID="), "invalid clientID");
    let mut client = Client::connect(managed.served.address, "c");
    let made = web.post_form("/subscribe", "qos=1&topic=a%2F%2B&clientID=c");
    assert_eq!(made.data(), json!({}));
    let listed = web.get("/subscriptions/c").data();
    assert_eq!(
        (&listed[0]["name"], &listed[0]["qos"]),
        (&json!("a/+"), &json!(1))
    );
    web.post_form("/publish", "qos=0&topic=a%2Fb&payload=hello")
        .data();
    assert_eq!(client.receive_payload(), b"hello");
    // Before there is a session, it waits for one.
    web.post_form("/subscribe", "qos=0&topic=early&clientID=later")
        .data();
    assert_eq!(web.get("/subscriptions/later").data()[0]["name"], "early");
}

fn m09_subscriptions_are_ended_whether_there_are_any_or_not<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.seed();
    let post = |form: &str| web.post_form("/unsubscribe", form);
    assert_eq!(
        post("topic=%2B%2B&clientID=").wrong(),
        "invalid topic filter"
    );
    assert_eq!(post("topic=a").wrong(), "invalid clientID");
    assert_eq!(post("topic=a&clientID=nobody").data(), json!({}));
    let mut client = Client::connect(managed.served.address, "c");
    client.subscribe("a", QoS::AtMostOnce);
    assert_eq!(post("topic=a&clientID=c").data(), json!({}));
    assert_eq!(post("topic=a&clientID=c").data(), json!({}));
    assert_eq!(web.get("/subscriptions/c").data(), json!([]));
}

fn m10_messages_are_published_as_text_or_bytes<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.seed();
    let mut client = Client::connect(managed.served.address, "c");
    client.subscribe("t", QoS::ExactlyOnce);
    for (form, payload) in [
        ("qos=0&topic=t&payload=two%0Alines", &b"two\nlines"[..]),
        ("qos=0&topic=t&payload=a+b%2Bc", b"a b+c"),
        ("qos=0&topic=t&payload=%E2%82%AC", "€".as_bytes()),
        ("qos=0&topic=t&payload_base64=AP8%3D", &[0, 255]),
        ("qos=0&topic=t", b""),
    ] {
        assert_eq!(web.post_form("/publish", form).data(), json!({}), "{form}");
        assert_eq!(client.receive_payload(), payload, "{form}");
    }
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let form = format!("qos={}&topic=t&payload=x", qos as u8);
        web.post_form("/publish", &form).data();
        let Received::Publish { qos: came, .. } = client.receive() else {
            panic!("no message");
        };
        assert_eq!(came, qos);
    }
    let retained = || managed.served.handle.retained().get("kept").unwrap();
    web.post_form("/publish", "qos=0&topic=kept&payload=x&retain=")
        .data();
    assert_eq!(retained(), None);
    web.post_form("/publish", "qos=0&topic=kept&payload=x&retain=0")
        .data();
    assert_eq!(&retained().unwrap().payload[..], b"x");
}

fn m10_what_is_wrong_with_a_message_is_told<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.seed();
    for (form, told) in [
        ("topic=t&payload=x", WRONG_QOS),
        ("qos=-1&topic=t", WRONG_QOS),
        ("qos=0&topic=", "invalid topic filter"),
        ("qos=0&topic=a%2F%23", "invalid topic filter"),
        ("qos=0&topic=%FF", "invalid topic filter"),
        ("qos=0&topic=t&payload=%FF", "invalid utf-8 string"),
        ("qos=0&topic=t&payload_base64=%21", "invalid base64 string"),
    ] {
        assert_eq!(web.post_form("/publish", form).wrong(), told, "{form}");
    }
    assert_eq!(web.send("POST", "/publish", "", "").wrong(), WRONG_QOS);
    assert_eq!(
        managed
            .served
            .handle
            .statistics()
            .unwrap()
            .messages_unrouted,
        0
    );
}

fn m13_forms_may_be_multipart<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.seed();
    let mut client = Client::connect(managed.served.address, "c");
    client.subscribe("t", QoS::AtMostOnce);
    let fields = [("qos", "0"), ("topic", "t"), ("payload", "a&b=c\r\n--x")];
    let mut body: String = fields
        .iter()
        .map(|(name, value)| {
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        })
        .collect();
    body.push_str("--edge--\r\n");
    let kind = "multipart/form-data; boundary=edge";
    assert_eq!(web.send("POST", "/publish", kind, &body).data(), json!({}));
    assert_eq!(client.receive_payload(), b"a&b=c\r\n--x");
    // What is no form has no fields.
    assert_eq!(
        web.send("POST", "/publish", kind, "nothing").wrong(),
        WRONG_QOS
    );
}

/// Over both faces: what no client may publish, nobody publishes, retained or not. Nothing of it reaches anybody.
fn a32_what_is_published_over_http_is_checked_like_any_publish<D: Serve>() {
    let managed = Managed::start::<D>();
    let (seed, api) = (managed.seed(), managed.api());
    let mut watcher = Client::connect(managed.served.address, "watcher");
    watcher.subscribe("#", QoS::AtMostOnce);
    let (deep, long) = ("a/".repeat(200), "t".repeat(65_536));
    for topic in ["", "#", "a/+", "a\0b", &deep, &long] {
        let escaped: String = topic.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for retain in ["", "1"] {
            let form = format!("qos=1&payload=x&retain={retain}&topic={escaped}");
            let answer = seed.post_form("/publish", &form);
            assert!(
                answer.status != 200 || !answer.wrong().is_empty(),
                "{topic:?}"
            );
            let message = json!({"topic": topic, "payload": "x", "retain": !retain.is_empty()});
            let answer = api.post_json("/api/v1/publish", &message);
            assert!((400..500).contains(&answer.status), "{topic:?}: {answer:?}");
        }
    }
    for qos in [3, -1] {
        let message = json!({"topic": "t", "payload": "x", "qos": qos});
        let answer = api.post_json("/api/v1/publish", &message);
        assert!((400..500).contains(&answer.status), "{qos}: {answer:?}");
    }
    let message = json!({"topic": "sound", "payload": "x"});
    assert_eq!(api.post_json("/api/v1/publish", &message).status, 200);
    match watcher.receive() {
        Received::Publish { topic, .. } => assert_eq!(topic, "sound"),
        other => panic!("the first that is delivered is sound, not {other:?}"),
    }
    let statistics = managed.served.handle.statistics().unwrap();
    assert_eq!(statistics.retained_current, 0);
}
