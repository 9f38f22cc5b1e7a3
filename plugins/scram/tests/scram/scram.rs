//! The client's side of SCRAM-SHA-256, written from RFC 5802 and not from the server's side.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// A client that has sent its first message.
pub(crate) struct Scram {
    password: &'static str,
    bare: String,
}

/// Its last message, and what the server must say to it.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) message: String,
    pub(crate) server_proof: String,
}

impl Scram {
    pub(crate) fn new(user: &str, password: &'static str) -> Self {
        let bare = format!("n={user},r=fyko+d2lbbFgONRv9qkxdawL");
        Self { password, bare }
    }

    /// `client-first-message`
    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// `client-final-message`, in answer to the server's first.
    pub(crate) fn answer(&self, challenge: &str) -> Answer {
        let nonce = Challenge::parse(challenge).nonce;
        self.prove(challenge, &format!("c=biws,r={nonce}"))
    }

    /// The same with a right proof of anything.
    pub(crate) fn prove(&self, challenge: &str, without_proof: &str) -> Answer {
        let Challenge {
            salt, iterations, ..
        } = Challenge::parse(challenge);
        let auth_message = format!("{},{challenge},{without_proof}", self.bare);
        let mut salted_password = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(
            self.password.as_bytes(),
            &salt,
            iterations,
            &mut salted_password,
        );
        let client_key = hmac(&salted_password, "Client Key");
        let stored_key = Sha256::digest(client_key);
        let signature = hmac(&stored_key, &auth_message);
        let proof: Vec<u8> = client_key
            .iter()
            .zip(signature)
            .map(|(key, signature)| key ^ signature)
            .collect();
        let server_key = hmac(&salted_password, "Server Key");
        let server_signature = hmac(&server_key, &auth_message);
        Answer {
            message: format!("{without_proof},p={}", STANDARD.encode(proof)),
            server_proof: format!("v={}", STANDARD.encode(server_signature)),
        }
    }
}

/// `server-first-message`
pub(crate) struct Challenge {
    pub(crate) nonce: String,
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
}

impl Challenge {
    pub(crate) fn parse(challenge: &str) -> Self {
        let values: Vec<_> = challenge
            .split(',')
            .zip(["r=", "s=", "i="])
            .map(|(attribute, name)| attribute.strip_prefix(name).unwrap())
            .collect();
        let [nonce, salt, iterations] = values[..] else {
            panic!("{challenge} is no server-first-message");
        };
        Self {
            nonce: nonce.into(),
            salt: STANDARD.decode(salt).unwrap(),
            iterations: iterations.parse().unwrap(),
        }
    }
}

fn hmac(key: &[u8], message: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().into()
}
