//! Load for a contender: so many tasks, each so many operations, one after the other.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Request, Response};
use larder_redis::RedisStore;
use larder_store::Store;
use redis::IntoConnectionInfo;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use tokio::runtime::Runtime;
use tower::{Service, ServiceExt};

use crate::harness::per_operation;

/// A runtime like an app's.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime starts")
}

/// Connects to a store, with a timeout that a busy machine keeps: one that is missed ends the benchmark.
pub(crate) async fn store(url: &str) -> Arc<dyn Store> {
    let builder = RedisStore::builder(url).with_timeout(Duration::from_secs(10));
    Arc::new(builder.connect().await.expect("a store"))
}

/// Runs `task(n)` on `tasks` tasks at once, each of which does `operations` operations, and tells
/// how long one operation took, over all tasks.
pub(crate) fn tasks<F>(
    runtime: &Runtime,
    tasks: usize,
    operations: usize,
    task: impl Fn(usize) -> F,
) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    runtime.block_on(async {
        let started = Instant::now();
        let handles: Vec<_> = (0..tasks).map(|n| tokio::spawn(task(n))).collect();
        for handle in handles {
            handle.await.expect("no task of a benchmark panics");
        }
        per_operation(started.elapsed(), tasks * operations)
    })
}

/// How many requests are made at a time. All at once would take more room than the caches of a core, and
/// displace what a layer keeps, which those of a server do not.
const MADE_AT_ONCE: usize = 64;

/// Sends `request(0)` to `request(requests - 1)` to a service, one after the other, and returns how long one took.
pub(crate) fn drive<S, B>(
    runtime: &Runtime,
    mut service: S,
    requests: usize,
    request: impl Fn(usize) -> Request<Body>,
) -> f64
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
{
    let mut took = Duration::ZERO;
    for first in (0..requests).step_by(MADE_AT_ONCE) {
        let made: Vec<_> = (first..requests.min(first + MADE_AT_ONCE))
            .map(&request)
            .collect();
        took += runtime.block_on(async {
            let started = Instant::now();
            for request in made {
                let ready = service.ready().await.expect("it is ready");
                let response = ready.call(request).await.expect("it answers");
                assert!(response.status().is_success());
            }
            started.elapsed()
        });
    }
    per_operation(took, requests)
}

/// Runs `task(n)` on `tasks` tasks at once, each of which returns how long its operations took, and
/// tells how long one took over all tasks if each timed operation stands for `each`, their median,
/// and their 99th percentile.
pub(crate) fn percentiles<F>(
    runtime: &Runtime,
    tasks: usize,
    each: usize,
    task: impl Fn(usize) -> F,
) -> [f64; 3]
where
    F: Future<Output = Vec<Duration>> + Send + 'static,
{
    runtime.block_on(async {
        let started = Instant::now();
        let tasks: Vec<_> = (0..tasks).map(|n| tokio::spawn(task(n))).collect();
        let mut took = Vec::new();
        for task in tasks {
            took.extend(task.await.expect("no task of a benchmark panics"));
        }
        let elapsed = started.elapsed();
        took.sort_unstable();
        [
            per_operation(elapsed, took.len() * each),
            percentile(&took, 50),
            percentile(&took, 99),
        ]
    })
}

/// The nanoseconds that `percent` of 100 did not exceed, by the nearest rank. `sorted` is in ascending order.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted[rank.max(1) - 1].as_nanos() as f64
}

/// The 99th percentile in nanoseconds.
pub(crate) fn p99(mut took: Vec<Duration>) -> f64 {
    took.sort_unstable();
    percentile(&took, 99)
}

/// A connection of redis-rs as it is, with the same socket option as ours: with the default, Nagle's
/// algorithm joins small commands, which suits a benchmark on one machine and delays them on a
/// network.
pub(crate) async fn raw_connection(url: &str) -> MultiplexedConnection {
    let nodelay = TcpSettings::default().set_nodelay(true);
    let info = url.into_connection_info().expect("a URL");
    let client = redis::Client::open(info.set_tcp_settings(nodelay)).expect("a client");
    let connection = client.get_multiplexed_async_connection().await;
    connection.expect("a connection")
}
