//! Topic filters and topic names, as the standard explains them: level by level. [MQTT 5.0, 4.7]

/// Whether a filter matches a topic name.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    // [MQTT-4.7.2-1]
    if topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#')) {
        return false;
    }
    let filter: Vec<_> = filter.split('/').collect();
    let topic: Vec<_> = topic.split('/').collect();
    levels_match(&filter, &topic)
}

fn levels_match(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        (["+", filter @ ..], [_, topic @ ..]) => levels_match(filter, topic),
        ([level, filter @ ..], [same, topic @ ..]) if level == same => levels_match(filter, topic),
        _ => false,
    }
}

/// How many levels a topic name or filter has.
pub(super) fn levels(topic: &str) -> usize {
    topic.split('/').count()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn the_examples_of_the_standard_hold() {
        for topic in ["sport/tennis/player1", "sport/tennis/player1/ranking"] {
            assert!(matches("sport/tennis/player1/#", topic) && matches("#", topic));
        }
        assert!(matches("sport/#", "sport") && matches("sport/tennis/+", "sport/tennis/player1"));
        assert!(!matches("sport/tennis/+", "sport/tennis/player1/ranking"));
        assert!(!matches("sport/+", "sport") && matches("sport/+", "sport/"));
        assert!(
            matches("+/+", "/finance") && matches("/+", "/finance") && !matches("+", "/finance")
        );
        assert!(
            !matches("#", "$SYS/a") && !matches("+/a", "$SYS/a") && matches("$SYS/#", "$SYS/a")
        );
    }
}
