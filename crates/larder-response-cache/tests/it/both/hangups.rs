//! Clients that hang up.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::sync::oneshot;

use crate::fixture::{Fixture, HOUR, full, request, response, until};
use crate::gate::{Control, Operation};

const PATIENT: Duration = Duration::from_secs(20);

/// What a purge does in the store, in this order.
const PURGE: [Operation; 2] = [("put", "response-purges:"), ("delete", "response:")];

/// A page that is stored, on a store that can be held up.
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
async fn a_client_that_hangs_up_while_its_change_invalidates_does_not_stop_that() {
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
async fn a_client_that_hangs_up_before_the_response_to_its_change_leaves_nothing_old() {
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
async fn a_purge_that_is_dropped_halfway_is_done_nevertheless() {
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
async fn a_change_of_which_nobody_knows_the_end_leaves_nothing_old() {
    let (fixture, _) = stored().await;
    fixture.origin.then_fail();
    ask(&fixture, Method::POST, "/").await.unwrap();
    is_gone(&fixture).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_while_its_page_is_stored_leaves_it_to_others() {
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
async fn a_page_that_takes_away_what_is_stored_does_so_also_where_its_client_hangs_up() {
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
