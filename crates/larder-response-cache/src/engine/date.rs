//! HTTP dates, as whole seconds since the epoch (RFC 9110, 5.6.7).

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};

/// Reads the date in the field `name`, in seconds since the epoch.
///
/// Returns None if the field is missing, repeated or invalid. All three formats are valid, in any case
/// (RFC 9111, 4.2), and GMT is the only zone.
pub fn date(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let mut lines = headers.get_all(name).iter();
    let date = parse(lines.next()?)?;
    lines.next().is_none().then_some(date)
}

/// Reads a date, in seconds since the epoch.
pub(super) fn parse(value: &HeaderValue) -> Option<i64> {
    let text = value.to_str().ok()?;
    // The longest format is the obsolete one, with a full weekday.
    if text.len() > "Wednesday, 00-Jan-00 00:00:00 GMT".len() {
        return None;
    }
    let time = httpdate::parse_http_date(&with_usual_case(text)).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// Formats `seconds` since the epoch as a header value. An earlier time counts as the epoch.
pub fn format_date(seconds: i64) -> HeaderValue {
    // 253402300799 is the last second of the year 9999.
    let seconds = u64::try_from(seconds).unwrap_or(0).min(253_402_300_799);
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// Rewrites names in their usual case: `Thu`, `Aug` and `GMT`.
fn with_usual_case(text: &str) -> String {
    let mut usual = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphabetic()) {
        let letters = word.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
        if letters.eq_ignore_ascii_case("gmt") {
            usual.push_str("GMT");
        } else {
            let mut chars = letters.chars();
            usual.extend(chars.next().map(|c| c.to_ascii_uppercase()));
            usual.extend(chars.map(|c| c.to_ascii_lowercase()));
        }
        usual.push_str(&word[letters.len()..]);
    }
    usual
}

#[cfg(test)]
mod tests {
    use http::header::EXPIRES;
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<i64> {
        parse(&text.parse().unwrap())
    }

    #[test]
    fn three_date_formats_are_read_in_any_case() {
        let expected = Some(784_111_777);
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "SUN, 06 nov 1994 08:49:37 gMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        // No date is longer.
        let longest = "Wednesday, 09-Nov-94 08:49:37 GMT";
        assert_eq!(read(longest), expected.map(|it| it + 3 * 86_400));
    }

    #[test]
    fn malformed_dates_are_not_read() {
        for text in [
            "0",
            "",
            "foo",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 AEST",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov  1994 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 31 Feb 1994 25:61:61 GMT",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn two_dates_are_not_read() {
        let mut headers = HeaderMap::new();
        headers.append(EXPIRES, format_date(1));
        assert_eq!(date(&headers, &EXPIRES), Some(1));
        headers.append(EXPIRES, format_date(1));
        assert_eq!(date(&headers, &EXPIRES), None);
    }

    proptest! {
        #[test]
        fn a_formatted_date_can_be_read(seconds in 0_i64..253_402_300_799) {
            prop_assert_eq!(parse(&format_date(seconds)), Some(seconds));
        }

        #[test]
        fn no_text_causes_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let _ = parse(&value);
            }
        }

        #[test]
        fn no_malformed_date_causes_a_panic(at in 0_usize..29, byte in 32_u8..127) {
            let mut text = b"Sun, 06 Nov 1994 08:49:37 GMT".to_vec();
            text[at] = byte;
            let _ = parse(&HeaderValue::from_bytes(&text).unwrap());
        }
    }
}
