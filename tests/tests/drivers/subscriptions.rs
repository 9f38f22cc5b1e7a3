//! The subscriptions of all clients as the program around the broker sees and changes them.

use super::{
    client::Client,
    serve::{Serve, start},
};
use sanderling_core::{
    broker::{NewSubscription, Publication},
    packet::QoS,
    reason::ReasonCode,
};
use sanderling_runtime::SubscriptionInfo;

super::on_every_driver! {
    ss1_to_ss8_the_subscriptions_of_all_clients
    ss3_subscriptions_may_be_changed_while_they_are_listed
}

fn ss1_to_ss8_the_subscriptions_of_all_clients<D: Serve>() {
    let served = start::<D>();
    let store = served.handle.subscriptions();
    let mut client = Client::connect(served.address, "one");
    client.subscribe("a/#", QoS::AtLeastOnce);
    let new = |filter: &str| NewSubscription::new(filter, QoS::ExactlyOnce);
    let made = store.subscribe("one", vec![new("a/b"), new("$x"), new("a/#"), new("a#")]);
    let refused = ReasonCode::TOPIC_FILTER_INVALID;
    assert_eq!(made, Ok(vec![Ok(false), Ok(false), Ok(true), Err(refused)]));
    let _two = Client::connect(served.address, "two");
    store.subscribe("two", vec![new("a/b")]).unwrap();

    let filters = |found: Vec<SubscriptionInfo>| -> Vec<_> {
        let mut filters: Vec<_> = found
            .into_iter()
            .map(|one| format!("{} {} {}", one.client_id, one.filter, one.options.qos as u8))
            .collect();
        filters.sort();
        filters
    };
    let of_one = filters(store.of_client("one").unwrap());
    assert_eq!(of_one, ["one $x 2", "one a/# 2", "one a/b 2"]);
    assert_eq!(filters(store.of_client("nobody").unwrap()), [""; 0]);
    assert_eq!(
        filters(store.with_filter("a/b").unwrap()),
        ["one a/b 2", "two a/b 2"]
    );
    assert_eq!(filters(store.with_filter("a/c").unwrap()), [""; 0]);
    let matching = filters(store.matching("a/b").unwrap());
    assert_eq!(matching, ["one a/# 2", "one a/b 2", "two a/b 2"]);
    let mut all = Vec::new();
    store
        .for_each(|one| {
            all.push(one);
            true
        })
        .unwrap();
    assert_eq!(
        filters(all),
        ["one $x 2", "one a/# 2", "one a/b 2", "two a/b 2"]
    );
    let mut first = 0;
    store
        .for_each(|_| {
            first += 1;
            false
        })
        .unwrap();
    assert_eq!(first, 1);

    let counts = store.counts().unwrap();
    assert_eq!((counts.total, counts.current), (4, 4));
    assert_eq!(
        store.unsubscribe("one", &["a/b", "never"]),
        Ok(vec![true, false])
    );
    assert_eq!(store.unsubscribe_all("one"), Ok(2));
    assert_eq!(store.unsubscribe_all("one"), Ok(0));
    let counts = store.counts().unwrap();
    assert_eq!((counts.total, counts.current), (4, 1));
    let of_client = |id| {
        store
            .counts_of(id)
            .unwrap()
            .map(|one| (one.total, one.current))
    };
    assert_eq!(
        of_client("one"),
        Some((3, 0)),
        "it has a session, and had three"
    );
    assert_eq!(of_client("two"), Some((1, 1)));
    assert_eq!(of_client("nobody"), None);
    // They count for routing.
    assert_eq!(served.handle.publish(Publication::new("a/b", "x")), Ok(1));
}

fn ss3_subscriptions_may_be_changed_while_they_are_listed<D: Serve>() {
    let served = start::<D>();
    let store = served.handle.subscriptions();
    for number in 0..300 {
        let name = format!("client {number}");
        let client = Client::connect(served.address, &name);
        store
            .subscribe(&name, vec![NewSubscription::new("t", QoS::AtMostOnce)])
            .unwrap();
        // The session outlives its connection no longer than this test looks at it.
        drop(client);
        if number == 0 {
            let _ = store.counts();
        }
    }
    let mut clients = Vec::new();
    for number in 0..300 {
        clients.push(Client::connect(served.address, &format!("still {number}")));
        let name = format!("still {number}");
        store
            .subscribe(&name, vec![NewSubscription::new("t", QoS::AtMostOnce)])
            .unwrap();
    }
    let mut seen = 0;
    store
        .for_each(|one| {
            if one.client_id.starts_with("still") {
                seen += 1;
                assert_eq!(store.unsubscribe(&one.client_id, &["t"]), Ok(vec![true]));
            }
            true
        })
        .unwrap();
    assert_eq!(seen, 300);
}
