//! The relay: what the kernel allows. It copies bytes from publishers to subscribers and does no MQTT work beyond that.
//!
//! It answers CONNECT, SUBSCRIBE and PINGREQ, and looks up whom a publisher's bytes go to once, at its first PUBLISH.
//! After that it finds only where frames end, so that frames of two publishers do not mix. It knows QoS 0 only, and is
//! no broker: nothing is limited but what waits for one subscriber.
//!
//! Told to, it drops, repeats or swaps every n-th message, which proves that the checks of the load generator see it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use clap::ValueEnum;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::failure::Failure;
use crate::wire::{self, Frame, PINGRESP, Version, WireError, packet_type};

const LISTENER: Token = Token(usize::MAX);
const INBOX_BYTES: usize = 256 * 1024;
/// What waits for one subscriber is written at once from here on, and not at the end of the turn.
const FLUSH_BYTES: usize = 64 * 1024;
/// A subscriber for whom more than this waits is closed.
const WAITING_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A mistake to make on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Leave a message out.
    Drop,
    /// Send a message twice.
    Duplicate,
    /// Send a message after the one that follows it.
    Reorder,
}

/// Which messages to spoil.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    pub(crate) fault: Fault,
    /// Every so many messages of a publisher.
    pub(crate) every: u64,
}

/// Listens on a loopback port (0: any free one), says which on standard output, and relays until the process ends.
pub(crate) fn run(port: u16, faults: Option<Faults>) -> Result<(), Failure> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let doing = || format!("listening on {address}");
    let mut listener = TcpListener::bind(address).map_err(Failure::io(doing()))?;
    let poll = Poll::new().map_err(Failure::io("poll"))?;
    let interest = Interest::READABLE;
    poll.registry()
        .register(&mut listener, LISTENER, interest)
        .map_err(Failure::io(doing()))?;
    let bound = listener.local_addr().map_err(Failure::io(doing()))?;
    println!("listening on {bound}");
    let mut relay = Relay {
        poll,
        listener,
        clients: Vec::new(),
        touched: Vec::new(),
        inbox: vec![0; INBOX_BYTES],
        faults,
    };
    relay.turns().map_err(Failure::io("relay"))
}

struct Relay {
    poll: Poll,
    listener: TcpListener,
    /// By token; slots are not used again, one run needs few.
    clients: Vec<Option<Client>>,
    /// Clients with bytes to write at the end of the turn.
    touched: Vec<usize>,
    inbox: Vec<u8>,
    faults: Option<Faults>,
}

struct Client {
    stream: TcpStream,
    partial: Vec<u8>,
    out: Vec<u8>,
    written: usize,
    touched: bool,
    version: Version,
    filters: Vec<Vec<u8>>,
    /// Where its bytes go, once it has published.
    targets: Option<Vec<usize>>,
    /// Messages seen, when faults are made.
    messages: u64,
    /// The message to send after the next one.
    swapped: Option<Vec<u8>>,
}

impl Relay {
    fn turns(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in events.iter() {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(index) => {
                        if event.is_writable() {
                            self.flush(index);
                        }
                        if event.is_readable() || event.is_read_closed() || event.is_error() {
                            self.read(index);
                        }
                    }
                }
            }
            while let Some(index) = self.touched.pop() {
                if let Some(client) = &mut self.clients[index] {
                    client.touched = false;
                }
                self.flush(index);
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut stream, Token(self.clients.len()), interest)?;
            self.clients.push(Some(Client::new(stream)));
        }
    }

    /// Reads until there is nothing more; a client that fails or leaves is forgotten.
    fn read(&mut self, index: usize) {
        loop {
            let Some(client) = &mut self.clients[index] else {
                return;
            };
            let kept = client.partial.len();
            let read = match client.stream.read(&mut self.inbox[kept..]) {
                Ok(read @ 1..) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => return self.clients[index] = None,
            };
            self.inbox[..kept].copy_from_slice(&client.partial);
            client.partial.clear();
            let inbox = std::mem::take(&mut self.inbox);
            let taken = self.take(index, &inbox[..kept + read]);
            self.inbox = inbox;
            match (taken, &mut self.clients[index]) {
                (Ok(taken), Some(client)) => {
                    client
                        .partial
                        .extend_from_slice(&self.inbox[taken..kept + read]);
                }
                (Ok(_), None) => return,
                (Err(error), _) => {
                    eprintln!("relay: client {index}: {error}");
                    return self.clients[index] = None;
                }
            }
            if kept + read < self.inbox.len() {
                return;
            }
        }
    }

    /// Takes all whole frames of `bytes` and returns how long they are together.
    fn take(&mut self, index: usize, bytes: &[u8]) -> Result<usize, WireError> {
        let (mut at, mut publishes_from) = (0, 0);
        while let Some(frame) = wire::next_frame(&bytes[at..])? {
            let end = at + frame.length;
            if frame.packet_type() != packet_type::PUBLISH {
                self.forward(index, &bytes[publishes_from..at])?;
                publishes_from = end;
                self.answer(index, frame)?;
            } else if frame.first & 6 != 0 {
                return Err(WireError("the relay knows QoS 0 only"));
            }
            at = end;
        }
        self.forward(index, &bytes[publishes_from..at])?;
        Ok(at)
    }

    fn answer(&mut self, index: usize, frame: Frame<'_>) -> Result<(), WireError> {
        const SHORT: WireError = WireError("a packet ends too early");
        let Some(client) = &mut self.clients[index] else {
            return Ok(());
        };
        match frame.packet_type() {
            packet_type::CONNECT => {
                let (_, rest) = wire::string(frame.body).ok_or(SHORT)?;
                client.version = match rest.first() {
                    Some(5) => Version::V5,
                    _ => Version::V311,
                };
                client.out.extend_from_slice(match client.version {
                    Version::V311 => &[0x20, 2, 0, 0],
                    Version::V5 => &[0x20, 3, 0, 0, 0],
                });
            }
            packet_type::SUBSCRIBE => client.subscribe(frame.body).ok_or(SHORT)?,
            packet_type::PINGREQ => client.out.extend_from_slice(&PINGRESP),
            packet_type::DISCONNECT => self.clients[index] = None,
            _ => return Err(WireError("the relay does not know this packet type")),
        }
        self.touch(index);
        Ok(())
    }

    /// Copies whole PUBLISH packets of one publisher to all who shall have them.
    fn forward(&mut self, index: usize, publishes: &[u8]) -> Result<(), WireError> {
        if publishes.is_empty() {
            return Ok(());
        }
        let Some(client) = &mut self.clients[index] else {
            return Ok(());
        };
        let spoiled = match self.faults {
            Some(faults) => Some(client.spoil(publishes, faults)?),
            None => None,
        };
        let targets = match client.targets.take() {
            Some(targets) => targets,
            None => self.targets_of(publishes)?,
        };
        for target in &targets {
            if let Some(subscriber) = &mut self.clients[*target] {
                subscriber
                    .out
                    .extend_from_slice(spoiled.as_deref().unwrap_or(publishes));
                match subscriber.out.len() {
                    WAITING_BYTES_MAX.. => self.clients[*target] = None,
                    FLUSH_BYTES.. => self.flush(*target),
                    _ => self.touch(*target),
                }
            }
        }
        if let Some(client) = &mut self.clients[index] {
            client.targets = Some(targets);
        }
        Ok(())
    }

    /// Who subscribed to the topic of the first of `publishes`.
    fn targets_of(&self, publishes: &[u8]) -> Result<Vec<usize>, WireError> {
        let frame = wire::next_frame(publishes)?;
        let topic = frame.and_then(|frame| wire::string(frame.body));
        let (topic, _) = topic.ok_or(WireError("a PUBLISH without a topic"))?;
        let subscribed = |client: &Client| client.filters.iter().any(|f| matches(f, topic));
        let all = self.clients.iter().enumerate();
        Ok(all
            .filter(|(_, c)| c.as_ref().is_some_and(subscribed))
            .map(|(at, _)| at)
            .collect())
    }

    fn touch(&mut self, index: usize) {
        if let Some(client) = &mut self.clients[index]
            && !client.touched
        {
            client.touched = true;
            self.touched.push(index);
        }
    }

    fn flush(&mut self, index: usize) {
        if let Some(client) = &mut self.clients[index]
            && client.flush().is_err()
        {
            self.clients[index] = None;
        }
    }
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            partial: Vec::new(),
            out: Vec::new(),
            written: 0,
            touched: false,
            version: Version::V311,
            filters: Vec::new(),
            targets: None,
            messages: 0,
            swapped: None,
        }
    }

    /// Takes the filters down and grants what was asked for. `None` if the packet is cut short.
    fn subscribe(&mut self, body: &[u8]) -> Option<()> {
        let (packet_id, mut rest) = body.split_first_chunk::<2>()?;
        if self.version == Version::V5 {
            let (length, digits) = wire::variable_integer(rest).ok()??;
            rest = rest.get(length + digits..)?;
        }
        let mut granted = Vec::new();
        while !rest.is_empty() {
            let (filter, [options, after @ ..]) = wire::string(rest)? else {
                return None;
            };
            self.filters.push(filter.to_vec());
            granted.push(options & 3);
            rest = after;
        }
        let mut body = packet_id.to_vec();
        if self.version == Version::V5 {
            body.push(0);
        }
        body.append(&mut granted);
        self.out
            .extend_from_slice(&wire::framed(packet_type::SUBACK << 4, &body));
        Some(())
    }

    /// A copy of `publishes` with the faults in it.
    fn spoil(&mut self, publishes: &[u8], faults: Faults) -> Result<Vec<u8>, WireError> {
        let mut spoiled = Vec::with_capacity(publishes.len());
        let mut rest = publishes;
        while let Some(frame) = wire::next_frame(rest)? {
            let (packet, after) = rest.split_at(frame.length);
            rest = after;
            self.messages += 1;
            match faults.fault {
                _ if !self.messages.is_multiple_of(faults.every) => {
                    spoiled.extend_from_slice(packet);
                    spoiled.extend_from_slice(&self.swapped.take().unwrap_or_default());
                }
                Fault::Drop => {}
                Fault::Duplicate => spoiled.extend_from_slice(&[packet, packet].concat()),
                Fault::Reorder => self.swapped = Some(packet.to_vec()),
            }
        }
        Ok(spoiled)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }
}

/// Whether `filter` covers `topic`, level by level. [MQTT-4.7.1]
fn matches(filter: &[u8], topic: &[u8]) -> bool {
    let mut levels = topic.split(|byte| *byte == b'/');
    for wanted in filter.split(|byte| *byte == b'/') {
        match (wanted, levels.next()) {
            (b"#", _) => return true,
            (b"+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn filters_cover_topics_level_by_level() {
        for (filter, topic, covers) in [
            ("bench/#", "bench/1", true),
            ("bench/#", "bench", true),
            ("site/+/dev/1/#", "site/2/dev/1/state", true),
            ("site/+/dev/1/#", "site/2/dev/12/state", false),
            ("bench/1", "bench/1/2", false),
            ("bench/1/2", "bench/1", false),
        ] {
            assert_eq!(
                matches(filter.as_bytes(), topic.as_bytes()),
                covers,
                "{filter} {topic}"
            );
        }
    }
}
