//! What is checked of a packet that is to be encoded: all that its types do not promise. [MQTT-4.13.1-1]
//!
//! The law: what these checks let through, a decoder takes.

use super::{
    DecodeErrorKind as Kind,
    error::{Fault, Sender},
    properties::{self, Place},
    reasons,
};
use crate::{
    packet::{PacketType, Properties, Version},
    reason::ReasonCode,
};

/// A string fits and has no U+0000. [MQTT-1.5.4-2]
pub(super) fn string(text: &str, field: &'static str) -> Result<(), Fault> {
    binary(text.as_bytes(), field)?;
    if text.as_bytes().contains(&0) {
        return Err(Kind::Null.of(field));
    }
    Ok(())
}

/// A value fits behind a length of two bytes.
pub(super) fn binary(bytes: &[u8], field: &'static str) -> Result<(), Fault> {
    if bytes.len() > usize::from(u16::MAX) {
        return Err(Kind::TooLong.of(field));
    }
    Ok(())
}

/// The packet may carry these properties. Before 5.0 they are left out, and so anything goes.
pub(super) fn properties(
    version: Version,
    properties: Properties<'_>,
    place: Place,
) -> Result<(), Fault> {
    match version {
        Version::V5 => properties::check(properties.as_bytes(), place),
        Version::V31 | Version::V311 => Ok(()),
    }
}

/// The packet may carry this reason code.
pub(super) fn reason(packet: PacketType, sender: Sender, reason: ReasonCode) -> Result<(), Fault> {
    if reasons::is_legal(packet, sender, reason) {
        Ok(())
    } else {
        Err(Kind::ReasonCode.of("reason code"))
    }
}
