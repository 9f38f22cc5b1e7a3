//! All that lets somebody in, and the check of a request.

use super::{
    account::{Account, AccountError, Accounts, Login},
    bucket::Bucket,
    credentials::Credentials,
    token::{self, Scope, Token},
};
use axum::http::HeaderMap;
use sanderling_core::topic::is_server_topic;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tracing::warn;

/// Tokens and accounts, or nothing at all.
pub(crate) struct Keys {
    tokens: Vec<Token>,
    accounts: Option<Accounts>,
    /// Nobody is asked.
    open: bool,
    /// Requests with wrong tokens that are told so, and logged.
    wrong: Mutex<Bucket>,
}

/// Requests with a wrong token that are answered at once before the rate holds.
const WRONG_AT_ONCE: u32 = 20;
/// In which one more is.
const WRONG_INTERVAL: Duration = Duration::from_millis(500);

/// Who sent a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    name: Arc<str>,
    scopes: Arc<[Scope]>,
}

impl Caller {
    fn of_all_scopes(name: &str) -> Self {
        Self {
            name: name.into(),
            scopes: Scope::ALL.into(),
        }
    }

    /// For the log.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may publish to this topic. What only the server writes, whoever has to do with the broker believes, so
    /// that to write it is to manage.
    pub(crate) fn check_topic(&self, topic: &str) -> Result<(), Denial> {
        let is_denied = is_server_topic(topic) && !self.scopes.contains(&Scope::Manage);
        match is_denied {
            true => Err(Denial::Scope(Scope::Manage)),
            false => Ok(()),
        }
    }
}

/// Why a request is not carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Denial {
    /// It does not say who sends it, or nobody who is known.
    Unknown,
    /// Who sends it may not do that.
    Scope(Scope),
    /// Too many logins are being tried.
    Later,
}

impl Keys {
    pub(crate) fn new(
        tokens: Vec<Token>,
        accounts: Vec<Account>,
        open: bool,
    ) -> Result<Self, AccountError> {
        let accounts = match accounts.is_empty() {
            true => None,
            false => Some(Accounts::new(accounts)?),
        };
        Ok(Self {
            tokens,
            accounts,
            open,
            wrong: Mutex::new(Bucket::new(WRONG_AT_ONCE, WRONG_INTERVAL, Instant::now())),
        })
    }

    /// Whether everybody who gets here may do everything.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Who sends a request with a token.
    pub(crate) fn check_token(
        &self,
        headers: &HeaderMap,
        scope: Option<Scope>,
    ) -> Result<Caller, Denial> {
        match Credentials::of(headers) {
            _ if self.open => Ok(Caller::of_all_scopes("anybody")),
            Credentials::Bearer(text) => self.token(&text, scope),
            _ => Err(Denial::Unknown),
        }
    }

    /// Who sends a request with a token or a password.
    pub(crate) async fn check(
        &self,
        headers: &HeaderMap,
        scope: Option<Scope>,
    ) -> Result<Caller, Denial> {
        match (Credentials::of(headers), &self.accounts) {
            (Credentials::Basic { user, password }, Some(accounts)) if !self.open => {
                match accounts.login(&user, password).await {
                    Login::Right => Ok(Caller::of_all_scopes(&user)),
                    Login::Wrong => Err(Denial::Unknown),
                    Login::Later => Err(Denial::Later),
                }
            }
            _ => self.check_token(headers, scope),
        }
    }

    /// Looks at every token, whichever it is, so that time tells nothing. A good one is good however many wrong ones come:
    /// nobody guesses 256 bits, and nobody is to be locked out by one who tries.
    fn token(&self, text: &str, scope: Option<Scope>) -> Result<Caller, Denial> {
        let sha256 = token::hash_of(text);
        let mut found = None;
        for token in &self.tokens {
            if bool::from(token.is(&sha256)) {
                found = Some(token);
            }
        }
        let token = found.filter(|token| !token.is_expired());
        let Some(token) = token else {
            return Err(self.wrong_token());
        };
        match scope {
            Some(scope) if !token.scopes.contains(&scope) => Err(Denial::Scope(scope)),
            _ => Ok(Caller {
                name: token.name.as_str().into(),
                scopes: token.scopes.as_slice().into(),
            }),
        }
    }

    fn wrong_token(&self) -> Denial {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if !wrong.take(Instant::now()) {
            return Denial::Later;
        }
        warn!("a request has a wrong token");
        Denial::Unknown
    }
}
