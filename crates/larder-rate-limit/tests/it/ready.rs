//! Callers that wait until they may pass.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_moka::MokaStore;
use larder_rate_limit::{Ban, Grant, Policy, Quota, RateLimiter, Reason, Rule};
use larder_store::{Clock, Namespace, Prefixed, Store, Timestamp};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Behavior, ScriptedStore};
use crate::world::{SERVER, patient};

const SECOND: Duration = Duration::from_secs(1);

/// The paused clock of tokio, as a store's.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        let passed = self.0.elapsed().as_micros() as i64;
        Timestamp::from_micros(1_767_225_600_000_000 + passed)
    }
}

fn store() -> Arc<dyn Store> {
    let clock = Paused(Instant::now());
    Arc::new(MokaStore::builder().with_clock(clock).build())
}

fn limiter(policy: impl Into<Policy>) -> RateLimiter {
    RateLimiter::new(store(), "test", policy).unwrap()
}

#[tokio::test(start_paused = true)]
async fn callers_that_wait_pass_one_by_one_in_the_order_in_which_they_came() {
    let limiter = limiter(Quota::per_second(1));
    let started = Instant::now();
    let passed = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for n in 0..5_u64 {
        let (limiter, passed) = (limiter.clone(), passed.clone());
        tasks.push(tokio::spawn(async move {
            let decision = limiter.until_ready("ada", 60 * SECOND).await.unwrap();
            assert!(decision.is_allowed());
            passed
                .lock()
                .unwrap()
                .push((n, started.elapsed().as_secs()));
        }));
        tokio::task::yield_now().await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    let passed = passed.lock().unwrap().clone();
    assert_eq!(passed, [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_would_wait_too_long_is_refused_at_once_and_not_charged() {
    let limiter = limiter(Quota::per_minute(1));
    assert!(limiter.check("ada").await.unwrap().is_allowed());
    let started = Instant::now();
    let refused = limiter.until_ready("ada", 10 * SECOND).await.unwrap();
    assert!(!refused.is_allowed());
    assert_eq!(started.elapsed(), Duration::ZERO);
    sleep(refused.retry_after()).await;
    assert!(limiter.check("ada").await.unwrap().is_allowed());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_the_queue_was_not_charged_and_stops_nobody() {
    let limiter = limiter(Quota::per_second(1));
    let _ = limiter.check("ada").await.unwrap();
    let waiting = limiter.until_ready("ada", 60 * SECOND);
    assert!(timeout(SECOND / 2, waiting).await.is_err());
    let passed = limiter.until_ready("ada", 60 * SECOND).await.unwrap();
    assert!(passed.is_allowed());
    // Other visitors have a queue of their own.
    let other = limiter.until_ready("grace", Duration::ZERO).await.unwrap();
    assert!(other.is_allowed());
}

#[tokio::test(start_paused = true)]
async fn callers_whose_turn_does_not_come_take_nothing_from_the_one_that_waits_in_front() {
    let quota = Quota::new(10, 10 * SECOND);
    for policy in [
        Policy::from(quota),
        Policy::new(quota).and(Rule::concurrency(100, 3_600 * SECOND)),
    ] {
        let page = limiter(policy);
        let report = page.clone().with_cost(10).unwrap();
        let pass = async |limiter: &RateLimiter, within| match limiter.has_concurrency() {
            true => match limiter.acquire_within("ada", within).await.unwrap() {
                Grant::Held(permit) => permit.decision(),
                Grant::Refused(decision) => decision,
            },
            false => limiter.until_ready("ada", within).await.unwrap(),
        };
        assert!(pass(&report, Duration::ZERO).await.is_allowed());
        let started = Instant::now();
        let (front, ()) = tokio::join!(pass(&report, 60 * SECOND), async {
            sleep(SECOND / 2).await;
            // Some do not wait at all, others too short.
            for within in [Duration::ZERO, SECOND / 3].repeat(12) {
                if started.elapsed() >= 9 * SECOND {
                    break;
                }
                let refused = pass(&page, within).await;
                assert!(!refused.is_allowed() && !refused.is_charged());
                assert!(refused.retry_after() >= 10 * SECOND - started.elapsed());
                sleep(SECOND / 2).await;
            }
        });
        assert!(front.is_allowed());
        assert!(started.elapsed() < 11 * SECOND, "{:?}", started.elapsed());
        // The next ones wait for nobody.
        sleep(2 * SECOND).await;
        assert!(pass(&page, Duration::ZERO).await.is_allowed());
    }
}

#[tokio::test(start_paused = true)]
async fn callers_that_do_not_wait_pass_at_once_as_long_as_nobody_waits_for_the_quota() {
    let store = ScriptedStore::new(Behavior::After(SECOND / 10));
    let limiter = RateLimiter::new(store.store(), "test", Quota::per_hour(5)).unwrap();
    let started = Instant::now();
    let callers = (0..8).map(|_| limiter.until_ready("ada", Duration::ZERO));
    let decisions = futures_util::future::join_all(callers).await;
    let passed = decisions.iter().flatten().filter(|it| it.is_allowed());
    assert_eq!(passed.count(), 5);
    assert_eq!(started.elapsed(), SECOND / 10);
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_comes_back_is_taken_by_whoever_waits_for_it() {
    let limiter = limiter(Rule::concurrency(1, 60 * SECOND));
    let permit = limiter.acquire("ada").await.unwrap().held().unwrap();
    let waiting = tokio::spawn({
        let limiter = limiter.clone();
        async move {
            limiter
                .acquire_within("ada", 30 * SECOND)
                .await
                .unwrap()
                .held()
                .is_some()
        }
    });
    sleep(5 * SECOND).await;
    drop(permit);
    assert!(timeout(SECOND, waiting).await.unwrap().unwrap());
    let refused = limiter.acquire("ada").await.unwrap();
    assert!(refused.refused().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_waits_is_one_refusal_towards_a_ban_however_often_it_looks() {
    let ban = Ban::after(3, 60 * SECOND, 60 * SECOND);
    let places = limiter(Policy::new(Rule::concurrency(1, 3_600 * SECOND)).with_ban(ban));
    let permit = places.acquire("ada").await.unwrap().held().unwrap();
    let refused = places.acquire_within("ada", SECOND).await.unwrap();
    assert!(refused.refused().is_some());
    let refused = places.acquire("ada").await.unwrap().refused().unwrap();
    assert_eq!(refused.reason(), Some(Reason::Concurrency));
    drop(permit);
    assert!(places.acquire("ada").await.unwrap().held().is_some());
    // Two processes wait for one unit each. The later one tries once more.
    let (store, policy) = (store(), Policy::new(Quota::per_second(1)).with_ban(ban));
    let process = || RateLimiter::new(store.clone(), "units", policy.clone()).unwrap();
    let (units, other) = (process(), process());
    assert!(units.check("ada").await.unwrap().is_allowed());
    let both = tokio::join!(
        units.until_ready("ada", 10 * SECOND),
        other.until_ready("ada", 10 * SECOND),
    );
    assert!(both.0.unwrap().is_allowed() && both.1.unwrap().is_allowed());
}

/// A store in process and one on a server, on clocks that run.
async fn stores() -> [Arc<dyn Store>; 2] {
    let namespace = Namespace::new("test", &format!("{:x}", fastrand::u64(..))).unwrap();
    let redis: Arc<dyn Store> = Arc::new(patient(&SERVER.url()).connect().await.unwrap());
    [
        Arc::new(MokaStore::new()),
        Arc::new(Prefixed::new(namespace, redis)),
    ]
}

/// Long enough for the first two of three callers, however busy the machine is.
const PERIOD: Duration = Duration::from_secs(3);

/// Whether each of three callers is willing to wait, and whether it passes.
const CALLERS: [(Duration, bool); 3] = [
    (Duration::ZERO, true),
    (Duration::ZERO, false),
    (Duration::from_secs(60), true),
];

async fn ask_for_a_unit(store: Arc<dyn Store>) {
    let limiter = RateLimiter::new(store, "units", Quota::new(1, PERIOD)).unwrap();
    let begun = Instant::now();
    for (within, passes) in CALLERS {
        let decision = limiter.until_ready("ada", within).await.unwrap();
        let answer = (decision.is_allowed(), decision.is_charged());
        assert_eq!(answer, (passes, passes), "{within:?}");
    }
    assert!(begun.elapsed() >= PERIOD);
}

/// The processes of these callers die with their permits, which come back with their leases.
async fn ask_for_a_place(store: Arc<dyn Store>) {
    let places = RateLimiter::new(store, "places", Rule::concurrency(1, PERIOD)).unwrap();
    let begun = Instant::now();
    for (within, passes) in CALLERS {
        let permit = places.acquire_within("ada", within).await.unwrap().held();
        let is_held = permit.map(std::mem::forget).is_some();
        assert_eq!(is_held, passes, "{within:?}");
    }
    assert!(begun.elapsed() >= PERIOD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_caller_passes_one_waits_and_one_that_does_not_wait_is_refused_and_not_charged() {
    let [memory, redis] = stores().await;
    tokio::join!(
        ask_for_a_unit(memory.clone()),
        ask_for_a_place(memory),
        ask_for_a_unit(redis.clone()),
        ask_for_a_place(redis),
    );
}
