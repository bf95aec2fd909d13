//! The effect of a response on a stored one that it does not replace, and which of its headers are kept.

use http::Method;
use larder_response_cache::Profile;

use crate::fixture::{Fixture, HOUR, request};

const WINDOW: &str = "max-age=10, stale-if-error=3600";
const ADA: (&str, &str) = ("cookie", "session=ada");
const RELOAD: (&str, &str) = ("cache-control", "no-cache");

async fn stored(profile: Profile) -> Fixture {
    let fixture = super::fixture_with(|builder| builder.with_profile(profile)).await;
    let fields = [("cache-control", WINDOW), ("etag", "\"a\"")];
    fixture.origin.then(200, &fields, "one");
    fixture.get("/").await;
    assert!(fixture.get("/").await.is_hit());
    fixture
}

/// Returns whether the response is still stored: it is then served in place of a failure.
async fn is_there(fixture: &Fixture) -> bool {
    fixture.later(20);
    fixture.origin.then(503, &[], "down");
    fixture.get("/").await.text() == "one"
}

#[tokio::test]
async fn a_404_or_410_removes_the_stored_response() {
    for profile in [Profile::Safe, Profile::Rfc] {
        for status in [404, 410] {
            for said in ["private", "no-store", "max-age=60", "foo"] {
                for visitor in [&[][..], &[ADA], &[RELOAD]] {
                    let fixture = stored(profile).await;
                    fixture.later(20);
                    fixture
                        .origin
                        .then(status, &[("cache-control", said)], "gone");
                    let seen = fixture.get_with("/", visitor).await;
                    assert_eq!(seen.status.as_u16(), status);
                    let what = format!("{profile:?} {status} {said} {visitor:?}");
                    fixture.later(60);
                    assert!(!is_there(&fixture).await, "{what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_complete_response_that_is_not_stored_removes_the_one_that_it_replaces() {
    for profile in [Profile::Safe, Profile::Rfc] {
        for said in ["private", "no-store", "max-age=0"] {
            let fixture = stored(profile).await;
            fixture.later(20);
            fixture.origin.then(200, &[("cache-control", said)], "two");
            assert_eq!(fixture.get("/").await.text(), "two");
            assert!(!is_there(&fixture).await, "{profile:?} {said}");
        }
    }
}

#[tokio::test]
async fn in_the_safe_profile_a_private_response_does_not_remove_the_page_of_others() {
    let basic = ("authorization", "Basic eA==");
    for (visitor, is_stale) in [
        (&[ADA][..], true),
        (&[basic][..], true),
        (&[RELOAD][..], false),
    ] {
        for said in ["private", "no-store"] {
            for status in [200, 304] {
                let fixture = stored(Profile::Safe).await;
                fixture.later(if is_stale { 20 } else { 0 });
                fixture
                    .origin
                    .then(status, &[("cache-control", said)], "for Ada");
                fixture.get_with("/", visitor).await;
                assert!(is_there(&fixture).await, "{visitor:?} {said} {status}");
            }
        }
    }
    let fixture = stored(Profile::Rfc).await;
    fixture.later(20);
    fixture
        .origin
        .then(200, &[("cache-control", "private")], "for Ada");
    fixture.get_with("/", &[ADA]).await;
    assert!(!is_there(&fixture).await);
}

#[tokio::test]
async fn an_error_that_a_header_provokes_is_not_stored_and_replaces_no_fresh_page() {
    for profile in [Profile::Safe, Profile::Rfc] {
        let fixture = super::fixture_with(|builder| builder.with_profile(profile)).await;
        fixture.origin.then(200, &[HOUR], "one");
        fixture.get("/").await;
        let evil = [RELOAD, ("range", "bytes=100-"), ("if-range", "\"x\"")];
        for status in [
            400, 401, 403, 405, 406, 408, 411, 412, 413, 415, 416, 417, 421, 425, 428, 429, 431,
            500, 511,
        ] {
            fixture.origin.then(status, &[HOUR], "poison");
            let seen = fixture.get_with("/", &evil).await;
            assert!(!seen.field("cache-status").contains("stored"), "{status}");
            assert_eq!(fixture.get("/").await.text(), "one", "{status}");
        }
        for status in [206, 226, 304, 401, 406, 412, 415, 416, 417, 429, 431] {
            let path = format!("/{status}");
            fixture.origin.then(status, &[HOUR], "poison");
            fixture.get_with(&path, &evil).await;
            assert_eq!(fixture.get(&path).await.text(), "unscripted", "{status}");
        }
    }
}

#[tokio::test]
async fn a_request_with_an_expectation_bypasses_the_cache() {
    let fixture = super::fixture().await;
    for field in [
        ("expect", "100-continue"),
        ("if-match", "\"a\""),
        ("a-im", "feed"),
    ] {
        fixture.origin.then(200, &[HOUR], "poison");
        assert_eq!(fixture.get_with("/", &[field]).await.text(), "poison");
        assert_eq!(fixture.get("/").await.text(), "unscripted", "{field:?}");
    }
}

#[tokio::test]
async fn a_header_that_no_cache_names_is_replayed_to_no_client() {
    let named = "max-age=10, no-cache=\"set-cookie, x-secret\"";
    for profile in [Profile::Safe, Profile::Rfc] {
        for vary in ["", "x"] {
            for method in [Method::GET, Method::HEAD] {
                for (first, second) in
                    [(named, "max-age=10"), ("max-age=10", named), (named, named)]
                {
                    let fixture =
                        super::fixture_with(|builder| builder.with_profile(profile)).await;
                    let fields = [("etag", "\"a\""), ("vary", vary), ("x-secret", "one")];
                    let fields = [fields[0], fields[1], fields[2], ("cache-control", first)];
                    fixture.origin.then(200, &fields, "one");
                    fixture.get("/").await;
                    fixture.later(20);
                    let status = if method == Method::GET { 304 } else { 200 };
                    let fields = [
                        ("etag", "\"a\""),
                        ("vary", vary),
                        ("cache-control", second),
                        ("set-cookie", "session=ada"),
                        ("x-secret", "of Ada"),
                    ];
                    fixture.origin.then(status, &fields, "");
                    let own = fixture
                        .send(request(method.clone(), "/", &[]))
                        .await
                        .unwrap();
                    assert_eq!(own.field("x-secret"), "of Ada");
                    assert_eq!(own.field("set-cookie"), "session=ada");
                    // A sibling has the safe profile, so it does not share responses of the RFC profile.
                    let sibling = (profile == Profile::Safe).then(|| fixture.sibling());
                    for process in std::iter::once(&fixture).chain(&sibling) {
                        let hit = process.get("/").await;
                        assert!(hit.is_hit(), "{profile:?} {vary} {method} {first} {second}");
                        let seen = (hit.field("set-cookie"), hit.field("x-secret"));
                        assert_eq!(
                            seen,
                            ("", ""),
                            "{profile:?} {vary} {method} {first} {second}"
                        );
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_no_cache_for_a_field_that_the_cache_needs_counts_for_the_whole_response() {
    let fixture = super::fixture().await;
    for field in ["vary", "content-encoding", "cache-tag", "etag"] {
        let said = format!("max-age=60, no-cache=\"{field}\"");
        let fields = [
            ("cache-control", said.as_str()),
            ("vary", "x"),
            ("content-encoding", "identity"),
            ("cache-tag", "films"),
            ("etag", "\"a\""),
        ];
        let path = format!("/{field}");
        fixture.origin.then(200, &fields, "for 1");
        fixture.get_with(&path, &[("x", "1")]).await;
        assert_eq!(
            fixture.get_with(&path, &[("x", "2")]).await.text(),
            "unscripted"
        );
        fixture.origin.then(304, &fields, "");
        let seen = fixture.get_with(&path, &[("x", "1")]).await;
        assert_eq!((seen.text(), seen.is_hit()), ("for 1", false), "{field}");
    }
}

#[tokio::test]
async fn a_304_with_another_strong_tag_freshens_nothing() {
    for profile in [Profile::Safe, Profile::Rfc] {
        let fixture = stored(profile).await;
        fixture.later(20);
        fixture.origin.then(304, &[HOUR, ("etag", "\"b\"")], "");
        fixture.get("/").await;
        fixture.origin.then(200, &[HOUR, ("etag", "\"b\"")], "two");
        assert_eq!(fixture.get("/").await.text(), "two");
        assert!(!fixture.origin.last().contains_key("if-none-match"));
    }
}

#[tokio::test]
async fn in_the_safe_profile_a_304_for_one_visitor_with_another_tag_does_not_remove_the_page() {
    for (visitor, is_stale) in [(ADA, true), (RELOAD, false)] {
        for (profile, is_kept) in [(Profile::Safe, true), (Profile::Rfc, false)] {
            let fixture = stored(profile).await;
            fixture.later(if is_stale { 20 } else { 0 });
            let private = [("cache-control", "private"), ("etag", "\"b\"")];
            fixture.origin.then(304, &private, "");
            fixture.get_with("/", &[visitor]).await;
            let what = format!("{profile:?} {visitor:?}");
            assert_eq!(is_there(&fixture).await, is_kept, "{what}");
        }
    }
}

#[tokio::test]
async fn a_weak_last_modified_stays_weak_and_selects_no_part() {
    let fixture = super::fixture().await;
    let modified = fixture.date(0);
    let short = ("cache-control", "max-age=10");
    let fields = [
        short,
        ("last-modified", modified.as_str()),
        ("date", modified.as_str()),
    ];
    fixture.origin.then(200, &fields, "0123456789");
    fixture.get("/").await;
    let ask = [("range", "bytes=0-1"), ("if-range", modified.as_str())];
    assert_eq!(fixture.get_with("/", &ask).await.status.as_u16(), 200);
    // A later 304 does not make the validator strong.
    fixture.later(20);
    let date = fixture.date(0);
    fixture
        .origin
        .then(304, &[HOUR, ("date", date.as_str())], "");
    fixture.get("/").await;
    for process in [&fixture, &fixture.sibling()] {
        let seen = process.get_with("/", &ask).await;
        assert!(seen.is_hit());
        assert_eq!((seen.status.as_u16(), seen.text()), (200, "0123456789"));
    }
}
