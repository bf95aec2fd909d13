use axum::http::HeaderName;

use super::loader::{Origin, Served};
use crate::clock::span_ms;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The `Server-Timing` header: where the page's data came from, and how long that took. Browsers
/// show it in their network panel.
pub(crate) fn timing<T>(served: &Served<T>) -> [(HeaderName, String); 1] {
    let ms = span_ms(served.took);
    let value = match served.origin {
        Origin::Miss => format!("cache;desc=\"miss\", db;dur={ms}"),
    };
    [(SERVER_TIMING, value)]
}
