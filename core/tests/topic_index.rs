//! I41: the index is the set of subscriptions, after any sequence of operations, and nothing else is left of them.

use proptest::prelude::*;
use sanderling_core::{
    packet::QoS,
    topic::{Index, Member, MemberOptions, TopicFilter, matches},
};
use std::collections::{BTreeMap, BTreeSet};

/// The index as the standard would have it.
#[derive(Default)]
struct Model(BTreeMap<(String, u32), Member>);

impl Model {
    /// The subscriptions of every filter that matches, one list per filter, all in a fixed order.
    fn matching(&self, topic: &str) -> Vec<Vec<u32>> {
        let mut filters: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (filter, session) in self.0.keys().filter(|(filter, _)| matches(filter, topic)) {
            filters.entry(filter).or_default().push(*session);
        }
        let mut lists: Vec<_> = filters.into_values().collect();
        lists.sort_unstable();
        lists
    }

    /// The filters that sessions have subscribed to by themselves, in a fixed order, each with how many have.
    fn filters(&self) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (filter, _) in self.0.keys().filter(|(_, session)| session & GROUP == 0) {
            *counts.entry(filter.clone()).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    /// A trie has one node for each distinct beginning of a filter; `#` needs none.
    fn node_count(&self) -> usize {
        let mut nodes = BTreeSet::new();
        for (filter, _) in self.0.keys() {
            let levels: Vec<_> = filter.split('/').filter(|&level| level != "#").collect();
            nodes.extend((1..=levels.len()).map(|count| levels[..count].join("/")));
        }
        nodes.len()
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Subscribe(String, Member),
    Unsubscribe(String, u32),
    Match(String),
}

fn words() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "b",
        "",
        "$x",
        "12345678",
        "123456789",
        "12345678a",
        "a level beyond eight bytes",
    ])
}

fn topic() -> impl Strategy<Value = String> {
    prop::collection::vec(words(), 1..6)
        .prop_map(|levels| levels.join("/"))
        .prop_filter("a topic is not empty", |topic| !topic.is_empty())
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![3 => words(), 2 => Just("+")];
    (prop::collection::vec(level, 0..5), any::<bool>())
        .prop_map(|(mut levels, open)| {
            levels.extend(open.then_some("#"));
            levels.join("/")
        })
        .prop_filter("a filter is not empty", |filter| {
            TopicFilter::parse(filter).is_ok()
        })
}

/// Set in the numbers of groups.
const GROUP: u32 = 1 << 31;

/// Every third stands for a group.
fn number(session: u32) -> u32 {
    match session % 3 {
        2 => session | GROUP,
        _ => session,
    }
}

fn member(sessions: u32) -> impl Strategy<Value = Member> {
    (0..sessions, 0..4u32, 0..3u8, any::<bool>(), any::<bool>()).prop_map(
        |(session, subscription_id, qos, no_local, retain_as_published)| {
            let qos = QoS::from_bits(qos).expect("below 3");
            let options = MemberOptions::new(qos, no_local, retain_as_published);
            assert_eq!(options.qos(), qos);
            assert_eq!(options.no_local(), no_local);
            assert_eq!(options.retain_as_published(), retain_as_published);
            Member {
                session: number(session),
                subscription_id,
                options,
            }
        },
    )
}

fn operation(
    filter: impl Strategy<Value = String> + Clone,
    sessions: u32,
) -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (filter.clone(), member(sessions)).prop_map(|(f, m)| Operation::Subscribe(f, m)),
        3 => (filter, 0..sessions).prop_map(|(f, session)| Operation::Unsubscribe(f, number(session))),
        1 => topic().prop_map(Operation::Match),
    ]
}

/// Does the same to the model and to two indexes with different seeds, and compares after each step.
fn run(operations: Vec<Operation>) {
    let mut model = Model::default();
    let mut index = Index::new(1);
    let mut other = Index::new(0xfeed_5eed);
    for operation in operations {
        match operation {
            Operation::Subscribe(filter, member) => {
                let before = model.0.insert((filter.clone(), member.session), member);
                assert_eq!(index.subscribe(&filter, member), before);
                assert_eq!(other.subscribe(&filter, member), before);
                assert_eq!(index.get(&filter, member.session), Some(member));
            }
            Operation::Unsubscribe(filter, session) => {
                let before = model.0.remove(&(filter.clone(), session));
                assert_eq!(index.get(&filter, session), before);
                assert_eq!(index.unsubscribe(&filter, session), before);
                assert_eq!(other.unsubscribe(&filter, session), before);
                assert_eq!(index.get(&filter, session), None);
            }
            Operation::Match(topic) => check_match(&model, &index, &other, &topic),
        }
        assert_eq!(index.len(), model.0.len());
        assert_eq!(index.is_empty(), model.0.is_empty());
        assert_eq!(index.node_count(), model.node_count());
    }
    check_filters(&model, &index);
    for ((filter, session), member) in model.0 {
        assert_eq!(index.get(&filter, session), Some(member));
        assert_eq!(index.unsubscribe(&filter, session), Some(member));
    }
    assert_eq!(
        (index.len(), index.node_count()),
        (0, 0),
        "I30: nothing is left"
    );
}

/// A walk in pieces finds every filter once.
fn check_filters(model: &Model, index: &Index) {
    let (mut found, mut from) = (Vec::new(), 0);
    loop {
        let piece: Vec<_> = index.filters_from(from).take(2).collect();
        let Some(&(last, ..)) = piece.last() else {
            break;
        };
        from = last + 1;
        found.extend(piece.into_iter().map(|(_, filter, count)| (filter, count)));
    }
    found.sort_unstable();
    assert_eq!(found, model.filters());
}

fn check_match(model: &Model, index: &Index, other: &Index, topic: &str) {
    let found = |index: &Index| {
        let mut lists = Vec::new();
        index.for_each_match(topic, |members| {
            lists.push(
                members
                    .iter()
                    .map(|member| member.session)
                    .collect::<Vec<_>>(),
            );
        });
        lists
    };
    let mut lists = found(index);
    assert_eq!(lists, found(other), "the seed is invisible, order included");
    lists.iter_mut().for_each(|list| list.sort_unstable());
    lists.sort_unstable();
    assert_eq!(lists, model.matching(topic), "{topic}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// [SS9]
    #[test]
    fn i41_many_filters_with_few_members(
        operations in prop::collection::vec(operation(filter().boxed(), 4), 1..200),
    ) {
        run(operations);
    }

    /// So few filters and so many sessions that leaves grow and shrink through the sizes at which they change shape. [SS9]
    #[test]
    fn i41_few_filters_with_many_members(
        operations in prop::collection::vec(
            operation(prop::sample::select(vec!["a".to_owned(), "+/#".to_owned()]), 60),
            1..600,
        ),
    ) {
        run(operations);
    }
}

#[test]
fn replacing_keeps_the_place_and_the_last_fills_a_gap() {
    let member = |session, subscription_id| Member {
        session,
        subscription_id,
        options: MemberOptions::default(),
    };
    let order = |index: &Index| {
        let mut order = Vec::new();
        index.for_each_match("a", |members| {
            order.extend(members.iter().map(|m| m.session))
        });
        order
    };
    let mut index = Index::new(7);
    for session in 1..=4 {
        assert_eq!(index.subscribe("a", member(session, 0)), None);
    }
    assert_eq!(index.subscribe("a", member(2, 9)), Some(member(2, 0)));
    assert_eq!(order(&index), [1, 2, 3, 4]);
    assert_eq!(index.unsubscribe("a", 1), Some(member(1, 0)));
    assert_eq!(order(&index), [4, 2, 3]);
    assert_eq!(index.get("a", 2), Some(member(2, 9)));
}

/// [SS9]
#[test]
fn a_storm_on_one_filter_is_not_quadratic() {
    const SESSIONS: u32 = 100_000;
    let member = |session, subscription_id| Member {
        session,
        subscription_id,
        options: MemberOptions::default(),
    };
    let mut index = Index::new(7);
    for round in 0..3 {
        for session in 0..SESSIONS {
            assert_eq!(
                index.subscribe("a/b", member(session, round)).is_some(),
                round > 0
            );
        }
    }
    let mut count = 0;
    index.for_each_match("a/b", |members| count += members.len());
    assert_eq!(count, SESSIONS as usize);
    // An order that is neither that of subscribing nor its reverse.
    for step in 0..SESSIONS {
        let session = (u64::from(step) * 7_919 % u64::from(SESSIONS)) as u32;
        assert_eq!(index.unsubscribe("a/b", session), Some(member(session, 2)));
    }
    assert_eq!((index.len(), index.node_count()), (0, 0));
}
