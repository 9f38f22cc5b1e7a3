//! PINGRESP, which is always the same two bytes. [MQTT 5.0, 3.13]

use crate::packet::PacketType;
use alloc::vec::Vec;

/// Appends a PINGRESP. [MQTT-3.12.4-1]
pub fn put_pingresp(out: &mut Vec<u8>) {
    out.extend_from_slice(&[(PacketType::PingResp as u8) << 4, 0]);
}
