//! What is served after an invalidation, for each way in which the load after it may end.

use std::convert::Infallible;

use larder_cache::{LoadError, ReadOptions};
use larder_store::Ttl;

use crate::support::{Broken, Process, World, on_both_stores};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invalidation {
    /// A stale value may be served.
    Expire,
    /// It may not.
    Remove,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Error,
    Timeout,
    Panic,
    NotFound,
    /// Nobody loads: a read without a loader.
    NoLoader,
    /// The same, by a caller who allows a stale value.
    NoLoaderAllowsStale,
}

/// What the caller gets: the stale value, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    Stale,
    Nothing,
}

use End::{Error, NoLoader, NoLoaderAllowsStale, NotFound, Panic, Timeout};
use Invalidation::{Expire, Remove};
use Served::{Nothing, Stale};

const TABLE: [(Invalidation, End, Served); 12] = [
    (Expire, Error, Stale),
    (Expire, Timeout, Stale),
    (Expire, Panic, Stale),
    (Expire, NotFound, Nothing),
    (Expire, NoLoader, Nothing),
    (Expire, NoLoaderAllowsStale, Stale),
    (Remove, Error, Nothing),
    (Remove, Timeout, Nothing),
    (Remove, Panic, Nothing),
    (Remove, NotFound, Nothing),
    (Remove, NoLoader, Nothing),
    (Remove, NoLoaderAllowsStale, Nothing),
];

async fn ends(process: &Process, end: End) -> Served {
    let films = &process.films;
    let (found, expected) = match end {
        Error => {
            let load = || async { Err::<String, _>(Broken("no database")) };
            let found = films.find_or_load(&7, load).await;
            let is_it = matches!(found, Err(LoadError::Loader(_)));
            (found.ok(), is_it)
        }
        Timeout => {
            let load = || std::future::pending::<Result<String, Infallible>>();
            let found = films.find_or_load(&7, load).await;
            let is_it = matches!(found, Err(LoadError::TimedOut));
            (found.ok(), is_it)
        }
        Panic => {
            let load = || async {
                assert!(std::hint::black_box(false), "on purpose");
                Ok::<_, Infallible>(String::new())
            };
            let found = films.find_or_load(&7, load).await;
            let is_it = matches!(found, Err(LoadError::Panicked));
            (found.ok(), is_it)
        }
        NotFound => {
            let load = || async { Ok::<_, Infallible>(None::<String>) };
            let found = films.find_or_load(&7, load).await;
            let is_it = matches!(found, Err(LoadError::NotFound));
            (found.ok(), is_it)
        }
        NoLoader => (films.find(&7).await, true),
        NoLoaderAllowsStale => {
            let options = ReadOptions::new().allow_stale();
            (films.find_with(&7, options).await, true)
        }
    };
    match found {
        Some(found) => {
            assert_eq!(found.as_str(), "old");
            assert_eq!(found.source, larder_cache::Source::Stale);
            Stale
        }
        None => {
            assert!(expected, "another error after {end:?}");
            Nothing
        }
    }
}

async fn row(world: &World, invalidation: Invalidation, end: End, has_copy: bool) -> Served {
    let process = || {
        world.process_with(|films| {
            films
                .with_stale_if_error(Ttl::from_secs(60))
                .with_load_timeout(std::time::Duration::from_secs(1))
        })
    };
    let (one, two) = (process(), process());
    one.films.insert(7, "old".to_owned()).await.unwrap();
    match invalidation {
        Expire => one.films.expire(&7).await.unwrap(),
        Remove => one.films.remove(&7).await.unwrap(),
    }
    let reader = if has_copy { &one } else { &two };
    let served = ends(reader, end).await;
    // Whatever was served, the next load counts.
    let next = || async { Ok::<_, Infallible>("next".to_owned()) };
    let options = ReadOptions::new().force_fresh();
    let next = reader.films.find_or_load_with(&7, options, next).await;
    assert_eq!(next.unwrap().as_str(), "next");
    served
}

on_both_stores! { Manual;
    async fn after_each_invalidation_each_end_of_a_load_serves_what_the_table_says(world: World) {
        for (invalidation, end, served) in TABLE {
            for has_copy in [false, true] {
                let was = row(&world, invalidation, end, has_copy).await;
                assert_eq!(was, served, "{invalidation:?}, {end:?}, a near copy: {has_copy}");
            }
        }
    }
}
