//! What can be wrong with a topic name or a topic filter, each with the rule that says so.

use core::{error::Error, fmt};

/// The rule that a topic name or topic filter breaks. [MQTT 5.0, 4.7 and 4.8.2]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TopicError {
    /// No character at all. [MQTT-4.7.3-1]
    Empty,
    /// U+0000 is in it. [MQTT-4.7.3-2]
    Null,
    /// More than 65,535 bytes. [MQTT-4.7.3-3]
    TooLong,
    /// `+` or `#` in a topic name. [MQTT-4.7.0-1]
    WildcardInName,
    /// `#` that is not the whole last level. [MQTT-4.7.1-1]
    MisplacedHash,
    /// `+` that is not a whole level. [MQTT-4.7.1-2]
    MisplacedPlus,
    /// `$share/` without a share name, or with `+` or `#` in it. [MQTT-4.8.2-1] [MQTT-4.8.2-2]
    InvalidShareName,
    /// `$share/name` that no topic filter follows. [MQTT-4.8.2-2]
    MissingSharedFilter,
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty [MQTT-4.7.3-1]",
            Self::Null => "contains U+0000 [MQTT-4.7.3-2]",
            Self::TooLong => "is longer than 65,535 bytes [MQTT-4.7.3-3]",
            Self::WildcardInName => "is a topic name with a wildcard [MQTT-4.7.0-1]",
            Self::MisplacedHash => "has a # that is not the whole last level [MQTT-4.7.1-1]",
            Self::MisplacedPlus => "has a + that is not a whole level [MQTT-4.7.1-2]",
            Self::InvalidShareName => {
                "has a share name that is empty or contains + or # [MQTT-4.8.2-1] [MQTT-4.8.2-2]"
            }
            Self::MissingSharedFilter => "has no topic filter after the share name [MQTT-4.8.2-2]",
        })
    }
}

impl Error for TopicError {}
