//! Properties in words: the standard's names, and for a user property `user_property=name:value`. [MQTT 5.0, 2.2.2.2]

use super::word::Word;
use sanderling_core::packet::{Properties, PropertiesBuf, Property};
use std::str::FromStr;

/// Properties in the order of the words.
///
/// # Errors
/// A word that is no property, or a value that does not fit it.
pub(super) fn parse(words: &[Word]) -> Result<PropertiesBuf, String> {
    let mut properties = PropertiesBuf::default();
    for word in words {
        let Some(key) = word.key.as_deref() else {
            return Err(format!("{word} does not belong here"));
        };
        let bytes = word.to_bytes()?;
        let property = property(key, &word.text, &bytes)?;
        properties
            .push(property)
            .map_err(|error| format!("{word}: {error}"))?;
    }
    Ok(properties)
}

/// Properties in one order whatever their order on the wire: as listed in the standard, subscription identifiers by
/// number, user properties last and in their own order.
pub(super) fn describe(properties: Properties<'_>) -> Vec<Word> {
    let mut listed: Vec<_> = properties.iter().collect();
    // Stable: user properties keep their order.
    listed.sort_by_key(|property| match property {
        Property::SubscriptionIdentifier(number) => (rank(property), *number),
        _ => (rank(property), 0),
    });
    listed.iter().map(|property| word(property).1).collect()
}

fn rank(property: &Property<'_>) -> u8 {
    word(property).0
}

fn property<'a>(key: &str, text: &'a str, bytes: &'a [u8]) -> Result<Property<'a>, String> {
    Ok(match key {
        "payload_format_indicator" => Property::PayloadFormatIndicator(number(text)?),
        "message_expiry_interval" => Property::MessageExpiryInterval(number(text)?),
        "content_type" => Property::ContentType(text),
        "response_topic" => Property::ResponseTopic(text),
        "correlation_data" => Property::CorrelationData(bytes),
        "subscription_identifier" => Property::SubscriptionIdentifier(number(text)?),
        "session_expiry_interval" => Property::SessionExpiryInterval(number(text)?),
        "authentication_method" => Property::AuthenticationMethod(text),
        "authentication_data" => Property::AuthenticationData(bytes),
        "request_problem_information" => Property::RequestProblemInformation(flag(text)?),
        "will_delay_interval" => Property::WillDelayInterval(number(text)?),
        "request_response_information" => Property::RequestResponseInformation(flag(text)?),
        "reason_string" => Property::ReasonString(text),
        "receive_maximum" => Property::ReceiveMaximum(number(text)?),
        "topic_alias_maximum" => Property::TopicAliasMaximum(number(text)?),
        "topic_alias" => Property::TopicAlias(number(text)?),
        "user_property" => {
            let (name, value) = text
                .split_once(':')
                .ok_or("a user property is name:value")?;
            Property::UserProperty(name, value)
        }
        "maximum_packet_size" => Property::MaximumPacketSize(number(text)?),
        _ => return Err(format!("{key} is no property that a client sends")),
    })
}

/// Its place and its word.
fn word(property: &Property<'_>) -> (u8, Word) {
    match *property {
        Property::PayloadFormatIndicator(v) => (1, Word::pair("payload_format_indicator", v)),
        Property::MessageExpiryInterval(v) => (2, Word::pair("message_expiry_interval", v)),
        Property::ContentType(v) => (3, Word::pair("content_type", v)),
        Property::ResponseTopic(v) => (4, Word::pair("response_topic", v)),
        Property::CorrelationData(v) => (5, Word::bytes_pair("correlation_data", v)),
        Property::SubscriptionIdentifier(v) => (6, Word::pair("subscription_identifier", v)),
        Property::SessionExpiryInterval(v) => (7, Word::pair("session_expiry_interval", v)),
        Property::AssignedClientIdentifier(v) => (8, Word::pair("assigned_client_identifier", v)),
        Property::ServerKeepAlive(v) => (9, Word::pair("server_keep_alive", v)),
        Property::AuthenticationMethod(v) => (10, Word::pair("authentication_method", v)),
        Property::AuthenticationData(v) => (11, Word::bytes_pair("authentication_data", v)),
        Property::RequestProblemInformation(v) => (12, flag_word("request_problem_information", v)),
        Property::WillDelayInterval(v) => (13, Word::pair("will_delay_interval", v)),
        Property::RequestResponseInformation(v) => {
            (14, flag_word("request_response_information", v))
        }
        Property::ResponseInformation(v) => (15, Word::pair("response_information", v)),
        Property::ServerReference(v) => (16, Word::pair("server_reference", v)),
        Property::ReasonString(v) => (17, Word::pair("reason_string", v)),
        Property::ReceiveMaximum(v) => (18, Word::pair("receive_maximum", v)),
        Property::TopicAliasMaximum(v) => (19, Word::pair("topic_alias_maximum", v)),
        Property::TopicAlias(v) => (20, Word::pair("topic_alias", v)),
        Property::MaximumQoS(v) => (21, Word::pair("maximum_qos", v)),
        Property::RetainAvailable(v) => (22, flag_word("retain_available", v)),
        Property::MaximumPacketSize(v) => (23, Word::pair("maximum_packet_size", v)),
        Property::WildcardSubscriptionAvailable(v) => {
            (24, flag_word("wildcard_subscription_available", v))
        }
        Property::SubscriptionIdentifierAvailable(v) => {
            (25, flag_word("subscription_identifier_available", v))
        }
        Property::SharedSubscriptionAvailable(v) => {
            (26, flag_word("shared_subscription_available", v))
        }
        Property::UserProperty(name, value) => (
            27,
            Word::pair("user_property", format_args!("{name}:{value}")),
        ),
    }
}

fn flag_word(name: &str, value: bool) -> Word {
    Word::pair(name, u8::from(value))
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not a number that fits"))
}

fn flag(text: &str) -> Result<bool, String> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(format!("{text:?} is neither 0 nor 1")),
    }
}
