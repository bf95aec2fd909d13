//! One load for all processes: leases, their ends, and late values.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use larder_cache::{CacheBuilder, LoadError, Source};
use larder_store::{ErrorKind, Ttl};
use larder_test::faulty::{Operations, Trouble};
use tokio::time::sleep;

use crate::support::{Gate, on_both_stores, until};

on_both_stores! { Manual;
    async fn of_processes_that_miss_together_one_loads(world: World) {
        let (one, two) = (world.quiet_process(), world.quiet_process());
        let gate = Gate::closed();
        let leader = one.begin(&gate, "Metropolis");
        gate.arrived().await;
        let callers: Vec<_> = (0..20).map(|_| two.begin(&gate, "Nosferatu")).collect();
        // It has read, claimed, and begun to follow.
        until("the other follows", || two.switch.operations() >= 3).await;
        gate.open();
        let led = leader.await.unwrap().unwrap();
        assert_eq!((led.as_str(), led.source), ("Metropolis", Source::Loaded));
        for caller in callers {
            let found = caller.await.unwrap().unwrap();
            // One that begins after the flight has ended finds the value near.
            assert!(matches!(found.source, Source::Far | Source::Near), "{found:?}");
            assert_eq!(found.as_str(), "Metropolis");
        }
        assert_eq!((one.loads(), two.loads()), (1, 0));
    }

    async fn a_follower_does_not_load_before_its_deadline(world: World) {
        let one = world.quiet_process();
        let two = world.process_with(|films| films.with_load_timeout(Duration::from_millis(300)));
        let gate = Gate::closed();
        let leader = one.begin(&gate, "Metropolis");
        gate.arrived().await;
        let late = two.fail().await;
        assert!(matches!(late, Err(LoadError::TimedOut)), "{late:?}");
        assert_eq!(two.loads(), 0);
        gate.open();
        leader.await.unwrap().unwrap();
    }

    async fn a_far_hit_is_one_round_trip_and_a_load_three(world: World) {
        let (one, two) = (world.quiet_process(), world.quiet_process());
        one.load("Metropolis").await;
        assert_eq!(one.switch.operations(), 3, "read, claim, commit");
        assert_eq!(two.load("Nosferatu").await.source, Source::Far);
        assert_eq!(two.switch.operations(), 1);
        let three = world.quiet_process();
        assert_eq!(three.films.find(&7).await.unwrap().source, Source::Far);
        assert_eq!(three.switch.operations(), 1);
    }

    async fn a_leader_that_fails_lets_the_next_process_load_at_once(world: World) {
        let (one, two) = (world.quiet_process(), world.quiet_process());
        for panics in [false, true] {
            let gate = Gate::closed();
            let leader = tokio::spawn({
                let (one, gate) = (one.clone(), gate.clone());
                async move {
                    let load = || async move {
                        gate.pass().await;
                        assert!(!panics, "on purpose");
                        Err::<String, _>("no database")
                    };
                    one.films.get_or_load(&7, load).await.unwrap_err()
                }
            });
            gate.arrived().await;
            let before = two.switch.operations();
            let other = two.begin(&gate, "Nosferatu");
            until("the other follows", || two.switch.operations() >= before + 3).await;
            gate.open();
            let failed = leader.await.unwrap();
            assert_eq!(matches!(failed, LoadError::Panicked), panics, "{failed:?}");
            // By the manual clock the lease would never end.
            gate.arrived().await;
            gate.open();
            assert_eq!(other.await.unwrap().unwrap().as_str(), "Nosferatu");
            two.films.remove(&7).await.unwrap();
        }
    }

    async fn a_load_that_an_invalidation_in_another_process_overtakes_is_stored_nowhere(world: World) {
        let (one, two) = (world.quiet_process(), world.quiet_process());
        let gate = Gate::closed();
        let old = one.begin(&gate, "old");
        gate.arrived().await;
        two.films.remove(&7).await.unwrap();
        gate.open();
        assert_eq!(old.await.unwrap().unwrap().as_str(), "old");
        assert!(world.far().await.is_none());
        assert!(one.films.get_near(&7).is_none());
        assert_eq!(two.load("new").await.as_str(), "new");
    }

    /// The second caller calls after the removal was acknowledged, and joins a load that began before the
    /// removal.
    async fn a_caller_who_joins_a_load_that_another_process_has_overtaken_loads_anew(world: World) {
        let (one, two) = (world.quiet_process(), world.quiet_process());
        let gate = Gate::closed();
        let old = one.begin(&gate, "old");
        gate.arrived().await;
        // No message comes, so the process does not know of the removal.
        two.films.remove(&7).await.unwrap();
        let waiting = one.films.loads_in_flight();
        let joiner = one.begin(&gate, "new");
        sleep(Duration::from_millis(20)).await;
        assert_eq!(one.films.loads_in_flight(), waiting);
        gate.open();
        assert_eq!(old.await.unwrap().unwrap().as_str(), "old");
        gate.open();
        assert_eq!(joiner.await.unwrap().unwrap().as_str(), "new");
        assert_eq!(two.load("none").await.as_str(), "new");
    }

    /// The write of the load fails, so the process does not learn that another one has removed the value.
    async fn without_a_near_tier_nobody_joins_a_load_that_was_not_checked_since(world: World) {
        let far_only = |builder: CacheBuilder<u32, String>| builder.without_near();
        let (one, two) = (world.process_with(far_only), world.process_with(far_only));
        let gate = Gate::closed();
        let old = one.begin(&gate, "old");
        gate.arrived().await;
        two.films.remove(&7).await.unwrap();
        let before = one.switch.operations();
        let joiner = one.begin(&gate, "new");
        until("the joiner has read far", || one.switch.operations() > before).await;
        sleep(Duration::from_millis(20)).await;
        one.switch.set_on(Operations::Leases, Trouble::Fail(ErrorKind::NotSent));
        gate.open();
        assert_eq!(old.await.unwrap().unwrap().as_str(), "old");
        gate.open();
        assert_eq!(joiner.await.unwrap().unwrap().as_str(), "new");
    }

    async fn an_insert_in_one_process_ends_a_load_that_began_before_in_another(world: World) {
        let (one, two) = (world.quiet_process(), world.quiet_process());
        let gate = Gate::closed();
        let old = one.begin(&gate, "old");
        gate.arrived().await;
        two.films.insert(7, "new".to_owned()).await.unwrap();
        gate.open();
        old.await.unwrap().unwrap();
        for process in [&two, &one] {
            assert_eq!(process.load("none").await.as_str(), "new");
        }
    }

    async fn an_insert_that_an_invalidation_overtakes_is_stored_nowhere(world: World) {
        let (one, two) = (world.quiet_process(), world.quiet_process());
        one.load("old").await;
        // It takes the lease, and its commit is delayed.
        one.switch.set_on(Operations::Leases, Trouble::Delay(Duration::from_millis(200)));
        let before = one.switch.operations();
        let insert = tokio::spawn({
            let one = one.clone();
            async move { one.films.insert(7, "older".to_owned()).await }
        });
        until("it commits", || one.switch.operations() >= before + 2).await;
        two.films.remove(&7).await.unwrap();
        insert.await.unwrap().unwrap();
        assert!(world.far().await.is_none());
        assert!(one.films.get_near(&7).is_none());
    }

    async fn a_store_whose_leases_fail_lets_every_process_load_and_writes_nothing(world: World) {
        let one = world.quiet_process();
        one.switch.set_on(Operations::Leases, Trouble::Fail(ErrorKind::NotSent));
        assert_eq!(one.load("Metropolis").await.source, Source::Loaded);
        assert!(world.far().await.is_none());
        assert!(one.films.get_near(&7).is_some());
    }

    /// The value was written, but the process does not know that.
    async fn a_commit_whose_answer_is_lost_leaves_no_near_copy_and_late_callers_read_again(world: World) {
        // The lease is so long that no renewal comes before the commit.
        let one = world.process_with(|films| films.without_bus().with_lease(Ttl::from_secs(3_600)));
        let gate = Gate::closed();
        let leader = one.begin(&gate, "Metropolis");
        gate.arrived().await;
        let joiner = one.begin(&gate, "Nosferatu");
        until("it has joined", || one.films.loads_in_flight() == 1).await;
        sleep(Duration::from_millis(20)).await;
        one.switch.set_next(1, Trouble::LoseAnswer);
        gate.open();
        assert_eq!(leader.await.unwrap().unwrap().source, Source::Loaded);
        let found = joiner.await.unwrap().unwrap();
        assert_eq!((found.as_str(), found.source), ("Metropolis", Source::Far));
        assert_eq!(one.loads(), 1);
    }

    async fn a_value_that_is_not_kept_gives_the_lease_back(world: World) {
        let (one, two) = (world.quiet_process(), world.quiet_process());
        let load = || async {
            let now = larder_cache::Loaded::new("now".to_owned());
            Ok::<_, Infallible>(now.uncached())
        };
        one.films.find_or_load(&7, load).await.unwrap();
        assert_eq!(two.load("Metropolis").await.source, Source::Loaded);
    }
}

mod timed {
    use super::*;

    on_both_stores! { Real;
        async fn a_lease_is_renewed_for_as_long_as_the_loader_runs(world: World) {
            let hold = Ttl::from_millis(600);
            let (one, two) = (
                world.process_with(|films| films.with_lease(hold)),
                world.process_with(|films| films.with_lease(hold)),
            );
            let gate = Gate::closed();
            let leader = one.begin(&gate, "Metropolis");
            gate.arrived().await;
            let follower = two.begin(&gate, "Nosferatu");
            sleep(Duration::from_millis(1_500)).await;
            assert_eq!(two.loads(), 0, "the lease has ended under a loader that runs");
            gate.open();
            assert_eq!(leader.await.unwrap().unwrap().source, Source::Loaded);
            assert_eq!(follower.await.unwrap().unwrap().source, Source::Far);
        }

        async fn a_leader_that_is_killed_is_replaced_within_two_seconds(world: World) {
            let (one, two) = (world.quiet_process(), world.quiet_process());
            let gate = Gate::closed();
            let dying = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            dying.spawn({
                let (one, gate) = (one.clone(), gate.clone());
                async move { one.begin(&gate, "never").await }
            });
            gate.arrived().await;
            let follower = two.begin(&gate, "Metropolis");
            until("the other follows", || two.switch.operations() >= 3).await;
            let killed = Instant::now();
            dying.shutdown_background();
            gate.arrived().await;
            let replaced = killed.elapsed();
            gate.open();
            assert_eq!(follower.await.unwrap().unwrap().as_str(), "Metropolis");
            // The lease ends after at most 1.5 s. The rest is for a busy machine.
            assert!(replaced < Duration::from_millis(2_500), "{replaced:?}");
        }

        async fn a_leader_that_stalls_past_its_lease_wakes_to_a_refused_commit(world: World) {
            let hold = Ttl::from_millis(300);
            let (one, two) = (world.process_with(|films| films.with_lease(hold)), world.quiet_process());
            let gate = Gate::closed();
            let stalled = one.begin(&gate, "late");
            gate.arrived().await;
            // Its renewals fail.
            one.switch.set_on(Operations::Leases, Trouble::Fail(ErrorKind::NotSent));
            assert_eq!(two.load("new").await.source, Source::Loaded);
            one.switch.clear();
            gate.open();
            assert_eq!(stalled.await.unwrap().unwrap().as_str(), "late");
            assert!(one.films.get_near(&7).is_none());
            assert_eq!(one.films.find(&7).await.unwrap().as_str(), "new");
        }
    }
}
