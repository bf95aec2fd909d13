//! Actions on a store with faults, and browsers that leave.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use larder_moka::MokaStore;
use larder_store::ErrorKind;
use larder_test::faulty::{Faulty, Operations, Switch, Trouble};
use tokio::join;
use tokio::time::{sleep, timeout};

use super::world::{World, on_a_server, world};

const PAUSE: [(&str, &str); 2] = [("action", "pause-queue"), ("subject", "queue:{mail}")];

pub(crate) async fn with_faults() -> (World, Switch) {
    let store = Faulty::new(Arc::new(MokaStore::new()));
    let switch = store.switch();
    (world((Arc::new(store), None, None)).await, switch)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test]
async fn an_action_is_done_and_logged_after_the_browser_has_left() {
    let (world, switch) = with_faults().await;
    let token = world.token().await;
    let form = [&PAUSE[..], &[("token", &*token)]].concat();
    tokio::time::pause();
    switch.set_on(Operations::Programs, Trouble::Delay(millis(100)));
    let posted = timeout(millis(50), world.post_as("root", "/ops/actions", &form)).await;
    assert!(posted.is_err(), "the browser left first: {posted:?}");
    switch.clear();
    sleep(millis(1_000)).await;
    assert!(world.queue.counts().await.unwrap().is_paused);
    world.open("log").await.has(&["pause-queue", ">done<"]);
}

#[tokio::test]
async fn an_action_that_may_have_been_done_is_logged_and_the_page_says_so() {
    let unlogged = "could not be written to the log";
    let fail = Trouble::Fail(ErrorKind::NotSent);
    let minute = Trouble::Delay(millis(60_000));
    for (first, then, status, says, log) in [
        (
            Trouble::LoseAnswer,
            None,
            503,
            &["may have been done"][..],
            "> unknown<",
        ),
        (
            minute.clone(),
            None,
            503,
            &["longer than 10 s"],
            "> timeout<",
        ),
        (
            minute,
            Some(fail.clone()),
            503,
            &["longer than 10 s", unlogged],
            "Nobody has acted yet.",
        ),
        (
            Trouble::Delay(millis(100)),
            Some(fail),
            200,
            &[unlogged],
            "Nobody has acted yet.",
        ),
    ] {
        let (world, switch) = with_faults().await;
        let token = world.token().await;
        let form = [&PAUSE[..], &[("token", &*token)]].concat();
        tokio::time::pause();
        switch.set_on(Operations::Programs, first);
        let later = async {
            sleep(millis(50)).await;
            match then {
                Some(then) => switch.set_on(Operations::Programs, then),
                None => switch.clear(),
            }
        };
        let (answer, ()) = join!(world.post_as("root", "/ops/actions", &form), later);
        switch.clear();
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        answer.has(says);
        answer.lacks(&["Nothing was done"]);
        world.open("log").await.has(&[log]);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn an_action_that_the_store_refuses_is_logged_as_failed() {
    let world = world(on_a_server().await).await;
    let server = world.server.as_ref().unwrap();
    server
        .command(&["SET", "prod:app:queue:{text}", "no record"])
        .unwrap();
    let form = [("action", "pause-queue"), ("subject", "queue:{text}")];
    let answer = world.ask(&form).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    world.open("log").await.has(&["pause-queue", "> failed<"]);
}

#[tokio::test]
async fn an_action_is_confirmed_to_who_did_it_and_by_no_link_alone() {
    let (world, _) = with_faults().await;
    let done = world.ask(&PAUSE).await;
    let back = done.headers["location"].to_str().unwrap().to_owned();
    let confirmation = "role=\"status\"";
    world
        .get_as("root", &back)
        .await
        .has(&[confirmation, "is paused"]);
    for (who, link) in [
        ("eve", &*back),
        ("reader", &*back),
        ("root", "/ops/sessions?did=revoke-user&count=7"),
        ("root", "/ops/queues?did=resume-queue&count=1"),
        ("root", "/ops/queues?did=pause-queue&count=2"),
    ] {
        world.get_as(who, link).await.lacks(&[confirmation]);
    }
}
