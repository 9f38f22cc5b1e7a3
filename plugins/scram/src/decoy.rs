//! Keys of users that do not exist, so that nobody learns which ones do. [RFC 5802, 9]

use crate::{
    crypto::{self, Hash},
    stored_key::{ITERATIONS_MIN, StoredKey},
};

/// Makes for each name the same key again, which fits no password.
pub(crate) struct Decoys {
    pub(crate) secret: [u8; 32],
    pub(crate) salt_bytes: u8,
    pub(crate) iterations: u32,
}

impl Decoys {
    /// Decoys for keys of 16 bytes of salt and the least iterations.
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self {
            secret,
            salt_bytes: 16,
            iterations: ITERATIONS_MIN,
        }
    }

    /// A key that looks like that of a user. Nobody knows what hashes to its stored key, so nobody can prove it.
    pub(crate) fn key(&self, user: &str) -> StoredKey {
        let mut salt = vec![0; usize::from(self.salt_bytes)];
        crypto::stretch(&self.secret, user.as_bytes(), 1, &mut salt);
        StoredKey {
            salt: salt.into(),
            iterations: self.iterations,
            stored_key: self.hash("stored key", user),
            server_key: self.hash("server key", user),
        }
    }

    fn hash(&self, what: &str, user: &str) -> Hash {
        crypto::hmac(&self.secret, &[what, "\0", user])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_same_decoy_again_and_another_name_another_one() {
        let decoys = Decoys::new([7; 32]);
        assert_eq!(decoys.key("alice"), decoys.key("alice"));
        assert_ne!(decoys.key("alice").salt, decoys.key("bob").salt);
        let elsewhere = Decoys::new([8; 32]);
        assert_ne!(decoys.key("alice").salt, elsewhere.key("alice").salt);
    }
}
