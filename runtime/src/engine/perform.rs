//! Actions become output: the broker's orders are obeyed here, and sockets written.

use super::{
    Engine, Socket,
    connection::{Below, Phase, Writing, Written},
};
use crate::{Outbox, Reply};
use sanderling_core::{
    broker::{Action, Close, CloseCause, Event, Target},
    id::ConnId,
};

/// When so much output waits for one connection it is written at once, so that a turn in which many publish to one
/// cannot overflow a healthy reader.
const EARLY_WRITE_BYTES: usize = 64 << 10;

impl<S: Socket> Engine<S> {
    /// Obeys the orders that have piled up.
    pub(super) fn perform(&mut self) {
        if self.actions.is_empty() {
            return;
        }
        let mut actions = core::mem::take(&mut self.actions);
        for action in actions.list() {
            match action {
                Action::Send { conn, frame } => {
                    self.put(*conn, |outbox| outbox.push(actions.bytes(*frame)));
                }
                Action::Deliver {
                    frame,
                    packet_id_at,
                    targets,
                } => {
                    let bytes = actions.bytes(*frame);
                    let tail = actions.tail(*frame);
                    for &Target { conn, packet_id } in actions.targets(*targets) {
                        self.put(conn, |outbox| {
                            match packet_id {
                                None => outbox.push(bytes),
                                Some(id) => {
                                    let id = id.get().to_be_bytes();
                                    outbox.push_patched(bytes, *packet_id_at as usize, id);
                                }
                            }
                            if let Some(tail) = tail {
                                outbox.push_shared(tail.clone());
                            }
                        });
                    }
                }
                Action::Close { conn, how } => self.begin_close(*conn, *how),
                Action::Drain { conn } => self.drains.push_back(*conn),
                Action::Resume { conn } => {
                    if let Some(connection) = self.connections.get_mut(*conn) {
                        connection.held = false;
                        self.make_ready(*conn);
                    }
                }
                Action::Timer { at } => self.timer = Some(*at),
                Action::Consult {
                    ticket,
                    hook,
                    question,
                } => {
                    let reply = Reply::new(*ticket, self.inbox.clone());
                    // Without anybody who answers, the reply is dropped, and that refuses.
                    if let Some(answerer) = self.answerers.of(*hook) {
                        answerer.answer((**question).clone(), reply);
                    }
                }
                Action::Answer { request, answer } => {
                    if let Some(reply) = self.requests.remove(request) {
                        // Who asked may have stopped waiting.
                        let _ = reply.send(answer.clone());
                    }
                }
            }
        }
        actions.clear();
        let nothing = core::mem::replace(&mut self.actions, actions);
        debug_assert!(nothing.is_empty(), "performing orders nothing");
        // It owns nothing. To look for something to free would take as long as to copy a small message.
        core::mem::forget(nothing);
        while let Some(conn) = self.early.pop() {
            self.report_flushed(conn);
        }
    }

    /// Tells the broker what a connection has taken since the last report.
    fn report_flushed(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn)
            && connection.flushed > 0
        {
            let bytes = core::mem::take(&mut connection.flushed);
            self.tell(Event::Flushed { conn, bytes });
        }
    }

    /// Adds output for a connection.
    #[inline]
    fn put(&mut self, conn: ConnId, push: impl FnOnce(&mut Outbox)) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if connection.writing == Writing::Broken || connection.is_closing() {
            return;
        }
        if !connection.outbox.has_memory() {
            connection.outbox.exchange_memory(self.spare.take());
        }
        push(&mut connection.outbox);
        connection.touch(conn, &mut self.touched);
        if connection.outbox.len() >= EARLY_WRITE_BYTES && connection.writing == Writing::Open {
            connection.write(&mut self.spare);
            self.early.push(conn);
        }
    }

    fn begin_close(&mut self, conn: ConnId, how: Close) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.phase = Phase::Closing(how);
        // Nobody is to be held any more; what it sends is thrown away.
        connection.held = false;
        connection.packets.clear();
        if how == Close::Abort {
            connection.forget_output();
        }
        connection.touch(conn, &mut self.touched);
        self.close_by_deadline(conn);
        if how == Close::Linger {
            // Unread bytes in the socket would make its end a reset, and the peer might not read the reason.
            self.make_ready(conn);
        }
    }

    /// Writes once to each connection that has output, tells the broker what was taken, and ends what is to end.
    pub(super) fn write_touched(&mut self) {
        let mut touched = core::mem::take(&mut self.touched);
        for &conn in &touched {
            let Some(connection) = self.connections.get_mut(conn) else {
                continue;
            };
            connection.touched = false;
            let written = connection.write(&mut self.spare);
            if written != Written::All || connection.waiting_bytes > 0 {
                let waiting_bytes = connection.output_bytes();
                let before = core::mem::replace(&mut connection.waiting_bytes, waiting_bytes);
                self.measures.waiting_bytes = self.measures.waiting_bytes + waiting_bytes - before;
            }
            if written == Written::All {
                // An idle connection owns no buffer.
                if connection.outbox.has_memory() {
                    let memory = connection.outbox.exchange_memory(Vec::new());
                    self.spare.give(memory);
                }
                if !matches!(connection.below, Below::Nothing) {
                    connection.take_back_from_layers(&mut self.spare);
                }
            }
            let broken = connection.writing == Writing::Broken;
            let is_watched =
                connection.writing == Writing::Full || connection.lags.output.get().is_some();
            self.report_flushed(conn);
            if is_watched {
                self.watch_output(conn);
            }
            if broken {
                // It is read to its end: a DISCONNECT may stand in there.
                self.make_ready(conn);
            }
            self.go_on_closing(conn);
            if self.actions.is_full() {
                self.perform();
            }
        }
        touched.clear();
        if self.touched.is_empty() {
            self.touched = touched;
        }
    }

    /// Takes the next step of an ordered end, once everything is written.
    fn go_on_closing(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let Phase::Closing(how) = connection.phase else {
            return;
        };
        if how != Close::Abort && connection.write_to_the_end(&mut self.spare) == Written::Some {
            return;
        }
        if how == Close::Linger && connection.writing != Writing::Broken {
            connection.phase = Phase::ShutDown;
            connection.carrier.shut_down_writing();
        } else {
            self.end(conn, CloseCause::Ordered);
        }
    }

    /// What is to be written to a connection next, for drivers that write themselves: write it, then tell
    /// [`Engine::written`]. Empty if there is nothing.
    pub fn output(&mut self, conn: ConnId) -> Option<Vec<u8>> {
        let connection = self.connections.get_mut(conn)?;
        Some(connection.output(&mut self.spare))
    }

    /// So many of the first bytes of [`output`](Self::output) were written.
    pub fn written(&mut self, conn: ConnId, bytes: usize) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        connection.wrote(bytes);
        // A driver that writes itself is told again when there is something after nothing.
        if connection.writing == Writing::Full && connection.is_written() {
            connection.writing = Writing::Open;
        }
        connection.touch(conn, &mut self.touched);
    }
}
