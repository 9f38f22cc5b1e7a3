//! The primitives under their names in RFC 5802, 2.2.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// What SHA-256 makes.
pub(crate) type Hash = [u8; 32];

/// `HMAC(key, message)`; the message is given in parts.
pub(crate) fn hmac(key: &[u8], message: &[&str]) -> Hash {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in message {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

/// `H(bytes)`.
pub(crate) fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// `Hi(password, salt, iterations)`, as long as `out`.
pub(crate) fn stretch(password: &[u8], salt: &[u8], iterations: u32, out: &mut [u8]) {
    pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, out);
}

/// `left XOR right`.
pub(crate) fn xor(left: Hash, right: Hash) -> Hash {
    std::array::from_fn(|at| left[at] ^ right[at])
}
