//! Lists that are long: page by page nothing is missed and nothing comes twice, and no turn takes long.

use super::{Managed, web::Web};
use crate::{client::Client, serve::Serve};
use sanderling_core::broker::{NewSubscription, Publication};
use sanderling_core::packet::QoS;
use serde_json::Value;
use std::collections::BTreeSet;

super::on_shipped_drivers! {
    m29_pages_miss_nothing_and_repeat_nothing
    m29_pages_of_one_client_with_many_subscriptions
    m29_few_subscriptions_are_found_among_many_sessions
    m29_what_is_beyond_the_end_is_empty
    m29_filters_in_use_are_listed_single_ones_first
}

/// All items, page by page.
fn all(web: &Web, path: &str, limit: usize) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let mark = if path.contains('?') { '&' } else { '?' };
        let page = web
            .get(&format!("{path}{mark}limit={limit}{cursor}"))
            .json(200);
        let some = page["items"].as_array().unwrap();
        assert!(some.len() <= limit);
        items.extend(some.iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={}", escaped(next)),
            None => return items,
        }
    }
}

/// As it stands in a query.
fn escaped(text: &str) -> String {
    let bytes = text.bytes();
    bytes.map(|byte| format!("%{byte:02X}")).collect()
}

fn set_of(items: &[Value], field: &str) -> BTreeSet<String> {
    let set: BTreeSet<_> = items
        .iter()
        .map(|one| one[field].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(set.len(), items.len(), "nothing comes twice");
    set
}

fn m29_pages_miss_nothing_and_repeat_nothing<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.api();
    let names: BTreeSet<_> = (0..40).map(|number| format!("c{number}")).collect();
    let mut clients: Vec<_> = names
        .iter()
        .map(|name| Client::connect(managed.served.address, name))
        .collect();
    let retained = managed.served.handle.retained();
    for (number, client) in clients.iter_mut().enumerate() {
        client.subscribe(&format!("t/{number}"), QoS::AtMostOnce);
        let message = Publication::new(format!("kept/{number:02}"), "x");
        retained.store(message.retained()).unwrap();
    }
    for limit in [1, 7, 40, 1000] {
        assert_eq!(
            set_of(&all(&web, "/api/v1/clients", limit), "client_id"),
            names
        );
        assert_eq!(
            set_of(&all(&web, "/api/v1/sessions", limit), "client_id"),
            names
        );
        assert_eq!(
            set_of(&all(&web, "/api/v1/subscriptions", limit), "client_id"),
            names
        );
        assert_eq!(all(&web, "/api/v1/topics", limit).len(), 40);
        assert_eq!(
            set_of(&all(&web, "/api/v1/retained", limit), "topic").len(),
            40
        );
    }
    assert_eq!(
        all(&web, "/api/v1/clients?client_id_prefix=c1", 3).len(),
        11
    );
    assert_eq!(all(&web, "/api/v1/clients?username=nobody", 3).len(), 0);
}

fn m29_pages_of_one_client_with_many_subscriptions<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.api();
    let _client = Client::connect(managed.served.address, "many");
    let _other = Client::connect(managed.served.address, "none");
    let filters: BTreeSet<_> = (0..3000).map(|number| format!("f/{number}")).collect();
    let new = |filter: &String| NewSubscription::new(filter.as_str(), QoS::AtMostOnce);
    let store = managed.served.handle.subscriptions();
    store
        .subscribe("many", filters.iter().map(new).collect())
        .unwrap();
    for path in [
        "/api/v1/subscriptions",
        "/api/v1/subscriptions?client_id=many",
    ] {
        for limit in [256, 1000] {
            assert_eq!(set_of(&all(&web, path, limit), "filter"), filters, "{path}");
        }
    }
    // Few match, and all are looked at.
    assert_eq!(
        all(&web, "/api/v1/subscriptions?matches=f%2F2999", 10).len(),
        1
    );
    let seed = managed
        .seed()
        .get("/subscriptions/many?page=5&page_size=700")
        .data();
    assert_eq!(seed.as_array().unwrap().len(), 200);
}

/// More than one turn looks at, so that few are found by the index and many by a walk.
fn m29_few_subscriptions_are_found_among_many_sessions<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.api();
    let names: Vec<_> = (0..2200).map(|number| format!("c{number}")).collect();
    let connect = |name: &String| Client::connect(managed.served.address, name);
    let _clients: Vec<_> = names.iter().map(connect).collect();
    let store = managed.served.handle.subscriptions();
    for (number, name) in names.iter().enumerate() {
        let mut filters = vec!["all/+"];
        filters.extend(match number % 500 {
            7 => &["few/x", "few/+", "few/#"][..],
            8 => &["$share/g/few/x"],
            _ => &[],
        });
        let new = |filter: &str| NewSubscription::new(filter, QoS::AtMostOnce);
        let new = filters.into_iter().map(new).collect();
        store.subscribe(name, new).unwrap();
    }
    for limit in [1, 4, 1000] {
        let found = |query: &str| all(&web, &format!("/api/v1/subscriptions?{query}"), limit);
        let few = found("matches=few%2Fx");
        let pairs: BTreeSet<_> = few
            .iter()
            .map(|one| (one["client_id"].to_string(), one["filter"].to_string()))
            .collect();
        assert_eq!((few.len(), pairs.len()), (5 * 3 + 5, 20));
        assert_eq!(set_of(&found("filter=few%2F%2B"), "client_id").len(), 5);
        let shared = found("filter=%24share%2Fg%2Ffew%2Fx");
        assert_eq!(set_of(&shared, "client_id").len(), 5);
        assert_eq!(found("matches=few%2Fx&filter=all%2F%2B").len(), 0);
        assert_eq!(found("matches=nothing").len(), 0);
    }
    let many = all(&web, "/api/v1/subscriptions?matches=all%2Fy", 1000);
    assert_eq!(set_of(&many, "client_id").len(), 2200);
    let many = all(&web, "/api/v1/subscriptions?filter=all%2F%2B", 1000);
    assert_eq!(set_of(&many, "client_id").len(), 2200);
}

fn m29_what_is_beyond_the_end_is_empty<D: Serve>() {
    let managed = Managed::start::<D>();
    let _client = Client::connect(managed.served.address, "c");
    for path in ["clients", "sessions", "subscriptions", "topics"] {
        for beyond in ["4294967295", "9999999999"] {
            let page = managed
                .api()
                .get(&format!("/api/v1/{path}?cursor={beyond}"));
            assert_eq!(page.json(200), serde_json::json!({"items": []}), "{path}");
        }
    }
}

fn m29_filters_in_use_are_listed_single_ones_first<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = managed.api();
    let filters = |limit| {
        let items = all(&web, "/api/v1/topics", limit);
        let rows = items.iter().map(|one| {
            let filter = one["filter"].as_str().unwrap().to_owned();
            (filter, one["subscribers"].as_u64().unwrap())
        });
        rows.collect::<Vec<_>>()
    };
    assert!(filters(10).is_empty());
    let mut one = Client::connect(managed.served.address, "1");
    let mut two = Client::connect(managed.served.address, "2");
    for filter in ["a/+/#", "$share/g/a", "$share/g/b"] {
        one.subscribe(filter, QoS::AtMostOnce);
        two.subscribe(filter, QoS::AtMostOnce);
    }
    one.subscribe("#", QoS::AtMostOnce);
    for limit in [1, 2, 100] {
        let found = filters(limit);
        let shared = [("$share/g/a".to_owned(), 2), ("$share/g/b".to_owned(), 2)];
        assert_eq!(found[2..], shared);
        let single: BTreeSet<_> = found[..2].iter().cloned().collect();
        assert_eq!(
            single,
            BTreeSet::from([("#".to_owned(), 1), ("a/+/#".to_owned(), 2)])
        );
    }
}
