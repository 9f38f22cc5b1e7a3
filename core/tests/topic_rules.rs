//! Which strings are topic names and topic filters: the tables of the standard and of requirement K8.

use sanderling_core::topic::{self, Shared, TopicError, TopicFilter, TopicName};

#[test]
fn k8_filters_that_are_accepted() {
    for filter in [
        "//1",
        "+",
        "#",
        "/1/+/#",
        "/1/+/+/1234",
        "/",
        "/+",
        "+/",
        "/#",
        "+/#",
        "+/+",
        "a",
        "a/b c/é",
        "$",
        "$SYS/#",
        "sport/tennis/player1/#",
        "sport/#",
        "+/tennis/#",
        "sport/+/player1",
        "$share",
        "a//",
        "*",
        "\u{feff}",
        "\u{1}",
    ] {
        assert_eq!(
            TopicFilter::parse(filter).map(TopicFilter::as_str),
            Ok(filter)
        );
        assert_eq!(TopicFilter::parse(filter).unwrap().path(), filter);
        assert_eq!(TopicFilter::parse(filter).unwrap().shared(), None);
    }
}

#[test]
fn k8_filters_that_are_refused() {
    use TopicError::*;
    for (filter, error) in [
        ("", Empty),
        ("\0", Null),
        ("a/b\0", Null),
        ("sport/tennis#", MisplacedHash),
        ("sport/tennis/#/rank", MisplacedHash),
        ("#/a", MisplacedHash),
        ("#a", MisplacedHash),
        ("##", MisplacedHash),
        ("#/", MisplacedHash),
        ("+#", MisplacedHash),
        ("+a", MisplacedPlus),
        ("/+1", MisplacedPlus),
        ("sport+", MisplacedPlus),
        ("++", MisplacedPlus),
        ("a/+b/c", MisplacedPlus),
    ] {
        assert_eq!(TopicFilter::parse(filter), Err(error), "{filter:?}");
    }
}

#[test]
fn shared_filters_have_a_name_and_a_filter() {
    for (filter, name, path) in [
        ("$share/g/a/b", "g", "a/b"),
        ("$share/g/#", "g", "#"),
        ("$share/g//", "g", "/"),
        ("$share/$share/+/x", "$share", "+/x"),
        ("$share/a b/$SYS/#", "a b", "$SYS/#"),
        ("$share/consumer1//finance", "consumer1", "/finance"),
    ] {
        let parsed = TopicFilter::parse(filter).unwrap();
        assert_eq!(parsed.shared(), Some(Shared { name, filter: path }));
        assert_eq!((parsed.as_str(), parsed.path()), (filter, path));
        assert_eq!(topic::path_of(filter), path);
    }
}

/// [MQTT-4.8.2-1] [MQTT-4.8.2-2]
#[test]
fn mqtt_4_8_2_malformed_shared_filters_are_refused() {
    use TopicError::*;
    for (filter, error) in [
        ("$share/", InvalidShareName),
        ("$share//a", InvalidShareName),
        ("$share/+/a", InvalidShareName),
        ("$share/#", InvalidShareName),
        ("$share/g#/a", InvalidShareName),
        ("$share/a+b/a", InvalidShareName),
        ("$share/g", MissingSharedFilter),
        ("$share/g/", MissingSharedFilter),
        ("$share/g/#/a", MisplacedHash),
        ("$share/g/a+", MisplacedPlus),
        ("$share/g/a\0", Null),
    ] {
        assert_eq!(TopicFilter::parse(filter), Err(error), "{filter:?}");
    }
}

#[test]
fn k8_topic_names() {
    for name in [
        "/9 2",
        "/abc/def/gggggg/",
        "/",
        "a",
        "$SYS/x",
        "$share/g/a",
        "\u{feff}",
        "12345678",
        "123456789",
    ] {
        assert_eq!(TopicName::parse(name).map(TopicName::as_str), Ok(name));
    }
    use TopicError::*;
    for (name, error) in [
        ("", Empty),
        ("+", WildcardInName),
        ("#", WildcardInName),
        ("a/+/c", WildcardInName),
        ("a/b#c", WildcardInName),
        ("aaaaaaaa/bbbbbbb+", WildcardInName),
        ("a\0", Null),
        ("aaaaaaaaaaaa\0aaaaaaaa", Null),
    ] {
        assert_eq!(TopicName::parse(name), Err(error), "{name:?}");
    }
}

/// [MQTT-4.7.3-3]
#[test]
fn mqtt_4_7_3_3_the_limit_is_65535_bytes() {
    let longest = "é".repeat(32_767) + "x";
    assert!(TopicName::parse(&longest).is_ok());
    assert!(TopicFilter::parse(&longest).is_ok());
    let too_long = "x".repeat(65_536);
    assert_eq!(TopicName::parse(&too_long), Err(TopicError::TooLong));
    assert_eq!(TopicFilter::parse(&too_long), Err(TopicError::TooLong));
}

#[test]
fn depth_counts_levels() {
    for (topic, depth) in [("a", 1), ("/", 2), ("a/b", 2), ("/a/", 3), ("//", 3)] {
        assert_eq!(topic::depth(topic), depth);
        assert_eq!(TopicName::parse(topic).unwrap().levels().count(), depth);
        assert!(topic::deeper_than(topic, depth - 1));
        assert!(!topic::deeper_than(topic, depth));
    }
}

/// [K6]
#[test]
fn errors_name_their_rule() {
    let error = TopicFilter::parse("a/#/b").unwrap_err();
    assert_eq!(
        error.to_string(),
        "has a # that is not the whole last level [MQTT-4.7.1-1]"
    );
}
