//! The headers of a response for caches and for the browser.

use http::header::{CACHE_CONTROL, Entry, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Adds `Vary: Cookie`, because the response depended on it (RFC 9110, section 12.5.5).
pub(super) fn add_vary(headers: &mut HeaderMap) {
    const COOKIE: HeaderValue = HeaderValue::from_static("Cookie");
    match headers.entry(VARY) {
        Entry::Vacant(none) => {
            none.insert(COOKIE);
        }
        Entry::Occupied(mut there) => {
            let is_there = |word: &str| word == "*" || word.eq_ignore_ascii_case("cookie");
            if !words(there.iter()).any(is_there) {
                there.append(COOKIE);
            }
        }
    }
}

/// Adds a `Set-Cookie`, and forbids caches to store the response.
///
/// A `Set-Cookie` alone does not prevent storing (RFC 6265bis, section 3). Directives that restrict
/// caches are kept, and those that permit more are removed.
pub(super) fn add_cookie(headers: &mut HeaderMap, cookie: HeaderValue) {
    headers.append(SET_COOKIE, cookie);
    let kept: Vec<_> = words(headers.get_all(CACHE_CONTROL).iter())
        .filter(|word| forbids(word))
        .collect();
    let mut value = kept.join(", ");
    if !kept
        .iter()
        .any(|word| word.eq_ignore_ascii_case("no-store"))
    {
        if !value.is_empty() {
            value.push_str(", ");
        }
        value.push_str("no-store");
    }
    // The words of a valid header make a valid one: this never takes the fallback.
    let value = HeaderValue::try_from(value).unwrap_or(NO_STORE);
    headers.insert(CACHE_CONTROL, value);
    // If present, they take precedence over `Cache-Control` (RFC 9213, section 2.2).
    for field in [CDN_CACHE_CONTROL, SURROGATE_CONTROL] {
        if headers.contains_key(&field) {
            headers.insert(field, NO_STORE);
        }
    }
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");

/// Returns whether a directive restricts a cache, in its form without an argument.
fn forbids(directive: &str) -> bool {
    [
        "no-store",
        "no-cache",
        "private",
        "no-transform",
        "must-revalidate",
        "proxy-revalidate",
        "must-understand",
    ]
    .iter()
    .any(|known| directive.eq_ignore_ascii_case(known))
}

fn words<'a>(fields: impl Iterator<Item = &'a HeaderValue>) -> impl Iterator<Item = &'a str> {
    fields
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(pairs: &[(HeaderName, &'static str)], change: fn(&mut HeaderMap)) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        change(&mut headers);
        headers
    }

    fn cache_control(before: &[(HeaderName, &'static str)]) -> HeaderMap {
        after(before, |headers| {
            add_cookie(headers, HeaderValue::from_static("a=b"));
        })
    }

    #[test]
    fn directives_that_restrict_stay_and_those_that_permit_go() {
        for (before, expected) in [
            (vec![], "no-store"),
            (vec![(CACHE_CONTROL, "no-store")], "no-store"),
            (vec![(CACHE_CONTROL, "public, max-age=600")], "no-store"),
            (
                vec![(CACHE_CONTROL, "private, max-age=600")],
                "private, no-store",
            ),
            (
                vec![
                    (CACHE_CONTROL, "No-Cache"),
                    (CACHE_CONTROL, "no-store, s-maxage=9"),
                ],
                "No-Cache, no-store",
            ),
        ] {
            let headers = cache_control(&before);
            let values: Vec<_> = headers.get_all(CACHE_CONTROL).iter().collect();
            assert_eq!(values, [expected]);
        }
    }

    #[test]
    fn a_field_for_shared_caches_cannot_override_no_store() {
        let headers = cache_control(&[(CDN_CACHE_CONTROL, "max-age=600")]);
        assert_eq!(headers[CDN_CACHE_CONTROL], "no-store");
        assert!(!headers.contains_key(SURROGATE_CONTROL));
    }

    #[test]
    fn vary_is_added_once() {
        for (before, expected) in [
            (vec![], vec!["Cookie"]),
            (vec![(VARY, "accept, COOKIE")], vec!["accept, COOKIE"]),
            (vec![(VARY, "*")], vec!["*"]),
            (vec![(VARY, "Accept")], vec!["Accept", "Cookie"]),
        ] {
            let headers = after(&before, add_vary);
            let values: Vec<_> = headers.get_all(VARY).iter().collect();
            assert_eq!(values, expected);
        }
    }
}
