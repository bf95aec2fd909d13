//! A miss that is loaded, beside moka's `get_with`.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use larder_cache::Cache;
use larder_store::{Kind, Ttl};
use tokio::runtime::Runtime;

use crate::harness::{Bar, Row, compare, per_operation};
use crate::load::runtime;

const FILM: Kind = Kind::evictable("film");
const OPERATIONS: u64 = 20_000;
const CAPACITY: u64 = 10_000;

type Value = [u8; 100];
type Moka = moka::future::Cache<u64, Arc<Value>>;

/// What a loader does before it answers.
#[derive(Clone, Copy)]
enum Loader {
    AnswersAtOnce,
    WaitsOnce,
}

pub(crate) fn run() -> Vec<Row> {
    vec![
        row("a miss, loaded at once", Loader::AnswersAtOnce).with_note("the loader never waits"),
        row(
            "a miss, loaded by a loader that waits once",
            Loader::WaitsOnce,
        )
        .with_note(
            "the load of larder then runs in a task of its own with timeouts, so that no caller can cancel \
             it: a spawn and two timers more",
        ),
    ]
}

fn row(what: &str, loader: Loader) -> Row {
    let runtime = runtime();
    let cache: Cache<u64, Value> = Cache::builder(FILM, Ttl::from_secs(3600))
        .with_max_near_entries(CAPACITY)
        .build()
        .expect("a cache");
    let moka = Moka::new(CAPACITY);
    let (mut ours, mut theirs) = (fresh_keys(), fresh_keys());
    compare(
        what,
        15,
        (
            "`get_or_load`",
            Box::new(|| on_a_worker(&runtime, load_ours(cache.clone(), ours(), loader))),
        ),
        (
            "moka `get_with`",
            Box::new(|| on_a_worker(&runtime, load_moka(moka.clone(), theirs(), loader))),
        ),
        Bar::CostAtMost(1.2),
    )
}

/// Keys that were never asked for, at each call.
fn fresh_keys() -> impl FnMut() -> Range<u64> {
    let mut next = 0;
    move || {
        next += OPERATIONS;
        next - OPERATIONS..next
    }
}

async fn load_ours(cache: Cache<u64, Value>, keys: Range<u64>, loader: Loader) -> f64 {
    let started = Instant::now();
    for key in keys {
        let load = || async move { Ok::<_, Infallible>(value(loader).await) };
        assert!(cache.get_or_load(&key, load).await.is_ok());
    }
    per_operation(started.elapsed(), OPERATIONS as usize)
}

async fn load_moka(moka: Moka, keys: Range<u64>, loader: Loader) -> f64 {
    let started = Instant::now();
    for key in keys {
        moka.get_with(key, async { Arc::new(value(loader).await) })
            .await;
    }
    per_operation(started.elapsed(), OPERATIONS as usize)
}

async fn value(loader: Loader) -> Value {
    if let Loader::WaitsOnce = loader {
        tokio::task::yield_now().await;
    }
    [7; 100]
}

/// Runs `work` where handlers run: on a worker of the runtime.
fn on_a_worker(runtime: &Runtime, work: impl Future<Output = f64> + Send + 'static) -> f64 {
    runtime
        .block_on(runtime.spawn(work))
        .expect("no task of a benchmark panics")
}
