//! One TLS connection, server side.

use super::{certificates::Server, config::UsernameFrom, fault, identity};
use crate::pipeline::Arrival;
use rustls::{
    server::UnbufferedServerConnection,
    unbuffered::{
        ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError,
        UnbufferedStatus,
    },
};
use sanderling_core::broker::Fault;
use std::sync::Arc;

/// What sealing adds to a record of at most [`RECORD_BYTES`], and to spare.
const RECORD_OVERHEAD_BYTES: usize = 64;
/// Plain bytes of a full record.
const RECORD_BYTES: usize = 16 << 10;

/// One connection.
pub(in crate::pipeline) struct Session {
    tls: UnbufferedServerConnection,
    username_from: Option<UsernameFrom>,
    /// The beginning of a record, or of a handshake message over several.
    incomplete: Vec<u8>,
    is_established: bool,
    /// It failed: rustls must not be asked again.
    is_broken: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("is_established", &self.is_established)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A handshake that has not begun, with the certificates of now.
    pub(in crate::pipeline) fn new(server: &Server) -> Self {
        let tls = UnbufferedServerConnection::new(server.config())
            .expect("the configuration was checked when it was loaded");
        Self {
            tls,
            username_from: server.username_from(),
            incomplete: Vec::new(),
            is_established: false,
            is_broken: false,
        }
    }

    /// Opens what the client sent, which is altered on the way. `wire` gets what TLS itself has to say.
    pub(in crate::pipeline) fn receive(
        &mut self,
        input: &mut [u8],
        wire: &mut Vec<u8>,
        take: &mut dyn FnMut(Arrival<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.incomplete.is_empty() {
            let used = self.process(input, wire, take)?;
            self.incomplete.extend_from_slice(&input[used..]);
            return Ok(());
        }
        let mut bytes = core::mem::take(&mut self.incomplete);
        bytes.extend_from_slice(input);
        let used = self.process(&mut bytes, wire, take)?;
        if used < bytes.len() {
            bytes.drain(..used);
            self.incomplete = bytes;
        }
        Ok(())
    }

    /// Goes on until TLS wants more bytes; how many of these it is done with.
    fn process(
        &mut self,
        bytes: &mut [u8],
        wire: &mut Vec<u8>,
        take: &mut dyn FnMut(Arrival<'_>) -> Result<(), Fault>,
    ) -> Result<usize, Fault> {
        let mut used = 0;
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.tls.process_tls_records(&mut bytes[used..]);
            let goes_on = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(|error| fault::of(&error))?;
                        discard += record.discard;
                        take(Arrival::Plain(record.payload))?;
                    }
                    true
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    encode(&mut data, wire);
                    true
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    true
                }
                Ok(ConnectionState::PeerClosed) => {
                    take(Arrival::Closed)?;
                    true
                }
                // Early data is never offered.
                Ok(_) => false,
                Err(error) => {
                    self.put_alert(&mut bytes[used + discard..], wire);
                    return Err(fault::of(&error));
                }
            };
            used += discard;
            self.establish(take)?;
            if !goes_on {
                return Ok(used);
            }
        }
    }

    /// Tells once that the handshake is done, and who the client is.
    fn establish(
        &mut self,
        take: &mut dyn FnMut(Arrival<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.is_established || self.tls.is_handshaking() {
            return Ok(());
        }
        self.is_established = true;
        if let Some(certificate) = self.tls.peer_certificates().and_then(<[_]>::first) {
            let identity = identity::of(certificate, self.username_from)?;
            take(Arrival::Identified(Arc::new(identity)))?;
        }
        take(Arrival::Secured)
    }

    /// After an error TLS may have an alert to send; that is all it is good for then. What was not used of the bytes must
    /// be there as before, because rustls remembers where in them the pieces of a message stand. It must not look at them
    /// again, and does not while it has something to send.
    fn put_alert(&mut self, bytes: &mut [u8], wire: &mut Vec<u8>) {
        self.is_broken = true;
        // Before it there may be messages of a handshake that had begun.
        while self.tls.wants_write() {
            match self.tls.process_tls_records(bytes).state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, wire),
                _ => return,
            }
        }
    }

    /// Seals `plain` bytes and appends them to `wire`.
    pub(in crate::pipeline) fn seal(
        &mut self,
        plain: &[u8],
        wire: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if self.is_broken {
            return Err(fault::CANNOT_SEAL);
        }
        let records = plain.len() / RECORD_BYTES + 2;
        let start = wire.len();
        let mut room = plain.len() + records * RECORD_OVERHEAD_BYTES;
        loop {
            wire.resize(start + room, 0);
            let state = self.tls.process_tls_records(&mut self.incomplete).state;
            let sealed = match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    traffic.encrypt(plain, &mut wire[start..])
                }
                // Keys are renewed, or tickets are given out, before anything else.
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    wire.truncate(start);
                    encode(&mut data, wire);
                    return self.seal(plain, wire);
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    continue;
                }
                _ => Err(EncryptError::EncryptExhausted),
            };
            match sealed {
                Ok(len) => {
                    wire.truncate(start + len);
                    return Ok(());
                }
                Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => {
                    room = required_size;
                }
                Err(EncryptError::EncryptExhausted) => {
                    wire.truncate(start);
                    return Err(fault::CANNOT_SEAL);
                }
            }
        }
    }

    /// Says that nothing follows.
    pub(in crate::pipeline) fn close(&mut self, wire: &mut Vec<u8>) {
        if self.is_broken {
            return;
        }
        let start = wire.len();
        wire.resize(start + RECORD_OVERHEAD_BYTES, 0);
        let said = match self.tls.process_tls_records(&mut self.incomplete).state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                traffic.queue_close_notify(&mut wire[start..])
            }
            _ => Ok(0),
        };
        wire.truncate(start + said.unwrap_or(0));
    }
}

fn encode<Data>(data: &mut EncodeTlsData<'_, Data>, wire: &mut Vec<u8>) {
    let start = wire.len();
    let mut encoded = data.encode(&mut []);
    if let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) = encoded {
        wire.resize(start + required_size, 0);
        encoded = data.encode(&mut wire[start..]);
    }
    wire.truncate(start + encoded.unwrap_or(0));
}
