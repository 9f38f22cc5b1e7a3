//! Reading the data types of MQTT from a slice, one after the other. [MQTT 5.0, 1.5]
//!
//! Every read names the field it wants, so that an error can say which one was wrong.

use super::{DecodeErrorKind as Kind, error::Fault};
use crate::packet::PacketId;

/// The bytes of a packet that are still to be read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), Fault> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Kind::TrailingBytes.of("packet"))
        }
    }

    #[inline]
    pub(super) fn bytes(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], Fault> {
        match self.0.split_at_checked(len) {
            Some((bytes, rest)) => {
                self.0 = rest;
                Ok(bytes)
            }
            None => Err(Kind::Truncated.of(field)),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Fault> {
        match self.0.split_first_chunk() {
            Some((bytes, rest)) => {
                self.0 = rest;
                Ok(*bytes)
            }
            None => Err(Kind::Truncated.of(field)),
        }
    }

    #[inline]
    pub(super) fn byte(&mut self, field: &'static str) -> Result<u8, Fault> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    #[inline]
    pub(super) fn two_bytes(&mut self, field: &'static str) -> Result<u16, Fault> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(super) fn four_bytes(&mut self, field: &'static str) -> Result<u32, Fault> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// A variable byte integer in its shortest form. [MQTT 5.0, 1.5.5] [MQTT-1.5.5-1]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "an index below 4: shifts of at most 21 bits"
    )]
    pub(super) fn variable(&mut self, field: &'static str) -> Result<u32, Fault> {
        let mut value = 0;
        for index in 0..4 {
            let byte = self.byte(field)?;
            value |= u32::from(byte & 0x7F) << (7 * index);
            if byte < 0x80 {
                if byte == 0 && index > 0 {
                    return Err(Kind::NotMinimal.of(field));
                }
                return Ok(value);
            }
        }
        Err(Kind::VariableByteInteger.of(field))
    }

    /// Binary data. [MQTT 5.0, 1.5.6]
    #[inline]
    pub(super) fn binary(&mut self, field: &'static str) -> Result<&'a [u8], Fault> {
        let len = self.two_bytes(field)?;
        self.bytes(usize::from(len), field)
    }

    /// A UTF-8 string that may contain U+0000; the caller looks for it. [MQTT-1.5.4-1]
    #[inline(always)]
    pub(super) fn text(&mut self, field: &'static str) -> Result<&'a str, Fault> {
        let bytes = self.binary(field)?;
        core::str::from_utf8(bytes).map_err(|_| Kind::IllFormedUtf8.of(field))
    }

    /// A UTF-8 string. [MQTT 5.0, 1.5.4] [MQTT-1.5.4-1] [MQTT-1.5.4-2]
    pub(super) fn string(&mut self, field: &'static str) -> Result<&'a str, Fault> {
        let text = self.text(field)?;
        if text.as_bytes().contains(&0) {
            return Err(Kind::Null.of(field));
        }
        Ok(text)
    }

    #[inline]
    pub(super) fn packet_id(&mut self) -> Result<PacketId, Fault> {
        const FIELD: &str = "packet identifier";
        PacketId::new(self.two_bytes(FIELD)?).ok_or(Kind::PacketId.of(FIELD))
    }
}
