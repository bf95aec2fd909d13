//! The cookies that a response sets, its app's among them.

use http::HeaderMap;
use http::header::SET_COOKIE;

/// Returns whether the response gives the browser a cookie. One that is removed is none.
pub(super) fn sets_cookie(headers: &HeaderMap) -> bool {
    let mut cookies = headers.get_all(SET_COOKIE).iter();
    cookies.any(|cookie| !removes(cookie.as_bytes()))
}

/// Returns whether a `Set-Cookie` removes its cookie: by its `Max-Age`, or without one by an `Expires` in 1970,
/// which is how servers write it.
fn removes(cookie: &[u8]) -> bool {
    let cookie = String::from_utf8_lossy(cookie);
    let (mut max_age, mut expires) = (None, None);
    // Of several with one name the last one counts (RFC 6265bis, section 5.7).
    for attribute in cookie.split(';').skip(1) {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("max-age") {
            max_age = value.parse::<i64>().ok().or(max_age);
        } else if name.eq_ignore_ascii_case("expires") {
            expires = Some(value.contains("1970"));
        }
    }
    max_age.map_or(expires == Some(true), |seconds| seconds <= 0)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_cookie_that_is_removed_is_not_set() {
        for (cookie, expected) in [
            ("a=b", true),
            ("a=Max-Age=0", true),
            ("a=b; Path=/; Max-Age=60", true),
            ("a=; Max-Age=0", false),
            ("a=; max-age = -1 ; Path=/", false),
            ("a=b; Max-Age=0; Max-Age=60", true),
            (
                "a=b; Max-Age=soon; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
                false,
            ),
            ("a=; Expires=Thu, 01-Jan-1970 00:00:01 GMT", false),
            (
                "a=b; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
                true,
            ),
            ("a=b; Expires=Fri, 01 Jan 2100 00:00:00 GMT", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(SET_COOKIE, HeaderValue::from_static("z=; Max-Age=0"));
            headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
            assert_eq!(sets_cookie(&headers), expected, "{cookie}");
        }
        assert!(!sets_cookie(&HeaderMap::new()));
    }
}
