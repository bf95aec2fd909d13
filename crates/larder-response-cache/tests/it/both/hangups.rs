//! Clients that hang up.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::fixture::{Fixture, HOUR, full, request, response, until};
use crate::gate::{Gate, Gated};

const PATIENT: Duration = Duration::from_secs(20);

/// A page that is stored, on a store whose writes wait at the gate from then on.
async fn stored() -> (Fixture, Arc<Fixture>, Gate) {
    let place = super::fixture().await;
    let gate = Gate::closed();
    gate.open();
    let store = Gated {
        inner: place.store.clone(),
        gate: gate.clone(),
    };
    let set = |builder: larder_response_cache::Builder| builder.with_store_deadline(PATIENT);
    let fixture = Fixture::on(Arc::new(store), place.clock.clone(), set);
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get("/").await;
    assert!(fixture.get("/").await.is_hit());
    gate.close();
    (place, Arc::new(fixture), gate)
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
    let (_place, fixture, gate) = stored().await;
    fixture.origin.then(204, &[], "");
    let client = ask(&fixture, Method::DELETE, "/");
    gate.arrived().await;
    client.abort();
    let _ = client.await;
    gate.open();
    is_gone(&fixture).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_before_the_response_to_its_change_leaves_nothing_old() {
    let (_place, fixture, gate) = stored().await;
    gate.open();
    let handler = Gate::closed();
    let inside = handler.clone();
    fixture.origin.then_with(move |_| {
        Box::pin(async move {
            // It has changed something by now.
            inside.pass().await;
            Ok(response(204, &[], full("")))
        })
    });
    let client = ask(&fixture, Method::PUT, "/");
    handler.arrived().await;
    client.abort();
    is_gone(&fixture).await;
}

#[tokio::test]
async fn a_purge_that_is_dropped_halfway_is_done_nevertheless() {
    let (_place, fixture, gate) = stored().await;
    let purger = fixture.layer.purger();
    let purge = tokio::spawn(async move { purger.purge("http://cinema.example/").await });
    gate.arrived().await;
    purge.abort();
    let _ = purge.await;
    gate.open();
    is_gone(&fixture).await;
}

#[tokio::test]
async fn a_change_of_which_nobody_knows_the_end_leaves_nothing_old() {
    let (_place, fixture, gate) = stored().await;
    gate.open();
    fixture.origin.then_fail();
    ask(&fixture, Method::POST, "/").await.unwrap();
    is_gone(&fixture).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_while_its_page_is_stored_leaves_it_to_others() {
    let (_place, fixture, gate) = stored().await;
    fixture.origin.then(200, &[HOUR], "other");
    let client = ask(&fixture, Method::GET, "/other");
    gate.arrived().await;
    let waiting = tokio::spawn({
        let fixture = fixture.clone();
        async move { fixture.get("/other").await.text().to_owned() }
    });
    client.abort();
    gate.open();
    assert_eq!(waiting.await.unwrap(), "other");
    until(|| fixture.origin.count() == 2).await;
    assert!(fixture.get("/other").await.is_hit());
}
