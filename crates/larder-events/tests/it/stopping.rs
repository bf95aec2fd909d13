//! Consumers that run: a store that fails or hangs, losses, and the end.

use std::sync::Arc;
use std::time::Duration;

use larder_events::log::{Event, EventLog};
use larder_store::{ErrorKind, Store, Ttl};
use larder_test::faulty::{Operations, Trouble};
use larder_worlds::{World, on_every_store, soon};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep};

use crate::running::{Running, reported};

const DAY: Ttl = Ttl::from_secs(86_400);

fn log(store: &Arc<dyn Store>) -> EventLog<u32> {
    EventLog::new(store.clone(), "test", DAY).unwrap()
}

/// Stops a consumer whose handler never ends. Its next `operations` on the store go wrong, and it hands back the event.
async fn hands_back_one(world: &World, operations: usize, trouble: Trouble) {
    let (store, switch) = world.faulty();
    let (sent, mut seen) = mpsc::unbounded_channel();
    let group = log(&store).group("all", "mail").unwrap();
    let consumer = group.consumer().with_grace(Duration::ZERO);
    let running = Running::start(consumer, move |event| {
        let _ = sent.send(event);
        std::future::pending()
    });
    log(&world.store).append("all", &1).await.unwrap();
    soon(seen.recv()).await.unwrap();
    switch.set_next(operations, trouble);
    let report = running.stop().await;
    assert_eq!(report, reported(|it| it.released = 1));
}

on_every_store! { memory_in_real_time, redis_in_real_time;
    async fn a_consumer_that_runs_reports_what_its_group_has_lost(world: World) {
        let log = log(&world.store).with_max_len(1).with_hard_max_len(1);
        let group = log.group("all", "mail").unwrap();
        group.create().await.unwrap();
        for event in 1..=3 {
            log.append("all", &event).await.unwrap();
        }
        let (sent, mut seen) = mpsc::unbounded_channel();
        let running = Running::start(group.consumer(), move |event: Event<u32>| {
            let sent = sent.clone();
            async move {
                sent.send(event.event).unwrap();
                Ok(())
            }
        });
        assert_eq!(soon(seen.recv()).await, Some(3));
        let report = running.stop().await;
        assert_eq!(report, reported(|it| { it.done = 1; it.lost = 2; }));
    }

    async fn a_consumer_that_stops_hands_back_though_the_store_fails_for_a_moment(world: World) {
        hands_back_one(&world, 2, Trouble::Fail(ErrorKind::NotSent)).await;
    }

    async fn what_a_consumer_hands_back_is_counted_though_the_reply_is_lost(world: World) {
        hands_back_one(&world, 1, Trouble::LoseAnswer).await;
    }

    async fn a_second_signal_ends_the_grace_period(world: World) {
        let (sent, mut seen) = mpsc::unbounded_channel();
        let group = log(&world.store).group("all", "mail").unwrap();
        let force = Arc::new(Notify::new());
        let forced = force.clone();
        // A grace period without an end.
        let consumer = group.consumer().with_grace(Duration::MAX);
        let consumer = consumer.with_force(async move { forced.notified().await });
        let running = Running::start(consumer, move |event| {
            let _ = sent.send(event);
            std::future::pending()
        });
        log(&world.store).append("all", &1).await.unwrap();
        soon(seen.recv()).await.unwrap();
        running.tell();
        sleep(Duration::from_millis(50)).await;
        assert!(!running.is_over());
        force.notify_one();
        let report = running.stop().await;
        assert_eq!(report, reported(|it| it.released = 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_cannot_read_keeps_its_pauses_though_it_is_woken() {
    let world = World::memory().await;
    let (store, switch) = world.faulty();
    let consumer = log(&store).group("all", "mail").unwrap().consumer();
    let running = Running::start(consumer, |_| async { Ok(()) });
    sleep(Duration::from_secs(1)).await;
    switch.set_on(Operations::Programs, Trouble::Fail(ErrorKind::NotSent));
    let before = switch.operations();
    for event in 0..1_000 {
        log(&world.store).append("all", &event).await.unwrap();
        sleep(Duration::from_millis(5)).await;
    }
    let reads = switch.operations() - before;
    assert!((1..20).contains(&reads), "{reads} reads in five seconds");
    switch.clear();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(running.stop().await.done, 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_reports_what_was_lost_though_the_store_fails_before_its_next_read() {
    let world = World::memory().await;
    let (store, switch) = world.faulty();
    let bounded = log(&world.store).with_max_len(1).with_hard_max_len(1);
    let group = bounded.group("all", "mail").unwrap();
    let other = group.consumer();
    group.create().await.unwrap();
    bounded.append("all", &1).await.unwrap();
    assert_eq!(other.read(1).await.unwrap().deliveries.len(), 1);
    // The first is pending and goes; the second is handled: so there is only a loss to read.
    bounded.append("all", &2).await.unwrap();
    let batch = other.read(1).await.unwrap();
    assert_eq!(batch.lost, 1);
    other.ack_many(&batch.deliveries).await.unwrap();
    let consumer = log(&store).group("all", "mail").unwrap().consumer();
    switch.set_next(1, Trouble::Delay(Duration::from_millis(50)));
    let running = Running::start(consumer, |_| async { Ok(()) });
    sleep(Duration::from_millis(10)).await;
    // While it reads for the first time: what it does next fails.
    switch.set_next(1, Trouble::Fail(ErrorKind::NotSent));
    sleep(Duration::from_secs(30)).await;
    assert_eq!(running.stop().await.lost, 1);
}

/// Notes how long after `told` a handler was dropped.
struct Dropped(mpsc::UnboundedSender<Instant>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(Instant::now());
    }
}

/// Runs a handler that is done when it is released and one that never is, makes the store hang after `wait`, and
/// returns how long after a second signal the second handler was dropped and the consumer ended.
async fn forced(lease: Ttl, is_released: bool) -> (Duration, Duration) {
    let world = World::memory().await;
    let (store, switch) = world.faulty();
    let (sent, mut seen) = mpsc::unbounded_channel();
    let (dropping, mut dropped) = mpsc::unbounded_channel();
    let (release, force) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (released, signal) = (release.clone(), force.clone());
    let group = log(&store).group("all", "mail").unwrap().with_lease(lease);
    let consumer = group
        .consumer()
        .with_concurrency(2)
        .with_grace(Duration::MAX);
    let consumer = consumer.with_force(async move { signal.notified().await });
    let running = Running::start(consumer, move |event: Event<u32>| {
        sent.send(event.event).unwrap();
        let (released, dropping) = (released.clone(), dropping.clone());
        async move {
            if event.event == 1 {
                released.notified().await;
                return Ok(());
            }
            let _dropped = Dropped(dropping);
            std::future::pending().await
        }
    });
    for event in 1..=2 {
        log(&world.store).append("all", &event).await.unwrap();
        soon(seen.recv()).await.unwrap();
    }
    switch.set(Trouble::Hang);
    if is_released {
        release.notify_one();
    }
    running.tell();
    // By then it acknowledges, or renews the leases.
    sleep(Duration::from_secs(5)).await;
    let told = Instant::now();
    force.notify_one();
    running.stop().await;
    (soon(dropped.recv()).await.unwrap() - told, told.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_a_consumer_whose_acknowledgement_hangs() {
    let (dropped, ended) = forced(Ttl::from_secs(60), true).await;
    assert!(dropped < Duration::from_millis(100), "{dropped:?}");
    assert!(ended < Duration::from_secs(5), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_a_consumer_whose_renewal_hangs() {
    let (dropped, ended) = forced(Ttl::from_secs(6), false).await;
    assert!(dropped < Duration::from_millis(100), "{dropped:?}");
    assert!(ended < Duration::from_secs(5), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_goes_on_after_a_store_that_never_answered() {
    let world = World::memory().await;
    let (store, switch) = world.faulty();
    let consumer = log(&store).group("all", "mail").unwrap().consumer();
    let running = Running::start(consumer, |_| async { Ok(()) });
    sleep(Duration::from_secs(1)).await;
    switch.set_on(Operations::Programs, Trouble::Hang);
    log(&world.store).append("all", &1).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    switch.clear();
    sleep(Duration::from_secs(60)).await;
    let info = log(&world.store).info("all").await.unwrap();
    assert_eq!((info.groups[0].lag, info.groups[0].pending), (0, 0));
    assert_eq!(running.stop().await.done, 1);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_ends_within_half_a_minute_though_the_store_never_answers() {
    let world = World::memory().await;
    let (store, switch) = world.faulty();
    let (sent, mut seen) = mpsc::unbounded_channel();
    let consumer = log(&store).group("all", "mail").unwrap().consumer();
    let running = Running::start(consumer.with_concurrency(2), move |event: Event<u32>| {
        let _ = sent.send(());
        async move {
            sleep(Duration::from_secs(if event.event == 1 {
                10
            } else {
                1_000
            }))
            .await;
            Ok(())
        }
    });
    for event in 1..=2 {
        log(&world.store).append("all", &event).await.unwrap();
        soon(seen.recv()).await.unwrap();
    }
    switch.set(Trouble::Hang);
    let told = Instant::now();
    running.stop().await;
    assert!(
        told.elapsed() < Duration::from_secs(30),
        "{:?}",
        told.elapsed()
    );
}
