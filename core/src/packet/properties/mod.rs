//! The property sections of MQTT 5.0 packets: borrowed as they were received, or built one by one. [MQTT 5.0, 2.2.2]

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod buf;
mod property;
mod section;

pub use buf::{PropertiesBuf, PropertyError};
pub use property::Property;
pub(crate) use property::{Kind, id, kind, name};
pub use section::{Properties, SubscriptionIdentifiers, UserProperties};
