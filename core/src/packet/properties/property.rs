//! One property: its identifier, its name, its data type, and its value as bytes and back. [MQTT 5.0, 2.2.2.2]
//!
//! Which packet may carry which property is the codec's business.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a section was walked with checks when it was made; see VALIDATED"
)]

use alloc::vec::Vec;
use core::fmt;

/// One property with its value, under the standard's name. [MQTT 5.0, 2.2.2.2]
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Property<'a> {
    /// 0: unspecified bytes, 1: the payload is UTF-8.
    PayloadFormatIndicator(u8),
    /// Seconds a message lives.
    MessageExpiryInterval(u32),
    /// What the payload is; the application's words.
    ContentType(&'a str),
    /// The topic name for a response.
    ResponseTopic(&'a str),
    /// Tells a requester which request is answered.
    CorrelationData(&'a [u8]),
    /// 1 to 268,435,455.
    SubscriptionIdentifier(u32),
    /// Seconds a session outlives its connection; `u32::MAX`: for ever.
    SessionExpiryInterval(u32),
    /// The client identifier that the server chose.
    AssignedClientIdentifier(&'a str),
    /// The keep alive that the server wants, in seconds.
    ServerKeepAlive(u16),
    /// Names an enhanced authentication.
    AuthenticationMethod(&'a str),
    /// What the authentication method needs.
    AuthenticationData(&'a [u8]),
    /// Whether reason strings and user properties may come with every packet.
    RequestProblemInformation(bool),
    /// Seconds between the end of a connection and its will.
    WillDelayInterval(u32),
    /// Whether the client asks for response information.
    RequestResponseInformation(bool),
    /// What response topics can be made of.
    ResponseInformation(&'a str),
    /// Another server to use.
    ServerReference(&'a str),
    /// Why, for people.
    ReasonString(&'a str),
    /// QoS 1 and 2 messages that the sender of this takes at one time; not 0.
    ReceiveMaximum(u16),
    /// The highest topic alias that the sender of this takes.
    TopicAliasMaximum(u16),
    /// Stands for a topic name on this connection; not 0.
    TopicAlias(u16),
    /// 0 or 1: the highest QoS that the server supports.
    MaximumQoS(u8),
    /// Whether the server keeps retained messages.
    RetainAvailable(bool),
    /// A name and a value, the application's own.
    UserProperty(&'a str, &'a str),
    /// Bytes of the longest packet that the sender of this takes; not 0.
    MaximumPacketSize(u32),
    /// Whether the server supports wildcards in filters.
    WildcardSubscriptionAvailable(bool),
    /// Whether the server supports subscription identifiers.
    SubscriptionIdentifierAvailable(bool),
    /// Whether the server supports shared subscriptions.
    SharedSubscriptionAvailable(bool),
}

/// The data type of a property's value. [MQTT 5.0, 1.5]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Byte,
    TwoByteInteger,
    FourByteInteger,
    VariableByteInteger,
    String,
    Binary,
    StringPair,
}

/// The identifiers. [MQTT 5.0, 2.2.2.2]
pub(crate) mod id {
    pub(crate) const PAYLOAD_FORMAT_INDICATOR: u8 = 0x01;
    pub(crate) const MESSAGE_EXPIRY_INTERVAL: u8 = 0x02;
    pub(crate) const CONTENT_TYPE: u8 = 0x03;
    pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
    pub(crate) const CORRELATION_DATA: u8 = 0x09;
    pub(crate) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;
    pub(crate) const SESSION_EXPIRY_INTERVAL: u8 = 0x11;
    pub(crate) const ASSIGNED_CLIENT_IDENTIFIER: u8 = 0x12;
    pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub(crate) const AUTHENTICATION_METHOD: u8 = 0x15;
    pub(crate) const AUTHENTICATION_DATA: u8 = 0x16;
    pub(crate) const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
    pub(crate) const WILL_DELAY_INTERVAL: u8 = 0x18;
    pub(crate) const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
    pub(crate) const RESPONSE_INFORMATION: u8 = 0x1A;
    pub(crate) const SERVER_REFERENCE: u8 = 0x1C;
    pub(crate) const REASON_STRING: u8 = 0x1F;
    pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
    pub(crate) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub(crate) const TOPIC_ALIAS: u8 = 0x23;
    pub(crate) const MAXIMUM_QOS: u8 = 0x24;
    pub(crate) const RETAIN_AVAILABLE: u8 = 0x25;
    pub(crate) const USER_PROPERTY: u8 = 0x26;
    pub(crate) const MAXIMUM_PACKET_SIZE: u8 = 0x27;
    pub(crate) const WILDCARD_SUBSCRIPTION_AVAILABLE: u8 = 0x28;
    pub(crate) const SUBSCRIPTION_IDENTIFIER_AVAILABLE: u8 = 0x29;
    pub(crate) const SHARED_SUBSCRIPTION_AVAILABLE: u8 = 0x2A;
}

/// The data type that belongs to an identifier; `None` if no property has it.
pub(crate) const fn kind(id: u8) -> Option<Kind> {
    Some(match id {
        id::PAYLOAD_FORMAT_INDICATOR
        | id::REQUEST_PROBLEM_INFORMATION
        | id::REQUEST_RESPONSE_INFORMATION
        | id::MAXIMUM_QOS
        | id::RETAIN_AVAILABLE
        | id::WILDCARD_SUBSCRIPTION_AVAILABLE
        | id::SUBSCRIPTION_IDENTIFIER_AVAILABLE
        | id::SHARED_SUBSCRIPTION_AVAILABLE => Kind::Byte,
        id::SERVER_KEEP_ALIVE | id::RECEIVE_MAXIMUM | id::TOPIC_ALIAS_MAXIMUM | id::TOPIC_ALIAS => {
            Kind::TwoByteInteger
        }
        id::MESSAGE_EXPIRY_INTERVAL
        | id::SESSION_EXPIRY_INTERVAL
        | id::WILL_DELAY_INTERVAL
        | id::MAXIMUM_PACKET_SIZE => Kind::FourByteInteger,
        id::SUBSCRIPTION_IDENTIFIER => Kind::VariableByteInteger,
        id::CONTENT_TYPE
        | id::RESPONSE_TOPIC
        | id::ASSIGNED_CLIENT_IDENTIFIER
        | id::AUTHENTICATION_METHOD
        | id::RESPONSE_INFORMATION
        | id::SERVER_REFERENCE
        | id::REASON_STRING => Kind::String,
        id::CORRELATION_DATA | id::AUTHENTICATION_DATA => Kind::Binary,
        id::USER_PROPERTY => Kind::StringPair,
        _ => return None,
    })
}

/// The standard's name for an identifier.
pub(crate) const fn name(id: u8) -> &'static str {
    match id {
        id::PAYLOAD_FORMAT_INDICATOR => "Payload Format Indicator",
        id::MESSAGE_EXPIRY_INTERVAL => "Message Expiry Interval",
        id::CONTENT_TYPE => "Content Type",
        id::RESPONSE_TOPIC => "Response Topic",
        id::CORRELATION_DATA => "Correlation Data",
        id::SUBSCRIPTION_IDENTIFIER => "Subscription Identifier",
        id::SESSION_EXPIRY_INTERVAL => "Session Expiry Interval",
        id::ASSIGNED_CLIENT_IDENTIFIER => "Assigned Client Identifier",
        id::SERVER_KEEP_ALIVE => "Server Keep Alive",
        id::AUTHENTICATION_METHOD => "Authentication Method",
        id::AUTHENTICATION_DATA => "Authentication Data",
        id::REQUEST_PROBLEM_INFORMATION => "Request Problem Information",
        id::WILL_DELAY_INTERVAL => "Will Delay Interval",
        id::REQUEST_RESPONSE_INFORMATION => "Request Response Information",
        id::RESPONSE_INFORMATION => "Response Information",
        id::SERVER_REFERENCE => "Server Reference",
        id::REASON_STRING => "Reason String",
        id::RECEIVE_MAXIMUM => "Receive Maximum",
        id::TOPIC_ALIAS_MAXIMUM => "Topic Alias Maximum",
        id::TOPIC_ALIAS => "Topic Alias",
        id::MAXIMUM_QOS => "Maximum QoS",
        id::RETAIN_AVAILABLE => "Retain Available",
        id::USER_PROPERTY => "User Property",
        id::MAXIMUM_PACKET_SIZE => "Maximum Packet Size",
        id::WILDCARD_SUBSCRIPTION_AVAILABLE => "Wildcard Subscription Available",
        id::SUBSCRIPTION_IDENTIFIER_AVAILABLE => "Subscription Identifiers Available",
        id::SHARED_SUBSCRIPTION_AVAILABLE => "Shared Subscription Available",
        _ => "property identifier",
    }
}

impl<'a> Property<'a> {
    /// Its identifier on the wire.
    pub const fn id(&self) -> u8 {
        match self {
            Self::PayloadFormatIndicator(_) => id::PAYLOAD_FORMAT_INDICATOR,
            Self::MessageExpiryInterval(_) => id::MESSAGE_EXPIRY_INTERVAL,
            Self::ContentType(_) => id::CONTENT_TYPE,
            Self::ResponseTopic(_) => id::RESPONSE_TOPIC,
            Self::CorrelationData(_) => id::CORRELATION_DATA,
            Self::SubscriptionIdentifier(_) => id::SUBSCRIPTION_IDENTIFIER,
            Self::SessionExpiryInterval(_) => id::SESSION_EXPIRY_INTERVAL,
            Self::AssignedClientIdentifier(_) => id::ASSIGNED_CLIENT_IDENTIFIER,
            Self::ServerKeepAlive(_) => id::SERVER_KEEP_ALIVE,
            Self::AuthenticationMethod(_) => id::AUTHENTICATION_METHOD,
            Self::AuthenticationData(_) => id::AUTHENTICATION_DATA,
            Self::RequestProblemInformation(_) => id::REQUEST_PROBLEM_INFORMATION,
            Self::WillDelayInterval(_) => id::WILL_DELAY_INTERVAL,
            Self::RequestResponseInformation(_) => id::REQUEST_RESPONSE_INFORMATION,
            Self::ResponseInformation(_) => id::RESPONSE_INFORMATION,
            Self::ServerReference(_) => id::SERVER_REFERENCE,
            Self::ReasonString(_) => id::REASON_STRING,
            Self::ReceiveMaximum(_) => id::RECEIVE_MAXIMUM,
            Self::TopicAliasMaximum(_) => id::TOPIC_ALIAS_MAXIMUM,
            Self::TopicAlias(_) => id::TOPIC_ALIAS,
            Self::MaximumQoS(_) => id::MAXIMUM_QOS,
            Self::RetainAvailable(_) => id::RETAIN_AVAILABLE,
            Self::UserProperty(..) => id::USER_PROPERTY,
            Self::MaximumPacketSize(_) => id::MAXIMUM_PACKET_SIZE,
            Self::WildcardSubscriptionAvailable(_) => id::WILDCARD_SUBSCRIPTION_AVAILABLE,
            Self::SubscriptionIdentifierAvailable(_) => id::SUBSCRIPTION_IDENTIFIER_AVAILABLE,
            Self::SharedSubscriptionAvailable(_) => id::SHARED_SUBSCRIPTION_AVAILABLE,
        }
    }

    /// Whether one section may hold it several times. The codec limits subscription identifiers further.
    pub(crate) const fn is_repeatable(id: u8) -> bool {
        matches!(id, id::SUBSCRIPTION_IDENTIFIER | id::USER_PROPERTY)
    }

    /// The property with a raw value that was validated.
    pub(super) fn from_raw(raw: Raw<'a>) -> Self {
        match raw.id {
            id::PAYLOAD_FORMAT_INDICATOR => Self::PayloadFormatIndicator(raw.byte()),
            id::MESSAGE_EXPIRY_INTERVAL => Self::MessageExpiryInterval(raw.four_bytes()),
            id::CONTENT_TYPE => Self::ContentType(raw.string()),
            id::RESPONSE_TOPIC => Self::ResponseTopic(raw.string()),
            id::CORRELATION_DATA => Self::CorrelationData(raw.binary()),
            id::SUBSCRIPTION_IDENTIFIER => Self::SubscriptionIdentifier(raw.variable()),
            id::SESSION_EXPIRY_INTERVAL => Self::SessionExpiryInterval(raw.four_bytes()),
            id::ASSIGNED_CLIENT_IDENTIFIER => Self::AssignedClientIdentifier(raw.string()),
            id::SERVER_KEEP_ALIVE => Self::ServerKeepAlive(raw.two_bytes()),
            id::AUTHENTICATION_METHOD => Self::AuthenticationMethod(raw.string()),
            id::AUTHENTICATION_DATA => Self::AuthenticationData(raw.binary()),
            id::REQUEST_PROBLEM_INFORMATION => Self::RequestProblemInformation(raw.boolean()),
            id::WILL_DELAY_INTERVAL => Self::WillDelayInterval(raw.four_bytes()),
            id::REQUEST_RESPONSE_INFORMATION => Self::RequestResponseInformation(raw.boolean()),
            id::RESPONSE_INFORMATION => Self::ResponseInformation(raw.string()),
            id::SERVER_REFERENCE => Self::ServerReference(raw.string()),
            id::REASON_STRING => Self::ReasonString(raw.string()),
            id::RECEIVE_MAXIMUM => Self::ReceiveMaximum(raw.two_bytes()),
            id::TOPIC_ALIAS_MAXIMUM => Self::TopicAliasMaximum(raw.two_bytes()),
            id::TOPIC_ALIAS => Self::TopicAlias(raw.two_bytes()),
            id::MAXIMUM_QOS => Self::MaximumQoS(raw.byte()),
            id::RETAIN_AVAILABLE => Self::RetainAvailable(raw.boolean()),
            id::USER_PROPERTY => {
                let (name, value) = raw.pair();
                Self::UserProperty(name, value)
            }
            id::MAXIMUM_PACKET_SIZE => Self::MaximumPacketSize(raw.four_bytes()),
            id::WILDCARD_SUBSCRIPTION_AVAILABLE => {
                Self::WildcardSubscriptionAvailable(raw.boolean())
            }
            id::SUBSCRIPTION_IDENTIFIER_AVAILABLE => {
                Self::SubscriptionIdentifierAvailable(raw.boolean())
            }
            id::SHARED_SUBSCRIPTION_AVAILABLE => Self::SharedSubscriptionAvailable(raw.boolean()),
            id => unreachable!("a validated section has no property 0x{id:02X}"),
        }
    }

    /// Appends identifier and value. The value was checked.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.id());
        match *self {
            Self::PayloadFormatIndicator(value) | Self::MaximumQoS(value) => out.push(value),
            Self::RequestProblemInformation(value)
            | Self::RequestResponseInformation(value)
            | Self::RetainAvailable(value)
            | Self::WildcardSubscriptionAvailable(value)
            | Self::SubscriptionIdentifierAvailable(value)
            | Self::SharedSubscriptionAvailable(value) => out.push(u8::from(value)),
            Self::ServerKeepAlive(value)
            | Self::ReceiveMaximum(value)
            | Self::TopicAliasMaximum(value)
            | Self::TopicAlias(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::MessageExpiryInterval(value)
            | Self::SessionExpiryInterval(value)
            | Self::WillDelayInterval(value)
            | Self::MaximumPacketSize(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::SubscriptionIdentifier(value) => write_variable(out, value),
            Self::ContentType(value)
            | Self::ResponseTopic(value)
            | Self::AssignedClientIdentifier(value)
            | Self::AuthenticationMethod(value)
            | Self::ResponseInformation(value)
            | Self::ServerReference(value)
            | Self::ReasonString(value) => write_prefixed(out, value.as_bytes()),
            Self::CorrelationData(value) | Self::AuthenticationData(value) => {
                write_prefixed(out, value);
            }
            Self::UserProperty(name, value) => {
                write_prefixed(out, name.as_bytes());
                write_prefixed(out, value.as_bytes());
            }
        }
    }
}

impl fmt::Debug for Property<'_> {
    /// Shows the standard's name and the value, but for authentication data, which may be as good as a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple(name(self.id()));
        match self {
            Self::AuthenticationData(_) => shown.field(&format_args!("***")),
            Self::CorrelationData(value) => shown.field(value),
            Self::PayloadFormatIndicator(value) | Self::MaximumQoS(value) => shown.field(value),
            Self::RequestProblemInformation(value)
            | Self::RequestResponseInformation(value)
            | Self::RetainAvailable(value)
            | Self::WildcardSubscriptionAvailable(value)
            | Self::SubscriptionIdentifierAvailable(value)
            | Self::SharedSubscriptionAvailable(value) => shown.field(value),
            Self::ServerKeepAlive(value)
            | Self::ReceiveMaximum(value)
            | Self::TopicAliasMaximum(value)
            | Self::TopicAlias(value) => shown.field(value),
            Self::SubscriptionIdentifier(value)
            | Self::MessageExpiryInterval(value)
            | Self::SessionExpiryInterval(value)
            | Self::WillDelayInterval(value)
            | Self::MaximumPacketSize(value) => shown.field(value),
            Self::ContentType(value)
            | Self::ResponseTopic(value)
            | Self::AssignedClientIdentifier(value)
            | Self::AuthenticationMethod(value)
            | Self::ResponseInformation(value)
            | Self::ServerReference(value)
            | Self::ReasonString(value) => shown.field(value),
            Self::UserProperty(name, value) => shown.field(name).field(value),
        };
        shown.finish()
    }
}

/// A property of a validated section, its value still as on the wire.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    pub(super) id: u8,
    value: &'a [u8],
}

const VALIDATED: &str = "the property section was validated";

impl<'a> Raw<'a> {
    /// The first property of a validated section, and what follows it.
    pub(super) fn split_first(section: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&id, rest) = section.split_first()?;
        let len = match kind(id).expect(VALIDATED) {
            Kind::Byte => 1,
            Kind::TwoByteInteger => 2,
            Kind::FourByteInteger => 4,
            Kind::VariableByteInteger => 1 + rest.iter().take_while(|&&byte| byte >= 0x80).count(),
            Kind::String | Kind::Binary => prefixed_len(rest),
            Kind::StringPair => {
                let name = prefixed_len(rest);
                name + prefixed_len(&rest[name..])
            }
        };
        let (value, rest) = rest.split_at(len);
        Some((Self { id, value }, rest))
    }

    pub(super) fn byte(self) -> u8 {
        self.value[0]
    }

    pub(super) fn boolean(self) -> bool {
        self.value[0] != 0
    }

    pub(super) fn two_bytes(self) -> u16 {
        u16::from_be_bytes(self.value.try_into().expect(VALIDATED))
    }

    pub(super) fn four_bytes(self) -> u32 {
        u32::from_be_bytes(self.value.try_into().expect(VALIDATED))
    }

    pub(super) fn variable(self) -> u32 {
        let digits = self.value.iter().rev();
        digits.fold(0, |value, &byte| value << 7 | u32::from(byte & 0x7F))
    }

    pub(super) fn string(self) -> &'a str {
        text(&self.value[2..])
    }

    pub(super) fn binary(self) -> &'a [u8] {
        &self.value[2..]
    }

    pub(super) fn pair(self) -> (&'a str, &'a str) {
        let (name, value) = self.value.split_at(prefixed_len(self.value));
        (text(&name[2..]), text(&value[2..]))
    }
}

fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).expect(VALIDATED)
}

/// How many bytes a length of two bytes and what it counts take together.
fn prefixed_len(bytes: &[u8]) -> usize {
    2 + usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
}

fn write_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u16::try_from(bytes.len()).expect("the length was checked");
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
}

fn write_variable(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
