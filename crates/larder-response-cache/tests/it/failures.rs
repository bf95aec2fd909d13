//! A store that fails, and options that are refused.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use larder_response_cache::{ResponseCacheBuilder, ResponseCacheLayer, UriState};
use larder_store::{ErrorKind, ManualClock, Refusal, Store};
use larder_test::faulty::{Faulty, Switch, Trouble};
use larder_test::{MetricValues, ModelStore};

use crate::fixture::{Fixture, HOUR, full, request, response, settle, until};
use crate::gate::{Control, Gate};

const DOWN: Trouble = Trouble::Fail(ErrorKind::NotSent);
pub(crate) const TAGGED: [(&str, &str); 2] = [HOUR, ("cache-tag", "films")];
pub(crate) const PAGE: &str = "http://cinema.example/";

/// A store with the switch of its faults, and the control of those that only some keys have.
pub(crate) struct Failing {
    store: Arc<dyn Store>,
    clock: ManualClock,
    switch: Switch,
    pub(crate) control: Control,
}

impl Failing {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::default();
        let (gate, control) = Gate::new(Arc::new(ModelStore::with_clock(clock.clone())));
        let store = Faulty::new(Arc::new(gate));
        Self {
            switch: store.switch(),
            store: Arc::new(store),
            clock,
            control,
        }
    }

    pub(crate) fn fixture(&self) -> Fixture {
        Fixture::on(self.store.clone(), self.clock.clone(), |builder| builder)
    }
}

fn failing() -> (Fixture, Switch) {
    let failing = Failing::new();
    (failing.fixture(), failing.switch)
}

#[tokio::test(start_paused = true)]
async fn a_response_that_the_store_does_not_take_says_that_it_was_the_store() {
    for bad in [DOWN, Trouble::Hang] {
        let (fixture, switch) = failing();
        switch.set(bad.clone());
        let varies = [HOUR, ("vary", "accept-language")];
        fixture.origin.then(200, &varies, "one");
        let answer = fixture.get("/").await;
        let status = answer.field("cache-status");
        assert!(status.ends_with("; detail=storage"), "{status}");
    }
}

#[tokio::test]
async fn a_response_that_took_longer_than_a_minute_says_so() {
    let fixture = Fixture::new();
    for (micros, detail) in [(59_999_999, "; stored"), (60_000_000, "; detail=timeout")] {
        let clock = fixture.clock.clone();
        fixture.origin.then_with(move |_| {
            clock.advance_micros(micros);
            let late = response(200, &[HOUR], full("late"));
            Box::pin(async move { Ok(late) })
        });
        let answer = fixture.get(&format!("/{micros}")).await;
        let status = answer.field("cache-status");
        assert!(status.ends_with(detail), "{status}");
    }
}

#[tokio::test]
async fn a_validation_that_may_not_be_stored_says_why() {
    let fixture = Fixture::new();
    let validated = [("cache-control", "no-cache"), ("etag", "\"one\"")];
    fixture.origin.then(200, &validated, "one");
    fixture.get("/").await;
    let private = [("cache-control", "private"), ("etag", "\"one\"")];
    fixture.origin.then(304, &private, "");
    let answer = fixture.get("/").await;
    assert_eq!(answer.text(), "one");
    let status = answer.field("cache-status");
    assert!(status.ends_with("; detail=private"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_or_hangs_is_as_if_there_were_none() {
    for bad in [DOWN, Trouble::Hang] {
        let (fixture, switch) = failing();
        switch.set(bad.clone());
        let begun = tokio::time::Instant::now();
        for (path, tags) in [("/", ""), ("/tagged", "films")] {
            fixture
                .origin
                .then(200, &[HOUR, ("cache-tag", tags)], "one");
            assert_eq!(fixture.get(path).await.text(), "one");
        }
        // Each request waits for one timeout.
        assert!(begun.elapsed() <= Duration::from_millis(300));
        let purge = fixture.layer.purger().purge("http://cinema.example/").await;
        assert_eq!(purge.unwrap_err().kind(), ErrorKind::MayHaveRun);
        fixture.origin.then(200, &[HOUR], "two");
        assert_eq!(fixture.get("/").await.text(), "two");
        switch.clear();
        // Until the purge is confirmed, this process does not use the store for the page.
        tokio::time::sleep(Duration::from_secs(5)).await;
        fixture.later(60);
        fixture.origin.then(200, &[HOUR], "three");
        assert_eq!(fixture.get("/").await.text(), "three");
        assert!(fixture.sibling().get("/").await.is_hit());
    }
}

#[tokio::test]
async fn a_near_response_is_served_while_the_origin_and_the_store_fail() {
    let (fixture, switch) = failing();
    fixture.origin.then(
        200,
        &[("cache-control", "max-age=5, stale-if-error=60")],
        "one",
    );
    fixture.get("/").await;
    switch.set(DOWN);
    fixture.later(6);
    fixture.origin.then(503, &[], "down");
    assert_eq!(fixture.get("/").await.text(), "one");
}

#[tokio::test]
async fn a_part_of_a_second_is_a_second_in_which_a_stale_response_replaces_a_failure() {
    let limit = Duration::from_millis(500);
    let fixture = Fixture::with(|builder| builder.with_stale_while_disconnected(limit));
    fixture
        .origin
        .then(200, &[("cache-control", "max-age=5")], "one");
    fixture.get("/").await;
    fixture.later(5);
    fixture.origin.then_fail();
    assert_eq!(fixture.get("/").await.text(), "one");
}

#[tokio::test]
async fn a_validation_in_the_background_is_counted_as_no_request() {
    let values = MetricValues::default();
    let recording = values.record();
    let fixture = Fixture::new();
    drop(recording);
    let said = "max-age=10, stale-while-revalidate=600, stale-if-error=600";
    let fields = [("cache-control", said), ("etag", "\"a\"")];
    fixture.origin.then(200, &fields, "one");
    fixture.get("/").await;
    for (answer, count) in [(503, 2), (304, 3), (200, 4)] {
        fixture.later(20);
        fixture.origin.then(answer, &fields, "one");
        assert!(fixture.get("/").await.is_hit());
        until(|| fixture.origin.count() == count).await;
        settle().await;
    }
    let counted = |outcome: &str| values.count(&format!("larder_response_cache_total {outcome}"));
    let all = ["miss", "stale", "validated", "stale-if-error"].map(counted);
    assert_eq!(all, [1, 3, 0, 0]);
}

#[tokio::test]
async fn an_expiry_that_fails_counts_in_this_process_all_the_same() {
    let (fixture, switch) = failing();
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get("/").await;
    assert!(fixture.get("/").await.is_hit());
    switch.set(DOWN);
    let expiry = fixture
        .layer
        .purger()
        .expire("http://cinema.example/")
        .await;
    assert_eq!(expiry.unwrap_err().kind(), ErrorKind::MayHaveRun);
    assert!(!fixture.get("/").await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn a_purge_that_fails_is_tried_again_and_the_old_page_is_not_served_meanwhile() {
    for (bad, tag) in [
        (DOWN, false),
        (Trouble::Hang, false),
        (DOWN, true),
        (Trouble::Hang, true),
    ] {
        let (fixture, switch) = failing();
        fixture
            .origin
            .then(200, &[HOUR, ("cache-tag", "films")], "old");
        fixture.get("/").await;
        switch.set(bad.clone());
        let purger = fixture.layer.purger();
        let purge = async || match tag {
            true => purger.purge_tag("films").await,
            false => purger.purge(PAGE).await,
        };
        assert_eq!(purge().await.unwrap_err().kind(), ErrorKind::MayHaveRun);
        // The store answers again, and was not purged yet.
        switch.clear();
        let explained = purger.explain(PAGE).await.unwrap();
        assert_eq!(explained.responses.len(), 1);
        assert!(explained.is_purge_pending != tag);
        assert_eq!(explained.responses[0].is_purged, tag);
        fixture
            .origin
            .then(200, &[HOUR, ("cache-tag", "films")], "new");
        assert_eq!(fixture.get("/").await.text(), "new", "{bad:?} {tag}");
        tokio::time::sleep(Duration::from_secs(5)).await;
        let explained = purger.explain(PAGE).await.unwrap();
        assert!(!explained.is_purge_pending);
        assert!(
            explained.responses.iter().all(|held| held.is_purged),
            "{bad:?} {tag}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_that_fails_is_tried_again() {
    let (fixture, switch) = failing();
    fixture.origin.then(200, &[HOUR], "old");
    fixture.get("/").await;
    switch.set(DOWN);
    fixture.origin.then(204, &[], "");
    let post = request(Method::POST, "/", &[]);
    fixture.send(post).await.unwrap();
    switch.clear();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let explained = fixture.layer.purger().explain(PAGE).await.unwrap();
    assert_eq!(explained.state, UriState::Absent);
}

#[tokio::test(start_paused = true)]
async fn an_expiry_that_fails_is_tried_again_and_stays_an_expiry() {
    let (fixture, switch) = failing();
    fixture.origin.then(200, &[HOUR], "old");
    fixture.get("/").await;
    switch.set(DOWN);
    let purger = fixture.layer.purger();
    purger.expire(PAGE).await.unwrap_err();
    switch.clear();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let explained = purger.explain(PAGE).await.unwrap();
    assert!(!explained.is_purge_pending && explained.responses[0].is_expired);
}

#[tokio::test(start_paused = true)]
async fn a_purge_that_succeeds_is_the_last_word_on_those_that_failed_before() {
    let (fixture, switch) = failing();
    fixture.origin.then(200, &[HOUR], "old");
    fixture.get("/").await;
    switch.set(DOWN);
    let purger = fixture.layer.purger();
    purger.expire(PAGE).await.unwrap_err();
    purger.purge(PAGE).await.unwrap_err();
    switch.clear();
    purger.purge(PAGE).await.unwrap();
    fixture.origin.then(200, &[HOUR], "new");
    fixture.get("/").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let explained = purger.explain(PAGE).await.unwrap();
    assert!(!explained.is_purge_pending && !explained.responses[0].is_expired);
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_full_a_purge_says_so_and_pages_are_kept_near() {
    let failing = Failing::new();
    let fixture = failing.fixture();
    fixture.origin.then(200, &TAGGED, "old");
    fixture.get("/").await;
    let purges = ("put", "response-purges");
    failing
        .control
        .fail(purges, ErrorKind::Refused(Refusal::Full));
    let error = fixture.layer.purger().purge(PAGE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Full));
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.to_string().contains("a test asked for this"));
    fixture.origin.then(200, &TAGGED, "new");
    assert_eq!(fixture.get("/").await.text(), "new");
    assert!(fixture.get("/").await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn invalidations_leave_room_for_purges_of_the_app() {
    let values = MetricValues::default();
    let recording = values.record();
    let (fixture, switch) = failing();
    drop(recording);
    fixture.origin.then(200, &[HOUR], "old");
    fixture.get("/").await;
    switch.set(DOWN);
    for film in 0..=5_000 {
        fixture.origin.then(204, &[], "");
        let post = request(Method::POST, &format!("/?film={film}"), &[]);
        fixture.send(post).await.unwrap();
    }
    let dropped = || values.count("larder_response_cache_purges_dropped_total");
    assert_eq!(dropped(), 1);
    // It waits already.
    fixture.origin.then(204, &[], "");
    let again = request(Method::POST, "/?film=0", &[]);
    fixture.send(again).await.unwrap();
    assert_eq!(dropped(), 1);
    let purger = fixture.layer.purger();
    purger.purge(PAGE).await.unwrap_err();
    switch.clear();
    let is_pending = async |uri: &str| purger.explain(uri).await.unwrap().is_purge_pending;
    assert!(is_pending(PAGE).await);
    assert!(is_pending(&format!("{PAGE}?film=0")).await);
    assert!(!is_pending(&format!("{PAGE}?film=5000")).await);
}

#[test]
fn a_purge_is_tried_again_in_another_runtime_if_its_own_has_ended() {
    let runtime = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap()
    };
    let (fixture, switch) = failing();
    switch.set(DOWN);
    let purger = fixture.layer.purger();
    let failed = runtime().block_on(purger.purge(PAGE));
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::MayHaveRun);
    switch.clear();
    runtime().block_on(async {
        fixture.origin.then(200, &[HOUR], "new");
        fixture.get("/").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!purger.explain(PAGE).await.unwrap().is_purge_pending);
    });
}

#[tokio::test(start_paused = true)]
async fn the_purges_that_wait_are_shown_for_all_layers_of_a_process() {
    let values = MetricValues::default();
    let shown = || values.gauge("larder_response_cache_purges_pending");
    let recording = values.record();
    let (one, other) = (failing(), failing());
    drop(recording);
    for (fixture, switch) in [&one, &other] {
        switch.set(DOWN);
        let purger = fixture.layer.purger();
        purger.purge(PAGE).await.unwrap_err();
    }
    assert_eq!(shown(), 2.0);
    other.1.clear();
    other.0.layer.purger().purge(PAGE).await.unwrap();
    assert_eq!(shown(), 1.0);
    drop(one);
    assert_eq!(shown(), 0.0);
}

#[tokio::test]
async fn a_response_that_is_kept_nowhere_is_never_called_stored() {
    let failing = Failing::new();
    failing.switch.set(DOWN);
    for (bytes, is_kept) in [(64 * 1024, true), (1024, false)] {
        let set = |builder: ResponseCacheBuilder| builder.with_max_near_bytes(bytes);
        let fixture = Fixture::on(failing.store.clone(), failing.clock.clone(), set);
        fixture.origin.then(200, &[HOUR], "one");
        let first = fixture.get("/").await;
        assert_eq!(first.field("cache-status").contains("; stored"), is_kept);
        assert_eq!(fixture.get("/").await.is_hit(), is_kept);
    }
}

#[tokio::test]
async fn impossible_options_fail_when_the_layer_is_built() {
    let store: Arc<dyn Store> = Arc::new(ModelStore::with_clock(ManualClock::default()));
    let builder = || ResponseCacheLayer::builder(store.clone());
    for wrong in [
        builder().with_name("a b"),
        builder().with_max_body(0),
        builder().with_max_variants(0),
        builder().with_max_recording(0),
        builder().with_max_recording(1024),
        builder().with_wait_timeout(Duration::ZERO),
    ] {
        assert_eq!(wrong.build().unwrap_err().kind(), ErrorKind::Invalid);
    }
}
