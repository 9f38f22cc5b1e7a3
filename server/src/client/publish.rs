//! `sanderling pub`: publish, and with QoS 1 and 2 see every exchange to its end.

use super::{
    ClientError,
    connection::Connection,
    event::{Event, Incoming, Outcome},
    input,
    target::Target,
};
use crate::args::PubArgs;
use sanderling_core::packet::{Ack, ClientPacket, PacketId, Properties, Publish, QoS};
use std::collections::BTreeMap;

/// Messages in flight at most; fewer if the server wants fewer.
const WINDOW_MAX: usize = 1000;

/// Publishes what `args` name.
pub(crate) fn publish(args: &PubArgs) -> Result<(), ClientError> {
    let payload = input::payload(&args.message)?;
    let target = Target::of(&args.connect)?;
    let topic = target.topic_of(args.topic.as_deref())?;
    let connection = Connection::open(&args.connect, &target, true, None)?;
    let mut publisher = Publisher::new(connection, args, topic)?;
    match payload {
        Some(payload) => {
            for _ in 0..args.repeat {
                publisher.publish(&payload)?;
            }
        }
        None => publisher.publish_lines()?,
    }
    publisher.finish()
}

/// How far the exchange of one packet identifier is. [MQTT 5.0, 4.3]
///
/// ```text
/// QoS 1:  Published --PUBACK--> done
/// QoS 2:  Published --PUBREC--> Released --PUBCOMP--> done
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Published,
    Released,
}

struct Publisher<'a> {
    connection: Connection,
    args: &'a PubArgs,
    topic: String,
    window: usize,
    in_flight: BTreeMap<PacketId, Stage>,
    /// The first refusal; the others went on.
    refused: Option<Outcome>,
}

impl<'a> Publisher<'a> {
    fn new(connection: Connection, args: &'a PubArgs, topic: String) -> Result<Self, ClientError> {
        let welcome = connection.welcome();
        let unsupported = |what: String| ClientError::Unsupported {
            peer: connection.peer().to_owned(),
            what,
        };
        if args.qos > welcome.qos_max {
            return Err(unsupported(format!(
                "takes QoS {} at most",
                welcome.qos_max
            )));
        }
        if args.retain && !welcome.retain_available {
            return Err(unsupported("keeps no retained messages".to_owned()));
        }
        Ok(Self {
            window: WINDOW_MAX.min(usize::from(welcome.receive_maximum)),
            connection,
            args,
            topic,
            in_flight: BTreeMap::new(),
            refused: None,
        })
    }

    /// Publishes every line of standard input as it comes.
    fn publish_lines(&mut self) -> Result<(), ClientError> {
        let more = input::read_lines(self.connection.reports())?;
        loop {
            match self.connection.next(None)? {
                Event::Lines(lines) => {
                    for line in lines {
                        self.publish(&line)?;
                    }
                    // The thread is gone after its last lines, and says so itself.
                    let _ = more.send(());
                }
                // The usual end of an endless input is Ctrl-C.
                Event::InputEnded | Event::Signalled => return Ok(()),
                event => self.on_event(event)?,
            }
        }
    }

    /// Sends one message, as soon as there is room in the window. [MQTT-3.3.4-7]
    fn publish(&mut self, payload: &[u8]) -> Result<(), ClientError> {
        while self.in_flight.len() >= self.window {
            let event = self.connection.next(None)?;
            self.on_event(event)?;
        }
        let in_flight = &self.in_flight;
        let packet_id = (self.args.qos != QoS::AtMostOnce)
            .then(|| self.connection.packet_id(|id| in_flight.contains_key(&id)));
        self.connection.send(&ClientPacket::Publish(Publish {
            topic: &self.topic,
            payload,
            qos: self.args.qos,
            retain: self.args.retain,
            dup: false,
            packet_id,
            properties: Properties::EMPTY,
        }))?;
        if let Some(packet_id) = packet_id {
            self.in_flight.insert(packet_id, Stage::Published);
        }
        if self.connection.has_gathered_much() {
            self.connection.flush()?;
        }
        Ok(())
    }

    /// Waits for the rest of the acknowledgements and disconnects.
    fn finish(mut self) -> Result<(), ClientError> {
        while !self.in_flight.is_empty() {
            let event = self.connection.next(None)?;
            self.on_event(event)?;
        }
        self.connection.close()?;
        match self.refused {
            None => Ok(()),
            Some(Outcome { reason, text, .. }) => Err(ClientError::PublishRefused {
                topic: self.topic,
                reason,
                text,
            }),
        }
    }

    fn on_event(&mut self, event: Event) -> Result<(), ClientError> {
        match event {
            Event::Received(Incoming::PubAck(outcome)) => {
                self.advance(outcome.packet_id, QoS::AtLeastOnce, Stage::Published)?;
                self.note(outcome);
            }
            Event::Received(Incoming::PubRec(outcome)) => {
                let packet_id = outcome.packet_id;
                self.advance(packet_id, QoS::ExactlyOnce, Stage::Published)?;
                if !outcome.reason.is_error() {
                    self.in_flight.insert(packet_id, Stage::Released);
                    self.connection
                        .send(&ClientPacket::PubRel(Ack::success(packet_id)))?;
                }
                self.note(outcome);
            }
            Event::Received(Incoming::PubComp(packet_id)) => {
                self.advance(packet_id, QoS::ExactlyOnce, Stage::Released)?;
            }
            Event::Received(_) => {
                return Err(self.connection.broken("an answer to nothing that was sent"));
            }
            Event::Signalled => return Err(ClientError::Interrupted),
            Event::InputFailed(cause) => return Err(ClientError::Input { path: None, cause }),
            // Lines are asked for.
            Event::Lines(_) | Event::InputEnded => unreachable!("{event:?}"),
        }
        Ok(())
    }

    /// Takes an exchange out of the window that must be at `stage`.
    fn advance(&mut self, packet_id: PacketId, qos: QoS, stage: Stage) -> Result<(), ClientError> {
        if self.args.qos == qos && self.in_flight.remove(&packet_id) == Some(stage) {
            return Ok(());
        }
        let what = format!("an acknowledgement of packet identifier {packet_id} out of place");
        Err(self.connection.broken(&what))
    }

    fn note(&mut self, outcome: Outcome) {
        if outcome.reason.is_error() && self.refused.is_none() {
            self.refused = Some(outcome);
        }
    }
}
