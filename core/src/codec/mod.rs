//! Control packets as bytes, in both directions and all three versions. It does no IO and knows no broker, so it serves
//! clients, tools and tests as well.
//!
//! - **Decoding.** [`FromClient`] and [`FromServer`] take bytes as they arrive. They say how many they need, borrow from
//!   them what they return, and refuse what breaks a rule with a [`DecodeError`] that names field and rule. Everything
//!   is checked that one packet shows by itself; what depends on the packets before it (a second CONNECT, a topic alias,
//!   a packet identifier in use) is for the receiver.
//! - **Encoding.** [`ClientPacket::encode`] and [`ServerPacket::encode`] refuse whatever a decoder would refuse. The law:
//!   what was decoded can be encoded, and what was encoded is decoded to the same, but for what a version before 5.0
//!   does not know and leaves out.
//! - **The hot path** of a broker writes without asking: [`put_publish`], [`put_ack`] and their like take what was
//!   validated before.
//!
//! [`ClientPacket::encode`]: crate::packet::ClientPacket::encode
//! [`ServerPacket::encode`]: crate::packet::ServerPacket::encode
//!
//! # A client
//!
//! It connects and publishes; here the bytes go nowhere, and the answer is at hand.
//!
//! ```
//! use sanderling_core::{
//!     codec::{DecodeLimits, Decoded, FromServer},
//!     packet::{
//!         ClientPacket, Connect, PacketId, PropertiesBuf, Property, Publish, QoS, ServerPacket, Version,
//!     },
//!     reason::ReasonCode,
//! };
//!
//! let version = Version::V5;
//! let mut properties = PropertiesBuf::new();
//! properties.push(Property::SessionExpiryInterval(3600))?;
//! let connect = ClientPacket::Connect(Box::new(Connect {
//!     version,
//!     client_id: "thermometer",
//!     clean_start: true,
//!     keep_alive_s: 60,
//!     username: None,
//!     password: None,
//!     will: None,
//!     properties: properties.as_properties(),
//! }));
//! let mut to_send = Vec::new();
//! connect.encode(version, &mut to_send)?;
//!
//! // The server's bytes come in pieces. Keep what is not decoded, and ask again when there is more.
//! let limits = DecodeLimits { first_packet_bytes_max: 10_000, packet_bytes_max: 1_000_000 };
//! let mut decoder = FromServer::new(version, limits);
//! assert_eq!(decoder.decode(b"\x20\x06\x00")?, Decoded::Need(8));
//! let mut received: &[u8] = b"\x20\x06\x00\x00\x03\x21\x00\x0A\x40\x02\x00\x01";
//! let Decoded::Packet { packet, len } = decoder.decode(received)? else { panic!("all of it is there") };
//! let ServerPacket::ConnAck(connack) = packet else { panic!("a server answers with CONNACK") };
//! assert_eq!(connack.reason, ReasonCode::SUCCESS);
//! assert_eq!(connack.properties.receive_maximum(), Some(10));
//! received = &received[len..];
//!
//! let publish = Publish {
//!     topic: "house/cellar/temperature",
//!     payload: b"11.5",
//!     qos: QoS::AtLeastOnce,
//!     retain: true,
//!     dup: false,
//!     packet_id: PacketId::new(1),
//!     properties: Default::default(),
//! };
//! to_send.clear();
//! ClientPacket::Publish(publish).encode(version, &mut to_send)?;
//!
//! let Decoded::Packet { packet: ServerPacket::PubAck(ack), .. } = decoder.decode(received)? else {
//!     panic!("a server acknowledges");
//! };
//! assert_eq!((ack.packet_id.get(), ack.reason), (1, ReasonCode::SUCCESS));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Bytes that are no MQTT
//!
//! ```
//! use sanderling_core::codec::{DecodeLimits, FromClient};
//!
//! let limits = DecodeLimits { first_packet_bytes_max: 10_000, packet_bytes_max: 1_000_000 };
//! let error = FromClient::new(limits).decode(b"\x10\x0D\0\x04MQTT\x04\x03\0\x3C\0\x01c").unwrap_err();
//! assert_eq!(error.rule(), "MQTT-3.1.2-3");
//! assert_eq!(
//!     error.to_string(),
//!     "MQTT 3.1.1 CONNECT, connect flags: has a reserved bit set [MQTT-3.1.2-3]",
//! );
//! ```

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod ack;
mod acks;
mod check;
mod connect;
mod decode;
mod encode;
mod error;
mod fixed_header;
mod ping;
mod properties;
mod publish;
mod read;
mod reasons;
mod rule;
mod run;
mod subscribe;
mod write;

pub(crate) use ack::ack_len;
pub use ack::put_ack;
pub use acks::Acks;
pub use decode::{DecodeLimits, Decoded, FromClient, FromServer, decode_again};
pub use encode::EncodeError;
pub use error::{DecodeError, DecodeErrorKind};
pub use ping::put_pingresp;
pub use publish::{PublishForm, publish_len, put_publish};
pub use run::Run;
pub use subscribe::{put_suback, put_unsuback};
pub(crate) use write::variable_len;
