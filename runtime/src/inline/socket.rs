//! The broker's end of a pipe, as the engine wants its sockets.

use super::Pipe;
use crate::engine::Socket;
use std::{
    io::{self, IoSlice},
    sync::Arc,
};

/// What carries a connection: a driver's socket, or a pipe inside the program.
#[derive(Debug)]
pub(crate) enum Carrier<S> {
    Net(S),
    Inline(InlineSocket),
}

/// The broker's end of a pipe.
#[derive(Debug)]
pub(crate) struct InlineSocket(Arc<Pipe>);

impl<S> Carrier<S> {
    pub(crate) fn inline(pipe: Arc<Pipe>) -> Self {
        Self::Inline(InlineSocket(pipe))
    }

    pub(crate) fn is_inline(&self) -> bool {
        matches!(self, Self::Inline(_))
    }

    /// The pipe, if it is one.
    pub(crate) fn pipe(&self) -> Option<&Pipe> {
        match self {
            Self::Net(_) => None,
            Self::Inline(socket) => Some(&socket.0),
        }
    }

    /// The driver's socket, if it is one.
    pub(crate) fn net_mut(&mut self) -> Option<&mut S> {
        match self {
            Self::Net(socket) => Some(socket),
            Self::Inline(_) => None,
        }
    }
}

impl<S: Socket> Socket for Carrier<S> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Net(socket) => socket.read(buffer),
            Self::Inline(socket) => socket.0.read(buffer).ok_or_else(would_block),
        }
    }

    fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Net(socket) => socket.read_now(buffer),
            Self::Inline(_) => self.read(buffer),
        }
    }

    #[inline]
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Net(socket) => socket.write(slices),
            Self::Inline(socket) => {
                let slices = slices.iter().map(|slice| &**slice);
                socket.0.write(slices).ok_or_else(would_block)
            }
        }
    }

    fn shut_down_writing(&mut self) {
        match self {
            Self::Net(socket) => socket.shut_down_writing(),
            Self::Inline(socket) => socket.0.shut_down(),
        }
    }

    fn output_waits(&mut self) {
        // A pipe rings when it has room.
        if let Self::Net(socket) = self {
            socket.output_waits();
        }
    }

    fn read_again(&mut self) {
        if let Self::Net(socket) = self {
            socket.read_again();
        }
    }
}

fn would_block() -> io::Error {
    io::ErrorKind::WouldBlock.into()
}

impl Drop for InlineSocket {
    fn drop(&mut self) {
        self.0.close();
    }
}
