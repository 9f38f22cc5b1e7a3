//! rumqttc behind one trait: its modules for 3.1.1 and for 5.0 have the same shape and different types.
//!
//! No thread: a peer turns its connection only while it waits for something.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::process::DEADLINE;

/// The bound that both modules put on packets, too low for a large message unless it is raised.
pub(crate) const PACKET_BYTES_MAX: u32 = 300_000;
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How to connect.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ways {
    pub(crate) client_id: String,
    /// Resume the session that is there, and keep it when the connection ends.
    pub(crate) keep_session: bool,
    /// Leave messages unacknowledged.
    pub(crate) manual_acks: bool,
    pub(crate) will: Option<Message>,
}

/// An application message, sent or received.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
}

/// What a turn of the connection brought.
#[derive(Debug)]
pub(crate) enum Seen {
    ConnAck {
        session_present: bool,
    },
    /// The granted QoS of each filter; `None` where one was refused.
    SubAck(Vec<Option<u8>>),
    UnsubAck,
    /// PUBACK or PUBCOMP, or a QoS 0 message was written.
    Published,
    Message(Message),
    /// DISCONNECT was written.
    Disconnected,
    Other,
}

/// One of rumqttc's modules.
pub(crate) trait Client: Sized {
    fn open(address: SocketAddr, ways: Ways) -> Self;
    fn subscribe(&self, filter: &str, qos: u8);
    fn unsubscribe(&self, filter: &str);
    fn publish(&self, message: Message);
    fn disconnect(&self);
    /// What the connection brings next, and how it looked in rumqttc's own words.
    fn turn(&mut self, limit: Duration) -> Result<(Seen, String), String>;
}

/// A client of which every request is waited for.
pub(crate) struct Peer<C> {
    client: C,
    name: String,
    messages: VecDeque<Message>,
    trace: Vec<String>,
}

impl<C: Client> Peer<C> {
    /// Connects; `session_present` is what CONNACK must say.
    pub(crate) fn connect(address: SocketAddr, ways: Ways, session_present: bool) -> Self {
        let name = ways.client_id.clone();
        let client = C::open(address, ways);
        let mut peer = Self {
            client,
            name,
            messages: VecDeque::new(),
            trace: Vec::new(),
        };
        let Seen::ConnAck {
            session_present: said,
        } = peer.wait("CONNACK", |seen| matches!(seen, Seen::ConnAck { .. }))
        else {
            unreachable!("only CONNACK was waited for");
        };
        assert_eq!(
            said, session_present,
            "{}: session present in CONNACK",
            peer.name
        );
        peer
    }

    pub(crate) fn subscribe(&mut self, filter: &str, qos: u8) {
        self.client.subscribe(filter, qos);
        let seen = self.wait("SUBACK", |seen| matches!(seen, Seen::SubAck(_)));
        assert!(
            matches!(&seen, Seen::SubAck(granted) if granted == &[Some(qos)]),
            "{}: {filter} at QoS {qos}: {seen:?}",
            self.name
        );
    }

    pub(crate) fn unsubscribe(&mut self, filter: &str) {
        self.client.unsubscribe(filter);
        self.wait("UNSUBACK", |seen| matches!(seen, Seen::UnsubAck));
    }

    /// Publishes and waits for the end of the exchange.
    pub(crate) fn publish(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool) {
        self.client.publish(message(topic, payload, qos, retain));
        self.wait("end of the exchange", |seen| {
            matches!(seen, Seen::Published)
        });
    }

    /// The next message, whichever it is.
    pub(crate) fn next_message(&mut self) -> Message {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return message;
            }
            self.wait("message", |seen| matches!(seen, Seen::Message(_)));
        }
    }

    /// The next message must be this one, sent for the first time.
    pub(crate) fn receive(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool) {
        self.receive_message(&message(topic, payload, qos, retain));
    }

    /// The next message must be this one.
    pub(crate) fn receive_message(&mut self, wanted: &Message) {
        let got = self.next_message();
        let lengths = (got.payload.len(), wanted.payload.len());
        if lengths.0.max(lengths.1) > 1000 {
            assert!(
                got == *wanted,
                "{}: a large message came changed, lengths {lengths:?}",
                self.name
            );
        } else {
            assert_eq!(got, *wanted, "{}: the next message", self.name);
        }
    }

    /// Proves that no message waits for this client: a marker that it sends itself is what arrives next.
    pub(crate) fn nothing_more(&mut self) {
        let marker = format!("interop-marker/{}", self.name);
        self.subscribe(&marker, 1);
        self.publish(&marker, b"marker", 1, false);
        self.receive(&marker, b"marker", 1, false);
        self.unsubscribe(&marker);
    }

    /// Ends the connection with DISCONNECT.
    pub(crate) fn disconnect(mut self) {
        self.client.disconnect();
        self.wait("DISCONNECT", |seen| matches!(seen, Seen::Disconnected));
    }

    /// Ends the connection without DISCONNECT, as a lost network does.
    pub(crate) fn drop_connection(self) {
        drop(self.client);
    }

    /// Turns the connection until `wanted` is there; messages on the way are kept.
    fn wait(&mut self, what: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let limit = deadline.saturating_duration_since(Instant::now());
            let (seen, words) = match self.client.turn(limit) {
                Ok(turned) => turned,
                Err(error) => {
                    let trace = self.trace.join("\n");
                    panic!(
                        "{}: {error} while waiting for {what}; before:\n{trace}",
                        self.name
                    );
                }
            };
            self.trace.push(words);
            let found = wanted(&seen);
            if let Seen::Message(message) = &seen {
                self.messages.push_back(message.clone());
            }
            if found {
                return seen;
            }
        }
    }
}

/// A message sent for the first time.
pub(crate) fn message(topic: &str, payload: &[u8], qos: u8, retain: bool) -> Message {
    Message {
        topic: topic.to_owned(),
        payload: payload.to_vec(),
        qos,
        retain,
        dup: false,
    }
}
