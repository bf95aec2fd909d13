//! Of several responses the newest is kept, in whatever order they arrive (RFC 9111, 4).

use tokio::sync::oneshot;

use crate::fixture::{Fixture, full, response};

type Fields = [(&'static str, &'static str)];

const RELOAD: (&str, &str) = ("cache-control", "no-cache");
const X: (&str, &str) = ("x", "1");
const VARY: (&str, &str) = ("vary", "x");
const LONG: (&str, &str) = ("cache-control", "max-age=600");

/// Lets the origin answer the next request once the sender is used.
fn answer_later(
    fixture: &Fixture,
    status: u16,
    fields: &'static Fields,
    body: &'static str,
) -> oneshot::Sender<()> {
    let (answer, answered) = oneshot::channel::<()>();
    fixture.origin.then_with(move |_| {
        Box::pin(async move {
            answered.await.unwrap();
            Ok(response(status, fields, full(body)))
        })
    });
    answer
}

async fn asked(fixture: &Fixture, count: usize) {
    while fixture.origin.count() < count {
        tokio::task::yield_now().await;
    }
}

async fn stale(vary: Option<(&'static str, &'static str)>) -> Fixture {
    let fixture = super::fixture().await;
    let mut fields = vec![("cache-control", "max-age=10"), ("etag", "\"a\"")];
    fields.extend(vary);
    fixture.origin.then(200, &fields, "first");
    fixture.get_with("/", &[X]).await;
    fixture.later(20);
    fixture
}

#[tokio::test]
async fn a_late_304_and_an_older_200_never_overwrite_a_newer_response() {
    static NEW: [(&str, &str); 3] = [LONG, ("etag", "\"b\""), VARY];
    static OLD: [(&str, &str); 3] = [LONG, ("etag", "\"a\""), VARY];
    for vary in [None, Some(VARY)] {
        for status in [304, 200] {
            let fields = if vary.is_some() { 3 } else { 2 };
            let fixture = stale(vary).await;
            let late = answer_later(&fixture, status, &OLD[..fields], "old");
            let slow = fixture.get_with("/", &[X]);
            let reload = async {
                asked(&fixture, 2).await;
                fixture.origin.then(200, &NEW[..fields], "new");
                let seen = fixture.get_with("/", &[X, RELOAD]).await;
                assert_eq!(seen.text(), "new");
                late.send(()).unwrap();
            };
            tokio::join!(slow, reload);
            for process in [&fixture, &fixture.sibling()] {
                let seen = process.get_with("/", &[X]).await;
                assert_eq!(
                    (seen.text(), seen.is_hit()),
                    ("new", true),
                    "{vary:?} {status}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_newer_response_replaces_an_older_one_that_was_stored_first() {
    static FIELDS: [(&str, &str); 2] = [LONG, VARY];
    for is_cold in [false, true] {
        for fields in [&FIELDS[..1], &FIELDS[..]] {
            let vary = (fields.len() == 2).then_some(VARY);
            let fixture = if is_cold {
                super::fixture().await
            } else {
                stale(vary).await
            };
            let before = fixture.origin.count();
            let older = answer_later(&fixture, 200, fields, "old");
            let newer = answer_later(&fixture, 200, fields, "new");
            let ending = async {
                asked(&fixture, before + 2).await;
                older.send(()).unwrap();
                while !fixture
                    .sibling()
                    .get_with("/", &[X, ("cache-control", "only-if-cached")])
                    .await
                    .is_hit()
                {
                    tokio::task::yield_now().await;
                }
                newer.send(()).unwrap();
            };
            let newer = async {
                asked(&fixture, before + 1).await;
                fixture.get_with("/", &[X, RELOAD]).await
            };
            tokio::join!(fixture.get_with("/", &[X]), newer, ending);
            for process in [&fixture, &fixture.sibling()] {
                let seen = process.get_with("/", &[X]).await;
                assert_eq!(
                    (seen.text(), seen.is_hit()),
                    ("new", true),
                    "{is_cold} {vary:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_older_response_that_was_stored_first_replaces_no_newer_copy_in_this_process() {
    static FIELDS: [(&str, &str); 2] = [("cache-control", "max-age=10"), VARY];
    for fields in [&FIELDS[..1], &FIELDS[..]] {
        let (fixture, control) = super::gated().await;
        fixture.origin.then(200, fields, "first");
        fixture.get_with("/", &[X]).await;
        fixture.later(20);
        fixture.origin.then(200, fields, "old");
        let mut stored = control.hold(("put done", "response:"));
        let reload = async {
            assert!(stored.arrived().await);
            fixture.origin.then(200, fields, "new");
            fixture.get_with("/", &[X, RELOAD]).await;
            stored.release();
        };
        tokio::join!(fixture.get_with("/", &[X]), reload);
        for process in [&fixture, &fixture.sibling()] {
            let seen = process.get_with("/", &[X]).await;
            assert_eq!((seen.text(), seen.is_hit()), ("new", true), "{fields:?}");
        }
    }
}

#[tokio::test]
async fn a_response_with_an_earlier_date_replaces_no_newer_one() {
    let fixture = super::fixture().await;
    let (early, late) = (fixture.date(-60), fixture.date(-5));
    let older = answer_later(&fixture, 200, &[LONG], "of no date");
    let reload = async {
        asked(&fixture, 1).await;
        let fields = [LONG, ("date", late.as_str())];
        fixture.origin.then(200, &fields, "newest");
        fixture.get_with("/", &[RELOAD]).await;
        older.send(()).unwrap();
    };
    tokio::join!(fixture.get("/"), reload);
    assert_eq!(fixture.get("/").await.text(), "newest");
    // Its request was sent later, but another cache between has an older response.
    let (answer, answered) = oneshot::channel::<()>();
    fixture.origin.then_with(move |_| {
        Box::pin(async move {
            answered.await.unwrap();
            Ok(response(200, &[LONG, ("date", &early)], full("older")))
        })
    });
    let between = async {
        asked(&fixture, 3).await;
        fixture
            .layer
            .purger()
            .expire("http://cinema.example/")
            .await
            .unwrap();
        answer.send(()).unwrap();
    };
    tokio::join!(fixture.get_with("/", &[RELOAD]), between);
    fixture.origin.then(503, &[], "down");
    assert_ne!(fixture.get("/").await.text(), "older");
}
