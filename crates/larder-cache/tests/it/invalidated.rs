//! What is served after an invalidation, for each outcome of the load after it.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use larder_cache::{Cache, CacheBuilder, LoadError, ReadOptions, Source};

use crate::support::{Broken, FILM, MINUTE, World, on_both_stores};

type Films = Cache<u32, String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invalidation {
    /// The value may still be served stale.
    Expire,
    /// The value may not be served any more.
    Remove,
    ExpireTag,
    RemoveTag,
    /// Removes all values of the cache.
    Clear,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Error,
    Timeout,
    Panic,
    NotFound,
    /// There is no load: a read without a loader.
    NoLoader,
    /// The same, by a caller that allows a stale value.
    NoLoaderAllowsStale,
}

/// Where the reader has the value before it is invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tier {
    NearAndFar,
    /// Another process invalidates, and the reader has no copy.
    FarAlone,
    /// The reader keeps nothing near.
    WithoutNear,
    WithoutFar,
}

/// Whether the caller gets the stale value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    Stale,
    Nothing,
}

use End::{Error, NoLoader, NoLoaderAllowsStale, NotFound, Panic, Timeout};
use Invalidation::{Clear, Expire, ExpireTag, Remove, RemoveTag};
use Served::{Nothing, Stale};

const ENDS: [End; 6] = [
    Error,
    Timeout,
    Panic,
    NotFound,
    NoLoader,
    NoLoaderAllowsStale,
];
const AFTER_AN_EXPIRY: [Served; 6] = [Stale, Stale, Stale, Nothing, Nothing, Stale];
const AFTER_A_REMOVAL: [Served; 6] = [Nothing; 6];

/// A row for each invalidation, a column for each end.
const TABLE: [(Invalidation, [Served; 6]); 5] = [
    (Expire, AFTER_AN_EXPIRY),
    (ExpireTag, AFTER_AN_EXPIRY),
    (Remove, AFTER_A_REMOVAL),
    (RemoveTag, AFTER_A_REMOVAL),
    (Clear, AFTER_A_REMOVAL),
];

const TIERS: [Tier; 4] = [
    Tier::NearAndFar,
    Tier::FarAlone,
    Tier::WithoutNear,
    Tier::WithoutFar,
];

async fn read(films: &Films, film: u32, end: End) -> Served {
    let (found, expected) = match end {
        Error => {
            let load = || async { Err::<String, _>(Broken("the database is away")) };
            let found = films.find_or_load(&film, load).await;
            let is_it = matches!(found, Err(LoadError::Loader(_)));
            (found.ok(), is_it)
        }
        Timeout => {
            let load = || std::future::pending::<Result<String, Infallible>>();
            let found = films.find_or_load(&film, load).await;
            let is_it = matches!(found, Err(LoadError::TimedOut));
            (found.ok(), is_it)
        }
        Panic => {
            let load = || async {
                assert!(std::hint::black_box(false), "on purpose");
                Ok::<_, Infallible>(String::new())
            };
            let found = films.find_or_load(&film, load).await;
            let is_it = matches!(found, Err(LoadError::Panicked));
            (found.ok(), is_it)
        }
        NotFound => {
            let load = || async { Ok::<_, Infallible>(None::<String>) };
            let found = films.find_or_load(&film, load).await;
            let is_it = matches!(found, Err(LoadError::NotFound));
            (found.ok(), is_it)
        }
        NoLoader => (films.find(&film).await, true),
        NoLoaderAllowsStale => {
            let options = ReadOptions::new().allow_stale();
            (films.find_with(&film, options).await, true)
        }
    };
    match found {
        Some(found) => {
            assert_eq!((found.as_str(), found.source), ("old", Source::Stale));
            Stale
        }
        None => {
            assert!(expected, "another error after {end:?}");
            Nothing
        }
    }
}

fn tag(film: u32) -> String {
    format!("tag of film {film}")
}

fn set(films: CacheBuilder<u32, String>) -> CacheBuilder<u32, String> {
    films
        .with_clear()
        .with_stale_if_error(MINUTE)
        .with_load_timeout(Duration::from_secs(1))
}

/// Begins the process that invalidates.
fn changer(world: &World, tier: Tier) -> Films {
    match tier {
        Tier::WithoutFar => {
            let films = Cache::builder(FILM, MINUTE).with_clock(world.clock.clone());
            set(films).build().unwrap()
        }
        _ => world.process_with(set).films,
    }
}

/// Begins the process that reads afterwards. A new process needs no message about earlier invalidations.
fn reader(world: &World, tier: Tier, changer: &Films) -> Films {
    match tier {
        Tier::NearAndFar | Tier::WithoutFar => changer.clone(),
        Tier::FarAlone => world.process_with(set).films,
        Tier::WithoutNear => {
            let far_only = world.process_with(|films| set(films).without_near());
            far_only.films
        }
    }
}

async fn cell(
    world: &World,
    invalidation: Invalidation,
    end: End,
    tier: Tier,
    film: u32,
) -> Served {
    let changer = changer(world, tier);
    let old = changer.insert_with_tags(film, "old".to_owned(), [tag(film)]);
    old.await.unwrap();
    match invalidation {
        Expire => changer.expire(&film).await,
        Remove => changer.remove(&film).await,
        ExpireTag => changer.expire_tag(tag(film)).await,
        RemoveTag => changer.remove_tag(tag(film)).await,
        Clear => changer.clear().await,
    }
    .unwrap();
    let reader = reader(world, tier, &changer);
    let served = read(&reader, film, end).await;
    // Whatever was served, the value of the next load replaces it.
    let next = || async { Ok::<_, Infallible>("next".to_owned()) };
    let options = ReadOptions::new().force_fresh();
    let next = reader.find_or_load_with(&film, options, next).await;
    assert_eq!(next.unwrap().as_str(), "next");
    served
}

on_both_stores! { Manual;
    async fn after_each_invalidation_each_end_of_a_load_serves_what_the_table_says(world: World) {
        for (row, (invalidation, served)) in TABLE.into_iter().enumerate() {
            let cells = ENDS.into_iter().zip(served).flat_map(|cell| TIERS.map(|tier| (cell, tier)));
            // Concurrently, because some wait for a timeout.
            let cells = cells.enumerate().map(|(at, ((end, expected), tier))| {
                let film = (row * 100 + at) as u32;
                let world = &world;
                async move {
                    let served = cell(world, invalidation, end, tier, film).await;
                    assert_eq!(served, expected, "{invalidation:?}, {end:?}, {tier:?}");
                }
            });
            join_all(cells).await;
        }
    }
}
