//! Requests that wait for a fetch whose response is replaced or purged meanwhile, or is stale at once.

use std::time::Duration;

use super::flights::{ask, held, held_with, patient, wait_too};
use crate::fixture::{HOUR, full, response, until};

#[tokio::test]
async fn requests_that_wait_are_served_what_another_process_stores_meanwhile() {
    for status in [304, 200] {
        for vary in ["", "x"] {
            let (fixture, control) = patient().await;
            let mut fields = [
                ("cache-control", "max-age=10"),
                ("etag", "\"a\""),
                ("vary", vary),
            ];
            fixture.origin.then(200, &fields, "one");
            fixture.get("/").await;
            fixture.later(20);
            fields[0] = HOUR;
            let go = held_with(&fixture, response(status, &fields, full("one")));
            let leader = ask(&fixture, 2).await;
            let visitors = wait_too(&fixture, &control, 9).await;
            fixture.later(1);
            let sibling = fixture.sibling();
            sibling.origin.then(status, &fields, "one");
            sibling.get("/").await;
            go.send(()).unwrap();
            for answer in visitors.join_all().await {
                assert_eq!(
                    (answer.text(), answer.is_hit()),
                    ("one", true),
                    "{status} {vary}"
                );
            }
            leader.await.unwrap();
            assert_eq!(fixture.origin.count(), 2, "{status} {vary}");
        }
    }
}

#[tokio::test]
async fn requests_that_wait_while_their_page_is_purged_are_one_more_call() {
    for is_by_tag in [false, true] {
        let (fixture, control) = patient().await;
        let fields = [HOUR, ("cache-tag", "films")];
        let go = held(&fixture, &fields);
        let leader = ask(&fixture, 1).await;
        let visitors = wait_too(&fixture, &control, 9).await;
        let purger = fixture.layer.purger();
        match is_by_tag {
            true => purger.purge_tag("films").await.unwrap(),
            false => purger.purge("http://cinema.example/").await.unwrap(),
        }
        fixture.origin.then(200, &fields, "two");
        go.send(()).unwrap();
        for answer in visitors.join_all().await {
            assert_eq!(answer.text(), "two");
        }
        assert_eq!(leader.await.unwrap(), "one");
        assert_eq!(fixture.origin.count(), 2);
    }
}

#[tokio::test]
async fn requests_that_wait_share_a_response_that_may_be_served_while_it_is_validated() {
    let (fixture, control) = patient().await;
    let go = held(
        &fixture,
        &[("cache-control", "max-age=0, stale-while-revalidate=60")],
    );
    let leader = ask(&fixture, 1).await;
    let visitors = wait_too(&fixture, &control, 9).await;
    let _never = held(&fixture, &[]);
    go.send(()).unwrap();
    let answers = tokio::time::timeout(Duration::from_secs(20), visitors.join_all()).await;
    for answer in answers.expect("nobody waits for the validation") {
        assert_eq!((answer.text(), answer.is_hit()), ("one", true));
    }
    leader.await.unwrap();
    // The second request validates it.
    until(|| fixture.origin.count() == 2).await;
}

#[tokio::test]
async fn requests_that_wait_for_a_304_of_another_response_are_one_more_call() {
    let (fixture, control) = patient().await;
    let stored = [("cache-control", "max-age=10"), ("etag", "\"a\"")];
    let other = [HOUR, ("etag", "\"b\"")];
    fixture.origin.then(200, &stored, "one");
    fixture.get("/").await;
    fixture.later(20);
    let go = held_with(&fixture, response(304, &other, full("")));
    let leader = ask(&fixture, 2).await;
    let visitors = wait_too(&fixture, &control, 9).await;
    fixture.origin.then(200, &other, "two");
    go.send(()).unwrap();
    for answer in visitors.join_all().await {
        assert_eq!(answer.text(), "two");
    }
    assert_eq!(leader.await.unwrap(), "one");
    assert_eq!(fixture.origin.count(), 3);
}

#[tokio::test]
async fn requests_that_wait_again_for_a_fetch_that_fails_are_served_the_stale_response() {
    let (fixture, control) = patient().await;
    let said = ("cache-control", "max-age=10, stale-if-error=600");
    fixture
        .origin
        .then(200, &[said, ("etag", "\"a\"")], "stale");
    fixture.get("/").await;
    fixture.later(20);
    let other = [("cache-control", "private"), ("etag", "\"b\"")];
    let go = held_with(&fixture, response(304, &other, full("")));
    let asking = fixture.clone();
    // It may be for the visitor with this cookie alone, so it does not remove the page.
    let leader = async move { asking.get_with("/", &[("cookie", "a=b")]).await };
    let leader = tokio::spawn(leader);
    until(|| fixture.origin.count() == 2).await;
    let visitors = wait_too(&fixture, &control, 9).await;
    let fail = held_with(&fixture, response(503, &[], full("down")));
    go.send(()).unwrap();
    until(|| fixture.origin.count() == 3).await;
    control.idle().await;
    fail.send(()).unwrap();
    for answer in visitors.join_all().await {
        assert_eq!(answer.text(), "stale");
    }
    assert_eq!(leader.await.unwrap().text(), "stale");
    assert_eq!(fixture.origin.count(), 3);
}

#[tokio::test]
async fn a_request_that_waited_says_why_it_was_forwarded() {
    let (fixture, control) = patient().await;
    for (count, reason) in [(1, "uri-miss"), (2, "stale")] {
        let go = held(&fixture, &[("cache-control", "max-age=10")]);
        let leader = ask(&fixture, count).await;
        let visitors = wait_too(&fixture, &control, 2).await;
        go.send(()).unwrap();
        for answer in visitors.join_all().await {
            let said = format!("larder; fwd={reason}; collapsed; ttl=10");
            assert_eq!(answer.field("cache-status"), said);
        }
        leader.await.unwrap();
        fixture.later(20);
    }
}
