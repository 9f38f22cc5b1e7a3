//! From bytes to packets, as they arrive. [MQTT 5.0, 2 and 3]

use super::{
    DecodeError, DecodeErrorKind as Kind, ack,
    acks::Acks,
    connect,
    error::{Fault, Sender},
    fixed_header::{self, FixedHeader, PublishFlags},
    publish,
    read::Reader,
    run::{KnownTopic, Run},
    subscribe,
};
use crate::packet::{ClientPacket, PacketType, Publish, ServerPacket, Version};
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
    topic: KnownTopic,
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
            topic: KnownTopic::none(),
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
        try_decode(self.limits, &mut self.version, None, bytes)
            .map_err(|fault| error(fault, bytes, self.version, Sender::Client))
    }

    /// The same, and quicker for a publisher that publishes to one topic again and again: that its name is one is found
    /// out once, and the name of the packet then borrows from the decoder.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    #[inline]
    pub fn decode_lending<'a>(
        &'a mut self,
        bytes: &'a [u8],
    ) -> Result<Decoded<ClientPacket<'a>>, DecodeError> {
        let Self {
            limits,
            version,
            topic,
        } = self;
        try_decode(*limits, version, Some(topic), bytes)
            .map_err(|fault| error(fault, bytes, *version, Sender::Client))
    }

    /// The messages in a row that `bytes` begin with, if they go to the topic of the PUBLISH that was decoded
    /// [last](Self::decode_lending). None otherwise: what is there is then to be decoded.
    #[inline]
    pub fn run<'a>(&'a self, bytes: &'a [u8]) -> Option<Run<'a>> {
        self.topic
            .run(self.version?, self.limits.packet_bytes_max, bytes)
    }

    /// The acknowledgements that `bytes` begin with, if they are in their shortest form. None otherwise: what is there is
    /// then to be decoded.
    #[inline]
    pub fn acks<'a>(&self, bytes: &'a [u8]) -> Option<Acks<'a>> {
        self.version?;
        Acks::first_of(bytes, self.limits.packet_bytes_max)
    }
}

#[inline]
fn try_decode<'a>(
    limits: DecodeLimits,
    version: &mut Option<Version>,
    known: Option<&'a mut KnownTopic>,
    bytes: &'a [u8],
) -> Result<Decoded<ClientPacket<'a>>, Fault> {
    const SENDER: Sender = Sender::Client;
    let Some(&first) = bytes.first() else {
        return Ok(Decoded::Need(FIXED_HEADER_LEN_MIN));
    };
    let bytes_max = limits.packet_bytes_max;
    match *version {
        None => decode_first(limits, version, first, bytes),
        Some(version) if fixed_header::is_publish(first) => {
            let packet = ClientPacket::Publish;
            decode_publish(first, bytes, version, SENDER, bytes_max, known, packet)
        }
        Some(version) => decode_from_client(first, bytes, version, bytes_max),
    }
}

/// A CONNECT, or what should be one. [MQTT-3.1.0-1]
fn decode_first<'a>(
    limits: DecodeLimits,
    version: &mut Option<Version>,
    first: u8,
    bytes: &'a [u8],
) -> Result<Decoded<ClientPacket<'a>>, Fault> {
    if fixed_header::packet_type(first) != Some(PacketType::Connect) {
        return Err(Kind::NotConnect.of("packet type"));
    }
    fixed_header::check_flags(PacketType::Connect, first, None)?;
    let (header, mut body) = match frame(bytes, limits.first_packet_bytes_max)? {
        Frame::Complete(header, body) => (header, body),
        Frame::Need(len) => return Ok(Decoded::Need(len)),
    };
    let asked = connect::read_version(&mut body)?;
    *version = Some(asked);
    header.check_length(asked)?;
    let connect = connect::read(asked, body)?;
    let packet = ClientPacket::Connect(Box::new(connect));
    let len = header.packet_len();
    Ok(Decoded::Packet { packet, len })
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

    #[inline]
    fn try_decode<'a>(&mut self, bytes: &'a [u8]) -> Result<Decoded<ServerPacket<'a>>, Fault> {
        let Some(&first) = bytes.first() else {
            return Ok(Decoded::Need(FIXED_HEADER_LEN_MIN));
        };
        let (version, bytes_max) = (self.version, self.limits.packet_bytes_max);
        if self.is_first {
            return self.decode_first(first, bytes);
        }
        if fixed_header::is_publish(first) {
            let sender = Sender::Server;
            return decode_publish(
                first,
                bytes,
                version,
                sender,
                bytes_max,
                None,
                ServerPacket::Publish,
            );
        }
        decode_from_server(first, bytes, version, bytes_max)
    }

    /// A CONNACK, or an AUTH that comes before it. [MQTT-3.2.0-1]
    fn decode_first<'a>(
        &mut self,
        first: u8,
        bytes: &'a [u8],
    ) -> Result<Decoded<ServerPacket<'a>>, Fault> {
        let packet = fixed_header::packet_type(first);
        if !matches!(packet, Some(PacketType::ConnAck | PacketType::Auth)) {
            return Err(Kind::NotConnAck.of("packet type"));
        }
        let bytes_max = self.limits.first_packet_bytes_max;
        let decoded = decode_from_server(first, bytes, self.version, bytes_max)?;
        if let Decoded::Packet { packet, .. } = &decoded {
            self.is_first = !matches!(packet, ServerPacket::ConnAck(_));
        }
        Ok(decoded)
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
    let mut version = (!is_connect).then_some(version);
    let decoded = try_decode(limits, &mut version, None, packet);
    match decoded.map_err(|fault| error(fault, packet, version, Sender::Client)) {
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
    let too_large = match fault.kind {
        Kind::TooLarge => FixedHeader::read(bytes).ok().flatten(),
        _ => None,
    };
    DecodeError {
        fault,
        packet: bytes
            .first()
            .and_then(|&first| fixed_header::packet_type(first)),
        version,
        sender,
        packet_bytes: too_large.map_or(0, |header| header.packet_len() as u32),
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
        return Ok(Frame::Need(
            FIXED_HEADER_LEN_MIN.max(bytes.len().saturating_add(1)),
        ));
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

/// The hot path: no table, no copy, the same for both directions.
#[inline(always)]
fn decode_publish<'a, P>(
    first: u8,
    bytes: &'a [u8],
    version: Version,
    sender: Sender,
    bytes_max: u32,
    known: Option<&'a mut KnownTopic>,
    packet: impl FnOnce(Publish<'a>) -> P,
) -> Result<Decoded<P>, Fault> {
    let flags = PublishFlags::parse(first, version)?;
    let (header, body) = match frame(bytes, bytes_max)? {
        Frame::Complete(header, body) => (header, body),
        Frame::Need(len) => return Ok(Decoded::Need(len)),
    };
    header.check_length(version)?;
    Ok(Decoded::Packet {
        packet: packet(publish::read(version, sender, flags, known, body)?),
        len: header.packet_len(),
    })
}

/// Any packet of a client but PUBLISH, once its version is known.
fn decode_from_client(
    first: u8,
    bytes: &[u8],
    version: Version,
    bytes_max: u32,
) -> Result<Decoded<ClientPacket<'_>>, Fault> {
    const SENDER: Sender = Sender::Client;
    let packet = check_first_byte(first, version, SENDER)?;
    let (header, mut body) = match frame(bytes, bytes_max)? {
        Frame::Complete(header, body) => (header, body),
        Frame::Need(len) => return Ok(Decoded::Need(len)),
    };
    let len = header.packet_len();
    if packet == PacketType::Connect {
        let version = connect::read_version(&mut body)?;
        header.check_length(version)?;
        let packet = ClientPacket::Connect(Box::new(connect::read(version, body)?));
        return Ok(Decoded::Packet { packet, len });
    }
    header.check_length(version)?;
    let packet = match packet {
        PacketType::PubAck => ClientPacket::PubAck(ack::read(packet, version, SENDER, body)?),
        PacketType::PubRec => ClientPacket::PubRec(ack::read(packet, version, SENDER, body)?),
        PacketType::PubRel => ClientPacket::PubRel(ack::read(packet, version, SENDER, body)?),
        PacketType::PubComp => ClientPacket::PubComp(ack::read(packet, version, SENDER, body)?),
        PacketType::PingReq => {
            body.end()?;
            ClientPacket::PingReq
        }
        PacketType::Subscribe => ClientPacket::Subscribe(Box::new(subscribe::read(version, body)?)),
        PacketType::Unsubscribe => {
            ClientPacket::Unsubscribe(Box::new(subscribe::read_unsubscribe(version, body)?))
        }
        PacketType::Disconnect => {
            ClientPacket::Disconnect(ack::read_disconnect(version, SENDER, body)?)
        }
        PacketType::Auth => ClientPacket::Auth(ack::read_auth(SENDER, body)?),
        packet => unreachable!("the first byte of {packet} was checked"),
    };
    Ok(Decoded::Packet { packet, len })
}

/// Any packet of a server but PUBLISH.
fn decode_from_server(
    first: u8,
    bytes: &[u8],
    version: Version,
    bytes_max: u32,
) -> Result<Decoded<ServerPacket<'_>>, Fault> {
    const SENDER: Sender = Sender::Server;
    let packet = check_first_byte(first, version, SENDER)?;
    let (header, body) = match frame(bytes, bytes_max)? {
        Frame::Complete(header, body) => (header, body),
        Frame::Need(len) => return Ok(Decoded::Need(len)),
    };
    header.check_length(version)?;
    let packet = match packet {
        PacketType::ConnAck => ServerPacket::ConnAck(connect::read_ack(version, body)?),
        PacketType::PubAck => ServerPacket::PubAck(ack::read(packet, version, SENDER, body)?),
        PacketType::PubRec => ServerPacket::PubRec(ack::read(packet, version, SENDER, body)?),
        PacketType::PubRel => ServerPacket::PubRel(ack::read(packet, version, SENDER, body)?),
        PacketType::PubComp => ServerPacket::PubComp(ack::read(packet, version, SENDER, body)?),
        PacketType::PingResp => {
            body.end()?;
            ServerPacket::PingResp
        }
        PacketType::SubAck => ServerPacket::SubAck(subscribe::read_suback(version, body)?),
        PacketType::UnsubAck => ServerPacket::UnsubAck(subscribe::read_unsuback(version, body)?),
        PacketType::Disconnect => {
            ServerPacket::Disconnect(ack::read_disconnect(version, SENDER, body)?)
        }
        PacketType::Auth => ServerPacket::Auth(ack::read_auth(SENDER, body)?),
        packet => unreachable!("the first byte of {packet} was checked"),
    };
    let len = header.packet_len();
    Ok(Decoded::Packet { packet, len })
}

/// Checks type, direction and flags, all of which stand in the first byte.
fn check_first_byte(first: u8, version: Version, sender: Sender) -> Result<PacketType, Fault> {
    const FIELD: &str = "packet type";
    let packet = fixed_header::packet_type(first).ok_or(Kind::PacketType.of(FIELD))?;
    let is_legal = match packet {
        PacketType::Connect
        | PacketType::Subscribe
        | PacketType::Unsubscribe
        | PacketType::PingReq => sender == Sender::Client,
        PacketType::ConnAck | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => {
            sender == Sender::Server
        }
        PacketType::Disconnect => sender == Sender::Client || version == Version::V5,
        PacketType::Auth if version != Version::V5 => {
            return Err(Kind::PacketType.of(FIELD));
        }
        _ => true,
    };
    if !is_legal {
        return Err(Kind::Direction.of(FIELD));
    }
    fixed_header::check_flags(packet, first, Some(version))?;
    Ok(packet)
}
