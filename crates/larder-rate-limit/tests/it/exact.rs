//! Exactly N of M concurrent callers pass.

use std::sync::Arc;

use larder_moka::MokaStore;
use larder_rate_limit::{KeyBy, Quota, RateLimitLayer};
use larder_store::{ManualClock, Store};
use tokio::task::JoinSet;

use crate::support::{App, Behavior, ScriptedStore, from, limiter, model};

async fn passed_of_64_tasks(store: Arc<dyn Store>) -> usize {
    let limiter = limiter(store, Quota::per_hour(100));
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let limiter = limiter.clone();
        tasks.spawn(async move {
            let mut passed = 0;
            for _ in 0..10 {
                passed += usize::from(limiter.check("ada").await.unwrap().is_allowed());
                tokio::task::yield_now().await;
            }
            passed
        });
    }
    tasks.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_the_limit_passes_among_64_tasks_on_the_reference() {
    let (store, _) = model();
    assert_eq!(passed_of_64_tasks(store).await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_the_limit_passes_among_64_tasks_on_moka() {
    for _ in 0..20 {
        let clock = ManualClock::default();
        let store = MokaStore::builder().with_clock(clock).build();
        assert_eq!(passed_of_64_tasks(Arc::new(store)).await, 100);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_the_limit_passes_the_layer_whether_the_store_waits_or_not() {
    for behavior in [
        Behavior::Now,
        Behavior::After(std::time::Duration::from_millis(1)),
    ] {
        let limiter = limiter(ScriptedStore::new(behavior).store(), Quota::per_hour(50));
        let app = Arc::new(App::new(RateLimitLayer::new(limiter, KeyBy::peer())));
        let mut tasks = JoinSet::new();
        for _ in 0..400 {
            let app = app.clone();
            tasks.spawn(async move { app.send(from("192.0.2.1")).await.status() });
        }
        let statuses = tasks.join_all().await;
        let passed = statuses.iter().filter(|status| status.is_success());
        assert_eq!(passed.count(), 50, "{behavior:?}");
    }
}
