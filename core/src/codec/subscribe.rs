//! SUBSCRIBE, UNSUBSCRIBE and their acknowledgements. [MQTT 5.0, 3.8 to 3.11]

#![expect(
    clippy::arithmetic_side_effects,
    reason = "as many codes as filters came in one packet, and a few bytes"
)]

use super::{
    DecodeErrorKind as Kind, check,
    error::{Fault, Sender},
    fixed_header,
    properties::{self, Place},
    read::Reader,
    write::Sink,
};
use crate::{
    packet::{
        PacketId, PacketType, Properties, QoS, ReasonCodes, RetainHandling, SubAck, Subscribe,
        SubscribeEntry, SubscribeOptions, UnsubAck, Unsubscribe, Version,
    },
    reason::ReasonCode,
    topic::{TopicError, TopicFilter},
};
use alloc::vec::Vec;

const SUBSCRIBE: Place = Place::Packet(PacketType::Subscribe, Sender::Client);
const UNSUBSCRIBE: Place = Place::Packet(PacketType::Unsubscribe, Sender::Client);
const SUBACK: Place = Place::Packet(PacketType::SubAck, Sender::Server);
const UNSUBACK: Place = Place::Packet(PacketType::UnsubAck, Sender::Server);

/// Appends a SUBACK without properties. Before 5.0 every failure becomes 0x80.
pub fn put_suback(
    out: &mut Vec<u8>,
    version: Version,
    packet_id: PacketId,
    codes: ReasonCodes<'_>,
) {
    let suback = SubAck {
        packet_id,
        codes,
        properties: Properties::EMPTY,
    };
    let properties = usize::from(version == Version::V5);
    fixed_header::put(out, PacketType::SubAck, 0, 2 + properties + codes.0.len());
    write_suback(version, &suback, out);
}

/// Appends an UNSUBACK without properties. Before 5.0 the codes are left out.
pub fn put_unsuback(
    out: &mut Vec<u8>,
    version: Version,
    packet_id: PacketId,
    codes: ReasonCodes<'_>,
) {
    let unsuback = UnsubAck {
        packet_id,
        codes,
        properties: Properties::EMPTY,
    };
    let after_id = match version {
        Version::V5 => 1 + codes.0.len(),
        Version::V31 | Version::V311 => 0,
    };
    fixed_header::put(out, PacketType::UnsubAck, 0, 2 + after_id);
    write_unsuback(version, &unsuback, out);
}

const TOPIC_FILTER: &str = "topic filter";
const OPTIONS: &str = "subscription options";
const REASON_CODES: &str = "reason codes";

pub(super) fn read<'a>(version: Version, mut body: Reader<'a>) -> Result<Subscribe<'a>, Fault> {
    let packet_id = body.packet_id()?;
    let properties = properties::read(&mut body, version, SUBSCRIBE)?;
    let mut entries = Vec::new();
    while !body.is_empty() {
        let filter = read_filter(&mut body)?;
        let options = options_from(body.byte(OPTIONS)?, version)?;
        check_no_local(filter, options)?;
        entries.push(SubscribeEntry { filter, options });
    }
    check_entries(entries.len(), TOPIC_FILTER)?;
    Ok(Subscribe {
        packet_id,
        entries,
        properties,
    })
}

pub(super) fn read_unsubscribe<'a>(
    version: Version,
    mut body: Reader<'a>,
) -> Result<Unsubscribe<'a>, Fault> {
    let packet_id = body.packet_id()?;
    let properties = properties::read(&mut body, version, UNSUBSCRIBE)?;
    let mut filters = Vec::new();
    while !body.is_empty() {
        filters.push(read_filter(&mut body)?);
    }
    check_entries(filters.len(), TOPIC_FILTER)?;
    Ok(Unsubscribe {
        packet_id,
        filters,
        properties,
    })
}

fn read_filter<'a>(body: &mut Reader<'a>) -> Result<TopicFilter<'a>, Fault> {
    TopicFilter::parse(body.text(TOPIC_FILTER)?).map_err(|error| {
        let kind = match error {
            TopicError::Null => Kind::Null,
            error => Kind::TopicFilter(error),
        };
        kind.of(TOPIC_FILTER)
    })
}

/// [MQTT-3.8.3-2] [MQTT-3.10.3-2]
fn check_entries(entries: usize, field: &'static str) -> Result<(), Fault> {
    if entries == 0 {
        return Err(Kind::NoEntry.of(field));
    }
    Ok(())
}

/// [MQTT-3.8.3-4]
fn check_no_local(filter: TopicFilter<'_>, options: SubscribeOptions) -> Result<(), Fault> {
    if options.no_local && filter.shared().is_some() {
        return Err(Kind::NoLocalOnShared.of("No Local"));
    }
    Ok(())
}

/// Reads the options byte. Before 5.0 it holds the QoS alone, and 3.1 does not reserve the rest. [MQTT-3.8.3-5]
fn options_from(byte: u8, version: Version) -> Result<SubscribeOptions, Fault> {
    let reserved = match version {
        Version::V31 => 0,
        Version::V311 => 0b1111_1100,
        Version::V5 => 0b1100_0000,
    };
    if byte & reserved != 0 {
        return Err(Kind::SubscriptionOptions.of(OPTIONS));
    }
    let qos = QoS::from_bits(byte & 0b11).ok_or(Kind::QoS.of("Maximum QoS"))?;
    if version != Version::V5 {
        return Ok(SubscribeOptions {
            qos,
            ..SubscribeOptions::default()
        });
    }
    let retain_handling = match byte >> 4 {
        0 => RetainHandling::Send,
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        _ => return Err(Kind::RetainHandling.of("Retain Handling")),
    };
    Ok(SubscribeOptions {
        qos,
        no_local: byte & 0b0100 != 0,
        retain_as_published: byte & 0b1000 != 0,
        retain_handling,
    })
}

fn options_bits(options: SubscribeOptions, version: Version) -> u8 {
    let qos = options.qos as u8;
    match version {
        Version::V31 | Version::V311 => qos,
        Version::V5 => {
            qos | u8::from(options.no_local) << 2
                | u8::from(options.retain_as_published) << 3
                | (options.retain_handling as u8) << 4
        }
    }
}

pub(super) fn check(version: Version, subscribe: &Subscribe<'_>) -> Result<(), Fault> {
    check_entries(subscribe.entries.len(), TOPIC_FILTER)?;
    if version == Version::V5 {
        let mut entries = subscribe.entries.iter();
        entries.try_for_each(|entry| check_no_local(entry.filter, entry.options))?;
    }
    check::properties(version, subscribe.properties, SUBSCRIBE)
}

pub(super) fn check_unsubscribe(
    version: Version,
    unsubscribe: &Unsubscribe<'_>,
) -> Result<(), Fault> {
    check_entries(unsubscribe.filters.len(), TOPIC_FILTER)?;
    check::properties(version, unsubscribe.properties, UNSUBSCRIBE)
}

pub(super) fn write(version: Version, subscribe: &Subscribe<'_>, out: &mut dyn Sink) {
    out.put_two_bytes(subscribe.packet_id.get());
    out.put_properties(version, subscribe.properties);
    for entry in &subscribe.entries {
        out.put_prefixed(entry.filter.as_str().as_bytes());
        out.put_byte(options_bits(entry.options, version));
    }
}

pub(super) fn write_unsubscribe(
    version: Version,
    unsubscribe: &Unsubscribe<'_>,
    out: &mut dyn Sink,
) {
    out.put_two_bytes(unsubscribe.packet_id.get());
    out.put_properties(version, unsubscribe.properties);
    for filter in &unsubscribe.filters {
        out.put_prefixed(filter.as_str().as_bytes());
    }
}

pub(super) fn read_suback<'a>(version: Version, mut body: Reader<'a>) -> Result<SubAck<'a>, Fault> {
    let packet_id = body.packet_id()?;
    let properties = properties::read(&mut body, version, SUBACK)?;
    let codes = ReasonCodes(body.rest());
    check_codes(PacketType::SubAck, codes)?;
    let before_5 = version != Version::V5;
    if before_5 && codes.0.iter().any(|code| !matches!(code, 0..=2 | 0x80)) {
        return Err(Kind::ReasonCode.of(REASON_CODES));
    }
    Ok(SubAck {
        packet_id,
        codes,
        properties,
    })
}

/// Reads an UNSUBACK; before 5.0 it holds no codes.
pub(super) fn read_unsuback<'a>(
    version: Version,
    mut body: Reader<'a>,
) -> Result<UnsubAck<'a>, Fault> {
    let packet_id = body.packet_id()?;
    let properties = properties::read(&mut body, version, UNSUBACK)?;
    let codes = match version {
        Version::V5 => ReasonCodes(body.rest()),
        Version::V31 | Version::V311 => ReasonCodes::default(),
    };
    body.end()?;
    if version == Version::V5 {
        check_codes(PacketType::UnsubAck, codes)?;
    }
    Ok(UnsubAck {
        packet_id,
        codes,
        properties,
    })
}

/// At least one code, and all of them from the list. [MQTT-3.9.3-2] [MQTT-3.11.3-2]
fn check_codes(packet: PacketType, codes: ReasonCodes<'_>) -> Result<(), Fault> {
    check_entries(codes.0.len(), REASON_CODES)?;
    codes
        .iter()
        .try_for_each(|code| check::reason(packet, Sender::Server, code))
}

pub(super) fn check_suback(version: Version, suback: &SubAck<'_>) -> Result<(), Fault> {
    check_codes(PacketType::SubAck, suback.codes)?;
    check::properties(version, suback.properties, SUBACK)
}

pub(super) fn check_unsuback(version: Version, unsuback: &UnsubAck<'_>) -> Result<(), Fault> {
    if version != Version::V5 {
        return Ok(());
    }
    check_codes(PacketType::UnsubAck, unsuback.codes)?;
    check::properties(version, unsuback.properties, UNSUBACK)
}

/// Before 5.0 every failure is 0x80. [MQTT 3.1.1, 3.9.3]
pub(super) fn write_suback(version: Version, suback: &SubAck<'_>, out: &mut dyn Sink) {
    out.put_two_bytes(suback.packet_id.get());
    out.put_properties(version, suback.properties);
    for code in suback.codes.iter() {
        out.put_byte(match version {
            Version::V31 | Version::V311 if code.is_error() => ReasonCode::UNSPECIFIED_ERROR.0,
            _ => code.0,
        });
    }
}

pub(super) fn write_unsuback(version: Version, unsuback: &UnsubAck<'_>, out: &mut dyn Sink) {
    out.put_two_bytes(unsuback.packet_id.get());
    out.put_properties(version, unsuback.properties);
    if version == Version::V5 {
        out.put(unsuback.codes.0);
    }
}
