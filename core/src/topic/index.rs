//! The index of subscriptions: which sessions want a message with this topic name?
//!
//! A trie over topic levels. Every node is known to one hash table under its parent and its level, so the cost of a match
//! does not depend on how many filters there are, only on those that match so far. The laws:
//! - nothing recurses: depth is bounded by the length of the caller's strings alone, and costs no stack;
//! - a match allocates nothing, save where more than 16 of the levels matched so far offer both a `+` and a literal;
//! - what is unsubscribed leaves nothing behind;
//! - the hash seed is never visible: filters are found in an order that depends only on the operations before.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "what is taken off was counted before, and a path has fewer levels than bytes"
)]

use super::{
    level::{self, Level, Levels},
    member::{Crowds, Member, Members},
    slab::{NONE, Slab},
};
use alloc::{boxed::Box, string::String, vec::Vec};
use core::{fmt, hash::Hasher};
use foldhash::{SharedSeed, fast::FoldHasher};
use hashbrown::HashTable;
use smallvec::SmallVec;

const ROOT: u32 = 0;

/// The subscriptions of all sessions, found by topic name.
///
/// Filters are given as *paths*: what [`TopicFilter::path`](super::TopicFilter::path) returns.
pub struct Index {
    nodes: Slab<Node>,
    /// Of each node what only changes and long levels need, under the same numbers.
    names: Slab<Name>,
    crowds: Crowds,
    /// The nodes for literal levels of at most eight bytes.
    short: HashTable<Short>,
    /// The nodes for longer ones.
    long: HashTable<u32>,
    hasher: NodeHasher,
    subscriptions: usize,
}

/// What a node for a literal level of at most eight bytes is found by. All of it stands in the table, so that finding a
/// child reads one place.
struct Short {
    word: u64,
    parent: u32,
    node: u32,
}

/// The levels of some filters up to here. A match reads one place for each.
#[repr(align(32))]
struct Node {
    /// How many children stand for a literal level.
    literals: u32,
    /// The child for the level `+`.
    plus: u32,
    /// Of the filter that ends here.
    at: Members,
    /// Of the filter that ends with `#` below here.
    below: Members,
}

const _: () = assert!(size_of::<Node>() == 32, "two of them fill a cache line");

/// Where a node hangs.
#[derive(Default)]
struct Name {
    parent: u32,
    /// The level of the node, as in [`Level`]; unused in the root and in nodes for `+`.
    word: u64,
    tail: Box<[u8]>,
}

/// Where a filter's members stand.
#[derive(Clone, Copy)]
enum Place {
    /// The filter ends at this node.
    At(u32),
    /// The filter ends with `#` below this node.
    Below(u32),
}

impl Index {
    /// An empty index. The seed makes collisions unpredictable for clients; it changes nothing that can be seen.
    pub fn new(seed: u64) -> Self {
        let mut index = Self {
            nodes: Slab::new(),
            names: Slab::new(),
            crowds: Slab::new(),
            short: HashTable::new(),
            long: HashTable::new(),
            hasher: NodeHasher {
                seed,
                shared: SharedSeed::from_u64(seed),
            },
            subscriptions: 0,
        };
        assert_eq!(index.add(Name::default()), ROOT, "the root comes first");
        index
    }

    /// How many subscriptions there are.
    pub const fn len(&self) -> usize {
        self.subscriptions
    }

    /// Whether there is no subscription.
    pub const fn is_empty(&self) -> bool {
        self.subscriptions == 0
    }

    /// How many nodes the trie has, without its root. Zero when the index is empty.
    pub fn node_count(&self) -> usize {
        self.nodes.len() - 1
    }

    /// Adds a subscription, or replaces the one that the same session has to the same filter and returns that one. At
    /// no time is a replaced subscription absent. [MQTT-3.8.4-3]
    pub fn subscribe(&mut self, path: &str, member: Member) -> Option<Member> {
        let place = self.grow(path);
        let replaced = place
            .members_mut(&mut self.nodes)
            .insert(&mut self.crowds, member);
        self.subscriptions += usize::from(replaced.is_none());
        replaced
    }

    /// Ends a session's subscription to a filter and returns what it was.
    pub fn unsubscribe(&mut self, path: &str, session: u32) -> Option<Member> {
        let place = self.find(path)?;
        let members = place.members_mut(&mut self.nodes);
        let removed = members.remove(&mut self.crowds, session)?;
        self.subscriptions -= 1;
        if members.is_empty() {
            self.prune(place.node());
        }
        Some(removed)
    }

    /// A session's subscription to exactly this filter.
    pub fn get(&self, path: &str, session: u32) -> Option<Member> {
        let place = self.find(path)?;
        place.members(&self.nodes).get(&self.crowds, session)
    }

    /// The members of exactly this filter.
    pub fn members(&self, path: &str) -> &[Member] {
        match self.find(path) {
            None => &[],
            Some(place) => place.members(&self.nodes).as_slice(&self.crowds),
        }
    }

    /// The filters with numbers from `from` on that sessions have subscribed to by themselves, each with its number and
    /// how many have. A filter keeps its number as long as it has members, so a walk in pieces misses none that is there
    /// all the time.
    pub fn filters_from(&self, from: u32) -> impl Iterator<Item = (u32, String, usize)> {
        let nodes = self.nodes.iter_from(from / 2);
        let places = nodes.flat_map(|(node, _)| [Place::At(node), Place::Below(node)]);
        let places = places.skip_while(move |place| place.number() < from);
        places.filter_map(|place| {
            let sessions = place.members(&self.nodes).sessions_len(&self.crowds);
            (sessions > 0).then(|| (place.number(), self.path_at(place), sessions))
        })
    }

    /// The path that leads to a place.
    fn path_at(&self, place: Place) -> String {
        let mut path = Vec::new();
        if let Place::Below(_) = place {
            path.extend_from_slice(b"#/");
        }
        // From the last level to the first, each backwards.
        let mut number = place.node();
        while number != ROOT {
            let name = &self.names[number];
            if self.nodes[name.parent].plus == number {
                path.push(b'+');
            } else {
                path.extend(name.tail.iter().rev());
                let word = name.word.to_le_bytes();
                path.extend(word.iter().take(Level::word_len(name.word)).rev());
            }
            path.push(b'/');
            number = name.parent;
        }
        path.pop();
        path.reverse();
        String::from_utf8(path).expect("levels are cut out of strings")
    }

    /// Hands over the members of every filter that matches `topic`, once per filter, never an empty slice.
    pub fn for_each_match(&self, topic: &str, mut found: impl FnMut(&[Member])) {
        self.walk(topic, |members| found(members.as_slice(&self.crowds)));
    }

    /// Goes down literal levels first; where a `+` offers another way, it is noted and taken later.
    #[inline]
    fn walk(&self, topic: &str, mut found: impl FnMut(&Members)) {
        let levels = Levels::new(topic);
        let mut others: SmallVec<[(u32, usize); 16]> = SmallVec::new();
        let (mut node, mut from) = (ROOT, 0);
        if topic.starts_with('$') {
            // A filter that begins with a wildcard does not match. [MQTT-4.7.2-1]
            let Some((first, next)) = levels.at(0) else {
                return;
            };
            (node, from) = (self.literal_child(ROOT, first), next);
        }
        loop {
            if node != NONE {
                let here = &self.nodes[node];
                if !here.below.is_empty() {
                    found(&here.below);
                }
                if let Some((level, next)) = levels.at(from) {
                    let literal = if here.literals > 0 {
                        self.literal_child(node, level)
                    } else {
                        NONE
                    };
                    if literal != NONE && here.plus != NONE {
                        others.push((here.plus, next));
                    }
                    (node, from) = (if literal != NONE { literal } else { here.plus }, next);
                    continue;
                }
                if !here.at.is_empty() {
                    found(&here.at);
                }
            }
            match others.pop() {
                Some(other) => (node, from) = other,
                None => return,
            }
        }
    }

    /// The child of `parent` for a literal level, or `NONE`.
    #[inline]
    fn literal_child(&self, parent: u32, level: Level<'_>) -> u32 {
        if !level.tail.is_empty() {
            return self.long_child(parent, level);
        }
        let hash = self.hasher.short(parent, level.word);
        let is_it = |short: &Short| short.word == level.word && short.parent == parent;
        self.short
            .find(hash, is_it)
            .map_or(NONE, |short| short.node)
    }

    #[inline(never)]
    fn long_child(&self, parent: u32, level: Level<'_>) -> u32 {
        let hash = self.hasher.long(parent, level.word, level.tail);
        let is_it = |&child: &u32| {
            let child = &self.names[child];
            (child.parent, child.word) == (parent, level.word) && *child.tail == *level.tail
        };
        self.long.find(hash, is_it).copied().unwrap_or(NONE)
    }

    /// Where the filter's members stand, if all its levels are there.
    fn find(&self, path: &str) -> Option<Place> {
        let mut node = ROOT;
        for level in level::levels(path) {
            node = match level {
                Level::HASH => return Some(Place::Below(node)),
                Level::PLUS => self.nodes[node].plus,
                literal => self.literal_child(node, literal),
            };
            if node == NONE {
                return None;
            }
        }
        Some(Place::At(node))
    }

    /// Where the filter's members stand; levels that are missing are made.
    fn grow(&mut self, path: &str) -> Place {
        let mut node = ROOT;
        for level in level::levels(path) {
            node = match level {
                Level::HASH => return Place::Below(node),
                Level::PLUS => self.plus_child_or_new(node),
                literal => self.literal_child_or_new(node, literal),
            };
        }
        Place::At(node)
    }

    fn plus_child_or_new(&mut self, parent: u32) -> u32 {
        let plus = self.nodes[parent].plus;
        if plus != NONE {
            return plus;
        }
        let plus = self.add(Name {
            parent,
            ..Name::default()
        });
        self.nodes[parent].plus = plus;
        plus
    }

    fn literal_child_or_new(&mut self, parent: u32, level: Level<'_>) -> u32 {
        let child = self.literal_child(parent, level);
        if child != NONE {
            return child;
        }
        let Level { word, tail } = level;
        let node = self.add(Name {
            parent,
            word,
            tail: tail.into(),
        });
        self.nodes[parent].literals += 1;
        let hasher = &self.hasher;
        if tail.is_empty() {
            let rehash = |short: &Short| hasher.short(short.parent, short.word);
            let hash = hasher.short(parent, word);
            self.short
                .insert_unique(hash, Short { word, parent, node }, rehash);
        } else {
            let names = &self.names;
            let rehash = |&node: &u32| names[node].long_hash(hasher);
            self.long
                .insert_unique(hasher.long(parent, word, tail), node, rehash);
        }
        node
    }

    /// Removes `node` and those above it that nothing needs any more.
    fn prune(&mut self, mut node: u32) {
        while node != ROOT && self.nodes[node].is_bare() {
            let parent = self.names[node].parent;
            if self.nodes[parent].plus == node {
                self.nodes[parent].plus = NONE;
            } else {
                self.forget_literal(node);
                self.nodes[parent].literals -= 1;
            }
            self.nodes.remove(node);
            self.names.remove(node);
            node = parent;
        }
    }

    /// Takes a node out of the table that it stands in.
    fn forget_literal(&mut self, number: u32) {
        let name = &self.names[number];
        let forgotten = if name.tail.is_empty() {
            let hash = self.hasher.short(name.parent, name.word);
            let entry = self.short.find_entry(hash, |short| short.node == number);
            entry.is_ok_and(|entry| entry.remove().0.node == number)
        } else {
            let hash = name.long_hash(&self.hasher);
            let entry = self.long.find_entry(hash, |&other| other == number);
            entry.is_ok_and(|entry| entry.remove().0 == number)
        };
        assert!(forgotten, "every literal node stands in a table");
    }

    /// A node that nothing hangs on yet.
    fn add(&mut self, name: Name) -> u32 {
        let node = self.nodes.insert(Node::default());
        let same = self.names.insert(name);
        assert_eq!(node, same, "both slabs see the same changes");
        node
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("subscriptions", &self.len())
            .field("nodes", &self.node_count())
            .finish_non_exhaustive()
    }
}

impl Place {
    const fn node(self) -> u32 {
        match self {
            Self::At(node) | Self::Below(node) => node,
        }
    }

    /// A number of its own.
    const fn number(self) -> u32 {
        match self {
            Self::At(node) => node * 2,
            Self::Below(node) => node * 2 + 1,
        }
    }

    fn members(self, nodes: &Slab<Node>) -> &Members {
        match self {
            Self::At(node) => &nodes[node].at,
            Self::Below(node) => &nodes[node].below,
        }
    }

    fn members_mut(self, nodes: &mut Slab<Node>) -> &mut Members {
        match self {
            Self::At(node) => &mut nodes[node].at,
            Self::Below(node) => &mut nodes[node].below,
        }
    }
}

impl Node {
    /// Whether neither a filter nor another node needs it.
    const fn is_bare(&self) -> bool {
        let has_members = !self.at.is_empty() || !self.below.is_empty();
        self.literals == 0 && self.plus == NONE && !has_members
    }
}

impl Default for Node {
    fn default() -> Self {
        Self {
            literals: 0,
            plus: NONE,
            at: Members::Nobody,
            below: Members::Nobody,
        }
    }
}

impl Name {
    fn long_hash(&self, hasher: &NodeHasher) -> u64 {
        hasher.long(self.parent, self.word, &self.tail)
    }
}

/// Hashes what nodes are found by.
struct NodeHasher {
    seed: u64,
    shared: SharedSeed,
}

impl NodeHasher {
    #[inline]
    fn short(&self, parent: u32, word: u64) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        hasher.write_u128(u128::from(parent) << 64 | u128::from(word));
        hasher.finish()
    }

    fn long(&self, parent: u32, word: u64, tail: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        hasher.write_u128(u128::from(parent) << 64 | u128::from(word));
        hasher.write(tail);
        hasher.finish()
    }
}
