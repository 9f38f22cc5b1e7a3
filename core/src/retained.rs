//! Retained messages: the last one of each topic, and the walk that replays them to a new subscription.
//!
//! The store is ordered by topic. So a replay is a cursor that survives any change between two steps, the order of
//! replay is the order of topics, and a filter reads only the range that its literal beginning allows.

use crate::{message::Message, packet::QoS, time::Instant, topic};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use core::{borrow::Borrow, cmp::Ordering, ops::Bound};

/// Expired messages that one message removes; each was stored by one, so this keeps up.
const PURGED_MAX: usize = 256;

/// All retained messages.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    topics: Topics,
    /// The topics whose messages expire, by when they do.
    expiring: BTreeSet<(Instant, Box<str>)>,
    bytes: u64,
    /// How often anything was stored or removed.
    changes: u64,
}

/// What is retained, by topic. The message is its own key, so that no topic name stands there twice.
type Topics = BTreeMap<ByTopic, Entry>;

/// A message, found by the bytes of its topic name.
#[derive(Debug)]
struct ByTopic(Arc<Message>);

impl Borrow<[u8]> for ByTopic {
    fn borrow(&self) -> &[u8] {
        self.0.topic_bytes()
    }
}

impl Ord for ByTopic {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.topic_bytes().cmp(other.0.topic_bytes())
    }
}

impl PartialOrd for ByTopic {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByTopic {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByTopic {}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Whose it is; see [`Replay::not_of`].
    publisher: u64,
    /// The value of `changes` when it was stored.
    changed: u64,
}

/// The retained messages that one subscription still gets.
#[derive(Debug)]
pub(crate) struct Replay {
    /// The filter as the client wrote it.
    pub(crate) filter: Box<str>,
    pub(crate) granted: QoS,
    pub(crate) identifier: u32,
    /// What this client published is left out; 0 for nobody. [MQTT-3.8.3-3]
    ///
    /// A fingerprint of the client identifier, so that one who comes back is known.
    pub(crate) not_of: u64,
    /// What was retained for the last topic looked at; it may have been replaced or removed since.
    cursor: Option<Arc<Message>>,
    /// A topic changed later was delivered live already; replaying it would be stale.
    as_of: u64,
}

/// What was retained once. To drop it all at once would take too long for one event.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    topics: Topics,
    expiring: BTreeSet<(Instant, Box<str>)>,
}

impl Remains {
    /// Drops so many. True if more are left.
    pub(crate) fn drop_some(&mut self, count: usize) -> bool {
        for _ in 0..count {
            self.topics.pop_first();
            self.expiring.pop_first();
        }
        !self.topics.is_empty() || !self.expiring.is_empty()
    }
}

/// What [`Retained::next`] found.
pub(crate) enum Step {
    /// A message that matches.
    Message(Arc<Message>),
    /// None among the topics looked at; there are more.
    Pause,
    /// There are no more.
    End,
}

impl Retained {
    pub(crate) fn len(&self) -> usize {
        self.topics.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Stores a message in the place of the topic's former one. [MQTT-3.3.1-5]
    pub(crate) fn store(&mut self, message: Arc<Message>, publisher: u64) {
        self.changes += 1;
        self.bytes += message.cost_bytes();
        if let Some((former, _)) = self.topics.remove_entry(message.topic_bytes()) {
            self.forget(&former.0);
        }
        if let Some(at) = message.expires() {
            self.expiring.insert((at, message.topic().into()));
        }
        let entry = Entry {
            publisher,
            changed: self.changes,
        };
        self.topics.insert(ByTopic(message), entry);
    }

    /// Removes a topic's message. [MQTT-3.3.1-6]
    pub(crate) fn remove(&mut self, topic: &str) {
        self.changes += 1;
        if let Some((former, _)) = self.topics.remove_entry(topic.as_bytes()) {
            self.forget(&former.0);
        }
    }

    /// Removes messages that have expired, so that they take up no room that others need.
    pub(crate) fn purge(&mut self, now: Instant) {
        for _ in 0..PURGED_MAX {
            match self.expiring.first() {
                Some((at, _)) if *at <= now => {}
                _ => return,
            }
            if let Some((_, topic)) = self.expiring.pop_first() {
                self.remove(&topic);
            }
        }
    }

    fn forget(&mut self, former: &Message) {
        self.bytes -= former.cost_bytes();
        if let Some(at) = former.expires() {
            self.expiring.remove(&(at, former.topic().into()));
        }
    }

    /// The message of this topic; it may have expired.
    pub(crate) fn get(&self, topic: &str) -> Option<&Message> {
        let (message, _) = self.topics.get_key_value(topic.as_bytes())?;
        Some(&message.0)
    }

    /// The messages of the topics after this one, in their order; some may have expired.
    pub(crate) fn after(&self, topic: Option<&str>) -> impl Iterator<Item = &Message> {
        let from = topic.map_or(Bound::Unbounded, |topic| Bound::Excluded(topic.as_bytes()));
        let range = self.topics.range::<[u8], _>((from, Bound::Unbounded));
        range.map(|(message, _)| &*message.0)
    }

    /// Empties the store, and returns what was in it, to be dropped in pieces.
    pub(crate) fn clear(&mut self) -> Remains {
        let changes = self.changes + 1;
        let cleared = core::mem::take(self);
        self.changes = changes;
        Remains {
            topics: cleared.topics,
            expiring: cleared.expiring,
        }
    }

    /// What the message of this topic counts for in the byte limit; none if there is no message.
    pub(crate) fn cost_bytes(&self, topic: &str) -> Option<u64> {
        self.get(topic).map(Message::cost_bytes)
    }

    /// A walk over what matches `filter` now.
    pub(crate) fn replay(
        &self,
        filter: &str,
        granted: QoS,
        identifier: u32,
        not_of: u64,
    ) -> Replay {
        Replay {
            filter: filter.into(),
            granted,
            identifier,
            not_of,
            cursor: None,
            as_of: self.changes,
        }
    }

    /// Walks on until a message matches, looking at no more than `*budget` topics. Removes what has expired.
    pub(crate) fn next(&mut self, replay: &mut Replay, now: Instant, budget: &mut u32) -> Step {
        loop {
            let (message, entry) = match self.look(replay, budget) {
                Look::Found(message, entry) => (message, entry),
                Look::Pause => return Step::Pause,
                Look::End => return Step::End,
            };
            replay.cursor = Some(message.clone());
            if message.is_expired(now) {
                self.remove(message.topic());
            } else if entry.changed <= replay.as_of && !replay.leaves_out(entry) {
                return Step::Message(message);
            }
        }
    }

    fn look(&self, replay: &mut Replay, budget: &mut u32) -> Look {
        let path = topic::path_of(&replay.filter);
        let literal = literal_beginning(path);
        let from = match &replay.cursor {
            Some(message) => Bound::Excluded(message.topic_bytes()),
            None => Bound::Included(literal.as_bytes()),
        };
        let mut last = None;
        for (ByTopic(message), entry) in self.topics.range::<[u8], _>((from, Bound::Unbounded)) {
            if !message.topic_bytes().starts_with(literal.as_bytes()) {
                return Look::End;
            }
            if *budget == 0 {
                if let Some(last) = last {
                    replay.cursor = Some(Arc::clone(last));
                }
                return Look::Pause;
            }
            *budget -= 1;
            if topic::matches(path, message.topic()) {
                return Look::Found(message.clone(), *entry);
            }
            last = Some(message);
        }
        Look::End
    }
}

impl Replay {
    fn leaves_out(&self, entry: Entry) -> bool {
        self.not_of != 0 && self.not_of == entry.publisher
    }
}

enum Look {
    Found(Arc<Message>, Entry),
    Pause,
    End,
}

/// What every matching topic begins with: `a/b` for `a/b/#`, which matches `a/b` itself, `a/` for `a/+/c`.
fn literal_beginning(path: &str) -> &str {
    let end = path.find(['+', '#']).unwrap_or(path.len());
    let literal = &path[..end];
    if path[end..].starts_with('#') {
        literal.strip_suffix('/').unwrap_or(literal)
    } else {
        literal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Incoming, Payload};
    use alloc::{borrow::Cow, string::String, string::ToString, vec::Vec};

    const NOW: Instant = Instant::from_millis(1000);

    #[test]
    fn a_filter_replays_what_it_matches_in_the_order_of_topics() {
        let mut retained = filled(&["a", "a/b", "a!c", "ab", "a/b/c", "b", "$x/a"]);
        assert_eq!(walk(&mut retained, "a/#", 100), ["a", "a/b", "a/b/c"]);
        assert_eq!(walk(&mut retained, "+", 100), ["a", "a!c", "ab", "b"]);
        assert_eq!(walk(&mut retained, "a/b", 100), ["a/b"]);
        assert_eq!(walk(&mut retained, "$x/#", 100), ["$x/a"]);
        assert_eq!(walk(&mut retained, "#", 100).len(), 6);
    }

    #[test]
    fn a_walk_in_small_steps_finds_the_same() {
        let mut retained = filled(&["a/1", "a/2", "a/3", "b/1", "b/2", "c"]);
        assert_eq!(
            walk(&mut retained, "+/2", 1),
            walk(&mut retained, "+/2", 100)
        );
    }

    #[test]
    fn i33_a_topic_changed_since_the_subscription_is_not_replayed() {
        let mut retained = filled(&["a", "b"]);
        let mut replay = retained.replay("#", QoS::AtMostOnce, 0, 0);
        retained.store(message("a", None), 0);
        assert!(matches!(next(&mut retained, &mut replay), Step::Message(m) if m.topic() == "b"));
        assert!(matches!(next(&mut retained, &mut replay), Step::End));
    }

    #[test]
    fn i34_an_expired_message_is_never_replayed_and_is_removed() {
        let mut retained = Retained::default();
        retained.store(message("a", Some(NOW)), 0);
        let mut replay = retained.replay("#", QoS::AtMostOnce, 0, 0);
        assert!(matches!(next(&mut retained, &mut replay), Step::End));
        assert_eq!((retained.len(), retained.bytes()), (0, 0));
        assert!(retained.expiring.is_empty());
    }

    #[test]
    fn i34_what_has_expired_is_purged_and_nothing_else() {
        let mut retained = Retained::default();
        let later = Some(Instant::from_millis(1001));
        retained.store(message("a", Some(NOW)), 0);
        retained.store(message("b", Some(NOW)), 0);
        retained.store(message("b", later), 0);
        retained.store(message("c", None), 0);
        retained.purge(NOW);
        let left: Vec<_> = retained.after(None).map(Message::topic).collect();
        assert_eq!(left, ["b", "c"]);
        retained.remove("b");
        assert!(retained.expiring.is_empty());
    }

    fn walk(retained: &mut Retained, filter: &str, step: u32) -> Vec<String> {
        let mut replay = retained.replay(filter, QoS::AtMostOnce, 0, 0);
        let mut topics = Vec::new();
        loop {
            let mut budget = step;
            match retained.next(&mut replay, NOW, &mut budget) {
                Step::Message(message) => topics.push(message.topic().to_string()),
                Step::Pause => {}
                Step::End => return topics,
            }
        }
    }

    fn next(retained: &mut Retained, replay: &mut Replay) -> Step {
        retained.next(replay, NOW, &mut 100)
    }

    fn filled(topics: &[&str]) -> Retained {
        let mut retained = Retained::default();
        for topic in topics {
            retained.store(message(topic, None), 0);
        }
        retained
    }

    fn message(topic: &str, expires: Option<Instant>) -> Arc<Message> {
        Incoming {
            topic,
            payload: Payload::Borrowed(b"x"),
            properties: Cow::Borrowed(&[]),
            qos: QoS::AtMostOnce,
            retain: true,
            expires,
        }
        .keep()
    }
}
