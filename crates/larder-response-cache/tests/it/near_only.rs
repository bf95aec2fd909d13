//! Responses that only this process keeps, because the store fails.

use std::sync::Arc;
use std::time::Duration;

use larder_response_cache::ResponseCacheBuilder;
use larder_store::{ErrorKind, ManualClock};
use larder_test::ModelStore;
use larder_test::faulty::{Faulty, Trouble};
use tokio::task::JoinSet;

use crate::failures::TAGGED;
use crate::fixture::{Fixture, HOUR, full, response, settle, until};
use crate::on_memory::errors::{answer_later, error_after_page};

/// Makes a fixture whose store fails.
fn failing(set: impl FnOnce(ResponseCacheBuilder) -> ResponseCacheBuilder) -> Fixture {
    let clock = ManualClock::default();
    let store = Faulty::new(Arc::new(ModelStore::with_clock(clock.clone())));
    store.switch().set(Trouble::Fail(ErrorKind::NotSent));
    Fixture::on(Arc::new(store), clock, set)
}

/// Lets requests wait for longer than a test takes.
fn patient(builder: ResponseCacheBuilder) -> ResponseCacheBuilder {
    builder.with_wait_timeout(Duration::from_secs(60))
}

#[tokio::test]
async fn while_the_store_fails_an_error_replaces_no_fresh_page_either() {
    let fixture = failing(|builder| builder);
    let error = ("cache-control", "max-age=60");
    error_after_page(&fixture, &fixture, &[HOUR], &[error]).await;
    assert_eq!(fixture.get("/").await.text(), "page");
}

#[tokio::test]
async fn a_response_that_may_not_be_kept_near_any_more_is_not_called_stored() {
    for (near_ttl, seconds, is_kept) in [(10, 9, true), (10, 10, false), (0, 0, false)] {
        let near_ttl = Duration::from_secs(near_ttl);
        let fixture = failing(|builder| builder.with_near_ttl(near_ttl));
        let clock = fixture.clock.clone();
        fixture.origin.then_with(move |_| {
            clock.advance(Duration::from_secs(seconds));
            let late = response(200, &[HOUR], full("late"));
            Box::pin(async move { Ok(late) })
        });
        let answered = fixture.get("/").await;
        let said = answered.field("cache-status");
        let expected = if is_kept {
            "; stored"
        } else {
            "; detail=storage"
        };
        assert!(said.ends_with(expected), "{near_ttl:?} {seconds} {said}");
        assert_eq!(
            fixture.get("/").await.is_hit(),
            is_kept,
            "{near_ttl:?} {seconds}"
        );
    }
}

#[tokio::test]
async fn requests_that_wait_for_a_response_that_nobody_keeps_are_forwarded_at_once() {
    let fixture = Arc::new(failing(|builder| {
        patient(builder).with_near_ttl(Duration::ZERO)
    }));
    let go = answer_later(&fixture, 200, &[HOUR], "one");
    let mut visitors = JoinSet::new();
    for _ in 0..3 {
        let fixture = fixture.clone();
        visitors.spawn(async move { fixture.get("/").await });
    }
    settle().await;
    assert_eq!(fixture.origin.count(), 1);
    // None of them waits for another one.
    let never: Vec<_> = (0..2)
        .map(|_| answer_later(&fixture, 200, &[HOUR], "two"))
        .collect();
    go.send(()).unwrap();
    until(|| fixture.origin.count() == 3).await;
    never.into_iter().for_each(|go| go.send(()).unwrap());
    visitors.join_all().await;
}

#[tokio::test]
async fn no_request_waits_again_for_a_response_that_is_kept_nowhere() {
    let small = |builder: ResponseCacheBuilder| patient(builder).with_max_near_bytes(1024);
    for (what, fixture, vary, seconds) in [
        ("it varies", failing(patient), "x", 0),
        ("it is too large", failing(small), "", 0),
        ("it is too late", Fixture::with(patient), "", 60),
    ] {
        let (clock, fixture) = (fixture.clock.clone(), Arc::new(fixture));
        fixture.origin.then_with(move |_| {
            clock.advance(Duration::from_secs(seconds));
            let answer = response(200, &[HOUR, ("vary", vary)], full("one"));
            Box::pin(async move { Ok(answer) })
        });
        let first = fixture.get("/").await;
        assert!(!first.field("cache-status").contains("stored"), "{what}");
        let (mut visitors, mut never) = (JoinSet::new(), Vec::new());
        for count in [2, 3] {
            never.push(answer_later(&fixture, 200, &[HOUR], "two"));
            let asking = fixture.clone();
            visitors.spawn(async move { asking.get("/").await });
            settle().await;
            assert_eq!(fixture.origin.count(), count, "{what}");
        }
    }
}

#[tokio::test]
async fn requests_still_wait_for_an_origin_whose_errors_are_kept_nowhere() {
    let fixture = Arc::new(failing(patient));
    let varies = [HOUR, ("vary", "x")];
    fixture.origin.then(503, &varies, "down");
    fixture.get("/").await;
    let _never = answer_later(&fixture, 200, &varies, "one");
    let mut visitors = JoinSet::new();
    for _ in 0..9 {
        let asking = fixture.clone();
        visitors.spawn(async move { asking.get("/").await });
    }
    settle().await;
    assert_eq!(fixture.origin.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_page_with_tags_is_kept_too_until_one_of_them_is_purged() {
    let fixture = failing(|builder| builder);
    fixture.origin.then(200, &TAGGED, "one");
    let first = fixture.get("/").await;
    assert!(first.field("cache-status").ends_with("; stored"));
    assert!(fixture.get("/").await.is_hit());
    let purge = fixture.layer.purger().purge_tag("films").await;
    purge.unwrap_err();
    assert!(!fixture.get("/").await.is_hit());
}

#[tokio::test]
async fn a_page_that_is_validated_is_kept_for_no_longer_than_before() {
    for tags in ["", "films"] {
        let fixture = failing(|builder| builder);
        let fields = [HOUR, ("etag", "\"a\""), ("cache-tag", tags)];
        fixture.origin.then(200, &fields, "one");
        fixture.get("/").await;
        fixture.later(9);
        fixture.origin.then(304, &fields, "");
        let reload = [("cache-control", "no-cache")];
        assert_eq!(fixture.get_with("/", &reload).await.text(), "one");
        assert!(fixture.get("/").await.is_hit());
        // Another process may have purged it before it was validated.
        fixture.later(1);
        assert!(!fixture.get("/").await.is_hit(), "{tags}");
    }
}

#[tokio::test(start_paused = true)]
async fn purges_that_are_tried_again_keep_no_new_page_from_being_kept() {
    let fixture = Arc::new(failing(|builder| builder));
    let purger = fixture.layer.purger();
    purger.purge_tag("films").await.unwrap_err();
    purger.purge("http://cinema.example/").await.unwrap_err();
    let go = answer_later(&fixture, 200, &TAGGED, "new");
    let asking = fixture.clone();
    let visitor = tokio::spawn(async move { asking.get("/").await });
    until(|| fixture.origin.count() == 1).await;
    // They fail a few times more.
    tokio::time::sleep(Duration::from_secs(5)).await;
    go.send(()).unwrap();
    visitor.await.unwrap();
    assert!(fixture.get("/").await.is_hit());
}
