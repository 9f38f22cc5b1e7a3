//! What a request says of who sends it: the header `Authorization`. [RFC 9110, 11.6.2]
//!
//! [RFC 9110, 11.6.2]: https://www.rfc-editor.org/rfc/rfc9110

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine, engine::general_purpose::STANDARD};

/// Credentials that were sent, not checked yet.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Credentials {
    /// None, or none that are understood.
    None,
    Bearer(String),
    Basic {
        user: String,
        password: String,
    },
}

impl Credentials {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Self::None;
        };
        let value = value.to_str().unwrap_or_default();
        let Some((scheme, rest)) = value.split_once(' ') else {
            return Self::None;
        };
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            Self::Bearer(rest.into())
        } else if scheme.eq_ignore_ascii_case("basic") {
            Self::basic(rest).unwrap_or(Self::None)
        } else {
            Self::None
        }
    }

    fn basic(encoded: &str) -> Option<Self> {
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Self::Basic {
            user: user.into(),
            password: password.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemes_are_understood_and_nothing_else() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            Credentials::of(&headers)
        };
        assert_eq!(of("Bearer abc"), Credentials::Bearer("abc".into()));
        assert_eq!(of("bearer  abc "), Credentials::Bearer("abc".into()));
        let basic = Credentials::Basic {
            user: "u".into(),
            password: "p:q".into(),
        };
        assert_eq!(of("BASIC dTpwOnE="), basic);
        for value in ["Basic dTpwOnE", "Basic dQ==", "Digest x", "abc", ""] {
            assert_eq!(of(value), Credentials::None, "{value}");
        }
        assert_eq!(Credentials::of(&HeaderMap::new()), Credentials::None);
    }
}
