//! Pages by number.

use super::fields::Fields;
use axum::{extract::FromRequestParts, http::request::Parts};
use serde::Serialize;
use std::convert::Infallible;

/// Which page is asked for. What is missing or no number is the default.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct PageRequest {
    page: u64,
    page_size: usize,
}

const PAGE_SIZE: usize = 20;
/// Who asks for more gets this.
const PAGE_SIZE_MAX: usize = 1000;

#[derive(Serialize)]
pub(super) struct Page<T> {
    pager: Pager,
    result: Vec<T>,
}

#[derive(Serialize)]
struct Pager {
    page: u64,
    page_size: usize,
    /// Rows in this answer.
    count: usize,
    /// Rows on all pages.
    total: usize,
}

impl PageRequest {
    fn of(query: &str) -> Self {
        let fields = Fields::urlencoded(query.as_bytes());
        let number = |name| {
            fields
                .text(name)
                .parse()
                .ok()
                .filter(|&number: &u64| number > 0)
        };
        let page_size = number("page_size").map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        Self {
            page: number("page").unwrap_or(1),
            page_size: page_size.unwrap_or(PAGE_SIZE).min(PAGE_SIZE_MAX),
        }
    }

    /// Rows before the page.
    pub(super) fn skip(self) -> usize {
        let pages = usize::try_from(self.page - 1).unwrap_or(usize::MAX);
        pages.saturating_mul(self.page_size)
    }

    /// Rows on it, if there are enough.
    pub(super) fn count(self) -> usize {
        self.page_size
    }

    pub(super) fn page<T>(self, result: Vec<T>, total: usize) -> Page<T> {
        Page {
            pager: Pager {
                page: self.page,
                page_size: self.page_size,
                count: result.len(),
                total,
            },
            result,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for PageRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m02_what_is_no_page_is_the_first_with_20_rows() {
        let of = |query| {
            let request = PageRequest::of(query);
            (request.page, request.page_size)
        };
        for query in [
            "",
            "page=0&page_size=0",
            "page=x&page_size=-3",
            "page=&page_size=1.5",
        ] {
            assert_eq!(of(query), (1, 20), "{query}");
        }
        assert_eq!(of("page=3&page_size=7"), (3, 7));
        assert_eq!(of("page_size=1000000000"), (1, 1000));
    }

    #[test]
    fn m02_a_page_begins_after_the_rows_of_those_before() {
        let skip = |query| PageRequest::of(query).skip();
        assert_eq!(skip("page=1&page_size=7"), 0);
        assert_eq!(skip("page=3&page_size=7"), 14);
        assert_eq!(skip("page=18446744073709551615"), usize::MAX);
    }
}
