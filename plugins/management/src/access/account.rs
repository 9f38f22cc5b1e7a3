//! Accounts for HTTP Basic: a user, and the slow hash of a password.
//!
//! Hashing takes its time, so it happens on a thread of its own, one at a time, and not often: a flood of guesses costs
//! no more than a steady trickle. Who has been let in once is recognised by a keyed hash, at once.

use super::bucket::Bucket;
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{
    error::Error,
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use subtle::ConstantTimeEq;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

/// Somebody who may call with HTTP Basic, for every scope.
#[derive(Clone)]
pub struct Account {
    user: String,
    hash: PasswordHash,
}

impl Account {
    /// The account of `user` with the Argon2 hash of its password, as a PHC string: `$argon2id$v=19$...`
    ///
    /// # Errors
    /// It is no such hash, or the user has a colon in the name, which HTTP Basic has no place for.
    pub fn new(user: impl Into<String>, hash: &str) -> Result<Self, AccountError> {
        let user = user.into();
        if user.is_empty() || user.contains(':') {
            return Err(AccountError::User);
        }
        let hash = PasswordHash::new(hash).map_err(|_| AccountError::Hash)?;
        let is_argon2 = argon2::Algorithm::new(hash.algorithm.as_str()).is_ok();
        let is_whole = hash.salt.is_some() && hash.hash.is_some();
        if !is_argon2 || !is_whole || argon2::Params::try_from(&hash).is_err() {
            return Err(AccountError::Hash);
        }
        Ok(Self { user, hash })
    }

    /// The account of `user` with this password, which is hashed here and now.
    ///
    /// # Errors
    /// The user has a colon in the name, or the system gives no randomness.
    pub fn with_password(user: impl Into<String>, password: &str) -> Result<Self, AccountError> {
        Self::new(user, &hash(password)?.to_string())
    }
}

fn hash(password: &str) -> Result<PasswordHash, AccountError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| AccountError::Random(io::Error::other(error)))?;
    Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|_| AccountError::Hash)
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// An account cannot be used.
#[derive(Debug)]
pub enum AccountError {
    /// HTTP Basic takes no such user name.
    User,
    /// What was given is no hash that passwords can be checked with.
    Hash,
    /// The system gives no randomness.
    Random(io::Error),
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("a user name is not empty and has no colon in it"),
            Self::Hash => f.write_str("no Argon2 hash as a PHC string ($argon2id$v=19$...)"),
            Self::Random(error) => write!(f, "the system gives no randomness: {error}"),
        }
    }
}

impl Error for AccountError {}

/// Passwords that are hashed at once before the rate holds.
const GUESSES_AT_ONCE: u32 = 10;
/// In which one more may be.
const GUESS_INTERVAL: Duration = Duration::from_millis(500);
/// How long one may wait for its turn to be hashed.
const TURN_DEADLINE: Duration = Duration::from_secs(2);

/// The accounts, and what keeps guessing slow.
pub(super) struct Accounts {
    entries: Vec<Entry>,
    /// What a password of nobody is compared with, so that time does not tell who exists.
    decoy: Arc<PasswordHash>,
    /// Of the keyed hashes; new with each start.
    key: [u8; 32],
    guesses: Mutex<Bucket>,
    turn: Semaphore,
}

struct Entry {
    user: String,
    hash: Arc<PasswordHash>,
    /// The keyed hash of the password that was right.
    known: Mutex<Option<[u8; 32]>>,
}

/// What became of a login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Login {
    Right,
    Wrong,
    /// Too many are being tried: nobody looked.
    Later,
}

impl Accounts {
    pub(super) fn new(accounts: Vec<Account>) -> Result<Self, AccountError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| AccountError::Random(io::Error::other(error)))?;
        let decoy = match accounts.first() {
            Some(first) => first.hash.clone(),
            None => hash("")?,
        };
        let entries = accounts.into_iter().map(|account| Entry {
            user: account.user,
            hash: Arc::new(account.hash),
            known: Mutex::new(None),
        });
        Ok(Self {
            entries: entries.collect(),
            decoy: Arc::new(decoy),
            key,
            guesses: Mutex::new(Bucket::new(GUESSES_AT_ONCE, GUESS_INTERVAL, Instant::now())),
            turn: Semaphore::new(1),
        })
    }

    /// Whether this is the password of that user.
    pub(super) async fn login(&self, user: &str, password: String) -> Login {
        let entry = self.entries.iter().find(|entry| entry.user == user);
        let digest = self.digest(&password);
        if entry.is_some_and(|entry| entry.knows(&digest)) {
            return Login::Right;
        }
        let Ok(Ok(_turn)) = timeout(TURN_DEADLINE, self.turn.acquire()).await else {
            return Login::Later;
        };
        let may_guess = lock(&self.guesses).take(Instant::now());
        if !may_guess {
            return Login::Later;
        }
        let hash = Arc::clone(entry.map_or(&self.decoy, |entry| &entry.hash));
        let verify = move || Argon2::default().verify_password(password.as_bytes(), &*hash);
        let is_right = spawn_blocking(verify).await.is_ok_and(|it| it.is_ok());
        match entry {
            Some(entry) if is_right => {
                *lock(&entry.known) = Some(digest);
                Login::Right
            }
            _ => Login::Wrong,
        }
    }

    fn digest(&self, password: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("any key will do");
        mac.update(password.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl Entry {
    fn knows(&self, digest: &[u8; 32]) -> bool {
        let known = lock(&self.known);
        known.is_some_and(|known| bool::from(known.ct_eq(digest)))
    }
}

/// Nothing in here can be left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
