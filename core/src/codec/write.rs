//! Writing the data types of MQTT. [MQTT 5.0, 1.5]
//!
//! A packet is written twice: into a counter, which gives the length that stands in front, and into the buffer. So length
//! and bytes cannot disagree.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "the sum of lengths that are there in memory"
)]

use crate::packet::{Properties, Version};
use alloc::vec::Vec;

/// The highest variable byte integer, and so the highest remaining length. [MQTT 5.0, 1.5.5]
pub(super) const VARIABLE_MAX: usize = 268_435_455;

/// Something that takes bytes.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    fn put_byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    fn put_two_bytes(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    fn put_variable(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.put_byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.put_byte(value as u8);
    }

    /// Binary data or a string. Its length was checked.
    fn put_prefixed(&mut self, bytes: &[u8]) {
        self.put_two_bytes(u16::try_from(bytes.len()).expect("the length was checked"));
        self.put(bytes);
    }

    /// A property section with its length; nothing before 5.0. [MQTT-2.2.2-1]
    fn put_properties(&mut self, version: Version, properties: Properties<'_>) {
        if version == Version::V5 {
            self.put_variable(properties.as_bytes().len());
            self.put(properties.as_bytes());
        }
    }
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    #[inline]
    fn put_byte(&mut self, byte: u8) {
        self.push(byte);
    }
}

/// Counts what it takes.
#[derive(Default)]
pub(super) struct Count(pub(super) usize);

impl Sink for Count {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// The length of a variable byte integer with this value.
pub(crate) const fn variable_len(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}
