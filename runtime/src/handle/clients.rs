//! The clients, for the program around the broker.

use super::{ClientInfo, Handle, HandleError, SessionsPage, inbox::Letter, or_unwind, try_to};
use crate::{Value, value};
use sanderling_core::{
    broker::{Answer, Command},
    hooks::ClientData,
    reason::ReasonCode,
    stats::SessionStatistics,
};

impl Handle {
    /// The client whose session has this identifier, connected or not.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn client(&self, client_id: &str) -> Result<Option<ClientInfo>, HandleError> {
        let client_id = client_id.to_owned();
        let endpoints = self.endpoints_of_now();
        self.look(move |view| {
            let session = view.session(&client_id)?;
            Some(ClientInfo::of(session, &endpoints))
        })
    }

    /// Up to `count` sessions, at most 1,000, connected or not; the next page begins where this one ends. A session that
    /// is there all the time is on one page of such a walk.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn clients(&self, from: u32, count: usize) -> Result<SessionsPage, HandleError> {
        let endpoints = self.endpoints_of_now();
        self.look(move |view| SessionsPage::of(view, from, count, &endpoints))
    }

    /// Closes a client's connection; its will is published. Returns whether there was one. When this returns, hooks know
    /// of the end; the socket itself may still be on its way to being closed.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn close(&self, client_id: &str) -> Result<bool, HandleError> {
        closed(self.order(close(client_id))?)
    }

    /// The same, without blocking the thread.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn close_async(&self, client_id: &str) -> Result<bool, HandleError> {
        closed(self.order_async(close(client_id)).await?)
    }

    /// Ends a client's session, and its connection before. Returns whether there was one.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn end_session(&self, client_id: &str) -> Result<bool, HandleError> {
        let client_id = client_id.into();
        closed(self.order(Command::EndSession { client_id })?)
    }

    /// What one session has sent, received and lost.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn session_statistics(
        &self,
        client_id: &str,
    ) -> Result<Option<SessionStatistics>, HandleError> {
        let client_id = client_id.to_owned();
        self.look(move |view| Some(view.session(&client_id)?.statistics()))
    }

    /// Lets `act` change what the program keeps with a client; `None` if there is no such session.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn with_data<R: Send + 'static>(
        &self,
        client_id: &str,
        act: impl FnOnce(&mut ClientData) -> R + Send + 'static,
    ) -> Result<Option<R>, HandleError> {
        let outcome = self.ask(|reply| {
            let act = move |data: Option<&mut ClientData>| try_to(reply, || data.map(act));
            Letter::Data(client_id.into(), Box::new(act))
        });
        outcome.map(or_unwind)
    }

    /// The value that was [kept](Self::set_value) with a client under this key.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn value(&self, client_id: &str, key: &str) -> Result<Option<Value>, HandleError> {
        let key = key.to_owned();
        let found = self.with_data(client_id, move |data| value::get(data, &key).cloned())?;
        Ok(found.flatten())
    }

    /// Keeps a value with a client, as long as its connection and, after that, while its session is away. Returns
    /// whether there is such a client.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn set_value(
        &self,
        client_id: &str,
        key: &str,
        value: impl Into<Value>,
    ) -> Result<bool, HandleError> {
        let (key, value) = (key.to_owned(), value.into());
        let set = self.with_data(client_id, move |data| value::set(data, key, value))?;
        Ok(set.is_some())
    }

    /// Forgets a value; that there is none is fine.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn remove_value(&self, client_id: &str, key: &str) -> Result<Option<Value>, HandleError> {
        let key = key.to_owned();
        let removed = self.with_data(client_id, move |data| value::remove(data, &key))?;
        Ok(removed.flatten())
    }
}

fn close(client_id: &str) -> Command {
    Command::Close {
        client_id: client_id.into(),
        reason: ReasonCode::ADMINISTRATIVE_ACTION,
    }
}

fn closed(answer: Answer) -> Result<bool, HandleError> {
    match answer {
        Answer::Closed(closed) => Ok(closed),
        other => unreachable!("a client was to be closed, the answer is {other:?}"),
    }
}
