//! What browsers must not be made to do: pages of other sites get nothing, and cannot pretend to be this host.
//!
//! A browser sends what it knows of Basic logins with every request, and opens connections to loopback addresses for
//! any page. So a request that says it comes from another origin is refused, and a server that asks nobody who they are
//! answers only to the names of loopback.

use crate::{
    api::{Code, Problem},
    shared::State,
};
use axum::{
    extract::{Request, State as Extract},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS},
        uri::Authority,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::net::IpAddr;

pub(crate) async fn check(Extract(shared): State, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let mut response = if shared.keys.is_open() && !is_for_loopback(headers) {
        let detail = "without authentication only names of loopback are answered to";
        Problem::new(StatusCode::MISDIRECTED_REQUEST, Code::Misdirected, detail).into_response()
    } else if is_from_elsewhere(headers) {
        let detail = "a page of another site asks";
        Problem::new(StatusCode::FORBIDDEN, Code::CrossOrigin, detail).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Whether the host that the request names can be no other machine.
fn is_for_loopback(headers: &HeaderMap) -> bool {
    let Some(Ok(authority)) = text(headers, HOST.as_str()).map(str::parse::<Authority>) else {
        return false;
    };
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Whether a browser says that a page of another site asks. What is no browser says nothing.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let site = text(headers, "sec-fetch-site").unwrap_or("none");
    if !matches!(site, "none" | "same-origin") {
        return true;
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let origin = origin.to_str().unwrap_or_default();
    let origin = origin.split_once("://").map(|(_, authority)| authority);
    origin.is_none() || origin != text(headers, HOST.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a60_only_names_of_loopback_are_loopback() {
        let is = |host| is_for_loopback(&headers(&[("host", host)]));
        assert!(is("127.0.0.1:8081") && is("localhost") && is("[::1]:8081") && is("LocalHost:1"));
        assert!(!is("10.0.0.1") && !is("localhost.evil.example") && !is("127.0.0.1.evil.example"));
        assert!(!is("") && !is_for_loopback(&HeaderMap::new()));
    }

    #[test]
    fn a60_pages_of_other_sites_are_told_by_what_browsers_send() {
        let is = |pairs: &[(&'static str, &str)]| is_from_elsewhere(&headers(pairs));
        let host = ("host", "127.0.0.1:8081");
        assert!(!is(&[host]));
        assert!(!is(&[host, ("origin", "http://127.0.0.1:8081")]));
        assert!(is(&[host, ("origin", "http://127.0.0.1:9999")]));
        assert!(is(&[host, ("origin", "https://evil.example")]));
        assert!(is(&[host, ("origin", "null")]));
        assert!(is(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(!is(&[host, ("sec-fetch-site", "none")]));
    }
}
