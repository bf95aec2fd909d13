//! Soft purges: stored responses become stale, and are not removed.

use std::time::Duration;

use http::Method;
use larder_store::ManualClock;

use crate::fixture::{Fixture, HOUR, request, until};

const ETAG: (&str, &str) = ("etag", "\"a\"");
const URI: &str = "http://cinema.example/";

async fn stored(fields: &[(&str, &str)]) -> Fixture {
    let fixture = super::fixture().await;
    fixture.origin.then(200, fields, "one");
    fixture.get("/").await;
    assert!(fixture.get("/").await.is_hit());
    fixture.later(5);
    fixture
}

#[tokio::test]
async fn an_expired_page_is_validated_and_fresh_again() {
    let tagged = ("cache-tag", "films");
    for is_by_tag in [false, true] {
        let fixture = stored(&[HOUR, ETAG, tagged]).await;
        let purger = fixture.layer.purger();
        if is_by_tag {
            purger.expire_tag("films").await.unwrap();
        } else {
            purger.expire(URI).await.unwrap();
        }
        fixture.later(5);
        for process in [&fixture, &fixture.sibling()] {
            process.origin.then(304, &[HOUR], "");
            let validated = process.get("/").await;
            let status = validated.field("cache-status");
            assert_eq!(validated.text(), "one");
            let is_first = process.origin.count() > 0 && status.contains("fwd=stale");
            assert!(is_first || status.contains("; hit"), "{status}");
            assert!(process.get("/").await.is_hit());
        }
        assert_eq!(fixture.origin.last()["if-none-match"], "\"a\"");
        assert_eq!(fixture.origin.count(), 2);
    }
}

#[tokio::test]
async fn an_expiry_by_a_process_whose_clock_is_ahead_counts_at_once() {
    for is_by_tag in [false, true] {
        let fixture = stored(&[HOUR, ("cache-tag", "films")]).await;
        let ahead = ManualClock::default();
        ahead.advance(Duration::from_secs(300));
        let other = Fixture::on(fixture.store.clone(), ahead, |builder| builder);
        let purger = other.layer.purger();
        match is_by_tag {
            true => purger.expire_tag("films").await.unwrap(),
            false => purger.expire(URI).await.unwrap(),
        }
        // This process reads the store again after its near TTL.
        fixture.later(10);
        fixture.origin.then(200, &[HOUR], "two");
        assert_eq!(fixture.get("/").await.text(), "two", "{is_by_tag}");
    }
}

#[tokio::test]
async fn an_expired_page_is_served_within_its_stale_windows() {
    let said = "max-age=3600, stale-while-revalidate=10, stale-if-error=60";
    let fixture = stored(&[("cache-control", said), ("cache-tag", "films")]).await;
    fixture.layer.purger().expire_tag("films").await.unwrap();
    fixture.later(9);
    fixture.origin.then_fail();
    let behind = fixture.get("/").await;
    assert_eq!((behind.text(), behind.field("age")), ("one", "14"));
    assert_eq!(behind.field("cache-status"), "larder; hit; ttl=-9");
    // The validation in the background fails.
    until(|| fixture.origin.count() == 2).await;
    fixture.later(40);
    fixture.origin.then(503, &[], "down");
    assert_eq!(fixture.get("/").await.text(), "one");
    fixture.later(60);
    fixture.origin.then(503, &[], "down");
    assert_eq!(fixture.get("/").await.text(), "down");
}

#[tokio::test]
async fn every_variant_of_a_uri_expires_and_no_other_uri_does() {
    let fixture = super::fixture().await;
    for x in ["1", "2"] {
        fixture.origin.then(200, &[HOUR, ETAG, ("vary", "x")], "one");
        fixture.get_with("/", &[("x", x)]).await;
    }
    fixture.origin.then(200, &[HOUR], "other");
    fixture.get("/other").await;
    fixture.layer.purger().expire(URI).await.unwrap();
    assert!(fixture.get("/other").await.is_hit());
    for x in ["1", "2"] {
        let asked = [("x", x)];
        fixture.origin.then(304, &[HOUR], "");
        let validated = fixture.get_with("/", &asked).await;
        assert_eq!((validated.text(), validated.is_hit()), ("one", false));
        assert!(fixture.get_with("/", &asked).await.is_hit());
    }
}

#[tokio::test]
async fn a_purged_page_does_not_come_back_when_its_tag_is_expired() {
    let fixture = stored(&[HOUR, ETAG, ("cache-tag", "films")]).await;
    let purger = fixture.layer.purger();
    purger.purge_tag("films").await.unwrap();
    purger.expire_tag("films").await.unwrap();
    assert_eq!(fixture.get("/").await.text(), "unscripted");
    assert!(!fixture.origin.last().contains_key("if-none-match"));

    let fixture = stored(&[HOUR, ETAG]).await;
    let purger = fixture.layer.purger();
    purger.purge(URI).await.unwrap();
    purger.expire(URI).await.unwrap();
    purger.expire("http://cinema.example/nothing").await.unwrap();
    assert_eq!(fixture.get("/").await.text(), "unscripted");
}

#[tokio::test]
async fn a_response_that_must_be_validated_replaces_no_failure_after_it_expired() {
    let said = "max-age=3600, must-revalidate, stale-if-error=60";
    let fixture = stored(&[("cache-control", said)]).await;
    fixture.layer.purger().expire(URI).await.unwrap();
    fixture.origin.then_fail();
    let failed = fixture.send(request(Method::GET, "/", &[])).await;
    assert!(failed.is_err());
}
