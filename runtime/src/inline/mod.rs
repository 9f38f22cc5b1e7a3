//! Clients inside the program around the broker: sessions like any other, without a network.

mod pipe;
mod request;
mod socket;
mod state;

pub(crate) use pipe::Pipe;
pub use request::{RequestError, Requester};
pub(crate) use socket::Carrier;
pub use state::InlineMessage;

use crate::{Handle, HandleError};
use futures_core::Stream;
use sanderling_core::{
    broker::{NewSubscription, Publication},
    packet::{Connect, Properties, PropertiesBuf, Property, QoS, Version},
    reason::ReasonCode,
};
use state::Sink;
use std::{
    error::Error,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// How a client inside the program connects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InlineOptions {
    /// The client identifier. Whoever connects with the same one takes over, from here or from outside.
    pub client_id: String,
    /// Whether to begin with a new session.
    pub clean_start: bool,
    /// How long the session outlives the connection, in seconds; `u32::MAX` for ever.
    pub session_expiry_s: u32,
    /// How many messages wait to be taken. Beyond it, QoS 1 and 2 wait in the session's queue, and QoS 0 is lost.
    pub messages_max: u16,
}

impl InlineOptions {
    /// A new session that ends with the connection, and 1,024 messages that wait.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            clean_start: true,
            session_expiry_s: 0,
            messages_max: 1024,
        }
    }
}

/// Why a client inside the program cannot go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InlineError {
    /// The broker has stopped.
    Stopped,
    /// The broker refuses it, for this reason.
    Refused(ReasonCode),
    /// The connection has ended; for this reason if there was one.
    Ended(Option<ReasonCode>),
}

impl fmt::Display for InlineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the broker has stopped"),
            Self::Refused(reason) => write!(f, "refused by the broker: {reason}"),
            Self::Ended(Some(reason)) => write!(f, "the connection has ended: {reason}"),
            Self::Ended(None) => f.write_str("the connection has ended"),
        }
    }
}

impl Error for InlineError {}

/// A client inside the program, connected. It is a [`Stream`] of messages; those of QoS 1 and 2 are acknowledged as they
/// are taken, so nobody is sent more than it takes.
///
/// It needs no runtime. Dropping it disconnects.
#[derive(Debug)]
pub struct Inline {
    handle: Handle,
    pipe: Arc<Pipe>,
    client_id: String,
    session_present: bool,
}

impl Inline {
    pub(crate) async fn connect(
        handle: Handle,
        options: InlineOptions,
    ) -> Result<Self, InlineError> {
        let sink = Sink::queue(options.messages_max.max(1));
        let (pipe, session_present) = connect(&handle, &options, sink).await?;
        Ok(Self {
            handle,
            pipe,
            client_id: options.client_id,
            session_present,
        })
    }

    /// Its client identifier.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Whether a session of this client identifier went on.
    pub fn session_present(&self) -> bool {
        self.session_present
    }

    /// Subscribes to a filter, and returns the QoS granted. Retained messages follow.
    ///
    /// # Errors
    /// `Refused` if the filter is not valid or the session is full; else the connection has ended.
    pub async fn subscribe(&self, filter: &str, qos: QoS) -> Result<QoS, InlineError> {
        self.subscribe_with(NewSubscription::new(filter, qos)).await
    }

    /// The same with further options.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn subscribe_with(&self, new: NewSubscription) -> Result<QoS, InlineError> {
        let granted = self.pipe.subscribe(&new)?;
        let code = self.pipe.answer(granted).await?;
        QoS::from_bits(code.0).ok_or(InlineError::Refused(code))
    }

    /// Gives a filter up. Messages that wait already are still taken.
    ///
    /// # Errors
    /// `Refused` if the filter is not valid; else the connection has ended.
    pub async fn unsubscribe(&self, filter: &str) -> Result<(), InlineError> {
        let given_up = self.pipe.unsubscribe(filter)?;
        let code = self.pipe.answer(given_up).await?;
        match code.is_error() {
            true => Err(InlineError::Refused(code)),
            false => Ok(()),
        }
    }

    /// Publishes a message as the program, not as this client; see [`Handle::publish_async`].
    ///
    /// # Errors
    /// See [`HandleError`]; nothing was published then.
    pub async fn publish(&self, publication: Publication) -> Result<u32, HandleError> {
        self.handle.publish_async(publication).await
    }

    /// Takes the next message; none once the connection has ended.
    pub async fn next(&mut self) -> Option<InlineMessage> {
        poll_fn(|cx| self.pipe.poll_message(cx)).await
    }

    /// The same, blocking the thread.
    pub fn recv(&mut self) -> Option<InlineMessage> {
        pollster::block_on(self.next())
    }

    /// Takes a message that is there now.
    pub fn try_recv(&mut self) -> Option<InlineMessage> {
        self.pipe.try_message()
    }
}

impl Stream for Inline {
    type Item = InlineMessage;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<InlineMessage>> {
        self.pipe.poll_message(cx)
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        self.pipe.leave();
    }
}

/// Connects, and returns whether a session went on.
async fn connect(
    handle: &Handle,
    options: &InlineOptions,
    sink: Sink,
) -> Result<(Arc<Pipe>, bool), InlineError> {
    let mut properties = PropertiesBuf::new();
    let receive_maximum = Property::ReceiveMaximum(options.messages_max.max(1));
    for property in [
        Property::SessionExpiryInterval(options.session_expiry_s),
        receive_maximum,
    ] {
        properties.push(property).expect("these are valid");
    }
    let connect = Connect {
        version: Version::V5,
        client_id: &options.client_id,
        clean_start: options.clean_start,
        keep_alive_s: 0,
        username: None,
        password: None,
        will: None,
        properties: Properties::from(&properties),
    };
    let (pipe, accepted) = Pipe::new(Arc::clone(handle.inbox()), &connect, sink)?;
    let stopped = |_| InlineError::Stopped;
    handle.open(Arc::clone(&pipe)).await.map_err(stopped)?;
    let outcome = accepted.await.map_err(|_| pipe.end())?;
    outcome.map(|session_present| (pipe, session_present))
}
