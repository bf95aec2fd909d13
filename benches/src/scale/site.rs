//! An app whose pages can be stored, and that counts how often it makes one.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::header::CACHE_CONTROL;
use axum::routing::get;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

/// The bytes of a page.
pub(super) const PAGE: usize = 1024;

static MADE: AtomicUsize = AtomicUsize::new(0);

/// How many pages were made so far.
pub(super) fn made() -> usize {
    MADE.load(Ordering::Relaxed)
}

pub(super) fn pages() -> Router {
    let page = || async {
        MADE.fetch_add(1, Ordering::Relaxed);
        // Each page has bytes of its own.
        (
            [(CACHE_CONTROL, "max-age=86400")],
            Bytes::from(vec![b'x'; PAGE]),
        )
    };
    Router::new().route("/{page}", get(page))
}

/// Asks for a page, and returns the length of its body.
pub(super) async fn ask(pages: Router, number: usize) -> usize {
    // A cache keys by the host too: without one nothing is stored.
    let request = Request::builder().header("host", "cinema.example");
    let request = request.uri(format!("/{number}")).body(Body::empty());
    let response = pages.oneshot(request.expect("a request")).await;
    let response = response.expect("a router has no errors");
    assert!(response.status().is_success());
    let body = response.into_body().collect().await;
    body.expect("a body").to_bytes().len()
}
