//! What reads of a value with an idle TTL cost.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use larder_cache::Cache;
use larder_store::{Clock, ManualClock, Ttl};

use crate::support::{Broken, FILM, Gate, Process, Time, World, until};

const TEN: Ttl = Ttl::from_secs(10);
const HOUR: Ttl = Ttl::from_secs(3_600);

/// Loads film 7 with a loader that takes as long.
async fn load_for(process: &Process, clock: &ManualClock, takes: Duration) {
    let (clock, loads) = (clock.clone(), process.loads.clone());
    let load = || async move {
        loads.fetch_add(1, Ordering::SeqCst);
        clock.advance(takes);
        Ok::<_, Broken>("Metropolis".to_owned())
    };
    process.films.find_or_load(&7, load).await.unwrap();
}

#[tokio::test]
async fn a_near_read_in_the_first_half_of_the_idle_time_costs_nothing_however_long_the_load_took() {
    let world = World::memory(Time::Manual).await;
    let one = world.process_with(|films| films.with_idle_ttl(TEN).with_near_ttl(HOUR.into()));
    // An early refresh is impossible up to 20 times the load before the end.
    load_for(&one, &world.clock, Duration::from_secs(1)).await;
    let before = one.switch.operations();
    for _ in 0..100 {
        world.advance(Duration::from_millis(10));
        assert!(one.films.get_near(&7).is_some());
        tokio::task::yield_now().await;
    }
    assert_eq!(one.switch.operations(), before);
    world.advance(Duration::from_secs(6));
    for _ in 0..100 {
        assert!(one.films.get_near(&7).is_some());
        tokio::task::yield_now().await;
    }
    assert_eq!(one.switch.operations(), before + 1, "it is prolonged once");
}

#[tokio::test]
async fn reads_during_a_refresh_prolong_a_value_no_more_often_than_others() {
    let world = World::memory(Time::Manual).await;
    let one = world.process_with(|films| {
        let films = films
            .with_idle_ttl(Ttl::from_secs(30))
            .with_refresh_after(TEN);
        films.with_near_ttl(HOUR.into())
    });
    one.load("old").await;
    world.advance(Duration::from_secs(10));
    let gate = Gate::closed();
    one.begin(&gate, "new").await.unwrap().unwrap();
    gate.arrived().await;
    let before = one.switch.operations();
    for _ in 0..100 {
        world.advance(Duration::from_millis(10));
        assert!(one.films.get_near(&7).is_some());
        tokio::task::yield_now().await;
    }
    assert_eq!((one.switch.operations(), one.loads()), (before, 2));
    gate.open();
    until("it is refreshed", || one.films.loads_in_flight() == 0).await;
}

#[tokio::test]
async fn a_hot_value_with_an_idle_ttl_is_not_refreshed_long_before_its_end() {
    let world = World::memory(Time::Manual).await;
    let hour = world.clock.now().plus_micros(HOUR.as_micros());
    let films = Cache::<u32, String>::builder(FILM, HOUR)
        .with_jitter(0.0)
        .with_clock(world.clock.clone())
        .with_idle_ttl(TEN)
        .with_lease(TEN)
        .with_far(world.store.clone())
        .build()
        .unwrap();
    let one = Process {
        films,
        switch: world.process().switch,
        loads: Arc::default(),
    };
    for _ in 0..5_000 {
        load_for(&one, &world.clock, Duration::from_secs(2)).await;
        world.advance(Duration::from_millis(10));
        tokio::task::yield_now().await;
    }
    assert!(world.clock.now() < hour);
    assert_eq!(one.loads(), 1);
}

#[tokio::test]
async fn a_value_that_is_read_lives_on_while_its_refreshes_fail() {
    let clock = ManualClock::default();
    let films = Cache::<u32, String>::builder(FILM, HOUR)
        .with_jitter(0.0)
        .with_clock(clock.clone())
        .with_idle_ttl(TEN)
        .with_refresh_after(Ttl::from_secs(60))
        .build()
        .unwrap();
    films.insert(7, "Metropolis".to_owned()).await.unwrap();
    for _ in 0..10_000 {
        clock.advance(Duration::from_millis(10));
        let away = || async { Err::<String, _>(Broken("away")) };
        films.get_or_load(&7, away).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(films.get_near(&7).is_some());
    assert!(films.stats().failed_loads > 3);
}
