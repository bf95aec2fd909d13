use http::{HeaderMap, HeaderName, header};

use super::CacheControl;
use super::list::trim;

/// Fields of one connection, which are neither stored nor sent on (RFC 9111, 3.1; RFC 9110, 7.6.1).
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

/// Fields that describe the stored bytes, so a 304 does not change them (RFC 9111, 3.2).
///
/// `ETag` is among them: the origin has just said that its content is what the stored one names.
const OF_THE_BYTES: [&str; 6] = [
    "content-length",
    "content-encoding",
    "content-md5",
    "content-range",
    "etag",
    "digest",
];

/// Removes what is not stored: fields of the connection, those that `Connection` names, and those
/// that `no-cache` names.
pub fn strip(headers: &mut HeaderMap, said: &CacheControl) {
    let mut listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .filter_map(|name| HeaderName::from_bytes(trim(name)).ok())
        .collect();
    listed.extend(said.no_cache_fields.iter().cloned());
    for name in listed {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Brings stored fields up to date with those of a 304 (RFC 9111, 3.2).
///
/// Every field that the 304 has replaces the stored one, but for those of the connection and those
/// that describe the stored bytes. The stored `Age` goes, as it was the age of another response.
pub fn freshen(stored: &mut HeaderMap, new: &HeaderMap) {
    let mut new = new.clone();
    strip(&mut new, &CacheControl::default());
    for name in OF_THE_BYTES {
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
    use crate::fixture::map;

    #[test]
    fn fields_of_the_connection_are_removed_with_those_it_names() {
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
        let said = CacheControl::of(&headers);
        strip(&mut headers, &said);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["c", "cache-control"]);
    }

    #[test]
    fn a_304_replaces_fields_and_leaves_what_describes_the_bytes() {
        let mut stored = map(&[
            ("a", "1"),
            ("a", "2"),
            ("b", "1"),
            ("age", "9"),
            ("content-length", "5"),
            ("content-encoding", "gzip"),
            ("etag", "\"a\""),
            ("content-type", "text/plain"),
        ]);
        let new = map(&[
            ("a", "3"),
            ("c", "1"),
            ("c", "2"),
            ("content-length", "0"),
            ("content-encoding", "br"),
            ("etag", "\"b\""),
            ("content-type", "text/html"),
            ("keep-alive", "x"),
        ]);
        freshen(&mut stored, &new);
        assert_eq!(
            stored,
            map(&[
                ("a", "3"),
                ("b", "1"),
                ("c", "1"),
                ("c", "2"),
                ("content-length", "5"),
                ("content-encoding", "gzip"),
                ("etag", "\"a\""),
                ("content-type", "text/html"),
            ])
        );
    }
}
