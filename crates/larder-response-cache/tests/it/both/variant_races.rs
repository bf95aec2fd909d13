//! Variants whose URI is purged, or gets another index, while they are fetched.

use super::errors::answer_later;
use crate::fixture::{Fixture, HOUR, full, response};

const SHORT: (&str, &str) = ("cache-control", "max-age=10");
const ONE: (&str, &str) = ("x", "1");
const VARY: (&str, &str) = ("vary", "x");

/// Stores a variant, fetches it again once it is stale, and calls `act` during that. Returns what
/// `Cache-Status` says of the second fetch.
async fn said_of_a_fetch(fixture: &Fixture, act: impl AsyncFnOnce()) -> String {
    fixture.origin.then(200, &[SHORT, VARY], "first");
    fixture.get_with("/", &[ONE]).await;
    fixture.later(20);
    let answer = answer_later(fixture, 200, &[SHORT, VARY], "second");
    let acting = async {
        while fixture.origin.count() < 2 {
            tokio::task::yield_now().await;
        }
        act().await;
        answer.send(()).unwrap();
    };
    let (answered, ()) = tokio::join!(fixture.get_with("/", &[ONE]), acting);
    assert_eq!(answered.text(), "second");
    answered.field("cache-status").to_owned()
}

#[tokio::test]
async fn a_variant_is_called_stored_only_if_the_next_request_finds_it() {
    let fixture = super::fixture().await;
    let said = said_of_a_fetch(&fixture, async || {}).await;
    assert!(said.ends_with("; stored"), "{said}");
    assert!(fixture.sibling().get_with("/", &[ONE]).await.is_hit());

    for is_other_process in [false, true] {
        let fixture = super::fixture().await;
        let sibling = fixture.sibling();
        let purger = if is_other_process { &sibling } else { &fixture }.layer.purger();
        let purge = async || purger.purge("http://cinema.example/").await.unwrap();
        let said = said_of_a_fetch(&fixture, purge).await;
        assert!(said.ends_with("; detail=outdated"), "{said}");
        assert!(!fixture.get_with("/", &[ONE]).await.is_hit());
    }

    let fixture = super::fixture().await;
    let other = fixture.sibling();
    let said = said_of_a_fetch(&fixture, async || {
        other.origin.then(200, &[HOUR, ("vary", "y")], "by another field");
        other.get_with("/", &[("x", "2")]).await;
    });
    let said = said.await;
    assert!(said.ends_with("; detail=outdated"), "{said}");
    assert!(!fixture.sibling().get_with("/", &[ONE]).await.is_hit());
}

#[tokio::test]
async fn a_variant_that_is_added_meanwhile_does_not_keep_another_one_from_being_stored() {
    let fixture = super::fixture().await;
    let other = fixture.sibling();
    let said = said_of_a_fetch(&fixture, async || {
        other.origin.then(200, &[SHORT, VARY], "of another variant");
        other.get_with("/", &[("x", "2")]).await;
    });
    let said = said.await;
    assert!(said.ends_with("; stored"), "{said}");
    for x in [ONE, ("x", "2")] {
        assert!(fixture.get_with("/", &[x]).await.is_hit(), "{x:?}");
    }
}

#[tokio::test]
async fn a_variant_that_is_superseded_takes_no_newer_one_of_another_process_with_it() {
    let (fixture, control) = super::gated_with(|builder| builder.with_max_variants(1)).await;
    let other = Fixture::on(fixture.store.clone(), fixture.clock.clone(), |builder| {
        builder.with_max_variants(1)
    });
    let store = async |x, text| {
        other.origin.then(200, &[HOUR, VARY], text);
        assert_eq!(other.get_with("/", &[("x", x)]).await.text(), text);
    };
    fixture.origin.then(200, &[SHORT, VARY], "first");
    fixture.get_with("/", &[ONE]).await;
    fixture.later(20);
    let (hold, held) = tokio::sync::oneshot::channel();
    let gate = control.clone();
    fixture.origin.then_with(move |_| {
        let _ = hold.send(gate.hold(("get", "response:")));
        Box::pin(async move { Ok(response(200, &[SHORT, VARY], full("second"))) })
    });
    let acting = async {
        // The second response is written, and its index not read yet.
        let mut index_read = held.await.unwrap();
        assert!(index_read.arrived().await);
        store("2", "in its place").await;
        let mut removal = control.hold(("delete", "response:"));
        index_read.release();
        assert!(removal.arrived().await);
        store("1", "newer").await;
        removal.release();
    };
    let (second, ()) = tokio::join!(fixture.get_with("/", &[ONE]), acting);
    let said = second.field("cache-status");
    assert!(said.ends_with("; detail=outdated"), "{said}");
    assert_eq!(fixture.sibling().get_with("/", &[ONE]).await.text(), "newer");
}

#[tokio::test]
async fn an_expiry_misses_no_variant_that_lost_its_place_after_another_process_refreshed_it() {
    let fixture = super::fixture_with(|builder| builder.with_max_variants(1)).await;
    let other = Fixture::on(fixture.store.clone(), fixture.clock.clone(), |builder| {
        builder.with_max_variants(1)
    });
    fixture.origin.then(200, &[SHORT, VARY], "first");
    fixture.get_with("/", &[ONE]).await;
    fixture.later(20);
    other.origin.then(200, &[HOUR, VARY], "refreshed");
    other.get_with("/", &[ONE]).await;
    fixture.later(1);
    fixture.origin.then(200, &[HOUR, VARY], "in its place");
    fixture.get_with("/", &[("x", "2")]).await;
    let purger = other.layer.purger();
    purger.expire("http://cinema.example/").await.unwrap();
    // The index names the variant again before the store says that it has one.
    fixture.origin.then(400, &[HOUR, VARY], "error");
    fixture.get_with("/", &[ONE]).await;
    let sibling = fixture.sibling();
    sibling.origin.then(200, &[HOUR, VARY], "newer");
    assert_ne!(sibling.get_with("/", &[ONE]).await.text(), "refreshed");
}
