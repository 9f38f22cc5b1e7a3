//! What the server keeps of a password. [RFC 5802, 3]

use crate::crypto::{self, Hash};
use std::{error::Error, fmt};

/// The least number of iterations. [RFC 7677, 4]
pub const ITERATIONS_MIN: u32 = 4096;

/// What the server keeps of a password: enough to check a proof, too little to make one.
///
/// Whoever reads it can guess passwords, and can pretend to be the server; so keep it like a password file.
#[derive(Clone, Eq, PartialEq)]
pub struct StoredKey {
    /// Random bytes, other ones for each user. The client is told.
    pub salt: Box<[u8]>,
    /// How often the password was hashed. The client is told.
    pub iterations: u32,
    /// `StoredKey`: the hash of what makes a proof.
    pub stored_key: [u8; 32],
    /// `ServerKey`: signs for the server.
    pub server_key: [u8; 32],
}

impl StoredKey {
    /// Derives it from a password, which is normalised with SASLprep. [RFC 5802, 3] [RFC 4013]
    ///
    /// Slow by design, in proportion to `iterations`: not for the thread of a broker.
    ///
    /// # Errors
    /// If the password is empty or has characters that SASLprep prohibits, the salt is empty, or the iterations are
    /// less than [`ITERATIONS_MIN`].
    pub fn derive(
        password: &str,
        salt: impl Into<Box<[u8]>>,
        iterations: u32,
    ) -> Result<Self, KeyError> {
        let salt = salt.into();
        if salt.is_empty() {
            return Err(KeyError::EmptySalt);
        }
        if iterations < ITERATIONS_MIN {
            return Err(KeyError::TooFewIterations(iterations));
        }
        let password = stringprep::saslprep(password).map_err(|_| KeyError::ProhibitedPassword)?;
        if password.is_empty() {
            return Err(KeyError::EmptyPassword);
        }
        let mut salted = Hash::default();
        crypto::stretch(password.as_bytes(), &salt, iterations, &mut salted);
        Ok(Self {
            salt,
            iterations,
            stored_key: crypto::hash(&crypto::hmac(&salted, &["Client Key"])),
            server_key: crypto::hmac(&salted, &["Server Key"]),
        })
    }
}

impl fmt::Debug for StoredKey {
    /// Shows what clients are told, not the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("salt", &self.salt)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// Why no key was derived. It shows nothing of the password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyError {
    /// The salt is empty.
    EmptySalt,
    /// This many iterations are less than [`ITERATIONS_MIN`].
    TooFewIterations(u32),
    /// The password is empty, or SASLprep leaves nothing of it.
    EmptyPassword,
    /// SASLprep prohibits a character of the password, or its mix of directions. [RFC 4013, 2.3 to 2.5]
    ProhibitedPassword,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptySalt => f.write_str("the salt is empty: give 16 random bytes"),
            Self::TooFewIterations(iterations) => write!(
                f,
                "{iterations} iterations are too few: give {ITERATIONS_MIN} or more [RFC 7677, 4]",
            ),
            Self::EmptyPassword => f.write_str("the password is empty [RFC 4013]"),
            Self::ProhibitedPassword => f.write_str(
                "the password has control or unassigned characters, or mixes directions of \
                 writing: choose another [RFC 4013, 2.3 to 2.5]",
            ),
        }
    }
}

impl Error for KeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_passwords_make_the_same_key() {
        let key = |password| StoredKey::derive(password, *b"salt", ITERATIONS_MIN);
        // Examples of RFC 4013, 3.
        assert_eq!(key("I\u{AD}X"), key("IX"));
        assert_eq!(key("\u{2168}"), key("IX"));
        assert_ne!(key("ix"), key("IX"));
    }

    #[test]
    fn what_makes_no_safe_key_is_refused() {
        let derive = |password, salt: &[u8], iterations| {
            StoredKey::derive(password, salt, iterations).map(drop)
        };
        for (password, salt, iterations, error) in [
            ("x", "", ITERATIONS_MIN, KeyError::EmptySalt),
            ("x", "salt", 4095, KeyError::TooFewIterations(4095)),
            ("", "salt", ITERATIONS_MIN, KeyError::EmptyPassword),
            ("\u{AD}", "salt", ITERATIONS_MIN, KeyError::EmptyPassword),
            (
                "a\u{7}",
                "salt",
                ITERATIONS_MIN,
                KeyError::ProhibitedPassword,
            ),
            (
                "\u{627}1",
                "salt",
                ITERATIONS_MIN,
                KeyError::ProhibitedPassword,
            ),
        ] {
            assert_eq!(derive(password, salt.as_bytes(), iterations), Err(error));
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let key = StoredKey {
            salt: [1].into(),
            iterations: 4096,
            stored_key: [77; 32],
            server_key: [88; 32],
        };
        let text = format!("{key:?}");
        assert_eq!(text, "StoredKey { salt: [1], iterations: 4096, .. }");
    }
}
