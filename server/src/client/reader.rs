//! The thread that turns the bytes of the server into events.

use super::{
    ClientError,
    event::{Event, Incoming},
};
use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromServer},
    packet::Version,
};
use std::{
    io::{ErrorKind, Read},
    net::TcpStream,
    sync::mpsc::SyncSender,
    thread,
};

/// The longest packet there can be: a remaining length of 268,435,455 and five bytes before it. [MQTT 5.0, 2.1.4]
const PACKET_BYTES_MAX: u32 = 268_435_455 + 5;

/// Reads `stream` on a thread of its own until it ends; the last event is `Ended`.
pub(super) fn start(
    stream: TcpStream,
    version: Version,
    peer: String,
    events: SyncSender<Event>,
) -> Result<(), ClientError> {
    thread::Builder::new()
        .name("reader".to_owned())
        .spawn(move || {
            let error = read_packets(stream, version, peer, &events);
            // Nobody listens once the main thread has given up.
            let _ = events.send(Event::Ended(error));
        })
        .map_err(ClientError::System)?;
    Ok(())
}

fn read_packets(
    mut stream: impl Read,
    version: Version,
    peer: String,
    events: &SyncSender<Event>,
) -> ClientError {
    let mut decoder = FromServer::new(
        version,
        DecodeLimits {
            first_packet_bytes_max: PACKET_BYTES_MAX,
            packet_bytes_max: PACKET_BYTES_MAX,
        },
    );
    let mut chunk = vec![0; 64 << 10];
    let mut buffer = Vec::new();
    loop {
        let mut taken = 0;
        loop {
            match decoder.decode(&buffer[taken..]) {
                Ok(Decoded::Packet { packet, len }) => {
                    taken += len;
                    if events
                        .send(Event::Received(Incoming::from(packet)))
                        .is_err()
                    {
                        return ClientError::Lost { peer, cause: None };
                    }
                }
                Ok(Decoded::Need(_)) => break,
                Err(error) => {
                    let what = error.to_string();
                    return ClientError::Protocol { peer, what };
                }
            }
        }
        buffer.drain(..taken);
        match stream.read(&mut chunk) {
            Ok(0) => return ClientError::Lost { peer, cause: None },
            Ok(len) => buffer.extend_from_slice(&chunk[..len]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                return ClientError::Lost {
                    peer,
                    cause: Some(error),
                };
            }
        }
    }
}
