//! Exactly N of M concurrent callers pass, of two clients on one server, under each algorithm, for 1,000 visitors.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use larder_rate_limit::{KeyBy, Limits, Policy, Quota, RateLimiter, Rule};
use larder_store::{ManualClock, Namespace, Prefixed, Store};
use tokio::task::JoinSet;

use crate::algorithms::each;
use crate::support::{App, layer};
use crate::world::{SERVER, patient};

const HOUR: Duration = Duration::from_secs(3_600);
const VISITORS: u32 = 1_000;

/// How many visitors a task asks for at once, so that it rarely waits.
const TOGETHER: usize = 50;

/// How many requests of each visitor may pass, of four.
const LIMIT: u32 = 2;

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

/// Asks for each visitor in four tasks, two for each client, and returns how many requests of each passed.
async fn passed<F, Fut>(
    clients: &[Arc<dyn Store>; 2],
    asking: impl Fn(Arc<dyn Store>) -> F,
) -> Vec<u32>
where
    F: Fn(u32) -> Fut + Send + 'static,
    Fut: Future<Output = bool> + Send,
{
    let mut tasks = JoinSet::new();
    for task in 0..4 {
        let asks = asking(clients[task % 2].clone());
        tasks.spawn(async move {
            let mut passed = Vec::new();
            for first in (0..VISITORS).step_by(TOGETHER) {
                let those = first..first + TOGETHER as u32;
                passed.extend(join_all(those.map(&asks)).await);
            }
            passed
        });
    }
    let each = tasks.join_all().await;
    let of = |visitor: usize| each.iter().map(|passed| u32::from(passed[visitor])).sum();
    (0..VISITORS as usize).map(of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_limit_passes_of_two_clients_on_one_server_under_each_algorithm() {
    let clients = two_clients().await;
    for (name, policy) in each(LIMIT, HOUR) {
        let passed = passed(&clients, |store| {
            let limiter = RateLimiter::new(store, name, policy.clone()).unwrap();
            let app = Arc::new(App::new(layer(limiter, KeyBy::peer())));
            move |visitor| {
                let app = app.clone();
                async move { app.status(&Ipv4Addr::from(visitor).to_string()).await == 200 }
            }
        });
        assert_eq!(passed.await, [LIMIT; VISITORS as usize], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_permits_are_held_of_two_clients_on_one_server() {
    let clients = two_clients().await;
    let passed = passed(&clients, |store| {
        let limiter = RateLimiter::new(store, "test", Rule::concurrency(LIMIT, HOUR)).unwrap();
        move |visitor| {
            let limiter = limiter.clone();
            async move {
                let permit = limiter.acquire(visitor).await.unwrap().held();
                permit.map(std::mem::forget).is_some()
            }
        }
    });
    assert_eq!(passed.await, [LIMIT; VISITORS as usize]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_limiters_in_one_call_the_smaller_is_never_passed_and_the_other_charged_once_each() {
    let clients = two_clients().await;
    let limiters = |store: &Arc<dyn Store>| {
        let by_address = RateLimiter::new(store.clone(), "address", Quota::per_hour(1_000));
        let policy = Policy::new(Rule::sliding_log(LIMIT, HOUR));
        let by_account = RateLimiter::new(store.clone(), "account", policy);
        (by_address.unwrap(), by_account.unwrap())
    };
    let passed = passed(&clients, |store| {
        let both = limiters(&store);
        move |visitor| {
            let (by_address, by_account) = both.clone();
            async move {
                let limits = Limits::new()
                    .with(&by_address, visitor)
                    .with(&by_account, visitor);
                limits.check().await.unwrap().is_allowed()
            }
        }
    });
    assert_eq!(passed.await, [LIMIT; VISITORS as usize]);
    let (by_address, by_account) = limiters(&clients[0]);
    let left = (0..VISITORS).map(async |visitor| {
        let left = by_address.peek(visitor).await.unwrap().remaining();
        (left, by_account.peek(visitor).await.unwrap().remaining())
    });
    for left in join_all(left).await {
        assert_eq!(left, (1_000 - LIMIT, 0));
    }
}
