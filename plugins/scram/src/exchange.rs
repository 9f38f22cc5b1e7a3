//! One exchange from the server's side, without MQTT: a challenge, then a verdict on the answer. [RFC 5802, 3]

use crate::{
    crypto,
    fault::Fault,
    message::{ClientFinal, ClientFirst},
    stored_key::StoredKey,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq;

/// A client was challenged and has to answer.
pub(crate) struct Exchange {
    pub(crate) user: Box<str>,
    key: StoredKey,
    binding: &'static str,
    /// The client's and the server's nonce.
    nonce: String,
    /// `AuthMessage` up to the client's answer.
    signed: String,
}

impl Exchange {
    /// Challenges the client; the server's nonce must not have been used before. Gives `server-first-message`.
    pub(crate) fn challenge(
        first: ClientFirst<'_>,
        server_nonce: &str,
        key: StoredKey,
    ) -> (Self, String) {
        let nonce = [first.nonce, server_nonce].concat();
        let salt = STANDARD.encode(&key.salt);
        let challenge = format!("r={nonce},s={salt},i={}", key.iterations);
        let exchange = Self {
            signed: format!("{},{challenge},", first.bare),
            user: first.user,
            key,
            binding: first.binding,
            nonce,
        };
        (exchange, challenge)
    }

    /// Checks the client's answer. Gives `server-final-message`, the server's own proof.
    pub(crate) fn verify(&self, answer: &ClientFinal<'_>) -> Result<String, Fault> {
        if answer.binding != self.binding || answer.nonce != self.nonce {
            return Err(Fault::Unproven);
        }
        let signed = [&*self.signed, answer.without_proof];
        let client_signature = crypto::hmac(&self.key.stored_key, &signed);
        let client_key = crypto::xor(answer.proof, client_signature);
        let is_proven = crypto::hash(&client_key).ct_eq(&self.key.stored_key);
        if !bool::from(is_proven) {
            return Err(Fault::Unproven);
        }
        let server_signature = crypto::hmac(&self.key.server_key, &signed);
        Ok(format!("v={}", STANDARD.encode(server_signature)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const ANSWER: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                          p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn challenge(password: &str, first: &str, server_nonce: &str) -> (Exchange, String) {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let key = StoredKey::derive(password, salt, 4096).unwrap();
        let first = ClientFirst::parse(first.as_bytes()).unwrap();
        Exchange::challenge(first, server_nonce, key)
    }

    fn verify(exchange: &Exchange, answer: &str) -> Result<String, Fault> {
        exchange.verify(&ClientFinal::parse(answer.as_bytes())?)
    }

    #[test]
    fn the_example_of_rfc_7677_succeeds() {
        let (exchange, challenge) = challenge("pencil", FIRST, SERVER_NONCE);
        assert_eq!(&*exchange.user, "user");
        assert_eq!(
            challenge,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let proof = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(verify(&exchange, ANSWER), Ok(proof.into()));
    }

    #[test]
    fn its_answer_proves_nothing_elsewhere() {
        for (password, first, server_nonce) in [
            ("Pencil", FIRST, SERVER_NONCE),
            ("pencil", FIRST, "another"),
            ("pencil", "n,,n=user,r=another", SERVER_NONCE),
            ("pencil", "n,,n=User,r=rOprNGfwEbeRWgbNEkqO", SERVER_NONCE),
            ("pencil", "y,,n=user,r=rOprNGfwEbeRWgbNEkqO", SERVER_NONCE),
            (
                "pencil",
                "n,,n=user,r=rOprNGfwEbeRWgbNEkqO,x=1",
                SERVER_NONCE,
            ),
        ] {
            let (exchange, _) = challenge(password, first, server_nonce);
            let verdict = verify(&exchange, ANSWER);
            assert_eq!(verdict, Err(Fault::Unproven), "{password} {first}");
        }
    }

    #[test]
    fn a_changed_answer_proves_nothing() {
        let (exchange, _) = challenge("pencil", FIRST, SERVER_NONCE);
        for (from, to) in [
            ("c=biws", "c=eSws"),
            (",p=d", ",p=e"),
            ("$k0,", "$k0x,"),
            ("$k0,", "$k0,x=1,"),
            ("VQ=", "VA="),
        ] {
            let answer = ANSWER.replace(from, to);
            assert_ne!(answer, ANSWER);
            assert_eq!(verify(&exchange, &answer), Err(Fault::Unproven), "{answer}");
        }
    }
}
