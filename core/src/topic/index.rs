//! The index of subscriptions: which sessions want a message with this topic name?
//!
//! A trie over topic levels. Every node is known to one hash table under its parent and its level, so the cost of a match
//! does not depend on how many filters there are, only on those that match so far. The laws:
//! - nothing recurses: depth is bounded by the length of the caller's strings alone, and costs no stack;
//! - a match allocates nothing, save where more than 16 of the levels matched so far offer both a `+` and a literal;
//! - what is unsubscribed leaves nothing behind;
//! - the hash seed is never visible: filters are found in an order that depends only on the operations before.

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
    /// All nodes that stand for a literal level, under their parent and level.
    children: HashTable<u32>,
    hasher: NodeHasher,
    subscriptions: usize,
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
    len: u32,
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
            children: HashTable::new(),
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
        let hash = self.hasher.hash(parent, level.word, level.tail);
        let child = self
            .children
            .find(hash, |&child| self.nodes[child].is(parent, level));
        child.copied().unwrap_or(NONE)
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
        let child = self.nodes.insert(Node::literal(parent, level));
        self.nodes[parent].literals += 1;
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        let hash = hasher.hash(parent, level.word, level.tail);
        self.children
            .insert_unique(hash, child, |&other| nodes[other].hash(hasher));
        child
    }

    /// Removes `node` and those above it that nothing needs any more.
    fn prune(&mut self, mut node: u32) {
        while node != ROOT && self.nodes[node].is_bare() {
            let parent = self.nodes[node].parent;
            if self.nodes[parent].plus == node {
                self.nodes[parent].plus = NONE;
            } else {
                self.nodes[parent].literals -= 1;
                let hash = self.nodes[node].hash(&self.hasher);
                let entry = self.children.find_entry(hash, |&child| child == node);
                entry.expect("every literal node is in the table").remove();
            }
            self.nodes.remove(node);
            node = parent;
        }
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
    fn literal(parent: u32, level: Level<'_>) -> Self {
        let len = u32::try_from(level.len).expect("a topic is shorter than 4 GiB");
        Self {
            parent,
            len,
            word: level.word,
            tail: level.tail.into(),
            ..Self::default()
        }
    }

    /// Whether this is the child of `parent` for a literal level.
    #[inline]
    fn is(&self, parent: u32, level: Level<'_>) -> bool {
        self.word == level.word
            && self.parent == parent
            && self.len as usize == level.len
            && (level.tail.is_empty() || *self.tail == *level.tail)
    }

    /// Whether neither a filter nor another node needs it.
    const fn is_bare(&self) -> bool {
        self.literals == 0 && self.plus == NONE && self.leaf == NONE && self.hash_leaf == NONE
    }

    fn hash(&self, hasher: &NodeHasher) -> u64 {
        hasher.hash(self.parent, self.word, &self.tail)
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
            len: 0,
            word: 0,
            tail: Box::default(),
        }
    }
}

/// Hashes what the table of children is keyed by.
struct NodeHasher {
    seed: u64,
    shared: SharedSeed,
}

impl NodeHasher {
    /// The length of a short level is not hashed: U+0000 is in no topic, so `word` tells it.
    #[inline]
    fn hash(&self, parent: u32, word: u64, tail: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        if !tail.is_empty() {
            hasher.write(tail);
        }
        hasher.write_u128(u128::from(parent) << 64 | u128::from(word));
        hasher.finish()
    }
}
