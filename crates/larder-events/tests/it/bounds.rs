//! The edges of arguments, and what each call costs.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use larder_events::log::{EventId, EventLog, Settled, Start};
use larder_events::topic::{Received, Recovered, Topic};
use larder_store::{ErrorKind, Refusal, Ttl, bus};
use larder_test::MetricNames;
use larder_test::faulty::{Operations, Trouble};
use larder_worlds::{World, on_every_store, soon};
use tokio::sync::{Barrier, Notify};
use tokio::time::Instant;

const DAY: Ttl = Ttl::from_secs(86_400);
const SEATS: bus::Topic = bus::Topic::broadcast("seats");

fn log(world: &World) -> EventLog<u32> {
    EventLog::new(world.store.clone(), "test", DAY).unwrap()
}

on_every_store! { memory, redis;
    async fn a_page_of_no_events_is_empty(world: World) {
        let log = log(&world);
        log.append("all", &1).await.unwrap();
        let page = log.read("all", EventId::ZERO, 0).await.unwrap();
        assert!(page.events.is_empty() && page.next.is_none());
        assert!(log.read_until("all", EventId::ZERO, EventId::ZERO, 0).await.unwrap().events.is_empty());
        assert!(log.dead_letters("all", EventId::ZERO, 0).await.unwrap().is_empty());
        let consumer = log.group("all", "mail").unwrap().consumer();
        assert!(consumer.read(0).await.unwrap().deliveries.is_empty());
        assert!(consumer.ack_many(&[]).await.unwrap().is_empty());
        assert!(log.append_many("all", &[]).await.is_empty());
    }

    async fn a_group_that_is_to_begin_past_the_last_event_begins_now(world: World) {
        let log = log(&world);
        let id = log.append("all", &1).await.unwrap();
        let later = EventId::before_millis(id.as_millis() + 60_000);
        let group = log.group("all", "mail").unwrap().with_start(Start::After(later));
        group.create().await.unwrap();
        log.append_many("all", &[2, 3]).await;
        let batch = group.consumer().read(9).await.unwrap();
        let events: Vec<_> = batch.deliveries.iter().map(|it| it.event.unwrap()).collect();
        assert_eq!((events, batch.lost), (vec![2, 3], 0));
        assert_eq!(log.info("all").await.unwrap().groups[0].lag, 0);
    }

    async fn a_buffer_and_a_pause_may_be_as_long_as_they_like(world: World) {
        let topic = Topic::<u32>::new(world.store.clone(), SEATS).unwrap();
        let topic = topic.with_history(5, DAY).unwrap();
        let topic = topic.with_buffer(NonZeroUsize::MAX).with_check_interval(Duration::MAX);
        let mut subscriber = topic.subscribe("all").await.unwrap();
        topic.publish("all", &1).await.unwrap();
        assert!(matches!(soon(subscriber.next()).await, Some(Received::Message(_))));
    }

    async fn many_events_keep_their_order_over_several_steps(world: World) {
        let texts = EventLog::<String>::new(world.store.clone(), "texts", DAY).unwrap();
        // By number, and by bytes.
        for (many, size) in [(250, 1), (30, 60_000)] {
            let events: Vec<_> = (0..many).map(|n| format!("{n:04}{}", "x".repeat(size))).collect();
            let before = texts.info("all").await.unwrap().last.unwrap_or(EventId::ZERO);
            let appended = texts.append_many("all", &events).await;
            let ids: Vec<_> = appended.into_iter().map(|id| id.unwrap()).collect();
            assert!(ids.is_sorted() && ids.iter().collect::<BTreeSet<_>>().len() == many);
            let mut read = Vec::new();
            let mut after = Some(before);
            while let Some(from) = after {
                let page = texts.read("all", from, 20).await.unwrap();
                read.extend(page.events.into_iter().map(|it| it.event.unwrap()));
                after = page.next;
            }
            assert!(read == events, "{many} events of {size} bytes");
        }
    }

    async fn large_events_are_read_a_megabyte_at_a_time(world: World) {
        let texts = EventLog::<String>::new(world.store.clone(), "texts", DAY).unwrap();
        let group = texts.group("all", "mail").unwrap();
        let consumer = group.consumer();
        for (size, batches) in [(60_000, [17, 17, 6]), (1, [40, 0, 0])] {
            let events: Vec<_> = (0..40).map(|n| format!("{n:02}{}", "x".repeat(size))).collect();
            let before = texts.info("all").await.unwrap().last.unwrap_or(EventId::ZERO);
            let appended = texts.append_many("all", &events).await;
            let ids: Vec<_> = appended.into_iter().map(|id| id.unwrap()).collect();
            // A megabyte after which there is nothing.
            let page = texts.read_until("all", before, ids[16], 100).await.unwrap();
            assert_eq!((page.events.len(), page.next), (17, None));
            let (mut read, mut after, mut sizes) = (Vec::new(), Some(before), Vec::new());
            while let Some(from) = after {
                let page = texts.read("all", from, 100).await.unwrap();
                sizes.push(page.events.len());
                read.extend(page.events.into_iter().map(|it| it.event.unwrap()));
                after = page.next;
            }
            sizes.resize(3, 0);
            assert_eq!(sizes, batches);
            assert!(read == events, "{size}");
            // When the leases have ended, they are delivered again as they were at first.
            for count in [1, 2] {
                let mut read = Vec::new();
                for expected in batches {
                    let batch = consumer.read(100).await.unwrap();
                    assert_eq!(batch.deliveries.len(), expected);
                    assert!(batch.deliveries.iter().all(|it| it.count == count));
                    if count == 2 {
                        for delivery in &batch.deliveries {
                            let _ = consumer.reject(delivery, "no").await.unwrap();
                        }
                    }
                    read.extend(batch.deliveries.into_iter().map(|it| it.event.unwrap()));
                }
                assert!(read == events, "{size}");
                world.advance(Duration::from_secs(60));
            }
            assert!(consumer.read(100).await.unwrap().deliveries.is_empty());
            let mut after = EventId::ZERO;
            for expected in batches {
                let letters = texts.dead_letters("all", after, 100).await.unwrap();
                assert_eq!(letters.len(), expected);
                for letter in letters {
                    after = letter.id;
                    assert!(texts.remove_dead_letter("all", letter.id).await.unwrap());
                }
            }
        }
    }

    async fn a_long_batch_leaves_no_more_than_the_bounds_say(world: World) {
        let log = log(&world).with_max_len(10);
        for _ in 0..3 {
            log.append_many("all", &(0..100).collect::<Vec<_>>()).await;
        }
        assert_eq!(log.info("all").await.unwrap().len, 10);
    }

    async fn what_is_printed_to_debug_shows_no_event(world: World) {
        let log = EventLog::<String>::new(world.store.clone(), "test", DAY).unwrap();
        log.append("all", &"hunter2".to_owned()).await.unwrap();
        let consumer = log.group("all", "mail").unwrap().consumer();
        let batch = consumer.read(1).await.unwrap();
        let mut shown = format!("{batch:?} {:?}", log.read("all", EventId::ZERO, 9).await.unwrap());
        let _ = consumer.reject(&batch.deliveries[0], "not hunter2").await.unwrap();
        shown += &format!("{:?}", log.dead_letters("all", EventId::ZERO, 9).await.unwrap());
        shown += &format!("{:?}", log.inspect("all").await.unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_goes_on_at_once_after_a_batch_that_was_large() {
    let world = World::memory().await;
    let texts = EventLog::<String>::new(world.store.clone(), "texts", DAY).unwrap();
    for id in texts
        .append_many("all", &vec!["x".repeat(60_000); 40])
        .await
    {
        id.unwrap();
    }
    let consumer = texts.group("all", "mail").unwrap().consumer();
    let (begun, all) = (Instant::now(), Arc::new(Barrier::new(41)));
    let handled = all.clone();
    let stop = async move {
        all.wait().await;
    };
    let report = consumer.with_concurrency(100).run_until(stop, move |_| {
        let handled = handled.clone();
        async move {
            handled.wait().await;
            Ok(())
        }
    });
    assert_eq!(report.await.done, 40);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_lets_events_be_delivered_and_acknowledged() {
    let world = World::redis().await;
    let log = log(&world);
    let group = log.group("all", "mail").unwrap();
    group.create().await.unwrap();
    log.append("all", &1).await.unwrap();
    let server = world.server.as_ref().unwrap();
    server
        .command(&["CONFIG", "SET", "maxmemory", "1"])
        .unwrap();
    let full = log.append("all", &2).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Refused(Refusal::Full));
    let consumer = group.consumer();
    let batch = consumer.read(9).await.unwrap();
    assert_eq!(batch.deliveries.len(), 1);
    let settled = consumer.ack(&batch.deliveries[0]).await.unwrap();
    assert_eq!(settled, Settled::Done);
}

/// How many bytes the server has received, or sent, by its statistics.
fn bytes(world: &World, statistic: &str) -> u64 {
    let server = world.server.as_ref().unwrap();
    let info = server.command(&["INFO", "stats"]).unwrap();
    let text = info.text().unwrap();
    let (_, after) = text
        .split_once(statistic)
        .expect("the statistics of the server");
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_events_are_sent_with_one_script_and_not_one_each() {
    let world = World::redis().await;
    let log = log(&world);
    log.append("all", &0).await.unwrap();
    let before = bytes(&world, "total_net_input_bytes:");
    log.append_many("all", &(0..100).collect::<Vec<_>>()).await;
    let sent = bytes(&world, "total_net_input_bytes:") - before;
    assert!(sent < 40_000, "{sent} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_back_to_long_messages_reads_a_megabyte_of_them_at_a_time() {
    let world = World::redis().await;
    let topic = Topic::<String>::new(world.store.clone(), SEATS).unwrap();
    let topic = topic.with_history(100, DAY).unwrap();
    let from = topic.position("all").await.unwrap();
    let expected: Vec<_> = (0..64).map(|number| format!("{number:060000}")).collect();
    for message in &expected {
        topic.publish("all", message).await.unwrap();
    }
    let before = bytes(&world, "total_net_output_bytes:");
    let (mut subscriber, recovered) = topic.resume("all", from).await.unwrap();
    let sent = bytes(&world, "total_net_output_bytes:") - before;
    assert!(sent < 1_100_000, "{sent} bytes");
    assert_eq!(recovered, Recovered::Complete(64));
    for expected in expected {
        match soon(subscriber.next()).await {
            Some(Received::Message(message)) => assert!(*message.value == expected),
            other => panic!("{other:?} is not a message"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_that_crashed_leave_no_names_behind() {
    let world = World::redis().await;
    let log = log(&world);
    let group = log.group("all", "mail").unwrap().with_max_deliveries(100);
    for event in 1..=20 {
        log.append("all", &event).await.unwrap();
        let batch = group.consumer().read(99).await.unwrap();
        assert_eq!(
            batch.deliveries.len(),
            event as usize,
            "all that the others had"
        );
        world.advance(Duration::from_secs(60));
    }
    let server = world.server.as_ref().unwrap();
    let consumers = server
        .command(&["XINFO", "CONSUMERS", "log:{test:all}", "mail"])
        .unwrap();
    assert!(consumers.array().unwrap().len() <= 2, "{consumers:?}");
}

#[tokio::test]
async fn each_metric_is_described_with_its_unit_and_listed_in_the_readme() {
    let names = MetricNames::default();
    let guard = metrics::set_default_local_recorder(&names);
    let world = World::memory_in_real_time().await;
    let (store, switch) = world.faulty();

    let topic = Topic::<u32>::new(store.clone(), SEATS).unwrap();
    let topic = topic.with_buffer(NonZeroUsize::MIN);
    let mut subscriber = topic.subscribe("all").await.unwrap();
    let texts = Topic::<String>::new(store.clone(), SEATS).unwrap();
    texts.publish("all", &"text".to_owned()).await.unwrap();
    assert!(matches!(
        soon(subscriber.next()).await,
        Some(Received::Gap(_))
    ));
    for value in 1..=3 {
        topic.publish("all", &value).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(matches!(
        soon(subscriber.next()).await,
        Some(Received::Lagged(_))
    ));
    switch.set_on(Operations::Bus, Trouble::Fail(ErrorKind::NotSent));
    let kept = topic.with_history(5, DAY).unwrap();
    kept.publish("all", &4).await.unwrap();
    switch.clear();

    let bounded = log(&world).with_max_len(1).with_hard_max_len(1);
    let group = bounded.group("all", "mail").unwrap();
    group.create().await.unwrap();
    bounded.append_many("all", &[1, 2, 3]).await;
    let texts = EventLog::<String>::new(world.store.clone(), "test", DAY).unwrap();
    assert_eq!(
        texts.read("all", EventId::ZERO, 1).await.unwrap().events[0].event,
        None
    );
    let (handled, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let of_run = handled.clone();
    let running = group
        .consumer()
        .run_until(async move { done.notified().await }, move |_| {
            of_run.notify_one();
            async { Ok(()) }
        });
    let _ = tokio::time::timeout(Duration::from_millis(500), running).await;
    handled.notified().await;
    drop(guard);
    let readme = include_str!("../../README.md");
    assert_eq!(names.assert_listed("larder_topic_", readme), 4);
    assert_eq!(names.assert_listed("larder_log_", readme), 3);
}
