//! Topic names, topic filters and the index of subscriptions, each held against a naive twin.
//!
//! The input is text, one operation a line: a letter, a session (any character), and a topic name or filter.
//! `s1a/+` subscribes session 1, `u1a/+` unsubscribes it, any other letter looks up who gets a message.

use sanderling_core::{
    packet::QoS,
    topic::{Index, Member, MemberOptions, TopicFilter, TopicName, matches},
};
use std::collections::BTreeMap;

/// The naive index: what was subscribed, by session and path.
type Subscriptions = BTreeMap<(u32, String), Member>;

/// Applies the operations to an index and to its twin, and compares all that can be seen.
pub fn topics(input: &[u8]) {
    let mut index = Index::new(input.len() as u64);
    let mut twin = Subscriptions::new();
    for (number, line) in input.split(|&byte| byte == b'\n').enumerate() {
        let [operation, session, text @ ..] = line else {
            continue;
        };
        let text = valid_prefix(text);
        assert_eq!(TopicName::parse(text).is_ok(), is_name(text), "{text:?}");
        let filter = TopicFilter::parse(text);
        assert_eq!(filter.is_ok(), is_filter(text), "{text:?}");
        let (session, number) = (u32::from(*session), number as u32 + 1);
        match (operation, filter) {
            (b's', Ok(filter)) => subscribe(&mut index, &mut twin, filter, session, number),
            (b'u', Ok(filter)) => {
                let twin_removed = twin.remove(&(session, filter.path().to_owned()));
                assert_eq!(
                    index.unsubscribe(filter.path(), session),
                    twin_removed,
                    "{text:?}"
                );
            }
            _ if is_name(text) => look_up(&index, &twin, text),
            _ => {}
        }
        assert_eq!(index.len(), twin.len());
    }
    for (session, path) in twin.into_keys() {
        assert!(index.unsubscribe(&path, session).is_some(), "{path:?}");
    }
    assert_eq!(
        index.node_count(),
        0,
        "what is unsubscribed leaves nothing behind"
    );
}

/// The longest beginning that is UTF-8.
fn valid_prefix(bytes: &[u8]) -> &str {
    let chunk = bytes.utf8_chunks().next();
    chunk.map_or("", |chunk| chunk.valid())
}

fn subscribe(
    index: &mut Index,
    twin: &mut Subscriptions,
    filter: TopicFilter<'_>,
    session: u32,
    number: u32,
) {
    let member = Member {
        session,
        subscription_id: number,
        options: MemberOptions::new(QoS::AtLeastOnce, number.is_multiple_of(2), false),
    };
    let key = (session, filter.path().to_owned());
    assert_eq!(
        index.subscribe(filter.path(), member),
        twin.insert(key, member)
    );
    assert_eq!(index.get(filter.path(), session), Some(member));
}

fn look_up(index: &Index, twin: &Subscriptions, topic: &str) {
    let mut found = Vec::new();
    index.for_each_match(topic, |members| {
        assert!(!members.is_empty());
        found.extend(members.iter().map(|member| member.subscription_id));
    });
    let mut expected = Vec::new();
    for ((_, path), member) in twin {
        let twin_matches = is_match(path, topic);
        assert_eq!(matches(path, topic), twin_matches, "{path:?} and {topic:?}");
        if twin_matches {
            expected.push(member.subscription_id);
        }
    }
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "subscriptions that match {topic:?}");
}

/// [MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-4.7.3-3]
fn is_name(text: &str) -> bool {
    (1..=65_535).contains(&text.len()) && !text.chars().any(|c| matches!(c, '+' | '#' | '\0'))
}

/// [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.8.2-1] [MQTT-4.8.2-2], and those on every topic.
fn is_filter(text: &str) -> bool {
    let levels: Vec<_> = text.split('/').collect();
    let path = match levels.as_slice() {
        ["$share", name, path @ ..] => {
            if name.is_empty() || name.contains(['+', '#']) || matches!(path, [] | [""]) {
                return false;
            }
            path
        }
        path => path,
    };
    let well_placed = path.iter().enumerate().all(|(at, level)| match *level {
        "+" => true,
        "#" => at + 1 == path.len(),
        literal => !literal.contains(['+', '#']),
    });
    well_placed && (1..=65_535).contains(&text.len()) && !text.contains('\0')
}

/// [MQTT 5.0, 4.7.1 and 4.7.2]
fn is_match(path: &str, topic: &str) -> bool {
    fn levels_match(path: &[&str], topic: &[&str]) -> bool {
        match (path, topic) {
            (["#"], _) | ([], []) => true,
            (["+", path @ ..], [_, topic @ ..]) => levels_match(path, topic),
            ([level, path @ ..], [same, topic @ ..]) if level == same => levels_match(path, topic),
            _ => false,
        }
    }
    let hidden = topic.starts_with('$') && path.starts_with(['+', '#']);
    let path: Vec<_> = path.split('/').collect();
    let topic: Vec<_> = topic.split('/').collect();
    !hidden && levels_match(&path, &topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twin_knows_the_standard() {
        for (path, topic, expected) in [
            ("sport/#", "sport", true),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/uptime", false),
            ("$SYS/#", "$SYS/uptime", true),
        ] {
            assert_eq!(is_match(path, topic), expected, "{path} {topic}");
        }
        assert!(is_filter("sport/tennis/#") && is_filter("$share/group/+"));
        for bad in [
            "sport/tennis#",
            "sport/#/ranking",
            "sport+",
            "",
            "$share/group/",
            "$share//a",
        ] {
            assert!(!is_filter(bad), "{bad}");
        }
    }
}
