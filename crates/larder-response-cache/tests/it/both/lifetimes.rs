//! How long a response stays in the store.

use std::time::Duration;

use larder_store::{Key, Kind};

use crate::fixture::Fixture;

/// Returns for how many seconds the store keeps the key of `path`.
async fn kept(fixture: &Fixture, path: &str) -> u64 {
    let key = format!("shttp cinema.example {path}");
    let key = Key::new(Kind::evictable("response"), key.as_bytes());
    let ttl = fixture.store.ttl(&key).await.unwrap();
    ttl.map_or(0, |ttl| Duration::from(ttl).as_secs_f64().ceil() as u64)
}

#[tokio::test]
async fn a_key_lives_no_longer_than_its_response_can_be_served() {
    let fixture = super::fixture().await;
    let etag = ("etag", "\"a\"");
    for (path, fields, most) in [
        ("/a", &[("cache-control", "max-age=30, stale-while-revalidate=30")][..], 60),
        ("/b", &[("cache-control", "max-age=30, stale-if-error=90")], 120),
        ("/c", &[("cache-control", "max-age=30, must-revalidate")], 30),
        // Their stale windows do not count.
        ("/h", &[("cache-control", "max-age=30, must-revalidate, stale-if-error=600")], 30),
        ("/i", &[("cache-control", "s-maxage=30, stale-while-revalidate=600")], 30),
        // It may be served for 30 s while the origin does not answer.
        ("/d", &[("cache-control", "max-age=60")], 90),
        // They can be validated.
        ("/e", &[("cache-control", "no-cache"), etag], 30),
        ("/f", &[("cache-control", "max-age=60, must-revalidate"), etag], 120),
        // The index of variants.
        ("/g", &[("cache-control", "max-age=30, must-revalidate"), ("vary", "x")], 60),
    ] {
        fixture.origin.then(200, fields, "one");
        fixture.get(path).await;
        let kept = kept(&fixture, path).await;
        assert!((most - 5..=most).contains(&kept), "{path}: {kept}");
    }
}

#[tokio::test]
async fn a_page_without_a_stale_window_is_removed_with_its_freshness() {
    let fixture = super::fixture_with(|builder| {
        builder.with_stale_while_disconnected(Duration::ZERO)
    })
    .await;
    fixture.origin.then(200, &[("cache-control", "max-age=30")], "one");
    fixture.get("/").await;
    let kept = kept(&fixture, "/").await;
    assert!((25..=30).contains(&kept), "{kept}");
}
