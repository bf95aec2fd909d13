use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::date::{date, parse};
use super::fields::remove_content_digests;
use super::list::{Members, trim};

/// The validators of a stored response: its `ETag` and its `Last-Modified` (RFC 9110, 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

impl Validators {
    /// Returns the validators of a response. An invalid `Last-Modified` is not one.
    pub fn of(response: &HeaderMap) -> Self {
        let modified = date(response, &header::LAST_MODIFIED);
        Self {
            etag: response.get(header::ETAG).cloned(),
            last_modified: modified.and(response.get(header::LAST_MODIFIED).cloned()),
        }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }

    /// Replaces the preconditions of a request by these validators (RFC 9111, 4.3.1).
    ///
    /// The origin then says whether the stored response is still current.
    pub fn apply(&self, request: &mut HeaderMap) {
        for name in PRECONDITIONS {
            request.remove(name);
        }
        if let Some(etag) = &self.etag {
            request.insert(header::IF_NONE_MATCH, etag.clone());
        }
        if let Some(modified) = &self.last_modified {
            request.insert(header::IF_MODIFIED_SINCE, modified.clone());
        }
    }
}

const PRECONDITIONS: [HeaderName; 6] = [
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
];

/// Returns whether a stored response is served as a 304 (RFC 9111, 4.3.2; RFC 9110, 13.2.2).
///
/// `If-None-Match` compares weakly, and takes precedence over `If-Modified-Since`. Only a 200 becomes a
/// 304.
pub fn is_not_modified(request: &HeaderMap, status: StatusCode, stored: &HeaderMap) -> bool {
    if status != StatusCode::OK {
        return false;
    }
    if request.contains_key(header::IF_NONE_MATCH) {
        return matches_etag(request, stored);
    }
    let Some(since) = date(request, &header::IF_MODIFIED_SINCE) else {
        return false;
    };
    let modified = stored
        .get(header::LAST_MODIFIED)
        .or_else(|| stored.get(header::DATE))
        .and_then(parse);
    modified.is_some_and(|modified| modified <= since)
}

fn matches_etag(request: &HeaderMap, stored: &HeaderMap) -> bool {
    let etag = stored.get(header::ETAG).map(|etag| opaque(etag.as_bytes()));
    request.get_all(header::IF_NONE_MATCH).iter().any(|line| {
        if trim(line.as_bytes()) == b"*" {
            return true;
        }
        let Some(etag) = etag else {
            return false;
        };
        Members::of(line.as_bytes()).any(|member| member.is_ok_and(|tag| opaque(tag) == etag))
    })
}

/// Returns an entity tag without its weakness mark, for the weak comparison.
pub(super) fn opaque(etag: &[u8]) -> &[u8] {
    etag.strip_prefix(b"W/").unwrap_or(etag)
}

/// Compares two entity tags strongly (RFC 9110, 8.8.3.2).
pub(super) fn is_strongly_equal(one: &[u8], other: &[u8]) -> bool {
    one == other && one.starts_with(b"\"") && one.len() >= 2 && one.ends_with(b"\"")
}

/// Returns whether a 304 with the headers `new` updates the stored response (RFC 9111, 4.3.4).
///
/// A strong entity tag must equal the stored one. A weak one must match it weakly, or, if none is stored,
/// come with the stored `Last-Modified`. A 304 without an entity tag updates the response that was
/// validated, unless the two have different `Last-Modified`.
pub fn is_update(stored: &HeaderMap, new: &HeaderMap) -> bool {
    let Some(new_etag) = new.get(header::ETAG).map(HeaderValue::as_bytes) else {
        let [held, new] = [stored, new].map(|response| date(response, &header::LAST_MODIFIED));
        return held.is_none() || new.is_none() || held == new;
    };
    match stored.get(header::ETAG).map(HeaderValue::as_bytes) {
        Some(held) if new_etag.starts_with(b"W/") => opaque(held) == opaque(new_etag),
        Some(held) => is_strongly_equal(held, new_etag),
        None => {
            let modified = new.get(header::LAST_MODIFIED);
            new_etag.starts_with(b"W/")
                && modified.is_some()
                && modified == stored.get(header::LAST_MODIFIED)
        }
    }
}

/// Returns whether `Last-Modified` is too close to `Date` to tell versions apart.
///
/// The content may have changed once more in that second (RFC 9110, 8.8.2.2).
pub fn is_last_modified_weak(response: &HeaderMap) -> bool {
    let [modified, date] = [header::LAST_MODIFIED, header::DATE].map(|name| date(response, &name));
    matches!((modified, date), (Some(modified), Some(date)) if date <= modified)
}

/// Returns the headers of the 304 for a stored response (RFC 9110, 15.4.5).
///
/// They are all its headers, except those that describe content that is not sent.
pub fn not_modified(stored: &HeaderMap) -> HeaderMap {
    let mut headers = stored.clone();
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_RANGE,
    ] {
        headers.remove(name);
    }
    remove_content_digests(&mut headers);
    headers
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::header_map as map;

    const EARLY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATE: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn is_304(request: &[(&'static str, &str)], stored: &[(&'static str, &str)]) -> bool {
        is_not_modified(&map(request), StatusCode::OK, &map(stored))
    }

    #[test]
    fn entity_tags_are_compared_weakly() {
        for (asked, held) in [
            ("\"a\"", "\"a\""),
            ("W/\"a\"", "\"a\""),
            ("\"a\"", "W/\"a\""),
            ("\"x\", \"a\" ,\"y\"", "\"a\""),
            ("\"x, y\",\"a\"", "\"a\""),
            ("*", "\"a\""),
        ] {
            assert!(
                is_304(&[("if-none-match", asked)], &[("etag", held)]),
                "{asked}"
            );
        }
        for asked in ["\"b\"", "a", "\"A\"", "w/\"a\"", "\"a", "\"*\"", ""] {
            assert!(
                !is_304(&[("if-none-match", asked)], &[("etag", "\"a\"")]),
                "{asked}"
            );
        }
        assert!(!is_304(&[("if-none-match", "\"a\"")], &[]));
    }

    #[test]
    fn if_none_match_takes_precedence_over_if_modified_since() {
        let stored = [("etag", "\"a\""), ("last-modified", EARLY)];
        let both = |tag| [("if-none-match", tag), ("if-modified-since", EARLY)];
        assert!(is_304(&both("\"a\""), &stored));
        assert!(!is_304(&both("\"b\""), &stored));
    }

    #[test]
    fn a_response_that_is_unchanged_since_the_date_is_not_modified() {
        for (since, modified, expected) in [
            (EARLY, EARLY, true),
            (LATE, EARLY, true),
            (EARLY, LATE, false),
            ("foo", EARLY, false),
            (EARLY, "foo", false),
        ] {
            let stored = [("last-modified", modified)];
            assert_eq!(is_304(&[("if-modified-since", since)], &stored), expected);
        }
        assert!(is_304(&[("if-modified-since", LATE)], &[("date", EARLY)]));
    }

    #[test]
    fn a_304_updates_the_response_with_its_entity_tag() {
        for (held, new_etag, expected) in [
            ("\"a\"", "\"a\"", true),
            ("\"a\"", "\"b\"", false),
            ("W/\"a\"", "\"a\"", false),
            ("\"a\"", "W/\"a\"", true),
            ("W/\"a\"", "W/\"a\"", true),
            ("W/\"a\"", "W/\"b\"", false),
        ] {
            let (stored, new) = (map(&[("etag", held)]), map(&[("etag", new_etag)]));
            assert_eq!(is_update(&stored, &new), expected, "{held} {new_etag}");
        }
        let stored = map(&[("last-modified", EARLY)]);
        for (new, expected) in [
            (map(&[("x", "1")]), true),
            (map(&[("last-modified", EARLY)]), true),
            (map(&[("last-modified", LATE)]), false),
            (map(&[("etag", "\"a\"")]), false),
            (map(&[("etag", "W/\"a\"")]), false),
            (map(&[("etag", "W/\"a\""), ("last-modified", EARLY)]), true),
            (map(&[("etag", "W/\"a\""), ("last-modified", LATE)]), false),
        ] {
            assert_eq!(is_update(&stored, &new), expected, "{new:?}");
        }
    }

    #[test]
    fn a_last_modified_that_is_not_before_date_is_weak() {
        for (modified, date, expected) in [
            (EARLY, EARLY, true),
            (LATE, EARLY, true),
            (EARLY, LATE, false),
        ] {
            let response = map(&[("last-modified", modified), ("date", date)]);
            assert_eq!(is_last_modified_weak(&response), expected);
        }
        assert!(!is_last_modified_weak(&map(&[("date", EARLY)])));
    }

    #[test]
    fn only_a_200_becomes_a_304() {
        let (request, stored) = (map(&[("if-none-match", "*")]), map(&[("etag", "\"a\"")]));
        assert!(!is_not_modified(&request, StatusCode::NOT_FOUND, &stored));
    }

    #[test]
    fn a_validation_has_no_preconditions_but_the_stored_validators() {
        let validators = Validators::of(&map(&[("etag", "W/\"a\""), ("last-modified", EARLY)]));
        let mut request = map(&[
            ("if-none-match", "\"b\""),
            ("range", "bytes=0-1"),
            ("x", "1"),
        ]);
        validators.apply(&mut request);
        assert_eq!(
            request,
            map(&[
                ("x", "1"),
                ("if-none-match", "W/\"a\""),
                ("if-modified-since", EARLY)
            ])
        );
        assert!(Validators::of(&map(&[("last-modified", "foo")])).is_empty());
    }

    proptest! {
        #[test]
        fn no_precondition_causes_a_panic(
            name in prop_oneof![Just("if-none-match"), Just("if-modified-since")],
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut request = HeaderMap::new();
                request.append(name, value);
                let stored = map(&[("etag", "\"a\""), ("last-modified", EARLY)]);
                let _ = is_not_modified(&request, StatusCode::OK, &stored);
            }
        }
    }
}
