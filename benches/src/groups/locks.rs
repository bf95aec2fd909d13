//! What a lock costs beside the recipe, and how soon the next waiter has it.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use larder_moka::MokaStore;
use larder_store::Store;
use larder_structures::lock::{Lock, Released};
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use crate::harness::{Bar, Row, compare, per_operation};
use crate::load::{p99, raw_connection, runtime, store};

/// How many times a lock is taken and released in a round.
const LOCKS: usize = 1_000;
/// How many times it is handed over in a round.
const WAKES: usize = 300;
const LONG: Duration = Duration::from_secs(30);

/// What people write by hand, so that nobody releases the lock of another.
const BY_HAND: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

pub(crate) fn run(url: &str) -> Vec<Row> {
    let runtime = runtime();
    let stores = [(); 2].map(|()| runtime.block_on(store(url)));
    let raw = runtime.block_on(raw_connection(url));
    vec![
        take(&runtime, &stores[0], &raw),
        hand_over(&runtime, &stores, &raw),
        in_process(&runtime),
    ]
}

fn take(runtime: &Runtime, store: &Arc<dyn Store>, raw: &MultiplexedConnection) -> Row {
    let lock = Lock::new(store.clone(), "bench").expect("a lock");
    compare(
        "Redis, a free lock taken and released, 1 task",
        15,
        (
            "Lock",
            Box::new(|| {
                runtime.block_on(async {
                    let started = Instant::now();
                    for _ in 0..LOCKS {
                        let guard = lock.try_lock().await.expect("an answer").expect("free");
                        assert_eq!(guard.release().await.expect("an answer"), Released::InTime);
                    }
                    per_operation(started.elapsed(), LOCKS)
                })
            }),
        ),
        (
            "SET NX PX, and a script that compares and deletes",
            Box::new(|| {
                runtime.block_on(async {
                    let mut raw = raw.clone();
                    let started = Instant::now();
                    for number in 0..LOCKS {
                        assert!(set(&mut raw, number).await);
                        assert!(delete(&mut raw, number).await);
                    }
                    per_operation(started.elapsed(), LOCKS)
                })
            }),
        ),
        Bar::None,
    )
    .with_note("ours has a fence that rises, and a task that renews it")
}

async fn set(raw: &mut MultiplexedConnection, number: usize) -> bool {
    let mut command = redis::cmd("SET");
    command
        .arg("{by-hand}")
        .arg(number)
        .arg("NX")
        .arg("PX")
        .arg(30_000);
    let set: Option<String> = command.query_async(raw).await.expect("an answer");
    set.is_some()
}

async fn delete(raw: &mut MultiplexedConnection, number: usize) -> bool {
    static SCRIPT: LazyLock<redis::Script> = LazyLock::new(|| redis::Script::new(BY_HAND));
    let mut call = SCRIPT.key("{by-hand}");
    let deleted: i64 = call.arg(number).invoke_async(raw).await.expect("an answer");
    deleted == 1
}

/// From the release in one process to the lock in another, at p99 of a round.
fn hand_over(runtime: &Runtime, stores: &[Arc<dyn Store>; 2], raw: &MultiplexedConnection) -> Row {
    compare(
        "Redis, from a release to the next waiter, p99",
        5,
        (
            "Lock, woken",
            Box::new(|| {
                runtime.block_on(async {
                    let [one, other] = stores.clone();
                    let holder = Lock::new(one, "handed").expect("a lock");
                    let waiter = Lock::new(other, "handed").expect("a lock");
                    let mut took = Vec::with_capacity(WAKES);
                    for _ in 0..WAKES {
                        let guard = holder.try_lock().await.expect("an answer").expect("free");
                        let waiting = waiter.clone();
                        let waiting = tokio::spawn(async move {
                            let guard = waiting.lock(LONG).await.expect("an answer");
                            (Instant::now(), guard.expect("in time"))
                        });
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        let released = Instant::now();
                        assert_eq!(guard.release().await.expect("an answer"), Released::InTime);
                        let (taken, guard) = waiting.await.expect("no panic");
                        took.push(taken.duration_since(released));
                        assert_eq!(guard.release().await.expect("an answer"), Released::InTime);
                    }
                    p99(took)
                })
            }),
        ),
        (
            "SET NX PX, tried every 10 ms",
            Box::new(|| {
                runtime.block_on(async {
                    let mut took = Vec::with_capacity(WAKES);
                    for number in 0..WAKES {
                        let (mut holder, mut waiter) = (raw.clone(), raw.clone());
                        assert!(set(&mut holder, number).await);
                        let waiting = tokio::spawn(async move {
                            while !set(&mut waiter, number + WAKES).await {
                                tokio::time::sleep(Duration::from_millis(10)).await;
                            }
                            Instant::now()
                        });
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        let released = Instant::now();
                        assert!(delete(&mut holder, number).await);
                        let taken = waiting.await.expect("no panic");
                        took.push(taken.duration_since(released));
                        assert!(delete(&mut holder, number + WAKES).await);
                    }
                    p99(took)
                })
            }),
        ),
        Bar::NanosAtMost(10e6),
    )
}

fn in_process(runtime: &Runtime) -> Row {
    let lock = Lock::new(Arc::new(MokaStore::new()), "bench").expect("a lock");
    let mutex = Mutex::new(());
    compare(
        "in process, a free lock taken and released",
        15,
        (
            "Lock",
            Box::new(|| {
                runtime.block_on(async {
                    let started = Instant::now();
                    for _ in 0..10 * LOCKS {
                        let guard = lock.try_lock().await.expect("an answer").expect("free");
                        assert_eq!(guard.release().await.expect("an answer"), Released::InTime);
                    }
                    per_operation(started.elapsed(), 10 * LOCKS)
                })
            }),
        ),
        (
            "tokio's Mutex",
            Box::new(|| {
                runtime.block_on(async {
                    let started = Instant::now();
                    for _ in 0..10 * LOCKS {
                        drop(std::hint::black_box(mutex.lock().await));
                    }
                    per_operation(started.elapsed(), 10 * LOCKS)
                })
            }),
        ),
        Bar::None,
    )
    .with_note("ours spawns a task that renews it, and has a fence and an end")
}
