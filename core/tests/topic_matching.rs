//! I40: matching agrees with a naive reading of the standard, for every filter and topic of up to four levels.

use sanderling_core::{
    packet::QoS,
    topic::{Index, Member, MemberOptions, TopicFilter, TopicName, depth, matches},
};

const LEVELS_MAX: u32 = 4;

/// The standard read aloud, recursive and without regard to cost. Independent of the code under test.
fn naive(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        (["+", filter @ ..], [_, topic @ ..]) => naive(filter, topic),
        ([wanted, filter @ ..], [level, topic @ ..]) => wanted == level && naive(filter, topic),
        _ => false,
    }
}

fn naive_matches(filter: &str, topic: &str) -> bool {
    let hidden = topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'));
    let filter: Vec<_> = filter.split('/').collect();
    let topic: Vec<_> = topic.split('/').collect();
    !hidden && naive(&filter, &topic)
}

/// All strings of up to four levels out of an alphabet.
fn all(alphabet: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    let mut longest = vec![String::new()];
    for count in 1..=LEVELS_MAX {
        let separator = if count == 1 { "" } else { "/" };
        longest = longest
            .iter()
            .flat_map(|front| {
                alphabet
                    .iter()
                    .map(move |level| format!("{front}{separator}{level}"))
            })
            .collect();
        all.extend(longest.iter().cloned());
    }
    all
}

fn topics() -> Vec<String> {
    all(&["a", "b", "", "$x"])
        .into_iter()
        .filter(|topic| TopicName::parse(topic).is_ok())
        .collect()
}

fn filters() -> Vec<String> {
    let all = all(&["a", "b", "", "$x", "+", "#"]);
    all.into_iter()
        .filter(|filter| TopicFilter::parse(filter).is_ok())
        .collect()
}

fn member(session: u32) -> Member {
    Member {
        session,
        subscription_id: 0,
        options: MemberOptions::new(QoS::AtMostOnce, false, false),
    }
}

/// [K4]
#[test]
fn i40_one_filter_against_one_topic_exhaustively() {
    let filters = filters();
    let topics = topics();
    assert!(filters.len() > 700 && topics.len() == 4 + 16 + 64 + 256 - 1);
    for filter in &filters {
        for topic in &topics {
            assert_eq!(
                matches(filter, topic),
                naive_matches(filter, topic),
                "{filter} {topic}"
            );
        }
    }
}

#[test]
fn i40_the_index_with_every_filter_exhaustively() {
    let filters = filters();
    let mut index = Index::new(7);
    for (session, filter) in (0..).zip(&filters) {
        assert_eq!(index.subscribe(filter, member(session)), None);
    }
    for topic in topics() {
        let mut found = Vec::new();
        index.for_each_match(&topic, |members| {
            found.extend(members.iter().map(|m| m.session))
        });
        found.sort_unstable();
        let expected: Vec<_> = (0..)
            .zip(&filters)
            .filter(|(_, f)| naive_matches(f, &topic))
            .map(|(n, _)| n)
            .collect();
        assert_eq!(found, expected, "{topic}");
    }
}

#[test]
fn i40_examples_of_the_standard() {
    for (filter, topic, expected) in [
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        (
            "sport/tennis/player1/#",
            "sport/tennis/player1/ranking",
            true,
        ),
        (
            "sport/tennis/player1/#",
            "sport/tennis/player1/score/wimbledon",
            true,
        ),
        ("sport/#", "sport", true),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        ("#", "$SYS/broker", false),
        ("+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("$SYS/#", "$SYS/monitor", true),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
        ("ACCOUNTS", "Accounts", false),
    ] {
        assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
    }
}

#[test]
fn ss10_examples_of_the_seed() {
    for (filter, topic, expected) in [
        ("#", "/abc/def", true),
        ("a/#", "a", true),
        ("/a", "a", false),
        ("+", "/a", false),
        ("a/", "a", false),
        ("a/+", "a/123/4", false),
        ("a/#", "a/123/4", true),
        ("/a/+/+/abcd", "/a/x/y/abcd", true),
        ("/a/+/+/abcd", "/a/x/y/abcdd", false),
        ("/a/+/abc/", "/a/x/abc/", true),
        ("/a/+/abc/", "/a/x/abc", false),
        ("/a/+/+/", "/a/x/", false),
        ("/a/+/+", "/a/x/", true),
        ("/a/+/+/#", "/a/x/", true),
    ] {
        assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
    }
}

#[test]
fn a49_thirty_thousand_levels_need_no_stack_and_no_square() {
    let deep = ["a"; 30_000].join("/");
    let wild = ["+"; 30_000].join("/");
    assert_eq!(depth(&deep), 30_000);
    assert!(matches(&wild, &deep) && matches(&deep, &deep) && !matches(&deep, &wild[2..]));
    let on_small_stack = std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(move || {
            let mut index = Index::new(7);
            for (session, filter) in [&deep, &wild, &deep[2..].to_owned(), &format!("{deep}/#")]
                .into_iter()
                .enumerate()
            {
                index.subscribe(filter, member(session as u32));
            }
            for _ in 0..100 {
                let mut found = Vec::new();
                index.for_each_match(&deep, |members| found.push(members[0].session));
                found.sort_unstable();
                assert_eq!(found, [0, 1, 3]);
            }
            assert_eq!(index.node_count(), 60_000);
            for (session, filter) in [&deep, &wild, &deep[2..].to_owned(), &format!("{deep}/#")]
                .into_iter()
                .enumerate()
            {
                assert!(index.unsubscribe(filter, session as u32).is_some());
            }
            assert_eq!((index.len(), index.node_count()), (0, 0));
        });
    on_small_stack.unwrap().join().unwrap();
}

#[test]
fn a50_every_mixture_of_wildcard_and_literal_is_found_once() {
    const LEVELS: u32 = 12;
    let mut index = Index::new(7);
    for mixture in 0..1 << LEVELS {
        let levels: Vec<_> = (0..LEVELS)
            .map(|n| if mixture >> n & 1 == 0 { "a" } else { "+" })
            .collect();
        index.subscribe(&levels.join("/"), member(mixture));
    }
    let mut found = Vec::new();
    index.for_each_match(&["a"; LEVELS as usize].join("/"), |members| {
        found.push(members[0].session)
    });
    found.sort_unstable();
    assert!(found.into_iter().eq(0..1 << LEVELS));
    let mut found = 0;
    index.for_each_match(&["b"; LEVELS as usize].join("/"), |_| found += 1);
    assert_eq!(found, 1);
}
