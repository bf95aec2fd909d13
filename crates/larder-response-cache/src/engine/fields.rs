use http::{HeaderMap, HeaderName, header};

use super::cache_control::{CacheControl, is_indispensable};
use super::list::trim;

/// Headers of one connection, which are neither stored nor sent on (RFC 9111, 3.1; RFC 9110, 7.6.1).
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Headers that describe the stored bytes, so a 304 does not change them (RFC 9111, 3.2).
///
/// `ETag` is one of them, because the 304 confirms that the content still has the stored one.
const CONTENT_HEADERS: [&str; 7] = [
    "content-length",
    "content-encoding",
    "content-digest",
    "content-md5",
    "content-range",
    "etag",
    "digest",
];

/// Removes the headers that are not stored.
///
/// Those are the headers of the connection, and the ones that `Connection` or `no-cache` names, except
/// those without which a stored response is useless.
pub fn strip(headers: &mut HeaderMap, directives: &CacheControl) {
    let mut listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .filter_map(|name| HeaderName::from_bytes(trim(name)).ok())
        .collect();
    listed.extend(directives.no_cache_fields.iter().cloned());
    for name in listed.iter().filter(|name| !is_indispensable(name)) {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Removes the digests of the bytes that are sent with a response, which are not the stored ones
/// (RFC 9530, 2).
pub(crate) fn remove_content_digests(headers: &mut HeaderMap) {
    for name in ["content-digest", "content-md5"] {
        headers.remove(name);
    }
}

/// Updates stored headers with those of a 304, which has these directives (RFC 9111, 3.2).
///
/// Each header of the 304 replaces the stored one, except those of the connection and those that describe
/// the stored bytes. Of a header that `no-cache` names, neither value is kept (RFC 9111, 5.2.2.4). The
/// stored `Age` is removed, because it was the age of another response.
pub fn freshen(stored: &mut HeaderMap, new: &HeaderMap, directives: &CacheControl) {
    let mut new = new.clone();
    strip(&mut new, directives);
    for name in &directives.no_cache_fields {
        stored.remove(name);
    }
    for name in CONTENT_HEADERS {
        new.remove(name);
    }
    stored.remove(header::AGE);
    for name in new.keys() {
        stored.remove(name);
        for value in new.get_all(name) {
            stored.append(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::header_map as map;

    #[test]
    fn connection_headers_are_removed_with_those_that_connection_names() {
        let mut headers = map(&[
            ("connection", "a, B"),
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("upgrade", "x"),
            ("te", "x"),
            ("proxy-connection", "x"),
            ("cache-control", "no-cache=\"d\""),
            ("d", "4"),
        ]);
        let directives = CacheControl::of(&headers);
        strip(&mut headers, &directives);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["c", "cache-control"]);
    }

    #[test]
    fn a_304_replaces_headers_except_those_that_describe_the_bytes() {
        let mut stored = map(&[
            ("a", "1"),
            ("a", "2"),
            ("b", "1"),
            ("age", "9"),
            ("content-length", "5"),
            ("content-encoding", "gzip"),
            ("content-digest", "of the bytes"),
            ("etag", "\"a\""),
            ("content-type", "text/plain"),
        ]);
        let new = map(&[
            ("a", "3"),
            ("c", "1"),
            ("c", "2"),
            ("content-length", "0"),
            ("content-encoding", "br"),
            ("content-digest", "of no bytes"),
            ("etag", "\"b\""),
            ("content-type", "text/html"),
            ("keep-alive", "x"),
        ]);
        freshen(&mut stored, &new, &CacheControl::of(&new));
        assert_eq!(
            stored,
            map(&[
                ("a", "3"),
                ("b", "1"),
                ("c", "1"),
                ("c", "2"),
                ("content-length", "5"),
                ("content-encoding", "gzip"),
                ("content-digest", "of the bytes"),
                ("etag", "\"a\""),
                ("content-type", "text/html"),
            ])
        );
    }

    #[test]
    fn a_header_that_a_304_names_in_no_cache_is_not_kept() {
        let mut stored = map(&[("a", "1"), ("b", "1"), ("vary", "x")]);
        let new = map(&[
            ("a", "2"),
            ("b", "2"),
            ("set-cookie", "c=d"),
            ("cache-control", "no-cache=\"a, set-cookie\""),
        ]);
        freshen(&mut stored, &new, &CacheControl::of(&new));
        let mut left: Vec<_> = stored.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["b", "cache-control", "vary"]);
    }

    #[test]
    fn headers_that_the_cache_needs_stay_even_if_they_are_named() {
        let mut headers = map(&[
            ("connection", "vary, cache-control"),
            ("vary", "x"),
            (
                "cache-control",
                "max-age=60, no-cache=\"content-encoding, etag\"",
            ),
            ("content-encoding", "gzip"),
            ("etag", "\"a\""),
        ]);
        let directives = CacheControl::of(&headers);
        assert!(directives.no_cache);
        strip(&mut headers, &directives);
        assert_eq!(headers.len(), 4);
    }
}
