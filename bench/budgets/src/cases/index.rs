//! The subscriptions of a topic, among very many others.

use crate::rounds::Rounds;
use sanderling_core::{
    packet::QoS,
    topic::{Index, Member, MemberOptions},
};
use std::hint::black_box;

const OTHERS: u32 = 100_000;

fn member(session: u32) -> Member {
    Member {
        session,
        subscription_id: 0,
        options: MemberOptions::new(QoS::AtMostOnce, false, false),
    }
}

/// An index with many filters that all look alike. The seed is fixed: hash tables are to be the same in every run.
fn index() -> Index {
    let mut index = Index::new(7);
    for device in 0..OTHERS {
        index.subscribe(&format!("site/+/dev/{device:06}/#"), member(device % 1_000));
    }
    index
}

fn find(rounds: &mut Rounds<'_>, index: &Index, topic: &str, wanted: usize) {
    while rounds.next() {
        rounds.count(|| {
            let mut found = 0;
            index.for_each_match(black_box(topic), |members| found += members.len());
            assert_eq!(found, wanted);
        });
    }
}

pub(super) fn exact(rounds: &mut Rounds<'_>) {
    let mut index = index();
    index.subscribe("site/00007/dev/abcdef/state", member(5));
    find(rounds, &index, "site/00007/dev/abcdef/state", 1);
}

pub(super) fn wildcard(rounds: &mut Rounds<'_>) {
    find(rounds, &index(), "site/00007/dev/054321/state", 1);
}

pub(super) fn nothing(rounds: &mut Rounds<'_>) {
    find(rounds, &index(), "site/00007/dev/abcdef/state", 0);
}

pub(super) fn change(rounds: &mut Rounds<'_>) {
    let mut index = index();
    while rounds.next() {
        rounds.count(|| {
            index.subscribe(black_box("site/00007/dev/abcdef/state"), member(5));
            index.unsubscribe(black_box("site/00007/dev/abcdef/state"), 5);
        });
    }
}
