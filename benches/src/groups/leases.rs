//! What a fence costs: a commit beside a SET, an invalidation beside a DEL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_moka::MokaStore;
use larder_store::lease::{Claim, Claimed, Fence, Leases};
use larder_store::{Delete, DeleteOutcome, Key, Kind, Put, PutOutcome, Result, Store, Ttl};
use tokio::runtime::Runtime;

use crate::harness::{Bar, Row, compare, counted, per_operation};
use crate::load::{runtime, store};

const FILM: Kind = Kind::evictable("film");
const HOUR: Ttl = Ttl::from_secs(3600);
/// How many operations of each task a round takes the median of.
const OPERATIONS: usize = 400;
const IN_PROCESS: usize = 100_000;

pub(crate) fn run(url: &str) -> Vec<Row> {
    let runtime = runtime();
    let store = runtime.block_on(store(url));
    vec![
        commit(&runtime, &store, 1, Bar::CostAtMost(1.4)),
        commit(&runtime, &store, 16, Bar::None),
        invalidate(&runtime, &store),
        in_process(),
    ]
}

/// The put, and what is done before it, are of the same size and number on both sides.
fn commit(runtime: &Runtime, store: &Arc<dyn Store>, tasks: usize, bar: Bar) -> Row {
    compare(
        format!("Redis, fenced commit at p50, {}", counted(tasks, "task")),
        15,
        (
            "commit",
            Box::new(|| p50(runtime, tasks, |task| commits(store.clone(), task))),
        ),
        (
            "SET of the same bytes",
            Box::new(|| p50(runtime, tasks, |task| puts(store.clone(), task))),
        ),
        bar,
    )
    .with_note("the script reads the fence and the time, and writes the value and the fence")
}

fn invalidate(runtime: &Runtime, store: &Arc<dyn Store>) -> Row {
    compare(
        "Redis, invalidation at p50, 1 task",
        15,
        (
            "invalidate",
            Box::new(|| p50(runtime, 1, |task| invalidations(store.clone(), task))),
        ),
        (
            "DEL",
            Box::new(|| p50(runtime, 1, |task| deletes(store.clone(), task))),
        ),
        Bar::None,
    )
    .with_note("of a value that was committed: its fence is still there")
}

fn in_process() -> Row {
    let runtime = runtime();
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let leases = store.clone().leases().expect("leases");
    let put = put(0);
    compare(
        "in process, claim and commit",
        15,
        (
            "claim, commit, invalidate",
            Box::new(|| {
                runtime.block_on(async {
                    let started = Instant::now();
                    for _ in 0..IN_PROCESS {
                        let fence = lead(&*leases, put.key()).await;
                        let outcome = leases.commit(&put, fence).await.expect("an answer");
                        assert!(outcome.is_stored());
                        let _ = leases.invalidate(put.key()).await.expect("an answer");
                    }
                    per_operation(started.elapsed(), IN_PROCESS)
                })
            }),
        ),
        (
            "get, put, delete",
            Box::new(|| {
                runtime.block_on(async {
                    let delete = Delete::new(put.key().clone());
                    let started = Instant::now();
                    for _ in 0..IN_PROCESS {
                        assert!(store.get(put.key()).await.expect("an answer").is_none());
                        let _ = store.put(&put).await.expect("an answer");
                        let _ = store.delete(&delete).await.expect("an answer");
                    }
                    per_operation(started.elapsed(), IN_PROCESS)
                })
            }),
        ),
        Bar::None,
    )
}

/// The median of what the operations of `tasks` tasks took.
fn p50<F>(runtime: &Runtime, tasks: usize, task: impl Fn(usize) -> F) -> f64
where
    F: Future<Output = Vec<Duration>> + Send + 'static,
{
    runtime.block_on(async {
        let tasks: Vec<_> = (0..tasks).map(|n| tokio::spawn(task(n))).collect();
        let mut took = Vec::new();
        for task in tasks {
            took.extend(task.await.expect("no task of a benchmark panics"));
        }
        took.sort_unstable();
        took[took.len() / 2].as_nanos() as f64
    })
}

async fn commits(store: Arc<dyn Store>, task: usize) -> Vec<Duration> {
    let (leases, put) = (store.leases().expect("leases"), put(task));
    let mut took = Vec::with_capacity(OPERATIONS);
    for _ in 0..OPERATIONS {
        let _ = leases.invalidate(put.key()).await.expect("an answer");
        let fence = lead(&*leases, put.key()).await;
        took.push(
            timed(PutOutcome::is_stored, async || {
                leases.commit(&put, fence).await
            })
            .await,
        );
    }
    took
}

async fn puts(store: Arc<dyn Store>, task: usize) -> Vec<Duration> {
    let (leases, put) = (store.clone().leases().expect("leases"), put(task));
    let mut took = Vec::with_capacity(OPERATIONS);
    for _ in 0..OPERATIONS {
        let _ = leases.invalidate(put.key()).await.expect("an answer");
        lead(&*leases, put.key()).await;
        took.push(timed(PutOutcome::is_stored, async || store.put(&put).await).await);
    }
    took
}

async fn invalidations(store: Arc<dyn Store>, task: usize) -> Vec<Duration> {
    let (leases, put) = (store.leases().expect("leases"), put(task));
    let _ = leases.invalidate(put.key()).await.expect("an answer");
    let mut took = Vec::with_capacity(OPERATIONS);
    for _ in 0..OPERATIONS {
        committed(&*leases, &put).await;
        took.push(
            timed(DeleteOutcome::is_deleted, async || {
                leases.invalidate(put.key()).await
            })
            .await,
        );
    }
    took
}

async fn deletes(store: Arc<dyn Store>, task: usize) -> Vec<Duration> {
    let (leases, put) = (store.clone().leases().expect("leases"), put(task));
    let delete = Delete::new(put.key().clone());
    let _ = leases.invalidate(put.key()).await.expect("an answer");
    let mut took = Vec::with_capacity(OPERATIONS);
    for _ in 0..OPERATIONS {
        committed(&*leases, &put).await;
        took.push(
            timed(DeleteOutcome::is_deleted, async || {
                store.delete(&delete).await
            })
            .await,
        );
    }
    took
}

/// Measures an operation, which must succeed.
async fn timed<T>(is_done: fn(T) -> bool, operation: impl AsyncFnOnce() -> Result<T>) -> Duration {
    let started = Instant::now();
    let outcome = operation().await.expect("an answer");
    let took = started.elapsed();
    assert!(is_done(outcome));
    took
}

/// Leads, and has its value taken.
async fn committed(leases: &dyn Leases, put: &Put) {
    let fence = lead(leases, put.key()).await;
    let outcome = leases.commit(put, fence).await.expect("an answer");
    assert!(outcome.is_stored());
}

async fn lead(leases: &dyn Leases, key: &Key) -> Fence {
    let claimed = leases.claim(&Claim::new(key.clone(), HOUR)).await;
    match claimed.expect("an answer") {
        Claimed::Lead(fence) => fence,
        other => panic!("expected to lead, got {other:?}"),
    }
}

fn put(task: usize) -> Put {
    Put::new(Key::new(FILM, ("leased", task as u64)), vec![7; 1000], HOUR)
}
