//! Clients that disconnect.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::sync::oneshot;

use crate::fixture::{Fixture, HOUR, full, request, response, until};
use crate::gate::{Control, Operation};

const PATIENT: Duration = Duration::from_secs(20);

/// The store operations of a purge, in order.
const PURGE: [Operation; 2] = [("put", "response-purges:"), ("delete", "response:")];

/// Stores a page, on a store whose operations can be held.
async fn stored() -> (Arc<Fixture>, Control) {
    let (fixture, control) = super::gated().await;
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get("/").await;
    assert!(fixture.get("/").await.is_hit());
    (Arc::new(fixture), control)
}

fn ask(fixture: &Arc<Fixture>, method: Method, path: &'static str) -> tokio::task::JoinHandle<()> {
    let fixture = fixture.clone();
    tokio::spawn(async move {
        let _ = fixture.send(request(method, path, &[])).await;
    })
}

async fn is_gone(fixture: &Fixture) {
    let waiting = async {
        while fixture.sibling().get("/").await.is_hit() || fixture.get("/").await.is_hit() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENT, waiting).await.unwrap();
}

#[tokio::test]
async fn a_client_that_disconnects_does_not_stop_the_invalidation_of_its_change() {
    for step in PURGE {
        let (fixture, control) = stored().await;
        fixture.origin.then(204, &[], "");
        let mut held = control.hold(step);
        let client = ask(&fixture, Method::DELETE, "/");
        assert!(held.arrived().await);
        client.abort();
        let _ = client.await;
        held.release();
        is_gone(&fixture).await;
    }
}

#[tokio::test]
async fn a_client_that_disconnects_before_its_change_is_answered_leaves_no_old_page() {
    let (fixture, _) = stored().await;
    let (changed, is_changed) = oneshot::channel();
    fixture.origin.then_with(move |_| {
        Box::pin(async move {
            let _ = changed.send(());
            pending().await
        })
    });
    let client = ask(&fixture, Method::PUT, "/");
    is_changed.await.unwrap();
    client.abort();
    is_gone(&fixture).await;
}

#[tokio::test]
async fn a_purge_that_is_dropped_halfway_still_completes() {
    for step in PURGE {
        let (fixture, control) = stored().await;
        let purger = fixture.layer.purger();
        let mut held = control.hold(step);
        let purge = tokio::spawn(async move { purger.purge("http://cinema.example/").await });
        assert!(held.arrived().await);
        purge.abort();
        let _ = purge.await;
        held.release();
        is_gone(&fixture).await;
    }
}

#[tokio::test]
async fn an_unsafe_request_without_a_response_invalidates_its_uri() {
    let (fixture, _) = stored().await;
    fixture.origin.then_fail();
    ask(&fixture, Method::POST, "/").await.unwrap();
    is_gone(&fixture).await;
}

#[tokio::test]
async fn a_client_that_disconnects_while_its_page_is_stored_leaves_it_to_others() {
    let (fixture, control) = stored().await;
    fixture.origin.then(200, &[HOUR], "other");
    let mut held = control.hold(("put", "response:"));
    let client = ask(&fixture, Method::GET, "/other");
    assert!(held.arrived().await);
    let waiting = tokio::spawn({
        let fixture = fixture.clone();
        async move { fixture.get("/other").await.text().to_owned() }
    });
    client.abort();
    held.release();
    assert_eq!(waiting.await.unwrap(), "other");
    until(|| fixture.origin.count() == 2).await;
    assert!(fixture.get("/other").await.is_hit());
}

#[tokio::test]
async fn a_client_that_disconnects_while_its_validation_is_stored_leaves_it_to_others() {
    let (fixture, control) = super::gated().await;
    let fields = [("cache-control", "max-age=10"), ("etag", "\"a\"")];
    fixture.origin.then(200, &fields, "one").then(304, &fields, "");
    fixture.get("/").await;
    fixture.later(20);
    let fixture = Arc::new(fixture);
    let mut held = control.hold(("put", "response:"));
    let client = ask(&fixture, Method::GET, "/");
    assert!(held.arrived().await);
    client.abort();
    let _ = client.await;
    held.release();
    assert!(fixture.get("/").await.is_hit());
    assert_eq!(fixture.origin.count(), 2);
}

#[tokio::test]
async fn a_response_that_invalidates_the_stored_one_does_so_even_if_its_client_disconnects() {
    for step in PURGE {
        let (fixture, control) = stored().await;
        fixture.later(3600);
        let gone = [("cache-control", "no-store")];
        let (asked, is_asked) = oneshot::channel();
        fixture.origin.then_with(move |_| {
            let _ = asked.send(control.hold(step));
            Box::pin(async move { Ok(response(404, &gone, full("gone"))) })
        });
        let client = ask(&fixture, Method::GET, "/");
        let mut held = is_asked.await.unwrap();
        assert!(held.arrived().await);
        client.abort();
        let _ = client.await;
        held.release();
        is_gone(&fixture).await;
    }
}
