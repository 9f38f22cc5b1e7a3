//! Topic names, topic filters, how they match, and the index of subscriptions. [MQTT 5.0, 4.7]

/// A topic name: not empty, no wildcard, no U+0000, at most 65,535 bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TopicName<'a>(&'a str);

/// A well-formed topic filter.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TopicFilter<'a>(&'a str);
