//! The codec in both directions. For any bytes, in any split:
//! - nothing panics;
//! - what is decoded can be encoded, with the length foretold, and is then decoded to the same packet;
//! - `Need` never asks for bytes that are there, and no packet comes before those it asks for;
//! - packets and errors do not depend on how the bytes were split.
//!
//! The input is two bytes that choose, then the stream. See [`Choice`].

use sanderling_core::{
    codec::{DecodeError, DecodeLimits, Decoded, EncodeError, FromClient, FromServer},
    packet::{ClientPacket, ServerPacket, Version},
};
use std::fmt::Debug;

/// What the first two bytes of an input mean.
#[derive(Clone, Copy)]
pub(crate) struct Choice {
    /// What the client of a server's stream asked for. A client's own stream says it itself.
    pub(crate) version: Version,
    /// Whether the limits are so low that ordinary packets reach them.
    pub(crate) low_limits: bool,
    /// Which split is tried.
    pub(crate) split: u8,
}

impl Choice {
    const LOW_LIMITS: u8 = 4;

    fn of_bytes([first, split]: [u8; 2]) -> Self {
        let version = match first & 3 {
            0 => Version::V31,
            1 => Version::V311,
            _ => Version::V5,
        };
        let low_limits = first & Self::LOW_LIMITS != 0;
        Self {
            version,
            low_limits,
            split,
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; 2] {
        let low_limits = if self.low_limits { Self::LOW_LIMITS } else { 0 };
        [self.version as u8 | low_limits, self.split]
    }

    fn limits(self) -> DecodeLimits {
        let (first_packet_bytes_max, packet_bytes_max) = match self.low_limits {
            true => (40, 24),
            false => (16 << 10, 1 << 20),
        };
        DecodeLimits {
            first_packet_bytes_max,
            packet_bytes_max,
        }
    }
}

/// What a client sends.
pub fn decode_client(input: &[u8]) {
    if let Some((choice, stream)) = cut(input) {
        check(&FromClient::new(choice.limits()), choice.split, stream);
    }
}

/// What a server sends.
pub fn decode_server(input: &[u8]) {
    if let Some((choice, stream)) = cut(input) {
        let decoder = FromServer::new(choice.version, choice.limits());
        check(
            &Server {
                decoder,
                version: choice.version,
            },
            choice.split,
            stream,
        );
    }
}

fn cut(input: &[u8]) -> Option<(Choice, &[u8])> {
    let (choice, stream) = input.split_first_chunk()?;
    Some((Choice::of_bytes(*choice), stream))
}

/// A decoder of either direction.
trait Decode: Clone {
    type Packet<'a>: Debug;

    fn decode<'a>(&mut self, bytes: &'a [u8]) -> Result<Decoded<Self::Packet<'a>>, DecodeError>;

    fn equal(a: &Self::Packet<'_>, b: &Self::Packet<'_>) -> bool;

    /// Appends the packet and foretells its length, as the sender with which `self` is connected.
    fn encode(&self, packet: &Self::Packet<'_>, out: &mut Vec<u8>) -> Result<usize, EncodeError>;
}

impl Decode for FromClient {
    type Packet<'a> = ClientPacket<'a>;

    fn decode<'a>(&mut self, bytes: &'a [u8]) -> Result<Decoded<ClientPacket<'a>>, DecodeError> {
        self.decode(bytes)
    }

    fn equal(a: &ClientPacket<'_>, b: &ClientPacket<'_>) -> bool {
        a == b
    }

    fn encode(&self, packet: &ClientPacket<'_>, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
        let version = self.version().expect("a packet was decoded");
        packet.encode(version, out)?;
        packet.encoded_len(version)
    }
}

/// A decoder that remembers its version.
#[derive(Clone)]
struct Server {
    decoder: FromServer,
    version: Version,
}

impl Decode for Server {
    type Packet<'a> = ServerPacket<'a>;

    fn decode<'a>(&mut self, bytes: &'a [u8]) -> Result<Decoded<ServerPacket<'a>>, DecodeError> {
        self.decoder.decode(bytes)
    }

    fn equal(a: &ServerPacket<'_>, b: &ServerPacket<'_>) -> bool {
        a == b
    }

    fn encode(&self, packet: &ServerPacket<'_>, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
        packet.encode(self.version, out)?;
        packet.encoded_len(self.version)
    }
}

/// What a stream is to a decoder: its packets, encoded again, each with the length it had, and how it ends.
#[derive(Debug, Default, PartialEq)]
struct Transcript {
    packets: Vec<(usize, Vec<u8>)>,
    error: Option<DecodeError>,
}

fn check<D: Decode>(decoder: &D, split: u8, stream: &[u8]) {
    let whole = read(decoder.clone(), stream, |_| stream.len());
    let mut lengths = Lengths(u32::from(split));
    let parts = read(decoder.clone(), stream, |received| {
        received + lengths.next()
    });
    assert_eq!(whole, parts, "the split shows");
}

/// Reads a stream as a driver does. `receive` says how many bytes are there after the next ones came.
fn read<D: Decode>(
    mut decoder: D,
    stream: &[u8],
    mut receive: impl FnMut(usize) -> usize,
) -> Transcript {
    let mut transcript = Transcript::default();
    let (mut start, mut received, mut need) = (0, 0, 0);
    loop {
        let bytes = &stream[start..received];
        let before = decoder.clone();
        match decoder.decode(bytes) {
            Ok(Decoded::Packet { packet, len }) => {
                assert!(
                    need <= bytes.len(),
                    "a packet of {} bytes came before {need}",
                    bytes.len()
                );
                assert!((2..=bytes.len()).contains(&len), "a length of {len}");
                transcript
                    .packets
                    .push((len, round_trip(before, &decoder, &packet)));
                (start, need) = (start + len, 0);
            }
            Ok(Decoded::Need(total)) => {
                assert!(
                    total > bytes.len(),
                    "{total} are needed and {} are there",
                    bytes.len()
                );
                assert!(total >= need, "{need} were needed, then {total}");
                need = total;
                if received == stream.len() {
                    return transcript;
                }
                received = receive(received).min(stream.len());
            }
            Err(error) => {
                transcript.error = Some(error);
                return transcript;
            }
        }
    }
}

/// Encodes the packet that brought `before` to `after`, and decodes it again.
fn round_trip<D: Decode>(mut before: D, after: &D, packet: &D::Packet<'_>) -> Vec<u8> {
    let mut encoded = Vec::new();
    match after.encode(packet, &mut encoded) {
        Ok(len) => assert_eq!(len, encoded.len(), "the length of {packet:?}"),
        Err(error) => panic!("{packet:?} was decoded, but: {error}"),
    }
    match before.decode(&encoded) {
        Ok(Decoded::Packet { packet: again, len }) => {
            assert_eq!(len, encoded.len());
            assert!(D::equal(&again, packet), "{again:?} was {packet:?}");
        }
        other => panic!("{packet:?} was encoded and decoded to {other:?}"),
    }
    encoded
}

/// Lengths of parts, from a seed: 0 gives single bytes, others a mixture of short and long.
struct Lengths(u32);

impl Lengths {
    fn next(&mut self) -> usize {
        if self.0 == 0 {
            return 1;
        }
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        1 + (self.0 >> 8) as usize % (1 << (self.0 % 9))
    }
}
