//! From bytes to packets, as they arrive. [MQTT 5.0, 2 and 3]

use super::{
    DecodeError, DecodeErrorKind as Kind, ack, connect,
    error::{Fault, Sender},
    fixed_header::{self, FixedHeader},
    publish,
    read::Reader,
    subscribe,
};
use crate::packet::{ClientPacket, PacketType, ServerPacket, Version};
use alloc::boxed::Box;
use bytes::Bytes;

/// How long packets may be, fixed header included. A longer one is refused as soon as its length is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DecodeLimits {
    /// Bytes of the first packet: CONNECT from a client, CONNACK or AUTH from a server.
    pub first_packet_bytes_max: u32,
    /// Bytes of every other packet.
    pub packet_bytes_max: u32,
}

/// What the first bytes of a slice are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decoded<P> {
    /// A complete packet.
    Packet {
        /// It borrows from the slice.
        packet: P,
        /// How many bytes it takes; the next packet begins behind them.
        len: usize,
    },
    /// The beginning of a packet. Fewer bytes than this, counted from the start of the slice, change nothing.
    Need(usize),
}

/// Decodes what a client sends. It insists on CONNECT first and learns the version from it.
///
/// After an error nothing more can be decoded from the connection.
#[derive(Clone, Debug)]
pub struct FromClient {
    limits: DecodeLimits,
    version: Option<Version>,
}

/// Decodes what a server sends to a client of one version. It insists on CONNACK first, or AUTH in 5.0.
///
/// After an error nothing more can be decoded from the connection.
#[derive(Clone, Debug)]
pub struct FromServer {
    limits: DecodeLimits,
    version: Version,
    is_first: bool,
}

impl FromClient {
    /// A decoder for a new connection.
    pub const fn new(limits: DecodeLimits) -> Self {
        Self {
            limits,
            version: None,
        }
    }

    /// The version that the first CONNECT asked for; `None` before it came.
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Decodes the packet that `bytes` begin with.
    ///
    /// The caller keeps what is not decoded, puts received bytes behind it, and calls again once there are as many as
    /// [`Decoded::Need`] says. Then the work is linear in the number of bytes, however they are split. Memory is taken
    /// only for filters that are there, never for what a length promises.
    ///
    /// A second CONNECT is decoded like any other packet; to refuse it is for the receiver. [MQTT-3.1.0-2]
    ///
    /// # Errors
    /// The rule that is broken, and by which field.
    #[inline]
    pub fn decode<'a>(
        &mut self,
        bytes: &'a [u8],
    ) -> Result<Decoded<ClientPacket<'a>>, DecodeError> {
        self.try_decode(bytes)
            .map_err(|fault| error(fault, bytes, self.version, Sender::Client))
    }

    fn try_decode<'a>(&mut self, bytes: &'a [u8]) -> Result<Decoded<ClientPacket<'a>>, Fault> {
        let Some(&first) = bytes.first() else {
            return Ok(Decoded::Need(FIXED_HEADER_LEN_MIN));
        };
        let packet = check_first_byte(first, self.version, Sender::Client)?;
        let bytes_max = match self.version {
            None if packet != PacketType::Connect => {
                return Err(Kind::NotConnect.of("packet type"));
            }
            None => self.limits.first_packet_bytes_max,
            Some(_) => self.limits.packet_bytes_max,
        };
        let (header, mut body) = match frame(bytes, bytes_max)? {
            Frame::Complete(header, body) => (header, body),
            Frame::Need(len) => return Ok(Decoded::Need(len)),
        };
        let version = match packet {
            PacketType::Connect => {
                let version = connect::read_version(&mut body)?;
                self.version.get_or_insert(version);
                version
            }
            _ => self.version.expect("only CONNECT comes without a version"),
        };
        header.check_length(version)?;
        let packet = read_from_client(packet, version, header.flags(), body)?;
        let len = header.packet_len();
        Ok(Decoded::Packet { packet, len })
    }
}

impl FromServer {
    /// A decoder for a new connection on which the client asked for `version`.
    pub const fn new(version: Version, limits: DecodeLimits) -> Self {
        Self {
            limits,
            version,
            is_first: true,
        }
    }

    /// Decodes the packet that `bytes` begin with, as [`FromClient::decode`] does. A second CONNACK is decoded like any
    /// other packet. [MQTT-3.2.0-2]
    ///
    /// # Errors
    /// The rule that is broken, and by which field.
    #[inline]
    pub fn decode<'a>(
        &mut self,
        bytes: &'a [u8],
    ) -> Result<Decoded<ServerPacket<'a>>, DecodeError> {
        self.try_decode(bytes)
            .map_err(|fault| error(fault, bytes, Some(self.version), Sender::Server))
    }

    fn try_decode<'a>(&mut self, bytes: &'a [u8]) -> Result<Decoded<ServerPacket<'a>>, Fault> {
        let Some(&first) = bytes.first() else {
            return Ok(Decoded::Need(FIXED_HEADER_LEN_MIN));
        };
        let packet = check_first_byte(first, Some(self.version), Sender::Server)?;
        let bytes_max = if self.is_first {
            if !matches!(packet, PacketType::ConnAck | PacketType::Auth) {
                return Err(Kind::NotConnAck.of("packet type"));
            }
            self.limits.first_packet_bytes_max
        } else {
            self.limits.packet_bytes_max
        };
        let (header, body) = match frame(bytes, bytes_max)? {
            Frame::Complete(header, body) => (header, body),
            Frame::Need(len) => return Ok(Decoded::Need(len)),
        };
        header.check_length(self.version)?;
        self.is_first &= packet != PacketType::ConnAck;
        let packet = read_from_server(packet, self.version, header.flags(), body)?;
        let len = header.packet_len();
        Ok(Decoded::Packet { packet, len })
    }
}

/// Decodes once more one complete packet of a client that this codec decoded or encoded before. `version` is that of
/// the connection; a CONNECT has its own.
///
/// # Panics
/// `packet` is not one complete and well-formed packet.
pub fn decode_again(packet: &Bytes, version: Version) -> ClientPacket<'_> {
    let limits = DecodeLimits {
        first_packet_bytes_max: u32::MAX,
        packet_bytes_max: u32::MAX,
    };
    let is_connect = packet.first().is_some_and(|first| first >> 4 == 1);
    let mut decoder = FromClient {
        limits,
        version: (!is_connect).then_some(version),
    };
    match decoder.decode(packet) {
        Ok(Decoded::Packet {
            packet: decoded,
            len,
        }) if len == packet.len() => decoded,
        Ok(Decoded::Packet { len, .. }) => {
            panic!(
                "decode_again: the packet of {len} bytes came with {} bytes",
                packet.len()
            )
        }
        Ok(Decoded::Need(len)) => {
            panic!(
                "decode_again: {} bytes of a packet that has {len} or more",
                packet.len()
            )
        }
        Err(error) => panic!("decode_again: bytes that were never decoded: {error}"),
    }
}

/// A first byte and a remaining length of one byte.
const FIXED_HEADER_LEN_MIN: usize = 2;

#[cold]
fn error(fault: Fault, bytes: &[u8], version: Option<Version>, sender: Sender) -> DecodeError {
    DecodeError {
        fault,
        packet: bytes
            .first()
            .and_then(|&first| fixed_header::packet_type(first)),
        version,
        sender,
    }
}

enum Frame<'a> {
    /// The packet is complete.
    Complete(FixedHeader, Reader<'a>),
    /// It is not, and will not be before there are so many bytes.
    Need(usize),
}

/// Cuts the first packet off.
#[inline]
fn frame(bytes: &[u8], bytes_max: u32) -> Result<Frame<'_>, Fault> {
    let Some(header) = FixedHeader::read(bytes)? else {
        return Ok(Frame::Need(FIXED_HEADER_LEN_MIN.max(bytes.len() + 1)));
    };
    let len = header.packet_len();
    if len > bytes_max as usize {
        return Err(Kind::TooLarge.of("remaining length"));
    }
    match bytes.get(header.len..len) {
        Some(body) => Ok(Frame::Complete(header, Reader::new(body))),
        None => Ok(Frame::Need(len)),
    }
}

/// Checks type, direction and flags, all of which stand in the first byte.
#[inline]
fn check_first_byte(
    first: u8,
    version: Option<Version>,
    sender: Sender,
) -> Result<PacketType, Fault> {
    const FIELD: &str = "packet type";
    let packet = fixed_header::packet_type(first).ok_or(Kind::PacketType.of(FIELD))?;
    let before_5 = matches!(version, Some(Version::V31 | Version::V311));
    if before_5 && packet == PacketType::Auth {
        return Err(Kind::PacketType.of(FIELD));
    }
    let is_legal = match packet {
        PacketType::Connect
        | PacketType::Subscribe
        | PacketType::Unsubscribe
        | PacketType::PingReq => sender == Sender::Client,
        PacketType::ConnAck | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => {
            sender == Sender::Server
        }
        PacketType::Disconnect => sender == Sender::Client || !before_5,
        _ => true,
    };
    if !is_legal && version.is_some() {
        return Err(Kind::Direction.of(FIELD));
    }
    if version.is_some() || packet == PacketType::Connect {
        fixed_header::check_flags(packet, first & 0x0F, version)?;
    }
    Ok(packet)
}

#[inline]
fn read_from_client(
    packet: PacketType,
    version: Version,
    flags: u8,
    body: Reader<'_>,
) -> Result<ClientPacket<'_>, Fault> {
    let sender = Sender::Client;
    Ok(match packet {
        PacketType::Publish => ClientPacket::Publish(publish::read(version, sender, flags, body)?),
        PacketType::PubAck => ClientPacket::PubAck(ack::read(packet, version, sender, body)?),
        PacketType::PubRec => ClientPacket::PubRec(ack::read(packet, version, sender, body)?),
        PacketType::PubRel => ClientPacket::PubRel(ack::read(packet, version, sender, body)?),
        PacketType::PubComp => ClientPacket::PubComp(ack::read(packet, version, sender, body)?),
        PacketType::PingReq => {
            body.end()?;
            ClientPacket::PingReq
        }
        PacketType::Subscribe => ClientPacket::Subscribe(Box::new(subscribe::read(version, body)?)),
        PacketType::Unsubscribe => {
            ClientPacket::Unsubscribe(Box::new(subscribe::read_unsubscribe(version, body)?))
        }
        PacketType::Disconnect => {
            ClientPacket::Disconnect(ack::read_disconnect(version, sender, body)?)
        }
        PacketType::Auth => ClientPacket::Auth(ack::read_auth(sender, body)?),
        PacketType::Connect => ClientPacket::Connect(Box::new(connect::read(version, body)?)),
        PacketType::ConnAck | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => {
            unreachable!("the first byte was checked")
        }
    })
}

fn read_from_server(
    packet: PacketType,
    version: Version,
    flags: u8,
    body: Reader<'_>,
) -> Result<ServerPacket<'_>, Fault> {
    let sender = Sender::Server;
    Ok(match packet {
        PacketType::Publish => ServerPacket::Publish(publish::read(version, sender, flags, body)?),
        PacketType::PubAck => ServerPacket::PubAck(ack::read(packet, version, sender, body)?),
        PacketType::PubRec => ServerPacket::PubRec(ack::read(packet, version, sender, body)?),
        PacketType::PubRel => ServerPacket::PubRel(ack::read(packet, version, sender, body)?),
        PacketType::PubComp => ServerPacket::PubComp(ack::read(packet, version, sender, body)?),
        PacketType::PingResp => {
            body.end()?;
            ServerPacket::PingResp
        }
        PacketType::SubAck => ServerPacket::SubAck(subscribe::read_suback(version, body)?),
        PacketType::UnsubAck => ServerPacket::UnsubAck(subscribe::read_unsuback(version, body)?),
        PacketType::Disconnect => {
            ServerPacket::Disconnect(ack::read_disconnect(version, sender, body)?)
        }
        PacketType::Auth => ServerPacket::Auth(ack::read_auth(sender, body)?),
        PacketType::ConnAck => ServerPacket::ConnAck(connect::read_ack(version, body)?),
        PacketType::Connect
        | PacketType::Subscribe
        | PacketType::Unsubscribe
        | PacketType::PingReq => unreachable!("the first byte was checked"),
    })
}
