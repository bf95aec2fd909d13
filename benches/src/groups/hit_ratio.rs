//! The hit ratio of the near tier on three traces, beside moka on the same ones.

use std::sync::Arc;

use larder_cache::Cache;
use larder_store::{Kind, Ttl};

use crate::harness::{Bar, Row, compare};
use crate::load::runtime;

const PAGE: Kind = Kind::evictable("page");
const REQUESTS: u64 = 500_000;

/// A key: the edition of what it shows, and its id.
type Key = (u32, u64);

/// Yields the key of request `n`.
type Trace = fn(&mut fastrand::Rng, &Popularity, u64) -> Key;

pub(crate) fn run() -> Vec<Row> {
    let traces: [(&str, u64, Trace); 3] = [
        ("Zipf 0.9 over 100,000 keys, room for 10,000", 10_000, zipf),
        ("the same, half of it scans of new keys", 10_000, scans),
        (
            "searches as Matinee's: editions, popular and rare ones, room for 1,000",
            1_000,
            searches,
        ),
    ];
    let popularity = Popularity::new(100_000, 0.9);
    let rows = traces.map(|(what, room, trace)| {
        let mut rng = fastrand::Rng::with_seed(7);
        let keys: Vec<Key> = (0..REQUESTS)
            .map(|n| trace(&mut rng, &popularity, n))
            .collect();
        let (ours, theirs) = (misses_of_cache(room, &keys), misses_of_moka(room, &keys));
        compare(
            format!("misses of 100 requests: {what}"),
            1,
            ("Cache", Box::new(|| ours)),
            ("moka", Box::new(|| theirs)),
            Bar::NumberAtMost(theirs + 1.0),
        )
        .with_note("one point more than moka's at most")
    });
    rows.into()
}

fn misses_of_cache(room: u64, keys: &[Key]) -> f64 {
    let cache: Cache<Key, u64> = Cache::builder(PAGE, Ttl::from_secs(3600))
        .with_max_near_entries(room)
        .build()
        .expect("a cache");
    runtime().block_on(async {
        let mut misses = 0;
        for key in keys {
            if cache.get_near(key).is_none() {
                misses += 1;
                cache.insert(*key, key.1).await.expect("it is stored");
            }
        }
        of_a_hundred(misses)
    })
}

fn misses_of_moka(room: u64, keys: &[Key]) -> f64 {
    let cache: moka::sync::Cache<Key, Arc<u64>> = moka::sync::Cache::new(room);
    let mut misses = 0;
    for key in keys {
        if cache.get(key).is_none() {
            misses += 1;
            cache.insert(*key, Arc::new(key.1));
        }
    }
    of_a_hundred(misses)
}

fn of_a_hundred(misses: u64) -> f64 {
    misses as f64 * 100.0 / REQUESTS as f64
}

fn zipf(rng: &mut fastrand::Rng, popularity: &Popularity, _: u64) -> Key {
    (0, popularity.draw(rng))
}

/// A scan of 5,000 new keys after every 5,000 requests.
fn scans(rng: &mut fastrand::Rng, popularity: &Popularity, n: u64) -> Key {
    if (n / 5_000).is_multiple_of(2) {
        zipf(rng, popularity, n)
    } else {
        (1, n)
    }
}

/// A new edition, under which nothing is cached, after every 50,000 requests; one search in five
/// is one of a kind.
fn searches(rng: &mut fastrand::Rng, popularity: &Popularity, n: u64) -> Key {
    let edition = (n / 50_000) as u32;
    if rng.u32(..5) == 0 {
        (edition, 1_000_000 + n)
    } else {
        (edition, popularity.draw(rng) % 5_000)
    }
}

/// Ranks by Zipf's law: the weight of rank `r` is `1 / r^exponent`.
struct Popularity {
    sums: Vec<f64>,
}

impl Popularity {
    fn new(ranks: u32, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=ranks)
            .map(|rank| {
                sum += f64::from(rank).powf(-exponent);
                sum
            })
            .collect();
        Self { sums }
    }

    fn draw(&self, rng: &mut fastrand::Rng) -> u64 {
        let total = self.sums.last().copied().unwrap_or_default();
        let drawn = rng.f64() * total;
        self.sums.partition_point(|sum| *sum < drawn) as u64
    }
}
