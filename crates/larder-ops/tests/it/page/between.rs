//! What happens between a question and its answer.

use axum::http::StatusCode;
use larder_queue::QueueRecord;
use larder_rate_limit::{Quota, RateLimiter};
use larder_store::Key;
use larder_store::program::Record;
use larder_structures::lock::{Lock, Permits};

use super::world::{Stores, World, in_process, on_a_server, sign_in, world};

async fn check(stores: Stores) {
    let world = world(stores).await;
    a_later_holder_keeps_the_lock(&world).await;
    a_later_dead_letter_stays(&world).await;
    a_later_session_stays(&world).await;
    a_later_ban_stays(&world).await;
}

async fn a_later_holder_keeps_the_lock(world: &World) {
    let lock = Lock::new(world.store.clone(), "box office").unwrap();
    let key = Key::new(Permits::KIND, "box office");
    let form = [("action", "break-lock"), ("subject", key.as_str())];
    let first = lock.try_lock().await.unwrap().unwrap();
    let asked = world.ask(&form).await;
    asked.has(&["1 holder"]);
    let _ = first.release().await.unwrap();
    let _second = lock.try_lock().await.unwrap().unwrap();
    let done = world.answer(&asked, &form).await;
    assert_eq!(done.status, StatusCode::CONFLICT, "{done:?}");
    assert!(lock.try_lock().await.unwrap().is_none(), "it is still held");
    // A question about that holder is a different question.
    let (_, done) = world.act(&form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{done:?}");
    assert!(lock.try_lock().await.unwrap().is_some());
}

async fn a_later_dead_letter_stays(world: &World) {
    let key = Key::new(QueueRecord::KIND, "mail");
    let form = [("action", "redrive-queue"), ("subject", key.as_str())];
    let asked = world.ask(&form).await;
    asked.has(&["2 dead letters"]);
    let third = world.queue.dequeue(1).await.unwrap().pop().unwrap();
    let _ = world.queue.reject(third.receipt(), "late").await.unwrap();
    let done = world.answer(&asked, &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{done:?}");
    let counts = world.queue.counts().await.unwrap();
    assert_eq!((counts.waiting, counts.dead), (2, 1));
}

async fn a_later_session_stays(world: &World) {
    let form = [("action", "revoke-user"), ("subject", "ann")];
    let asked = world.ask(&form).await;
    asked.has(&["2 sessions"]);
    sign_in(&world.store, "ann").await;
    let done = world.answer(&asked, &form).await;
    assert_eq!(done.status, StatusCode::CONFLICT, "{done:?}");
    done.has(&["3 sessions"]);
    assert_eq!(world.sessions.devices("ann").await.unwrap().len(), 3);
}

async fn a_later_ban_stays(world: &World) {
    let limiter = RateLimiter::new(world.store.clone(), "pages", Quota::per_hour(3)).unwrap();
    let _ = limiter.check("ann").await.unwrap();
    let form = [
        ("action", "reset-limit"),
        ("policy", "pages"),
        ("subject", "ann"),
    ];
    let asked = world.ask(&form).await;
    asked.lacks(&["ends a ban"]);
    let hour = std::time::Duration::from_secs(3_600);
    limiter.ban("ann", hour).await.unwrap();
    let done = world.answer(&asked, &form).await;
    assert_eq!(done.status, StatusCode::CONFLICT, "{done:?}");
    done.has(&["has been banned meanwhile"]);
    assert!(!limiter.peek("ann").await.unwrap().is_allowed());
}

#[tokio::test]
async fn an_answer_is_for_what_the_question_was_about_in_process() {
    check(in_process()).await;
}

#[tokio::test]
async fn an_answer_is_for_what_the_question_was_about_on_a_server() {
    check(on_a_server().await).await;
}

#[tokio::test]
async fn an_answer_without_a_question_does_nothing() {
    let world = world(in_process()).await;
    let limiter = RateLimiter::new(world.store.clone(), "pages", Quota::per_hour(3)).unwrap();
    let _ = limiter.check("ann").await.unwrap();
    for (action, subject) in [
        ("redrive-queue", "queue:{mail}"),
        ("revoke-user", "ann"),
        ("revoke-everyone", "everybody"),
        ("reset-limit", "ann"),
        ("break-lock", "lock:{season}"),
    ] {
        for seen in ["", "many", "-1,", "99999999999999999999"] {
            let form = [
                ("action", action),
                ("subject", subject),
                ("policy", "pages"),
                ("seen", seen),
                ("sure", "yes"),
            ];
            let done = world.ask(&form).await;
            assert_eq!(done.status, StatusCode::CONFLICT, "{action} {seen:?}");
        }
    }
    assert_eq!(world.queue.counts().await.unwrap().dead, 2);
    assert_eq!(world.sessions.devices("ann").await.unwrap().len(), 2);
    assert_eq!(limiter.peek("ann").await.unwrap().remaining(), 2);
    world.open("log").await.has(&["Nobody has acted yet."]);
}
