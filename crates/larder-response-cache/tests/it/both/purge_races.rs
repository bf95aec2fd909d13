//! A purge holds in every race with a fetch, whatever the store evicts.

use std::sync::{Arc, Mutex};

use http::Method;
use larder_response_cache::Purger;
use tokio::sync::oneshot;

use crate::fixture::{Fixture, HOUR, full, request, response};
use crate::gate::{Control, Held, Operation};

const URI: &str = "http://cinema.example/";
static OLD: [(&str, &str); 2] = [HOUR, ("cache-tag", "films")];

/// Every store operation of a fetch after the call of the origin.
const STEPS: [Operation; 7] = [
    ("get_many", "response-tag:"),
    ("put", "response-tag:"),
    ("get", "response-purges:"),
    ("put", "response:"),
    ("get", "response:"),
    ("put", "response-purges:"),
    ("delete", "response:"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Purge,
    PurgeTag,
    ExpireTag,
    Delete,
}

impl Act {
    async fn on(self, fixture: &Fixture, purger: &Purger) {
        match self {
            Self::Purge => purger.purge(URI).await.unwrap(),
            Self::PurgeTag => purger.purge_tag("films").await.unwrap(),
            Self::ExpireTag => purger.expire_tag("films").await.unwrap(),
            Self::Delete => {
                fixture.origin.then(204, &[], "");
                fixture
                    .send(request(Method::DELETE, "/", &[]))
                    .await
                    .unwrap();
            }
        }
    }
}

/// Makes the origin answer the next request with `fields`, and holds the next `step` after that.
fn answer_and_hold(
    fixture: &Fixture,
    control: &Control,
    step: Operation,
    fields: &'static [(&'static str, &'static str)],
) -> Arc<Mutex<Option<Held>>> {
    let held = Arc::new(Mutex::new(None));
    let (into, control) = (held.clone(), control.clone());
    fixture.origin.then_with(move |_| {
        *into.lock().unwrap() = Some(control.hold(step));
        Box::pin(async move { Ok(response(200, fields, full("old"))) })
    });
    held
}

/// Fetches the old page, and calls `act` while `step` is held. Returns whether it was held.
async fn race(
    fixture: &Fixture,
    control: &Control,
    step: Operation,
    fields: &'static [(&'static str, &'static str)],
    act: impl AsyncFnOnce(),
) -> bool {
    let held = answer_and_hold(fixture, control, step, fields);
    let fetch = async {
        assert_eq!(fixture.get_with("/", &[("x", "1")]).await.text(), "old");
        // Ends a hold that no operation has reached.
        drop(control.hold(("none", "")));
    };
    let acting = async {
        while held.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        let mut held = held.lock().unwrap().take().unwrap();
        let was_held = held.arrived().await;
        if was_held {
            act().await;
            held.release();
        }
        was_held
    };
    tokio::join!(fetch, acting).1
}

async fn nobody_sees_the_old_page(fixture: &Fixture, what: &str) {
    for process in [fixture, &fixture.sibling()] {
        process.origin.drop_script();
        for seconds in [0, 11] {
            fixture.later(seconds);
            let seen = process.get_with("/", &[("x", "1")]).await;
            assert_eq!(seen.text(), "unscripted", "{what}");
        }
    }
}

#[tokio::test]
async fn a_response_fetched_before_a_purge_is_not_served_after_it_whenever_it_arrives() {
    static VARIANT: [(&str, &str); 3] = [HOUR, ("cache-tag", "films"), ("vary", "x")];
    let mut held = 0;
    for step in STEPS {
        for act in [Act::Purge, Act::PurgeTag, Act::ExpireTag, Act::Delete] {
            for (fields, evicts) in [
                (&OLD[..], false),
                (&OLD[..], true),
                (&VARIANT[..], false),
                (&VARIANT[..], true),
            ] {
                let (fixture, control) = super::gated().await;
                let purger = fixture.layer.purger();
                let store = fixture.store.clone();
                let was_held = race(&fixture, &control, step, fields, async || {
                    act.on(&fixture, &purger).await;
                    if evicts {
                        control.evict_all(&*store).await;
                    }
                });
                if was_held.await {
                    held += 1;
                    let what = format!("{step:?} {act:?} {evicts} {}", fields.len());
                    nobody_sees_the_old_page(&fixture, &what).await;
                }
            }
        }
    }
    // At least four steps are held: reads and writes of tags, a read of purges, and the write of the response.
    assert!(held >= 4 * 4 * 4, "{held}");
}

/// Calls `before`, begins a fetch, calls `act`, and lets the fetch end with an old page.
async fn during_a_fetch(
    fields: &'static [(&'static str, &'static str)],
    before: impl AsyncFnOnce(&Fixture),
    act: impl AsyncFnOnce(&Fixture, &Control),
) -> Fixture {
    let (fixture, control) = super::gated().await;
    before(&fixture).await;
    let (answer, answered) = oneshot::channel::<()>();
    let asked = fixture.origin.count();
    fixture.origin.then_with(move |_| {
        Box::pin(async move {
            answered.await.unwrap();
            Ok(response(200, fields, full("old")))
        })
    });
    let fetch = fixture.get_with("/", &[("x", "1")]);
    let rest = async {
        while fixture.origin.count() == asked {
            tokio::task::yield_now().await;
        }
        act(&fixture, &control).await;
        answer.send(()).unwrap();
    };
    tokio::join!(fetch, rest);
    fixture
}

#[tokio::test]
async fn a_purge_holds_whatever_is_evicted_during_a_slow_fetch() {
    static VARIANT: [(&str, &str); 2] = [HOUR, ("vary", "x")];
    static SHORT: [(&str, &str); 2] = [("cache-control", "max-age=10"), ("vary", "x")];
    for act in [Act::Purge, Act::Delete] {
        for fields in [&OLD[..1], &OLD[..], &VARIANT[..]] {
            for is_stale in [false, true] {
                let before = async |fixture: &Fixture| {
                    if is_stale {
                        fixture
                            .origin
                            .then(200, &SHORT[..fields.len().min(2)], "older");
                        fixture.get_with("/", &[("x", "1")]).await;
                        fixture.later(20);
                    }
                };
                let fixture = during_a_fetch(fields, before, async |fixture, control| {
                    act.on(fixture, &fixture.layer.purger()).await;
                    control.evict_all(&*fixture.store).await;
                });
                let what = format!("{act:?} {} {is_stale}", fields.len());
                nobody_sees_the_old_page(&fixture.await, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_purge_of_a_tag_holds_whatever_is_evicted_during_a_slow_fetch() {
    for is_known in [false, true] {
        let before = async |fixture: &Fixture| {
            if is_known {
                fixture.origin.then(200, &OLD, "another page");
                fixture.get("/other").await;
            }
        };
        let fixture = during_a_fetch(&OLD, before, async |fixture, control| {
            fixture
                .sibling()
                .layer
                .purger()
                .purge_tag("films")
                .await
                .unwrap();
            control.evict_all(&*fixture.store).await;
        });
        nobody_sees_the_old_page(&fixture.await, "tag").await;
    }
}

#[tokio::test]
async fn a_page_stays_purged_after_its_tag_was_evicted_and_made_again() {
    let (fixture, control) = super::gated().await;
    let windows = [
        ("cache-control", "max-age=3600, stale-while-revalidate=600"),
        OLD[1],
    ];
    fixture.origin.then(200, &windows, "old");
    fixture.get("/").await;
    // Forget the keys so far, so that only those that the purge writes are evicted below.
    control.evict_all(&larder_test::ModelStore::new()).await;
    fixture.layer.purger().purge_tag("films").await.unwrap();
    control.evict_all(&*fixture.store).await;
    fixture.origin.then(200, &windows, "new");
    fixture.get("/other").await;
    assert!(fixture.get("/other").await.is_hit());
    assert_eq!(fixture.get("/").await.text(), "unscripted");
}

#[tokio::test]
async fn a_page_that_is_made_after_a_purge_of_its_tag_is_stored_at_once() {
    let fixture = super::fixture().await;
    for tags in ["films", "film-1, films"] {
        let fields = [HOUR, ("cache-tag", tags)];
        fixture.layer.purger().purge_tag("films").await.unwrap();
        fixture.origin.then(200, &fields, "new");
        let seen = fixture.get("/").await;
        assert!(seen.field("cache-status").contains("stored"));
        assert!(fixture.get("/").await.is_hit());
    }
    // Other tags may be purged during the fetch.
    let (answer, answered) = oneshot::channel::<()>();
    fixture.origin.then_with(move |_| {
        Box::pin(async move {
            answered.await.unwrap();
            Ok(response(200, &OLD, full("new")))
        })
    });
    let purges = async {
        while fixture.origin.count() == 2 {
            tokio::task::yield_now().await;
        }
        for tag in ["a", "b", "c"] {
            fixture.layer.purger().purge_tag(tag).await.unwrap();
        }
        answer.send(()).unwrap();
    };
    tokio::join!(fixture.get("/slow"), purges);
    assert!(fixture.get("/slow").await.is_hit());
}
