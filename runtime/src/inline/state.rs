//! The client's side of MQTT: what it has been sent and what it answers.

use super::InlineError;
use bytes::Bytes;
use sanderling_core::{
    codec::{DecodeLimits, Decoded, FromServer},
    packet::{Ack, ClientPacket, PacketId, PropertiesBuf, Publish, QoS, ServerPacket, Version},
    reason::ReasonCode,
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    task::Waker,
};

/// The longest packet there can be. [MQTT 5.0, 2.1.4]
const PACKET_BYTES_MAX: u32 = 268_435_455 + 5;

/// A message as a client inside the program gets it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InlineMessage {
    /// The topic it was published to.
    pub topic: String,
    /// What it says.
    pub payload: Bytes,
    /// The QoS it was delivered with.
    pub qos: QoS,
    /// Whether it comes from the retained messages.
    pub retain: bool,
    /// Its 5.0 properties.
    pub properties: PropertiesBuf,
    packet_id: Option<PacketId>,
}

impl InlineMessage {
    fn of(publish: &Publish<'_>) -> Self {
        Self {
            topic: publish.topic.into(),
            payload: Bytes::copy_from_slice(publish.payload),
            qos: publish.qos,
            retain: publish.retain,
            properties: publish.properties.into(),
            packet_id: publish.packet_id,
        }
    }
}

/// Where messages go.
pub(super) enum Sink {
    /// To whoever takes them.
    Queue(Queue),
    /// To those who await an answer, by the correlation data they sent.
    Answers(HashMap<u64, oneshot::Sender<InlineMessage>>),
}

/// Messages that wait to be taken.
pub(super) struct Queue {
    messages: VecDeque<InlineMessage>,
    max: usize,
    /// Those of them that are to be acknowledged.
    unacknowledged: HashSet<PacketId>,
    waker: Option<Waker>,
}

impl Sink {
    pub(super) fn queue(max: u16) -> Self {
        Self::Queue(Queue {
            messages: VecDeque::new(),
            max: max.into(),
            unacknowledged: HashSet::new(),
            waker: None,
        })
    }

    fn is_full(&self) -> bool {
        match self {
            Self::Queue(queue) => queue.messages.len() >= queue.max,
            Self::Answers(_) => false,
        }
    }
}

/// Whom to tell something once nothing is locked any more: it may call again at once.
pub(super) enum Tell {
    Accepted(
        oneshot::Sender<Result<bool, InlineError>>,
        Result<bool, InlineError>,
    ),
    Code(oneshot::Sender<ReasonCode>, ReasonCode),
    Message(oneshot::Sender<InlineMessage>, InlineMessage),
    Wake(Waker),
}

impl Tell {
    /// Those who have stopped waiting hear nothing.
    pub(super) fn it(self) {
        match self {
            Self::Accepted(to, outcome) => drop(to.send(outcome)),
            Self::Code(to, code) => drop(to.send(code)),
            Self::Message(to, message) => drop(to.send(message)),
            Self::Wake(waker) => waker.wake(),
        }
    }
}

/// A client's side of its connection.
pub(super) struct State {
    /// What it has to say.
    pub(super) to_broker: Vec<u8>,
    /// It will say nothing more.
    pub(super) is_done: bool,
    /// The broker has closed the connection.
    pub(super) is_closed: bool,
    /// The broker waits for room.
    pub(super) is_full: bool,
    /// A part of a packet.
    from_broker: Vec<u8>,
    decoder: FromServer,
    /// Who waits for CONNACK.
    pub(super) accepted: Option<oneshot::Sender<Result<bool, InlineError>>>,
    /// Who waits for SUBACK and UNSUBACK.
    answers: HashMap<PacketId, oneshot::Sender<ReasonCode>>,
    last_packet_id: u16,
    /// QoS 2 messages that were taken and not yet released. [MQTT-4.3.3-10]
    unreleased: HashSet<PacketId>,
    pub(super) sink: Sink,
    /// Why the broker has ended it.
    pub(super) reason: Option<ReasonCode>,
}

impl State {
    pub(super) fn new(sink: Sink) -> Self {
        let limits = DecodeLimits {
            first_packet_bytes_max: PACKET_BYTES_MAX,
            packet_bytes_max: PACKET_BYTES_MAX,
        };
        Self {
            to_broker: Vec::new(),
            is_done: false,
            is_closed: false,
            is_full: false,
            from_broker: Vec::new(),
            decoder: FromServer::new(Version::V5, limits),
            accepted: None,
            answers: HashMap::new(),
            last_packet_id: 0,
            unreleased: HashSet::new(),
            sink,
            reason: None,
        }
    }

    /// Has a packet sent.
    pub(super) fn send(&mut self, packet: &ClientPacket<'_>) -> Result<(), InlineError> {
        packet
            .encode(Version::V5, &mut self.to_broker)
            .map_err(|_| InlineError::Refused(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR))
    }

    fn answer(&mut self, packet: &ClientPacket<'_>) {
        self.send(packet)
            .expect("an acknowledgement can be encoded");
    }

    /// A packet identifier for a SUBSCRIBE or UNSUBSCRIBE, and its answer.
    pub(super) fn expect_answer(&mut self) -> (PacketId, oneshot::Receiver<ReasonCode>) {
        let packet_id = loop {
            self.last_packet_id = self.last_packet_id.wrapping_add(1);
            if let Some(id) = PacketId::new(self.last_packet_id)
                && !self.answers.contains_key(&id)
            {
                break id;
            }
        };
        let (reply, answer) = oneshot::channel();
        self.answers.insert(packet_id, reply);
        (packet_id, answer)
    }

    /// Whether the broker has to wait. It has not while an answer may stand behind messages.
    pub(super) fn has_room(&mut self) -> bool {
        self.is_full = self.sink.is_full() && self.answers.is_empty();
        !self.is_full
    }

    /// Takes what the broker has to say.
    pub(super) fn receive(&mut self, bytes: &[u8], tell: &mut Vec<Tell>) {
        self.from_broker.extend_from_slice(bytes);
        let input = core::mem::take(&mut self.from_broker);
        let mut taken = 0;
        while let Decoded::Packet { packet, len } = self
            .decoder
            .decode(&input[taken..])
            .expect("the broker speaks MQTT")
        {
            taken += len;
            self.on_packet(&packet, tell);
        }
        self.from_broker = input;
        self.from_broker.drain(..taken);
    }

    fn on_packet(&mut self, packet: &ServerPacket<'_>, tell: &mut Vec<Tell>) {
        match packet {
            ServerPacket::ConnAck(connack) => {
                let outcome = match connack.reason.is_error() {
                    true => Err(InlineError::Refused(connack.reason)),
                    false => Ok(connack.session_present),
                };
                tell.extend(self.accepted.take().map(|to| Tell::Accepted(to, outcome)));
            }
            ServerPacket::Publish(publish) => self.on_publish(publish, tell),
            ServerPacket::PubRel(ack) => {
                self.unreleased.remove(&ack.packet_id);
                self.answer(&ClientPacket::PubComp(Ack::success(ack.packet_id)));
            }
            ServerPacket::SubAck(suback) => {
                self.on_answer(suback.packet_id, suback.codes.iter().next(), tell)
            }
            ServerPacket::UnsubAck(unsuback) => {
                self.on_answer(unsuback.packet_id, unsuback.codes.iter().next(), tell)
            }
            ServerPacket::Disconnect(disconnect) => self.reason = Some(disconnect.reason),
            // It publishes nothing, pings nobody and does not authenticate.
            ServerPacket::PubAck(_)
            | ServerPacket::PubRec(_)
            | ServerPacket::PubComp(_)
            | ServerPacket::PingResp
            | ServerPacket::Auth(_) => {}
        }
    }

    fn on_answer(&mut self, packet_id: PacketId, code: Option<ReasonCode>, tell: &mut Vec<Tell>) {
        let to = self.answers.remove(&packet_id);
        tell.extend(to.zip(code).map(|(to, code)| Tell::Code(to, code)));
    }

    fn on_publish(&mut self, publish: &Publish<'_>, tell: &mut Vec<Tell>) {
        let queue = match &mut self.sink {
            Sink::Queue(queue) => queue,
            Sink::Answers(waiting) => {
                let data = publish.properties.correlation_data();
                let number = data.and_then(|data| data.try_into().ok());
                let to = number.and_then(|data| waiting.remove(&u64::from_be_bytes(data)));
                tell.extend(to.map(|to| Tell::Message(to, InlineMessage::of(publish))));
                return self.acknowledge(publish.qos, publish.packet_id);
            }
        };
        match publish.packet_id {
            // It was taken before; the broker has not heard.
            Some(id) if self.unreleased.contains(&id) => {
                return self.answer(&ClientPacket::PubRec(Ack::success(id)));
            }
            // It waits to be taken: sent again because that takes its time.
            Some(id) if !queue.unacknowledged.insert(id) => return,
            _ => {}
        }
        queue.messages.push_back(InlineMessage::of(publish));
        tell.extend(queue.waker.take().map(Tell::Wake));
    }

    fn acknowledge(&mut self, qos: QoS, packet_id: Option<PacketId>) {
        match (qos, packet_id) {
            (QoS::AtLeastOnce, Some(id)) => self.answer(&ClientPacket::PubAck(Ack::success(id))),
            (QoS::ExactlyOnce, Some(id)) => {
                self.unreleased.insert(id);
                self.answer(&ClientPacket::PubRec(Ack::success(id)));
            }
            _ => {}
        }
    }

    /// The next message, acknowledged.
    pub(super) fn take(&mut self) -> Option<InlineMessage> {
        let Sink::Queue(queue) = &mut self.sink else {
            return None;
        };
        let message = queue.messages.pop_front()?;
        if let Some(id) = message.packet_id {
            queue.unacknowledged.remove(&id);
        }
        self.acknowledge(message.qos, message.packet_id);
        Some(message)
    }

    /// Has `waker` told when there is something to take, or no more will come.
    pub(super) fn await_message(&mut self, waker: &Waker) {
        if let Sink::Queue(queue) = &mut self.sink {
            queue.waker = Some(waker.clone());
        }
    }

    /// The connection is closed: nobody waits in vain.
    pub(super) fn close(&mut self, tell: &mut Vec<Tell>) {
        (self.is_closed, self.is_done) = (true, true);
        self.answers.clear();
        self.accepted = None;
        match &mut self.sink {
            Sink::Queue(queue) => tell.extend(queue.waker.take().map(Tell::Wake)),
            Sink::Answers(waiting) => waiting.clear(),
        }
    }
}
