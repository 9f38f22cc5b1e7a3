//! One network connection to a server: handshake, keep alive, packet identifiers, and the end.

use super::{
    ClientError,
    dial::{self, CONNECT_DEADLINE},
    event::{Event, Incoming, Welcome},
    reader,
    trace::describe,
};
use crate::{args::ConnectArgs, signal};
use sanderling_core::{
    packet::{
        ClientPacket, Connect, Disconnect, PacketId, Properties, PropertiesBuf, Property, Version,
    },
    reason::ReasonCode,
};
use std::{
    io::{self, Write},
    net::{Shutdown, TcpStream},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::{Duration, Instant},
};

/// For the server to close after DISCONNECT.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);
/// Events on their way to the main thread.
const EVENTS_MAX: usize = 256;
/// What is sent is gathered up to this many bytes.
const GATHERED_BYTES_MAX: usize = 64 << 10;

pub(super) struct Connection {
    stream: TcpStream,
    version: Version,
    /// `host:port` as the user wrote it.
    peer: String,
    /// What CONNACK said.
    welcome: Welcome,
    events: Receiver<Event>,
    report: SyncSender<Event>,
    /// Encoded, not yet written.
    gathered: Vec<u8>,
    keep_alive: Option<Duration>,
    /// When something was last written.
    written: Instant,
    /// Whether anything came since the last PINGREQ: whoever sends is alive, wherever its PINGRESP waits in line.
    heard: bool,
    next_packet_id: PacketId,
    debug: bool,
}

impl Connection {
    /// Connects and asks for a session. From here on a signal is an event.
    pub(super) fn open(
        args: &ConnectArgs,
        clean_start: bool,
        deadline: Option<Instant>,
    ) -> Result<Self, ClientError> {
        dial::check(args)?;
        let peer = dial::peer(args);
        let stream = dial::connect(args, &peer)?;
        let (report, events) = sync_channel(EVENTS_MAX);
        let reading = stream.try_clone().map_err(ClientError::System)?;
        reader::start(reading, args.protocol_version, peer.clone(), report.clone())?;
        let to_signal = report.clone();
        signal::on_first(move || {
            // Nobody listens once the main thread is on its way out.
            let _ = to_signal.send(Event::Signalled);
        })
        .map_err(ClientError::System)?;
        let mut connection = Self {
            stream,
            version: args.protocol_version,
            peer,
            welcome: Welcome::default(),
            events,
            report,
            gathered: Vec::new(),
            keep_alive: None,
            written: Instant::now(),
            heard: true,
            next_packet_id: PacketId::MIN,
            debug: args.debug,
        };
        connection.shake_hands(args, clean_start, deadline)?;
        Ok(connection)
    }

    /// What the server said in CONNACK.
    pub(super) fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// `host:port` of the server.
    pub(super) fn peer(&self) -> &str {
        &self.peer
    }

    /// Where other threads report to.
    pub(super) fn reports(&self) -> SyncSender<Event> {
        self.report.clone()
    }

    /// The next packet identifier that `used` does not hold.
    pub(super) fn packet_id(&mut self, used: impl Fn(PacketId) -> bool) -> PacketId {
        let mut packet_id = self.next_packet_id;
        while used(packet_id) {
            packet_id = packet_id.next();
        }
        self.next_packet_id = packet_id.next();
        packet_id
    }

    /// Gathers `packet`; it is written by [`flush`](Self::flush), at the latest before the next wait.
    pub(super) fn send(&mut self, packet: &ClientPacket<'_>) -> Result<(), ClientError> {
        if self.debug {
            eprintln!("sent {}", describe(packet));
        }
        let start = self.gathered.len();
        let encoded = packet.encode(self.version, &mut self.gathered);
        encoded.map_err(ClientError::Encode)?;
        let bytes = self.gathered.len() - start;
        match self.welcome.packet_bytes_max {
            Some(max) if bytes > max as usize => {
                self.gathered.truncate(start);
                Err(ClientError::Unsupported {
                    peer: self.peer.clone(),
                    what: format!("takes packets up to {max} bytes, and this one has {bytes}"),
                })
            }
            _ => Ok(()),
        }
    }

    /// True when it is time to flush.
    pub(super) fn has_gathered_much(&self) -> bool {
        self.gathered.len() >= GATHERED_BYTES_MAX
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self) -> Result<(), ClientError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        if let Err(cause) = self.stream.write_all(&self.gathered) {
            return Err(self.explain(cause));
        }
        self.gathered.clear();
        self.written = Instant::now();
        Ok(())
    }

    /// An event that is there already. Nothing is written: after some of them it is time for [`next`](Self::next).
    pub(super) fn try_next(&mut self) -> Result<Option<Event>, ClientError> {
        while let Ok(event) = self.events.try_recv() {
            if let Some(event) = self.take(event)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// The next event. Keeps the connection alive meanwhile.
    ///
    /// # Errors
    /// [`ClientError::TimedOut`] from `deadline` on; whatever ends the connection.
    pub(super) fn next(&mut self, deadline: Option<Instant>) -> Result<Event, ClientError> {
        loop {
            self.ping_if_due()?;
            self.flush()?;
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Err(ClientError::TimedOut);
            }
            let event = match earliest(deadline, self.ping_at()) {
                Some(until) => self
                    .events
                    .recv_timeout(until.saturating_duration_since(now)),
                None => self
                    .events
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
            };
            match event {
                Ok(event) => {
                    if let Some(event) = self.take(event)? {
                        return Ok(event);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("`report` sends here"),
            }
        }
    }

    /// Says DISCONNECT and waits until the server has read all and closed.
    ///
    /// # Errors
    /// The server's own DISCONNECT, if it had something to complain of.
    pub(super) fn close(mut self) -> Result<(), ClientError> {
        self.send(&ClientPacket::Disconnect(Disconnect {
            reason: ReasonCode::NORMAL_DISCONNECTION,
            properties: Properties::EMPTY,
        }))?;
        self.flush()?;
        // The server may have closed already; the reader reports it.
        let _ = self.stream.shutdown(Shutdown::Write);
        let deadline = Instant::now() + CLOSE_DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::Received(Incoming::Disconnect { reason, text })) => {
                    return Err(self.disconnected(reason, text));
                }
                Ok(Event::Ended(_)) | Err(_) => return Ok(()),
                Ok(_) => {}
            }
        }
    }

    /// Keeps what concerns only the connection, hands on the rest.
    fn take(&mut self, event: Event) -> Result<Option<Event>, ClientError> {
        if let Event::Received(packet) = &event {
            self.heard = true;
            if self.debug {
                eprintln!("received {packet}");
            }
        }
        match event {
            Event::Received(Incoming::PingResp) => Ok(None),
            Event::Received(Incoming::Disconnect { reason, text }) => {
                Err(self.disconnected(reason, text))
            }
            Event::Received(Incoming::Unexpected(what)) => Err(self.broken(what)),
            Event::Ended(error) => Err(error),
            event => Ok(Some(event)),
        }
    }

    /// When something must be sent, whatever it is. [MQTT-3.1.2-20]
    fn ping_at(&self) -> Option<Instant> {
        Some(self.written + self.keep_alive?)
    }

    fn ping_if_due(&mut self) -> Result<(), ClientError> {
        match (self.ping_at(), self.keep_alive) {
            (Some(at), Some(after)) if at <= Instant::now() => {
                if !self.heard {
                    return Err(self.silent("PINGRESP", after));
                }
                self.heard = false;
                self.send(&ClientPacket::PingReq)
            }
            _ => Ok(()),
        }
    }

    /// Why a write failed: what the server said before it closed, if it said anything.
    fn explain(&mut self, cause: io::Error) -> ClientError {
        let deadline = Instant::now() + CLOSE_DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::Received(Incoming::Disconnect { reason, text })) => {
                    return self.disconnected(reason, text);
                }
                Ok(Event::Ended(_)) | Err(_) => {
                    let peer = self.peer.clone();
                    return ClientError::Lost {
                        peer,
                        cause: Some(cause),
                    };
                }
                Ok(_) => {}
            }
        }
    }

    fn disconnected(&self, reason: ReasonCode, text: Option<String>) -> ClientError {
        let peer = self.peer.clone();
        ClientError::Disconnected { peer, reason, text }
    }

    fn silent(&self, awaited: &'static str, after: Duration) -> ClientError {
        let peer = self.peer.clone();
        ClientError::Silent {
            peer,
            awaited,
            after,
        }
    }

    /// The server sent what it must not send now.
    pub(super) fn broken(&self, what: &str) -> ClientError {
        ClientError::Protocol {
            peer: self.peer.clone(),
            what: what.to_owned(),
        }
    }

    fn shake_hands(
        &mut self,
        args: &ConnectArgs,
        clean_start: bool,
        deadline: Option<Instant>,
    ) -> Result<(), ClientError> {
        let client_id = args.id.clone().unwrap_or_else(dial::random_client_id);
        let mut properties = PropertiesBuf::default();
        if let Some(seconds) = dial::session_expiry_s(args, clean_start) {
            properties
                .push(Property::SessionExpiryInterval(seconds))
                .expect("an empty section has room for one number");
        }
        self.send(&ClientPacket::Connect(Box::new(Connect {
            version: self.version,
            client_id: &client_id,
            clean_start,
            keep_alive_s: args.keepalive,
            username: args.username.as_deref(),
            password: args.password.as_deref().map(str::as_bytes),
            will: dial::will(args)?,
            properties: properties.as_properties(),
        })))?;
        let answered_by = Instant::now() + CONNECT_DEADLINE;
        let welcome = match self.next(earliest(deadline, Some(answered_by))) {
            Ok(Event::Received(Incoming::ConnAck(welcome))) => welcome,
            Ok(Event::Received(_)) => return Err(self.broken("a packet before CONNACK")),
            Ok(_) => return Err(ClientError::Interrupted),
            Err(ClientError::TimedOut) if deadline.is_none_or(|at| answered_by < at) => {
                return Err(self.silent("CONNACK", CONNECT_DEADLINE));
            }
            Err(error) => return Err(error),
        };
        if welcome.reason != ReasonCode::SUCCESS {
            return Err(ClientError::ConnectRefused {
                peer: self.peer.clone(),
                reason: welcome.reason,
                text: welcome.text,
            });
        }
        let seconds = welcome.keep_alive_s.unwrap_or(args.keepalive);
        self.keep_alive = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
        self.welcome = welcome;
        Ok(())
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}
