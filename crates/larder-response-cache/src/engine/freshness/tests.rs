use http::HeaderValue;
use proptest::prelude::*;

use super::super::date::format_date;
use super::*;
use crate::engine::header_map as map;

/// When every response here was received, in seconds since the epoch.
const NOW: i64 = 1_767_225_600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn date_of(seconds: i64) -> String {
    format_date(seconds).to_str().unwrap().to_owned()
}

fn freshness(status: u16, fields: &[(&'static str, &str)]) -> Freshness {
    let headers = map(fields);
    let exchange = Exchange {
        sent: at(NOW),
        received: at(NOW),
    };
    let status = StatusCode::from_u16(status).unwrap();
    let directives = CacheControl::of(&headers);
    Freshness::of(status, &headers, &directives, exchange)
}

fn lifetime(status: u16, fields: &[(&'static str, &str)]) -> u64 {
    freshness(status, fields).lifetime()
}

#[test]
fn s_maxage_takes_precedence() {
    let past = date_of(NOW - 10);
    let fields = [
        ("expires", past.as_str()),
        ("cache-control", "max-age=0, s-maxage=60"),
    ];
    assert_eq!(lifetime(200, &fields), 60);
}

#[test]
fn expires_counts_from_date_and_an_invalid_one_is_in_the_past() {
    let (date, later) = (date_of(NOW - 10), date_of(NOW + 50));
    assert_eq!(lifetime(200, &[("expires", &later), ("date", &date)]), 60);
    assert_eq!(lifetime(200, &[("expires", &later), ("date", "foo")]), 50);
    for invalid in ["0", "", "tomorrow"] {
        let freshness = freshness(200, &[("expires", invalid), ("last-modified", &date_of(0))]);
        assert_eq!((freshness.lifetime(), freshness.is_explicit()), (0, true));
    }
    let twice = [("expires", later.as_str()), ("expires", later.as_str())];
    assert_eq!(lifetime(200, &twice), 0);
}

#[test]
fn a_heuristic_lifetime_is_a_tenth_of_the_time_since_a_change() {
    let changed = date_of(NOW - 600);
    for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
        let freshness = freshness(status, &[("last-modified", &changed)]);
        assert_eq!((freshness.lifetime(), freshness.is_explicit()), (60, false));
    }
    for status in [201, 202, 302, 307, 400, 403, 500, 502, 503, 504, 599] {
        assert_eq!(lifetime(status, &[("last-modified", &changed)]), 0);
    }
    let public = [
        ("last-modified", changed.as_str()),
        ("cache-control", "public"),
    ];
    assert_eq!(lifetime(599, &public), 60);
    let pragma = [("last-modified", changed.as_str()), ("pragma", "no-cache")];
    assert_eq!(lifetime(200, &pragma), 0);
    // At most a day.
    assert_eq!(lifetime(200, &[("last-modified", &date_of(0))]), 86_400);
    assert_eq!(lifetime(200, &[]), 0);
}

#[test]
fn age_is_the_larger_of_the_declared_and_the_apparent_one() {
    let date = date_of(NOW - 30);
    assert_eq!(freshness(200, &[("date", &date)]).age(at(NOW)), 30);
    let both = [("date", date.as_str()), ("age", "45")];
    assert_eq!(freshness(200, &both).age(at(NOW + 5)), 50);
    let fast = date_of(NOW + 30);
    assert_eq!(freshness(200, &[("date", &fast)]).age(at(NOW + 5)), 5);
}

#[test]
fn the_time_that_a_response_took_is_part_of_its_age() {
    let headers = map(&[("age", "10")]);
    let exchange = Exchange {
        sent: at(NOW - 4),
        received: at(NOW),
    };
    let directives = CacheControl::default();
    let freshness = Freshness::of(StatusCode::OK, &headers, &directives, exchange);
    assert_eq!(freshness.age(at(NOW)), 14);
}

#[test]
fn only_the_first_age_counts_and_an_invalid_one_does_not() {
    for (lines, age) in [
        (&["7200, 0"][..], 7200),
        (&["0,7200"], 0),
        (&["7200", "0"], 7200),
        (&["0", "7200"], 0),
        (&["abc"], 0),
        (&["-7200"], 0),
        (&["7200.0"], 0),
        (&["2147483649"], MAX_DELTA),
    ] {
        let fields: Vec<_> = lines.iter().map(|line| ("age", *line)).collect();
        assert_eq!(freshness(200, &fields).age(at(NOW)), age, "{lines:?}");
    }
}

#[test]
fn a_response_that_is_expired_is_stale_from_then_on_and_never_fresh_for_longer() {
    let fresh = freshness(200, &[("cache-control", "max-age=60")]);
    let expired = fresh.expired_at(at(NOW + 20));
    assert!(expired.is_fresh(at(NOW + 19)) && !expired.is_fresh(at(NOW + 20)));
    assert_eq!(expired.staleness(at(NOW + 50)), 30);
    assert_eq!(fresh.expired_at(at(NOW + 90)), fresh);
}

#[test]
fn a_response_is_fresh_while_it_is_younger_than_its_lifetime() {
    let freshness = freshness(200, &[("cache-control", "max-age=60")]);
    assert!(freshness.is_fresh(at(NOW + 59)));
    assert!(!freshness.is_fresh(at(NOW + 60)));
    assert_eq!(freshness.remaining(at(NOW + 20)), 40);
    assert_eq!(freshness.staleness(at(NOW + 70)), 10);
    assert_eq!(
        (
            freshness.remaining(at(NOW + 70)),
            freshness.staleness(at(NOW))
        ),
        (0, 0)
    );
}

proptest! {
    #[test]
    fn age_never_decreases(
        age in "[0-9a-z, .-]{0,12}", date in -100_000_i64..100_000, steps in 0_i64..1_000_000,
    ) {
        let date = date_of(NOW + date);
        let mut fields = map(&[("date", &date)]);
        if let Ok(age) = HeaderValue::from_str(&age) {
            fields.append(header::AGE, age);
        }
        let exchange = Exchange { sent: at(NOW), received: at(NOW) };
        let directives = CacheControl::default();
        let freshness = Freshness::of(StatusCode::OK, &fields, &directives, exchange);
        prop_assert!(freshness.age(at(NOW + steps)) <= freshness.age(at(NOW + steps + 1)));
        prop_assert!(freshness.age(at(NOW + steps)) >= steps.unsigned_abs());
    }
}
