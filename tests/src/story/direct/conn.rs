//! A connection as the driver by hand keeps it.

use sanderling_core::{broker::Close, codec::FromClient, id::ConnId};

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) id: ConnId,
    pub(super) decoder: FromClient,
    /// Received and not decoded.
    pub(super) inbound: Vec<u8>,
    /// Sent and not read by the client.
    pub(super) outbound: Vec<u8>,
    /// Sent and not reported as flushed.
    pub(super) unflushed: u32,
    pub(super) is_held: bool,
    pub(super) is_stalled: bool,
    pub(super) is_malformed: bool,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Open,
    /// The broker has ordered it to close.
    Ordered(Close),
    /// `Closed` was reported.
    Closed,
}
