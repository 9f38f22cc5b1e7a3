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
    member::{Member, Members},
    slab::{NONE, Slab},
};
use alloc::boxed::Box;
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
    leaves: Slab<Leaf>,
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

/// The levels of some filters up to here.
struct Node {
    parent: u32,
    /// How many children stand for a literal level.
    literals: u32,
    /// The child for the level `+`.
    plus: u32,
    /// The leaf of the filter that ends here.
    leaf: u32,
    /// The leaf of the filter that ends with `#` below here.
    hash_leaf: u32,
    /// The level of this node, as in [`Level`]; unused in the root and in nodes for `+`.
    word: u64,
    tail: Box<[u8]>,
}

/// One filter. Shared subscriptions of the same filter will stand beside the members.
#[derive(Default)]
struct Leaf {
    members: Members,
}

/// Where a filter's leaf hangs.
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
        let mut nodes = Slab::new();
        assert_eq!(nodes.insert(Node::default()), ROOT, "the root comes first");
        Self {
            nodes,
            leaves: Slab::new(),
            short: HashTable::new(),
            long: HashTable::new(),
            hasher: NodeHasher {
                seed,
                shared: SharedSeed::from_u64(seed),
            },
            subscriptions: 0,
        }
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
        let leaf = match self.leaf_at(place) {
            NONE => self.hang_leaf(place),
            leaf => leaf,
        };
        let replaced = self.leaves[leaf].members.insert(member);
        self.subscriptions += usize::from(replaced.is_none());
        replaced
    }

    /// Ends a session's subscription to a filter and returns what it was.
    pub fn unsubscribe(&mut self, path: &str, session: u32) -> Option<Member> {
        let place = self.find(path)?;
        let leaf = self.leaf_at(place);
        if leaf == NONE {
            return None;
        }
        let removed = self.leaves[leaf].members.remove(session)?;
        self.subscriptions -= 1;
        if self.leaves[leaf].is_empty() {
            self.leaves.remove(leaf);
            self.set_leaf(place, NONE);
            self.prune(place.node());
        }
        Some(removed)
    }

    /// A session's subscription to exactly this filter.
    pub fn get(&self, path: &str, session: u32) -> Option<Member> {
        match self.leaf_at(self.find(path)?) {
            NONE => None,
            leaf => self.leaves[leaf].members.get(session),
        }
    }

    /// The members of exactly this filter.
    pub fn members(&self, path: &str) -> &[Member] {
        match self.find(path).map(|place| self.leaf_at(place)) {
            None | Some(NONE) => &[],
            Some(leaf) => self.leaves[leaf].members.as_slice(),
        }
    }

    /// Hands over the members of every filter that matches `topic`, once per filter, never an empty slice.
    pub fn for_each_match(&self, topic: &str, mut found: impl FnMut(&[Member])) {
        self.walk(topic, |leaf| found(leaf.members.as_slice()));
    }

    /// Goes down literal levels first; where a `+` offers another way, it is noted and taken later.
    #[inline]
    fn walk(&self, topic: &str, mut found: impl FnMut(&Leaf)) {
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
                if here.hash_leaf != NONE {
                    found(&self.leaves[here.hash_leaf]);
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
                if here.leaf != NONE {
                    found(&self.leaves[here.leaf]);
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
            let child = &self.nodes[child];
            (child.parent, child.word) == (parent, level.word) && *child.tail == *level.tail
        };
        self.long.find(hash, is_it).copied().unwrap_or(NONE)
    }

    /// Where the filter's leaf hangs, if all its levels are there.
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

    /// Where the filter's leaf hangs; levels that are missing are made.
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
        let plus = self.nodes.insert(Node {
            parent,
            ..Node::default()
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
        let node = self.nodes.insert(Node {
            parent,
            word,
            tail: tail.into(),
            ..Node::default()
        });
        self.nodes[parent].literals += 1;
        let hasher = &self.hasher;
        if tail.is_empty() {
            let rehash = |short: &Short| hasher.short(short.parent, short.word);
            let hash = hasher.short(parent, word);
            self.short
                .insert_unique(hash, Short { word, parent, node }, rehash);
        } else {
            let nodes = &self.nodes;
            let rehash = |&node: &u32| nodes[node].long_hash(hasher);
            self.long
                .insert_unique(hasher.long(parent, word, tail), node, rehash);
        }
        node
    }

    /// Removes `node` and those above it that nothing needs any more.
    fn prune(&mut self, mut node: u32) {
        while node != ROOT && self.nodes[node].is_bare() {
            let parent = self.nodes[node].parent;
            if self.nodes[parent].plus == node {
                self.nodes[parent].plus = NONE;
            } else {
                self.forget_literal(node);
                self.nodes[parent].literals -= 1;
            }
            self.nodes.remove(node);
            node = parent;
        }
    }

    /// Takes a node out of the table that it stands in.
    fn forget_literal(&mut self, number: u32) {
        let node = &self.nodes[number];
        let forgotten = if node.tail.is_empty() {
            let hash = self.hasher.short(node.parent, node.word);
            let entry = self.short.find_entry(hash, |short| short.node == number);
            entry.is_ok_and(|entry| entry.remove().0.node == number)
        } else {
            let hash = node.long_hash(&self.hasher);
            let entry = self.long.find_entry(hash, |&other| other == number);
            entry.is_ok_and(|entry| entry.remove().0 == number)
        };
        assert!(forgotten, "every literal node stands in a table");
    }

    fn leaf_at(&self, place: Place) -> u32 {
        match place {
            Place::At(node) => self.nodes[node].leaf,
            Place::Below(node) => self.nodes[node].hash_leaf,
        }
    }

    fn set_leaf(&mut self, place: Place, leaf: u32) {
        match place {
            Place::At(node) => self.nodes[node].leaf = leaf,
            Place::Below(node) => self.nodes[node].hash_leaf = leaf,
        }
    }

    fn hang_leaf(&mut self, place: Place) -> u32 {
        let leaf = self.leaves.insert(Leaf::default());
        self.set_leaf(place, leaf);
        leaf
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
}

impl Leaf {
    fn is_empty(&self) -> bool {
        self.members.as_slice().is_empty()
    }
}

impl Node {
    /// Whether neither a filter nor another node needs it.
    const fn is_bare(&self) -> bool {
        self.literals == 0 && self.plus == NONE && self.leaf == NONE && self.hash_leaf == NONE
    }

    fn long_hash(&self, hasher: &NodeHasher) -> u64 {
        hasher.long(self.parent, self.word, &self.tail)
    }
}

impl Default for Node {
    fn default() -> Self {
        Self {
            parent: NONE,
            literals: 0,
            plus: NONE,
            leaf: NONE,
            hash_leaf: NONE,
            word: 0,
            tail: Box::default(),
        }
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
