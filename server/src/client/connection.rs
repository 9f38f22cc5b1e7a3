//! One network connection to a server: handshakes, keep alive, packet identifiers, and the end.

use super::{
    ClientError,
    dial::{self, CONNECT_DEADLINE},
    event::{Event, Incoming, Report, Welcome},
    link::{Link, LinkFault},
    packets::{Packets, Wrong},
    reader,
    socket::Socket,
    target::Target,
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
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::{Duration, Instant},
};

/// For the server to close after DISCONNECT.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);
/// Reports on their way to the main thread.
const REPORTS_MAX: usize = 64;
/// What is sent is gathered up to this many bytes.
const GATHERED_BYTES_MAX: usize = 64 << 10;

pub(super) struct Connection {
    socket: Socket,
    link: Link,
    packets: Packets,
    /// Why nothing follows the packets that are there.
    ended: Option<ClientError>,
    version: Version,
    /// `host:port` as the user wrote it.
    peer: String,
    /// What CONNACK said.
    welcome: Welcome,
    reports: Receiver<Report>,
    report: SyncSender<Report>,
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
        target: &Target,
        clean_start: bool,
        deadline: Option<Instant>,
    ) -> Result<Self, ClientError> {
        dial::check(args, target)?;
        let link = dial::link(target, &args.tls)?;
        let socket = dial::connect(target)?;
        let (report, reports) = sync_channel(REPORTS_MAX);
        let reading = socket.try_clone().map_err(ClientError::System)?;
        reader::start(reading, report.clone())?;
        let to_signal = report.clone();
        signal::on_first(move || {
            // Nobody listens once the main thread is on its way out.
            let _ = to_signal.send(Report::Other(Event::Signalled));
        })
        .map_err(ClientError::System)?;
        let mut connection = Self {
            socket,
            link,
            packets: Packets::new(args.protocol_version),
            ended: None,
            version: args.protocol_version,
            peer: target.peer(),
            welcome: Welcome::default(),
            reports,
            report,
            gathered: Vec::new(),
            keep_alive: None,
            written: Instant::now(),
            heard: true,
            next_packet_id: PacketId::MIN,
            debug: args.debug,
        };
        connection.open_link(deadline)?;
        connection.shake_hands(args, target, clean_start, deadline)?;
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
    pub(super) fn reports(&self) -> SyncSender<Report> {
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

    /// Writes what was gathered, and what the layers below have to say.
    pub(super) fn flush(&mut self) -> Result<(), ClientError> {
        if !self.gathered.is_empty() {
            self.link.send(&self.gathered);
            self.gathered.clear();
            self.written = Instant::now();
        }
        let wire = self.link.take_wire();
        match self.socket.write_all(&wire) {
            Ok(()) => Ok(()),
            Err(cause) => Err(self.explain(cause)),
        }
    }

    /// An event that is there already. Nothing is written: after some of them it is time for [`next`](Self::next).
    pub(super) fn try_next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            if let Some(event) = self.take()? {
                return Ok(Some(event));
            }
            let Ok(report) = self.reports.try_recv() else {
                return Ok(None);
            };
            if let Some(event) = self.hear(report) {
                return Ok(Some(event));
            }
        }
    }

    /// The next event. Keeps the connection alive meanwhile.
    ///
    /// # Errors
    /// [`ClientError::TimedOut`] from `deadline` on; whatever ends the connection.
    pub(super) fn next(&mut self, deadline: Option<Instant>) -> Result<Event, ClientError> {
        loop {
            self.ping_if_due()?;
            self.flush()?;
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(ClientError::TimedOut);
            }
            if let Some(event) = self.take()? {
                return Ok(event);
            }
            if let Some(report) = self.wait(earliest(deadline, self.ping_at()))
                && let Some(event) = self.hear(report)
            {
                return Ok(event);
            }
        }
    }

    /// The next report; none if it does not come in time.
    fn wait(&self, until: Option<Instant>) -> Option<Report> {
        let report = match until {
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                self.reports.recv_timeout(left)
            }
            None => self
                .reports
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
        };
        match report {
            Ok(report) => Some(report),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => unreachable!("`report` sends here"),
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
        self.link.close();
        // The server may have closed already; the reader reports it.
        let _ = self.socket.write_all(&self.link.take_wire());
        let _ = self.socket.finish();
        let deadline = Instant::now() + CLOSE_DEADLINE;
        loop {
            match self.take() {
                Ok(Some(_)) => continue,
                Ok(None) => {}
                Err(error @ ClientError::Disconnected { .. }) => return Err(error),
                Err(_) => return Ok(()),
            }
            match self.wait(Some(deadline)) {
                Some(report) => self.hear(report),
                None => return Ok(()),
            };
        }
    }

    /// Takes what a thread reports, and hands on what does not concern the connection.
    fn hear(&mut self, report: Report) -> Option<Event> {
        match report {
            Report::Other(event) => return Some(event),
            Report::Bytes(bytes) => {
                let received = self.link.receive(&bytes, self.packets.buffer());
                if let Err(LinkFault(what)) = received {
                    let error = self.link_error(what);
                    self.ended.get_or_insert(error);
                    // The server may be told, but need not listen.
                    let _ = self.socket.write_all(&self.link.take_wire());
                }
            }
            Report::Ended(cause) => {
                let peer = self.peer.clone();
                self.ended.get_or_insert(ClientError::Lost { peer, cause });
            }
        }
        None
    }

    /// The next packet that was received. Keeps what concerns only the connection.
    fn take(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            let packet = match self.packets.next() {
                Ok(Some(packet)) => packet,
                Ok(None) => return self.ended.take().map_or(Ok(None), Err),
                Err(Wrong::Malformed(what)) => return Err(self.broken(&what)),
                Err(Wrong::Foreign(what)) => return Err(self.link_error(what)),
            };
            self.heard = true;
            if self.debug {
                eprintln!("received {packet}");
            }
            match packet {
                Incoming::PingResp => {}
                Incoming::Disconnect { reason, text } => {
                    return Err(self.disconnected(reason, text));
                }
                Incoming::Unexpected(what) => return Err(self.broken(what)),
                packet => return Ok(Some(Event::Received(packet))),
            }
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
            match self.take() {
                Ok(Some(_)) => continue,
                Ok(None) => {}
                Err(ClientError::Lost { .. }) => break,
                Err(error) => return error,
            }
            match self.wait(Some(deadline)) {
                Some(report) => self.hear(report),
                None => break,
            };
        }
        let peer = self.peer.clone();
        ClientError::Lost {
            peer,
            cause: Some(cause),
        }
    }

    fn link_error(&self, what: impl Into<String>) -> ClientError {
        ClientError::Link {
            peer: self.peer.clone(),
            what: what.into(),
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

    /// Goes through the handshakes below MQTT.
    fn open_link(&mut self, deadline: Option<Instant>) -> Result<(), ClientError> {
        let answered_by = Instant::now() + CONNECT_DEADLINE;
        while !self.link.open() {
            let awaited = self.link.awaited();
            self.flush()?;
            match self.wait(earliest(deadline, Some(answered_by))) {
                Some(report) => {
                    if self.hear(report).is_some() {
                        return Err(ClientError::Interrupted);
                    }
                }
                None if deadline.is_some_and(|deadline| deadline <= answered_by) => {
                    return Err(ClientError::TimedOut);
                }
                None => return Err(self.silent(awaited, CONNECT_DEADLINE)),
            }
            match self.ended.take() {
                None => {}
                Some(ClientError::Lost { .. }) => {
                    let what = format!(
                        "ended the connection in place of the {awaited}; is that spoken at this port?"
                    );
                    return Err(self.link_error(what));
                }
                Some(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn shake_hands(
        &mut self,
        args: &ConnectArgs,
        target: &Target,
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
            username: target.username.as_deref(),
            password: target.password.as_deref().map(str::as_bytes),
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
