//! Questions to clients, and their answers. [MQTT 5.0, 4.10]

use super::{InlineError, InlineMessage, InlineOptions, Pipe, connect, state::Sink};
use crate::{Handle, HandleError, random_id};
use sanderling_core::{
    broker::{NewSubscription, Publication},
    packet::{Property, PropertyError, QoS},
};
use std::{
    collections::HashMap,
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Asks clients, and awaits their answers. Each question is a message with a response topic that is this one's own, and
/// with correlation data; whoever gets it publishes its answer there, with the same correlation data.
///
/// The response topic is `sanderling/response/` and an identifier: clients that are to answer must be permitted to publish
/// there. It cannot be guessed from outside, but whoever may subscribe to `sanderling/response/+` reads all answers.
///
/// It needs no runtime. Dropping it disconnects.
#[derive(Debug)]
pub struct Requester {
    handle: Handle,
    pipe: Arc<Pipe>,
    response_topic: String,
    asked: AtomicU64,
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RequestError {
    /// The question was not published.
    Handle(HandleError),
    /// Nobody has subscribed to its topic.
    NobodyListens,
    /// The message has a response topic or correlation data already.
    Properties(PropertyError),
    /// The connection has ended.
    Ended(InlineError),
    /// Nobody has answered in time.
    TimedOut,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handle(error) => error.fmt(f),
            Self::NobodyListens => f.write_str("nobody has subscribed to the topic"),
            Self::Properties(_) => {
                f.write_str("the message has a response topic or correlation data already")
            }
            Self::Ended(error) => error.fmt(f),
            Self::TimedOut => f.write_str("nobody has answered in time"),
        }
    }
}

impl Error for RequestError {}

impl Requester {
    pub(crate) async fn connect(handle: Handle) -> Result<Self, InlineError> {
        let id = random_id();
        let options = InlineOptions::new(format!("requester-{id}"));
        let (pipe, _) = connect(&handle, &options, Sink::Answers(HashMap::new())).await?;
        let response_topic = format!("sanderling/response/{id}");
        let requester = Self {
            handle,
            pipe,
            response_topic,
            asked: AtomicU64::new(0),
        };
        let new = NewSubscription::new(&*requester.response_topic, QoS::AtLeastOnce);
        let granted = requester.pipe.subscribe(&new)?;
        requester.pipe.answer(granted).await?;
        Ok(requester)
    }

    /// Where answers go.
    pub fn response_topic(&self) -> &str {
        &self.response_topic
    }

    /// Publishes a question and awaits the first answer, for ever if nobody gives one: whoever does not want that drops
    /// the future after a time.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn request(&self, question: Publication) -> Result<InlineMessage, RequestError> {
        let (asked, answer, question) = self.prepare(question)?;
        sent(self.handle.publish_async(question).await)?;
        let answer = answer.await.map_err(|_| self.ended());
        drop(asked);
        answer
    }

    /// The same, blocking the thread no longer than `at_most`.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn request_within(
        &self,
        question: Publication,
        at_most: Duration,
    ) -> Result<InlineMessage, RequestError> {
        let (asked, answer, question) = self.prepare(question)?;
        sent(self.handle.publish(question))?;
        let answer = answer.recv_timeout(at_most).map_err(|error| match error {
            oneshot::RecvTimeoutError::Timeout => RequestError::TimedOut,
            oneshot::RecvTimeoutError::Disconnected => self.ended(),
        });
        drop(asked);
        answer
    }

    /// The question with what its answer needs.
    fn prepare(
        &self,
        mut question: Publication,
    ) -> Result<(Asked<'_>, oneshot::Receiver<InlineMessage>, Publication), RequestError> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        for property in [
            Property::ResponseTopic(&self.response_topic),
            Property::CorrelationData(&number.to_be_bytes()),
        ] {
            let pushed = question.properties.push(property);
            pushed.map_err(RequestError::Properties)?;
        }
        let answer = self.pipe.expect(number).map_err(RequestError::Ended)?;
        let pipe = &self.pipe;
        Ok((Asked { pipe, number }, answer, question))
    }

    fn ended(&self) -> RequestError {
        RequestError::Ended(self.pipe.end())
    }
}

impl Drop for Requester {
    fn drop(&mut self) {
        self.pipe.leave();
    }
}

/// An answer that is awaited, as long as this lives.
struct Asked<'a> {
    pipe: &'a Pipe,
    number: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.pipe.forget(self.number);
    }
}

fn sent(outcome: Result<u32, HandleError>) -> Result<(), RequestError> {
    match outcome {
        Ok(0) => Err(RequestError::NobodyListens),
        Ok(_) => Ok(()),
        Err(error) => Err(RequestError::Handle(error)),
    }
}
