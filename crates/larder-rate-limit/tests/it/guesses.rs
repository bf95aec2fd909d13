//! Concurrent attempts, of which the successful ones are given back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder_moka::MokaStore;
use larder_rate_limit::{Quota, RateLimiter};
use larder_redis::RedisStore;
use larder_store::{ManualClock, Store};
use larder_test::server::RedisServer;
use tokio::task::JoinSet;

use crate::support::model;

const ROUNDS: u32 = 1_000;

/// How many of the 30 guesses of a round may run at once.
const LIMIT: u32 = 20;

/// Rounds that run at once, so that a store over a network is not waited for most of the time.
const AT_ONCE: u32 = 4;

/// Makes concurrent guesses in many rounds, each of another visitor.
async fn only_failed_attempts_are_charged(store: Arc<dyn Store>) {
    let limiter = RateLimiter::new(store, "race", Quota::per_hour(LIMIT)).unwrap();
    let mut runs = JoinSet::new();
    for first in 0..AT_ONCE {
        let limiter = limiter.clone();
        runs.spawn(async move {
            for round in (first..ROUNDS).step_by(AT_ONCE as usize) {
                race(&limiter, round).await;
            }
        });
    }
    runs.join_all().await;
}

/// Makes concurrent guesses, some of them right. Never more than the limit run at once, and in the end
/// exactly the wrong ones are charged.
async fn race(limiter: &RateLimiter, round: u32) {
    let inside = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for number in 0..30 {
        let (limiter, inside) = (limiter.clone(), inside.clone());
        tasks.spawn(async move {
            let decision = limiter.check(round).await.unwrap();
            if !decision.is_allowed() {
                return 0;
            }
            let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(now <= LIMIT as usize, "{now} are in");
            tokio::task::yield_now().await;
            let is_right = number % 3 > 0;
            inside.fetch_sub(usize::from(is_right), Ordering::SeqCst);
            if is_right {
                let _ = limiter.refund(round, decision).await.unwrap();
            }
            u32::from(!is_right)
        });
    }
    let wrong: u32 = tasks.join_all().await.into_iter().sum();
    let left = limiter.peek(round).await.unwrap().remaining();
    assert_eq!(left, LIMIT - wrong, "round {round}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_attempts_only_the_failed_are_charged_on_the_reference() {
    only_failed_attempts_are_charged(model().0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_attempts_only_the_failed_are_charged_on_moka() {
    let clock = ManualClock::default();
    let store = MokaStore::builder().with_clock(clock).build();
    only_failed_attempts_are_charged(Arc::new(store)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_attempts_only_the_failed_are_charged_on_redis() {
    let server = RedisServer::start().unwrap();
    // A machine that is busy with other tests keeps no deadline of 100 ms.
    let store = RedisStore::builder(&server.url()).with_timeout(Duration::from_secs(10));
    let store = store.connect().await.unwrap();
    only_failed_attempts_are_charged(Arc::new(store)).await;
}
