use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use larder_events::topic::{Received, Recovered, Subscriber, Topic};
use larder_store::bus::{self, Channel};
use larder_store::{ErrorKind, StoreExt};
use larder_test::faulty::{Operations, Trouble};
use larder_worlds::{on_every_store, soon};

use crate::topics::{HOUR, SEATS, gap, message, publish, topic};

async fn values(subscriber: &mut Subscriber<u32>, many: usize) -> Vec<u32> {
    let mut values = Vec::new();
    for _ in 0..many {
        values.push(*message(subscriber).await.value);
    }
    values
}

on_every_store! { memory, redis, cluster;
    async fn a_subscriber_receives_the_messages_of_its_id_in_order(world: World) {
        let topic = Topic::new(world.store.clone(), SEATS).unwrap();
        let mut subscriber = topic.subscribe(7_u32).await.unwrap();
        topic.publish(8_u32, &0).await.unwrap();
        for value in 1..=3 {
            assert_eq!(topic.publish(7_u32, &value).await.unwrap(), None);
        }
        assert_eq!(values(&mut subscriber, 3).await, [1, 2, 3]);
        assert_eq!(subscriber.position(), None);
        let position = topic.position(7_u32).await.unwrap_err();
        let resume = topic.resume(7_u32, "1-1".parse().unwrap()).await.unwrap_err();
        for error in [position, resume] {
            assert!(error.to_string().contains("with_history"), "{error}");
        }
    }

    async fn a_subscriber_of_all_ids_receives_them_all(world: World) {
        let topic = topic(&world.store, 10);
        let mut subscriber = topic.subscribe_all().await.unwrap();
        let position = topic.publish(7_u32, &1).await.unwrap();
        topic.publish("eight", &2).await.unwrap();
        // There is no order between channels.
        let mut both = [message(&mut subscriber).await, message(&mut subscriber).await];
        both.sort_by_key(|message| *message.value);
        let [first, second] = both;
        assert_eq!((*first.value, first.position), (1, position));
        assert_eq!(first.channel, Channel::new(SEATS, 7_u32));
        assert_eq!(second.channel, Channel::new(SEATS, "eight"));
        // Positions of two ids do not follow each other.
        assert_eq!(subscriber.position(), None);
    }

    async fn a_subscriber_that_comes_back_resumes_without_loss(world: World) {
        let topic = topic(&world.store, 100);
        let mut subscriber = topic.subscribe(7_u32).await.unwrap();
        publish(&topic, 1..=2).await;
        assert_eq!(values(&mut subscriber, 2).await, [1, 2]);
        let last_event_id = subscriber.position().unwrap().to_string();
        drop(subscriber);
        publish(&topic, 3..=80).await;

        let from = last_event_id.parse().unwrap();
        let (mut subscriber, recovered) = topic.resume(7_u32, from).await.unwrap();
        assert_eq!(recovered, Recovered::Complete(78));
        publish(&topic, 81..=82).await;
        assert_eq!(values(&mut subscriber, 80).await, (3..=82).collect::<Vec<_>>());
        assert_eq!(subscriber.position().unwrap().offset(), 82);
    }

    async fn a_position_that_was_read_before_the_state_misses_nothing_after_it(world: World) {
        let topic = topic(&world.store, 10);
        // Nothing was ever published.
        let before = topic.position(7_u32).await.unwrap();
        publish(&topic, 1..=3).await;
        let (mut subscriber, recovered) = topic.resume(7_u32, before).await.unwrap();
        assert_eq!(recovered, Recovered::Complete(3));
        assert_eq!(values(&mut subscriber, 3).await, [1, 2, 3]);
    }

    async fn a_subscriber_is_told_what_the_history_no_longer_holds(world: World) {
        let topic = topic(&world.store, 3);
        let first = publish(&topic, 1..=6).await[0];
        let (mut subscriber, recovered) = topic.resume(7_u32, first).await.unwrap();
        assert_eq!(recovered, Recovered::Incomplete { lost: Some(2) });
        publish(&topic, 7..=7).await;
        let next = message(&mut subscriber).await;
        assert_eq!((*next.value, next.position.unwrap().offset()), (7, 7));
    }

    async fn a_history_that_began_anew_is_never_taken_for_the_one_before(world: World) {
        let topic = topic(&world.store, 10);
        let before = publish(&topic, 1..=2).await;
        world.advance(Duration::from_secs(3_600));
        let after = publish(&topic, 1..=2).await;
        assert_ne!(before, after);
        for from in before {
            let (_, recovered) = topic.resume(7_u32, from).await.unwrap();
            assert_eq!(recovered, Recovered::Incomplete { lost: None });
        }
        // A position past the end is not one of this history either.
        let past = after[1].to_string().replace("-2", "-3").parse().unwrap();
        let (_, recovered) = topic.resume(7_u32, past).await.unwrap();
        assert_eq!(recovered, Recovered::Incomplete { lost: None });
    }

    async fn a_message_that_was_not_announced_arrives_before_the_next_one(world: World) {
        let (store, switch) = world.faulty();
        let publisher = topic(&store, 10);
        let mut subscriber = topic(&world.store, 10).subscribe(7_u32).await.unwrap();
        publish(&publisher, 1..=1).await;
        switch.set_on(Operations::Bus, Trouble::Fail(ErrorKind::NotSent));
        publish(&publisher, 2..=3).await;
        switch.clear();
        publish(&publisher, 4..=4).await;
        assert_eq!(values(&mut subscriber, 4).await, [1, 2, 3, 4]);
    }

    async fn a_message_that_was_not_announced_arrives_by_itself(world: World) {
        let (store, switch) = world.faulty();
        switch.set_on(Operations::Bus, Trouble::Fail(ErrorKind::NotSent));
        let topic = topic(&world.store, 10).with_check_interval(Duration::from_millis(20));
        let mut subscriber = topic.subscribe(7_u32).await.unwrap();
        publish(&self::topic(&store, 10), 1..=2).await;
        assert_eq!(values(&mut subscriber, 2).await, [1, 2]);
    }

    async fn what_a_running_subscriber_cannot_be_sent_is_a_gap_with_its_size(world: World) {
        let (store, switch) = world.faulty();
        let publisher = topic(&store, 2);
        let mut subscriber = topic(&world.store, 2).subscribe(7_u32).await.unwrap();
        publish(&publisher, 1..=1).await;
        assert_eq!(values(&mut subscriber, 1).await, [1]);
        switch.set_on(Operations::Bus, Trouble::Fail(ErrorKind::NotSent));
        publish(&publisher, 2..=5).await;
        switch.clear();
        publish(&publisher, 6..=6).await;
        let told = gap(&mut subscriber).await;
        assert_eq!((told.lost, told.position.unwrap().offset()), (Some(3), 4));
        assert_eq!(values(&mut subscriber, 2).await, [5, 6]);
    }

    async fn a_slow_subscriber_is_told_how_much_it_missed(world: World) {
        let topic = Topic::new(world.store.clone(), SEATS).unwrap();
        let topic = topic.with_buffer(NonZeroUsize::new(4).unwrap());
        let mut slow = topic.subscribe(7_u32).await.unwrap();
        let mut quick = topic.subscribe(7_u32).await.unwrap();
        for value in 1..=10 {
            topic.publish(7_u32, &value).await.unwrap();
            assert_eq!(values(&mut quick, 1).await, [value]);
        }
        let told = soon(slow.next()).await;
        assert!(matches!(told, Some(Received::Lagged(6))), "{told:?}");
        assert_eq!(values(&mut slow, 4).await, [7, 8, 9, 10]);
    }

    async fn a_slow_subscriber_reads_what_it_missed_while_the_history_has_it(world: World) {
        let topic = topic(&world.store, 10).with_buffer(NonZeroUsize::new(4).unwrap());
        let mut slow = topic.subscribe(7_u32).await.unwrap();
        let mut quick = topic.subscribe(7_u32).await.unwrap();
        for (values, missed) in [(1..=10, 0), (11..=30, 10)] {
            for value in values.clone() {
                publish(&topic, value..=value).await;
                assert_eq!(self::values(&mut quick, 1).await, [value]);
            }
            if missed > 0 {
                let told = soon(slow.next()).await;
                assert!(matches!(told, Some(Received::Lagged(10))), "{told:?}");
            }
            let values: Vec<_> = values.skip(missed).collect();
            assert_eq!(self::values(&mut slow, values.len()).await, values);
        }
    }

    async fn a_message_of_another_type_is_a_gap_and_no_panic(world: World) {
        let topic = topic(&world.store, 10);
        let mut subscriber = topic.subscribe(7_u32).await.unwrap();
        let texts = Topic::new(world.store.clone(), SEATS).unwrap().with_history(10, HOUR).unwrap();
        let before = topic.position(7_u32).await.unwrap();
        texts.publish(7_u32, &"text".to_owned()).await.unwrap();
        publish(&topic, 2..=2).await;
        assert_eq!(gap(&mut subscriber).await.lost, Some(1));
        assert_eq!(values(&mut subscriber, 1).await, [2]);
        // What another client publishes is none either.
        let bus = world.store.clone().require_bus("a test").unwrap();
        for garbage in [&b""[..], b"\0\xff", b"1-1", b"9-9 {"] {
            bus.publish(&Channel::new(SEATS, 7_u32), garbage.into()).await.unwrap();
        }
        publish(&topic, 3..=3).await;
        let mut received = soon(subscriber.next()).await;
        while !matches!(received, Some(Received::Message(_))) {
            received = soon(subscriber.next()).await;
        }
        // The history has it as well.
        let (mut subscriber, recovered) = topic.resume(7_u32, before).await.unwrap();
        assert!(recovered.is_complete());
        assert_eq!(gap(&mut subscriber).await.lost, Some(1));
        assert_eq!(values(&mut subscriber, 2).await, [2, 3]);
    }

    async fn all_subscribers_of_an_id_share_what_was_received_once(world: World) {
        let topic = topic(&world.store, 10);
        let mut one = topic.subscribe(7_u32).await.unwrap();
        let mut other = topic.clone().subscribe(7_u32).await.unwrap();
        publish(&topic, 1..=1).await;
        let (one, other) = (message(&mut one).await, message(&mut other).await);
        assert!(Arc::ptr_eq(&one.value, &other.value));
    }

    async fn whoever_comes_back_while_others_publish_misses_nothing_and_sees_nothing_twice(world: World) {
        const MESSAGES: u32 = 150;
        let topic = topic(&world.store, 1_000);
        let from = topic.position(7_u32).await.unwrap();
        let publishers = (0..3).map(|_| {
            let topic = self::topic(&world.store, 1_000);
            tokio::spawn(async move { publish(&topic, 1..=MESSAGES / 3).await })
        });
        let publishers: Vec<_> = publishers.collect();
        let mut rng = fastrand::Rng::with_seed(7);
        let (mut at, mut offsets) = (from, Vec::new());
        while offsets.len() < MESSAGES as usize {
            let (mut subscriber, recovered) = topic.resume(7_u32, at).await.unwrap();
            assert!(recovered.is_complete(), "{recovered:?}");
            for _ in 0..rng.usize(1..12).min(MESSAGES as usize - offsets.len()) {
                let message = message(&mut subscriber).await;
                at = message.position.unwrap();
                offsets.push(at.offset());
            }
        }
        assert_eq!(offsets, (1..=u64::from(MESSAGES)).collect::<Vec<_>>());
        for publisher in publishers {
            publisher.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_lost_is_filled_from_the_history_and_is_a_gap_without_one() {
    let world = larder_worlds::World::redis_in_real_time().await;
    let server = world.server.as_ref().unwrap();
    let kept = topic(&world.store, 100).with_check_interval(Duration::from_secs(600));
    let plain = Topic::new(world.store.clone(), bus::Topic::broadcast("plain")).unwrap();
    let mut with_history = kept.subscribe(7_u32).await.unwrap();
    let mut without: Subscriber<u32> = plain.subscribe(7_u32).await.unwrap();
    server
        .command(&["CLIENT", "KILL", "TYPE", "pubsub"])
        .unwrap();
    publish(&kept, 1..=20).await;
    let gap = gap(&mut without).await;
    assert_eq!((gap.lost, gap.position), (None, None));
    assert_eq!(
        values(&mut with_history, 20).await,
        (1..=20).collect::<Vec<_>>()
    );
}
