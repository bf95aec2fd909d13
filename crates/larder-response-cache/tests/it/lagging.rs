//! A store whose reads may be older than what another process has written.

use std::sync::Arc;

use larder_store::{Key, Kind, ManualClock, Put, Ttl};
use larder_test::{Lagging, ModelStore};

use crate::fixture::{Fixture, HOUR, full, response};

const PAGE: &str = "http://cinema.example/";

/// Two processes on one store. The first one's reads are as old as the last `freeze` of its store.
fn processes() -> (Fixture, Fixture, Arc<Lagging>) {
    let clock = ManualClock::default();
    let model = Arc::new(ModelStore::with_clock(clock.clone()));
    let lagging = Arc::new(Lagging::new(model.clone()));
    let late = Fixture::on(lagging.clone(), clock.clone(), |builder| builder);
    let exact = Fixture::on(model, clock, |builder| builder);
    (late, exact, lagging)
}

#[tokio::test]
async fn a_page_from_before_a_purge_of_another_process_is_not_stored_by_one_whose_reads_lag() {
    for tag in [None, Some("films")] {
        let (late, exact, lagging) = processes();
        let purger = exact.layer.purger();
        late.origin.then_with(move |_| {
            Box::pin(async move {
                lagging.freeze();
                match tag {
                    None => purger.purge(PAGE).await.unwrap(),
                    Some(tag) => purger.purge_tag(tag).await.unwrap(),
                }
                let fields = [HOUR, ("cache-tag", tag.unwrap_or_default())];
                Ok(response(200, &fields, full("old")))
            })
        });
        assert_eq!(late.get("/").await.text(), "old");
        exact.origin.then(200, &[HOUR], "new");
        assert_eq!(exact.get("/").await.text(), "new", "{tag:?}");
    }
}

#[tokio::test]
async fn a_304_to_a_process_whose_reads_lag_brings_back_no_page_that_was_purged_by_a_tag() {
    let (late, exact, lagging) = processes();
    let fields = |tag| [HOUR, ("etag", "\"a\""), ("cache-tag", tag)];
    late.origin.then(200, &fields("films"), "old");
    late.get("/").await;
    lagging.freeze();
    exact.layer.purger().purge_tag("films").await.unwrap();
    late.origin.then(304, &fields("other"), "");
    let reload = [("cache-control", "no-cache")];
    assert_eq!(late.get_with("/", &reload).await.text(), "old");
    assert_eq!(exact.get("/").await.text(), "unscripted");
}

#[tokio::test]
async fn a_variant_from_before_a_purge_of_another_process_is_not_called_stored() {
    let (late, exact, lagging) = processes();
    let varies = [("cache-control", "max-age=10"), ("vary", "x")];
    late.origin.then(200, &varies, "stale");
    late.get("/").await;
    late.later(20);
    let purger = exact.layer.purger();
    late.origin.then_with(move |_| {
        Box::pin(async move {
            lagging.freeze();
            purger.purge(PAGE).await.unwrap();
            Ok(response(200, &varies, full("old")))
        })
    });
    let old = late.get("/").await;
    let said = old.field("cache-status");
    assert!(
        old.text() == "old" && said.ends_with("; detail=outdated"),
        "{said}"
    );
    assert_eq!(late.get("/").await.text(), "unscripted");
}

#[tokio::test]
async fn an_expiry_by_a_process_whose_reads_lag_misses_no_variant() {
    let (late, exact, lagging) = processes();
    let other = exact.sibling();
    let varies = [HOUR, ("vary", "x")];
    for x in ["1", "2"] {
        exact.origin.then(200, &varies, "old");
        exact.get_with("/", &[("x", x)]).await;
        // The copy has the first variant alone.
        if x == "1" {
            lagging.freeze();
        }
    }
    late.layer.purger().expire(PAGE).await.unwrap();
    for x in ["1", "2"] {
        other.origin.then(200, &varies, "new");
        assert_eq!(other.get_with("/", &[("x", x)]).await.text(), "new", "{x}");
    }
}

/// Its bytes may be those of a later release, whose processes go on to serve it.
#[tokio::test]
async fn an_expiry_of_a_page_that_cannot_be_read_removes_it() {
    let fixture = Fixture::new();
    let page = Key::new(Kind::evictable("response"), "shttp cinema.example /");
    let put = Put::new(page.clone(), "lrr of later", Ttl::from_secs(60));
    assert!(fixture.store.put(&put).await.unwrap().is_stored());
    fixture.layer.purger().expire(PAGE).await.unwrap();
    assert!(fixture.store.get(&page).await.unwrap().is_none());
}
