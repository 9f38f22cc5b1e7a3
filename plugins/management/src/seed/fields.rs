//! Fields of a query and of a form, urlencoded or multipart. Values are bytes: whether they are text is for others to say.

use axum::{
    body::to_bytes,
    extract::{FromRequest, Multipart, Request},
    http::header::CONTENT_TYPE,
};
use percent_encoding::percent_decode;

/// Fields in the order in which they came. What is no form has none.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(Vec<u8>, Vec<u8>)>);

/// The longest form.
pub(super) const FORM_BYTES_MAX: usize = 4 << 20;

impl Fields {
    pub(super) fn urlencoded(bytes: &[u8]) -> Self {
        let pairs = bytes.split(|byte| *byte == b'&');
        let pairs = pairs.filter(|pair| !pair.is_empty()).map(|pair| {
            let mut sides = pair.splitn(2, |byte| *byte == b'=');
            let mut side = || decode(sides.next().unwrap_or_default());
            (side(), side())
        });
        Self(pairs.collect())
    }

    /// The first field of this name; empty if there is none.
    pub(super) fn get(&self, name: &str) -> &[u8] {
        let mut fields = self.0.iter();
        let found = fields.find(|(other, _)| other == name.as_bytes());
        found.map_or(&[], |(_, value)| value)
    }

    /// The same if it is text; else empty.
    pub(super) fn text(&self, name: &str) -> &str {
        str::from_utf8(self.get(name)).unwrap_or_default()
    }

    async fn multipart(mut form: Multipart) -> Self {
        let mut fields = Vec::new();
        while let Ok(Some(field)) = form.next_field().await {
            let name = field.name().unwrap_or_default().as_bytes().to_vec();
            let Ok(value) = field.bytes().await else {
                return Self::default();
            };
            fields.push((name, value.to_vec()));
        }
        Self(fields)
    }
}

fn decode(text: &[u8]) -> Vec<u8> {
    let spaces: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaces).collect()
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind.map_or(&[][..], |kind| kind.as_bytes());
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
        let kind = kind.trim_ascii().to_ascii_lowercase();
        Ok(match &kind[..] {
            b"application/x-www-form-urlencoded" => {
                match to_bytes(request.into_body(), FORM_BYTES_MAX).await {
                    Ok(bytes) => Self::urlencoded(&bytes),
                    Err(_) => Self::default(),
                }
            }
            b"multipart/form-data" => match Multipart::from_request(request, state).await {
                Ok(form) => Self::multipart(form).await,
                Err(_) => Self::default(),
            },
            _ => Self::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_bytes_that_were_meant() {
        let fields = Fields::urlencoded(b"a=1&b=x+y%2B%ff&&c&a=2&=d&e=f=g");
        assert_eq!(fields.get("a"), b"1");
        assert_eq!(fields.get("b"), b"x y+\xff");
        assert_eq!(fields.text("b"), "");
        assert_eq!(fields.get("c"), b"");
        assert_eq!(fields.text("e"), "f=g");
        assert_eq!(fields.get("nothing"), b"");
    }
}
