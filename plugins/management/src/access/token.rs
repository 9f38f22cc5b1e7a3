//! Bearer tokens: 256 random bits that are shown once, and of which a hash is kept.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, io, time::SystemTime};
use subtle::{Choice, ConstantTimeEq};

/// What a token may be used for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at everything.
    Read,
    /// Publish messages, but not to `$SYS` and `$CONTROL`: that needs [`Manage`](Self::Manage) too.
    Publish,
    /// Change everything else: close connections, end sessions, make and end subscriptions, remove retained messages.
    Manage,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Read, Self::Publish, Self::Manage];

    /// As it is written in files and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Publish => "publish",
            Self::Manage => "manage",
        }
    }
}

/// A token by its hash: what it is called, what it may be used for, how long.
#[derive(Clone, Eq, PartialEq)]
pub struct Token {
    pub(super) name: String,
    pub(super) scopes: Vec<Scope>,
    pub(super) sha256: [u8; 32],
    pub(super) expires: Option<SystemTime>,
}

/// The text of a token. It cannot be had a second time, and shows itself only to those who ask for it.
pub struct Secret(String);

/// Tokens begin with this, so that they are recognised where they should not be.
const PREFIX: &str = "sanderling_";

impl Token {
    /// The token with this hash, for these scopes. The name stands in logs.
    pub fn new(name: impl Into<String>, scopes: &[Scope], sha256: [u8; 32]) -> Self {
        Self {
            name: name.into(),
            scopes: scopes.to_vec(),
            sha256,
            expires: None,
        }
    }

    /// A new token, and its text.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate(name: impl Into<String>, scopes: &[Scope]) -> io::Result<(Self, Secret)> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let secret = Secret(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random)));
        let token = Self::new(name, scopes, hash_of(secret.as_str()));
        Ok((token, secret))
    }

    /// The same, good until this time.
    #[must_use]
    pub fn expires(self, at: SystemTime) -> Self {
        Self {
            expires: Some(at),
            ..self
        }
    }

    /// Whether this is the token with that hash; takes the same time for every answer.
    pub(super) fn is(&self, sha256: &[u8; 32]) -> Choice {
        self.sha256.ct_eq(sha256)
    }

    pub(super) fn is_expired(&self) -> bool {
        self.expires.is_some_and(|at| at <= SystemTime::now())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .field("scopes", &self.scopes)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Secret {
    /// The text, as it stands behind `Authorization: Bearer`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What is kept of the text of a token.
pub(super) fn hash_of(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a60_tokens_are_random_and_only_their_hash_is_kept() {
        let (one, secret) = Token::generate("one", &Scope::ALL).unwrap();
        let (_, other) = Token::generate("two", &Scope::ALL).unwrap();
        assert_ne!(secret.as_str(), other.as_str());
        assert_eq!(secret.as_str().len(), PREFIX.len() + 43);
        assert!(bool::from(one.is(&hash_of(secret.as_str()))));
        assert!(!bool::from(one.is(&hash_of(other.as_str()))));
        let shown = format!("{one:?} {secret:?}");
        assert!(!shown.contains(&secret.as_str()[PREFIX.len()..]), "{shown}");
    }
}
