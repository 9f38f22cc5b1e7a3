//! A TCP connection as the engine wants it.

use mio::net::TcpStream;
use sanderling_runtime::engine::Socket;
use std::{
    io::{self, IoSlice, Read, Write},
    net::Shutdown,
};

#[derive(Debug)]
pub(crate) struct Stream(pub(crate) TcpStream);

impl Socket for Stream {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }

    #[inline]
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [slice] => self.0.write(slice),
            slices => self.0.write_vectored(slices),
        }
    }

    fn shut_down_writing(&mut self) {
        // A connection that is gone already needs no good-bye.
        let _ = self.0.shutdown(Shutdown::Write);
    }
}
