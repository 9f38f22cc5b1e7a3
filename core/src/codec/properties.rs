//! Which packet may carry which property with which value. [MQTT 5.0, 2.2.2]

use super::{
    DecodeErrorKind as Kind,
    error::{Fault, Sender},
    read::Reader,
};
use crate::{
    packet::{self, PacketType, Properties, Version, property_id as id},
    topic::TopicName,
};

/// Where a property section stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Will,
    Packet(PacketType, Sender),
}

/// Reads a property section with its length; before 5.0 there is none.
#[inline]
pub(super) fn read<'a>(
    body: &mut Reader<'a>,
    version: Version,
    place: Place,
) -> Result<Properties<'a>, Fault> {
    if version != Version::V5 {
        return Ok(Properties::EMPTY);
    }
    let len = body.variable("property length")?;
    if len == 0 {
        return Ok(Properties::EMPTY);
    }
    let section = body.bytes(len as usize, "property section")?;
    check(section, place)?;
    Ok(Properties::from_validated(section))
}

/// Checks every property of a section, and that those that need each other are together.
pub(super) fn check(section: &[u8], place: Place) -> Result<(), Fault> {
    let mut reader = Reader::new(section);
    // One bit for each identifier; all are below 64.
    let mut seen = 0_u64;
    while !reader.is_empty() {
        let id = reader.byte("property identifier")?;
        let Some(kind) = packet::property_kind(id) else {
            return Err(Kind::UnknownProperty.of("property identifier"));
        };
        check_place(id, place)?;
        if seen & 1 << id != 0 && !may_repeat(id, place) {
            return Err(Kind::RepeatedProperty.of(packet::property_name(id)));
        }
        seen |= 1 << id;
        check_value(id, kind, &mut reader)?;
    }
    let has = |id: u8| seen & 1 << id != 0;
    if has(id::AUTHENTICATION_DATA) && !has(id::AUTHENTICATION_METHOD) {
        let field = packet::property_name(id::AUTHENTICATION_METHOD);
        return Err(Kind::NoAuthenticationMethod.of(field));
    }
    Ok(())
}

fn check_place(id: u8, place: Place) -> Result<(), Fault> {
    if !may_stand(id, place) {
        return Err(Kind::PropertyNotAllowed.of(packet::property_name(id)));
    }
    match (id, place) {
        // [MQTT-3.3.4-6] [MQTT-3.14.2-2]
        (id::SUBSCRIPTION_IDENTIFIER, Place::Packet(PacketType::Publish, Sender::Client))
        | (id::SESSION_EXPIRY_INTERVAL, Place::Packet(PacketType::Disconnect, Sender::Server)) => {
            Err(Kind::PropertyDirection.of(packet::property_name(id)))
        }
        _ => Ok(()),
    }
}

/// The table of MQTT 5.0, 2.2.2.2.
const fn may_stand(id: u8, place: Place) -> bool {
    use PacketType as P;
    let packet = match place {
        Place::Will => {
            return matches!(
                id,
                id::PAYLOAD_FORMAT_INDICATOR
                    | id::MESSAGE_EXPIRY_INTERVAL
                    | id::CONTENT_TYPE
                    | id::RESPONSE_TOPIC
                    | id::CORRELATION_DATA
                    | id::WILL_DELAY_INTERVAL
                    | id::USER_PROPERTY
            );
        }
        Place::Packet(packet, _) => packet,
    };
    match id {
        id::PAYLOAD_FORMAT_INDICATOR
        | id::MESSAGE_EXPIRY_INTERVAL
        | id::CONTENT_TYPE
        | id::RESPONSE_TOPIC
        | id::CORRELATION_DATA
        | id::TOPIC_ALIAS => matches!(packet, P::Publish),
        id::SUBSCRIPTION_IDENTIFIER => matches!(packet, P::Publish | P::Subscribe),
        id::SESSION_EXPIRY_INTERVAL => matches!(packet, P::Connect | P::ConnAck | P::Disconnect),
        id::ASSIGNED_CLIENT_IDENTIFIER
        | id::SERVER_KEEP_ALIVE
        | id::RESPONSE_INFORMATION
        | id::MAXIMUM_QOS
        | id::RETAIN_AVAILABLE
        | id::WILDCARD_SUBSCRIPTION_AVAILABLE
        | id::SUBSCRIPTION_IDENTIFIER_AVAILABLE
        | id::SHARED_SUBSCRIPTION_AVAILABLE => matches!(packet, P::ConnAck),
        id::AUTHENTICATION_METHOD | id::AUTHENTICATION_DATA => {
            matches!(packet, P::Connect | P::ConnAck | P::Auth)
        }
        id::REQUEST_PROBLEM_INFORMATION | id::REQUEST_RESPONSE_INFORMATION => {
            matches!(packet, P::Connect)
        }
        id::SERVER_REFERENCE => matches!(packet, P::ConnAck | P::Disconnect),
        id::REASON_STRING => matches!(
            packet,
            P::ConnAck
                | P::PubAck
                | P::PubRec
                | P::PubRel
                | P::PubComp
                | P::SubAck
                | P::UnsubAck
                | P::Disconnect
                | P::Auth
        ),
        id::RECEIVE_MAXIMUM | id::TOPIC_ALIAS_MAXIMUM | id::MAXIMUM_PACKET_SIZE => {
            matches!(packet, P::Connect | P::ConnAck)
        }
        id::USER_PROPERTY => !matches!(packet, P::PingReq | P::PingResp),
        _ => false,
    }
}

/// User properties, and the subscription identifiers of a PUBLISH. [MQTT 5.0, 3.3.2.3.8 and 3.8.2.1.2]
const fn may_repeat(id: u8, place: Place) -> bool {
    match id {
        id::USER_PROPERTY => true,
        id::SUBSCRIPTION_IDENTIFIER => matches!(place, Place::Packet(PacketType::Publish, _)),
        _ => false,
    }
}

fn check_value(id: u8, kind: packet::Kind, reader: &mut Reader<'_>) -> Result<(), Fault> {
    let field = packet::property_name(id);
    match kind {
        // All of them are 0 or 1: booleans, the payload format, and the maximum QoS.
        packet::Kind::Byte => {
            let in_range = reader.byte(field)? <= 1;
            in_range.then_some(()).ok_or(Kind::PropertyValue.of(field))
        }
        packet::Kind::TwoByteInteger => match (id, reader.two_bytes(field)?) {
            (id::RECEIVE_MAXIMUM, 0) => Err(Kind::PropertyValue.of(field)),
            (id::TOPIC_ALIAS, 0) => Err(Kind::TopicAlias.of(field)),
            _ => Ok(()),
        },
        packet::Kind::FourByteInteger => match (id, reader.four_bytes(field)?) {
            (id::MAXIMUM_PACKET_SIZE, 0) => Err(Kind::PropertyValue.of(field)),
            _ => Ok(()),
        },
        packet::Kind::VariableByteInteger => match reader.variable(field)? {
            0 => Err(Kind::PropertyValue.of(field)),
            _ => Ok(()),
        },
        packet::Kind::String => {
            let text = reader.string(field)?;
            if id == id::RESPONSE_TOPIC {
                let topic = TopicName::parse(text);
                topic.map_err(|error| Kind::ResponseTopic(error).of(field))?;
            }
            Ok(())
        }
        packet::Kind::Binary => reader.binary(field).map(drop),
        packet::Kind::StringPair => {
            reader.string(field)?;
            reader.string(field).map(drop)
        }
    }
}
