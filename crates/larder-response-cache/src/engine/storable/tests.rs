use larder_store::Timestamp;

use super::*;
use crate::engine::Exchange;
use crate::engine::header_map as map;

fn check(
    profile: Profile,
    request: &[(&'static str, &'static str)],
    status: u16,
    response: &[(&'static str, &'static str)],
) -> Result<(), Refusal> {
    let (request, response) = (map(request), map(response));
    let directives = CacheControl::of(&response);
    let now = Timestamp::from_micros(0);
    let exchange = Exchange {
        sent: now,
        received: now,
    };
    let status = StatusCode::from_u16(status).unwrap();
    let freshness = Freshness::of(status, &response, &directives, exchange);
    let candidate = Candidate {
        profile,
        method: &Method::GET,
        request: &request,
        status,
        response: &response,
        directives: &directives,
        freshness: &freshness,
    };
    candidate.check()
}

fn both(
    request: &[(&'static str, &'static str)],
    status: u16,
    response: &[(&'static str, &'static str)],
) -> Result<(), Refusal> {
    let safe = check(Profile::Safe, request, status, response);
    assert_eq!(safe, check(Profile::Rfc, request, status, response));
    safe
}

const HOUR: (&str, &str) = ("cache-control", "max-age=3600");

#[test]
fn a_response_with_a_lifetime_is_stored_with_any_final_status() {
    for status in [
        200, 203, 204, 299, 301, 302, 307, 400, 404, 499, 500, 503, 599,
    ] {
        assert_eq!(both(&[], status, &[HOUR]), Ok(()), "{status}");
    }
    for status in [
        100, 206, 226, 304, 401, 406, 407, 408, 411, 412, 413, 415, 416, 417, 421, 425, 426, 428,
        429, 431, 511, 600, 999,
    ] {
        assert_eq!(both(&[], status, &[HOUR]), Err(Refusal::Status), "{status}");
    }
}

#[test]
fn a_part_is_not_stored_whatever_its_status() {
    let part = [HOUR, ("content-range", "bytes 0-2/9")];
    assert_eq!(both(&[], 206, &part), Err(Refusal::Status));
    let directives = check(Profile::Safe, &[], 200, &part);
    assert_eq!(directives, Err(Refusal::Status));
    // By the letter the field means nothing there.
    assert_eq!(check(Profile::Rfc, &[], 200, &part), Ok(()));
    let parts = [HOUR, ("content-type", "multipart/byteranges; boundary=x")];
    assert_eq!(both(&[], 200, &parts), Err(Refusal::Stream));
}

#[test]
fn must_understand_refuses_an_unknown_status() {
    let directives = [("cache-control", "max-age=3600, must-understand")];
    assert_eq!(both(&[], 599, &directives), Err(Refusal::Status));
    assert_eq!(both(&[], 200, &directives), Ok(()));
}

#[test]
fn no_store_and_private_are_refused_in_both_profiles() {
    let no_store = [HOUR, ("cache-control", "no-store")];
    assert_eq!(both(&[], 200, &no_store), Err(Refusal::NoStore));
    assert_eq!(
        both(&[("cache-control", "no-store")], 200, &[HOUR]),
        Err(Refusal::NoStore)
    );
    for private in ["private", "private=\"x\"", "PRIVATE ;"] {
        let directives = [HOUR, ("cache-control", private)];
        assert_eq!(both(&[], 200, &directives), Err(Refusal::Private));
    }
    let unreadable = [HOUR, ("cache-control", "x=\"")];
    assert_eq!(both(&[], 200, &unreadable), Err(Refusal::Unreadable));
}

#[test]
fn a_response_to_authorization_needs_permission() {
    let request = [("authorization", "Basic eA==")];
    assert_eq!(both(&request, 200, &[HOUR]), Err(Refusal::Authorization));
    for leave in ["public", "must-revalidate", "s-maxage=60"] {
        assert_eq!(
            both(&request, 200, &[HOUR, ("cache-control", leave)]),
            Ok(())
        );
    }
}

#[test]
fn the_safe_profile_stores_nothing_personal() {
    for personal in [
        ("set-cookie", "a=b"),
        ("vary", "Cookie"),
        ("vary", "authorization"),
    ] {
        assert!(check(Profile::Safe, &[], 200, &[HOUR, personal]).is_err());
        assert_eq!(check(Profile::Rfc, &[], 200, &[HOUR, personal]), Ok(()));
    }
}

#[test]
fn the_safe_profile_stores_for_a_visitor_with_a_cookie_only_what_clearly_permits_it() {
    let cookie = [("cookie", "a=b")];
    let modified = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    let tag = ("etag", "\"a\"");
    for (response, is_clear) in [
        (&[HOUR][..], true),
        (&[modified, ("cache-control", "public")], true),
        (&[modified], false),
        (&[tag, ("cache-control", "max-age=0")], false),
        (&[tag, HOUR, ("cache-control", "no-cache")], false),
    ] {
        let expected = if is_clear {
            Ok(())
        } else {
            Err(Refusal::Cookie)
        };
        let safe = check(Profile::Safe, &cookie, 200, response);
        assert_eq!(safe, expected, "{response:?}");
        assert_eq!(check(Profile::Rfc, &cookie, 200, response), Ok(()));
        assert_eq!(check(Profile::Safe, &[], 200, response), Ok(()));
    }
}

#[test]
fn a_response_that_varies_with_everything_is_not_stored() {
    for vary in ["*", "*, *", ", *", "foo, *", "*, foo", "b ad"] {
        assert_eq!(both(&[], 200, &[HOUR, ("vary", vary)]), Err(Refusal::Vary));
    }
}

#[test]
fn streams_are_not_stored() {
    for stream in [
        ("content-type", "application/grpc+proto"),
        ("content-type", "Text/Event-Stream; charset=utf-8"),
        ("trailer", "x"),
    ] {
        assert_eq!(both(&[], 200, &[HOUR, stream]), Err(Refusal::Stream));
    }
}

#[test]
fn a_status_without_a_heuristic_lifetime_is_stored_only_if_the_response_permits_it() {
    let (tag, window) = (("etag", "\"a\""), "stale-if-error=9");
    let modified = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    for status in [201, 299, 302, 303, 307, 400, 403, 500, 503] {
        for useful in [tag, modified, ("cache-control", window)] {
            let refused = both(&[], status, &[useful]);
            assert_eq!(refused, Err(Refusal::Useless), "{status} {useful:?}");
            for permission in [
                ("cache-control", "public"),
                ("cache-control", "max-age=0"),
                ("cache-control", "s-maxage=9"),
                ("expires", "0"),
            ] {
                let permitted = both(&[], status, &[tag, useful, permission]);
                assert_eq!(permitted, Ok(()), "{status} {useful:?} {permission:?}");
            }
        }
    }
    for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
        assert_eq!(both(&[], status, &[tag]), Ok(()), "{status}");
    }
}

#[test]
fn a_response_that_could_never_be_reused_is_not_stored() {
    assert_eq!(both(&[], 200, &[]), Err(Refusal::Useless));
    let stale = ("cache-control", "max-age=0");
    assert_eq!(both(&[], 200, &[stale]), Err(Refusal::Useless));
    for never in ["stale-while-revalidate=0", "stale-if-error=0"] {
        let never = [stale, ("cache-control", never)];
        assert_eq!(both(&[], 200, &never), Err(Refusal::Useless));
    }
    for useful in [("etag", "\"a\""), ("cache-control", "stale-if-error=9")] {
        assert_eq!(both(&[], 200, &[stale, useful]), Ok(()));
    }
}
