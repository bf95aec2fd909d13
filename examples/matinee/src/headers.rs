//! Headers that every response has: what a browser may load, guess and tell others. And the one of a
//! request that ends up in every line of the log.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::Next;
use axum::response::Response;

/// No scripts at all, styles and images from here alone, forms to here alone, in nobody's frame.
const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

const REQUEST_ID: &str = "x-request-id";
/// A UUID has 36 characters; the trace ids of proxies have some more.
const LONGEST_ID: usize = 64;

/// What is about one visitor is kept by nobody else (RFC 9111, section 5.2.2.5).
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

/// Drops the id that a request brings, unless it looks like one: it is logged, and sent back.
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
