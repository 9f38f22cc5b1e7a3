//! The retained messages, for the program around the broker. No hook is asked or told, and nobody is sent anything.

use super::{Handle, HandleError, MessageInfo, refused};
use sanderling_core::{
    broker::{Answer, Command, Publication},
    topic,
};

/// Looks at retained messages, stores and removes them. Had from [`Handle::retained`].
#[derive(Clone, Debug)]
pub struct RetainedStore(pub(super) Handle);

/// Messages that are looked at in one turn.
const STEP: usize = 256;

impl RetainedStore {
    /// The message of a topic.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn get(&self, topic: &str) -> Result<Option<MessageInfo>, HandleError> {
        let topic = topic.to_owned();
        self.0
            .look(move |view| view.retained(&topic).map(MessageInfo::of))
    }

    /// Stores a message in the place of its topic's former one; with an empty payload, removes that.
    ///
    /// # Errors
    /// See [`HandleError`]; nothing was stored then.
    pub fn store(&self, publication: Publication) -> Result<(), HandleError> {
        match self.0.order(Command::Retain(Box::new(publication)))? {
            Answer::Retained => Ok(()),
            other => Err(refused(&other)),
        }
    }

    /// Removes the message of a topic; that there is none is fine.
    ///
    /// # Errors
    /// See [`HandleError`].
    pub fn remove(&self, topic: &str) -> Result<(), HandleError> {
        self.store(Publication::new(topic, ""))
    }

    /// Removes every message.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn clear(&self) -> Result<(), HandleError> {
        self.0.order(Command::ClearRetained).map(drop)
    }

    /// The messages whose topics match a filter, in the order of topics.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn matching(&self, filter: &str) -> Result<Vec<MessageInfo>, HandleError> {
        let mut found = Vec::new();
        self.walk(None, |message| {
            if topic::matches(topic::path_of(filter), &message.topic) {
                found.push(message);
            }
            true
        })?;
        Ok(found)
    }

    /// Hands every message to `each`, in the order of topics, until that says false. The broker goes on meanwhile, and
    /// `each` may use it.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn for_each(&self, each: impl FnMut(MessageInfo) -> bool) -> Result<(), HandleError> {
        self.walk(None, each)
    }

    /// The same for topics after `after`.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn walk(
        &self,
        after: Option<&str>,
        mut each: impl FnMut(MessageInfo) -> bool,
    ) -> Result<(), HandleError> {
        let mut after = after.map(ToOwned::to_owned);
        loop {
            let from = after.take();
            let some: Vec<_> = self.0.look(move |view| {
                let messages = view.retained_after(from.as_deref());
                messages.take(STEP).map(MessageInfo::of).collect()
            })?;
            after = some.last().map(|message| message.topic.clone());
            let is_last = some.len() < STEP;
            if !some.into_iter().all(&mut each) || is_last {
                return Ok(());
            }
        }
    }
}
