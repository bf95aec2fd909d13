//! A store whose operations a test controls, gates, and what most tests begin with.

mod backend;
mod gate;
mod staged;
mod world;

use std::sync::Arc;

use larder_cache::{Cache, CacheBuilder, CacheKey};
use larder_store::{Key, Kind, ManualClock, Ttl};
use larder_test::MetricValues;

pub(crate) use backend::{Backend, on_both, over};
pub(crate) use gate::Gate;
pub(crate) use staged::{Act, Operation, Staged};
pub(crate) use world::{Answer, Process, Time, World, on_both_stores, until, until_ready};

pub(crate) const FILM: Kind = Kind::evictable("film");
pub(crate) const MINUTE: Ttl = Ttl::from_secs(60);

/// A loader's error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) &'static str);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Broken {}

/// Returns a recorder of metrics, which adds up those of all kinds.
pub(crate) fn counts() -> MetricValues {
    MetricValues::default().without_label("kind")
}

/// Returns a builder of film titles by number, on a manual clock and without jitter.
pub(crate) fn films(clock: &ManualClock) -> CacheBuilder<u32, String> {
    Cache::builder(FILM, MINUTE)
        .with_jitter(0.0)
        .with_clock(clock.clone())
}

/// Builds a cache of films in this process only.
pub(crate) fn near_films() -> Cache<u32, String> {
    films(&ManualClock::default()).build().unwrap()
}

/// Builds a cache of films over a staged store.
pub(crate) fn far_films() -> (Cache<u32, String>, Arc<Staged>) {
    let clock = ManualClock::default();
    let store = Arc::new(Staged::new(&clock));
    (beside(&clock, &store), store)
}

/// Builds another cache over the same store, as in another process.
pub(crate) fn beside(clock: &ManualClock, store: &Arc<Staged>) -> Cache<u32, String> {
    films(clock).with_far(store.clone()).build().unwrap()
}

/// Returns the far key of a film.
pub(crate) fn far_key(film: u32) -> Key {
    Key::new(FILM, ("v0", film))
}

/// Loads a value with a loader that always has one.
pub(crate) async fn load<K: CacheKey>(
    cache: &Cache<K, String>,
    key: &K,
    value: &'static str,
) -> String {
    let loaded = cache
        .get_or_load(key, || async move { Ok::<_, Broken>(value.to_owned()) })
        .await;
    (*loaded.unwrap()).clone()
}
