//! Reads and loads after the far store has answered that a value is gone.

use std::time::Duration;

use larder_cache::{CacheBuilder, LoadError, Loaded, Source};
use larder_store::Ttl;
use larder_test::faulty::{Operations, Trouble};

use crate::support::{Answer, Broken, Gate, Process, World, on_both_stores, until};

const HOUR: Ttl = Ttl::from_secs(3_600);
const A_MINUTE: Duration = Duration::from_secs(60);

type Builder = CacheBuilder<u32, String>;

/// Begins two processes that hear nothing of each other.
fn two_that_serve_stale(world: &World) -> (Process, Process) {
    let set = |films: Builder| films.with_stale_if_error(HOUR).with_clear().without_bus();
    (world.process_with(set), world.process_with(set))
}

/// Loads film 7 with a tag, and lets it become stale.
async fn let_it_become_stale(world: &World, process: &Process) {
    let load = || async { Ok::<_, Broken>(Loaded::new("old".to_owned()).with_tags(["lang"])) };
    process.films.find_or_load(&7, load).await.unwrap();
    world.advance(A_MINUTE);
    assert_eq!(process.fail().await.unwrap().source, Source::Stale);
}

async fn remove(world: &World, process: &Process, clears: bool) {
    let removed = match clears {
        true => process.films.clear().await,
        false => process.films.remove_tag("lang").await,
    };
    removed.unwrap();
    // Past the pause after a failed load, and for long enough that the tags are read again.
    world.advance(Duration::from_secs(30));
}

async fn fail_as_a_batch(process: &Process) -> Answer {
    let load = |_: Vec<u32>| async { Err::<Vec<(u32, Result<String, Broken>)>, _>(Broken("away")) };
    let mut loaded = process.films.get_or_load_many(&[7], load).await;
    let found = loaded.pop().unwrap()?;
    panic!("{found} is served");
}

fn has_failed(answer: &Answer) -> bool {
    matches!(answer, Err(LoadError::Loader(_)))
}

on_both_stores! { Manual;
    async fn a_value_that_another_process_removed_by_tag_is_not_served_if_a_load_fails(world: World) {
        let (one, two) = two_that_serve_stale(&world);
        for (clears, is_batch) in [(false, false), (true, false), (false, true)] {
            let_it_become_stale(&world, &one).await;
            remove(&world, &two, clears).await;
            let failed = match is_batch {
                true => fail_as_a_batch(&one).await,
                false => one.fail().await,
            };
            assert!(has_failed(&failed), "{failed:?}");
        }
    }

    async fn a_loader_is_not_given_a_value_that_another_process_removed_by_tag(world: World) {
        let (one, two) = two_that_serve_stale(&world);
        let_it_become_stale(&world, &one).await;
        remove(&world, &two, false).await;
        let load = |context: larder_cache::LoadContext<String>| async move {
            Ok::<_, Broken>(match context.previous() {
                Some(previous) => previous.not_modified(),
                None => Loaded::new("new".to_owned()),
            })
        };
        let found = one.films.refresh_or_load(&7, load).await.unwrap();
        assert_eq!(found.as_str(), "new");
    }

    /// The caller reads the stale value, and the value is removed before its load takes the lease.
    async fn a_value_that_is_gone_when_a_load_takes_its_lease_is_not_served_if_the_load_fails(world: World) {
        let set = |films: Builder| films.with_stale_if_error(HOUR).without_near();
        for other_loads in [false, true] {
            let two = world.process_with(set);
            let one = world.process_with(|films| set(films).with_load_timeout(A_MINUTE / 60));
            two.load("old").await;
            world.advance(A_MINUTE);
            let before = one.switch.operations();
            one.switch.set_on(Operations::Leases, Trouble::Delay(Duration::from_millis(200)));
            let failing = tokio::spawn({
                let one = one.clone();
                async move { one.fail().await }
            });
            until("it claims", || one.switch.operations() >= before + 2).await;
            two.films.remove(&7).await.unwrap();
            let gate = Gate::closed();
            let leader = other_loads.then(|| two.begin(&gate, "new"));
            if leader.is_some() {
                gate.arrived().await;
            }
            let failed = failing.await.unwrap();
            assert_eq!(matches!(failed, Err(LoadError::TimedOut)), other_loads, "{failed:?}");
            assert!(failed.is_err(), "{failed:?}");
            gate.open();
            if let Some(leader) = leader {
                leader.await.unwrap().unwrap();
                two.films.remove(&7).await.unwrap();
            }
        }
    }
}
