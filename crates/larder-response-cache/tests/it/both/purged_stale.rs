//! A purge also holds for stale responses that would be served in place of a failure.

use larder_response_cache::Purger;
use tokio::sync::oneshot;

use crate::fixture::{Broken, Fixture, full, request, response};

const URI: &str = "http://cinema.example/";
const SHORT: (&str, &str) = ("cache-control", "max-age=1, stale-if-error=600");
const ONE: (&str, &str) = ("x", "1");

/// Stores a page, begins to fetch it again once it is stale, calls `act`, and lets the fetch fail.
///
/// Returns what is answered in place of the failure, if anything is.
async fn after_a_failure(
    fixture: &Fixture,
    fields: &[(&str, &str)],
    is_silent: bool,
    act: impl AsyncFnOnce(),
) -> Option<String> {
    let fields: Vec<_> = [SHORT].iter().chain(fields).copied().collect();
    fixture.origin.then(200, &fields, "old");
    fixture.get_with("/", &[ONE]).await;
    fixture.later(2);
    let (fail, failed) = oneshot::channel::<()>();
    fixture.origin.then_with(move |_| {
        Box::pin(async move {
            failed.await.unwrap();
            match is_silent {
                true => Err(Broken),
                false => Ok(response(503, &[], full("down"))),
            }
        })
    });
    let acting = async {
        while fixture.origin.count() < 2 {
            tokio::task::yield_now().await;
        }
        act().await;
        fail.send(()).unwrap();
    };
    let asked = request(http::Method::GET, "/", &[ONE]);
    let (answered, ()) = tokio::join!(fixture.send(asked), acting);
    let text = answered.ok()?.text().to_owned();
    (text != "down").then_some(text)
}

async fn purge(purger: &Purger, tag: bool) {
    match tag {
        true => purger.purge_tag("films").await.unwrap(),
        false => purger.purge(URI).await.unwrap(),
    }
}

#[tokio::test]
async fn a_page_that_is_purged_while_a_fetch_fails_is_not_served_in_its_place() {
    for fields in [&[("cache-tag", "films")][..], &[("cache-tag", "films"), ("vary", "x")]] {
        for is_silent in [false, true] {
            for tag in [false, true] {
                let fixture = super::fixture().await;
                let purger = fixture.layer.purger();
                let act = async || purge(&purger, tag).await;
                let served = after_a_failure(&fixture, fields, is_silent, act).await;
                assert_eq!(served, None, "{fields:?} {is_silent} {tag}");
            }
        }
    }
}

#[tokio::test]
async fn a_page_that_another_process_purges_covers_a_failure_for_the_near_ttl_at_most() {
    for (seconds, expected) in [(5, Some("old".to_owned())), (10, None)] {
        let fixture = super::fixture().await;
        let purger = fixture.sibling().layer.purger();
        let act = async || {
            purge(&purger, false).await;
            fixture.later(seconds);
        };
        let served = after_a_failure(&fixture, &[], false, act).await;
        assert_eq!(served, expected, "{seconds}");
    }
}

#[tokio::test]
async fn a_page_covers_a_failure_whatever_else_is_purged_and_however_long_it_takes() {
    for is_silent in [false, true] {
        let fixture = super::fixture().await;
        let purger = fixture.layer.purger();
        let act = async || {
            purge(&purger, true).await;
            for number in 0..300 {
                purger.purge(&format!("{URI}{number}")).await.unwrap();
            }
            purger.expire(URI).await.unwrap();
            fixture.later(60);
        };
        let served = after_a_failure(&fixture, &[], is_silent, act).await;
        assert_eq!(served.as_deref(), Some("old"), "{is_silent}");
    }
}
