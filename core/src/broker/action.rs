//! Orders: what the broker wants done, in the imperative, and the reusable buffer that carries them.
//!
//! Everything that leaves is encoded here, once per form, into one arena of bytes. A driver copies ranges of it into its
//! outboxes and needs to know nothing of MQTT. Orders that name the same connection must be obeyed in sequence.

use super::command::Answer;
use crate::{
    hooks::Question,
    id::{ConnId, RequestId, Ticket},
    packet::PacketId,
    time::Instant,
};
use alloc::{boxed::Box, vec::Vec};
use bytes::Bytes;

/// Something that must happen because of an event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// Send these bytes: one or more whole control packets, none of them PUBLISH.
    Send {
        /// To this connection.
        conn: ConnId,
        /// Where they stand.
        frame: Frame,
    },
    /// Send this PUBLISH, or several in a row, to each target, with the target's packet identifier, if it has one, written
    /// over the two bytes at `packet_id_at`.
    Deliver {
        /// The PUBLISH, or those in a row.
        frame: Frame,
        /// The offset of the packet identifier from the start of the frame; 0 if no target has one.
        packet_id_at: u32,
        /// Who gets it.
        targets: Targets,
    },
    /// End this connection. No later action names it; what it still sends is ignored.
    Close {
        /// The connection.
        conn: ConnId,
        /// In which way.
        how: Close,
    },
    /// Read what has arrived on this connection already, a bounded amount, hand it in, and report `Drained`: its session
    /// is about to go to another connection.
    Drain {
        /// The connection.
        conn: ConnId,
    },
    /// Read from this connection again; it was held.
    Resume {
        /// The connection.
        conn: ConnId,
    },
    /// Report `TimerFired` at this time, not before. It replaces the time announced before.
    Timer {
        /// When.
        at: Instant,
    },
    /// Find an answer to this question and report `Ruled`.
    Consult {
        /// Goes with the answer.
        ticket: Ticket,
        /// Which hook set of the chain asks: its index.
        hook: u16,
        /// What is asked.
        question: Box<Question>,
    },
    /// The answer to an `Ordered` command.
    Answer {
        /// That of the command.
        request: RequestId,
        /// The answer.
        answer: Answer,
    },
}

/// How to end a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Close {
    /// Write what is pending, then close.
    Flush,
    /// Write what is pending, shut down writing, read and discard until the peer closes or a deadline passes, so that
    /// the peer can read the reason.
    Linger,
    /// Close at once; what is pending is lost.
    Abort,
}

/// Encoded bytes: a range of the arena, and for a large payload a shared tail after it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Frame {
    start: u32,
    len: u32,
    /// 1 + the index of the tail; 0 for none.
    tail: u32,
}

/// A range of the targets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Targets {
    start: u32,
    end: u32,
}

/// One receiver of a [`Action::Deliver`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Target {
    /// The connection.
    pub conn: ConnId,
    /// Written into the frame before it is sent; none for QoS 0, and for messages in a row, which have theirs.
    pub packet_id: Option<PacketId>,
}

const _: () = assert!(size_of::<Target>() == 12);
const _: () = assert!(size_of::<Action>() <= 40);

/// The orders of a turn. Owned and reused by the driver: after [`Actions::clear`] it keeps its memory, up to a cap.
#[derive(Debug, Default)]
pub struct Actions {
    list: Vec<Action>,
    targets: Vec<Target>,
    arena: Vec<u8>,
    tails: Vec<Bytes>,
    tail_bytes: usize,
    /// Bytes of runs, for all of their targets together.
    run_bytes: usize,
}

/// Bytes of arena that stay allocated across turns.
const ARENA_KEPT_BYTES: usize = 1 << 20;
/// Orders and targets that stay allocated across turns.
const LIST_KEPT: usize = 1 << 16;
/// Bytes in arena and tails, targets, or orders after which a driver should perform before it reads on.
const FULL_BYTES: usize = 256 << 10;
const FULL_COUNT: usize = 16 << 10;
/// The same for bytes of runs that are to be copied.
const FULL_RUN_BYTES: usize = 1 << 20;
/// Bytes of arena after which an event encodes no further forms.
const CROWDED_BYTES: usize = 16 << 20;

impl Actions {
    /// Nothing to do yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The orders, oldest first.
    pub fn list(&self) -> &[Action] {
        &self.list
    }

    /// The bytes of a frame that stand in the arena. A tail, if there is one, follows them.
    pub fn bytes(&self, frame: Frame) -> &[u8] {
        let start = frame.start as usize;
        &self.arena[start..start + frame.len as usize]
    }

    /// The shared rest of a frame with a large payload.
    pub fn tail(&self, frame: Frame) -> Option<&Bytes> {
        frame
            .tail
            .checked_sub(1)
            .map(|index| &self.tails[index as usize])
    }

    /// The receivers of a `Deliver`.
    pub fn targets(&self, targets: Targets) -> &[Target] {
        &self.targets[targets.start as usize..targets.end as usize]
    }

    /// True if there is nothing to perform.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// True when so much has piled up that it should be performed before more is read.
    pub fn is_full(&self) -> bool {
        self.arena.len() + self.tail_bytes >= FULL_BYTES
            || self.targets.len() >= FULL_COUNT
            || self.list.len() >= FULL_COUNT
            || self.run_bytes >= FULL_RUN_BYTES
    }

    /// Forgets what was performed.
    pub fn clear(&mut self) {
        self.list.clear();
        self.targets.clear();
        self.arena.clear();
        self.tails.clear();
        (self.tail_bytes, self.run_bytes) = (0, 0);
        self.list.shrink_to(LIST_KEPT);
        self.targets.shrink_to(LIST_KEPT);
        self.arena.shrink_to(ARENA_KEPT_BYTES);
    }

    /// True when one event has made so many bytes that the rest of its messages had better wait in queues.
    pub(crate) fn is_crowded(&self) -> bool {
        self.arena.len() >= CROWDED_BYTES
    }

    pub(crate) fn push(&mut self, action: Action) {
        self.list.push(action);
    }

    /// Appends one encoded packet for `conn`; packets in a row to one connection become one order.
    pub(crate) fn send(&mut self, conn: ConnId, encode: impl FnOnce(&mut Vec<u8>)) -> u32 {
        let start = self.arena.len();
        encode(&mut self.arena);
        let len = offset(self.arena.len() - start);
        if len == 0 {
            return 0;
        }
        if let Some(Action::Send { conn: last, frame }) = self.list.last_mut()
            && *last == conn
            && (frame.start + frame.len) as usize == start
        {
            frame.len += len;
        } else {
            let frame = Frame {
                start: offset(start),
                len,
                tail: 0,
            };
            self.list.push(Action::Send { conn, frame });
        }
        len
    }

    /// The arena, to append one frame to; [`Actions::frame`] then makes a frame of it.
    pub(crate) fn arena(&mut self) -> &mut Vec<u8> {
        &mut self.arena
    }

    /// The frame from `start` to the end of the arena, with a shared tail.
    pub(crate) fn frame(&mut self, start: usize, tail: Option<Bytes>) -> Frame {
        let tail = match tail {
            Some(tail) => {
                self.tail_bytes += tail.len();
                self.tails.push(tail);
                offset(self.tails.len())
            }
            None => 0,
        };
        Frame {
            start: offset(start),
            len: offset(self.arena.len() - start),
            tail,
        }
    }

    /// Adds a receiver of `frame`; receivers of one frame in a row become one order.
    #[inline]
    pub(crate) fn deliver(&mut self, frame: Frame, packet_id_at: u32, target: Target) {
        let at = offset(self.targets.len());
        self.targets.push(target);
        if let Some(Action::Deliver {
            frame: last,
            targets,
            ..
        }) = self.list.last_mut()
            && *last == frame
            && targets.end == at
        {
            targets.end += 1;
        } else {
            let targets = Targets {
                start: at,
                end: at + 1,
            };
            self.list.push(Action::Deliver {
                frame,
                packet_id_at,
                targets,
            });
        }
    }
}

impl Actions {
    /// Where the next target will stand.
    #[inline]
    pub(crate) fn next_target(&self) -> usize {
        self.targets.len()
    }

    /// Adds a receiver, who gets what [`deliver_since`](Self::deliver_since) says.
    #[inline]
    pub(crate) fn target(&mut self, conn: ConnId) {
        let packet_id = None;
        self.targets.push(Target { conn, packet_id });
    }

    /// Sends PUBLISH packets as they are to the targets from `first` on; says how many these are.
    #[inline]
    pub(crate) fn deliver_since(&mut self, first: usize, packets: &[u8]) -> u32 {
        let targets = Targets {
            start: offset(first),
            end: offset(self.targets.len()),
        };
        if targets.start < targets.end {
            self.run_bytes += packets.len() * (targets.end - targets.start) as usize;
            let start = self.arena.len();
            self.arena.extend_from_slice(packets);
            let frame = self.frame(start, None);
            self.list.push(Action::Deliver {
                frame,
                packet_id_at: 0,
                targets,
            });
        }
        targets.end - targets.start
    }

    /// Sends PUBLISH packets to one connection, after `change` has made them its own.
    pub(crate) fn deliver_changed(
        &mut self,
        conn: ConnId,
        packets: &[u8],
        change: impl FnOnce(&mut [u8]),
    ) {
        let (first, start) = (self.next_target(), self.arena.len());
        self.target(conn);
        self.deliver_since(first, packets);
        change(&mut self.arena[start..]);
    }
}

impl Frame {
    /// Bytes that stand in the arena; those of the tail come on top.
    pub fn arena_len(self) -> u32 {
        self.len
    }
}

/// Positions are 32 bits wide: one turn never holds 4 GiB, because [`Actions::is_full`] ends it long before.
fn offset(position: usize) -> u32 {
    u32::try_from(position).expect("a turn holds less than 4 GiB")
}
