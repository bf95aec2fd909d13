//! The options of one call: what it skips, and what it accepts.

use std::convert::Infallible;
use std::time::Duration;

use larder_cache::{Found, LoadError, ReadOptions, Source};
use larder_store::Ttl;

use crate::support::{Answer, Broken, Gate, Process, on_both_stores, until};

const OPTIONS: ReadOptions = ReadOptions::new();

async fn load(process: &Process, options: ReadOptions, title: &'static str) -> Found<String> {
    let load = || async move { Ok::<_, Infallible>(title.to_owned()) };
    process
        .films
        .find_or_load_with(&7, options, load)
        .await
        .unwrap()
}

async fn fail(process: &Process, options: ReadOptions) -> Answer {
    let fail = || async { Err::<String, _>(Broken("the database is away")) };
    process.films.find_or_load_with(&7, options, fail).await
}

on_both_stores! { Manual;
    async fn a_forced_load_replaces_what_is_cached_in_both_tiers(world: World) {
        let (one, two) = (world.process(), world.process());
        load(&one, OPTIONS, "old").await;
        let found = load(&one, OPTIONS.force_fresh(), "new").await;
        assert_eq!((found.as_str(), found.source), ("new", Source::Loaded));
        assert_eq!(one.films.get_near(&7).unwrap().as_str(), "new");
        assert_eq!(load(&two, OPTIONS, "none").await.as_str(), "new");
        assert!(two.films.find_with(&7, OPTIONS.force_fresh()).await.is_none());
    }

    async fn a_forced_load_takes_no_load_that_began_before_it(world: World) {
        let one = world.process();
        let gate = Gate::closed();
        let earlier = one.begin(&gate, "old");
        gate.arrived().await;
        let forced = tokio::spawn({
            let one = one.clone();
            async move { load(&one, OPTIONS.force_fresh(), "new").await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        gate.open();
        assert_eq!(earlier.await.unwrap().unwrap().as_str(), "old");
        assert_eq!(forced.await.unwrap().as_str(), "new");
        assert_eq!(one.films.get_near(&7).unwrap().as_str(), "new");
    }

    async fn a_forced_load_that_fails_gives_what_is_cached_only_if_asked_to(world: World) {
        let one = world.process_with(|films| films.with_stale_if_error(Ttl::from_secs(60)));
        load(&one, OPTIONS, "old").await;
        let failed = fail(&one, OPTIONS.force_fresh()).await;
        assert!(matches!(failed, Err(LoadError::Loader(_))), "{failed:?}");
        let found = fail(&one, OPTIONS.force_fresh().fall_back_to_cached()).await.unwrap();
        assert_eq!((found.as_str(), found.source), ("old", Source::Near));
        world.advance(Duration::from_secs(61));
        let found = fail(&one, OPTIONS.force_fresh().fall_back_to_cached()).await.unwrap();
        assert_eq!((found.as_str(), found.source), ("old", Source::Stale));
    }

    async fn a_forced_load_that_fails_gives_what_is_cached_far_if_asked_to(world: World) {
        let process = || world.process_with(|films| films.with_stale_if_error(Ttl::from_secs(60)));
        let (one, two, three) = (process(), process(), process());
        load(&one, OPTIONS, "old").await;
        let options = OPTIONS.force_fresh().fall_back_to_cached();
        let found = fail(&two, options).await.unwrap();
        assert_eq!((found.as_str(), found.source), ("old", Source::Far));
        world.advance(Duration::from_secs(61));
        let found = fail(&three, options).await.unwrap();
        assert_eq!((found.as_str(), found.source), ("old", Source::Stale));
        let gone = || async { Ok::<_, Infallible>(None::<String>) };
        let gone = three.films.find_or_load_with(&7, options, gone).await;
        assert!(matches!(gone, Err(LoadError::NotFound)), "{gone:?}");
    }

    async fn a_read_without_a_loader_gets_a_stale_value_only_if_it_allows_it_also_after_a_failed_load(world: World) {
        let one = world.process_with(|films| films.with_stale_if_error(Ttl::from_secs(60)));
        load(&one, OPTIONS, "old").await;
        world.advance(Duration::from_secs(60));
        for _ in 0..2 {
            // The second one is served during the pause after the first.
            assert_eq!(one.fail().await.unwrap().source, Source::Stale);
            assert!(one.films.get_near(&7).is_none());
            assert!(one.films.get(&7).await.is_none());
            assert!(one.films.find(&7).await.is_none());
            let found = one.films.find_with(&7, OPTIONS.allow_stale()).await.unwrap();
            assert_eq!((found.as_str(), found.source), ("old", Source::Stale));
        }
        assert_eq!(one.loads(), 1);
    }

    async fn a_call_that_skips_the_near_tier_neither_reads_nor_fills_it(world: World) {
        let (one, two) = (world.process(), world.process());
        load(&one, OPTIONS.skip_near(), "far").await;
        assert!(one.films.get_near(&7).is_none());
        assert_eq!(two.films.find_with(&7, OPTIONS.skip_near()).await.unwrap().source, Source::Far);
        assert!(two.films.get_near(&7).is_none());
        load(&two, OPTIONS, "none").await;
        assert_eq!(load(&two, OPTIONS.skip_near(), "none").await.source, Source::Far);
    }

    async fn a_call_that_skips_the_far_store_takes_no_round_trip(world: World) {
        let (one, two) = (world.quiet_process(), world.process());
        load(&two, OPTIONS, "far").await;
        assert!(one.films.find_with(&7, OPTIONS.skip_far()).await.is_none());
        let found = load(&one, OPTIONS.skip_far(), "near").await;
        assert_eq!((found.as_str(), found.source), ("near", Source::Loaded));
        assert_eq!(one.switch.operations(), 0);
        assert_eq!(one.films.get_near(&7).unwrap().as_str(), "near");
    }

    async fn a_call_that_allows_stale_gets_it_at_once_and_begins_a_refresh(world: World) {
        let process = || world.process_with(|films| films.with_stale_if_error(Ttl::from_secs(60)));
        let (one, two) = (process(), process());
        load(&one, OPTIONS, "old").await;
        world.advance(Duration::from_secs(61));
        let gate = Gate::closed();
        let held = gate.clone();
        let slow = || async move {
            held.pass().await;
            Ok::<_, Infallible>("new".to_owned())
        };
        let options = OPTIONS.allow_stale();
        let found = one.films.find_or_load_with(&7, options, slow).await.unwrap();
        assert_eq!((found.as_str(), found.source), ("old", Source::Stale));
        gate.arrived().await;
        gate.open();
        until("it is refreshed", || one.films.loads_in_flight() == 0).await;
        assert_eq!(one.films.get_near(&7).unwrap().as_str(), "new");
        assert_eq!(load(&two, OPTIONS, "none").await.as_str(), "new");
    }
}

mod stale {
    use super::*;

    on_both_stores! { Manual;
        async fn a_call_that_allows_stale_gets_what_the_far_store_has_at_once(world: World) {
            let process = || world.process_with(|films| films.with_stale_if_error(Ttl::from_secs(60)));
            let (one, two) = (process(), process());
            load(&one, OPTIONS, "old").await;
            world.advance(Duration::from_secs(61));
            let gate = Gate::closed();
            let held = gate.clone();
            let slow = || async move {
                held.pass().await;
                Ok::<_, Infallible>("new".to_owned())
            };
            let found = two.films.find_or_load_with(&7, OPTIONS.allow_stale(), slow);
            let found = tokio::time::timeout(Duration::from_secs(5), found).await.unwrap().unwrap();
            assert_eq!((found.as_str(), found.source), ("old", Source::Stale));
            gate.arrived().await;
            gate.open();
            until("it is refreshed", || two.films.loads_in_flight() == 0).await;
            assert_eq!(two.films.get_near(&7).unwrap().as_str(), "new");
        }
    }
}

mod far_only {
    use super::*;

    on_both_stores! { Manual;
        async fn without_a_near_tier_every_read_sees_an_acknowledged_invalidation(world: World) {
            let process = || world.process_with(|films| films.without_near());
            let (one, two) = (process(), process());
            assert_eq!(load(&one, OPTIONS, "old").await.source, Source::Loaded);
            for process in [&one, &two] {
                assert_eq!(load(process, OPTIONS, "none").await.source, Source::Far);
                assert!(process.films.get_near(&7).is_none());
            }
            two.films.remove(&7).await.unwrap();
            assert!(one.films.get(&7).await.is_none());
            assert_eq!(load(&one, OPTIONS, "new").await.as_str(), "new");
            assert_eq!(two.films.get(&7).await.unwrap().as_str(), "new");
        }
    }
}
