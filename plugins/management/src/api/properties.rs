//! The 5.0 properties of a message in JSON.

use super::text::{Base64, Topic, base64};
use sanderling_core::packet::{Properties, PropertiesBuf, Property};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Properties of a message to be published.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProperties {
    /// The payload is UTF-8 text, or is not; left out, nothing is said of it.
    payload_is_utf8: Option<bool>,
    #[schema(pattern = r"^[^\u0000]*$", max_length = 16383)]
    content_type: Option<Text>,
    response_topic: Option<Topic>,
    correlation_data_base64: Option<Base64>,
    #[serde(default)]
    #[schema(max_items = 256, required = false)]
    user_properties: Vec<NewUserProperty>,
}

/// A pair of texts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUserProperty {
    #[schema(pattern = r"^[^\u0000]*$", max_length = 16383)]
    name: Text,
    #[schema(pattern = r"^[^\u0000]*$", max_length = 16383)]
    value: Text,
}

/// A text without U+0000 that fits into a property.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = r"^[^\u0000]*$", max_length = 16383)]
pub(super) struct Text(String);

/// In characters, so that the bytes of any fit into 16 bits.
const TEXT_CHARS_MAX: usize = 16_383;

impl TryFrom<String> for Text {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.contains('\0') {
            return Err("U+0000 has no place in MQTT");
        }
        if text.chars().count() > TEXT_CHARS_MAX {
            return Err("a text has up to 16,383 characters");
        }
        Ok(Self(text))
    }
}

impl NewProperties {
    /// As the broker takes them; none if they are too long for a packet.
    pub(super) fn build(&self, expiry_s: Option<u32>) -> Option<PropertiesBuf> {
        let texts = self.user_properties.iter();
        let pairs = texts.map(|one| Property::UserProperty(&one.name.0, &one.value.0));
        let payload_format = self.payload_is_utf8;
        let single = [
            payload_format.map(|is_utf8| Property::PayloadFormatIndicator(is_utf8.into())),
            expiry_s.map(Property::MessageExpiryInterval),
            self.content_type
                .as_ref()
                .map(|text| Property::ContentType(&text.0)),
            self.response_topic
                .as_ref()
                .map(|topic| Property::ResponseTopic(&topic.0)),
            self.correlation_data_base64
                .as_ref()
                .map(|data| Property::CorrelationData(&data.0)),
        ];
        let mut properties = PropertiesBuf::new();
        for property in single.into_iter().flatten().chain(pairs) {
            properties.push(property).ok()?;
        }
        Some(properties)
    }
}

/// Properties of a message that is kept.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct MessageProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_is_utf8: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_data_base64: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    user_properties: Vec<UserProperty>,
}

/// A pair of texts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserProperty {
    name: String,
    value: String,
}

impl MessageProperties {
    pub(super) fn of(properties: Properties<'_>) -> Self {
        let mut found = Self::default();
        for property in properties.iter() {
            match property {
                Property::PayloadFormatIndicator(format) => {
                    found.payload_is_utf8 = Some(format == 1);
                }
                Property::ContentType(text) => found.content_type = Some(text.into()),
                Property::ResponseTopic(topic) => found.response_topic = Some(topic.into()),
                Property::CorrelationData(data) => {
                    found.correlation_data_base64 = Some(base64(data));
                }
                Property::UserProperty(name, value) => found.user_properties.push(UserProperty {
                    name: name.into(),
                    value: value.into(),
                }),
                _ => {}
            }
        }
        found
    }

    /// How many bytes its texts have.
    pub(super) fn weight(&self) -> usize {
        let pairs = self.user_properties.iter();
        let single = [
            &self.content_type,
            &self.response_topic,
            &self.correlation_data_base64,
        ];
        let single = single.into_iter().flatten().map(String::len);
        single.sum::<usize>()
            + pairs
                .map(|one| one.name.len() + one.value.len())
                .sum::<usize>()
    }
}
