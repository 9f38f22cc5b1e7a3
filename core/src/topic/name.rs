//! Topic names: what a message is published to. [MQTT 5.0, 4.7]

use super::{TopicError, level};
use core::fmt;

/// The longest topic name or topic filter, in bytes. [MQTT-4.7.3-3]
pub(super) const BYTES_MAX: usize = 65_535;

/// Whether no client may publish to this topic: `$SYS` and `$CONTROL`, and all below, are written by the server.
pub fn is_server_topic(topic: &str) -> bool {
    // Nearly no topic begins like this.
    topic.starts_with('$') && matches!(topic.split('/').next(), Some("$SYS" | "$CONTROL"))
}

/// A topic name: not empty, no wildcard, no U+0000, at most 65,535 bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TopicName<'a>(&'a str);

impl<'a> TopicName<'a> {
    /// Takes `name` for a topic name if it is one. Nothing is normalised. [MQTT-4.7.3-4]
    ///
    /// # Errors
    /// The rule that `name` breaks.
    pub fn parse(name: &'a str) -> Result<Self, TopicError> {
        if name.is_empty() {
            return Err(TopicError::Empty);
        }
        if name.len() > BYTES_MAX {
            return Err(TopicError::TooLong);
        }
        if level::any_special(name.as_bytes()) {
            let null = name.contains('\0');
            return Err(if null {
                TopicError::Null
            } else {
                TopicError::WildcardInName
            });
        }
        Ok(Self(name))
    }

    /// The name as it was published.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The levels in order: `/a` has two, the first of them empty.
    pub fn levels(self) -> impl Iterator<Item = &'a str> {
        self.0.split('/')
    }
}

impl fmt::Display for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
