//! What -d prints: every packet in both directions, but neither payloads nor passwords.

use super::event::Incoming;
use sanderling_core::packet::ClientPacket;
use std::fmt;

/// A packet of ours.
pub(super) fn describe(packet: &ClientPacket<'_>) -> String {
    match packet {
        ClientPacket::Connect(connect) => format!("CONNECT {:?}", connect.client_id),
        ClientPacket::Publish(publish) => {
            let id = publish
                .packet_id
                .map(|id| format!(" id {id}"))
                .unwrap_or_default();
            let retain = if publish.retain { " retain" } else { "" };
            let bytes = publish.payload.len();
            format!(
                "PUBLISH {:?} QoS {}{id}{retain}, {bytes} bytes",
                publish.topic, publish.qos
            )
        }
        ClientPacket::PubAck(ack) => format!("PUBACK id {}", ack.packet_id),
        ClientPacket::PubRec(ack) => format!("PUBREC id {}", ack.packet_id),
        ClientPacket::PubRel(ack) => format!("PUBREL id {}", ack.packet_id),
        ClientPacket::PubComp(ack) => format!("PUBCOMP id {}", ack.packet_id),
        ClientPacket::Subscribe(subscribe) => {
            let filters: Vec<&str> = subscribe
                .entries
                .iter()
                .map(|entry| entry.filter.as_str())
                .collect();
            format!("SUBSCRIBE id {} {filters:?}", subscribe.packet_id)
        }
        ClientPacket::Unsubscribe(unsubscribe) => {
            format!("UNSUBSCRIBE id {}", unsubscribe.packet_id)
        }
        ClientPacket::PingReq => "PINGREQ".to_owned(),
        ClientPacket::Disconnect(disconnect) => format!("DISCONNECT {}", disconnect.reason),
        ClientPacket::Auth(auth) => format!("AUTH {}", auth.reason),
    }
}

/// A packet of the server.
impl fmt::Display for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnAck(welcome) => {
                let present = if welcome.session_present {
                    ", session present"
                } else {
                    ""
                };
                write!(f, "CONNACK {}{present}", welcome.reason)
            }
            Self::Publish(message) => {
                write!(f, "PUBLISH {:?} QoS {}", message.topic, message.qos)?;
                if let Some(packet_id) = message.packet_id {
                    write!(f, " id {packet_id}")?;
                }
                for (set, flag) in [(message.retain, " retain"), (message.dup, " dup")] {
                    f.write_str(if set { flag } else { "" })?;
                }
                write!(f, ", {} bytes", message.payload.len())
            }
            Self::PubAck(outcome) => {
                write!(f, "PUBACK id {}: {}", outcome.packet_id, outcome.reason)
            }
            Self::PubRec(outcome) => {
                write!(f, "PUBREC id {}: {}", outcome.packet_id, outcome.reason)
            }
            Self::PubRel(packet_id) => write!(f, "PUBREL id {packet_id}"),
            Self::PubComp(packet_id) => write!(f, "PUBCOMP id {packet_id}"),
            Self::SubAck {
                packet_id, codes, ..
            } => write!(f, "SUBACK id {packet_id}: {codes:?}"),
            Self::PingResp => f.write_str("PINGRESP"),
            Self::Disconnect { reason, .. } => write!(f, "DISCONNECT {reason}"),
            Self::Unexpected(what) => f.write_str(what),
        }
    }
}
