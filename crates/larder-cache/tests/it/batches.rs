//! Many keys in one call, and one value without a key.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder_cache::{Cache, CacheBuilder, Cached, LoadError, Only, Source};
use larder_store::{Kind, ManualClock, Ttl};
use parking_lot::Mutex;

use crate::support::{Broken, FILM, Gate, MINUTE, films, load, near_films, on_both_stores, until};

type Parts = Vec<(u32, Result<String, Broken>)>;
type Asked = Arc<Mutex<Vec<Vec<u32>>>>;

/// Makes a loader that returns each number as text, and records which numbers it was called with.
fn numbers(
    asked: &Asked,
) -> impl Fn(Vec<u32>) -> std::future::Ready<Result<Parts, Broken>> + use<> {
    let asked = asked.clone();
    move |mut keys| {
        keys.sort_unstable();
        asked.lock().push(keys.clone());
        let parts = keys.into_iter().map(|key| (key, Ok(key.to_string())));
        std::future::ready(Ok(parts.collect()))
    }
}

fn texts(loaded: Vec<Result<Arc<String>, LoadError<Broken>>>) -> Vec<String> {
    loaded
        .into_iter()
        .map(|one| (*one.unwrap()).clone())
        .collect()
}

fn stale_far_only(films: CacheBuilder<u32, String>) -> CacheBuilder<u32, String> {
    films
        .with_stale_if_error(Ttl::from_secs(3_600))
        .without_near()
}

/// A loader that fails.
fn numbers_are_away(_: Vec<u32>) -> std::future::Ready<Result<Parts, Broken>> {
    std::future::ready(Err(Broken("away")))
}

on_both_stores! { Manual;
    async fn missing_keys_are_loaded_together_and_each_once(world: World) {
        let (one, two) = (world.process(), world.process());
        let asked = Asked::default();
        one.load("seven").await;
        let loaded = one.films.get_or_load_many(&[7, 3, 5, 3, 7], numbers(&asked)).await;
        assert_eq!(texts(loaded), ["seven", "3", "5", "3", "seven"]);
        let loaded = two.films.get_or_load_many(&[7, 3, 6], numbers(&asked)).await;
        assert_eq!(texts(loaded), ["seven", "3", "6"]);
        assert_eq!(*asked.lock(), [vec![3, 5], vec![6]]);
    }

    async fn a_batch_reads_once_and_takes_a_lease_and_a_write_for_each_key(world: World) {
        let one = world.process_with(|films| films.without_bus());
        let keys: Vec<u32> = (0..100).collect();
        one.films.get_or_load_many(&keys, numbers(&Asked::default())).await;
        assert_eq!(one.switch.operations(), 1 + 100 + 100);
        let two = world.process_with(|films| films.without_bus());
        two.films.get_or_load_many(&keys, numbers(&Asked::default())).await;
        assert_eq!(two.switch.operations(), 1);
    }

    async fn a_batch_without_a_near_tier_takes_as_many_round_trips(world: World) {
        let keys: Vec<u32> = (0..100).collect();
        for operations in [1 + 100 + 100, 1] {
            let one = world.process_with(|films| films.without_near());
            let loaded = one.films.get_or_load_many(&keys, numbers(&Asked::default())).await;
            assert_eq!(texts(loaded)[99], "99");
            assert_eq!(one.switch.operations(), operations);
        }
    }

    /// The other call has read the stale value before it was removed.
    async fn without_a_near_tier_a_batch_that_follows_a_load_serves_nothing_that_was_removed_before(world: World) {
        let (one, two) = (world.process_with(stale_far_only), world.process_with(stale_far_only));
        one.load("old").await;
        world.advance(Duration::from_secs(60));
        let gate = Gate::closed();
        let leader = tokio::spawn({
            let (films, gate) = (one.films.clone(), gate.clone());
            async move {
                let load = || async move {
                    gate.pass().await;
                    Err::<String, _>(Broken("away"))
                };
                films.get_or_load(&7, load).await.is_ok()
            }
        });
        gate.arrived().await;
        two.films.remove(&7).await.unwrap();
        let before = one.switch.operations();
        let follower = tokio::spawn({
            let films = one.films.clone();
            async move { films.get_or_load_many(&[7], numbers_are_away).await }
        });
        until("it reads far", || one.switch.operations() > before).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        gate.open();
        leader.await.unwrap();
        let answers = follower.await.unwrap();
        assert!(matches!(answers[..], [Err(LoadError::Loader(_))]), "{answers:?}");
    }

    async fn without_a_near_tier_a_batch_keeps_the_pause_after_a_failed_load(world: World) {
        let one = world.process_with(stale_far_only);
        one.load("old").await;
        world.advance(Duration::from_secs(60));
        let asked = Asked::default();
        let fail = || {
            let asked = asked.clone();
            move |keys: Vec<u32>| {
                asked.lock().push(keys.clone());
                numbers_are_away(keys)
            }
        };
        for _ in 0..3 {
            assert_eq!(texts(one.films.get_or_load_many(&[7], fail()).await), ["old"]);
        }
        assert_eq!(*asked.lock(), [vec![7]]);
        world.advance(Duration::from_secs(1));
        assert_eq!(texts(one.films.get_or_load_many(&[7], fail()).await), ["old"]);
        assert_eq!(asked.lock().len(), 2);
    }

    async fn overlapping_batches_of_two_processes_load_each_key_once(world: World) {
        let (one, two) = (world.process(), world.process());
        let (gate, asked) = (Gate::closed(), Asked::default());
        let begin = |process: &crate::support::Process, keys: [u32; 3], gate: &Gate| {
            let (films, gate, asked) = (process.films.clone(), gate.clone(), asked.clone());
            tokio::spawn(async move {
                let load = move |keys: Vec<u32>| {
                    let (gate, asked) = (gate.clone(), asked.clone());
                    async move {
                        gate.pass().await;
                        numbers(&asked)(keys).await
                    }
                };
                texts(films.get_or_load_many(&keys, load).await)
            })
        };
        let first = begin(&one, [1, 2, 3], &gate);
        gate.arrived().await;
        let other = Gate::closed();
        let second = begin(&two, [2, 3, 4], &other);
        other.arrived().await;
        other.open();
        gate.open();
        assert_eq!(first.await.unwrap(), ["1", "2", "3"]);
        assert_eq!(second.await.unwrap(), ["2", "3", "4"]);
        let mut asked = asked.lock().concat();
        asked.sort_unstable();
        assert_eq!(asked, [1, 2, 3, 4]);
    }

    async fn an_error_belongs_to_its_key_and_a_key_left_out_is_not_found(world: World) {
        let one = world.process();
        let load = |keys: Vec<u32>| async move {
            let parts = keys.into_iter().filter(|key| *key != 3).map(|key| match key {
                2 => (key, Err(Broken("two is broken"))),
                key => (key, Ok(key.to_string())),
            });
            Ok::<_, Broken>(parts.collect::<Parts>())
        };
        let loaded = one.films.get_or_load_many(&[1, 2, 3], load).await;
        assert_eq!(loaded[0].as_ref().unwrap().as_str(), "1");
        assert_eq!(loaded[1].as_ref().unwrap_err().loader().unwrap().0, "two is broken");
        assert!(loaded[2].as_ref().unwrap_err().is_not_found());
        // Its lease has ended.
        assert_eq!(texts(world.process().films.get_or_load_many(&[2, 3], numbers(&Asked::default())).await), ["2", "3"]);
    }

    async fn a_key_that_a_batch_loads_is_invalidated_as_any_other(world: World) {
        let (one, two) = (world.process(), world.process());
        let gate = Gate::closed();
        let held = gate.clone();
        let films = one.films.clone();
        let loading = tokio::spawn(async move {
            let load = move |keys: Vec<u32>| {
                let gate = held.clone();
                async move {
                    gate.pass().await;
                    numbers(&Asked::default())(keys).await
                }
            };
            texts(films.get_or_load_many(&[7, 8], load).await)
        });
        gate.arrived().await;
        two.films.remove(&7).await.unwrap();
        gate.open();
        assert_eq!(loading.await.unwrap(), ["7", "8"]);
        assert!(world.far().await.is_none());
        assert!(one.films.get_near(&7).is_none());
        assert!(one.films.get_near(&8).is_some());
    }
}

#[tokio::test]
async fn an_error_or_a_panic_of_a_whole_batch_is_that_of_each_key() {
    let films = near_films();
    let fail = |_: Vec<u32>| async { Err::<Parts, _>(Broken("no database")) };
    let failed = films.get_or_load_many(&[1, 2], fail).await;
    assert!(
        failed
            .iter()
            .all(|one| one.as_ref().unwrap_err().loader().is_some())
    );
    let panics = |keys: Vec<u32>| async move {
        assert!(keys.is_empty(), "on purpose");
        Ok::<Parts, Broken>(Parts::new())
    };
    let failed = films.get_or_load_many(&[1, 2], panics).await;
    assert!(
        failed
            .iter()
            .all(|one| matches!(one, Err(LoadError::Panicked)))
    );
    assert_eq!(films.loads_in_flight(), 0);
    assert_eq!(load(&films, &1, "one").await, "one");
}

#[tokio::test]
async fn a_batch_joins_a_load_of_one_key_and_a_load_of_one_key_a_batch() {
    let films = near_films();
    let (gate, asked) = (Gate::closed(), Asked::default());
    let single = tokio::spawn({
        let (films, gate) = (films.clone(), gate.clone());
        async move {
            let load = || async move {
                gate.pass().await;
                Ok::<_, Broken>("single".to_owned())
            };
            films.get_or_load(&1, load).await.unwrap()
        }
    });
    gate.arrived().await;
    let many = tokio::spawn({
        let (films, load) = (films.clone(), numbers(&asked));
        async move { texts(films.get_or_load_many(&[1, 2], load).await) }
    });
    tokio::task::yield_now().await;
    gate.open();
    assert_eq!(single.await.unwrap().as_str(), "single");
    assert_eq!(many.await.unwrap(), ["single", "2"]);
    assert_eq!(*asked.lock(), [vec![2]]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_hangs_ends_at_the_load_timeout() {
    let films = near_films();
    let stuck = |_: Vec<u32>| std::future::pending::<Result<Parts, Broken>>();
    let late = films.get_or_load_many(&[1, 2], stuck).await;
    assert!(
        late.iter()
            .all(|one| matches!(one, Err(LoadError::TimedOut)))
    );
    until("the flights end", || films.loads_in_flight() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn refreshes_of_single_keys_are_gathered_into_batches() {
    const NUMBER: Kind = Kind::evictable("number");
    let (clock, asked) = (ManualClock::default(), Asked::default());
    let cache = Cache::<u32, String>::builder(NUMBER, MINUTE)
        .with_jitter(0.0)
        .with_clock(clock.clone())
        .with_refresh_after(Ttl::from_secs(10))
        .with_batch_refresh(3, Duration::from_millis(20), numbers(&asked))
        .build()
        .unwrap();
    for key in 0..5 {
        load(&cache, &key, "old").await;
    }
    clock.advance(Duration::from_secs(10));
    for key in 0..5 {
        // Also without a loader.
        assert_eq!(cache.get(&key).await.unwrap().as_str(), "old");
    }
    until("all are refreshed", || {
        (0..5).all(|key| cache.get_near(&key).unwrap().as_str() == key.to_string())
    })
    .await;
    assert_eq!(*asked.lock(), [vec![0, 1, 2], vec![3, 4]]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_refreshes_never_holds_more_than_its_cap() {
    let (clock, asked) = (ManualClock::default(), Asked::default());
    let cache = films(&clock)
        .with_refresh_after(Ttl::from_secs(10))
        .with_batch_refresh(3, Duration::from_millis(20), numbers(&asked))
        .build()
        .unwrap();
    for key in 0..5 {
        load(&cache, &key, "old").await;
    }
    clock.advance(Duration::from_secs(10));
    for keys in [0..2, 2..5] {
        for key in keys {
            cache.get(&key).await.unwrap();
        }
        // The refresher takes the requests out of the channel, which then has room again.
        tokio::task::yield_now().await;
    }
    until("all are refreshed", || {
        (0..5).all(|key| cache.get_near(&key).unwrap().as_str() == key.to_string())
    })
    .await;
    assert!(
        asked.lock().iter().all(|batch| batch.len() <= 3),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_call_for_many_keys_begins_the_refreshes_that_are_due() {
    let (clock, asked) = (ManualClock::default(), Asked::default());
    let cache = films(&clock)
        .with_refresh_after(Ttl::from_secs(10))
        .build()
        .unwrap();
    for key in 1..3 {
        load(&cache, &key, "old").await;
    }
    clock.advance(Duration::from_secs(10));
    let loaded = cache.get_or_load_many(&[1, 2, 3], numbers(&asked)).await;
    assert_eq!(texts(loaded), ["old", "old", "3"]);
    until("both are refreshed", || {
        (1..3).all(|key| cache.get_near(&key).unwrap().as_str() == key.to_string())
    })
    .await;
    let mut asked = asked.lock().clone();
    asked.sort_unstable();
    assert_eq!(asked, [vec![1, 2], vec![3]]);
}

#[tokio::test]
async fn a_batch_that_is_one_load_too_many_serves_what_is_stale() {
    let clock = ManualClock::default();
    let films = films(&clock)
        .with_stale_if_error(Ttl::from_secs(60))
        .with_max_loads(1)
        .build()
        .unwrap();
    load(&films, &7, "old").await;
    clock.advance(Duration::from_secs(60));
    let (gate, other) = (Gate::closed(), films.clone());
    let held = gate.clone();
    let only = tokio::spawn(async move {
        let load = || async move {
            held.pass().await;
            Ok::<_, Broken>("the only load".to_owned())
        };
        other.get_or_load(&8, load).await
    });
    gate.arrived().await;
    let loaded = films
        .get_or_load_many(&[7], numbers(&Asked::default()))
        .await;
    assert_eq!(texts(loaded), ["old"]);
    gate.open();
    only.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_batch_refreshes_what_is_due_together() {
    let clock = ManualClock::default();
    let films = films(&clock).with_refresh_after(Ttl::from_secs(10));
    let films = films.build().unwrap();
    let asked = Asked::default();
    for film in 1..4 {
        load(&films, &film, "old").await;
    }
    clock.advance(Duration::from_secs(10));
    let loaded = films.get_or_load_many(&[1, 2, 3], numbers(&asked)).await;
    assert_eq!(texts(loaded), ["old", "old", "old"]);
    until("all are refreshed", || {
        films.get_near(&3).unwrap().as_str() == "3"
    })
    .await;
    assert_eq!(*asked.lock(), [vec![1, 2, 3]]);
}

#[tokio::test]
async fn a_dropped_call_leaves_its_batch_running() {
    let films = films(&ManualClock::default()).build().unwrap();
    let (gate, loads) = (Gate::closed(), Arc::new(AtomicUsize::new(0)));
    let call = tokio::spawn({
        let (films, gate, loads) = (films.clone(), gate.clone(), loads.clone());
        async move {
            let load = move |keys: Vec<u32>| {
                let (gate, loads) = (gate.clone(), loads.clone());
                async move {
                    gate.pass().await;
                    loads.fetch_add(1, Ordering::SeqCst);
                    let parts = keys.into_iter().map(|key| (key, Ok(key.to_string())));
                    Ok::<Vec<(u32, Result<String, Infallible>)>, Infallible>(parts.collect())
                }
            };
            films.get_or_load_many(&[1, 2], load).await
        }
    });
    gate.arrived().await;
    call.abort();
    gate.open();
    until("the values are near", || films.get_near(&2).is_some()).await;
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

mod single {
    use super::*;

    on_both_stores! { Manual;
        async fn one_value_without_a_key_is_loaded_once_and_removed(world: World) {
            const SETTINGS: Kind = Kind::evictable("settings");
            let process = || -> Cached<String> {
                let builder = Cached::builder(SETTINGS, MINUTE).with_clock(world.clock.clone());
                builder.with_far(world.store.clone()).without_bus().build().unwrap().into()
            };
            let (one, two) = (process(), process());
            let dark = || async { Ok::<_, Broken>("dark".to_owned()) };
            let light = || async { Ok::<_, Broken>("light".to_owned()) };
            assert_eq!(*one.get_or_load(dark).await.unwrap(), "dark");
            assert_eq!(*two.get_or_load(light).await.unwrap(), "dark");
            assert!(two.get_near().is_some());
            one.remove().await.unwrap();
            assert!(one.get().await.is_none());
            assert_eq!(*one.get_or_load(light).await.unwrap(), "light");
        }
    }
}

#[tokio::test]
async fn the_only_value_is_found_with_its_source_and_so_is_its_cache() {
    let settings: Cached<String> = Cached::builder(FILM, MINUTE).build().unwrap().into();
    assert!(settings.find().await.is_none());
    let load = || async { Ok::<_, Broken>("dark".to_owned()) };
    for source in [Source::Loaded, Source::Near] {
        assert_eq!(settings.find_or_load(load).await.unwrap().source, source);
    }
    assert_eq!(settings.find().await.unwrap().source, Source::Near);
    assert_eq!(*settings.cache().get_near(&Only).unwrap(), "dark");
}
