//! Calls to the broker on behalf of one request: none waits for ever, and none looks at much in one turn.

use sanderling_core::broker::{Answer, Command, View};
use sanderling_runtime::{Handle, HandleError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long all calls of one request may take together.
const DEADLINE: Duration = Duration::from_secs(5);
/// What is looked at in one turn, at most: sessions, subscriptions or messages. Each turn for a request wakes two threads,
/// which costs the broker more than to pass over so many.
pub(crate) const PIECE: usize = 2048;
/// Rows that are made in one turn, at most; each costs far more than to be passed over.
pub(crate) const ROWS: usize = 256;
/// Pieces that are looked at for one page; after that the page is shorter than it could be.
const PIECES_MAX: usize = 128;

/// The way to the broker, for the time of one request.
#[derive(Clone)]
pub(crate) struct Calls {
    handle: Handle,
    deadline: Instant,
}

/// The broker gave no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    /// Not in time.
    Busy,
    /// It has stopped.
    Stopped,
}

/// Some rows, and where to go on.
#[derive(Debug)]
pub(crate) struct Piece<K, T> {
    pub(crate) rows: Vec<T>,
    /// None at the end.
    pub(crate) next: Option<K>,
}

impl Calls {
    pub(crate) fn begin(handle: &Handle) -> Self {
        Self::within(handle, DEADLINE)
    }

    pub(crate) fn within(handle: &Handle, at_most: Duration) -> Self {
        Self {
            handle: handle.clone(),
            deadline: Instant::now() + at_most,
        }
    }

    /// Lets `look` see the broker, within its turn.
    pub(crate) async fn look<R: Send + 'static>(
        &self,
        look: impl FnOnce(View<'_>) -> R + Send + 'static,
    ) -> Result<R, Trouble> {
        self.in_time(self.handle.look_async(look)).await
    }

    /// Has a command carried out.
    pub(crate) async fn order(&self, command: Command) -> Result<Answer, Trouble> {
        self.in_time(self.handle.order_async(command)).await
    }

    async fn in_time<R>(
        &self,
        call: impl Future<Output = Result<R, HandleError>>,
    ) -> Result<R, Trouble> {
        match timeout_at(self.deadline, call).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(HandleError::Stopped)) => Err(Trouble::Stopped),
            Ok(Err(_)) | Err(_) => Err(Trouble::Busy),
        }
    }

    /// Looks at one piece after the other until there are `limit` rows, `stop` says so, or enough was looked at. `piece`
    /// is given the place to begin and how many rows are still wanted, never more than [`ROWS`].
    pub(crate) async fn walk<K: Clone + Send + 'static, T: Send + 'static>(
        &self,
        from: K,
        limit: usize,
        piece: impl Fn(View<'_>, K, usize) -> Piece<K, T> + Clone + Send + 'static,
        stop: impl Fn(&[T]) -> bool,
    ) -> Result<Piece<K, T>, Trouble> {
        let mut rows = Vec::new();
        let mut next = Some(from);
        for _ in 0..PIECES_MAX {
            let Some(from) = next.take() else {
                break;
            };
            let (piece, wanted) = (piece.clone(), ROWS.min(limit - rows.len()));
            let some = self.look(move |view| piece(view, from, wanted)).await?;
            rows.extend(some.rows);
            next = some.next;
            if rows.len() >= limit || stop(&rows) {
                break;
            }
        }
        Ok(Piece { rows, next })
    }
}

impl<K, T> Piece<K, T> {
    /// Takes what is wanted out of `things`, which are looked at in order, each with its place: up to [`PIECE`] of them,
    /// and up to `wanted` rows. The next piece begins after `after` of the last one that was looked at.
    pub(crate) fn of<V>(
        things: impl Iterator<Item = (K, V)>,
        wanted: usize,
        mut row: impl FnMut(V) -> Option<T>,
    ) -> Self {
        let mut things = things.peekable();
        let mut rows = Vec::new();
        let mut last = None;
        for _ in 0..PIECE {
            if rows.len() >= wanted {
                break;
            }
            let Some((place, thing)) = things.next() else {
                return Self { rows, next: None };
            };
            last = Some(place);
            rows.extend(row(thing));
        }
        let next = things.peek().is_some().then_some(last).flatten();
        Self { rows, next }
    }
}
