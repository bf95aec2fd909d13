//! What happens between a question and its answer.

use axum::http::StatusCode;
use larder_queue::{NewJob, QueueRecord};
use larder_rate_limit::{Quota, RateLimiter};
use larder_store::Key;
use larder_store::program::Record;
use larder_structures::lock::{Lock, Permits};

use super::world::{Stores, World, in_process, on_a_server, sign_in, world};

async fn check(stores: Stores) {
    let world = world(stores).await;
    a_later_holder_keeps_the_lock(&world).await;
    a_later_dead_letter_stays(&world).await;
    a_later_dead_letter_stays_though_an_earlier_one_has_gone(&world).await;
    a_later_session_stays(&world).await;
    a_later_session_stays_though_an_earlier_one_has_ended(&world).await;
    a_later_ban_stays(&world).await;
    a_later_ban_stays_though_it_is_shorter_than_an_earlier_one(&world).await;
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

async fn a_later_dead_letter_stays_though_an_earlier_one_has_gone(world: &World) {
    let key = Key::new(QueueRecord::KIND, "mail");
    let form = [("action", "redrive-queue"), ("subject", key.as_str())];
    let asked = world.ask(&form).await;
    asked.has(&["1 dead letter "]);
    assert_eq!(world.queue.redrive(1).await.unwrap(), 1);
    let later = world.queue.dequeue(1).await.unwrap().pop().unwrap();
    let _ = world.queue.reject(later.receipt(), "late").await.unwrap();
    let done = world.answer(&asked, &form).await;
    assert_eq!(done.status, StatusCode::CONFLICT, "{done:?}");
    done.has(&["no longer there"]);
    assert_eq!(world.queue.counts().await.unwrap().dead, 1);
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

async fn a_later_session_stays_though_an_earlier_one_has_ended(world: &World) {
    let form = [("action", "revoke-user"), ("subject", "bob")];
    let asked = world.ask(&form).await;
    asked.has(&["1 session "]);
    let earlier = world.sessions.devices("bob").await.unwrap()[0].id;
    assert!(world.sessions.revoke("bob", earlier).await.unwrap());
    sign_in(&world.store, "bob").await;
    let done = world.answer(&asked, &form).await;
    assert_eq!(done.status, StatusCode::CONFLICT, "{done:?}");
    assert_eq!(world.sessions.devices("bob").await.unwrap().len(), 1);
}

async fn a_later_ban_stays_though_it_is_shorter_than_an_earlier_one(world: &World) {
    let limiter = RateLimiter::new(world.store.clone(), "pages", Quota::per_hour(3)).unwrap();
    let ban = async |hours: u64| {
        let lasts = std::time::Duration::from_secs(hours * 3_600);
        limiter.ban("eve", lasts).await.unwrap();
    };
    ban(2).await;
    let form = [
        ("action", "reset-limit"),
        ("policy", "pages"),
        ("subject", "eve"),
    ];
    let asked = world.ask(&form).await;
    asked.has(&["ends a ban"]);
    let _ = limiter.forgive("eve").await.unwrap();
    ban(1).await;
    let done = world.answer(&asked, &form).await;
    assert_eq!(done.status, StatusCode::CONFLICT, "{done:?}");
    assert!(!limiter.peek("eve").await.unwrap().is_allowed());
    let (_, done) = world.act(&form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{done:?}");
    assert!(limiter.peek("eve").await.unwrap().is_allowed());
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
async fn a_question_about_many_dead_letters_counts_the_oldest() {
    let world = world(in_process()).await;
    let jobs = (0..1_100).map(|_| NewJob::raw("mail", "x"));
    let _ = world.queue.enqueue_many(jobs).await;
    loop {
        let taken = world.queue.dequeue(100).await.unwrap();
        if taken.is_empty() {
            break;
        }
        for delivery in taken {
            let _ = world.queue.reject(delivery.receipt(), "x").await.unwrap();
        }
    }
    let key = Key::new(QueueRecord::KIND, "mail");
    let form = [("action", "redrive-queue"), ("subject", key.as_str())];
    let (asked, done) = world.act(&form).await;
    asked.has(&["runs the 1\u{202f}000 oldest of 1\u{202f}103 dead letters again"]);
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{done:?}");
    let counts = world.queue.counts().await.unwrap();
    assert_eq!((counts.waiting, counts.dead), (1_000, 103));
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
        for seen in ["", "many", "-1,", "99999999999999999999", "counted x"] {
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
