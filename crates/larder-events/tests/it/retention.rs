use std::sync::Arc;
use std::time::Duration;

use larder_events::log::{Consumer, EventId, EventLog, Settled};
use larder_store::{Store, Ttl};
use larder_test::faulty::{Operations, Trouble};
use larder_worlds::on_every_store;

const DAY: Ttl = Ttl::from_secs(86_400);

async fn append(log: &EventLog<u32>, events: std::ops::RangeInclusive<u32>) {
    for event in events {
        log.append("all", &event).await.unwrap();
    }
}

async fn kept(log: &EventLog<u32>) -> Vec<u32> {
    let page = log.read("all", EventId::ZERO, 100).await.unwrap();
    page.events.iter().map(|it| it.event.unwrap()).collect()
}

async fn handle(consumer: &Consumer<u32>, many: usize) -> u64 {
    let batch = consumer.read(many).await.unwrap();
    let settled = consumer.ack_many(&batch.deliveries).await.unwrap();
    assert!(settled.iter().all(|it| *it == Settled::Done));
    batch.lost
}

on_every_store! { memory, redis, cluster;
    async fn a_log_keeps_its_length_and_its_age(world: World) {
        let log = EventLog::new(world.store.clone(), "test", DAY).unwrap();
        let by_length = log.clone().with_max_len(3);
        append(&by_length, 1..=5).await;
        assert_eq!(kept(&log).await, [3, 4, 5]);
        let by_age = log.clone().with_max_age(Ttl::from_secs(60));
        world.advance(Duration::from_secs(60));
        append(&by_age, 6..=6).await;
        assert_eq!(kept(&log).await, [3, 4, 5, 6]);
        world.advance(Duration::from_millis(1));
        append(&by_age, 7..=7).await;
        assert_eq!(kept(&log).await, [6, 7]);
        world.advance(Duration::from_secs(86_400));
        assert!(kept(&log).await.is_empty(), "the log outlived its TTL");
    }

    async fn what_a_group_is_not_done_with_stays_past_the_bounds(world: World) {
        let log = EventLog::new(world.store.clone(), "test", DAY).unwrap();
        let log = log.with_max_len(2).with_max_age(Ttl::from_secs(60));
        let group = log.group("all", "mail").unwrap();
        let consumer = group.consumer();
        group.create().await.unwrap();
        append(&log, 1..=5).await;
        world.advance(Duration::from_secs(120));
        append(&log, 6..=6).await;
        assert_eq!(kept(&log).await, [1, 2, 3, 4, 5, 6]);
        let batch = consumer.read(3).await.unwrap();
        let _ = consumer.ack(&batch.deliveries[0]).await.unwrap();
        append(&log, 7..=7).await;
        assert_eq!(kept(&log).await, [2, 3, 4, 5, 6, 7], "the second is pending");
        let _ = consumer.ack_many(&batch.deliveries[1..]).await.unwrap();
        append(&log, 8..=8).await;
        assert_eq!(kept(&log).await, [4, 5, 6, 7, 8], "the fourth is not delivered");
        assert_eq!(handle(&consumer, 9).await, 0);
        append(&log, 9..=9).await;
        assert_eq!(kept(&log).await, [8, 9]);
    }

    async fn a_group_of_which_nobody_reads_stops_no_trimming_and_is_told_what_it_lost(world: World) {
        let log = EventLog::new(world.store.clone(), "test", DAY).unwrap();
        let log = log.with_max_len(2).with_hard_max_len(4);
        let (dead, live) = (log.group("all", "dead").unwrap(), log.group("all", "live").unwrap());
        let (dead, live) = (dead.consumer(), live.consumer());
        append(&log, 1..=2).await;
        // One is pending in the group when nobody reads of it any more, one is not.
        let pending = dead.read(1).await.unwrap();
        for event in 3..=20 {
            append(&log, event..=event).await;
            assert_eq!(handle(&live, 9).await, 0);
            assert!(kept(&log).await.len() <= 4);
        }
        assert_eq!(kept(&log).await, [17, 18, 19, 20]);
        let info = log.info("all").await.unwrap();
        let of_dead = info.groups.iter().find(|group| group.name == "dead").unwrap();
        assert_eq!((of_dead.lost, of_dead.lag, of_dead.pending), (16, 4, 0));
        assert_eq!(dead.ack(&pending.deliveries[0]).await.unwrap(), Settled::Gone);
        let batch = dead.read(9).await.unwrap();
        assert_eq!(batch.lost, 16);
        let events: Vec<_> = batch.deliveries.iter().map(|it| it.event.unwrap()).collect();
        assert_eq!(events, [17, 18, 19, 20]);
        assert_eq!(dead.read(9).await.unwrap().lost, 0, "it is told once");
        let info = log.info("all").await.unwrap();
        assert_eq!(info.groups[0].lost, 16);
    }

    async fn what_a_group_has_lost_is_told_again_after_a_lost_answer(world: World) {
        let (store, switch) = world.faulty();
        let bounded = |store: &Arc<dyn Store>| {
            let log = EventLog::<u32>::new(store.clone(), "test", DAY).unwrap();
            log.with_max_len(2).with_hard_max_len(4)
        };
        let log = bounded(&world.store);
        log.group("all", "mail").unwrap().create().await.unwrap();
        for event in 1..=20 {
            log.append("all", &event).await.unwrap();
        }
        let consumer = bounded(&store).group("all", "mail").unwrap().consumer();
        switch.set_on(Operations::Programs, Trouble::LoseAnswer);
        assert!(consumer.read(9).await.is_err());
        switch.clear();
        let batch = consumer.read(9).await.unwrap();
        assert_eq!(batch.lost, 16, "nobody was told");
        assert_eq!(consumer.read(9).await.unwrap().lost, 0);
        let other = log.group("all", "mail").unwrap().consumer();
        assert_eq!(other.read(9).await.unwrap().lost, 0, "the group knows");
        // A group of the same name that is created later knows nothing about it.
        assert!(log.group("all", "mail").unwrap().remove().await.unwrap());
        log.group("all", "mail").unwrap().create().await.unwrap();
        for event in 21..=25 {
            log.append("all", &event).await.unwrap();
        }
        assert_eq!(consumer.read(9).await.unwrap().lost, 5);
    }

    async fn what_a_consumer_knows_of_a_group_says_nothing_of_one_that_was_made_again(world: World) {
        let log = EventLog::<u32>::new(world.store.clone(), "test", DAY).unwrap();
        let log = log.with_max_len(2).with_hard_max_len(4);
        let mail = log.group("all", "mail").unwrap();
        mail.create().await.unwrap();
        append(&log, 1..=20).await;
        let consumer = mail.consumer();
        assert_eq!(consumer.read(9).await.unwrap().lost, 16);
        // Others make the group again, and it loses more than the one before.
        assert!(mail.remove().await.unwrap());
        mail.create().await.unwrap();
        append(&log, 21..=60).await;
        assert_eq!(mail.consumer().read(9).await.unwrap().lost, 40);
        assert_eq!(consumer.read(9).await.unwrap().lost, 40, "nobody has confirmed it");
        assert_eq!(consumer.read(9).await.unwrap().lost, 0);
    }
}
