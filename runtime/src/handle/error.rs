//! What can be wrong with a call from outside.

use super::LETTERS_MAX;
use sanderling_core::topic::TopicError;
use std::{error::Error, fmt};

/// Why a call of the [`Handle`](crate::Handle) did not do what it should.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HandleError {
    /// Too many commands wait for the driver: try again later. Only from calls that do not wait for room.
    Full,
    /// The broker has not started, and to wait for it on this thread might be to wait for ever.
    NotStarted,
    /// The broker has stopped.
    Stopped,
    /// A blocking call from inside a hook would wait for itself: give the hook's context the command instead.
    WouldDeadlock,
    /// The topic name breaks this rule.
    InvalidTopic(TopicError),
    /// The topic name has more levels than the broker's limit.
    TopicTooDeep,
    /// Topic, properties and payload together are longer than a packet can be.
    TooLarge,
    /// There is no room for one more retained message.
    RetainedFull,
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "{LETTERS_MAX} commands wait for the broker already"),
            Self::NotStarted => f.write_str("the broker has not started yet"),
            Self::Stopped => f.write_str("the broker has stopped"),
            Self::WouldDeadlock => f.write_str("a hook must not wait for the broker it runs in"),
            Self::InvalidTopic(error) => write!(f, "the topic name {error}"),
            Self::TopicTooDeep => f.write_str("the topic name has more levels than the limit"),
            Self::TooLarge => f.write_str("the message is longer than a packet can be"),
            Self::RetainedFull => f.write_str("there is no room for one more retained message"),
        }
    }
}

impl Error for HandleError {}
