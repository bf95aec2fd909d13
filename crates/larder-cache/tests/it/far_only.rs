//! Caches without a near tier: refreshes ahead, and what is kept for loads that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder_cache::{CacheBuilder, LoadError, Loaded, ReadOptions, Source};
use larder_store::{ErrorKind, Ttl};
use larder_test::faulty::{Operations, Trouble};

use crate::support::{Broken, Gate, Process, on_both_stores, until};

const TEN: Ttl = Ttl::from_secs(10);
const HOUR: Ttl = Ttl::from_secs(3_600);

type Builder = CacheBuilder<u32, String>;

fn refreshes(films: Builder) -> Builder {
    films.without_near().with_refresh_after(TEN)
}

fn keeps_stale(films: Builder) -> Builder {
    films.without_near().with_stale_if_error(HOUR)
}

pub(crate) async fn fail_as_a_batch(process: &Process) -> Result<Arc<String>, LoadError<Broken>> {
    let loads = process.loads.clone();
    let load = move |_: Vec<u32>| {
        loads.fetch_add(1, Ordering::SeqCst);
        async { Err::<Vec<(u32, Result<String, Broken>)>, _>(Broken("away")) }
    };
    process.films.get_or_load_many(&[7], load).await.remove(0)
}

pub(crate) async fn until_idle(process: &Process) {
    until("the refresh has ended", || {
        process.films.loads_in_flight() == 0
    })
    .await;
}

on_both_stores! { Manual;
    async fn without_a_near_tier_a_value_past_its_first_age_is_served_while_it_is_refreshed(world: World) {
        let one = world.process_with(refreshes);
        one.load("old").await;
        world.advance(Duration::from_secs(10));
        let gate = Gate::closed();
        for _ in 0..5 {
            let found = one.begin(&gate, "new").await.unwrap().unwrap();
            assert_eq!((found.as_str(), found.source), ("old", Source::Far));
        }
        gate.arrived().await;
        assert_eq!(one.loads(), 2, "one refresh for five readers");
        gate.open();
        until_idle(&one).await;
        let found = one.load("newer").await;
        assert_eq!((found.as_str(), found.source), ("new", Source::Far));
    }

    async fn without_a_near_tier_a_refresh_that_fails_is_not_tried_again_at_every_read(world: World) {
        let one = world.process_with(refreshes);
        for is_batch in [false, true] {
            one.load("old").await;
            world.advance(Duration::from_secs(10));
            let before = one.loads();
            for (pause, loads) in [(0, 1), (1, 2), (1, 2), (1, 3)] {
                world.advance(Duration::from_secs(pause));
                for _ in 0..3 {
                    match is_batch {
                        true => assert_eq!(*fail_as_a_batch(&one).await.unwrap(), "old"),
                        false => assert_eq!(one.fail().await.unwrap().as_str(), "old"),
                    }
                    until_idle(&one).await;
                }
                assert_eq!(one.loads() - before, loads, "is_batch: {is_batch}");
            }
            assert_eq!(one.films.iter_near().count(), 0);
            // A refresh that succeeds ends the pauses.
            world.advance(Duration::from_secs(4));
            one.load("new").await;
            until_idle(&one).await;
            assert_eq!(one.films.stats().near_entries, 0);
            one.films.remove(&7).await.unwrap();
        }
    }

    /// Its claim fails, or its value is too long, or it asks not to be kept.
    async fn without_a_near_tier_a_refresh_whose_value_is_not_kept_is_not_repeated_at_every_read(world: World) {
        let one = world.process_with(|films| refreshes(films).with_max_value(10));
        let loads = |value: &'static str, is_kept: bool| {
            let loads = one.loads.clone();
            let load = move || async move {
                loads.fetch_add(1, Ordering::SeqCst);
                let loaded = Loaded::new(value.to_owned());
                Ok::<_, Broken>(if is_kept { loaded } else { loaded.uncached() })
            };
            one.films.find_or_load(&7, load)
        };
        for (value, is_kept, fails) in [("new", true, true), ("much longer", true, false), ("new", false, false)] {
            let what = format!("{value}, kept: {is_kept}, fails: {fails}");
            one.load("old").await;
            world.advance(Duration::from_secs(10));
            let before = one.loads();
            if fails {
                one.switch.set_on(Operations::Leases, Trouble::Fail(ErrorKind::NotSent));
            }
            for (pause, expected) in [(0, 1), (1, 2), (1, 2), (1, 3)] {
                world.advance(Duration::from_secs(pause));
                for _ in 0..3 {
                    assert_eq!(loads(value, is_kept).await.unwrap().as_str(), "old");
                    until_idle(&one).await;
                }
                assert_eq!(one.loads() - before, expected, "{what}");
            }
            one.switch.clear();
            // A refresh whose value is kept ends the pauses.
            world.advance(Duration::from_secs(4));
            one.load("new").await;
            until_idle(&one).await;
            assert_eq!(one.films.stats().near_entries, 0, "{what}");
            one.films.remove(&7).await.unwrap();
        }
    }

    async fn without_a_near_tier_a_read_without_a_loader_begins_a_refresh_in_a_batch(world: World) {
        let batches = Arc::new(AtomicUsize::new(0));
        let counted = batches.clone();
        let load = move |films: Vec<u32>| {
            counted.fetch_add(1, Ordering::SeqCst);
            let new = films.into_iter().map(|film| (film, Ok("new".to_owned())));
            let new: Vec<(u32, Result<String, Broken>)> = new.collect();
            async { Ok(new) }
        };
        let one = world.process_with(|films| {
            refreshes(films).with_batch_refresh(1, Duration::from_millis(1), load)
        });
        one.load("old").await;
        world.advance(Duration::from_secs(10));
        assert_eq!(*one.films.get(&7).await.unwrap(), "old");
        until("it is refreshed", || batches.load(Ordering::SeqCst) == 1).await;
        until_idle(&one).await;
        assert_eq!(*one.films.get(&7).await.unwrap(), "new");
    }

    /// The stale value is kept here, and removed in another process, and then the store is away.
    async fn without_a_near_tier_a_value_is_not_served_if_the_far_store_cannot_be_asked(world: World) {
        #[derive(Clone, Copy, Debug)]
        enum Ask {
            Skipping,
            Singly,
            AsABatch,
        }
        let set = |films: Builder| keeps_stale(films).without_bus();
        let (one, two) = (world.process_with(set), world.process_with(set));
        for ask in [Ask::Skipping, Ask::Singly, Ask::AsABatch] {
            for is_replaced in [false, true] {
                one.load("old").await;
                world.advance(Duration::from_secs(60));
                assert_eq!(one.fail().await.unwrap().source, Source::Stale);
                if is_replaced {
                    world.advance(Duration::from_secs(1));
                    one.load("new").await;
                }
                two.films.remove(&7).await.unwrap();
                let failed = match ask {
                    Ask::Skipping => {
                        let skips = ReadOptions::new().skip_far();
                        let load = || async { Err::<String, _>(Broken("away")) };
                        let skipped = one.films.find_or_load_with(&7, skips, load);
                        skipped.await.map(|found| found.value)
                    }
                    Ask::Singly => {
                        one.switch.set(Trouble::Fail(ErrorKind::NotSent));
                        one.fail().await.map(|found| found.value)
                    }
                    Ask::AsABatch => {
                        one.switch.set(Trouble::Fail(ErrorKind::NotSent));
                        fail_as_a_batch(&one).await
                    }
                };
                assert!(matches!(failed, Err(LoadError::Loader(_))), "{ask:?}: {failed:?}");
                one.switch.clear();
                world.advance(Duration::from_secs(2));
            }
        }
    }

    async fn without_a_near_tier_a_second_expiry_leaves_the_pause_after_a_failed_load(world: World) {
        let (one, two) = (world.process_with(keeps_stale), world.process_with(keeps_stale));
        one.load("old").await;
        world.advance(Duration::from_secs(60));
        assert_eq!(one.fail().await.unwrap().source, Source::Stale);
        assert_eq!(one.loads(), 2);
        two.films.expire(&7).await.unwrap();
        for _ in 0..3 {
            assert_eq!(one.fail().await.unwrap().source, Source::Stale);
        }
        assert_eq!(one.loads(), 3);
    }
}
