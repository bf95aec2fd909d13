use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_events::log::{Consumer, Event, EventError, EventId, EventLog, Group, Settled};
use larder_store::{ErrorKind, Store, Ttl};
use larder_test::faulty::Trouble;
use larder_worlds::{on_every_store, soon, until};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::running::{Running, reported};

const DAY: Ttl = Ttl::from_secs(86_400);

fn log(store: &Arc<dyn Store>) -> EventLog<u32> {
    EventLog::new(store.clone(), "test", DAY).unwrap()
}

fn group(store: &Arc<dyn Store>) -> Group<u32> {
    log(store).group("all", "mail").unwrap()
}

/// Runs a consumer whose events are sent to `seen` before `answer` decides on them.
fn run(
    consumer: Consumer<u32>,
    seen: mpsc::UnboundedSender<Event<u32>>,
    answer: impl Fn(Event<u32>) -> Result<(), EventError> + Send + Sync + 'static,
) -> Running {
    let answer = Arc::new(answer);
    Running::start(consumer, move |event| {
        let answer = answer.clone();
        let _ = seen.send(event.clone());
        async move { answer(event) }
    })
}

/// An error with a bug.
#[derive(Debug)]
struct Awkward;

impl std::fmt::Display for Awkward {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("it cannot be shown")
    }
}

impl std::error::Error for Awkward {}

on_every_store! { memory_in_real_time, redis_in_real_time;
    async fn a_running_consumer_handles_each_event_and_is_woken_by_an_append(world: World) {
        let (sent, mut seen) = mpsc::unbounded_channel();
        let run = run(group(&world.store).consumer(), sent, |_| Ok(()));
        for event in 1..=3 {
            log(&world.store).append("all", &event).await.unwrap();
            let handled = soon(seen.recv()).await.unwrap();
            assert_eq!((handled.event, handled.count), (event, 1));
        }
        let report = run.stop().await;
        assert_eq!(report, reported(|it| it.done = 3));
        let info = log(&world.store).info("all").await.unwrap();
        assert_eq!((info.groups[0].pending, info.groups[0].lag), (0, 0));
    }

    async fn a_handler_that_fails_or_panics_is_tried_again_until_the_event_is_dead(world: World) {
        let (sent, mut seen) = mpsc::unbounded_channel();
        let group = group(&world.store).with_max_deliveries(3);
        let consumer = group.consumer().with_concurrency(4).with_backoff(Duration::from_millis(5));
        let run = run(consumer, sent, |event| match (event.event, event.count) {
            (1, 1) => Err("the first time it fails".into()),
            (2, 1) => panic!("the first time it panics"),
            (3, _) => Err(EventError::dead("it is of no use")),
            (4, _) => Err(EventError::retry_after(Duration::from_millis(1), "not yet")),
            (5, 1) => Err(Awkward.into()),
            _ => Ok(()),
        });
        log(&world.store).append_many("all", &[1, 2, 3, 4, 5]).await;
        let mut counts = BTreeMap::new();
        for _ in 0..10 {
            let event = soon(seen.recv()).await.unwrap();
            counts.insert(event.event, event.count);
        }
        assert_eq!(counts, BTreeMap::from([(1, 2), (2, 2), (3, 1), (4, 3), (5, 2)]));
        let dead = async || log(&world.store).dead_letters("all", EventId::ZERO, 9).await.unwrap();
        until("dead", async || dead().await.len() == 2).await;
        let reasons: BTreeMap<_, _> = dead().await.into_iter().map(|it| (it.event, it.reason)).collect();
        assert_eq!(reasons[&Some(3)], "it is of no use");
        assert_eq!(reasons[&Some(4)], "too many deliveries");
        let report = run.stop().await;
        assert_eq!(report, reported(|it| { it.done = 3; it.retried = 6; it.dead = 1; }));
    }

    async fn an_event_that_is_tried_again_comes_after_later_ones(world: World) {
        let (sent, mut seen) = mpsc::unbounded_channel();
        log(&world.store).append_many("all", &[1, 2]).await;
        let consumer = group(&world.store).consumer().with_backoff(Duration::from_secs(1));
        let run = run(consumer, sent, |event| match (event.event, event.count) {
            (1, 1) => Err("the first time it fails".into()),
            _ => Ok(()),
        });
        let mut order = Vec::new();
        for _ in 0..3 {
            order.push(soon(seen.recv()).await.unwrap().event);
        }
        assert_eq!(order, [1, 2, 1]);
        assert_eq!(run.stop().await.done, 2);
    }

    async fn a_consumer_that_stops_hands_back_what_its_handlers_have_not_done(world: World) {
        let (sent, mut seen) = mpsc::unbounded_channel();
        let group = group(&world.store);
        let consumer = group.consumer().with_concurrency(2).with_grace(Duration::from_millis(50));
        let running = Running::start(consumer, move |event| {
            let sent = sent.clone();
            async move {
                sent.send(event.event).unwrap();
                if event.event == 2 {
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        });
        log(&world.store).append_many("all", &[1, 2]).await;
        soon(seen.recv()).await.unwrap();
        soon(seen.recv()).await.unwrap();
        let report = running.stop().await;
        assert_eq!(report, reported(|it| { it.done = 1; it.released = 1; }));
        // It is delivered to another consumer at once, and not after the lease.
        let batch = soon(group.consumer().next(9, Duration::from_secs(20))).await.unwrap();
        assert_eq!(batch.deliveries.iter().map(|it| (it.event, it.count)).collect::<Vec<_>>(), [(Some(2), 2)]);
    }

    async fn a_handler_that_takes_longer_than_the_lease_keeps_its_event(world: World) {
        let group = group(&world.store).with_lease(Ttl::from_millis(1_500));
        let (sent, mut seen) = mpsc::unbounded_channel();
        let release = Arc::new(Notify::new());
        let running = Running::held(group.consumer(), sent, release.clone());
        log(&world.store).append("all", &1).await.unwrap();
        soon(seen.recv()).await.unwrap();
        let other = group.consumer();
        let end = Instant::now() + Duration::from_millis(2_500);
        while Instant::now() < end {
            assert!(other.read(1).await.unwrap().deliveries.is_empty(), "the lease has ended");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        release.notify_one();
        let report = running.stop().await;
        assert_eq!(report, reported(|it| it.done = 1));
    }

    async fn a_consumer_goes_on_after_errors_of_the_store(world: World) {
        let (store, switch) = world.faulty();
        let (sent, mut seen) = mpsc::unbounded_channel();
        switch.set_next(3, Trouble::Fail(ErrorKind::NotSent));
        let run = run(group(&store).consumer(), sent, |_| Ok(()));
        log(&world.store).append("all", &1).await.unwrap();
        assert_eq!(soon(seen.recv()).await.unwrap().event, 1);
        let report = run.stop().await;
        assert_eq!(report, reported(|it| it.done = 1));
    }

    async fn an_acknowledgement_is_sent_until_the_store_answers(world: World) {
        let (store, switch) = world.faulty();
        let (sent, mut seen) = mpsc::unbounded_channel();
        let release = Arc::new(Notify::new());
        let running = Running::held(group(&store).consumer(), sent, release.clone());
        log(&world.store).append("all", &1).await.unwrap();
        soon(seen.recv()).await.unwrap();
        switch.set_next(7, Trouble::Fail(ErrorKind::NotSent));
        release.notify_one();
        let pending = async || log(&world.store).info("all").await.unwrap().groups[0].pending;
        until("acknowledged", async || pending().await == 0).await;
        let report = running.stop().await;
        assert_eq!(report, reported(|it| it.done = 1));
    }

    async fn leases_are_renewed_while_many_failed_events_are_handed_back(world: World) {
        const FAILED: u32 = 60;
        let (store, switch) = world.faulty();
        let lease = Ttl::from_millis(2_500);
        let (sent, mut seen) = mpsc::unbounded_channel();
        let release = Arc::new(Notify::new());
        let released = release.clone();
        let events: Vec<_> = (0..=FAILED).collect();
        log(&world.store).append_many("all", &events).await;
        switch.set(Trouble::Delay(Duration::from_millis(100)));
        let consumer = group(&store).with_lease(lease).consumer().with_concurrency(FAILED as usize + 1);
        let running = Running::start(consumer, move |event: Event<u32>| {
            sent.send(event.event).unwrap();
            let released = released.clone();
            async move {
                match event.event {
                    0 => {
                        released.notified().await;
                        Ok(())
                    }
                    // Nobody is to get it again during the test.
                    _ => Err(EventError::dead("it is of no use")),
                }
            }
        });
        for _ in 0..=FAILED {
            soon(seen.recv()).await.unwrap();
        }
        let other = group(&world.store).with_lease(lease).consumer();
        let end = Instant::now() + Duration::from_secs(4);
        while Instant::now() < end {
            let batch = other.read(100).await.unwrap();
            let is_first = |it: &larder_events::log::Delivery<u32>| it.event == Some(0);
            assert!(!batch.deliveries.iter().any(is_first), "the lease has ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        release.notify_one();
        let report = running.stop().await;
        assert_eq!((report.done, report.dead, report.stale), (1, u64::from(FAILED), 0));
    }

    async fn an_outcome_whose_reply_was_lost_counts_as_what_was_asked_for(world: World) {
        let (store, switch) = world.faulty();
        let (sent, mut seen) = mpsc::unbounded_channel();
        let lease = Duration::from_secs(60);
        let run = run(group(&store).consumer(), sent, move |event| {
            switch.set_next(1, Trouble::LoseAnswer);
            match event.event {
                1 => Ok(()),
                2 => Err(EventError::retry_after(lease, "not yet")),
                _ => Err(EventError::dead("it is of no use")),
            }
        });
        for event in 1..=3 {
            log(&world.store).append("all", &event).await.unwrap();
            soon(seen.recv()).await.unwrap();
        }
        let report = run.stop().await;
        assert_eq!(report, reported(|it| { it.done = 1; it.retried = 1; it.dead = 1; }));
    }

    async fn an_acknowledgement_that_came_too_late_is_not_reported_as_done(world: World) {
        let (store, switch) = world.faulty();
        let (sent, mut seen) = mpsc::unbounded_channel();
        let release = Arc::new(Notify::new());
        let consumer = group(&store).consumer();
        let name = consumer.name().to_owned();
        let running = Running::held(consumer, sent, release.clone());
        log(&world.store).append("all", &1).await.unwrap();
        soon(seen.recv()).await.unwrap();
        // It never reaches the store before another consumer has handled the event.
        switch.set(Trouble::Fail(ErrorKind::NotSent));
        release.notify_one();
        assert_eq!(group(&world.store).remove_consumer(&name).await.unwrap(), 1);
        let other = group(&world.store).consumer();
        let batch = other.read(1).await.unwrap();
        assert_eq!(other.ack(&batch.deliveries[0]).await.unwrap(), Settled::Done);
        switch.clear();
        let report = running.stop().await;
        assert_eq!((report.done, report.stale), (0, 1));
    }

    async fn of_each_event_exactly_one_acknowledgement_is_accepted(world: World) {
        const EVENTS: u32 = 60;
        let log = log(&world.store);
        let events: Vec<_> = (0..EVENTS).collect();
        log.append_many("all", &events).await;
        let accepted = Arc::new(Mutex::new(BTreeMap::<u32, u32>::new()));
        let stale = Arc::new(AtomicU32::new(0));
        let consumers = (0..4_u64).map(|seed| {
            let group = group(&world.store).with_lease(Ttl::from_millis(20)).with_max_deliveries(1_000);
            let (accepted, stale) = (accepted.clone(), stale.clone());
            tokio::spawn(async move {
                let (mut consumer, mut rng) = (group.consumer(), fastrand::Rng::with_seed(seed));
                loop {
                    let batch = consumer.next(5, Duration::from_millis(50)).await.unwrap();
                    // Sometimes it is too slow for its lease.
                    if rng.u8(..3) == 0 {
                        tokio::time::sleep(Duration::from_millis(rng.u64(..40))).await;
                    }
                    let settled = consumer.ack_many(&batch.deliveries).await.unwrap();
                    for (delivery, settled) in batch.deliveries.iter().zip(settled) {
                        match settled {
                            Settled::Done => *accepted.lock().unwrap().entry(delivery.event.unwrap()).or_default() += 1,
                            _ => {
                                stale.fetch_add(1, Ordering::SeqCst);
                            }
                        }
                    }
                    if accepted.lock().unwrap().len() == EVENTS as usize {
                        return;
                    }
                }
            })
        });
        for consumer in consumers.collect::<Vec<_>>() {
            soon(consumer).await.unwrap();
        }
        let accepted = accepted.lock().unwrap();
        assert!(accepted.values().all(|times| *times == 1), "{accepted:?}");
    }
}
