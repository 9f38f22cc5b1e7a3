//! The thread that reads the socket.

use super::{ClientError, event::Report, socket::Socket};
use std::{
    io::{ErrorKind, Read},
    sync::mpsc::SyncSender,
    thread,
};

/// Bytes of one report.
const CHUNK_BYTES: usize = 64 << 10;

/// Reads `socket` on a thread of its own until it ends; the last report is `Ended`.
pub(super) fn start(socket: Socket, reports: SyncSender<Report>) -> Result<(), ClientError> {
    thread::Builder::new()
        .name("reader".to_owned())
        .spawn(move || {
            let last = read(socket, &reports);
            // Nobody listens once the main thread has given up.
            let _ = reports.send(last);
        })
        .map_err(ClientError::System)?;
    Ok(())
}

fn read(mut socket: Socket, reports: &SyncSender<Report>) -> Report {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match socket.read(&mut chunk) {
            Ok(0) => return Report::Ended(None),
            Ok(len) => {
                if reports.send(Report::Bytes(chunk[..len].to_vec())).is_err() {
                    return Report::Ended(None);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Report::Ended(Some(error)),
        }
    }
}
