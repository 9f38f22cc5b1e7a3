//! `sanderling sub`: subscribe and print what arrives.

use super::{
    ClientError,
    connection::Connection,
    event::{Event, Incoming, Message},
    target::Target,
};
use crate::args::SubArgs;
use sanderling_core::{
    packet::{
        Ack, ClientPacket, PacketId, Properties, QoS, RetainHandling, Subscribe, SubscribeEntry,
        SubscribeOptions, Version,
    },
    reason::ReasonCode,
    topic::TopicFilter,
};
use std::{
    collections::BTreeSet,
    io::{self, BufWriter, ErrorKind, StdoutLock, Write},
    time::{Duration, Instant},
};

/// After so many events acknowledgements, pings and the deadline have their turn, whatever else is there.
const EVENTS_IN_A_ROW_MAX: u32 = 256;

/// Prints messages until a signal, the count or the time given ends it.
pub(crate) fn subscribe(args: &SubArgs) -> Result<(), ClientError> {
    let deadline = args
        .wait_s
        .map(|seconds| Instant::now() + Duration::from_secs(u64::from(seconds)));
    let target = Target::of(&args.connect)?;
    let topics = target.filters_of(&args.topics)?;
    let mut connection =
        match Connection::open(&args.connect, &target, !args.keep_session, deadline) {
            Err(ClientError::Interrupted) => return Ok(()),
            opened => opened?,
        };
    let subscribed_as = send_subscribe(&mut connection, args, &topics)?;
    let mut subscriber = Subscriber {
        connection,
        args,
        topics,
        subscribed_as,
        printed: 0,
        unreleased: BTreeSet::new(),
        output: BufWriter::new(io::stdout().lock()),
    };
    let run = subscriber.run(deadline);
    let flushed = subscriber.flush();
    match (run, flushed) {
        (Ok(()), Ok(())) => subscriber.connection.close(),
        (Err(ClientError::TimedOut), Ok(())) => {
            subscriber.connection.close()?;
            Err(ClientError::TimedOut)
        }
        // The reader of our output has seen enough.
        (Err(ClientError::Output(cause)), _) | (_, Err(ClientError::Output(cause)))
            if cause.kind() == ErrorKind::BrokenPipe =>
        {
            subscriber.connection.close()
        }
        (run, flushed) => run.and(flushed),
    }
}

struct Subscriber<'a> {
    connection: Connection,
    args: &'a SubArgs,
    topics: Vec<String>,
    /// The packet identifier of our SUBSCRIBE.
    subscribed_as: PacketId,
    printed: u64,
    /// QoS 2 messages that are printed and not yet released. [MQTT-4.3.3-10]
    unreleased: BTreeSet<PacketId>,
    output: BufWriter<StdoutLock<'static>>,
}

impl Subscriber<'_> {
    fn run(&mut self, deadline: Option<Instant>) -> Result<(), ClientError> {
        let mut in_a_row = 0;
        while self.args.count.is_none_or(|count| self.printed < count) {
            let at_hand = match in_a_row < EVENTS_IN_A_ROW_MAX {
                true => self.connection.try_next()?,
                false => None,
            };
            let event = match at_hand {
                Some(event) => event,
                None => {
                    // Printed first, acknowledged after.
                    self.flush()?;
                    in_a_row = 0;
                    self.connection.next(deadline)?
                }
            };
            in_a_row += 1;
            match event {
                Event::Received(packet) => self.on_packet(packet)?,
                Event::Signalled => return Ok(()),
                // Nobody reads standard input.
                event => unreachable!("{event:?}"),
            }
        }
        Ok(())
    }

    fn on_packet(&mut self, packet: Incoming) -> Result<(), ClientError> {
        match packet {
            Incoming::Publish(message) => self.on_publish(&message),
            Incoming::PubRel(packet_id) => {
                self.unreleased.remove(&packet_id);
                self.connection
                    .send(&ClientPacket::PubComp(Ack::success(packet_id)))
            }
            Incoming::SubAck {
                packet_id,
                codes,
                text,
            } if packet_id == self.subscribed_as => self.on_suback(&codes, text),
            _ => Err(self.connection.broken("an answer to nothing that was sent")),
        }
    }

    fn on_publish(&mut self, message: &Message) -> Result<(), ClientError> {
        match (message.qos, message.packet_id) {
            (QoS::AtLeastOnce, Some(packet_id)) => {
                self.print(message)?;
                self.connection
                    .send(&ClientPacket::PubAck(Ack::success(packet_id)))
            }
            (QoS::ExactlyOnce, Some(packet_id)) => {
                if self.unreleased.insert(packet_id) {
                    self.print(message)?;
                }
                self.connection
                    .send(&ClientPacket::PubRec(Ack::success(packet_id)))
            }
            _ => self.print(message),
        }
    }

    fn print(&mut self, message: &Message) -> Result<(), ClientError> {
        if message.retain && self.args.no_retained {
            return Ok(());
        }
        self.printed += 1;
        self.write(message).map_err(ClientError::Output)
    }

    fn write(&mut self, message: &Message) -> io::Result<()> {
        if self.args.verbose {
            self.output.write_all(message.topic.as_bytes())?;
            self.output.write_all(b" ")?;
        }
        self.output.write_all(&message.payload)?;
        if !self.args.no_newline {
            self.output.write_all(b"\n")?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ClientError> {
        self.output.flush().map_err(ClientError::Output)
    }

    /// Goes on if at least one filter was granted.
    fn on_suback(&mut self, codes: &[ReasonCode], text: Option<String>) -> Result<(), ClientError> {
        if codes.len() != self.topics.len() {
            return Err(self
                .connection
                .broken("SUBACK has not one code for each filter"));
        }
        let outcomes = self.topics.iter().zip(codes);
        let refused: Vec<_> = outcomes.filter(|(_, code)| code.is_error()).collect();
        let all = refused.len() == codes.len();
        for (number, (filter, reason)) in refused.into_iter().enumerate() {
            let error = ClientError::SubscribeRefused {
                filter: filter.clone(),
                reason: *reason,
                text: text.clone(),
            };
            if all && number + 1 == codes.len() {
                return Err(error);
            }
            eprintln!("sanderling: {error}");
        }
        Ok(())
    }
}

fn send_subscribe(
    connection: &mut Connection,
    args: &SubArgs,
    topics: &[String],
) -> Result<PacketId, ClientError> {
    let packet_id = connection.packet_id(|_| false);
    // With -R the server need not even send what it has kept.
    let retain_handling = match (args.no_retained, args.connect.protocol_version) {
        (true, Version::V5) => RetainHandling::DoNotSend,
        _ => RetainHandling::Send,
    };
    let options = SubscribeOptions {
        qos: args.qos,
        retain_handling,
        ..SubscribeOptions::default()
    };
    let entries = topics.iter().map(|topic| match TopicFilter::parse(topic) {
        Ok(filter) => Ok(SubscribeEntry { filter, options }),
        Err(error) => Err(ClientError::Usage(format!("{topic:?}: it {error}"))),
    });
    connection.send(&ClientPacket::Subscribe(Box::new(Subscribe {
        packet_id,
        entries: entries.collect::<Result<_, _>>()?,
        properties: Properties::EMPTY,
    })))?;
    Ok(packet_id)
}
