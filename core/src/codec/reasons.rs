//! Which reason code may stand in which packet. [MQTT 5.0, 2.4]

use super::error::Sender;
use crate::{packet::PacketType, reason::ReasonCode};

/// Whether `packet`, sent by `sender`, may carry `reason` in 5.0.
pub(super) const fn is_legal(packet: PacketType, sender: Sender, reason: ReasonCode) -> bool {
    match packet {
        // [MQTT-3.2.2-8]
        PacketType::ConnAck => matches!(
            reason.0,
            0x00 | 0x80..=0x8A | 0x8C | 0x90 | 0x95 | 0x97 | 0x99..=0x9D | 0x9F
        ),
        // [MQTT-3.4.2-1] [MQTT-3.5.2-1]
        PacketType::PubAck | PacketType::PubRec => matches!(
            reason.0,
            0x00 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99
        ),
        // [MQTT-3.6.2-1] [MQTT-3.7.2-1]
        PacketType::PubRel | PacketType::PubComp => matches!(reason.0, 0x00 | 0x92),
        // [MQTT-3.9.3-2]
        PacketType::SubAck => matches!(
            reason.0,
            0x00..=0x02 | 0x80 | 0x83 | 0x87 | 0x8F | 0x91 | 0x97 | 0x9E | 0xA1 | 0xA2
        ),
        // [MQTT-3.11.3-2]
        PacketType::UnsubAck => {
            matches!(reason.0, 0x00 | 0x11 | 0x80 | 0x83 | 0x87 | 0x8F | 0x91)
        }
        // [MQTT-3.14.2-1]
        PacketType::Disconnect => match sender {
            Sender::Client => matches!(
                reason.0,
                0x00 | 0x04 | 0x80..=0x83 | 0x90 | 0x93..=0x99
            ),
            // 0x00 is listed for clients alone, but servers send it, and it does no harm.
            Sender::Server => matches!(
                reason.0,
                0x00 | 0x80..=0x83 | 0x87 | 0x89 | 0x8B | 0x8D..=0x90 | 0x93..=0xA2
            ),
        },
        // [MQTT-3.15.2-1]
        PacketType::Auth => match sender {
            Sender::Client => matches!(reason.0, 0x18 | 0x19),
            Sender::Server => matches!(reason.0, 0x00 | 0x18),
        },
        PacketType::Connect
        | PacketType::Publish
        | PacketType::Subscribe
        | PacketType::Unsubscribe
        | PacketType::PingReq
        | PacketType::PingResp => false,
    }
}
