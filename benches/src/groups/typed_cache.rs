//! The typed cache beside other caches: near hits, callers that miss together, round trips.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cached::Cached;
use larder_cache::Cache;
use larder_redis::RedisStore;
use larder_store::{Kind, Store, Ttl};
use larder_test::faulty::Faulty;
use tokio::runtime::Runtime;

use crate::harness::{Bar, Round, Row, compare, per_operation};
use crate::load::runtime;

const FILM: Kind = Kind::evictable("film");
const HOUR: Ttl = Ttl::from_secs(3600);
const KEYS: u64 = 10_000;
const OPERATIONS: usize = 200_000;
const CALLERS: u64 = 1_000;

/// How long a load takes that a thousand callers wait for.
const LOAD: Duration = Duration::from_millis(20);

type Value = [u8; 100];

pub(crate) fn run(url: &str) -> Vec<Row> {
    let runtime = runtime();
    let mut rows = near_hits(&runtime);
    rows.extend(callers_together(&runtime));
    rows.extend(round_trips(&runtime, url));
    rows
}

fn in_process() -> Cache<u64, Value> {
    let cache = Cache::builder(FILM, HOUR).with_max_near_entries(KEYS * 2);
    cache.build().expect("a cache")
}

fn near_hits(runtime: &Runtime) -> Vec<Row> {
    let ours = in_process();
    let quick = quick_cache::sync::Cache::new(2 * KEYS as usize);
    let foyer: foyer_memory::Cache<u64, Arc<Value>> =
        foyer_memory::CacheBuilder::new(2 * KEYS as usize).build();
    let lru = Mutex::new(cached::LruCache::with_size(2 * KEYS as usize));
    runtime.block_on(async {
        for key in 0..KEYS {
            ours.insert(key, [7; 100]).await.expect("it is stored");
        }
    });
    for key in 0..KEYS {
        quick.insert(key, Arc::new([7; 100]));
        foyer.insert(key, Arc::new([7; 100]));
        lock(&lru).cache_set(key, Arc::new([7; 100]));
    }
    let order: Vec<u64> = {
        let mut random = fastrand::Rng::with_seed(7);
        (0..OPERATIONS).map(|_| random.u64(..KEYS)).collect()
    };
    type Get<'a> = &'a dyn Fn(&u64) -> bool;
    let peers: [(&str, Get<'_>); 3] = [
        ("quick_cache `get`", &|key| quick.get(key).is_some()),
        ("foyer `get`", &|key| foyer.get(key).is_some()),
        ("cached, an LRU in a mutex", &|key| {
            lock(&lru).cache_get(key).cloned().is_some()
        }),
    ];
    let hits = |hit: &dyn Fn(&u64) -> bool| {
        let started = Instant::now();
        for key in &order {
            assert!(hit(key));
        }
        per_operation(started.elapsed(), OPERATIONS)
    };
    let rows = peers.into_iter().map(|(name, peer)| {
        let bar = match name.starts_with("quick_cache") {
            // The engine of the near tier itself.
            true => Bar::CostAtMost(1.10),
            false => Bar::None,
        };
        let row = compare(
            "typed cache, near hit: `get_near`",
            21,
            (
                "Cache",
                Box::new(|| hits(&|key| ours.get_near(key).is_some())),
            ),
            (name, Box::new(move || hits(peer))),
            bar,
        );
        row.with_note(match bar {
            Bar::CostAtMost(_) => "ours also looks at the value's deadline, and counts the hit",
            _ => "",
        })
    });
    rows.collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ten keys with a thousand callers each, all of which miss.
fn callers_together(runtime: &Runtime) -> Vec<Row> {
    let peers: [(&str, Round<'_>, Bar); 4] = [
        (
            "the loader alone",
            Box::new(|| {
                runtime.block_on(async {
                    let started = Instant::now();
                    load().await;
                    per_operation(started.elapsed(), 1)
                })
            }),
            Bar::CostAtMost(1.15),
        ),
        (
            "moka `get_with`",
            Box::new(|| {
                let cache = moka::future::Cache::<u64, Arc<Value>>::new(KEYS);
                together(runtime, move |key| {
                    let cache = cache.clone();
                    async move { drop(cache.get_with(key, load()).await) }
                })
            }),
            Bar::None,
        ),
        (
            "quick_cache `get_or_insert_async`",
            Box::new(|| {
                let cache = Arc::new(quick_cache::sync::Cache::new(KEYS as usize));
                together(runtime, move |key| {
                    let cache = cache.clone();
                    async move {
                        let load = async { Ok::<_, Infallible>(load().await) };
                        assert!(cache.get_or_insert_async(&key, load).await.is_ok());
                    }
                })
            }),
            Bar::None,
        ),
        (
            "foyer `get_or_fetch`",
            Box::new(|| {
                let cache: foyer_memory::Cache<u64, Arc<Value>> =
                    foyer_memory::CacheBuilder::new(KEYS as usize).build();
                together(runtime, move |key| {
                    let cache = cache.clone();
                    async move {
                        let load = || async { Ok::<_, Infallible>(load().await) };
                        assert!(cache.get_or_fetch(&key, load).await.is_ok());
                    }
                })
            }),
            Bar::None,
        ),
    ];
    let rows = peers.map(|(name, peer, bar)| {
        let ours = || {
            let cache = in_process();
            together(runtime, move |key| {
                let cache = cache.clone();
                async move {
                    let load = || async { Ok::<_, Infallible>(*load().await) };
                    assert!(cache.get_or_load(&key, load).await.is_ok());
                }
            })
        };
        let what = format!("typed cache, 10 keys of {CALLERS} callers, a load of 20 ms");
        let row = compare(
            what,
            15,
            ("`get_or_load`", Box::new(ours)),
            (name, peer),
            bar,
        );
        row.with_note(match bar {
            Bar::CostAtMost(_) => {
                "10,000 callers are spawned and woken on two cores, as they are with the caches below"
            }
            _ => "",
        })
    });
    rows.into()
}

/// Returns how long it takes until all callers have their answer.
fn together<F>(runtime: &Runtime, call: impl Fn(u64) -> F) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    runtime.block_on(async {
        let started = Instant::now();
        let callers: Vec<_> = (0..10 * CALLERS)
            .map(|caller| tokio::spawn(call(caller % 10)))
            .collect();
        for caller in callers {
            caller.await.expect("no task of a benchmark panics");
        }
        per_operation(started.elapsed(), 1)
    })
}

async fn load() -> Arc<Value> {
    tokio::time::sleep(LOAD).await;
    Arc::new([7; 100])
}

/// The operations that a read takes on Redis, counted.
fn round_trips(runtime: &Runtime, url: &str) -> Vec<Row> {
    let store = runtime.block_on(RedisStore::connect(url)).expect("a store");
    let store = Arc::new(Faulty::new(Arc::new(store)));
    let switch = store.switch();
    let cache: Cache<u64, Vec<u8>> = Cache::builder(FILM, HOUR)
        .with_far(store as Arc<dyn Store>)
        .without_near()
        .build()
        .expect("a cache");
    let reads = 100;
    let mut next = 0;
    let mut misses = || {
        next += reads;
        let before = switch.operations();
        runtime.block_on(async {
            for key in next..next + reads {
                let load = || async { Ok::<_, Infallible>(vec![7; 100]) };
                assert!(cache.get_or_load(&key, load).await.is_ok());
            }
        });
        (switch.operations() - before) as f64 / reads as f64
    };
    misses();
    let hits = || {
        let before = switch.operations();
        runtime.block_on(async {
            for key in reads..2 * reads {
                assert!(cache.get(&key).await.is_some());
            }
        });
        (switch.operations() - before) as f64 / reads as f64
    };
    vec![
        compare(
            "typed cache, round trips of a far hit",
            3,
            ("`get`", Box::new(hits)),
            ("a GET", Box::new(|| 1.0)),
            Bar::NumberAtMost(1.0),
        ),
        compare(
            "typed cache, round trips of a load: read, claim, commit",
            3,
            ("`get_or_load`", Box::new(misses)),
            ("a GET and a SET", Box::new(|| 2.0)),
            Bar::NumberAtMost(3.0),
        ),
    ]
}
