//! Strategies for properties, and which packet takes which. [MQTT 5.0, 2.2.2.2]

use super::{bytes, text, topic_name};
use proptest::{prelude::*, sample::select};
use sanderling_core::packet::{Properties, PropertiesBuf, Property};

pub(crate) const WILL: &[u8] = &[0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26];
pub(crate) const CONNECT: &[u8] = &[0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27];
pub(crate) const CONNACK: &[u8] = &[
    0x11, 0x12, 0x13, 0x15, 0x16, 0x1A, 0x1C, 0x1F, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29,
    0x2A,
];
pub(crate) const PUBLISH_CLIENT: &[u8] = &[0x01, 0x02, 0x03, 0x08, 0x09, 0x23, 0x26];
pub(crate) const PUBLISH_SERVER: &[u8] = &[0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26];
/// The acknowledgements, SUBACK and UNSUBACK among them.
pub(crate) const CONTROL: &[u8] = &[0x1F, 0x26];
pub(crate) const SUBSCRIBE: &[u8] = &[0x0B, 0x26];
pub(crate) const USER_ONLY: &[u8] = &[0x26];
pub(crate) const DISCONNECT_CLIENT: &[u8] = &[0x11, 0x1C, 0x1F, 0x26];
pub(crate) const DISCONNECT_SERVER: &[u8] = &[0x1C, 0x1F, 0x26];
pub(crate) const AUTH: &[u8] = &[0x15, 0x16, 0x1F, 0x26];

const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;
const AUTHENTICATION_METHOD: u8 = 0x15;
const AUTHENTICATION_DATA: u8 = 0x16;

/// A section of those properties, each once unless it may stand several times.
pub(crate) fn any_properties(allowed: &'static [u8]) -> impl Strategy<Value = Properties<'static>> {
    let one = select(allowed).prop_flat_map(property);
    prop::collection::vec(one, 0..6).prop_map(move |all| {
        let mut section = PropertiesBuf::new();
        let identifiers_max = if allowed == SUBSCRIBE { 1 } else { usize::MAX };
        for property in all {
            let identifiers = section.as_properties().subscription_identifiers().count();
            if property.id() != SUBSCRIPTION_IDENTIFIER || identifiers < identifiers_max {
                // One that is there already stays out.
                let _ = section.push(property);
            }
        }
        leak(section)
    })
}

/// The property with this identifier, with any value that it may have.
pub(crate) fn property(id: u8) -> BoxedStrategy<Property<'static>> {
    use Property as P;
    match id {
        0x01 => (0..2_u8).prop_map(P::PayloadFormatIndicator).boxed(),
        0x02 => any::<u32>().prop_map(P::MessageExpiryInterval).boxed(),
        0x03 => text().prop_map(P::ContentType).boxed(),
        0x08 => topic_name()
            .prop_map(|topic| P::ResponseTopic(topic.as_str()))
            .boxed(),
        0x09 => bytes().prop_map(P::CorrelationData).boxed(),
        0x0B => (1..=268_435_455_u32)
            .prop_map(P::SubscriptionIdentifier)
            .boxed(),
        0x11 => any::<u32>().prop_map(P::SessionExpiryInterval).boxed(),
        0x12 => text().prop_map(P::AssignedClientIdentifier).boxed(),
        0x13 => any::<u16>().prop_map(P::ServerKeepAlive).boxed(),
        0x15 => text().prop_map(P::AuthenticationMethod).boxed(),
        0x16 => bytes().prop_map(P::AuthenticationData).boxed(),
        0x17 => any::<bool>().prop_map(P::RequestProblemInformation).boxed(),
        0x18 => any::<u32>().prop_map(P::WillDelayInterval).boxed(),
        0x19 => any::<bool>()
            .prop_map(P::RequestResponseInformation)
            .boxed(),
        0x1A => text().prop_map(P::ResponseInformation).boxed(),
        0x1C => text().prop_map(P::ServerReference).boxed(),
        0x1F => text().prop_map(P::ReasonString).boxed(),
        0x21 => (1..=u16::MAX).prop_map(P::ReceiveMaximum).boxed(),
        0x22 => any::<u16>().prop_map(P::TopicAliasMaximum).boxed(),
        0x23 => (1..=u16::MAX).prop_map(P::TopicAlias).boxed(),
        0x24 => (0..2_u8).prop_map(P::MaximumQoS).boxed(),
        0x25 => any::<bool>().prop_map(P::RetainAvailable).boxed(),
        0x26 => (text(), text())
            .prop_map(|(name, value)| P::UserProperty(name, value))
            .boxed(),
        0x27 => (1..=u32::MAX).prop_map(P::MaximumPacketSize).boxed(),
        0x28 => any::<bool>()
            .prop_map(P::WildcardSubscriptionAvailable)
            .boxed(),
        0x29 => any::<bool>()
            .prop_map(P::SubscriptionIdentifierAvailable)
            .boxed(),
        0x2A => any::<bool>()
            .prop_map(P::SharedSubscriptionAvailable)
            .boxed(),
        _ => panic!("no property has the identifier 0x{id:02X}"),
    }
}

/// The section, with a method if it has authentication data.
pub(crate) fn with_method(section: Properties<'static>) -> Properties<'static> {
    if section
        .iter()
        .any(|property| property.id() == AUTHENTICATION_DATA)
    {
        always_method(section)
    } else {
        section
    }
}

/// The section with a method.
pub(crate) fn always_method(section: Properties<'static>) -> Properties<'static> {
    if section
        .iter()
        .any(|property| property.id() == AUTHENTICATION_METHOD)
    {
        return section;
    }
    let mut with_method = PropertiesBuf::new();
    let method = Property::AuthenticationMethod("m");
    for property in section.iter().chain([method]) {
        with_method
            .push(property)
            .expect("a property of another section");
    }
    leak(with_method)
}

fn leak(section: PropertiesBuf) -> Properties<'static> {
    Box::leak(Box::new(section)).as_properties()
}
