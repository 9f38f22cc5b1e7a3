//! PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT and AUTH: a reason code and little else.
//! [MQTT 5.0, 3.4 to 3.7, 3.14, 3.15]

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
        Ack, Auth, Disconnect, PacketId, PacketType, Properties, Version, property_id as id,
        property_name,
    },
    reason::ReasonCode,
};
use alloc::vec::Vec;

/// Appends a PUBACK, PUBREC, PUBREL or PUBCOMP without properties, in its shortest form. Before 5.0 the reason code is
/// left out.
///
/// # Panics
/// `packet` is another type.
#[inline]
pub fn put_ack(
    out: &mut Vec<u8>,
    version: Version,
    packet: PacketType,
    packet_id: PacketId,
    reason: ReasonCode,
) {
    assert!(
        matches!(
            packet,
            PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp
        ),
        "{packet} acknowledges no PUBLISH"
    );
    let [high, low] = packet_id.get().to_be_bytes();
    let first = (packet as u8) << 4 | fixed_header::flags_of(packet);
    if version == Version::V5 && reason != ReasonCode::SUCCESS {
        out.extend_from_slice(&[first, 3, high, low, reason.0]);
    } else {
        out.extend_from_slice(&[first, 2, high, low]);
    }
}

/// Bytes that [`put_ack`] appends.
#[inline]
pub(crate) fn ack_len(version: Version, reason: ReasonCode) -> u32 {
    match version == Version::V5 && reason != ReasonCode::SUCCESS {
        true => 5,
        false => 4,
    }
}

/// Reads what follows the fixed header of an acknowledgement.
#[inline(always)]
pub(super) fn read<'a>(
    packet: PacketType,
    version: Version,
    sender: Sender,
    mut body: Reader<'a>,
) -> Result<Ack<'a>, Fault> {
    let packet_id = body.packet_id()?;
    if version != Version::V5 {
        body.end()?;
        return Ok(Ack::success(packet_id));
    }
    let (reason, properties) = read_reason(packet, sender, body)?;
    Ok(Ack {
        packet_id,
        reason,
        properties,
    })
}

/// Reads a reason code and properties, both of which may be left out at the end.
fn read_reason<'a>(
    packet: PacketType,
    sender: Sender,
    mut body: Reader<'a>,
) -> Result<(ReasonCode, Properties<'a>), Fault> {
    if body.is_empty() {
        return Ok((ReasonCode::SUCCESS, Properties::EMPTY));
    }
    let reason = ReasonCode(body.byte("reason code")?);
    check::reason(packet, sender, reason)?;
    if body.is_empty() {
        return Ok((reason, Properties::EMPTY));
    }
    let properties = properties::read(&mut body, Version::V5, Place::Packet(packet, sender))?;
    body.end()?;
    Ok((reason, properties))
}

pub(super) fn check(
    packet: PacketType,
    version: Version,
    sender: Sender,
    reason: ReasonCode,
    properties: Properties<'_>,
) -> Result<(), Fault> {
    if version != Version::V5 {
        return Ok(());
    }
    check::reason(packet, sender, reason)?;
    check::properties(version, properties, Place::Packet(packet, sender))
}

pub(super) fn write(version: Version, ack: &Ack<'_>, out: &mut dyn Sink) {
    out.put_two_bytes(ack.packet_id.get());
    write_reason(version, ack.reason, ack.properties, out);
}

/// Writes a reason code and properties, leaving out what says nothing and what the version does not know.
pub(super) fn write_reason(
    version: Version,
    reason: ReasonCode,
    properties: Properties<'_>,
    out: &mut dyn Sink,
) {
    let says_nothing = reason == ReasonCode::SUCCESS && properties.is_empty();
    if version != Version::V5 || says_nothing {
        return;
    }
    out.put_byte(reason.0);
    if !properties.is_empty() {
        out.put_properties(version, properties);
    }
}

pub(super) fn read_disconnect<'a>(
    version: Version,
    sender: Sender,
    body: Reader<'a>,
) -> Result<Disconnect<'a>, Fault> {
    if version != Version::V5 {
        body.end()?;
        return Ok(Disconnect {
            reason: ReasonCode::NORMAL_DISCONNECTION,
            properties: Properties::EMPTY,
        });
    }
    let (reason, properties) = read_reason(PacketType::Disconnect, sender, body)?;
    Ok(Disconnect { reason, properties })
}

/// Reads an AUTH. Its property section and so its method are left out only together with a success.
/// [MQTT 5.0, 3.15.2]
pub(super) fn read_auth<'a>(sender: Sender, mut body: Reader<'a>) -> Result<Auth<'a>, Fault> {
    let auth = if body.is_empty() {
        Auth {
            reason: ReasonCode::SUCCESS,
            properties: Properties::EMPTY,
        }
    } else {
        let reason = ReasonCode(body.byte("reason code")?);
        let place = Place::Packet(PacketType::Auth, sender);
        let properties = properties::read(&mut body, Version::V5, place)?;
        body.end()?;
        Auth { reason, properties }
    };
    check_method(sender, &auth)?;
    Ok(auth)
}

pub(super) fn check_auth(sender: Sender, auth: &Auth<'_>) -> Result<(), Fault> {
    let place = Place::Packet(PacketType::Auth, sender);
    check::properties(Version::V5, auth.properties, place)?;
    check_method(sender, auth)
}

/// Every AUTH but a bare success names its method. [MQTT-3.15.2-1]
fn check_method(sender: Sender, auth: &Auth<'_>) -> Result<(), Fault> {
    check::reason(PacketType::Auth, sender, auth.reason)?;
    let is_bare = auth.reason == ReasonCode::SUCCESS && auth.properties.is_empty();
    if !is_bare && !auth.properties.contains(id::AUTHENTICATION_METHOD) {
        let field = property_name(id::AUTHENTICATION_METHOD);
        return Err(Kind::NoAuthenticationMethod.of(field));
    }
    Ok(())
}

pub(super) fn write_auth(auth: &Auth<'_>, out: &mut dyn Sink) {
    if auth.reason != ReasonCode::SUCCESS || !auth.properties.is_empty() {
        out.put_byte(auth.reason.0);
        out.put_properties(Version::V5, auth.properties);
    }
}
