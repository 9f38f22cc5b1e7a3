//! The subscriptions of all clients, for the program around the broker. No hook is asked or told.

use super::{Handle, HandleError, SubscriptionInfo};
use sanderling_core::{
    broker::{Answer, Command, Filters, NewSubscription},
    reason::ReasonCode,
};

/// Looks at subscriptions, makes and ends them. Had from [`Handle::subscriptions`].
#[derive(Clone, Debug)]
pub struct SubscriptionStore(pub(super) Handle);

/// How many there are, and were.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SubscriptionCounts {
    /// Ever made; to replace one does not count.
    pub total: u64,
    /// Now.
    pub current: u32,
}

/// Sessions that are looked at in one turn.
const STEP: usize = 256;

impl SubscriptionStore {
    /// Makes or replaces subscriptions of a client. If it has no session yet they wait for its first one. Retained
    /// messages are not sent because of it. Returns for each whether it replaced one.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`; for single ones `TOPIC_FILTER_INVALID` or `QUOTA_EXCEEDED`.
    pub fn subscribe(
        &self,
        client_id: &str,
        subscriptions: Vec<NewSubscription>,
    ) -> Result<Vec<Result<bool, ReasonCode>>, HandleError> {
        let client_id = client_id.into();
        let command = Command::Subscribe {
            client_id,
            subscriptions,
        };
        match self.0.order(command)? {
            Answer::Subscribed(outcomes) => Ok(outcomes),
            other => unreachable!("subscriptions were to be made, the answer is {other:?}"),
        }
    }

    /// Ends subscriptions of a client. Returns for each whether there was one.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn unsubscribe(&self, client_id: &str, filters: &[&str]) -> Result<Vec<bool>, HandleError> {
        let filters = filters.iter().map(|filter| (*filter).into()).collect();
        self.end(client_id, Filters::These(filters))
    }

    /// Ends all subscriptions of a client. Returns how many there were.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn unsubscribe_all(&self, client_id: &str) -> Result<usize, HandleError> {
        Ok(self.end(client_id, Filters::All)?.len())
    }

    fn end(&self, client_id: &str, filters: Filters) -> Result<Vec<bool>, HandleError> {
        let client_id = client_id.into();
        match self.0.order(Command::Unsubscribe { client_id, filters })? {
            Answer::Unsubscribed(outcomes) => Ok(outcomes),
            other => unreachable!("subscriptions were to be ended, the answer is {other:?}"),
        }
    }

    /// The subscriptions of one client, by filter; without a session, those that wait for its first one.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn of_client(&self, client_id: &str) -> Result<Vec<SubscriptionInfo>, HandleError> {
        let client_id = client_id.to_owned();
        self.0.look(move |view| {
            let copy = |one| SubscriptionInfo::of(&client_id, one);
            match view.session(&client_id) {
                Some(session) => session.subscriptions().map(copy).collect(),
                None => view.reserved_after(&client_id, None).map(copy).collect(),
            }
        })
    }

    /// The subscriptions with exactly this filter.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn with_filter(&self, filter: &str) -> Result<Vec<SubscriptionInfo>, HandleError> {
        let filter = filter.to_owned();
        self.0.look(move |view| {
            let found = view.subscribers(&filter).into_iter();
            found
                .map(|(client_id, one)| SubscriptionInfo::of(client_id, one))
                .collect()
        })
    }

    /// The subscriptions that match a topic name.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn matching(&self, topic: &str) -> Result<Vec<SubscriptionInfo>, HandleError> {
        let topic = topic.to_owned();
        self.0.look(move |view| {
            let found = view.subscriptions_to(&topic).into_iter();
            found
                .flat_map(|(client_id, matching)| {
                    let each = matching.into_iter();
                    each.map(move |one| SubscriptionInfo::of(client_id, one))
                })
                .collect()
        })
    }

    /// Hands every subscription to `each`, until that says false. The broker goes on meanwhile, and `each` may use it.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn for_each(
        &self,
        mut each: impl FnMut(SubscriptionInfo) -> bool,
    ) -> Result<(), HandleError> {
        let mut from = Some(0);
        while let Some(begin) = from {
            let (some, next) = self.0.look(move |view| {
                let mut sessions = view.sessions_from(begin);
                let some: Vec<_> = sessions
                    .by_ref()
                    .take(STEP)
                    .flat_map(|(_, session)| {
                        let all = session.subscriptions();
                        all.map(move |one| SubscriptionInfo::of(session.client_id(), one))
                    })
                    .collect();
                (some, sessions.next().map(|(number, _)| number))
            })?;
            if !some.into_iter().all(&mut each) {
                return Ok(());
            }
            from = next;
        }
        Ok(())
    }

    /// The same of one client, as long as it has a session.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn counts_of(&self, client_id: &str) -> Result<Option<SubscriptionCounts>, HandleError> {
        let client_id = client_id.to_owned();
        self.0.look(move |view| {
            let session = view.session(&client_id)?;
            Some(SubscriptionCounts {
                total: session.subscriptions_made().into(),
                current: session.subscriptions().len() as u32,
            })
        })
    }

    /// How many subscriptions there are, and were.
    ///
    /// # Errors
    /// `NotStarted`, `Stopped` or `WouldDeadlock`.
    pub fn counts(&self) -> Result<SubscriptionCounts, HandleError> {
        let statistics = self.0.statistics()?;
        Ok(SubscriptionCounts {
            total: statistics.subscriptions_made,
            current: statistics.subscriptions_current,
        })
    }
}
