//! Two ages, early refresh, and what is served when a load fails or is slow.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder_cache::{Cache, CacheBuilder, LoadError, Loaded, LoaderLayer, ReadOptions, Source};
use larder_store::{ErrorKind, ManualClock, Ttl};
use larder_test::faulty::Trouble;
use tower::{Layer, ServiceExt, service_fn};

use crate::far_only::{fail_as_a_batch, until_idle};
use crate::support::{
    Act, Broken, Gate, Operation, Staged, Time, World, far_key, films, load, on_both_stores, until,
    until_ready,
};

const TEN: Ttl = Ttl::from_secs(10);
const HOUR: Ttl = Ttl::from_secs(3_600);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn short_copies(films: CacheBuilder<u32, String>) -> CacheBuilder<u32, String> {
    films.with_refresh_after(TEN).with_near_ttl(seconds(1))
}

on_both_stores! { Manual;
    async fn a_value_past_its_first_age_is_served_while_it_is_refreshed(world: World) {
        let one = world.process_with(|films| films.with_refresh_after(TEN).with_near_ttl(HOUR.into()));
        one.load("old").await;
        world.advance(seconds(10));
        let gate = Gate::closed();
        for _ in 0..5 {
            let found = one.begin(&gate, "new").await.unwrap().unwrap();
            assert_eq!((found.as_str(), found.source), ("old", Source::Near));
        }
        gate.arrived().await;
        assert_eq!(one.loads(), 2, "one refresh for five readers");
        gate.open();
        until("it is refreshed", || one.films.loads_in_flight() == 0).await;
        let found = one.load("newer").await;
        assert_eq!((found.as_str(), found.source), ("new", Source::Near));
        assert_eq!(world.process().load("none").await.as_str(), "new");
    }

    async fn a_reader_past_the_second_age_waits_for_the_load(world: World) {
        let one = world.process_with(|films| films.with_refresh_after(TEN).with_near_ttl(HOUR.into()));
        one.load("old").await;
        world.advance(seconds(60));
        let found = one.load("new").await;
        assert_eq!((found.as_str(), found.source), ("new", Source::Loaded));
    }

    async fn a_far_value_past_its_first_age_is_served_and_refreshed(world: World) {
        world.process_with(|films| films.with_refresh_after(TEN)).load("old").await;
        world.advance(seconds(20));
        let two = world.process();
        let gate = Gate::closed();
        let found = two.begin(&gate, "new").await.unwrap().unwrap();
        assert_eq!((found.as_str(), found.source), ("old", Source::Far));
        gate.arrived().await;
        gate.open();
        until("it is refreshed", || two.films.loads_in_flight() == 0).await;
        assert_eq!(world.process().load("none").await.as_str(), "new");
    }

    async fn two_processes_refresh_a_value_once(world: World) {
        let process = || world.process_with(|films| films.with_refresh_after(TEN));
        let (one, two) = (process(), process());
        one.load("old").await;
        two.load("none").await;
        world.advance(seconds(20));
        let gate = Gate::closed();
        one.begin(&gate, "new").await.unwrap().unwrap();
        gate.arrived().await;
        let before = two.switch.operations();
        assert_eq!(two.begin(&gate, "newer").await.unwrap().unwrap().as_str(), "old");
        until("the other follows", || two.switch.operations() >= before + 2).await;
        gate.open();
        until("both are done", || {
            one.films.loads_in_flight() + two.films.loads_in_flight() == 0
        })
        .await;
        assert_eq!((one.loads(), two.loads()), (2, 0));
        assert_eq!(two.films.get(&7).await.unwrap().as_str(), "new");
    }

    async fn a_failed_load_serves_the_stale_value_and_is_not_tried_again_for_a_while(world: World) {
        let one = world.process_with(|films| films.with_stale_if_error(HOUR));
        one.load("old").await;
        world.advance(seconds(60));
        for _ in 0..3 {
            let found = one.fail().await.unwrap();
            assert_eq!((found.as_str(), found.source), ("old", Source::Stale));
            assert_eq!(found.age, seconds(60));
        }
        assert_eq!(one.loads(), 2, "the pause of a second has not passed");
        assert_eq!(one.films.stats().stale, 3);
        world.advance(seconds(1));
        assert_eq!(one.fail().await.unwrap().source, Source::Stale);
        assert_eq!(one.loads(), 3);
        world.advance(seconds(1));
        assert_eq!(one.fail().await.unwrap().source, Source::Stale);
        assert_eq!(one.loads(), 3, "the second pause is longer");
        world.advance(seconds(2));
        assert_eq!(one.load("new").await.source, Source::Loaded);
    }

    async fn a_process_that_has_no_copy_serves_the_stale_value_of_the_far_store(world: World) {
        let process = || world.process_with(|films| films.with_stale_if_error(HOUR));
        process().load("old").await;
        world.advance(seconds(61));
        let found = process().fail().await.unwrap();
        assert_eq!((found.as_str(), found.source), ("old", Source::Stale));
    }

    async fn nothing_is_served_past_the_time_for_stale_values(world: World) {
        let one = world.process_with(|films| films.with_stale_if_error(TEN));
        one.load("old").await;
        world.advance(seconds(70));
        let failed = one.fail().await;
        assert!(matches!(failed, Err(LoadError::Loader(_))), "{failed:?}");
    }

    async fn a_refresh_that_finds_nothing_removes_the_value_everywhere(world: World) {
        let set = |films: larder_cache::CacheBuilder<u32, String>| {
            films.with_stale_if_error(HOUR).with_refresh_after(TEN)
        };
        let (one, two) = (world.process_with(set), world.process_with(set));
        one.load("old").await;
        two.load("none").await;
        world.advance(seconds(20));
        let gone = || async { Ok::<_, Broken>(None::<String>) };
        // The value is served once more while the refresh runs.
        assert_eq!(one.films.find_or_load(&7, gone).await.unwrap().as_str(), "old");
        until("it is removed", || one.films.loads_in_flight() == 0).await;
        assert!(one.films.get_near(&7).is_none());
        assert!(world.far().await.is_none());
        until("the other hears of it", || two.films.get_near(&7).is_none()).await;
        let failed = one.fail().await;
        assert!(matches!(failed, Err(LoadError::Loader(_))), "{failed:?}");
        let failed = one.films.find_or_load(&7, gone).await.unwrap_err();
        assert!(failed.is_not_found());
    }

    async fn a_refresh_without_a_near_copy_that_finds_nothing_is_heard_of_everywhere(world: World) {
        let set = |films: CacheBuilder<u32, String>| {
            films.with_negative_ttl(TEN).with_refresh_after(TEN)
        };
        let one = world.process_with(|films| set(films).without_near());
        let two = world.process_with(|films| set(films).with_near_ttl(HOUR.into()));
        one.load("old").await;
        two.load("none").await;
        world.advance(seconds(20));
        assert!(two.films.get_near(&7).is_some());
        let gone = || async { Ok::<_, Broken>(None::<String>) };
        // The value is served once more while the refresh runs.
        assert_eq!(one.films.find_or_load(&7, gone).await.unwrap().as_str(), "old");
        until("the other hears of it", || two.films.get_near(&7).is_none()).await;
        until("the refresh has ended", || one.films.loads_in_flight() == 0).await;
        for process in [&one, &two] {
            let missing = process.load_or("none").await.unwrap_err();
            assert!(missing.is_not_found());
        }
    }

    async fn that_there_is_no_value_is_cached_for_the_negative_ttl(world: World) {
        let process = || world.process_with(|films| films.with_negative_ttl(TEN));
        let (one, two) = (process(), process());
        let gone = || async { Ok::<_, Broken>(None::<String>) };
        for process in [&one, &two] {
            for _ in 0..2 {
                let missing = process.films.find_or_load(&7, gone).await;
                assert!(matches!(missing, Err(LoadError::NotFound)), "{missing:?}");
                let missing = process.load_or("none").await;
                assert!(matches!(missing, Err(LoadError::NotFound)), "{missing:?}");
            }
            assert!(process.films.get(&7).await.is_none());
            assert_eq!(process.loads(), 0);
        }
        world.advance(seconds(10));
        assert_eq!(two.load("Metropolis").await.source, Source::Loaded);
    }

    async fn a_loader_may_say_how_long_there_is_no_value(world: World) {
        let one = world.process();
        let gone = || async { Ok::<_, Broken>(Loaded::<String>::not_found().with_ttl(TEN)) };
        assert!(one.films.find_or_load(&7, gone).await.unwrap_err().is_not_found());
        assert!(one.load_or("none").await.unwrap_err().is_not_found());
        world.advance(seconds(10));
        assert_eq!(one.load("Metropolis").await.as_str(), "Metropolis");
    }

    async fn a_conditional_refresh_keeps_the_value_that_the_source_has_not_changed(world: World) {
        let one = world.process();
        let revalidate = |films: Cache<u32, String>| async move {
            films
                .refresh_or_load(&7, |context| async move {
                    Ok::<_, Infallible>(match context.previous() {
                        Some(previous) => {
                            assert_eq!(*previous, "Metropolis");
                            previous.not_modified()
                        }
                        None => Loaded::new("Metropolis".to_owned()),
                    })
                })
                .await
                .unwrap()
        };
        let first = revalidate(one.films.clone()).await;
        world.advance(seconds(59));
        // The far value is still fresh, but due for a refresh.
        let two = world.process_with(|films| films.with_refresh_after(TEN));
        two.load("none").await;
        let options = ReadOptions::new().force_fresh();
        let load = || async { Ok::<_, Infallible>("Metropolis".to_owned()) };
        assert_eq!(two.films.find_or_load_with(&7, options, load).await.unwrap().age, seconds(0));
        world.advance(seconds(20));
        revalidate(two.films.clone()).await;
        until("it is refreshed", || two.films.loads_in_flight() == 0).await;
        let again = two.films.find(&7).await.unwrap();
        assert_eq!((again.as_str(), again.age), ("Metropolis", seconds(0)));
        assert_eq!(first.as_str(), again.as_str());
    }

    async fn the_age_of_a_value_counts_from_the_start_of_its_load_in_every_tier(world: World) {
        // With the default lease, the moved clock would end the lease during the load.
        let one = world.process_with(|films| films.with_lease(HOUR));
        let two = world.process();
        let gate = Gate::closed();
        let loading = one.begin(&gate, "Metropolis");
        gate.arrived().await;
        world.advance(seconds(5));
        gate.open();
        assert_eq!(loading.await.unwrap().unwrap().age, seconds(5));
        world.advance(seconds(2));
        assert_eq!(one.films.find(&7).await.unwrap().age, seconds(7));
        assert_eq!(two.films.find(&7).await.unwrap().age, seconds(7));
        world.advance_micros(53_000_000 - 1);
        assert!(two.films.get(&7).await.is_some());
        world.advance_micros(1);
        assert!(two.films.get(&7).await.is_none());
    }

    async fn a_value_that_nobody_reads_ends_and_one_that_is_read_lives_up_to_its_ttl(world: World) {
        let process = || world.process_with(|films| films.with_idle_ttl(TEN).with_near_ttl(HOUR.into()));
        let (one, two) = (process(), process());
        one.load("Metropolis").await;
        for _ in 0..8 {
            world.advance(seconds(7));
            if one.films.get_near(&7).is_none() {
                break;
            }
        }
        // 60 s is the TTL, and eight reads are 56 s.
        assert!(one.films.get_near(&7).is_some());
        world.advance(seconds(4));
        assert!(one.films.get_near(&7).is_none());
        assert!(two.films.get(&7).await.is_none());
        one.load("Metropolis").await;
        world.advance(seconds(10));
        assert!(one.films.get_near(&7).is_none());
    }

    /// A near read in the first half of the idle time takes no note of it.
    async fn after_its_last_read_a_value_lives_for_half_its_idle_time_to_the_whole_of_it(world: World) {
        for (last_read, lives_for) in [(0, 10), (4, 6), (5, 10), (9, 10)] {
            let one = world.process_with(|films| films.with_idle_ttl(TEN).with_near_ttl(HOUR.into()));
            one.load("Metropolis").await;
            world.advance(seconds(last_read));
            assert!(one.films.get_near(&7).is_some());
            world.advance_micros(lives_for * 1_000_000 - 1);
            assert!(one.films.iter_near().next().is_some(), "read after {last_read} s");
            world.advance_micros(1);
            assert!(one.films.iter_near().next().is_none(), "read after {last_read} s");
            one.films.remove(&7).await.unwrap();
        }
    }

    async fn a_refresh_that_finds_nothing_removes_the_far_value_of_an_evicted_copy(world: World) {
        let one = world.process_with(|films| {
            films.with_refresh_after(TEN).with_near_ttl(HOUR.into()).with_max_near_entries(1)
        });
        one.load("deleted").await;
        world.advance(seconds(10));
        let gate = Gate::closed();
        let held_up = gate.clone();
        let load = || async move {
            held_up.pass().await;
            Ok::<_, Broken>(None::<String>)
        };
        let found = one.films.find_or_load(&7, load).await.unwrap();
        assert_eq!(found.as_str(), "deleted");
        gate.arrived().await;
        let is_near = || one.films.iter_near().any(|(film, _)| film == 7);
        for film in 8..100 {
            if is_near() {
                one.films.insert(film, "another".to_owned()).await.unwrap();
            }
        }
        assert!(!is_near());
        gate.open();
        until("the refresh has ended", || one.films.loads_in_flight() == 0).await;
        assert!(world.far().await.is_none());
        assert!(world.process().films.get(&7).await.is_none());
    }

    async fn a_tagged_value_that_is_read_lives_up_to_its_ttl(world: World) {
        let films = || world.process_with(|films| films.with_idle_ttl(TEN)).films;
        let load = || async {
            Ok::<_, Broken>(Loaded::new("Metropolis".to_owned()).with_tags(["lang"]))
        };
        films().find_or_load(&7, load).await.unwrap();
        for read in 1..=8 {
            world.advance(seconds(7));
            // A new process has to read the tag too.
            assert!(films().get(&7).await.is_some(), "after {} s", 7 * read);
            let (store, key) = (&world.store, &far_key(7));
            until_ready("it is prolonged", || async move {
                store.ttl(key).await.unwrap().is_some_and(|ttl| ttl > Ttl::from_secs(3))
            })
            .await;
        }
        world.advance(seconds(4));
        assert!(films().get(&7).await.is_none());
    }

    async fn a_value_that_is_kept_by_reads_is_refreshed_at_its_age(world: World) {
        let one = world.process_with(|films| {
            films.with_idle_ttl(TEN).with_refresh_after(Ttl::from_secs(25)).with_near_ttl(HOUR.into())
        });
        for (after, loads) in [(0, 1), (8, 1), (8, 1), (8, 1), (8, 2)] {
            world.advance(seconds(after));
            one.load("Metropolis").await;
            until("the refresh has ended", || one.films.loads_in_flight() == 0).await;
            assert_eq!(one.loads(), loads);
        }
    }

    async fn a_stale_value_is_read_without_a_loader_only_if_the_caller_allows_it(world: World) {
        let one = world.process_with(|films| films.with_stale_if_error(HOUR));
        let two = world.process_with(|films| films.with_stale_if_error(HOUR));
        one.load("old").await;
        world.advance(seconds(60));
        let options = ReadOptions::new().allow_stale();
        for process in [&one, &two] {
            assert!(process.films.get(&7).await.is_none());
            let found = process.films.find_with(&7, options).await.unwrap();
            assert_eq!((found.as_str(), found.source), ("old", Source::Stale));
        }
        // Neither read has removed the stale value, which a failing load needs.
        assert_eq!(one.fail().await.unwrap().source, Source::Stale);
        two.switch.set(Trouble::Fail(ErrorKind::NotSent));
        assert_eq!(two.films.find_with(&7, options).await.unwrap().source, Source::Stale);
        assert_eq!(two.fail().await.unwrap().source, Source::Stale);
    }
}

/// In one thread, so that a refresh has begun when the read that begins it is answered.
#[tokio::test]
async fn the_pause_after_a_failed_refresh_outlives_the_near_copy() {
    let worlds = [
        World::memory(Time::Manual).await,
        World::redis(Time::Manual).await,
    ];
    for (world, is_batch) in worlds.iter().flat_map(|it| [(it, false), (it, true)]) {
        let one = world.process_with(short_copies);
        one.load("old").await;
        world.advance(seconds(10));
        for _ in 0..20 {
            let found = match is_batch {
                true => fail_as_a_batch(&one).await,
                false => one.fail().await.map(|found| found.value),
            };
            assert_eq!(*found.unwrap(), "old");
            until_idle(&one).await;
            world.advance(seconds(1));
        }
        // After 0, 1, 3, 7 and 14 or 15 seconds.
        assert_eq!(one.loads() - 1, 5, "is_batch: {is_batch}");
        one.films.remove(&7).await.unwrap();
    }
}

#[tokio::test]
async fn a_refresh_that_fails_after_its_near_copy_has_ended_pauses_too() {
    let world = World::memory(Time::Manual).await;
    let one = world.process_with(short_copies);
    one.load("old").await;
    world.advance(seconds(10));
    for _ in 0..3 {
        let (clock, loads) = (world.clock.clone(), one.loads.clone());
        let slow = || async move {
            loads.fetch_add(1, Ordering::SeqCst);
            clock.advance(seconds(2));
            Err::<String, _>(Broken("away"))
        };
        let found = one.films.find_or_load(&7, slow).await.unwrap();
        assert_eq!(found.as_str(), "old");
        until_idle(&one).await;
    }
    assert_eq!(one.loads() - 1, 1);
}

#[tokio::test(start_paused = true)]
async fn after_the_soft_timeout_a_stale_value_is_served_and_the_load_goes_on() {
    let clock = ManualClock::default();
    let films = films(&clock)
        .with_stale_if_error(HOUR)
        .with_soft_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    load(&films, &7, "old").await;
    clock.advance(seconds(60));
    let gate = Gate::closed();
    let slow = || {
        let gate = gate.clone();
        move || async move {
            gate.pass().await;
            Ok::<_, Infallible>("new".to_owned())
        }
    };
    for _ in 0..2 {
        let began = tokio::time::Instant::now();
        let found = films.find_or_load(&7, slow()).await.unwrap();
        assert_eq!((found.as_str(), found.source), ("old", Source::Stale));
        assert_eq!(began.elapsed(), Duration::from_millis(50));
    }
    gate.open();
    until("the load is done", || films.loads_in_flight() == 0).await;
    assert_eq!(films.get_near(&7).unwrap().as_str(), "new");
}

/// The reader has no near copy, so it finds the stale value only in the far store.
#[tokio::test(start_paused = true)]
async fn after_the_soft_timeout_a_stale_value_is_served_as_soon_as_a_slow_far_read_finds_it() {
    let clock = ManualClock::default();
    let store = Arc::new(Staged::new(&clock));
    let build = || {
        let films = films(&clock)
            .with_far(store.clone())
            .with_store_timeout(seconds(20))
            .with_stale_if_error(HOUR)
            .with_soft_timeout(Duration::from_millis(50));
        films.build().unwrap()
    };
    build().insert(7, "old".to_owned()).await.unwrap();
    clock.advance(seconds(61));
    let gets = Gate::closed();
    store.stage(Operation::Get, Act::HoldAfter(gets.clone()));
    let one = build();
    let reader = tokio::spawn({
        let one = one.clone();
        let stuck = || pending::<Result<String, Infallible>>();
        async move { one.find_or_load(&7, stuck).await }
    });
    gets.arrived().await;
    // Longer than the soft timeout, and shorter than the load timeout.
    tokio::time::sleep(seconds(1)).await;
    assert!(!reader.is_finished());
    let began = tokio::time::Instant::now();
    gets.open();
    let found = reader.await.unwrap().unwrap();
    assert_eq!((found.as_str(), found.source), ("old", Source::Stale));
    assert!(began.elapsed() < seconds(1));
    assert_eq!(one.loads_in_flight(), 1, "the load goes on");
}

#[tokio::test(start_paused = true)]
async fn without_a_stale_value_the_soft_timeout_has_no_effect() {
    let films = films(&ManualClock::default())
        .with_stale_if_error(HOUR)
        .with_soft_timeout(Duration::from_millis(50))
        .with_load_timeout(seconds(3))
        .build()
        .unwrap();
    let began = tokio::time::Instant::now();
    let stuck = || pending::<Result<String, Infallible>>();
    let late = films.find_or_load(&7, stuck).await;
    assert!(matches!(late, Err(LoadError::TimedOut)), "{late:?}");
    assert_eq!(began.elapsed(), seconds(3));
}

#[tokio::test]
async fn a_late_read_does_not_put_back_a_value_that_the_far_store_has_called_gone() {
    let clock = ManualClock::default();
    let store = Arc::new(Staged::new(&clock));
    let build = || {
        let films = films(&clock).with_far(store.clone()).without_near();
        let films = films.with_stale_if_error(HOUR);
        films.with_store_timeout(seconds(60)).build().unwrap()
    };
    let (one, two) = (build(), build());
    one.insert(7, "old".to_owned()).await.unwrap();
    clock.advance(seconds(60));
    let gate = Gate::closed();
    store.stage(Operation::Get, Act::HoldAfter(gate.clone()));
    let late = tokio::spawn({
        let one = one.clone();
        async move { one.find_with(&7, ReadOptions::new().allow_stale()).await }
    });
    gate.arrived().await;
    store.stage(Operation::Get, Act::YieldAround);
    two.remove(&7).await.unwrap();
    assert!(one.get(&7).await.is_none());
    gate.open();
    let found = late.await.unwrap().unwrap();
    assert_eq!(found.source, Source::Stale, "its caller came before");
    store.stage(Operation::Get, Act::Fail);
    let load = || async { Err::<String, _>(Broken("away")) };
    let failed = one.find_or_load(&7, load).await;
    assert!(matches!(failed, Err(LoadError::Loader(_))), "{failed:?}");
}

#[tokio::test]
async fn a_hot_value_is_refreshed_before_it_ends_by_a_reader_who_does_not_wait() {
    let clock = ManualClock::default();
    let films = films(&clock).build().unwrap();
    let loads = Arc::new(AtomicUsize::new(0));
    let slow = || {
        let (clock, loads) = (clock.clone(), loads.clone());
        move || async move {
            loads.fetch_add(1, Ordering::SeqCst);
            // A load that takes five seconds.
            clock.advance(seconds(5));
            Ok::<_, Infallible>("Metropolis".to_owned())
        }
    };
    films.find_or_load(&7, slow()).await.unwrap();
    // A hundred reads a second: that none of them refreshes has a chance of e^-500.
    for _ in 0..6_000 {
        clock.advance(Duration::from_millis(10));
        let found = films.find_or_load(&7, slow()).await.unwrap();
        assert_eq!(found.source, Source::Near, "a reader has waited");
        tokio::task::yield_now().await;
    }
    assert!(loads.load(Ordering::SeqCst) > 1);
}

#[tokio::test]
async fn a_refresh_that_fails_is_not_tried_again_at_every_read() {
    let clock = ManualClock::default();
    let films = films(&clock).with_refresh_after(TEN).build().unwrap();
    load(&films, &7, "old").await;
    clock.advance(seconds(10));
    let loads = Arc::new(AtomicUsize::new(0));
    for _ in 0..10 {
        let loads = loads.clone();
        let fail = || async move {
            loads.fetch_add(1, Ordering::SeqCst);
            Err::<String, _>(Broken("the database is away"))
        };
        assert_eq!(films.find_or_load(&7, fail).await.unwrap().as_str(), "old");
        tokio::task::yield_now().await;
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_refresh_whose_value_is_not_kept_is_not_repeated_at_every_read() {
    let clock = ManualClock::default();
    let films = films(&clock).with_refresh_after(TEN).build().unwrap();
    load(&films, &7, "old").await;
    clock.advance(seconds(10));
    let loads = Arc::new(AtomicUsize::new(0));
    for _ in 0..10 {
        let loads = loads.clone();
        let load = || async move {
            loads.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Infallible>(Loaded::new("new".to_owned()).uncached())
        };
        assert_eq!(films.find_or_load(&7, load).await.unwrap().as_str(), "old");
        tokio::task::yield_now().await;
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}

/// Loads a film for ten seconds, and returns it when half of its readers refresh it.
async fn half_way_to_a_refresh() -> Cache<u32, String> {
    let clock = ManualClock::default();
    let films = films(&clock).with_max_near_entries(1).build().unwrap();
    let slow = || {
        let clock = clock.clone();
        async move {
            clock.advance(seconds(10));
            Ok::<_, Infallible>("Metropolis".to_owned())
        }
    };
    films.find_or_load(&7, slow).await.unwrap();
    // e^(-left / 10 s) is a half, where left is 10 s * ln 2.
    clock.advance_micros(50_000_000 - 6_931_472);
    films
}

/// Of 400 draws with a chance of a half 200 are expected, and 5 standard deviations are 50.
fn is_a_half(refreshes: usize) -> bool {
    (150..=250).contains(&refreshes)
}

#[tokio::test]
async fn a_reader_draws_once_whether_to_refresh_early() {
    let mut refreshes = [0; 3];
    for _ in 0..400 {
        let films = half_way_to_a_refresh().await;
        load(&films, &7, "new").await;
        refreshes[0] += films.loads_in_flight();

        let films = half_way_to_a_refresh().await;
        let new = || async { Ok::<_, Infallible>("new".to_owned()) };
        films.find_or_load(&7, new).await.unwrap();
        refreshes[1] += films.loads_in_flight();

        let films = half_way_to_a_refresh().await;
        let new = service_fn(|_: u32| async { Ok::<_, Infallible>("new".to_owned()) });
        let service = LoaderLayer::new(films.clone()).layer(new);
        service.oneshot(7).await.unwrap();
        refreshes[2] += films.loads_in_flight();
    }
    assert!(refreshes.into_iter().all(is_a_half), "{refreshes:?}");
}
