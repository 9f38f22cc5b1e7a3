//! What is wrong with bytes that are no MQTT: which packet, which field, which rule, and what the peer is told.

use super::rule;
use crate::{
    packet::{PacketType, Version},
    reason::ReasonCode,
    topic::TopicError,
};
use core::{error::Error, fmt};

/// Bytes that break a rule. Nothing after them can be decoded. [MQTT 5.0, 4.13.1]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DecodeError {
    pub(super) fault: Fault,
    pub(super) packet: Option<PacketType>,
    pub(super) version: Option<Version>,
    pub(super) sender: Sender,
    /// 0 for all but a packet that is too large.
    pub(super) packet_bytes: u32,
}

/// Which rule is broken.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DecodeErrorKind {
    /// No packet of this version has this type.
    PacketType,
    /// A packet that only the other side may send.
    Direction,
    /// The first packet of a client is not CONNECT. [MQTT-3.1.0-1]
    NotConnect,
    /// The first packet of a server is neither CONNACK nor AUTH. [MQTT-3.2.0-1]
    NotConnAck,
    /// The flags beside the packet type are not those of the type. [MQTT-2.1.3-1]
    Flags,
    /// A remaining length or other variable byte integer of more than four bytes.
    VariableByteInteger,
    /// A variable byte integer that is longer than it needs to be. [MQTT-1.5.5-1]
    NotMinimal,
    /// The packet is longer than the receiver takes.
    TooLarge,
    /// The packet or the property section ends within a field.
    Truncated,
    /// Bytes are left after the last field.
    TrailingBytes,
    /// The protocol name is neither `MQTT` nor `MQIsdp`. [MQTT-3.1.2-1]
    ProtocolName,
    /// The protocol level is none that we know. [MQTT-3.1.2-2]
    ProtocolVersion,
    /// The reserved CONNECT flag is set. [MQTT-3.1.2-3]
    ConnectFlags,
    /// A Will QoS without a will. [MQTT-3.1.2-11]
    WillQoS,
    /// Will Retain without a will. [MQTT-3.1.2-13]
    WillRetain,
    /// Before 5.0: a password without a user name.
    PasswordWithoutUserName,
    /// The reserved bits of the CONNACK flags are set. [MQTT-3.2.2-1]
    AcknowledgeFlags,
    /// A CONNACK that refuses and says there is a session. [MQTT-3.2.2-6]
    SessionPresent,
    /// A QoS of 3.
    QoS,
    /// DUP in a PUBLISH with QoS 0. [MQTT-3.3.1-2]
    Dup,
    /// A packet identifier of 0.
    PacketId,
    /// A string that is not UTF-8. [MQTT-1.5.4-1]
    IllFormedUtf8,
    /// A string with U+0000. [MQTT-1.5.4-2]
    Null,
    /// A string or binary value of more than 65,535 bytes. No received packet can have one.
    TooLong,
    /// No topic name and no topic alias.
    NoTopic,
    /// The topic name of a PUBLISH or a will is none.
    TopicName(TopicError),
    /// A response topic is no topic name. [MQTT-3.3.2-14]
    ResponseTopic(TopicError),
    /// A topic filter that is none.
    TopicFilter(TopicError),
    /// A topic alias of 0. [MQTT-3.3.2-8]
    TopicAlias,
    /// A SUBSCRIBE or UNSUBSCRIBE without a filter, or the answer to one without a code.
    NoEntry,
    /// Reserved bits of the subscription options are set. [MQTT-3.8.3-5]
    SubscriptionOptions,
    /// A retain handling of 3.
    RetainHandling,
    /// No Local with a shared subscription. [MQTT-3.8.3-4]
    NoLocalOnShared,
    /// A reason code that the packet or its sender may not use.
    ReasonCode,
    /// A property identifier that the standard does not define.
    UnknownProperty,
    /// A property that the packet may not carry.
    PropertyNotAllowed,
    /// A property that only the other side may send in this packet. [MQTT-3.3.4-6] [MQTT-3.14.2-2]
    PropertyDirection,
    /// A property that stands twice.
    RepeatedProperty,
    /// A property value outside its range.
    PropertyValue,
    /// No authentication method where one is needed.
    NoAuthenticationMethod,
}

/// A broken rule and the field that breaks it; who sent which packet is added on the way out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Fault {
    pub(super) kind: DecodeErrorKind,
    pub(super) field: &'static str,
}

/// Who sends a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sender {
    Client,
    Server,
}

impl DecodeErrorKind {
    /// This rule, broken by a field.
    #[cold]
    pub(super) const fn of(self, field: &'static str) -> Fault {
        Fault { kind: self, field }
    }
}

impl DecodeError {
    /// Which rule is broken.
    pub const fn kind(&self) -> DecodeErrorKind {
        self.fault.kind
    }

    /// The type of the packet, if its first byte could be understood.
    pub const fn packet(&self) -> Option<PacketType> {
        self.packet
    }

    /// How long a packet that is too large would be.
    pub const fn packet_bytes(&self) -> Option<u32> {
        match self.packet_bytes {
            0 => None,
            bytes => Some(bytes),
        }
    }

    /// The version of the connection, as far as it is known.
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// The field that breaks the rule, in the standard's words.
    pub const fn field(&self) -> &'static str {
        self.fault.field
    }

    /// What a 5.0 peer is told in CONNACK or DISCONNECT. [MQTT-4.13.1-1]
    pub const fn reason(&self) -> ReasonCode {
        use DecodeErrorKind as Kind;
        match self.fault.kind {
            Kind::TooLarge => ReasonCode::PACKET_TOO_LARGE,
            Kind::ProtocolName | Kind::ProtocolVersion => ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
            Kind::TopicName(_) => ReasonCode::TOPIC_NAME_INVALID,
            Kind::TopicFilter(_) => ReasonCode::TOPIC_FILTER_INVALID,
            Kind::TopicAlias => ReasonCode::TOPIC_ALIAS_INVALID,
            Kind::QoS if matches!(self.packet, Some(PacketType::Subscribe)) => {
                ReasonCode::PROTOCOL_ERROR
            }
            Kind::Direction
            | Kind::NotConnect
            | Kind::NotConnAck
            | Kind::PasswordWithoutUserName
            | Kind::SessionPresent
            | Kind::PacketId
            | Kind::NoTopic
            | Kind::ResponseTopic(_)
            | Kind::NoEntry
            | Kind::RetainHandling
            | Kind::NoLocalOnShared
            | Kind::ReasonCode
            | Kind::PropertyDirection
            | Kind::RepeatedProperty
            | Kind::PropertyValue
            | Kind::NoAuthenticationMethod => ReasonCode::PROTOCOL_ERROR,
            _ => ReasonCode::MALFORMED_PACKET,
        }
    }

    /// The statement of the standard that is broken, such as `MQTT-1.5.4-2`, or its section where no statement has a
    /// number. It belongs to the version of the connection: 3.1.1 for 3.1, and 5.0 as long as the version is unknown.
    pub const fn rule(&self) -> &'static str {
        match self.version {
            Some(Version::V31 | Version::V311) => rule::before_5(self),
            Some(Version::V5) | None => rule::of_5(self),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.version {
            Some(Version::V31) => "MQTT 3.1",
            Some(Version::V311) => "MQTT 3.1.1",
            Some(Version::V5) => "MQTT 5.0",
            None => "MQTT",
        })?;
        match self.packet {
            Some(packet) => write!(f, " {packet}")?,
            None => f.write_str(" packet")?,
        }
        if let Some(bytes) = self.packet_bytes() {
            write!(f, " of {bytes} bytes")?;
        }
        let what = self.fault.kind.text();
        write!(f, ", {}: {what} [{}]", self.fault.field, self.rule())
    }
}

impl Error for DecodeError {}

impl DecodeErrorKind {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::PacketType => "no packet of this version has this type",
            Self::Direction => "only the other side may send this packet",
            Self::NotConnect => "a client's first packet must be CONNECT",
            Self::NotConnAck => "a server's first packet must be CONNACK or AUTH",
            Self::Flags => "does not have the value that belongs to the packet type",
            Self::VariableByteInteger => "has more than four bytes",
            Self::NotMinimal => "has more bytes than its value needs",
            Self::TooLarge => "is over the limit of the receiver",
            Self::Truncated => "is cut off by the end of the packet or of its property section",
            Self::TrailingBytes => "has bytes after its last field",
            Self::ProtocolName => "is neither MQTT nor MQIsdp",
            Self::ProtocolVersion => {
                "is none of 3 (3.1), 4 (3.1.1) and 5 (5.0) with its protocol name"
            }
            Self::ConnectFlags | Self::AcknowledgeFlags | Self::SubscriptionOptions => {
                "has a reserved bit set"
            }
            Self::WillQoS | Self::WillRetain => "must be 0 where the Will Flag is 0",
            Self::PasswordWithoutUserName => "needs a user name before MQTT 5.0",
            Self::SessionPresent => "must be 0 in a refusal",
            Self::QoS => "is 3; only 0, 1 and 2 are defined",
            Self::Dup => "must be 0 for QoS 0",
            Self::PacketId => "must not be 0",
            Self::IllFormedUtf8 => "is not well-formed UTF-8",
            Self::Null => "contains U+0000",
            Self::TooLong => "is longer than 65,535 bytes",
            Self::NoTopic => "is empty and there is no Topic Alias",
            Self::TopicAlias => "must not be 0",
            Self::NoEntry => "has no entry and must have one",
            Self::RetainHandling => "is 3; only 0, 1 and 2 are defined",
            Self::NoLocalOnShared => "must not be set for a shared subscription",
            Self::ReasonCode => "has a value that this packet may not carry in this direction",
            Self::UnknownProperty => "is none that the standard defines",
            Self::PropertyNotAllowed => "may not stand in this packet",
            Self::PropertyDirection => "may not be sent in this direction",
            Self::RepeatedProperty => "stands more than once",
            Self::PropertyValue => "has a value outside its range",
            Self::NoAuthenticationMethod => "is missing",
            Self::TopicName(error) | Self::ResponseTopic(error) | Self::TopicFilter(error) => {
                topic_text(error)
            }
        }
    }
}

const fn topic_text(error: TopicError) -> &'static str {
    match error {
        TopicError::Empty => "is empty",
        TopicError::Null => "contains U+0000",
        TopicError::TooLong => "is longer than 65,535 bytes",
        TopicError::WildcardInName => "is a topic name and contains a wildcard",
        TopicError::MisplacedHash => "has a # that is not the whole last level",
        TopicError::MisplacedPlus => "has a + that is not a whole level",
        TopicError::InvalidShareName => "has a share name that is empty or contains + or #",
        TopicError::MissingSharedFilter => "has no topic filter after the share name",
    }
}
