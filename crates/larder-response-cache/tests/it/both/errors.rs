//! Errors, and fresh pages that are not served to the requests that cause them.

use larder_response_cache::Profile;
use tokio::sync::oneshot;

use crate::fixture::{Fixture, HOUR, full, response};

const BASIC: (&str, &str) = ("authorization", "Basic eA==");
const EVIL: (&str, &str) = ("x-forwarded-host", "evil.example");
const ONE: (&str, &str) = ("x", "1");
const SHARED: (&str, &str) = ("cache-control", "public, max-age=60");
const VARY: (&str, &str) = ("vary", "x");

/// Stores a page that everybody may see.
async fn store(fixture: &Fixture, path: &str, fields: &[(&str, &str)]) {
    let fields: Vec<_> = [HOUR].iter().chain(fields).copied().collect();
    fixture.origin.then(200, &fields, "page");
    fixture.get_with(path, &[ONE]).await;
    assert!(fixture.get_with(path, &[ONE]).await.is_hit());
}

/// Returns what this process and another one answer now.
async fn seen(fixture: &Fixture, path: &str) -> [String; 2] {
    let sibling = fixture.sibling();
    let here = fixture.get_with(path, &[ONE]).await;
    let there = sibling.get_with(path, &[ONE]).await;
    [here, there].map(|answered| answered.text().to_owned())
}

#[tokio::test]
async fn an_error_to_a_request_with_authorization_replaces_no_fresh_page_of_others() {
    let fixture = super::fixture().await;
    for fields in [&[][..], &[VARY]] {
        for status in [400, 403, 500] {
            let path = format!("/{status}{}", fields.len());
            store(&fixture, &path, fields).await;
            fixture.origin.then(status, &[SHARED], "poison");
            let error = fixture.get_with(&path, &[ONE, BASIC]).await;
            assert_eq!(error.text(), "poison");
            assert!(error.field("cache-status").ends_with("; detail=status"));
            assert_eq!(seen(&fixture, &path).await, ["page", "page"], "{path}");
        }
    }
}

#[tokio::test]
async fn an_error_to_a_request_for_another_variant_replaces_no_fresh_page() {
    let fixture = super::fixture().await;
    for (name, page, visitor, error) in [
        ("plain", &[][..], &[ONE, EVIL][..], &[SHARED][..]),
        ("of-another-host", &[VARY], &[ONE, EVIL], &[SHARED]),
        ("by-another-field", &[VARY], &[("x", "2")], &[SHARED, ("vary", "y")]),
    ] {
        for status in [400, 403, 500] {
            let path = format!("/{name}/{status}");
            store(&fixture, &path, page).await;
            fixture.origin.then(status, error, "poison");
            assert_eq!(fixture.get_with(&path, visitor).await.text(), "poison");
            assert_eq!(seen(&fixture, &path).await, ["page", "page"], "{path}");
        }
    }
}

/// Lets the origin answer the next request once the sender is used.
pub(crate) fn answer_later(
    fixture: &Fixture,
    status: u16,
    fields: &[(&str, &str)],
    body: &'static str,
) -> oneshot::Sender<()> {
    let (answer, answered) = oneshot::channel::<()>();
    let response = response(status, fields, full(body));
    fixture.origin.then_with(move |_| {
        Box::pin(async move {
            answered.await.unwrap();
            Ok(response)
        })
    });
    answer
}

/// Fetches a page, then an error, and lets the error arrive once `process` finds the page.
pub(crate) async fn error_after_page(
    fixture: &Fixture,
    process: &Fixture,
    page: &[(&str, &str)],
    error: &[(&str, &str)],
) {
    let before = fixture.origin.count();
    let page = answer_later(fixture, 200, page, "page");
    let error = answer_later(fixture, 400, error, "poison");
    let asked = async |count| {
        while fixture.origin.count() < before + count {
            tokio::task::yield_now().await;
        }
    };
    let reload = async {
        asked(1).await;
        let reload = [ONE, ("cache-control", "no-cache")];
        fixture.get_with("/", &reload).await
    };
    let arriving = async {
        asked(2).await;
        page.send(()).unwrap();
        let only = [ONE, ("cache-control", "only-if-cached")];
        while !process.get_with("/", &only).await.is_hit() {
            tokio::task::yield_now().await;
        }
        error.send(()).unwrap();
    };
    let (first, second, ()) = tokio::join!(fixture.get_with("/", &[ONE]), reload, arriving);
    assert_eq!((first.text(), second.text()), ("page", "poison"));
    let said = second.field("cache-status");
    assert!(said.ends_with("; detail=outdated"), "{said}");
}

#[tokio::test]
async fn an_error_replaces_no_fresh_page_that_was_stored_while_the_error_was_fetched() {
    for fields in [&[][..], &[VARY]] {
        for is_stale in [false, true] {
            let fixture = super::fixture().await;
            if is_stale {
                let short = [("cache-control", "max-age=10, stale-if-error=60"), VARY];
                fixture.origin.then(200, &short[..=fields.len()], "old");
                fixture.get_with("/", &[ONE]).await;
                fixture.later(20);
            }
            let page: Vec<_> = [HOUR].iter().chain(fields).copied().collect();
            error_after_page(&fixture, &fixture.sibling(), &page, &[SHARED]).await;
            let what = format!("{fields:?} {is_stale}");
            assert_eq!(seen(&fixture, "/").await, ["page", "page"], "{what}");
        }
    }
}

#[tokio::test]
async fn a_404_or_410_removes_the_page_whoever_asked_and_for_whichever_variant() {
    for (profile, page, visitor) in [
        (Profile::Safe, &[][..], &[ONE, BASIC][..]),
        (Profile::Safe, &[VARY], &[ONE, BASIC]),
        (Profile::Safe, &[], &[ONE, EVIL]),
        (Profile::Safe, &[VARY], &[ONE, EVIL]),
        (Profile::Safe, &[VARY], &[("x", "2")]),
        (Profile::Rfc, &[VARY], &[("x", "2")]),
    ] {
        let fixture = super::fixture_with(|builder| builder.with_profile(profile)).await;
        for status in [404, 410] {
            for said in ["private", "no-store", "foo"] {
                let path = format!("/{status}/{said}");
                store(&fixture, &path, page).await;
                fixture.origin.then(status, &[("cache-control", said)], "gone");
                assert_eq!(fixture.get_with(&path, visitor).await.text(), "gone");
                let what = format!("{profile:?} {page:?} {visitor:?} {path}");
                assert_eq!(seen(&fixture, &path).await, ["unscripted"; 2], "{what}");
            }
        }
    }
}
