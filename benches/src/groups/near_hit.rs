//! A hit in the near tier, beside moka itself with a fast hasher.

use std::sync::Arc;
use std::time::Instant;

use larder_cache::Cache;
use larder_store::{Kind, Ttl};

use foldhash::fast::RandomState as FastHasher;

use crate::harness::{Bar, Row, compare, per_operation};
use crate::load::runtime;

const FILM: Kind = Kind::evictable("film");
const KEYS: u64 = 10_000;
const OPERATIONS: usize = 200_000;

pub(crate) fn run() -> Vec<Row> {
    let runtime = runtime();
    let raw: moka::sync::Cache<u64, Arc<[u8; 100]>, FastHasher> = moka::sync::Cache::builder()
        .max_capacity(KEYS * 2)
        .build_with_hasher(FastHasher::default());
    let cache: Cache<u64, [u8; 100]> = Cache::builder(FILM, Ttl::from_secs(3600))
        .with_max_near_entries(KEYS * 2)
        .build()
        .expect("a cache");
    runtime.block_on(async {
        for key in 0..KEYS {
            raw.insert(key, Arc::new([7; 100]));
            cache.insert(key, [7; 100]).await.expect("it is stored");
        }
    });
    let order: Vec<u64> = {
        let mut rng = fastrand::Rng::with_seed(7);
        (0..OPERATIONS).map(|_| rng.u64(..KEYS)).collect()
    };
    let moka = || {
        let started = Instant::now();
        for key in &order {
            assert!(raw.get(key).is_some());
        }
        per_operation(started.elapsed(), OPERATIONS)
    };
    let note = "no allocation, which a test asserts";
    vec![
        compare(
            "near hit, 10,000 keys: `get_near`",
            21,
            (
                "Cache",
                Box::new(|| {
                    let started = Instant::now();
                    for key in &order {
                        assert!(cache.get_near(key).is_some());
                    }
                    per_operation(started.elapsed(), OPERATIONS)
                }),
            ),
            ("moka `get`, with a fast hasher", Box::new(moka)),
            Bar::CostAtMost(0.40),
        )
        .with_note(note),
        compare(
            "near hit, 10,000 keys: `get_or_load`",
            21,
            (
                "Cache",
                Box::new(|| {
                    runtime.block_on(async {
                        let started = Instant::now();
                        for key in &order {
                            let loaded = cache.get_or_load(key, never).await;
                            assert!(loaded.is_ok());
                        }
                        per_operation(started.elapsed(), OPERATIONS)
                    })
                }),
            ),
            ("moka `get`, with a fast hasher", Box::new(moka)),
            Bar::CostAtMost(0.40),
        )
        .with_note(note),
    ]
}

async fn never() -> Result<[u8; 100], std::convert::Infallible> {
    unreachable!("every key is near")
}
