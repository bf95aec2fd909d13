use std::ops::Range;

use http::{HeaderMap, header};

use super::date::date;
use super::list::trim;
use super::validation::{is_last_modified_weak, is_strongly_equal};

/// A part of a stored body, which is never empty.
pub type ByteRange = Range<usize>;

/// The part of a stored body that a request's `Range` selects (RFC 9110, 14.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeSelection {
    /// The whole body: there is no range, more than one, an invalid one, one that is not in bytes, one for
    /// another version, or one of the last bytes of an empty body.
    Whole,
    /// This part, as a 206.
    Part(ByteRange),
    /// No part of the body: a 416.
    Unsatisfiable,
}

/// Selects the part of a stored body of `length` bytes that `request` asks for.
///
/// `If-Range` must match exactly: the same strong tag, or the same `Last-Modified`, if it is earlier than
/// `Date` and therefore strong (RFC 9110, 13.1.5 and 8.8.2.2). Several ranges in one request select the
/// whole body, as RFC 9110, 14.2 permits. The multipart form has been used to exhaust servers.
pub fn range(request: &HeaderMap, stored: &HeaderMap, length: usize) -> RangeSelection {
    let mut lines = request.get_all(header::RANGE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return RangeSelection::Whole;
    };
    // A response that is itself marked as a part has no ranges.
    if stored.contains_key(header::CONTENT_RANGE) || !is_version(request, stored) {
        return RangeSelection::Whole;
    }
    match parse(line.as_bytes(), length) {
        Some(part) if part.is_empty() => RangeSelection::Unsatisfiable,
        Some(part) => RangeSelection::Part(part),
        None => RangeSelection::Whole,
    }
}

/// Returns whether `If-Range` permits a part (RFC 9110, 13.1.5).
fn is_version(request: &HeaderMap, stored: &HeaderMap) -> bool {
    let Some(if_range) = request.get(header::IF_RANGE) else {
        return true;
    };
    if if_range.as_bytes().contains(&b'"') {
        let etag = stored.get(header::ETAG);
        return etag.is_some_and(|etag| is_strongly_equal(etag.as_bytes(), if_range.as_bytes()));
    }
    let modified = date(stored, &header::LAST_MODIFIED);
    modified.is_some()
        && !is_last_modified_weak(stored)
        && date(request, &header::IF_RANGE) == modified
}

/// Reads the range. It is empty if the body does not contain it, and None if it is invalid, or the whole of
/// an empty body.
fn parse(line: &[u8], length: usize) -> Option<ByteRange> {
    let equals = line.iter().position(|&byte| byte == b'=')?;
    if !line[..equals].eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let spec = trim(&line[equals + 1..]);
    let dash = spec.iter().position(|&byte| byte == b'-')?;
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    if first.is_empty() {
        let suffix = number(last)?;
        if length == 0 && suffix > 0 {
            // The last bytes of nothing are the whole of it (RFC 9110, 14.1.2).
            return None;
        }
        return Some(length.saturating_sub(suffix)..length);
    }
    let first = number(first)?;
    let last = if last.is_empty() {
        usize::MAX
    } else {
        number(last)?
    };
    if first > last {
        return None;
    }
    let end = last.saturating_add(1).min(length);
    Some(first.min(end)..end)
}

/// Reads digits as a number. One that is too large becomes the largest number.
fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |sum: usize, &byte: &u8| {
        sum.saturating_mul(10)
            .saturating_add(usize::from(byte - b'0'))
    };
    Some(digits.iter().fold(0, digit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::header_map as map;

    fn of_ten(asked: &str) -> RangeSelection {
        range(&map(&[("range", asked)]), &HeaderMap::new(), 10)
    }

    #[test]
    fn one_range_is_a_part() {
        assert_eq!(of_ten("bytes=0-1"), RangeSelection::Part(0..2));
        assert_eq!(of_ten("bytes=3-3"), RangeSelection::Part(3..4));
        assert_eq!(of_ten("Bytes=1-"), RangeSelection::Part(1..10));
        assert_eq!(of_ten("bytes=-1"), RangeSelection::Part(9..10));
        assert_eq!(
            of_ten("bytes=-99999999999999999999999"),
            RangeSelection::Part(0..10)
        );
        assert_eq!(
            of_ten("bytes=9-99999999999999999999999"),
            RangeSelection::Part(9..10)
        );
    }

    #[test]
    fn a_range_past_the_body_is_unsatisfiable() {
        for asked in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert_eq!(of_ten(asked), RangeSelection::Unsatisfiable, "{asked}");
        }
    }

    #[test]
    fn of_an_empty_body_only_the_last_bytes_can_be_selected_and_are_the_whole() {
        let of_none = |asked| range(&map(&[("range", asked)]), &HeaderMap::new(), 0);
        for asked in ["bytes=-5", "bytes=-1"] {
            assert_eq!(of_none(asked), RangeSelection::Whole, "{asked}");
        }
        for asked in ["bytes=0-", "bytes=0-0", "bytes=-0"] {
            assert_eq!(of_none(asked), RangeSelection::Unsatisfiable, "{asked}");
        }
    }

    #[test]
    fn anything_but_one_valid_range_selects_the_whole_body() {
        for asked in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=2-1",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=a-b",
        ] {
            assert_eq!(of_ten(asked), RangeSelection::Whole, "{asked}");
        }
        assert_eq!(
            range(&HeaderMap::new(), &HeaderMap::new(), 10),
            RangeSelection::Whole
        );
    }

    #[test]
    fn if_range_must_match_the_stored_response() {
        let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
        let stored = map(&[("etag", "\"a\""), ("last-modified", modified)]);
        let ask = |version| {
            range(
                &map(&[("range", "bytes=0-1"), ("if-range", version)]),
                &stored,
                10,
            )
        };
        for same in ["\"a\"", modified] {
            assert_eq!(ask(same), RangeSelection::Part(0..2));
        }
        for other in ["\"b\"", "W/\"a\"", "Sun, 06 Nov 1994 08:49:38 GMT", "foo"] {
            assert_eq!(ask(other), RangeSelection::Whole, "{other}");
        }
    }

    #[test]
    fn a_last_modified_that_is_not_before_date_matches_no_if_range() {
        let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (date, expected) in [
            (modified, RangeSelection::Whole),
            ("Sun, 06 Nov 1994 08:49:36 GMT", RangeSelection::Whole),
            ("Sun, 06 Nov 1994 08:49:38 GMT", RangeSelection::Part(0..2)),
        ] {
            let stored = map(&[("last-modified", modified), ("date", date)]);
            let request = map(&[("range", "bytes=0-1"), ("if-range", modified)]);
            assert_eq!(range(&request, &stored, 10), expected, "{date}");
        }
    }

    proptest! {
        #[test]
        fn a_part_is_never_empty_and_within_the_body(
            asked in "bytes=[0-9]{0,22}-[0-9]{0,22}", length in 0_usize..50,
        ) {
            if let RangeSelection::Part(part) = range(&map(&[("range", &asked)]), &HeaderMap::new(), length) {
                prop_assert!(!part.is_empty() && part.end <= length);
            }
        }
    }
}
