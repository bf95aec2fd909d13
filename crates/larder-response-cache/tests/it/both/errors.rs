//! Errors, and fresh pages that are not served to the requests that cause them.

use crate::fixture::{Fixture, HOUR};

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
