//! What the tests here share.

use http::HeaderMap;

/// These fields, in this order.
pub(crate) fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}
