//! Topic names, topic filters and binary data in JSON: what is not well-formed does not get in.

use base64::{
    Engine, alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use sanderling_core::{
    packet::QoS,
    topic::{TopicFilter, TopicName},
};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;
use utoipa::ToSchema;

/// What stands in a path or a query, where there is not as much room as in a body: with any characters in it, all of
/// a request has less than the headers may have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Brief<T>(pub(super) T);

/// In characters, each of which may take up to twelve bytes.
pub(super) const BRIEF_MAX: usize = 2048;

impl<'de, T: TryFrom<String, Error: fmt::Display>> Deserialize<'de> for Brief<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.chars().count() > BRIEF_MAX {
            return Err(de::Error::custom(
                "names in a path or a query have up to 2048 characters",
            ));
        }
        T::try_from(text).map(Self).map_err(de::Error::custom)
    }
}

/// A number without a fraction, also if it is written with one, as `1.0`.
pub(super) fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let whole = number.as_u64().or_else(|| {
        let number = number.as_f64()?;
        // Beyond that the neighbours of a number are missing.
        let is_whole = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
        is_whole.then_some(number as u64)
    });
    let value = whole.and_then(|number| T::try_from(number).ok());
    value.ok_or_else(|| de::Error::custom(format!("{number} is no number that may stand here")))
}

/// The same for what may be left out.
pub(super) fn whole_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    #[derive(Deserialize)]
    struct Whole(#[serde(deserialize_with = "whole")] u32);
    let value = Option::<Whole>::deserialize(deserializer)?;
    Ok(value.map(|Whole(number)| number))
}

/// A topic name: without wildcards.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(try_from = "String")]
#[schema(
    pattern = r"^[^+#\u0000]+$",
    min_length = 1,
    max_length = 65535,
    example = "sensors/1/temperature"
)]
pub(super) struct Topic(pub(super) String);

impl TryFrom<String> for Topic {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match TopicName::parse(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(format!("the topic name {error}")),
        }
    }
}

/// A topic filter, of a shared subscription or not.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(try_from = "String")]
#[schema(
    pattern = r"^(\$share/[^/+#\u0000]+/)?((([^/+#\u0000]*|\+)/)+([^/+#\u0000]+|\+|#)?|[^/+#\u0000]+|\+|#)$",
    min_length = 1,
    max_length = 65535,
    example = "sensors/+/temperature"
)]
pub(super) struct Filter(pub(super) String);

impl TryFrom<String> for Filter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match TopicFilter::parse(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(format!("the topic filter {error}")),
        }
    }
}

/// A client identifier as a CONNECT may have it. [MQTT-3.1.3-4]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = r"^[^\u0000]+$", min_length = 1, max_length = 16383)]
pub(super) struct ClientId(pub(super) String);

/// In characters, so that the bytes of any fit into 16 bits.
const CLIENT_ID_CHARS_MAX: usize = 16_383;

impl TryFrom<String> for ClientId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_one = !text.is_empty() && !text.contains('\0');
        match is_one && text.chars().count() <= CLIENT_ID_CHARS_MAX {
            true => Ok(Self(text)),
            false => Err("a client identifier has 1 to 16,383 characters, none of them U+0000"),
        }
    }
}

/// A quality of service.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
#[schema(minimum = 0, maximum = 2)]
pub(super) struct Qos(u8);

impl From<QoS> for Qos {
    fn from(qos: QoS) -> Self {
        Self(qos as u8)
    }
}

impl From<Qos> for QoS {
    fn from(Qos(qos): Qos) -> Self {
        Self::from_bits(qos).expect("it is from 0 to 2")
    }
}

impl<'de> Deserialize<'de> for Qos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match whole(deserializer)? {
            qos @ 0..=2 => Ok(Self(qos)),
            _ => Err(de::Error::custom("a QoS is 0, 1 or 2")),
        }
    }
}

/// Bytes in base64, padded. Whatever stands in bits that mean nothing is taken.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(try_from = "String")]
#[schema(
    value_type = String,
    pattern = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    example = "AAEC"
)]
pub(super) struct Base64(pub(super) Vec<u8>);

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

impl TryFrom<String> for Base64 {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match LENIENT.decode(text) {
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => Err("this is not base64, or lacks its padding"),
        }
    }
}

/// Bytes as they are written.
pub(super) fn base64(bytes: &[u8]) -> String {
    LENIENT.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded_and_nothing_else() {
        let decode = |text: &str| Base64::try_from(text.to_owned()).map(|it| it.0);
        assert_eq!(decode(""), Ok(vec![]));
        assert_eq!(decode("AAEC"), Ok(vec![0, 1, 2]));
        assert_eq!(decode("AB=="), Ok(vec![0]));
        assert!(decode("AA").is_err() && decode("A").is_err() && decode("A-==").is_err());
        assert_eq!(base64(&[0, 1, 2, 3]), "AAECAw==");
    }
}
