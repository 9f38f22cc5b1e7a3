//! Topic names, topic filters, how they match, and the index of subscriptions. [MQTT 5.0, 4.7]

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod error;
mod filter;
mod index;
mod level;
mod matching;
mod member;
mod name;
mod slab;

pub use error::TopicError;
pub use filter::{Shared, TopicFilter};
pub use index::Index;
pub use matching::{deeper_than, depth, matches, path_of};
pub(crate) use member::GROUP;
pub use member::{Member, MemberOptions};
pub use name::{TopicName, is_server_topic};
