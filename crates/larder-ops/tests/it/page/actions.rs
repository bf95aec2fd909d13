use std::num::NonZeroU32;

use axum::http::StatusCode;
use larder_queue::QueueRecord;
use larder_rate_limit::{Policy, Quota, RateLimiter};
use larder_response_cache::ResponseCacheLayer;
use larder_session::Sessions;
use larder_store::Key;
use larder_store::program::Record;
use larder_structures::lock::{Lock, Permits, Semaphore};

use super::world::{Answer, Stores, World, in_process, on_a_server, sign_in, world};

/// Checks the question, and that nothing was done before its answer; then what the page says after it.
#[track_caller]
fn asked_and_done((asked, done): &(Answer, Answer), question: &str, back: &str) {
    assert_eq!(asked.status, StatusCode::OK);
    asked.has(&[
        question,
        "Are you sure?",
        "Cancel",
        "name=\"sure\" value=\"yes\"",
    ]);
    // Nothing comes up between the question and its button.
    asked.lacks(&["data-live"]);
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{done:?}");
    assert_eq!(done.headers["location"].to_str().unwrap(), back);
}

async fn check(stores: Stores) {
    let world = world(stores).await;
    queues(&world).await;
    sessions(&world).await;
    locks(&world).await;
    responses(&world).await;
    limits(&world).await;
    everyone(&world).await;

    let log = world.open("log").await;
    log.has(&[
        "root",
        "pause-queue",
        "resume-queue",
        "redrive-queue",
        "revoke-device",
        "revoke-user",
        "break-lock",
        "purge-uri",
        "purge-tag",
        "reset-limit",
        "revoke-everyone",
    ]);
    // Only a fingerprint of each target is kept.
    log.lacks(&["ann", "season", "mail", "films", "example.org", "203.0.113"]);
    assert_eq!(log.body.matches("<code><bdi>root</bdi></code>").count(), 14);
}

async fn queues(world: &World) {
    let key = Key::new(QueueRecord::KIND, "mail");
    let of = |action| [("action", action), ("subject", key.as_str())];
    // An action that can be undone here needs no confirmation.
    for (action, is_paused) in [("pause-queue", true), ("resume-queue", false)] {
        let token = world.token().await;
        let form = [&of(action)[..], &[("token", &*token)]].concat();
        let done = world.post_as("root", "/ops/actions", &form).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{done:?}");
        assert_eq!(world.queue.counts().await.unwrap().is_paused, is_paused);
        let back = done.headers["location"].to_str().unwrap();
        world.get_as("root", back).await.has(&["role=\"status\""]);
    }
    let both = world.act(&of("redrive-queue")).await;
    asked_and_done(
        &both,
        "This runs 2 dead letters again.",
        "/ops/queues?did=redrive-queue&count=2",
    );
    let counts = world.queue.counts().await.unwrap();
    assert_eq!((counts.waiting, counts.dead), (3, 0));
}

async fn sessions(world: &World) {
    let shown = world
        .post_as("root", "/ops/sessions", &[("user", "ann")])
        .await;
    shown.has(&[
        "2 living sessions",
        "value=\"revoke-device\"",
        "value=\"revoke-user\"",
    ]);
    let device = shown.hidden("device").unwrap();
    let of = |user| {
        [
            ("action", "revoke-device"),
            ("subject", user),
            ("device", &*device),
        ]
    };
    // The session of one user is not ended in the name of another.
    let (asked, done) = world.act(&of("bob")).await;
    assert_eq!(
        (asked.status, done.status),
        (StatusCode::CONFLICT, StatusCode::CONFLICT)
    );
    let both = world.act(&of("ann")).await;
    asked_and_done(
        &both,
        "This ends 1 session of the user.",
        "/ops/sessions?did=revoke-device&count=1",
    );
    assert_eq!(world.sessions.devices("ann").await.unwrap().len(), 1);
    let both = world
        .act(&[("action", "revoke-user"), ("subject", "ann")])
        .await;
    asked_and_done(
        &both,
        "This ends 1 session of the user.",
        "/ops/sessions?did=revoke-user&count=1",
    );
    assert_eq!(world.sessions.devices("ann").await.unwrap().len(), 0);
    assert_eq!(world.sessions.devices("bob").await.unwrap().len(), 1);
}

async fn locks(world: &World) {
    let key = Key::new(Permits::KIND, "season");
    let form = [("action", "break-lock"), ("subject", key.as_str())];
    let both = world.act(&form).await;
    asked_and_done(
        &both,
        "This takes the lock from 1 holder.",
        "/ops/locks?did=break-lock&count=1",
    );
    let lock = Lock::new(world.store.clone(), "season").unwrap();
    assert!(lock.try_lock().await.unwrap().is_some(), "it is free");
    let gone = [("action", "break-lock"), ("subject", "lock:{nobody}")];
    assert_eq!(world.act(&gone).await.0.status, StatusCode::CONFLICT);
}

async fn responses(world: &World) {
    use axum::body::Body;
    use axum::http::{Request, Response};
    use http_body_util::BodyExt;
    use tower::{Layer, ServiceExt, service_fn};

    let layer = ResponseCacheLayer::new(world.store.clone());
    let pages = layer.layer(service_fn(|_: Request<Body>| async {
        let response = Response::builder().header("cache-control", "max-age=60");
        let response = response
            .header("cache-tag", "films")
            .body(Body::from("Metropolis"));
        Ok::<_, std::convert::Infallible>(response.unwrap())
    }));
    let outcome = || async {
        let request = Request::get("/films").header("host", "cinema.example");
        let response = pages
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let outcome = response.headers()["cache-status"]
            .to_str()
            .unwrap()
            .to_owned();
        response.into_body().collect().await.unwrap();
        outcome
    };
    for (action, subject) in [
        ("purge-uri", "http://cinema.example/films"),
        ("purge-tag", "films"),
    ] {
        while !outcome().await.contains("hit") {}
        let both = world.act(&[("action", action), ("subject", subject)]).await;
        let back = format!("/ops/responses?did={action}&count=1");
        asked_and_done(&both, "This removes", &back);
        let purged = world.store.clone();
        // Another layer on the same store has no near copy of it.
        let other = ResponseCacheLayer::new(purged);
        let other = other.layer(service_fn(|_: Request<Body>| async {
            Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
        }));
        let request = Request::get("/films").header("host", "cinema.example");
        let response = other
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let outcome = response.headers()["cache-status"].to_str().unwrap();
        assert!(outcome.contains("fwd=uri-miss"), "{outcome}");
    }
    let (asked, done) = world
        .act(&[("action", "purge-uri"), ("subject", "no uri")])
        .await;
    assert_eq!(
        (asked.status, done.status),
        (StatusCode::OK, StatusCode::CONFLICT)
    );
    done.has(&["expected an absolute URI"]);
}

async fn limits(world: &World) {
    const VISITOR: &str = "203.0.113.7";
    let of = |policy, visitor| {
        [
            ("action", "reset-limit"),
            ("policy", policy),
            ("subject", visitor),
        ]
    };
    world.open("limits").await.has(&["value=\"reset-limit\""]);
    let quota = RateLimiter::new(world.store.clone(), "sign-in", Quota::per_hour(1)).unwrap();
    let rules = Policy::new(Quota::per_hour(1)).and(Quota::per_day(9));
    let several = RateLimiter::new(world.store.clone(), "api", rules).unwrap();
    let hour = std::time::Duration::from_secs(3_600);
    let whole = quota.key(VISITOR);
    for (limiter, visitor) in [
        (&quota, VISITOR),
        (&several, VISITOR),
        (&quota, whole.as_str()),
    ] {
        let _ = limiter.check(VISITOR).await.unwrap();
        limiter.ban(VISITOR, hour).await.unwrap();
        // Another policy has its own.
        let (asked, _) = world.act(&of("pages", visitor)).await;
        assert_eq!(asked.status, StatusCode::CONFLICT, "{asked:?}");
        let both = world.act(&of(limiter.policy(), visitor)).await;
        both.0.has(&[limiter.policy(), "ends a ban"]);
        asked_and_done(
            &both,
            "This gives 1 visitor the whole quota of",
            "/ops/limits?did=reset-limit&count=1",
        );
        assert!(limiter.peek(VISITOR).await.unwrap().is_allowed());
        let (asked, _) = world.act(&of(limiter.policy(), visitor)).await;
        assert_eq!(asked.status, StatusCode::CONFLICT, "there is nothing left");
        asked.has(&["has not used this policy"]);
    }
    // As a layer keeps it.
    let by_layer = ("ip", VISITOR);
    for visitor in [VISITOR, "sign-in:ip:203.0.113.7"] {
        let _ = quota.check(by_layer).await.unwrap();
        let (asked, done) = world.act(&of("sign-in", visitor)).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{asked:?}");
        assert!(quota.peek(by_layer).await.unwrap().is_allowed());
    }
}

async fn everyone(world: &World) {
    let offer = world.open("sessions").await;
    offer.has(&["value=\"revoke-everyone\"", "Sign everybody out"]);
    let form = [("action", "revoke-everyone"), ("subject", "everybody")];
    sign_in(&world.store, "cid").await;
    let both = world.act(&form).await;
    both.0.has(&["2 sessions are in this store"]);
    asked_and_done(
        &both,
        "This ends the sessions of all users",
        "/ops/sessions?did=revoke-everyone&count=2",
    );
    let sessions = Sessions::new(world.store.clone()).unwrap();
    assert_eq!(sessions.devices("bob").await.unwrap().len(), 0);
    sign_in(&world.store, "bob").await;
    assert_eq!(sessions.devices("bob").await.unwrap().len(), 1);
    // The one that has ended is not counted again.
    let again = world.ask(&form).await;
    again.has(&["1 session is in this store"]);
}

#[tokio::test]
async fn every_action_is_asked_done_once_and_logged_in_process() {
    check(in_process()).await;
}

#[tokio::test]
async fn every_action_is_asked_done_once_and_logged_on_a_server() {
    check(on_a_server().await).await;
}

#[tokio::test]
async fn sessions_are_not_counted_if_it_is_unknown_when_all_users_were_signed_out() {
    let world = world(on_a_server().await).await;
    let server = world.server.as_ref().unwrap();
    let everyone = "prod:app:session-everyone:{all}";
    server.command(&["LPUSH", everyone, "x"]).unwrap();
    let form = [("action", "revoke-everyone"), ("subject", "everybody")];
    let asked = world.ask(&form).await;
    asked.has(&["At least 0 sessions", "not all could be counted"]);
}

#[tokio::test]
async fn a_semaphore_is_shown_and_broken_beside_the_lock_of_its_id() {
    let world = world(in_process()).await;
    let calls = Semaphore::new(world.store.clone(), "season", NonZeroU32::MIN).unwrap();
    let _permit = calls.try_acquire().await.unwrap().unwrap();
    let key = "lock:{season}:permits";
    world.open("locks").await.has(&[key]);
    let both = world
        .act(&[("action", "break-lock"), ("subject", key)])
        .await;
    asked_and_done(
        &both,
        "This takes the lock from 1 holder.",
        "/ops/locks?did=break-lock&count=1",
    );
    assert!(calls.try_acquire().await.unwrap().is_some());
    let lock = Lock::new(world.store.clone(), "season").unwrap();
    assert!(lock.try_lock().await.unwrap().is_none(), "it is still held");
}

#[tokio::test]
async fn an_action_that_is_unknown_or_names_something_else_does_nothing() {
    let world = world(in_process()).await;
    for (action, subject) in [
        ("drop-everything", "queue:{mail}"),
        ("redrive-queue", "lock:{season}"),
        ("break-lock", "queue:{mail}"),
        ("break-lock", "../../etc"),
        ("pause-queue", ""),
    ] {
        let (_, done) = world.act(&[("action", action), ("subject", subject)]).await;
        assert!(
            done.status.is_client_error(),
            "{action} {subject:?}: {done:?}"
        );
        done.lacks(&["etc"]);
    }
    world.open("log").await.has(&["Nobody has acted yet."]);
}
