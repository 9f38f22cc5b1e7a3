//! MQTT bytes of the server become packets.

use super::event::Incoming;
use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromServer},
    packet::Version,
};

/// The longest packet there can be: a remaining length of 268,435,455 and five bytes before it. [MQTT 5.0, 2.1.4]
const PACKET_BYTES_MAX: u32 = 268_435_455 + 5;

pub(super) struct Packets {
    decoder: FromServer,
    buffer: Vec<u8>,
    /// Bytes at the front of the buffer that are decoded.
    taken: usize,
    /// No packet was decoded yet.
    is_first: bool,
}

/// Bytes that are no packet, in words that follow the name of the server.
#[derive(Debug)]
pub(super) enum Wrong {
    /// Another protocol is spoken there.
    Foreign(&'static str),
    /// A rule is broken.
    Malformed(String),
}

impl Packets {
    pub(super) fn new(version: Version) -> Self {
        let limits = DecodeLimits {
            first_packet_bytes_max: PACKET_BYTES_MAX,
            packet_bytes_max: PACKET_BYTES_MAX,
        };
        Self {
            decoder: FromServer::new(version, limits),
            buffer: Vec::new(),
            taken: 0,
            is_first: true,
        }
    }

    /// Where received bytes are appended.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        self.buffer.drain(..std::mem::take(&mut self.taken));
        &mut self.buffer
    }

    /// The next packet that is whole.
    ///
    /// # Errors
    /// What a server must not send.
    pub(super) fn next(&mut self) -> Result<Option<Incoming>, Wrong> {
        let waiting = &self.buffer[self.taken..];
        match self.decoder.decode(waiting) {
            Ok(Decoded::Packet { packet, len }) => {
                let packet = Incoming::from(packet);
                self.taken += len;
                self.is_first = false;
                Ok(Some(packet))
            }
            Ok(Decoded::Need(_)) => Ok(None),
            Err(error) => Err(match foreign(waiting) {
                Some(what) if self.is_first => Wrong::Foreign(what),
                _ => Wrong::Malformed(error.to_string()),
            }),
        }
    }
}

/// What another protocol answers to MQTT.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    // An alert, of whichever version.
    if bytes.starts_with(&[0x15, 0x03]) {
        return Some("answers in TLS: give --cafile FILE, or --tls-use-os-certs");
    }
    bytes
        .starts_with(b"HTTP/")
        .then_some("answers in HTTP: for WebSocket, give -L ws://HOST:PORT/PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_protocol_is_recognized() {
        for (bytes, part) in [
            (&b"\x15\x03\x03\x00\x02\x02\x0a"[..], "--cafile"),
            (b"HTTP/1.1 400 Bad Request\r\n", "ws://"),
        ] {
            let mut packets = Packets::new(Version::V5);
            packets.buffer().extend_from_slice(bytes);
            let wrong = packets.next().unwrap_err();
            assert!(
                matches!(wrong, Wrong::Foreign(what) if what.contains(part)),
                "{wrong:?}"
            );
        }
    }
}
