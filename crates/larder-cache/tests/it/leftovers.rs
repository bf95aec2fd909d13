//! An invalidation leaves no older value: neither near, nor far, nor for loads that fail.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use larder_cache::{Cache, CacheBuilder, LoadError, ReadOptions, Source};
use larder_store::{ErrorKind, ManualClock, Store, Ttl};
use larder_test::faulty::{Operations, Trouble};

use crate::support::{
    Act, Gate, Operation, Staged, beside, far_key, films, load, on_both_stores, until,
};

const HOUR: Ttl = Ttl::from_secs(3_600);
const OPTIONS: ReadOptions = ReadOptions::new();

fn keeps_stale(films: CacheBuilder<u32, String>) -> CacheBuilder<u32, String> {
    films.with_stale_if_error(HOUR)
}

/// Builds two caches over a staged store. Film 7 is 'old', and only far.
async fn staged() -> (Cache<u32, String>, Arc<Staged>, ManualClock) {
    let clock = ManualClock::default();
    let store = Arc::new(Staged::new(&clock));
    let build = || {
        let patient = films(&clock).with_store_timeout(Duration::from_secs(20));
        let builder = keeps_stale(patient.with_far(store.clone()));
        builder.build().unwrap()
    };
    build().insert(7, "old".to_owned()).await.unwrap();
    (build(), store, clock)
}

#[tokio::test]
async fn a_stale_value_that_a_removal_overtakes_is_not_kept_for_loads_that_fail() {
    let (one, store, clock) = staged().await;
    clock.advance(Duration::from_secs(61));
    let (gets, reading) = (Gate::closed(), one.clone());
    store.stage(Operation::Get, Act::HoldAfter(gets.clone()));
    let reader =
        tokio::spawn(async move { reading.find_with(&7, OPTIONS.allow_stale()).await.unwrap() });
    gets.arrived().await;
    one.remove(&7).await.unwrap();
    gets.open();
    assert_eq!(reader.await.unwrap().as_str(), "old");
    let options = OPTIONS.allow_stale().skip_far();
    assert!(one.find_with(&7, options).await.is_none());
}

#[tokio::test]
async fn a_far_read_while_a_value_is_found_to_be_gone_is_not_near_after_it() {
    let (one, store, _) = staged().await;
    load(&one, &7, "none").await;
    let (deletes, loading) = (Gate::closed(), one.clone());
    store.stage(Operation::Delete, Act::HoldBefore(deletes.clone()));
    let gone = tokio::spawn(async move {
        let gone = || async { Ok::<_, Infallible>(None::<String>) };
        loading
            .find_or_load_with(&7, OPTIONS.force_fresh(), gone)
            .await
    });
    deletes.arrived().await;
    assert_eq!(one.get(&7).await.unwrap().as_str(), "old");
    deletes.open();
    assert!(gone.await.unwrap().unwrap_err().is_not_found());
    assert!(one.get_near(&7).is_none());
}

#[tokio::test]
async fn an_insert_that_fails_leaves_no_older_value_to_be_read() {
    for removal in [Act::YieldAround, Act::Fail] {
        let (one, store, clock) = staged().await;
        store.stage(Operation::Put, Act::Fail);
        store.stage(Operation::Delete, removal);
        one.insert(7, "new".to_owned()).await.unwrap_err();
        assert_eq!(one.get_near(&7).unwrap().as_str(), "new");
        clock.advance(Duration::from_secs(30));
        assert!(one.get(&7).await.is_none());
    }
}

/// The later change gives up while the earlier one holds the lock of the key, and then succeeds.
#[tokio::test(start_paused = true)]
async fn a_change_that_waits_in_vain_is_not_settled_by_an_earlier_one_that_succeeds() {
    for inserts in [false, true] {
        let clock = ManualClock::default();
        let store = Arc::new(Staged::new(&clock));
        let one = beside(&clock, &store);
        let puts = Gate::closed();
        store.stage(Operation::Put, Act::HoldBefore(puts.clone()));
        let pause = || tokio::time::sleep(Duration::from_millis(20));
        // The load holds the lock for the far timeout, and then the insert does.
        tokio::spawn({
            let one = one.clone();
            async move { load(&one, &7, "loaded").await }
        });
        puts.arrived().await;
        pause().await;
        let first = tokio::spawn({
            let one = one.clone();
            async move { one.insert(7, "first".to_owned()).await }
        });
        pause().await;
        let second = match inserts {
            true => one.insert(7, "second".to_owned()).await,
            false => one.remove(&7).await,
        };
        second.unwrap_err();
        puts.arrived().await;
        puts.open();
        first.await.unwrap().unwrap();
        clock.advance(Duration::from_secs(30));
        assert!(one.get(&7).await.is_none(), "inserts: {inserts}");
    }
}

#[test]
fn a_removal_is_replayed_in_another_runtime_if_its_own_has_ended() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let store = Arc::new(Staged::new(&ManualClock::default()));
    let first = runtime();
    let one = first.block_on(async {
        let one = beside(&ManualClock::default(), &store);
        one.insert(7, "old".to_owned()).await.unwrap();
        store.stage(Operation::Delete, Act::Fail);
        one.remove(&7).await.unwrap_err();
        one
    });
    drop(first);
    store.stage(Operation::Delete, Act::YieldAround);
    runtime().block_on(async {
        assert!(one.get(&7).await.is_none());
        until("it is replayed", || one.stats().invalidations_pending == 0).await;
        assert!(store.model.get(&far_key(7)).await.unwrap().is_none());
    });
}

on_both_stores! { Manual;
    async fn that_there_is_no_value_removes_the_far_one_though_the_far_store_was_left_out(world: World) {
        for skips in [true, false] {
            let one = world.process_with(CacheBuilder::without_bus);
            world.process_with(CacheBuilder::without_bus).load("old").await;
            if !skips {
                one.switch.set(Trouble::Fail(ErrorKind::NotSent));
            }
            let options = match skips {
                true => OPTIONS.skip_far(),
                false => OPTIONS,
            };
            let gone = || async { Ok::<_, Infallible>(None::<String>) };
            let answer = one.films.find_or_load_with(&7, options, gone).await;
            assert!(answer.unwrap_err().is_not_found());
            one.switch.clear();
            assert!(one.films.find(&7).await.is_none(), "skips: {skips}");
            until("it is removed", || one.films.stats().invalidations_pending == 0).await;
            assert!(world.far().await.is_none());
        }
    }

    async fn what_was_loaded_before_a_removal_is_tried_again_is_not_near_after_it(world: World) {
        let one = world.process();
        one.load("old").await;
        one.switch.set(Trouble::Fail(ErrorKind::NotSent));
        one.films.remove(&7).await.unwrap_err();
        assert_eq!(one.load("meanwhile").await.source, Source::Loaded);
        assert!(one.films.get_near(&7).is_some());
        one.switch.clear();
        until("it is tried again", || one.films.stats().invalidations_pending == 0).await;
        assert!(one.films.get_near(&7).is_none());
        assert_eq!(one.load("new").await.source, Source::Loaded);
    }

    async fn an_insert_takes_three_round_trips_and_more_only_over_what_it_does_not_know(world: World) {
        let (one, two) = (world.process(), world.process());
        let reader = world.process_with(CacheBuilder::without_near);
        crate::tiers::listening(&[&one, &two]).await;
        let insert = async |title: &str| {
            let before = one.switch.operations();
            one.films.insert(7, title.to_owned()).await.unwrap();
            let trips = one.switch.operations() - before;
            assert_eq!(reader.films.get(&7).await.unwrap().as_str(), title);
            trips
        };
        assert_eq!(insert("none before").await, 3, "claim, commit, publish");
        assert_eq!(insert("known").await, 3);
        two.films.insert(7, "unknown".to_owned()).await.unwrap();
        until("it is heard", || one.films.get_near(&7).is_none()).await;
        assert_eq!(insert("over it").await, 4);
        let gate = Gate::closed();
        one.films.remove(&7).await.unwrap();
        until("it is heard", || two.films.get_near(&7).is_none()).await;
        let loading = two.begin(&gate, "older");
        gate.arrived().await;
        assert_eq!(insert("over a load").await, 5);
        gate.open();
        assert_eq!(loading.await.unwrap().unwrap().as_str(), "older");
        assert_eq!(reader.films.get(&7).await.unwrap().as_str(), "over a load");
    }

    async fn an_expiry_does_not_bring_back_what_a_removal_could_not_remove(world: World) {
        let one = world.process_with(keeps_stale);
        one.load("old").await;
        one.switch.set_on(Operations::Leases, Trouble::Fail(ErrorKind::NotSent));
        one.films.remove(&7).await.unwrap_err();
        one.switch.clear();
        one.films.expire(&7).await.unwrap();
        let failed = one.fail().await;
        assert!(matches!(failed, Err(LoadError::Loader(_))), "{failed:?}");
        assert!(world.far().await.is_none());
    }

    async fn an_expiry_that_a_removal_in_another_process_overtakes_leaves_nothing(world: World) {
        let process = || world.process_with(|films| keeps_stale(films).without_bus());
        let (one, two) = (process(), process());
        one.load("old").await;
        one.switch.set_on(Operations::Leases, Trouble::Delay(Duration::from_millis(500)));
        let before = one.switch.operations();
        let expiry = tokio::spawn({
            let one = one.clone();
            async move { one.films.expire(&7).await }
        });
        until("it has read", || one.switch.operations() >= before + 2).await;
        two.films.remove(&7).await.unwrap();
        expiry.await.unwrap().unwrap();
        assert!(world.far().await.is_none());
        let failed = two.fail().await;
        assert!(matches!(failed, Err(LoadError::Loader(_))), "{failed:?}");
    }

    async fn an_expiry_takes_four_round_trips_and_leaves_the_value_for_loads_that_fail(world: World) {
        let (one, two) = (world.process_with(keeps_stale), world.process_with(keeps_stale));
        crate::tiers::listening(&[&one, &two]).await;
        one.load("old").await;
        let before = one.switch.operations();
        one.films.expire(&7).await.unwrap();
        assert_eq!(one.switch.operations() - before, 4, "read, claim, commit, publish");
        assert!(one.films.get(&7).await.is_none());
        assert_eq!(two.fail().await.unwrap().source, Source::Stale);
    }

    /// The value of the load is refused, so an expiry has no value to keep.
    async fn an_expiry_during_a_load_in_another_process_ends_that_load(world: World) {
        let process = || world.process_with(|films| keeps_stale(films).without_bus());
        let (one, two) = (process(), process());
        one.load("old").await;
        let gate = Gate::closed();
        let loading = tokio::spawn({
            let (two, gate) = (two.clone(), gate.clone());
            async move {
                let load = || async move {
                    gate.pass().await;
                    Ok::<_, Infallible>("older".to_owned())
                };
                two.films.find_or_load_with(&7, OPTIONS.force_fresh(), load).await
            }
        });
        gate.arrived().await;
        one.films.expire(&7).await.unwrap();
        gate.open();
        assert_eq!(loading.await.unwrap().unwrap().as_str(), "older");
        assert!(two.films.get_near(&7).is_none());
        assert!(one.films.get(&7).await.is_none());
        assert_eq!(one.load("new").await.source, Source::Loaded);
    }

    async fn without_a_near_tier_a_value_that_is_served_stale_is_read_far_each_time(world: World) {
        let process = || world.process_with(|films| keeps_stale(films).without_near());
        let (one, two) = (process(), process());
        one.load("old").await;
        world.advance(Duration::from_secs(61));
        for _ in 0..3 {
            let found = one.fail().await.unwrap();
            assert_eq!((found.as_str(), found.source), ("old", Source::Stale));
        }
        assert_eq!(one.loads(), 2, "the pause has not passed");
        two.films.insert(7, "new".to_owned()).await.unwrap();
        let found = one.load("none").await;
        assert_eq!((found.as_str(), found.source), ("new", Source::Far));
        two.films.remove(&7).await.unwrap();
        assert!(one.films.find(&7).await.is_none());
    }

    async fn after_the_pause_the_far_store_is_asked_again_though_the_value_has_not_ended(world: World) {
        let one = world.process_with(|films| keeps_stale(films).without_bus());
        let two = world.quiet_process();
        one.load("old").await;
        // Its near TTL has passed, its TTL has not.
        world.advance(Duration::from_secs(30));
        one.switch.set(Trouble::Fail(ErrorKind::NotSent));
        assert_eq!(one.fail().await.unwrap().source, Source::Stale);
        one.switch.clear();
        two.films.insert(7, "new".to_owned()).await.unwrap();
        world.advance(Duration::from_secs(1));
        let found = one.load("none").await;
        assert_eq!((found.as_str(), found.source), ("new", Source::Far));
    }
}

#[tokio::test]
async fn a_copy_that_has_ended_does_not_keep_others_from_being_near() {
    let (ahead, here) = (ManualClock::default(), ManualClock::default());
    let store = Arc::new(Staged::new(&here));
    ahead.advance(Duration::from_secs(3_600));
    let old = beside(&ahead, &store).insert(7, "old".to_owned()).await;
    old.unwrap();
    let one = beside(&here, &store);
    assert_eq!(one.get(&7).await.unwrap().as_str(), "old");
    here.advance(Duration::from_secs(30));
    let new = beside(&here, &store).insert(7, "new".to_owned()).await;
    new.unwrap();
    for source in [Source::Far, Source::Near] {
        let found = one.find(&7).await.unwrap();
        assert_eq!((found.as_str(), found.source), ("new", source));
    }
}
