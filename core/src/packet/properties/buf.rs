//! A property section under construction. What is in it can always be encoded.

use super::{Properties, Property};
use crate::topic::{TopicError, TopicName};
use alloc::vec::Vec;
use core::{error::Error, fmt};

/// The longest string or binary value, in bytes. [MQTT 5.0, 1.5.4 and 1.5.6]
const VALUE_BYTES_MAX: usize = 65_535;
/// The highest variable byte integer. [MQTT 5.0, 1.5.5]
const VARIABLE_BYTE_INTEGER_MAX: u32 = 268_435_455;

/// A property section that owns its bytes.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct PropertiesBuf(Vec<u8>);

/// Why a property cannot stand in a section.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PropertyError {
    /// A string or binary value of more than 65,535 bytes.
    TooLong,
    /// A string with U+0000. [MQTT-1.5.4-2]
    Null,
    /// A number the standard excludes, such as a Receive Maximum of 0.
    OutOfRange,
    /// The section has a property of this name, and may have only one.
    Repeated,
    /// A response topic that is no topic name. [MQTT-3.3.2-14]
    ResponseTopic(TopicError),
}

impl PropertiesBuf {
    /// No property yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a property.
    ///
    /// # Errors
    /// The property cannot stand here; the section is as it was.
    pub fn push(&mut self, property: Property<'_>) -> Result<(), PropertyError> {
        check(property)?;
        let id = property.id();
        if !Property::is_repeatable(id) && self.as_properties().contains(id) {
            return Err(PropertyError::Repeated);
        }
        property.write(&mut self.0);
        Ok(())
    }

    /// The section, to be put into a packet.
    pub fn as_properties(&self) -> Properties<'_> {
        Properties::from_validated(&self.0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes all properties and keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl From<Properties<'_>> for PropertiesBuf {
    fn from(properties: Properties<'_>) -> Self {
        Self(properties.as_bytes().into())
    }
}

fn check(property: Property<'_>) -> Result<(), PropertyError> {
    match property {
        Property::ReceiveMaximum(0)
        | Property::TopicAlias(0)
        | Property::MaximumPacketSize(0)
        | Property::SubscriptionIdentifier(0)
        | Property::PayloadFormatIndicator(2..)
        | Property::MaximumQoS(2..) => Err(PropertyError::OutOfRange),
        Property::SubscriptionIdentifier(id) if id > VARIABLE_BYTE_INTEGER_MAX => {
            Err(PropertyError::OutOfRange)
        }
        Property::ResponseTopic(topic) => match TopicName::parse(topic) {
            Ok(_) => Ok(()),
            Err(TopicError::TooLong) => Err(PropertyError::TooLong),
            Err(TopicError::Null) => Err(PropertyError::Null),
            Err(error) => Err(PropertyError::ResponseTopic(error)),
        },
        Property::ContentType(text)
        | Property::AssignedClientIdentifier(text)
        | Property::AuthenticationMethod(text)
        | Property::ResponseInformation(text)
        | Property::ServerReference(text)
        | Property::ReasonString(text) => check_string(text),
        Property::UserProperty(name, value) => {
            check_string(name)?;
            check_string(value)
        }
        Property::CorrelationData(bytes) | Property::AuthenticationData(bytes) => check_len(bytes),
        _ => Ok(()),
    }
}

fn check_string(text: &str) -> Result<(), PropertyError> {
    check_len(text.as_bytes())?;
    if text.as_bytes().contains(&0) {
        return Err(PropertyError::Null);
    }
    Ok(())
}

fn check_len(bytes: &[u8]) -> Result<(), PropertyError> {
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(PropertyError::TooLong);
    }
    Ok(())
}

impl fmt::Debug for PropertiesBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_properties(), f)
    }
}

impl fmt::Display for PropertyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("a property value is longer than 65,535 bytes"),
            Self::Null => f.write_str("a property string contains U+0000 [MQTT-1.5.4-2]"),
            Self::OutOfRange => f.write_str("a property value is outside its range"),
            Self::Repeated => f.write_str("a property that may stand only once is there already"),
            Self::ResponseTopic(error) => write!(f, "the response topic {error}"),
        }
    }
}

impl Error for PropertyError {}
