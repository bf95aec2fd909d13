use axum::http::HeaderName;

use larder::cache::Source;

use super::loader::Served;
use crate::clock::span_ms;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The `Server-Timing` header: where the page's data came from, and how long that took. Browsers
/// show it in their network panel.
pub(crate) fn timing<T>(served: &Served<T>) -> [(HeaderName, String); 1] {
    let ms = span_ms(served.took);
    let value = match served.source {
        Source::Near | Source::Far => {
            format!("cache;desc=\"hit {}\";dur={ms}", served.source.as_str())
        }
        // Loaded for this request, or for another one that this one waited for.
        loaded => format!("cache;desc=\"miss {}\", db;dur={ms}", loaded.as_str()),
    };
    [(SERVER_TIMING, value)]
}
