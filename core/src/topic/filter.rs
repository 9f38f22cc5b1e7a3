//! Topic filters: what a client subscribes to, shared subscriptions included. [MQTT 5.0, 4.7 and 4.8.2]

use super::{TopicError, level, matching, name::BYTES_MAX};
use core::fmt;

/// What the filter of a shared subscription begins with. [MQTT-4.8.2-1]
pub(super) const SHARE_PREFIX: &str = "$share/";

/// A well-formed topic filter.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TopicFilter<'a>(&'a str);

/// The parts of `$share/{name}/{filter}`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Shared<'a> {
    /// Names the group of sessions that share.
    pub name: &'a str,
    /// What is matched.
    pub filter: &'a str,
}

impl<'a> TopicFilter<'a> {
    /// Takes `filter` for a topic filter if it is one. Nothing is normalised. [MQTT-4.7.3-4]
    ///
    /// # Errors
    /// The rule that `filter` breaks.
    pub fn parse(filter: &'a str) -> Result<Self, TopicError> {
        if filter.is_empty() {
            return Err(TopicError::Empty);
        }
        if filter.len() > BYTES_MAX {
            return Err(TopicError::TooLong);
        }
        let special = level::any_special(filter.as_bytes());
        if special && filter.contains('\0') {
            return Err(TopicError::Null);
        }
        let path = match filter.strip_prefix(SHARE_PREFIX) {
            Some(rest) => check_share(rest)?,
            None => filter,
        };
        if special {
            check_wildcards(path)?;
        }
        Ok(Self(filter))
    }

    /// The filter as the client sent it.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The share name and the filter behind it, if this is a shared subscription.
    pub fn shared(self) -> Option<Shared<'a>> {
        let (name, filter) = self.0.strip_prefix(SHARE_PREFIX)?.split_once('/')?;
        Some(Shared { name, filter })
    }

    /// The part that topics are matched with: all of it, or what follows `$share/{name}/`.
    pub fn path(self) -> &'a str {
        matching::path_of(self.0)
    }
}

impl fmt::Display for TopicFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Checks `{name}/{filter}`, all but the filter's wildcards, and returns the filter. [MQTT-4.8.2-1] [MQTT-4.8.2-2]
fn check_share(rest: &str) -> Result<&str, TopicError> {
    let (name, filter) = rest.split_once('/').unwrap_or((rest, ""));
    if name.is_empty() || name.contains(['+', '#']) {
        return Err(TopicError::InvalidShareName);
    }
    if filter.is_empty() {
        return Err(TopicError::MissingSharedFilter);
    }
    Ok(filter)
}

/// A wildcard fills its level, and nothing follows `#`. [MQTT-4.7.1-1] [MQTT-4.7.1-2]
fn check_wildcards(path: &str) -> Result<(), TopicError> {
    let mut levels = path.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Err(TopicError::MisplacedHash);
        }
        if level.contains('+') && level != "+" {
            return Err(TopicError::MisplacedPlus);
        }
    }
    Ok(())
}
