//! From sockets to the broker: a bounded amount for each connection in each turn.

use super::{
    Engine, InTurn, Socket,
    connection::{Below, Phase, Writing, Written},
};
use crate::{Arrival, Layers};
use sanderling_core::{
    broker::{Actions, Broker, Close, CloseCause, Event, Flow},
    codec::DecodeError,
    id::ConnId,
    time::Instant,
};
use std::io;

/// Reads from one connection in one turn.
const READS_PER_TURN: usize = 2;
/// Reads from a connection that loses its session.
const READS_PER_DRAIN: usize = 16;
/// How often the orders may fill up because of what one connection sent in one turn: messages to very many receivers.
const FULL_PER_TURN: usize = 8;

/// What became of a [`pull`](Engine::pull).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pulled {
    /// There is no more to read now: wait for readiness.
    Drained,
    /// There may be more: wait until [`next_ready`](Engine::next_ready) names the connection.
    Later,
    /// The connection has ended.
    Ended,
}

impl<S: Socket> Engine<S> {
    /// Reads from a connection, a bounded amount, into the buffer lent, and tells the broker what came.
    pub fn pull(&mut self, conn: ConnId, buffer: &mut [u8]) -> Pulled {
        let _guard = InTurn::enter();
        let mut budget = FULL_PER_TURN;
        let mut goes_on = self.receive_quietly(conn, &mut [], &mut budget);
        for _ in 0..READS_PER_TURN {
            let Some(connection) = self.connections.get_mut(conn) else {
                return Pulled::Ended;
            };
            if !goes_on {
                // What is held is not read to its end; of one that is broken, no flush will resume it.
                if connection.writing == Writing::Broken && connection.held {
                    self.end(conn, CloseCause::Failed);
                    return Pulled::Ended;
                }
                return Pulled::Later;
            }
            if connection.peer_is_done {
                return self.peer_closed(conn);
            }
            let cause = match connection.carrier.read(buffer) {
                Ok(0) => return self.peer_closed(conn),
                Ok(len) => {
                    let drained = len < buffer.len() && !connection.must_read_to_the_end();
                    goes_on = self.receive_quietly(conn, &mut buffer[..len], &mut budget);
                    if drained && goes_on {
                        return Pulled::Drained;
                    }
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock
                        && connection.writing != Writing::Broken =>
                {
                    return Pulled::Drained;
                }
                Err(_) => CloseCause::Failed,
            };
            self.end(conn, cause);
            return Pulled::Ended;
        }
        if goes_on {
            self.make_ready(conn);
        }
        Pulled::Later
    }

    /// Bytes came on a connection. For drivers that read themselves; the others [`pull`](Self::pull).
    ///
    /// False if no more may be handed in until [`next_ready`](Self::next_ready) names the connection, and then
    /// beginning with an empty slice.
    pub fn receive(&mut self, conn: ConnId, input: &mut [u8]) -> bool {
        let _guard = InTurn::enter();
        let goes_on = self.receive_quietly(conn, input, &mut FULL_PER_TURN.clone());
        let connection = self.connections.get(conn);
        if goes_on && connection.is_some_and(|connection| connection.peer_is_done) {
            self.peer_closed(conn);
            return false;
        }
        goes_on
    }

    /// Tells the broker what came and obeys what it orders. False if no more may come now: the connection is held, or
    /// the budget has ended and it stands on the list of ready ones, or it is not there any more.
    fn receive_quietly(&mut self, conn: ConnId, input: &mut [u8], budget: &mut usize) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else {
            return false;
        };
        let goes_on = match &connection.below {
            Below::Nothing => self.decode(conn, input, budget),
            // What it sends is thrown away; nobody need open it before.
            _ if connection.is_closing() => true,
            Below::Layers(_) | Below::Lent => self.receive_below(conn, input, budget),
        };
        // Orders are obeyed while what they send is at hand, and so that accounts are right before the next connection.
        self.perform();
        goes_on
    }

    /// The same through the layers below MQTT.
    fn receive_below(&mut self, conn: ConnId, input: &mut [u8], budget: &mut usize) -> bool {
        // What waits from before comes first.
        let mut goes_on = self.decode(conn, &[], budget);
        let Some(connection) = self.connections.get_mut(conn) else {
            return false;
        };
        connection.lend_to_layers(&mut self.spare);
        let Below::Layers(mut layers) = core::mem::replace(&mut connection.below, Below::Lent)
        else {
            unreachable!("layers are lent to one at a time");
        };
        let outcome = layers.receive(input, &mut |arrival| match arrival {
            Arrival::Plain(plain) => goes_on = self.decode(conn, plain, budget),
            arrival => self.on_arrival(conn, arrival),
        });
        self.take_back(conn, layers);
        if let Err(fault) = outcome {
            if let Some(connection) = self.connections.get_mut(conn)
                && connection.phase == Phase::Live
            {
                connection.phase = Phase::Deaf;
                connection.packets.clear();
            }
            if self.connections.get(conn).is_some() {
                self.tell(Event::Faulted { conn, fault });
            }
        }
        goes_on
    }

    fn on_arrival(&mut self, conn: ConnId, arrival: Arrival<'_>) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        match arrival {
            Arrival::Announced { remote, stage } => self.tell(Event::Announced {
                conn,
                remote,
                stage,
            }),
            Arrival::Identified(identity) => self.tell(Event::Identified { conn, identity }),
            Arrival::Reached(stage) => self.tell(Event::Progressed { conn, stage }),
            Arrival::Closed => connection.peer_is_done = true,
            Arrival::Secured | Arrival::Plain(_) => {}
        }
    }

    fn take_back(&mut self, conn: ConnId, layers: Box<Layers>) {
        if let Some(connection) = self.connections.get_mut(conn) {
            let has_something_to_say = !layers.wire().is_empty();
            connection.below = Below::Layers(layers);
            match has_something_to_say {
                true => connection.touch(conn, &mut self.touched),
                false => connection.take_back_from_layers(&mut self.spare),
            }
        }
    }

    fn decode(&mut self, conn: ConnId, mut input: &[u8], budget: &mut usize) -> bool {
        let mut is_whole = false;
        let mut takes_runs = self.broker.takes_runs();
        loop {
            let Some(connection) = self.connections.get_mut(conn) else {
                return false;
            };
            if connection.phase != Phase::Live {
                return true;
            }
            if connection.held {
                connection.packets.stash(input);
                return false;
            }
            if *budget == 0 {
                connection.packets.stash(input);
                self.make_ready(conn);
                return false;
            }
            let (broker, actions, now) = (&mut self.broker, &mut self.actions, self.now);
            let packets = &mut connection.packets;
            let run = match takes_runs {
                true => packets.next_run(&mut input, |run| {
                    broker.handle(now, Event::ReceivedRun { conn, run }, actions)
                }),
                false => None,
            };
            let several = run.or_else(|| {
                packets.next_acks(&mut input, |acks| {
                    broker.handle(now, Event::ReceivedAcks { conn, acks }, actions)
                })
            });
            let next = match several {
                Some(flow) => Some(Ok(flow)),
                None => connection
                    .packets
                    .next(&mut input, |received| match received {
                        Ok((packet, bytes)) => {
                            let event = Event::Received {
                                conn,
                                packet,
                                bytes,
                            };
                            Ok(broker.handle(now, event, actions))
                        }
                        Err(error) => Err(malformed(broker, now, conn, error, actions)),
                    }),
            };
            match next {
                None => {
                    if connection.lags_with_a_packet(is_whole, now) {
                        self.watch_packet(conn);
                    }
                    return true;
                }
                Some(Ok(Flow::Continue)) => is_whole = true,
                Some(Ok(Flow::Hold)) => {
                    connection.held = true;
                    connection.lags.packet.end();
                }
                Some(Err(_)) => connection.phase = Phase::Deaf,
            }
            if self.actions.is_full() {
                // Messages to very many: one by one from here on, so that the turn does not become long.
                takes_runs = false;
                *budget -= 1;
                self.perform();
            }
        }
    }

    /// Reads what has arrived on connections that lose their session: there may be a DISCONNECT among it.
    pub(super) fn drain(&mut self) {
        while let Some(conn) = self.drains.pop_front() {
            let mut buffer = core::mem::take(&mut self.drain_buffer);
            self.drain_one(conn, &mut buffer);
            self.drain_buffer = buffer;
            self.tell(Event::Drained { conn });
            self.perform();
        }
    }

    fn drain_one(&mut self, conn: ConnId, buffer: &mut [u8]) {
        let mut budget = FULL_PER_TURN;
        for _ in 0..READS_PER_DRAIN {
            let Some(connection) = self.connections.get_mut(conn) else {
                return;
            };
            match connection.carrier.read_now(buffer) {
                Ok(0) => {
                    self.peer_closed(conn);
                    return;
                }
                Ok(len) => {
                    if !self.receive_quietly(conn, &mut buffer[..len], &mut budget) {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.end(conn, CloseCause::Failed),
            }
        }
    }

    /// The peer sends no more, but it may still read: it is offered what it is owed.
    pub(super) fn peer_closed(&mut self, conn: ConnId) -> Pulled {
        self.perform();
        let Some(connection) = self.connections.get_mut(conn) else {
            return Pulled::Ended;
        };
        if connection.write_to_the_end(&mut self.spare) == Written::Some {
            // Nothing is left to linger for.
            let is_new = !connection.is_closing();
            connection.phase = Phase::Closing(Close::Flush);
            if is_new {
                self.close_by_deadline(conn);
            }
            return Pulled::Later;
        }
        self.end(conn, CloseCause::PeerClosed);
        Pulled::Ended
    }
}

/// Nothing of MQTT follows.
#[cold]
fn malformed(
    broker: &mut Broker,
    now: Instant,
    conn: ConnId,
    error: DecodeError,
    actions: &mut Actions,
) -> Flow {
    broker.handle(now, Event::Malformed { conn, error }, actions)
}
