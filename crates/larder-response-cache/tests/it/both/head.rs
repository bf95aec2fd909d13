//! What a response to HEAD does to a stored response to GET (RFC 9111, 4.3.5).

use http::Method;
use larder_response_cache::Profile;

use crate::fixture::{Fixture, request};

const SHORT: (&str, &str) = ("cache-control", "max-age=10");

/// Makes a fixture with a stored response that is stale.
async fn stale(profile: Profile) -> Fixture {
    let fixture = super::fixture_with(|builder| builder.with_profile(profile)).await;
    let fields = [SHORT, ("etag", "\"a\""), ("x", "1"), ("y", "1")];
    fixture.origin.then(200, &fields, "one");
    fixture.get("/").await;
    fixture.later(20);
    fixture
}

async fn head(fixture: &Fixture, status: u16, fields: &[(&str, &str)]) {
    fixture.origin.then(status, fields, "");
    let answered = fixture.send(request(Method::HEAD, "/", &[])).await.unwrap();
    assert_eq!((answered.status.as_u16(), answered.body.len()), (status, 0));
}

#[tokio::test]
async fn a_head_of_the_same_content_updates_the_stored_response() {
    let fixture = stale(Profile::Safe).await;
    let fields = [SHORT, ("etag", "\"a\""), ("x", "2"), ("set-cookie", "a=b")];
    head(&fixture, 200, &fields).await;
    for process in [&fixture, &fixture.sibling()] {
        let hit = process.get("/").await;
        assert_eq!((hit.is_hit(), hit.text(), hit.field("age")), (true, "one", "0"));
        assert_eq!((hit.field("x"), hit.field("y")), ("2", "1"));
        assert_eq!((hit.field("content-length"), hit.field("set-cookie")), ("3", ""));
    }
}

#[tokio::test]
async fn a_head_of_other_content_removes_the_stored_response() {
    for other in [("etag", "\"b\""), ("content-length", "4")] {
        let fixture = stale(Profile::Safe).await;
        head(&fixture, 200, &[SHORT, other]).await;
        assert_eq!(fixture.get("/").await.text(), "unscripted");
        assert!(!fixture.origin.last().contains_key("if-none-match"));
    }
}

#[tokio::test]
async fn a_head_with_no_store_removes_the_stored_response() {
    let fixture = stale(Profile::Rfc).await;
    head(&fixture, 200, &[("cache-control", "no-store"), ("etag", "\"a\"")]).await;
    fixture.get("/").await;
    assert!(!fixture.origin.last().contains_key("if-none-match"));
}

#[tokio::test]
async fn in_the_safe_profile_a_head_without_a_validator_freshens_nothing() {
    for (profile, is_hit) in [(Profile::Safe, false), (Profile::Rfc, true)] {
        let fixture = stale(profile).await;
        head(&fixture, 200, &[SHORT]).await;
        fixture.origin.then(304, &[SHORT], "");
        let answered = fixture.get("/").await;
        assert_eq!((answered.is_hit(), answered.text()), (is_hit, "one"));
    }
}

#[tokio::test]
async fn a_head_that_fails_changes_nothing() {
    let fixture = stale(Profile::Rfc).await;
    for status in [404, 410, 500] {
        head(&fixture, status, &[SHORT, ("etag", "\"b\"")]).await;
    }
    fixture.origin.then(304, &[SHORT], "");
    assert_eq!(fixture.get("/").await.text(), "one");
    assert_eq!(fixture.origin.last()["if-none-match"], "\"a\"");
}

#[tokio::test]
async fn in_the_safe_profile_a_head_for_one_visitor_does_not_remove_the_page_of_others() {
    let ada = ("cookie", "session=ada");
    let reload = ("cache-control", "no-cache");
    for (visitor, is_stale) in [(ada, true), (reload, false)] {
        for said in ["private", "no-store", "private, max-age=60"] {
            for other in [("etag", "\"b\""), ("content-length", "4")] {
                for (profile, is_kept) in [(Profile::Safe, true), (Profile::Rfc, false)] {
                    let fixture = stale(profile).await;
                    if !is_stale {
                        fixture.origin.then(304, &[SHORT], "");
                        fixture.get("/").await;
                    }
                    fixture.origin.then(200, &[("cache-control", said), other], "");
                    let head = request(Method::HEAD, "/", &[visitor]);
                    fixture.send(head).await.unwrap();
                    fixture.later(10);
                    fixture.origin.then(304, &[SHORT], "");
                    fixture.get("/").await;
                    let is_there = fixture.origin.last().contains_key("if-none-match");
                    assert_eq!(is_there, is_kept, "{profile:?} {visitor:?} {said} {other:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_head_of_a_page_that_is_there_again_removes_the_stored_error() {
    for profile in [Profile::Safe, Profile::Rfc] {
        for status in [301, 404, 410, 500] {
            for head in [&[SHORT][..], &[SHORT, ("etag", "\"a\"")]] {
                let fixture = super::fixture_with(|builder| builder.with_profile(profile)).await;
                fixture.origin.then(status, &[SHORT, ("etag", "\"a\"")], "error");
                fixture.get("/").await;
                fixture.later(20);
                fixture.origin.then(200, head, "");
                let asked = request(Method::HEAD, "/", &[]);
                fixture.send(asked).await.unwrap();
                let seen = fixture.get("/").await;
                assert_eq!(seen.text(), "unscripted", "{profile:?} {status} {head:?}");
                assert!(!fixture.origin.last().contains_key("if-none-match"));
            }
        }
    }
}
