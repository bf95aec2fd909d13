//! The security headers of every response, and two checks of a request: its host, and the id that
//! appears in every line of its log.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::errors::Problem;

/// Allows scripts, connections, styles, images and form targets of this site only; no inline code; no
/// framing.
const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

const REQUEST_ID: &str = "x-request-id";
/// A UUID has 36 characters; the trace ids of proxies have some more.
const LONGEST_ID: usize = 64;

/// Forbids all caches to store a page about one visitor (RFC 9111, section 5.2.2.5).
pub(crate) async fn personal(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

pub(crate) async fn strict(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, CSP);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(REFERRER_POLICY, SAME_ORIGIN);
    headers.entry(CACHE_CONTROL).or_insert(ASK_AGAIN);
    response
}

/// Drops the id of a request unless it looks like an id, because it is logged and sent back.
pub(crate) async fn plain_request_id(mut request: Request, next: Next) -> Response {
    let is_plain = |id: &HeaderValue| {
        let id = id.as_bytes();
        (1..=LONGEST_ID).contains(&id.len())
            && id.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
    };
    if !request.headers().get(REQUEST_ID).is_some_and(is_plain) {
        request.headers_mut().remove(REQUEST_ID);
    }
    next.run(request).await
}

/// Refuses a request that does not say which host it is for, or names several hosts (RFC 9112, section
/// 3.2; RFC 9113, section 8.3.1): a proxy in front might choose a different one.
pub(crate) async fn one_host(request: Request, next: Next) -> Response {
    if names_one_host(request.version(), request.uri(), request.headers()) {
        return next.run(request).await;
    }
    Problem::bad_request("The request must name exactly one host.").into_response()
}

fn names_one_host(version: Version, uri: &Uri, headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    let (field, other) = (fields.next(), fields.next());
    if other.is_some() {
        return false;
    }
    // HTTP/2 names the host in `:authority`. In HTTP/1.1 the field is needed beside a whole URI.
    let authority = uri.authority().filter(|_| version == Version::HTTP_2);
    match (authority.map(|it| it.as_str().as_bytes()), field) {
        (Some(host), Some(field)) => is_host(host) && host.eq_ignore_ascii_case(field),
        (Some(host), None) | (None, Some(host)) => is_host(host),
        (None, None) => version == Version::HTTP_10,
    }
}

/// Returns whether the value is a host, with or without a port.
fn is_host(value: &[u8]) -> bool {
    let Ok(authority) = Authority::try_from(value) else {
        return false;
    };
    let host = authority.host();
    let rest = authority.as_str().strip_prefix(host);
    let has_port = authority.port().is_some();
    !host.is_empty() && rest.is_some_and(|rest| has_port || matches!(rest, "" | ":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_one(version: Version, hosts: &[&str]) -> bool {
        is_one_at(version, "/", hosts)
    }

    fn is_one_at(version: Version, uri: &str, hosts: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
        }
        names_one_host(version, &uri.parse().unwrap(), &headers)
    }

    #[test]
    fn a_request_names_one_host() {
        for host in [
            "a.example",
            "A:80",
            "a:",
            "127.0.0.1:3000",
            "[::1]:3000",
            "a.",
        ] {
            assert!(is_one(Version::HTTP_11, &[host]), "{host}");
        }
        for host in [
            "", ":80", "a:b", "a:99999", "u@a", "a/b", "a?b", "a b", "a, b", "é",
        ] {
            assert!(!is_one(Version::HTTP_11, &[host]), "{host}");
        }
        assert!(!is_one(Version::HTTP_11, &["a", "a"]) && !is_one(Version::HTTP_10, &["a", "b"]));
        assert!(!is_one(Version::HTTP_11, &[]));
        assert!(is_one(Version::HTTP_10, &[]));
    }

    #[test]
    fn a_request_of_http_2_names_its_host_as_authority_and_no_other_beside_it() {
        let is_one = |uri, hosts: &[&str]| is_one_at(Version::HTTP_2, uri, hosts);
        assert!(is_one("http://a.example/", &[]) && is_one("/", &["a.example"]));
        assert!(is_one("http://a.example/", &["A.example"]));
        assert!(!is_one("/", &[]) && !is_one("http://u@a.example/", &[]));
        assert!(!is_one("http://a.example/", &["b.example"]));
        assert!(!is_one("http://a.example/", &["a.example", "a.example"]));
        // A whole URI of HTTP/1.1 decides alone.
        assert!(is_one_at(
            Version::HTTP_11,
            "http://a.example/",
            &["b.example"]
        ));
    }
}
