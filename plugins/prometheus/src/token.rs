//! What a scraper must know.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use std::{fmt, sync::Arc};
use subtle::ConstantTimeEq;

/// A secret that scrapers send. It is never shown.
#[derive(Clone)]
pub(crate) struct Token(Arc<str>);

impl Token {
    pub(crate) fn new(token: String) -> Self {
        Self(token.into())
    }

    /// True if a request carries it. How long this takes says nothing of the token but its length.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        let Some((scheme, given)) = given.and_then(|value| value.split_at_checked("Bearer ".len()))
        else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"Bearer ") && given.ct_eq(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_the_token_itself_is_taken() {
        let token = Token::new("secret".into());
        let with = |value| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            token.is_in(&headers)
        };
        assert!(with("Bearer secret") && with("bearer secret"));
        for wrong in [
            "",
            "secret",
            "Basic secret",
            "Bearer ",
            "Bearer secre",
            "Bearer secrets",
        ] {
            assert!(!with(wrong), "{wrong}");
        }
        assert!(!token.is_in(&HeaderMap::new()));
    }

    #[test]
    fn a_token_is_not_shown() {
        assert!(!format!("{:?}", Token::new("secret".into())).contains("secret"));
    }
}
