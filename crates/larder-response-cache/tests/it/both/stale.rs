//! Stale responses in place of failures (RFC 9111, 4.2.4; RFC 5861), and damaged bytes in the store.

use std::time::Duration;

use http::Method;
use larder_store::{Key, Kind, Put, Ttl};

use crate::fixture::{Broken, Fixture, HOUR, request, until};

/// Returns for how many seconds a page is fresh, and for how many it is usable.
async fn explained(fixture: &Fixture, path: &str) -> (u64, u64) {
    let uri = format!("http://cinema.example{path}");
    let explained = fixture.layer.purger().explain(&uri).await.unwrap();
    let response = &explained.responses[0];
    (response.fresh_for.as_secs(), response.usable_for.as_secs())
}

#[tokio::test]
async fn an_explanation_says_for_how_long_a_response_is_still_served() {
    let fixture = super::fixture().await;
    for (path, said) in [
        ("/a", "max-age=10, stale-if-error=60"),
        ("/b", "max-age=10, no-cache"),
    ] {
        let fields = [("cache-control", said), ("etag", "\"a\"")];
        fixture.origin.then(200, &fields, "one");
        fixture.get(path).await;
    }
    assert_eq!(explained(&fixture, "/a").await, (10, 70));
    assert_eq!(explained(&fixture, "/b").await, (0, 0));
    fixture.later(20);
    assert_eq!(explained(&fixture, "/a").await, (0, 50));
    assert_eq!(explained(&fixture, "/b").await, (0, 0));
}

#[tokio::test]
async fn stale_if_error_replaces_error_responses_and_inner_errors() {
    let fixture = super::fixture().await;
    fixture.origin.then(
        200,
        &[("cache-control", "max-age=10, stale-if-error=60")],
        "one",
    );
    fixture.get("/").await;
    fixture.later(20);
    fixture.origin.then(503, &[], "down");
    let covered = fixture.get("/").await;
    assert_eq!((covered.status.as_u16(), covered.text()), (200, "one"));
    assert_eq!(
        covered.field("cache-status"),
        "larder; fwd=stale; fwd-status=503"
    );
    fixture.origin.then_fail();
    assert_eq!(fixture.get("/").await.text(), "one");
    fixture.later(60);
    fixture.origin.then(503, &[], "down");
    assert_eq!(fixture.get("/").await.text(), "down");
}

#[tokio::test]
async fn a_stale_response_replaces_an_inner_error_for_a_while() {
    let fixture = super::fixture().await;
    fixture
        .origin
        .then(200, &[("cache-control", "max-age=10")], "one");
    fixture.get("/").await;
    fixture.later(20);
    fixture.origin.then_fail().then(503, &[], "down");
    assert_eq!(fixture.get("/").await.text(), "one");
    assert_eq!(fixture.get("/").await.text(), "down");
    for said in [
        "must-revalidate",
        "proxy-revalidate",
        "s-maxage=10",
        "no-cache",
    ] {
        let said = format!("max-age=10, stale-if-error=60, {said}");
        let path = format!("/{}", said.len());
        fixture
            .origin
            .then(200, &[("cache-control", &said), ("etag", "\"a\"")], "one");
        fixture.get(&path).await;
        fixture.later(20);
        fixture.origin.then_fail();
        let error = fixture
            .send(request(Method::GET, &path, &[]))
            .await
            .unwrap_err();
        assert_eq!(error, Broken, "{said}");
    }
}

#[tokio::test]
async fn an_origin_that_fails_is_not_asked_in_the_background_for_each_request() {
    let fixture = super::fixture().await;
    let said = ("cache-control", "max-age=10, stale-while-revalidate=600");
    for (number, path) in ["/a", "/b"].into_iter().enumerate() {
        let before = 4 * number;
        fixture.origin.then(200, &[said], "one");
        fixture.get(path).await;
        fixture.later(20);
        fixture.origin.then(503, &[], "down").then_fail();
        for count in [2, 3] {
            for _ in 0..10 {
                let stale = fixture.get(path).await;
                assert_eq!((stale.text(), stale.is_hit()), ("one", true));
                until(|| fixture.origin.count() == before + count).await;
                // The task that it runs in ends after the request.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(fixture.origin.count(), before + count);
            fixture.later(2);
        }
        fixture.origin.then(200, &[said], "two");
        fixture.get(path).await;
        until(|| fixture.origin.count() == before + 4).await;
    }
}

#[tokio::test]
async fn damaged_bytes_are_a_miss_and_are_replaced() {
    let fixture = super::fixture().await;
    let store = &fixture.store;
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get("/").await;
    let key = Key::new(
        Kind::evictable("response"),
        b"shttp cinema.example /".as_slice(),
    );
    let held = store.get(&key).await.unwrap().unwrap();
    let mut bytes = held.value.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let put = Put::new(key, bytes, Ttl::from_secs(60));
    assert!(store.put(&put).await.unwrap().is_stored());
    let sibling = fixture.sibling();
    sibling.origin.then(200, &[HOUR], "two");
    assert_eq!(sibling.get("/").await.text(), "two");
    assert!(fixture.sibling().get("/").await.is_hit());
}

#[tokio::test]
async fn while_a_stale_response_is_validated_the_store_is_not_asked_for_each_request() {
    let (fixture, control) = super::gated().await;
    let said = ("cache-control", "max-age=10, stale-while-revalidate=600");
    for (number, vary) in ["", "x"].into_iter().enumerate() {
        let path = format!("/{vary}");
        let fields = [said, ("vary", vary), ("cache-tag", "films")];
        fixture.origin.then(200, &fields, "one");
        fixture.get(&path).await;
        fixture.later(20);
        // The validation never ends.
        fixture
            .origin
            .then_with(|_| Box::pin(std::future::pending()));
        assert!(fixture.get(&path).await.is_hit());
        until(|| fixture.origin.count() == 2 * (number + 1)).await;
        let before = control.operations();
        for _ in 0..10 {
            let stale = fixture.get(&path).await;
            assert_eq!((stale.text(), stale.is_hit()), ("one", true));
        }
        assert_eq!(control.operations(), before, "{vary}");
        fixture.later(10);
        assert!(fixture.get(&path).await.is_hit());
        assert!(control.operations() > before, "{vary}");
    }
}

#[tokio::test]
async fn an_origin_that_renews_nothing_is_not_asked_in_the_background_for_each_request() {
    let fixture = super::fixture().await;
    let said = ("cache-control", "max-age=10, stale-while-revalidate=600");
    let cookie = [("cookie", "a=b")];
    for (path, status, answer) in [("/a", 429, "public"), ("/b", 200, "private")] {
        fixture.origin.then(200, &[said], "one");
        fixture.get(path).await;
        fixture.later(20);
        let asked = fixture.origin.count() + 1;
        fixture
            .origin
            .then(status, &[("cache-control", answer)], "two");
        for _ in 0..10 {
            let stale = fixture.get_with(path, &cookie).await;
            assert_eq!((stale.text(), stale.is_hit()), ("one", true), "{path}");
            until(|| fixture.origin.count() >= asked).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(fixture.origin.count(), asked, "{path}");
    }
}
