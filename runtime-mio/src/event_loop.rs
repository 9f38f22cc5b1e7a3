//! The loop. One thread, one poller, one buffer to read into.
//!
//! Sockets are registered once, for both directions and edge-triggered, and never again. Whatever is not a socket or
//! its readiness is the [`Engine`]'s business.

use crate::{
    Options,
    socket::{Acceptor, Stream},
};
use mio::{Events, Poll, Token, Waker, event::Event};
use sanderling_core::broker::CloseCause;
use sanderling_runtime::{Engine, Setup, Wake, engine::READ_BUFFER_BYTES};
use std::{
    hint, io,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Somebody has put something into the inbox.
const WAKE: Token = Token(usize::MAX);
/// The first listener; the others follow. Below it, the token is the connection's slot.
const FIRST_LISTENER: usize = usize::MAX / 2;
/// Readiness reports taken in one turn.
const EVENTS_PER_TURN: usize = 1024;
/// Connections accepted on one listener in one turn.
const ACCEPTS_PER_TURN: usize = 64;

pub(crate) struct EventLoop {
    poll: Poll,
    engine: Engine<Stream>,
    listeners: Vec<Listener>,
    /// Lent to every connection in turn, so that an idle one owns none.
    buffer: Box<[u8]>,
    options: Options,
}

struct Listener {
    acceptor: Acceptor,
    /// There may be connections to accept.
    ready: bool,
}

struct MioWaker(Waker);

impl Wake for MioWaker {
    fn wake(&self) {
        // It fails only with a poller that is gone, and then nobody sleeps.
        let _ = self.0.wake();
    }
}

impl EventLoop {
    pub(crate) fn new(setup: Setup, options: Options) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = MioWaker(Waker::new(poll.registry(), WAKE)?);
        setup.inbox.attach(waker);
        let (engine, sockets) = Engine::new(setup)?;
        let mut listeners = Vec::new();
        for (number, socket) in sockets.into_iter().enumerate() {
            let mut acceptor = Acceptor::new(socket);
            acceptor.register(poll.registry(), Token(FIRST_LISTENER + number))?;
            listeners.push(Listener {
                acceptor,
                ready: true,
            });
        }
        let buffer = vec![0; READ_BUFFER_BYTES].into_boxed_slice();
        Ok(Self {
            poll,
            engine,
            listeners,
            buffer,
            options,
        })
    }

    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        while !self.engine.is_finished() {
            match self.wait(&mut events) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.engine.begin_turn();
            self.pull_ready();
            for event in &events {
                self.on_readiness(event);
            }
            self.accept();
            self.engine.settle();
        }
        self.engine.finish().unload()
    }

    /// Waits for readiness: looks for it as long as the options say, and then sleeps.
    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let mut sleep = self.sleep();
        let busy = self.options.busy_poll;
        let busy = sleep.map_or(busy, |sleep| sleep.min(busy));
        if !busy.is_zero() {
            let begun = Instant::now();
            while begun.elapsed() < busy {
                self.poll.poll(events, Some(Duration::ZERO))?;
                if !events.is_empty() {
                    return Ok(());
                }
                hint::spin_loop();
            }
            sleep = sleep.map(|sleep| sleep.saturating_sub(begun.elapsed()));
        }
        self.poll.poll(events, sleep)
    }

    /// How long to wait for readiness; `None` for as long as it takes.
    fn sleep(&self) -> Option<Duration> {
        let accepting = self.engine.may_accept() && self.listeners.iter().any(|l| l.ready);
        if accepting {
            Some(Duration::ZERO)
        } else {
            self.engine.sleep()
        }
    }

    /// Reads from those that are owed it without readiness: their budget had ended, or they were held.
    fn pull_ready(&mut self) {
        // Who is put on the list again meanwhile has to wait for the next turn.
        for _ in 0..self.engine.ready_len() {
            let Some(conn) = self.engine.next_ready() else {
                return;
            };
            self.engine.pull(conn, &mut self.buffer);
        }
    }

    fn on_readiness(&mut self, event: &Event) {
        if event.token() == WAKE {
            return self.engine.read_inbox();
        }
        if let Some(number) = event.token().0.checked_sub(FIRST_LISTENER) {
            if let Some(listener) = self.listeners.get_mut(number) {
                listener.ready = true;
            }
            return;
        }
        // Readiness of a connection that ended in this turn may meet its successor, which it does no harm.
        let Some(conn) = self.engine.current(event.token().0) else {
            return;
        };
        if event.is_read_closed() || event.is_error() {
            self.engine.read_to_the_end(conn);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.engine.pull(conn, &mut self.buffer);
        }
        if event.is_writable() {
            self.engine.writable(conn);
        }
    }

    fn accept(&mut self) {
        if self.engine.is_stopping() {
            self.listeners.clear();
        }
        for number in 0..self.listeners.len() {
            for _ in 0..ACCEPTS_PER_TURN {
                let listener = &mut self.listeners[number];
                if !listener.ready || !self.engine.may_accept() {
                    break;
                }
                match listener.acceptor.accept() {
                    Ok((stream, remote)) => self.open(stream, number, remote),
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock => listener.ready = false,
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                        _ => self.engine.accept_failed(),
                    },
                }
            }
        }
    }

    fn open(&mut self, stream: Stream, listener: usize, remote: Option<SocketAddr>) {
        let listener = u16::try_from(listener).unwrap_or(u16::MAX);
        let conn = self.engine.open(stream, listener, remote);
        let token = Token(conn.slot as usize);
        let registered = match self.engine.socket(conn) {
            Some(stream) => stream.register(self.poll.registry(), token),
            None => return,
        };
        if registered.is_err() {
            self.engine.ended(conn, CloseCause::Failed);
        }
    }
}
