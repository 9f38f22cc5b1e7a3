//! Which statement of the standard an error breaks, in the numbering of 5.0 and of 3.1.1.

use super::{DecodeError, DecodeErrorKind as Kind, error::Sender};
use crate::{packet::PacketType, topic::TopicError};

/// The statement of MQTT 5.0, or the section where it gives no number.
pub(super) const fn of_5(error: &DecodeError) -> &'static str {
    match error.fault.kind {
        Kind::PacketType | Kind::Direction => "MQTT 5.0, 2.1.2",
        Kind::NotConnect => "MQTT-3.1.0-1",
        Kind::NotConnAck => "MQTT-3.2.0-1",
        Kind::Flags => match error.packet {
            Some(PacketType::PubRel) => "MQTT-3.6.1-1",
            Some(PacketType::Subscribe) => "MQTT-3.8.1-1",
            Some(PacketType::Unsubscribe) => "MQTT-3.10.1-1",
            Some(PacketType::Disconnect) => "MQTT-3.14.1-1",
            Some(PacketType::Auth) => "MQTT-3.15.1-1",
            _ => "MQTT-2.1.3-1",
        },
        Kind::VariableByteInteger => "MQTT 5.0, 1.5.5",
        Kind::NotMinimal => "MQTT-1.5.5-1",
        Kind::TooLarge => match error.sender {
            Sender::Client => "MQTT-3.2.2-15",
            Sender::Server => "MQTT-3.1.2-24",
        },
        Kind::Truncated | Kind::TrailingBytes => match error.packet {
            Some(PacketType::Connect) => "MQTT-3.1.4-1",
            _ => "MQTT 5.0, 2.1.4",
        },
        Kind::ProtocolName => "MQTT-3.1.2-1",
        Kind::ProtocolVersion => "MQTT-3.1.2-2",
        Kind::ConnectFlags => "MQTT-3.1.2-3",
        Kind::WillQoS => "MQTT-3.1.2-11",
        Kind::WillRetain => "MQTT-3.1.2-13",
        Kind::PasswordWithoutUserName => "MQTT 3.1.1, 3.1.2.9",
        Kind::AcknowledgeFlags => "MQTT-3.2.2-1",
        Kind::SessionPresent => "MQTT-3.2.2-6",
        Kind::QoS => match error.packet {
            Some(PacketType::Connect) => "MQTT-3.1.2-12",
            Some(PacketType::Subscribe) => "MQTT 5.0, 3.8.3.1",
            _ => "MQTT-3.3.1-4",
        },
        Kind::Dup => "MQTT-3.3.1-2",
        Kind::PacketId => match (error.packet, error.sender) {
            (Some(PacketType::Publish), Sender::Server) => "MQTT-2.2.1-4",
            (Some(PacketType::SubAck | PacketType::UnsubAck), _) => "MQTT-2.2.1-6",
            (
                Some(PacketType::Publish | PacketType::Subscribe | PacketType::Unsubscribe),
                Sender::Client,
            ) => "MQTT-2.2.1-3",
            _ => "MQTT-2.2.1-5",
        },
        Kind::IllFormedUtf8 => "MQTT-1.5.4-1",
        Kind::Null => "MQTT-1.5.4-2",
        Kind::TooLong => "MQTT 5.0, 1.5.4",
        Kind::NoTopic => "MQTT 5.0, 3.3.2.1",
        Kind::TopicAlias => "MQTT-3.3.2-8",
        Kind::NoEntry => match error.packet {
            Some(PacketType::Unsubscribe) => "MQTT-3.10.3-2",
            Some(PacketType::SubAck) => "MQTT-3.8.4-6",
            Some(PacketType::UnsubAck) => "MQTT-3.11.3-1",
            _ => "MQTT-3.8.3-2",
        },
        Kind::SubscriptionOptions => "MQTT-3.8.3-5",
        Kind::RetainHandling => "MQTT 5.0, 3.8.3.1",
        Kind::NoLocalOnShared => "MQTT-3.8.3-4",
        Kind::ReasonCode => match error.packet {
            Some(PacketType::ConnAck) => "MQTT-3.2.2-8",
            Some(PacketType::PubAck) => "MQTT-3.4.2-1",
            Some(PacketType::PubRec) => "MQTT-3.5.2-1",
            Some(PacketType::PubRel) => "MQTT-3.6.2-1",
            Some(PacketType::PubComp) => "MQTT-3.7.2-1",
            Some(PacketType::SubAck) => "MQTT-3.9.3-2",
            Some(PacketType::UnsubAck) => "MQTT-3.11.3-2",
            Some(PacketType::Auth) => "MQTT-3.15.2-1",
            _ => "MQTT-3.14.2-1",
        },
        Kind::UnknownProperty | Kind::PropertyNotAllowed => "MQTT 5.0, 2.2.2.2",
        Kind::PropertyDirection => match error.packet {
            Some(PacketType::Disconnect) => "MQTT-3.14.2-2",
            _ => "MQTT-3.3.4-6",
        },
        Kind::RepeatedProperty | Kind::PropertyValue => properties_section(error.packet),
        Kind::NoAuthenticationMethod => match error.packet {
            Some(PacketType::Auth) => "MQTT 5.0, 3.15.2.2.2",
            _ => "MQTT 5.0, 3.1.2.11.10",
        },
        Kind::TopicName(topic) => match (topic, error.packet) {
            (TopicError::WildcardInName, Some(PacketType::Publish)) => "MQTT-3.3.2-2",
            _ => topic_of_5(topic),
        },
        Kind::ResponseTopic(TopicError::WildcardInName) => "MQTT-3.3.2-14",
        Kind::ResponseTopic(topic) | Kind::TopicFilter(topic) => topic_of_5(topic),
    }
}

/// The statement of MQTT 3.1.1, which serves for 3.1, too: that one numbers none.
pub(super) const fn before_5(error: &DecodeError) -> &'static str {
    match error.fault.kind {
        Kind::PacketType | Kind::Direction => "MQTT 3.1.1, 2.2.1",
        Kind::Flags => match error.packet {
            Some(PacketType::PubRel) => "MQTT-3.6.1-1",
            Some(PacketType::Subscribe) => "MQTT-3.8.1-1",
            Some(PacketType::Unsubscribe) => "MQTT-3.10.1-1",
            Some(PacketType::Disconnect) => "MQTT-3.14.1-1",
            _ => "MQTT-2.2.2-2",
        },
        Kind::TooLarge
        | Kind::VariableByteInteger
        | Kind::Truncated
        | Kind::TrailingBytes
        | Kind::NotMinimal => match error.packet {
            Some(PacketType::Connect) => "MQTT-3.1.4-1",
            _ => "MQTT 3.1.1, 2.2.3",
        },
        Kind::WillQoS => "MQTT-3.1.2-13",
        Kind::WillRetain => "MQTT-3.1.2-15",
        Kind::PasswordWithoutUserName => "MQTT-3.1.2-22",
        Kind::AcknowledgeFlags => "MQTT 3.1.1, 3.2.2.1",
        Kind::SessionPresent => "MQTT-3.2.2-4",
        Kind::QoS => match error.packet {
            Some(PacketType::Connect) => "MQTT-3.1.2-14",
            Some(PacketType::Subscribe) => "MQTT-3.8.3-4",
            _ => "MQTT-3.3.1-4",
        },
        Kind::PacketId => match (error.packet, error.sender) {
            (Some(PacketType::Publish), Sender::Server) => "MQTT-2.3.1-4",
            (Some(PacketType::SubAck | PacketType::UnsubAck), _) => "MQTT-2.3.1-7",
            (
                Some(PacketType::Publish | PacketType::Subscribe | PacketType::Unsubscribe),
                Sender::Client,
            ) => "MQTT-2.3.1-1",
            _ => "MQTT-2.3.1-6",
        },
        Kind::IllFormedUtf8 => "MQTT-1.5.3-1",
        Kind::Null => "MQTT-1.5.3-2",
        Kind::NoTopic => "MQTT-4.7.3-1",
        Kind::NoEntry => match error.packet {
            Some(PacketType::Unsubscribe) => "MQTT-3.10.3-2",
            Some(PacketType::SubAck) => "MQTT-3.8.4-5",
            _ => "MQTT-3.8.3-3",
        },
        Kind::SubscriptionOptions => "MQTT-3.8.3-4",
        Kind::ReasonCode => match error.packet {
            Some(PacketType::SubAck) => "MQTT-3.9.3-2",
            _ => "MQTT 3.1.1, 3.2.2.3",
        },
        Kind::TopicName(topic) | Kind::TopicFilter(topic) => match (topic, error.packet) {
            (TopicError::WildcardInName, Some(PacketType::Publish)) => "MQTT-3.3.2-2",
            _ => topic_before_5(topic),
        },
        // The same number in both versions, or a rule of 5.0 alone.
        _ => of_5(error),
    }
}

const fn topic_of_5(error: TopicError) -> &'static str {
    match error {
        TopicError::Empty => "MQTT-4.7.3-1",
        TopicError::Null => "MQTT-4.7.3-2",
        TopicError::TooLong => "MQTT-4.7.3-3",
        TopicError::WildcardInName => "MQTT-4.7.0-1",
        TopicError::MisplacedHash => "MQTT-4.7.1-1",
        TopicError::MisplacedPlus => "MQTT-4.7.1-2",
        TopicError::InvalidShareName | TopicError::MissingSharedFilter => "MQTT-4.8.2-2",
    }
}

const fn topic_before_5(error: TopicError) -> &'static str {
    match error {
        TopicError::WildcardInName => "MQTT-4.7.1-1",
        TopicError::MisplacedHash => "MQTT-4.7.1-2",
        TopicError::MisplacedPlus => "MQTT-4.7.1-3",
        // Shared subscriptions come from 5.0; the rest has the same numbers.
        _ => topic_of_5(error),
    }
}

/// Where the standard says which properties a packet has and what they may be.
const fn properties_section(packet: Option<PacketType>) -> &'static str {
    match packet {
        Some(PacketType::Connect) => "MQTT 5.0, 3.1.2.11",
        Some(PacketType::ConnAck) => "MQTT 5.0, 3.2.2.3",
        Some(PacketType::Publish) => "MQTT 5.0, 3.3.2.3",
        Some(PacketType::PubAck) => "MQTT 5.0, 3.4.2.2",
        Some(PacketType::PubRec) => "MQTT 5.0, 3.5.2.2",
        Some(PacketType::PubRel) => "MQTT 5.0, 3.6.2.2",
        Some(PacketType::PubComp) => "MQTT 5.0, 3.7.2.2",
        Some(PacketType::Subscribe) => "MQTT 5.0, 3.8.2.1",
        Some(PacketType::SubAck) => "MQTT 5.0, 3.9.2.1",
        Some(PacketType::Unsubscribe) => "MQTT 5.0, 3.10.2.1",
        Some(PacketType::UnsubAck) => "MQTT 5.0, 3.11.2.1",
        Some(PacketType::Disconnect) => "MQTT 5.0, 3.14.2.2",
        Some(PacketType::Auth) => "MQTT 5.0, 3.15.2.2",
        Some(PacketType::PingReq | PacketType::PingResp) | None => "MQTT 5.0, 2.2.2",
    }
}
