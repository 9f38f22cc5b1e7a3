//! The messages of a client, parsed. They come from the network: anything may stand in them. [RFC 5802, 7]

use crate::{crypto::Hash, fault::Fault};
use base64::{Engine, engine::general_purpose::STANDARD};

/// A longer message is refused, so that what is kept for a client stays small before it is known.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1024;

/// `client-first-message`
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct ClientFirst<'a> {
    /// What `c=` of the next message must be: the GS2 header in Base64.
    pub(crate) binding: &'static str,
    /// `client-first-message-bare`
    pub(crate) bare: &'a str,
    /// The user, unescaped and prepared with SASLprep.
    pub(crate) user: Box<str>,
    /// The client's part of the nonce.
    pub(crate) nonce: &'a str,
}

/// `client-final-message`
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct ClientFinal<'a> {
    /// `client-final-message-without-proof`
    pub(crate) without_proof: &'a str,
    /// The GS2 header in Base64.
    pub(crate) binding: &'a str,
    /// Both parts of the nonce.
    pub(crate) nonce: &'a str,
    /// `ClientProof`
    pub(crate) proof: Hash,
}

impl<'a> ClientFirst<'a> {
    pub(crate) fn parse(data: &'a [u8]) -> Result<Self, Fault> {
        let (flag, rest) = text(data)?.split_once(',').ok_or(Fault::Malformed)?;
        let binding = match flag {
            "n" => "biws",
            "y" => "eSws",
            _ if flag.starts_with("p=") => return Err(Fault::Unsupported),
            _ => return Err(Fault::Malformed),
        };
        let bare = match rest.strip_prefix(',') {
            Some(bare) => bare,
            None if rest.starts_with("a=") => return Err(Fault::Unsupported),
            None => return Err(Fault::Malformed),
        };
        if bare.starts_with("m=") {
            return Err(Fault::Unsupported);
        }
        let mut attributes = bare.split(',');
        let user = value(attributes.next(), "n=")?;
        let nonce = value(attributes.next(), "r=")?;
        let is_nonce = nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_nonce || !attributes.all(is_extension) {
            return Err(Fault::Malformed);
        }
        Ok(Self {
            binding,
            bare,
            user: user_name(user)?,
            nonce,
        })
    }
}

impl<'a> ClientFinal<'a> {
    pub(crate) fn parse(data: &'a [u8]) -> Result<Self, Fault> {
        let (without_proof, proof) = text(data)?.rsplit_once(",p=").ok_or(Fault::Malformed)?;
        let proof = STANDARD.decode(proof).map_err(|_| Fault::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = value(attributes.next(), "c=")?;
        let nonce = value(attributes.next(), "r=")?;
        if !attributes.all(is_extension) {
            return Err(Fault::Malformed);
        }
        Ok(Self {
            without_proof,
            binding,
            nonce,
            proof: proof.try_into().map_err(|_| Fault::Malformed)?,
        })
    }
}

fn text(data: &[u8]) -> Result<&str, Fault> {
    if data.len() > MESSAGE_BYTES_MAX || data.contains(&0) {
        return Err(Fault::Malformed);
    }
    str::from_utf8(data).map_err(|_| Fault::Malformed)
}

/// The value of an attribute that must be there, be this one, and not be empty.
fn value<'a>(attribute: Option<&'a str>, name: &str) -> Result<&'a str, Fault> {
    attribute
        .and_then(|attribute| attribute.strip_prefix(name))
        .filter(|value| !value.is_empty())
        .ok_or(Fault::Malformed)
}

/// Optional extensions are ignored.
fn is_extension(attribute: &str) -> bool {
    matches!(attribute.as_bytes(), [name, b'=', _, ..] if name.is_ascii_alphabetic())
}

/// `saslname`: `,` and `=` are written `=2C` and `=3D`.
fn user_name(escaped: &str) -> Result<Box<str>, Fault> {
    let mut parts = escaped.split('=');
    let mut name = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let (character, rest) = match part.split_at_checked(2) {
            Some(("2C", rest)) => (',', rest),
            Some(("3D", rest)) => ('=', rest),
            _ => return Err(Fault::Malformed),
        };
        name.push(character);
        name.push_str(rest);
    }
    match stringprep::saslprep(&name) {
        Ok(name) if !name.is_empty() => Ok(name.into()),
        _ => Err(Fault::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(data: &str) -> Result<(&'static str, Box<str>, &str), Fault> {
        let first = ClientFirst::parse(data.as_bytes())?;
        assert!(data.ends_with(first.bare));
        Ok((first.binding, first.user, first.nonce))
    }

    #[test]
    fn a_first_message_names_user_and_nonce() {
        for (data, binding, user, nonce) in [
            ("n,,n=user,r=abc", "biws", "user", "abc"),
            ("y,,n=user,r=abc", "eSws", "user", "abc"),
            ("n,,n=a=2Cb=3D=3Dc,r=%#=", "biws", "a,b==c", "%#="),
            ("n,,n=user,r=abc,x=any=thing,Y=1", "biws", "user", "abc"),
            ("n,,n=\u{2168}\u{AD},r=a", "biws", "IX", "a"),
        ] {
            assert_eq!(first(data), Ok((binding, user.into(), nonce)), "{data}");
        }
    }

    #[test]
    fn what_is_no_first_message_is_refused() {
        for data in [
            "",
            "n",
            "n,",
            "n,,",
            "x,,n=user,r=abc",
            "N,,n=user,r=abc",
            "n,user,n=user,r=abc",
            "n,,n=user",
            "n,,r=abc",
            "n,,r=abc,n=user",
            "n,,n=,r=abc",
            "n,,n=user,r=",
            "n,,n=user,,r=abc",
            "n,,n=user,r=abc,",
            "n,,n=user,r=abc,x",
            "n,,n=user,r=abc,x=",
            "n,,n=user,r=abc,1=x",
            "n,,n=user,r=abc,x=\0",
            "n,,n=user,r=a b",
            "n,,n=user,r=a\u{E9}",
            "n,,n=us=er,r=abc",
            "n,,n=us=2c,r=abc",
            "n,,n=us=2,r=abc",
            "n,,n=us=\u{E9}\u{E9},r=abc",
            "n,,n=us\0er,r=abc",
            "n,,n=us\u{7}er,r=abc",
            "n,,n=\u{AD},r=abc",
        ] {
            assert_eq!(first(data), Err(Fault::Malformed), "{data:?}");
        }
        assert_eq!(
            ClientFirst::parse(b"n,,n=\xFF,r=abc"),
            Err(Fault::Malformed)
        );
    }

    #[test]
    fn what_is_not_supported_is_refused_as_such() {
        for data in [
            "p=tls-unique,,n=user,r=abc",
            "n,a=admin,n=user,r=abc",
            "n,,m=ext,n=user,r=abc",
        ] {
            assert_eq!(first(data), Err(Fault::Unsupported), "{data}");
        }
    }

    #[test]
    fn a_message_may_be_so_long_and_no_longer() {
        let mut data = "n,,n=user,r=".to_owned();
        data.push_str(&"a".repeat(MESSAGE_BYTES_MAX - data.len()));
        assert!(first(&data).is_ok());
        data.push('a');
        assert_eq!(first(&data), Err(Fault::Malformed));
    }

    #[test]
    fn no_bytes_are_too_strange() {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).unwrap();
        let seed = u64::from_le_bytes(seed) | 1;
        let mut state = seed;
        let mut draw = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as usize % below
        };
        const PIECES: &[u8] = b",=nyparcm23CD\0\xC2\xAD\xFF ";
        for round in 0..20_000 {
            let mut data = match round % 2 {
                0 => b"n,,n=a=2Cb,r=abc,x=1".to_vec(),
                _ => b"c=biws,r=abc,p=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".to_vec(),
            };
            for _ in 0..=draw(4) {
                let at = draw(data.len());
                let piece = PIECES[draw(PIECES.len())];
                match draw(3) {
                    0 => data.truncate(at + 1),
                    1 => data[at] = piece,
                    _ => data.insert(at, piece),
                }
            }
            let parse = || {
                (
                    ClientFirst::parse(&data).is_ok(),
                    ClientFinal::parse(&data).is_ok(),
                )
            };
            let parsed = std::panic::catch_unwind(parse);
            assert!(parsed.is_ok(), "seed {seed}, round {round}: {data:?}");
        }
    }

    #[test]
    fn a_final_message_holds_the_proof() {
        let proof = STANDARD.encode([7; 32]);
        let data = format!("c=biws,r=abcdef,x=1,p={proof}");
        let last = ClientFinal::parse(data.as_bytes()).unwrap();
        assert_eq!(last.without_proof, "c=biws,r=abcdef,x=1");
        assert_eq!((last.binding, last.nonce), ("biws", "abcdef"));
        assert_eq!(last.proof, [7; 32]);
    }

    #[test]
    fn what_is_no_final_message_is_refused() {
        let (proof, short) = (STANDARD.encode([7; 32]), STANDARD.encode([7; 31]));
        let unpadded = proof.trim_end_matches('=');
        for data in [
            "",
            "c=biws,r=abc",
            "c=biws,r=abc,p=",
            "c=biws,r=abc,p=!",
            &format!("c=biws,r=abc,p={short}"),
            &format!("c=biws,r=abc,p={unpadded}"),
            &format!("c=biws,r=abc,p={proof},x=1"),
            &format!("c=biws,r=abc,p={proof}\0"),
            &format!("r=abc,c=biws,p={proof}"),
            &format!("c=biws,p={proof}"),
            &format!("c=,r=abc,p={proof}"),
            &format!("c=biws,r=,p={proof}"),
            &format!("c=biws,r=abc,x,p={proof}"),
            &format!("p={proof}"),
        ] {
            let parsed = ClientFinal::parse(data.as_bytes());
            assert_eq!(parsed, Err(Fault::Malformed), "{data:?}");
        }
    }
}
