//! What a client inside the program and the broker share.

use super::{
    InlineError, InlineMessage,
    state::{Sink, State, Tell},
};
use crate::Inbox;
use sanderling_core::{
    broker::NewSubscription,
    id::ConnId,
    packet::{
        ClientPacket, Connect, Disconnect, Properties, PropertiesBuf, Property, Subscribe,
        SubscribeEntry, Unsubscribe,
    },
    reason::ReasonCode,
    topic::TopicFilter,
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

/// The two ends of a connection without a network.
pub(crate) struct Pipe {
    inbox: Arc<Inbox>,
    shared: Mutex<Shared>,
}

struct Shared {
    state: State,
    /// Once the broker has it.
    conn: Option<ConnId>,
    /// The broker was told that there is something to look at, and has not looked yet.
    is_rung: bool,
}

/// Whether a session went on, once CONNACK says so.
type Accepted = oneshot::Receiver<Result<bool, InlineError>>;

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").finish_non_exhaustive()
    }
}

impl Pipe {
    /// A pipe with a CONNECT in it, and the answer to that.
    pub(super) fn new(
        inbox: Arc<Inbox>,
        connect: &Connect<'_>,
        sink: Sink,
    ) -> Result<(Arc<Self>, Accepted), InlineError> {
        let mut state = State::new(sink);
        state.send(&ClientPacket::Connect(Box::new(connect.clone())))?;
        let (reply, accepted) = oneshot::channel();
        state.accepted = Some(reply);
        let shared = Shared {
            state,
            conn: None,
            is_rung: true,
        };
        let pipe = Arc::new(Self {
            inbox,
            shared: Mutex::new(shared),
        });
        Ok((pipe, accepted))
    }

    // The client's end

    pub(super) fn subscribe(
        &self,
        new: &NewSubscription,
    ) -> Result<oneshot::Receiver<ReasonCode>, InlineError> {
        let filter = valid(&new.filter)?;
        let mut identifier = PropertiesBuf::new();
        if new.identifier != 0 {
            identifier
                .push(Property::SubscriptionIdentifier(new.identifier))
                .map_err(|_| InlineError::Refused(ReasonCode::PROTOCOL_ERROR))?;
        }
        self.ask(|packet_id| {
            ClientPacket::Subscribe(Box::new(Subscribe {
                packet_id,
                entries: vec![SubscribeEntry {
                    filter,
                    options: new.options,
                }],
                properties: Properties::from(&identifier),
            }))
        })
    }

    pub(super) fn unsubscribe(
        &self,
        filter: &str,
    ) -> Result<oneshot::Receiver<ReasonCode>, InlineError> {
        let filter = valid(filter)?;
        self.ask(|packet_id| {
            ClientPacket::Unsubscribe(Box::new(Unsubscribe {
                packet_id,
                filters: vec![filter],
                properties: Properties::EMPTY,
            }))
        })
    }

    fn ask<'a>(
        &self,
        packet: impl FnOnce(sanderling_core::packet::PacketId) -> ClientPacket<'a>,
    ) -> Result<oneshot::Receiver<ReasonCode>, InlineError> {
        let mut shared = self.lock();
        if shared.state.is_closed {
            return Err(InlineError::Ended(shared.state.reason));
        }
        let (packet_id, answer) = shared.state.expect_answer();
        shared.state.send(&packet(packet_id))?;
        self.ring(&mut shared);
        Ok(answer)
    }

    /// Awaits the answer to something.
    pub(super) async fn answer<R>(&self, answer: oneshot::Receiver<R>) -> Result<R, InlineError> {
        answer.await.map_err(|_| self.end())
    }

    /// Why there is no answer.
    pub(super) fn end(&self) -> InlineError {
        InlineError::Ended(self.lock().state.reason)
    }

    pub(super) fn poll_message(&self, cx: &mut Context<'_>) -> Poll<Option<InlineMessage>> {
        let mut shared = self.lock();
        let message = self.take(&mut shared);
        if message.is_none() && !shared.state.is_closed {
            shared.state.await_message(cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(message)
    }

    pub(super) fn try_message(&self) -> Option<InlineMessage> {
        self.take(&mut self.lock())
    }

    fn take(&self, shared: &mut Shared) -> Option<InlineMessage> {
        let message = shared.state.take()?;
        let has_something = !shared.state.to_broker.is_empty();
        if has_something || shared.state.is_full {
            self.ring(shared);
        }
        Some(message)
    }

    /// Awaits an answer with this correlation data.
    pub(super) fn expect(
        &self,
        number: u64,
    ) -> Result<oneshot::Receiver<InlineMessage>, InlineError> {
        let mut shared = self.lock();
        if shared.state.is_closed {
            return Err(InlineError::Ended(shared.state.reason));
        }
        let Sink::Answers(waiting) = &mut shared.state.sink else {
            unreachable!("a requester has no queue");
        };
        let (reply, answer) = oneshot::channel();
        waiting.insert(number, reply);
        Ok(answer)
    }

    /// Nobody awaits this answer any more.
    pub(super) fn forget(&self, number: u64) {
        if let Sink::Answers(waiting) = &mut self.lock().state.sink {
            waiting.remove(&number);
        }
    }

    /// The client goes.
    pub(super) fn leave(&self) {
        let mut shared = self.lock();
        if shared.state.is_closed {
            return;
        }
        let disconnect = Disconnect {
            reason: ReasonCode::NORMAL_DISCONNECTION,
            properties: Properties::EMPTY,
        };
        // Without it the connection ends all the same.
        let _ = shared.state.send(&ClientPacket::Disconnect(disconnect));
        shared.state.is_done = true;
        self.ring(&mut shared);
    }

    /// Has the broker look at the other end.
    fn ring(&self, shared: &mut Shared) {
        if let Some(conn) = shared.conn
            && !core::mem::replace(&mut shared.is_rung, true)
        {
            self.inbox.ring(conn);
        }
    }

    // The broker's end

    /// The broker has it as this connection, and looks at it now.
    pub(crate) fn opened(&self, conn: ConnId) {
        let mut shared = self.lock();
        shared.conn = Some(conn);
        shared.is_rung = false;
    }

    /// The broker looks at it now.
    pub(crate) fn answer_ring(&self) {
        self.lock().is_rung = false;
    }

    /// Moves what the client has to say into `buffer`; none if that is nothing now, 0 if it says nothing any more.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut shared = self.lock();
        let waiting = &mut shared.state.to_broker;
        let len = buffer.len().min(waiting.len());
        buffer[..len].copy_from_slice(&waiting[..len]);
        waiting.drain(..len);
        (len > 0 || shared.state.is_done).then_some(len)
    }

    /// Takes what the broker has to say; none if there is no room.
    pub(super) fn write<'a>(&self, slices: impl Iterator<Item = &'a [u8]>) -> Option<usize> {
        let mut tell = Vec::new();
        let mut taken = None;
        let mut shared = self.lock();
        for slice in slices {
            if !shared.state.has_room() {
                break;
            }
            shared.state.receive(slice, &mut tell);
            *taken.get_or_insert(0) += slice.len();
        }
        if !shared.state.to_broker.is_empty() {
            self.ring(&mut shared);
        }
        drop(shared);
        tell.into_iter().for_each(Tell::it);
        taken
    }

    /// The broker says nothing any more, so neither does the client.
    pub(super) fn shut_down(&self) {
        let mut shared = self.lock();
        shared.state.is_done = true;
        self.ring(&mut shared);
    }

    /// The connection has ended.
    pub(super) fn close(&self) {
        let mut tell = Vec::new();
        self.lock().state.close(&mut tell);
        tell.into_iter().for_each(Tell::it);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing in here can be left half done by a panic.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn valid(filter: &str) -> Result<TopicFilter<'_>, InlineError> {
    TopicFilter::parse(filter).map_err(|_| InlineError::Refused(ReasonCode::TOPIC_FILTER_INVALID))
}
