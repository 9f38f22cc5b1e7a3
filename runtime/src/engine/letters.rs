//! What the program around the broker asks for.

use super::{Engine, InTurn, Socket, connection::Connection};
use crate::{
    handle::{Letter, Mail},
    inline::{Carrier, Pipe},
};
use sanderling_core::{
    broker::{Answer, Command, Event, Link, Stage},
    id::{ConnId, RequestId},
};
use std::sync::Arc;

impl<S: Socket> Engine<S> {
    /// Carries out what the [`Handle`](crate::Handle)s and late verdicts ask for.
    pub fn read_inbox(&mut self) {
        let _guard = InTurn::enter();
        let Mail {
            letters,
            verdicts,
            rings,
            stop,
            ..
        } = self.inbox.take();
        for (ticket, verdict) in verdicts {
            self.tell(Event::Ruled { ticket, verdict });
        }
        for letter in letters {
            self.read_letter(letter);
            if self.actions.is_full() {
                self.perform();
            }
        }
        for conn in rings {
            self.on_ring(conn);
        }
        if let Some(stop) = stop {
            self.begin_to_stop(stop);
        }
    }

    fn read_letter(&mut self, letter: Letter) {
        match letter {
            Letter::Command(command, reply) => self.order(command, Some(reply)),
            Letter::Look(look) => {
                // It sees what was asked for before as done.
                self.perform();
                look(self.broker.view());
            }
            Letter::Measure(look) => {
                self.perform();
                self.is_measured = true;
                look(self.broker.view(), &self.measures);
            }
            Letter::Data(client_id, act) => act(self.broker.client_data(&client_id)),
            Letter::Open(pipe) => self.open_inline(pipe),
        }
    }

    pub(super) fn order(&mut self, command: Command, reply: Option<oneshot::Sender<Answer>>) {
        let request = RequestId(self.requests_made);
        self.requests_made += 1;
        if let Some(reply) = reply {
            self.requests.insert(request, reply);
        }
        self.tell(Event::Ordered { request, command });
    }

    // Clients inside the program

    fn open_inline(&mut self, pipe: Arc<Pipe>) {
        let carrier = Carrier::inline(Arc::clone(&pipe));
        let connection = Connection::new(carrier, None, &self.limits);
        let conn = self.connections.insert_with(|_| connection);
        let link = Link::new(Link::INLINE, None, self.entropy.sixteen());
        let stage = Stage::Connect;
        self.tell(Event::Opened { conn, link, stage });
        pipe.opened(conn);
        self.make_ready(conn);
    }

    /// A client inside the program has something to say, or room.
    fn on_ring(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if let Some(pipe) = connection.carrier.pipe() {
            pipe.answer_ring();
        }
        self.writable(conn);
        self.make_ready(conn);
    }

    /// Reads from the clients inside the program that have something to say.
    pub(super) fn pull_inline(&mut self) {
        // Who is put on the list again meanwhile has to wait for the next turn.
        for _ in 0..self.ready_inline.len() {
            let Some(conn) = self.ready_inline.pop_front() else {
                return;
            };
            if let Some(connection) = self.connections.get_mut(conn) {
                connection.ready = false;
                let mut buffer = core::mem::take(&mut self.drain_buffer);
                self.pull(conn, &mut buffer);
                self.drain_buffer = buffer;
            }
        }
    }
}
