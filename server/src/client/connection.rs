//! One network connection to a server: handshake, keep alive, packet identifiers, and the end.

use super::{
    ClientError,
    event::{Event, Incoming, Welcome},
    reader,
};
use crate::{args::ConnectArgs, signal};
use sanderling_core::{
    packet::{
        ClientPacket, Connect, Disconnect, PacketId, Properties, PropertiesBuf, Property, Version,
        Will,
    },
    reason::ReasonCode,
    topic::TopicName,
};
use std::{
    hash::{BuildHasher, RandomState},
    io::{self, Write},
    net::{Shutdown, TcpStream, ToSocketAddrs},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::{Duration, Instant},
};

/// For the network connection, then for CONNACK.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// For the server to take what is sent.
const WRITE_DEADLINE: Duration = Duration::from_secs(60);
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
    /// When the PINGREQ was sent that has no answer yet.
    pinged: Option<Instant>,
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
        check(args)?;
        let peer = peer(args);
        let stream = connect(args, &peer)?;
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
            pinged: None,
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

    /// An event that is there already.
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
    /// [`ClientError::TimedOut`] at `deadline`; whatever ends the connection.
    pub(super) fn next(&mut self, deadline: Option<Instant>) -> Result<Event, ClientError> {
        loop {
            self.ping_if_due()?;
            self.flush()?;
            let event = match earliest(deadline, self.ping_at()) {
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    self.events.recv_timeout(left)
                }
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
                Err(RecvTimeoutError::Disconnected) => unreachable!("`report` sends here"),
                Err(RecvTimeoutError::Timeout) => {
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                        return Err(ClientError::TimedOut);
                    }
                }
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
        if let (true, Event::Received(packet)) = (self.debug, &event) {
            eprintln!("received {packet}");
        }
        match event {
            Event::Received(Incoming::PingResp) => self.pinged = None,
            Event::Received(Incoming::Disconnect { reason, text }) => {
                return Err(self.disconnected(reason, text));
            }
            Event::Received(Incoming::Unexpected(what)) => return Err(self.broken(what)),
            Event::Ended(error) => return Err(error),
            event => return Ok(Some(event)),
        }
        Ok(None)
    }

    fn ping_at(&self) -> Option<Instant> {
        Some(self.pinged.unwrap_or(self.written) + self.keep_alive?)
    }

    /// [MQTT-3.1.2-20]
    fn ping_if_due(&mut self) -> Result<(), ClientError> {
        match (self.ping_at(), self.keep_alive) {
            (Some(at), Some(after)) if at <= Instant::now() => {
                if self.pinged.is_some() {
                    return Err(self.silent("PINGRESP", after));
                }
                self.pinged = Some(Instant::now());
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
        let client_id = args.id.clone().unwrap_or_else(random_client_id);
        let mut properties = PropertiesBuf::default();
        if let Some(seconds) = session_expiry_s(args, clean_start) {
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
            will: will(args)?,
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

/// Refuses options that do not go together in the version that was chosen.
fn check(args: &ConnectArgs) -> Result<(), ClientError> {
    if args.protocol_version != Version::V5 {
        if args.session_expiry_interval.is_some() {
            return Err(ClientError::Usage(
                "-x needs -V mqttv5: older versions know no expiry",
            ));
        }
        if args.password.is_some() && args.username.is_none() {
            return Err(ClientError::Usage(
                "-P needs -u before mqttv5: a password alone cannot be sent [MQTT-3.1.2-22]",
            ));
        }
    }
    Ok(())
}

fn peer(args: &ConnectArgs) -> String {
    let ConnectArgs { host, port, .. } = args;
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Tries every address of the host in turn; the last failure counts.
fn connect(args: &ConnectArgs, peer: &str) -> Result<TcpStream, ClientError> {
    let resolved = (args.host.as_str(), args.port).to_socket_addrs();
    let addresses = resolved.map_err(|cause| ClientError::Resolve {
        host: args.host.clone(),
        cause,
    })?;
    let mut cause = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_DEADLINE) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(ClientError::System)?;
                let deadline = Some(WRITE_DEADLINE);
                stream
                    .set_write_timeout(deadline)
                    .map_err(ClientError::System)?;
                return Ok(stream);
            }
            Err(error) => cause = error,
        }
    }
    let peer = peer.to_owned();
    Err(ClientError::Connect { peer, cause })
}

/// Short enough for the 23 bytes of 3.1.
fn random_client_id() -> String {
    format!(
        "sanderling-{:08x}",
        RandomState::new().hash_one(std::process::id()) as u32
    )
}

/// What is asked for; a session that is to be kept is kept for ever if nothing is.
fn session_expiry_s(args: &ConnectArgs, clean_start: bool) -> Option<u32> {
    let asked = args.session_expiry_interval;
    match args.protocol_version {
        Version::V5 => asked.or((!clean_start).then_some(u32::MAX)),
        Version::V31 | Version::V311 => None,
    }
}

fn will(args: &ConnectArgs) -> Result<Option<Will<'_>>, ClientError> {
    let args = &args.will;
    let Some(topic) = &args.will_topic else {
        return Ok(None);
    };
    Ok(Some(Will {
        topic: TopicName::parse(topic).map_err(|_| ClientError::Usage("--will-topic is wrong"))?,
        payload: args.will_payload.as_deref().unwrap_or_default().as_bytes(),
        qos: args.will_qos.unwrap_or_default(),
        retain: args.will_retain,
        properties: Properties::EMPTY,
    }))
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// For -d: everything but payloads and passwords.
fn describe(packet: &ClientPacket<'_>) -> String {
    match packet {
        ClientPacket::Connect(connect) => format!("CONNECT {:?}", connect.client_id),
        ClientPacket::Publish(publish) => {
            let id = publish
                .packet_id
                .map(|id| format!(" id {id}"))
                .unwrap_or_default();
            let retain = if publish.retain { " retain" } else { "" };
            let bytes = publish.payload.len();
            format!(
                "PUBLISH {:?} QoS {}{id}{retain}, {bytes} bytes",
                publish.topic, publish.qos
            )
        }
        ClientPacket::PubAck(ack) => format!("PUBACK id {}", ack.packet_id),
        ClientPacket::PubRec(ack) => format!("PUBREC id {}", ack.packet_id),
        ClientPacket::PubRel(ack) => format!("PUBREL id {}", ack.packet_id),
        ClientPacket::PubComp(ack) => format!("PUBCOMP id {}", ack.packet_id),
        ClientPacket::Subscribe(subscribe) => {
            let filters: Vec<&str> = subscribe
                .entries
                .iter()
                .map(|entry| entry.filter.as_str())
                .collect();
            format!("SUBSCRIBE id {} {filters:?}", subscribe.packet_id)
        }
        ClientPacket::Unsubscribe(unsubscribe) => {
            format!("UNSUBSCRIBE id {}", unsubscribe.packet_id)
        }
        ClientPacket::PingReq => "PINGREQ".to_owned(),
        ClientPacket::Disconnect(disconnect) => format!("DISCONNECT {}", disconnect.reason),
        ClientPacket::Auth(auth) => format!("AUTH {}", auth.reason),
    }
}
