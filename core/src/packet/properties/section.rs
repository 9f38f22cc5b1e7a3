//! A property section that was validated: nothing here fails, and reading one property costs no look at the others'
//! values.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "both walks are of the same section"
)]

use super::{
    PropertiesBuf, Property,
    property::{Raw, id},
};
use core::fmt;

/// A validated property section as it stands on the wire, without its length. [MQTT 5.0, 2.2.2]
///
/// It comes out of a decoder or a [`PropertiesBuf`]. Accessors take time linear in the number of properties; they return
/// what the section says and no defaults.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct Properties<'a>(&'a [u8]);

macro_rules! accessors {
    ($($(#[$doc:meta])* $name:ident = $id:ident as $read:ident -> $type:ty;)*) => {
        $($(#[$doc])*
        pub fn $name(self) -> Option<$type> {
            self.find(id::$id).map(Raw::$read)
        })*
    };
}

impl<'a> Properties<'a> {
    /// No property.
    pub const EMPTY: Self = Self(&[]);

    /// Takes bytes that were validated before: those of another section, or a selection of its properties.
    pub(crate) const fn from_validated(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The section as on the wire, without its length.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// All properties in the order they came.
    pub fn iter(self) -> impl Iterator<Item = Property<'a>> + Clone {
        Walk(self.0).map(Property::from_raw)
    }

    /// Name and value of all user properties in the order they came. [MQTT-3.3.2-18]
    pub fn user_properties(self) -> UserProperties<'a> {
        UserProperties(Walk(self.0))
    }

    /// All subscription identifiers in the order they came. A PUBLISH to a client can have several. [MQTT-3.3.4-4]
    pub fn subscription_identifiers(self) -> SubscriptionIdentifiers<'a> {
        SubscriptionIdentifiers(Walk(self.0))
    }

    accessors! {
        /// 0: unspecified bytes, 1: the payload is UTF-8.
        payload_format_indicator = PAYLOAD_FORMAT_INDICATOR as byte -> u8;
        /// Seconds a message lives.
        message_expiry_interval = MESSAGE_EXPIRY_INTERVAL as four_bytes -> u32;
        /// What the payload is; the application's words.
        content_type = CONTENT_TYPE as string -> &'a str;
        /// The topic name for a response.
        response_topic = RESPONSE_TOPIC as string -> &'a str;
        /// Tells a requester which request is answered.
        correlation_data = CORRELATION_DATA as binary -> &'a [u8];
        /// The first subscription identifier: 1 to 268,435,455.
        subscription_identifier = SUBSCRIPTION_IDENTIFIER as variable -> u32;
        /// Seconds a session outlives its connection; `u32::MAX`: for ever.
        session_expiry_interval = SESSION_EXPIRY_INTERVAL as four_bytes -> u32;
        /// The client identifier that the server chose.
        assigned_client_identifier = ASSIGNED_CLIENT_IDENTIFIER as string -> &'a str;
        /// The keep alive that the server wants, in seconds.
        server_keep_alive = SERVER_KEEP_ALIVE as two_bytes -> u16;
        /// Names an enhanced authentication.
        authentication_method = AUTHENTICATION_METHOD as string -> &'a str;
        /// What the authentication method needs.
        authentication_data = AUTHENTICATION_DATA as binary -> &'a [u8];
        /// Whether reason strings and user properties may come with every packet.
        request_problem_information = REQUEST_PROBLEM_INFORMATION as boolean -> bool;
        /// Seconds between the end of a connection and its will.
        will_delay_interval = WILL_DELAY_INTERVAL as four_bytes -> u32;
        /// Whether the client asks for response information.
        request_response_information = REQUEST_RESPONSE_INFORMATION as boolean -> bool;
        /// What response topics can be made of.
        response_information = RESPONSE_INFORMATION as string -> &'a str;
        /// Another server to use.
        server_reference = SERVER_REFERENCE as string -> &'a str;
        /// Why, for people.
        reason_string = REASON_STRING as string -> &'a str;
        /// QoS 1 and 2 messages that the sender of this takes at one time; not 0.
        receive_maximum = RECEIVE_MAXIMUM as two_bytes -> u16;
        /// The highest topic alias that the sender of this takes.
        topic_alias_maximum = TOPIC_ALIAS_MAXIMUM as two_bytes -> u16;
        /// Stands for a topic name on this connection; not 0.
        topic_alias = TOPIC_ALIAS as two_bytes -> u16;
        /// 0 or 1: the highest QoS that the server supports.
        maximum_qos = MAXIMUM_QOS as byte -> u8;
        /// Whether the server keeps retained messages.
        retain_available = RETAIN_AVAILABLE as boolean -> bool;
        /// Bytes of the longest packet that the sender of this takes; not 0.
        maximum_packet_size = MAXIMUM_PACKET_SIZE as four_bytes -> u32;
        /// Whether the server supports wildcards in filters.
        wildcard_subscription_available = WILDCARD_SUBSCRIPTION_AVAILABLE as boolean -> bool;
        /// Whether the server supports subscription identifiers.
        subscription_identifiers_available = SUBSCRIPTION_IDENTIFIER_AVAILABLE as boolean -> bool;
        /// Whether the server supports shared subscriptions.
        shared_subscription_available = SHARED_SUBSCRIPTION_AVAILABLE as boolean -> bool;
    }

    /// Whether a property with this identifier is there.
    pub(crate) fn contains(self, id: u8) -> bool {
        self.find(id).is_some()
    }

    /// What stands before and behind the property with this identifier, which must be there.
    pub(crate) fn around(self, id: u8) -> (&'a [u8], &'a [u8]) {
        let mut walk = Walk(self.0);
        let mut before = 0;
        while walk.next().expect("the property is there").id != id {
            before = self.0.len() - walk.0.len();
        }
        (&self.0[..before], walk.0)
    }

    fn find(self, id: u8) -> Option<Raw<'a>> {
        Walk(self.0).find(|raw| raw.id == id)
    }
}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> From<&'a PropertiesBuf> for Properties<'a> {
    fn from(properties: &'a PropertiesBuf) -> Self {
        properties.as_properties()
    }
}

/// The user properties of a section: names and values in the order they came.
#[derive(Clone)]
pub struct UserProperties<'a>(Walk<'a>);

impl<'a> Iterator for UserProperties<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.0
            .find(|raw| raw.id == id::USER_PROPERTY)
            .map(Raw::pair)
    }
}

impl fmt::Debug for UserProperties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// The subscription identifiers of a section, in the order they came.
#[derive(Clone)]
pub struct SubscriptionIdentifiers<'a>(Walk<'a>);

impl Iterator for SubscriptionIdentifiers<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.0
            .find(|raw| raw.id == id::SUBSCRIPTION_IDENTIFIER)
            .map(Raw::variable)
    }
}

impl fmt::Debug for SubscriptionIdentifiers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// The raw properties of a validated section.
#[derive(Clone)]
struct Walk<'a>(&'a [u8]);

impl<'a> Iterator for Walk<'a> {
    type Item = Raw<'a>;

    #[inline]
    fn next(&mut self) -> Option<Raw<'a>> {
        let (raw, rest) = Raw::split_first(self.0)?;
        self.0 = rest;
        Some(raw)
    }
}
