//! Exactly N of M concurrent callers pass, of two clients on one server, under each algorithm.

use std::sync::Arc;
use std::time::Duration;

use larder_rate_limit::{Limits, Policy, Quota, RateLimiter, Rule};
use larder_store::{ManualClock, Namespace, Prefixed, Store};
use tokio::task::JoinSet;

use crate::algorithms::each;
use crate::world::{SERVER, patient};

const HOUR: Duration = Duration::from_secs(3_600);

/// Two clients of one server, as two processes are, with a clock that stands.
async fn two_clients() -> [Arc<dyn Store>; 2] {
    let app = format!("{:x}", fastrand::u64(..));
    let namespace = Namespace::new("test", &app).unwrap();
    let clock = ManualClock::default();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let store = patient(&SERVER.url()).with_virtual_time(clock.clone());
        let store: Arc<dyn Store> = Arc::new(store.connect().await.unwrap());
        clients.push(Arc::new(Prefixed::new(namespace.clone(), store)) as Arc<dyn Store>);
    }
    clients.try_into().ok().unwrap()
}

/// Both clients, 16 tasks each, 10 requests each: 320 in all.
async fn passed<F, Fut>(clients: [Arc<dyn Store>; 2], ask: F) -> usize
where
    F: Fn(Arc<dyn Store>) -> Fut,
    Fut: Future<Output = usize> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for task in 0..32 {
        tasks.spawn(ask(clients[task % 2].clone()));
    }
    tasks.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_limit_passes_of_two_clients_on_one_server_under_each_algorithm() {
    let clients = two_clients().await;
    for (name, policy) in each(100, HOUR) {
        let passed = passed(clients.clone(), |store| {
            let limiter = RateLimiter::new(store, name, policy.clone()).unwrap();
            async move { crate::world::passed(&limiter, "ada", 10).await }
        });
        assert_eq!(passed.await, 100, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_permits_are_held_of_two_clients_on_one_server() {
    let passed = passed(two_clients().await, |store| {
        let limiter = RateLimiter::new(store, "test", Rule::concurrency(40, HOUR)).unwrap();
        async move {
            let mut held = 0;
            for _ in 0..10 {
                if let Some(permit) = limiter.acquire("ada").await.unwrap().held() {
                    std::mem::forget(permit);
                    held += 1;
                }
            }
            held
        }
    });
    assert_eq!(passed.await, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_limiters_in_one_call_the_smaller_is_never_passed_and_the_other_charged_once_each() {
    let clients = two_clients().await;
    let limiters = |store: &Arc<dyn Store>| {
        let by_address = RateLimiter::new(store.clone(), "address", Quota::per_hour(1_000));
        let policy = Policy::new(Rule::sliding_log(50, HOUR));
        let by_account = RateLimiter::new(store.clone(), "account", policy);
        (by_address.unwrap(), by_account.unwrap())
    };
    let passed = passed(clients.clone(), |store| {
        let (by_address, by_account) = limiters(&store);
        async move {
            let mut passed = 0;
            for _ in 0..10 {
                let limits = Limits::new()
                    .with(&by_address, "192.0.2.1")
                    .with(&by_account, "ada");
                passed += usize::from(limits.check().await.unwrap().is_allowed());
            }
            passed
        }
    });
    assert_eq!(passed.await, 50);
    let (by_address, by_account) = limiters(&clients[0]);
    let left = by_address.peek("192.0.2.1").await.unwrap().remaining();
    assert_eq!(left, 950);
    assert_eq!(by_account.peek("ada").await.unwrap().remaining(), 0);
}
