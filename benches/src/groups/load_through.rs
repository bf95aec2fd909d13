//! A miss that is loaded, beside moka's `get_with`.

use std::convert::Infallible;
use std::time::Instant;

use larder_cache::Cache;
use larder_store::{Kind, Ttl};

use crate::harness::{Bar, Row, compare, per_operation};
use crate::load::runtime;

const FILM: Kind = Kind::evictable("film");
const OPERATIONS: u64 = 20_000;

pub(crate) fn run() -> Vec<Row> {
    let runtime = runtime();
    let mut next = 0..;
    let mut fresh = move || {
        let start: u64 = next.next().unwrap_or(0) * OPERATIONS;
        start..start + OPERATIONS
    };
    let mut peers = fresh.clone();
    let cache: Cache<u64, [u8; 100]> = Cache::builder(FILM, Ttl::from_secs(3600))
        .with_near_capacity(10_000)
        .build()
        .expect("a cache");
    let moka: moka::future::Cache<u64, std::sync::Arc<[u8; 100]>> =
        moka::future::Cache::new(10_000);
    vec![
        compare(
            "a miss, loaded, one caller",
            15,
            (
                "`get_or_load`",
                Box::new(|| {
                    let keys = fresh();
                    on_a_worker(&runtime, {
                        let cache = cache.clone();
                        async move {
                            let started = Instant::now();
                            for key in keys {
                                let loaded = cache
                                    .get_or_load(&key, || async { Ok::<_, Infallible>([7; 100]) });
                                assert!(loaded.await.is_ok());
                            }
                            per_operation(started.elapsed(), OPERATIONS as usize)
                        }
                    })
                }),
            ),
            (
                "moka `get_with`",
                Box::new(|| {
                    let keys = peers();
                    on_a_worker(&runtime, {
                        let moka = moka.clone();
                        async move {
                            let started = Instant::now();
                            for key in keys {
                                moka.get_with(key, async { std::sync::Arc::new([7; 100]) })
                                    .await;
                            }
                            per_operation(started.elapsed(), OPERATIONS as usize)
                        }
                    })
                }),
            ),
            Bar::CostAtMost(1.2),
        )
        .with_note(
            "ours loads in a task of its own, so that a caller who goes away cancels nobody",
        ),
    ]
}

/// Runs `work` where handlers run: on a worker of the runtime.
fn on_a_worker(
    runtime: &tokio::runtime::Runtime,
    work: impl Future<Output = f64> + Send + 'static,
) -> f64 {
    runtime
        .block_on(runtime.spawn(work))
        .expect("no task of a benchmark panics")
}
