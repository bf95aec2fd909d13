//! Changes of many keys, and what is counted of changes that fail.

use std::time::Duration;

use larder_cache::CacheBuilder;
use larder_store::{ErrorKind, Ttl};
use larder_test::faulty::{Operations, Trouble};

use crate::support::{Time, World, counts, far_films, on_both_stores, until};
use crate::tiers::listening;

const HOUR: Ttl = Ttl::from_secs(3_600);

fn keeps_stale(films: CacheBuilder<u32, String>) -> CacheBuilder<u32, String> {
    films
        .with_stale_if_error(HOUR)
        .with_store_timeout(Duration::from_millis(150))
}

#[tokio::test(start_paused = true)]
async fn an_expiry_of_many_keys_holds_up_few_changes_of_others() {
    let world = World::memory(Time::Real).await;
    let one = world.process_with(keeps_stale);
    let keys: Vec<u32> = (0..1_000).collect();
    for film in &keys {
        one.films.insert(*film, film.to_string()).await.unwrap();
    }
    // An expiry takes two such round trips, for longer than a change waits.
    one.switch.set_on(
        Operations::Leases,
        Trouble::Delay(Duration::from_millis(100)),
    );
    let expiry = tokio::spawn({
        let (films, keys) = (one.films.clone(), keys.clone());
        async move { films.expire_many(&keys).await }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let others: Vec<u32> = (2_000..2_020).collect();
    let removals = others.iter().map(|film| one.films.remove(film));
    let removed = futures_util::future::join_all(removals).await;
    let failed = removed.iter().filter(|removed| removed.is_err()).count();
    // 64 keys have about a fifth of the locks.
    assert!(failed < 14, "{failed} of 20 have failed");
    let expired = expiry.await.unwrap();
    assert!(expired.iter().all(Result::is_ok));
    assert!(one.films.get(&999).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_expiry_of_many_keys_does_not_wait_for_a_failed_store_again_and_again() {
    let world = World::memory(Time::Real).await;
    let one = world.process_with(|films| keeps_stale(films).without_bus());
    let keys: Vec<u32> = (0..1_000).collect();
    one.switch.set(Trouble::Hang);
    let began = tokio::time::Instant::now();
    let expired = one.films.expire_many(&keys).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(expired.len(), 1_000);
    assert!(expired.iter().all(Result::is_err));
    let last = expired[999].as_ref().unwrap_err().to_string();
    assert!(last.contains("will be retried"), "{last}");
    assert_eq!(one.films.stats().invalidations_pending, 1_000);
}

#[tokio::test(start_paused = true)]
async fn an_expiry_of_many_keys_does_not_wait_for_a_store_that_fails_in_between_either() {
    let world = World::memory(Time::Real).await;
    let one = world.process_with(|films| keeps_stale(films).without_bus());
    let keys: Vec<u32> = (0..1_000).collect();
    for film in &keys {
        one.films.insert(*film, film.to_string()).await.unwrap();
    }
    one.switch.set_on(
        Operations::Leases,
        Trouble::Delay(Duration::from_millis(10)),
    );
    let expiry = tokio::spawn({
        let (films, keys) = (one.films.clone(), keys.clone());
        async move { films.expire_many(&keys).await }
    });
    tokio::time::sleep(Duration::from_millis(25)).await;
    one.switch.set(Trouble::Hang);
    let began = tokio::time::Instant::now();
    let expired = expiry.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(expired.len(), 1_000);
    assert!(expired[0].is_ok());
    let last = expired[999].as_ref().unwrap_err().to_string();
    assert!(last.contains("was not tried"), "{last}");
}

#[tokio::test(start_paused = true)]
async fn an_expiry_of_many_keys_that_is_dropped_has_told_of_the_parts_that_were_done() {
    let world = World::memory(Time::Real).await;
    let (one, two) = (world.process_with(keeps_stale), world.process());
    listening(&[&one, &two]).await;
    let (keys, quiet): (Vec<u32>, _) = ((0..128).collect(), world.quiet_process().films);
    for film in &keys {
        quiet.insert(*film, film.to_string()).await.unwrap();
    }
    two.films.get(&0).await.unwrap();
    two.films.get(&127).await.unwrap();
    // Each of the two parts takes two such round trips.
    one.switch.set_on(
        Operations::Leases,
        Trouble::Delay(Duration::from_millis(100)),
    );
    let dropped = one.films.expire_many(&keys);
    let dropped = tokio::time::timeout(Duration::from_millis(250), dropped).await;
    assert!(dropped.is_err());
    until("it is heard", || two.films.get_near(&0).is_none()).await;
    assert!(two.films.get_near(&127).is_some());
}

#[tokio::test(start_paused = true)]
async fn an_expiry_says_which_keys_it_will_not_try_again() {
    let counts = counts();
    let _recording = counts.record();
    let world = World::memory(Time::Real).await;
    let one = world.process_with(|films| keeps_stale(films).without_bus());
    let keys: Vec<u32> = (0..10_100).collect();
    one.switch.set(Trouble::Fail(ErrorKind::NotSent));
    let expired = one.films.expire_many(&keys).await;
    let errors: Vec<_> = expired
        .iter()
        .map(|it| it.as_ref().unwrap_err().to_string())
        .collect();
    let count = |text: &str| errors.iter().filter(|error| error.contains(text)).count();
    // The first part has the errors of the store.
    assert_eq!(
        (count("will be retried"), count("will not be retried")),
        (10_000 - 64, 100)
    );
    assert_eq!(one.films.stats().invalidations_pending, 10_000);
    assert_eq!(
        counts.count("larder_cache_invalidations_dropped_total"),
        100
    );
    assert_eq!(counts.count("larder_cache_far_errors_total delete"), 10_100);
}

#[tokio::test(start_paused = true)]
async fn an_expiry_of_many_keys_is_not_given_up_for_one_slow_change_of_another_call() {
    let counts = counts();
    let _recording = counts.record();
    let world = World::memory(Time::Real).await;
    let one = world.process_with(|films| keeps_stale(films).without_bus());
    let keys: Vec<u32> = (0..1_000).collect();
    for film in &keys {
        one.films.insert(*film, film.to_string()).await.unwrap();
    }
    // An insert takes two such round trips, for longer than a change waits.
    one.switch.set_on(
        Operations::Leases,
        Trouble::Delay(Duration::from_millis(100)),
    );
    let insert = tokio::spawn({
        let films = one.films.clone();
        async move { films.insert(0, "new".to_owned()).await }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let expired = one.films.expire_many(&keys).await;
    let failed = expired.iter().filter(|expired| expired.is_err()).count();
    assert!((1..=64).contains(&failed), "{failed} of 1,000 have failed");
    let counted = counts.count("larder_cache_far_errors_total delete");
    assert_eq!(counted, failed as u64, "{counts:?}");
    let _ = insert.await.unwrap();
}

/// The store has leases neither, and runs no programs.
#[tokio::test]
async fn a_store_that_cannot_note_tags_is_no_fault_of_the_codec() {
    let counts = counts();
    let _recording = counts.record();
    let (films, _) = far_films();
    let tagged = films.insert_with_tags(7, "Metropolis".to_owned(), ["lang"]);
    assert_eq!(tagged.await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(counts.count("larder_cache_far_errors_total encode"), 0);
    assert_eq!(
        counts.count("larder_cache_far_errors_total put"),
        1,
        "{counts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_read_does_not_use_up_the_try_of_a_store_that_kept_failing() {
    let world = World::memory(Time::Manual).await;
    let one = world.process_with(CacheBuilder::without_bus);
    world
        .quiet_process()
        .films
        .insert(8, "eight".to_owned())
        .await
        .unwrap();
    one.switch.set(Trouble::Fail(ErrorKind::NotSent));
    one.films.remove(&7).await.unwrap_err();
    for _ in 0..5 {
        assert!(one.films.get(&8).await.is_none());
    }
    one.switch.clear();
    world.advance(Duration::from_secs(1));
    assert!(one.films.get(&7).await.is_none());
    assert_eq!(*one.films.get(&8).await.unwrap(), "eight");
}

on_both_stores! { Manual;
    async fn a_check_of_near_copies_counts_those_of_changed_tags(world: World) {
        let process = || {
            let set = |films: CacheBuilder<u32, String>| films.with_stale_if_error(HOUR).without_bus();
            world.process_with(set).films
        };
        for is_removal in [false, true] {
            let (one, two) = (process(), process());
            for film in [7, 8] {
                one.insert_with_tags(film, film.to_string(), ["lang"]).await.unwrap();
            }
            two.get(&8).await.unwrap();
            world.advance(Duration::from_secs(10));
            two.get(&7).await.unwrap();
            match is_removal {
                true => one.remove_tag("lang").await.unwrap(),
                false => one.expire_tag("lang").await.unwrap(),
            }
            // This process no longer trusts what it knew of the tag, but still has its copy of film 7.
            world.advance(Duration::from_secs(6));
            let checked = two.check_near(10).await;
            assert_eq!((checked.compared, checked.inconsistent), (1, 1));
        }
    }
}
