//! What subscribers of a topic are told when a history or its readers lose something.

use std::sync::Arc;
use std::time::Duration;

use larder_events::topic::{Position, Received, Recovered, Topic};
use larder_store::bus::Channel;
use larder_store::{ErrorKind, Store, StoreExt};
use larder_test::faulty::{Operations, Trouble};
use larder_worlds::{World, on_every_store, soon};
use serde::de::Deserializer;
use serde::{Deserialize, Serialize};

use crate::topics::{self, SEATS, gap, message, publish};

/// No look comes by itself.
const NEVER: Duration = Duration::from_secs(600);

fn topic(store: &Arc<dyn Store>) -> Topic<u32> {
    topics::topic(store, 1_000).with_check_interval(NEVER)
}

/// Takes all but the first three messages away, as a failover does to what its replica had not yet.
fn lose_the_end(world: &World, position: Position) {
    let server = world.server.as_ref().unwrap();
    let text = position.to_string();
    let (epoch, _) = text.split_once('-').unwrap();
    let third = format!("{epoch}-3");
    server
        .command(&["SET", "topic:{seats:7}", &third, "KEEPTTL"])
        .unwrap();
    server
        .command(&["LTRIM", "topic:{seats:7}:messages", "0", "2"])
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_at_an_offset_that_was_used_before_is_told_as_a_gap_and_received() {
    let world = World::redis().await;
    let topic = topic(&world.store);
    let mut subscriber = topic.subscribe(7_u32).await.unwrap();
    let mut late = topic.subscribe(7_u32).await.unwrap();
    let last = publish(&topic, 1..=5).await[4];
    for value in 1..=5 {
        assert_eq!(*message(&mut subscriber).await.value, value);
    }
    lose_the_end(&world, last);
    publish(&topic, 40..=41).await;
    let told = gap(&mut subscriber).await;
    assert_eq!((told.lost, told.position.unwrap().offset()), (None, 3));
    for (value, offset) in [(40, 4), (41, 5)] {
        let next = message(&mut subscriber).await;
        assert_eq!(
            (*next.value, next.position.unwrap().offset()),
            (value, offset)
        );
    }
    // A subscriber that had not read yet is told at the same place.
    for value in 1..=5 {
        assert_eq!(*message(&mut late).await.value, value);
    }
    assert_eq!(gap(&mut late).await.position.unwrap().offset(), 3);
    assert_eq!(*message(&mut late).await.value, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_at_an_offset_that_a_look_had_found_is_told_as_a_gap() {
    let world = World::redis().await;
    let topic = topic(&world.store);
    let last = publish(&topic, 1..=5).await[4];
    let mut subscriber = topic.subscribe(7_u32).await.unwrap();
    lose_the_end(&world, last);
    publish(&topic, 40..=40).await;
    // It may be one that was announced late, so a look has to tell.
    assert_eq!(gap(&mut subscriber).await.position.unwrap().offset(), 4);
    publish(&topic, 41..=41).await;
    assert_eq!(*message(&mut subscriber).await.value, 41);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_has_lost_its_end_is_told_as_a_gap_by_the_next_look() {
    let world = World::redis().await;
    let looking = topic(&world.store).with_check_interval(Duration::from_millis(50));
    let mut subscriber = looking.subscribe(7_u32).await.unwrap();
    let last = publish(&looking, 1..=5).await[4];
    for value in 1..=5 {
        assert_eq!(*message(&mut subscriber).await.value, value);
    }
    lose_the_end(&world, last);
    assert_eq!(gap(&mut subscriber).await.position.unwrap().offset(), 3);
    publish(&looking, 40..=40).await;
    assert_eq!(*message(&mut subscriber).await.value, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_is_a_gap_though_the_history_has_ended_meanwhile() {
    let world = World::redis().await;
    let topic = topic(&world.store);
    let (store, switch) = world.faulty();
    switch.set_on(Operations::Bus, Trouble::Fail(ErrorKind::NotSent));
    let mut subscriber = topic.subscribe(7_u32).await.unwrap();
    publish(&topic, 1..=1).await;
    assert_eq!(*message(&mut subscriber).await.value, 1);
    // A message that is never announced, and then expires with the history.
    publish(&self::topic(&store), 2..=2).await;
    world.advance(Duration::from_secs(3_600));
    let server = world.server.as_ref().unwrap();
    server
        .command(&["CLIENT", "KILL", "TYPE", "pubsub"])
        .unwrap();
    assert_eq!(gap(&mut subscriber).await.lost, None);
    publish(&topic, 3..=3).await;
    loop {
        match soon(subscriber.next()).await {
            Some(Received::Message(message)) if *message.value == 3 => break,
            Some(_) => {}
            None => panic!("the subscription has ended"),
        }
    }
}

/// A number whose own code panics for 13.
#[derive(Debug, Serialize)]
struct Careful(u32);

impl<'de> Deserialize<'de> for Careful {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        assert_ne!(number, 13, "a bug of the application");
        Ok(Self(number))
    }
}

on_every_store! { memory, redis;
    async fn a_message_whose_type_panics_is_a_gap_and_the_next_one_arrives(world: World) {
        let careful = Topic::<Careful>::new(world.store.clone(), SEATS).unwrap();
        let mut subscriber = careful.subscribe(7_u32).await.unwrap();
        let plain = Topic::<u32>::new(world.store.clone(), SEATS).unwrap();
        for value in [13, 14] {
            plain.publish(7_u32, &value).await.unwrap();
        }
        assert_eq!(gap(&mut subscriber).await.lost, Some(1));
        assert_eq!(message(&mut subscriber).await.value.0, 14);
    }

    async fn a_message_that_the_history_has_lost_is_received_behind_a_gap(world: World) {
        let topic = topic(&world.store);
        let mut subscriber = topic.subscribe(7_u32).await.unwrap();
        let last = publish(&topic, 1..=2).await[1];
        for value in 1..=2 {
            assert_eq!(*message(&mut subscriber).await.value, value);
        }
        // As of a publisher whose message a failover has taken out of the history.
        let payload = format!("{} 90", last.to_string().replace("-2", "-9"));
        let bus = world.store.clone().require_bus("a test").unwrap();
        bus.publish(&Channel::new(SEATS, 7_u32), payload.into()).await.unwrap();
        assert_eq!(gap(&mut subscriber).await.lost, None);
        assert_eq!(*message(&mut subscriber).await.value, 90);
        publish(&topic, 3..=3).await;
        assert_eq!(gap(&mut subscriber).await.position.unwrap().offset(), 2);
        assert_eq!(*message(&mut subscriber).await.value, 3);
    }

    async fn whoever_comes_back_reads_a_page_at_a_time(world: World) {
        let topic = topic(&world.store);
        let before = topic.position(7_u32).await.unwrap();
        publish(&topic, 1..=600).await;
        let (store, switch) = world.faulty();
        let (mut subscriber, recovered) = self::topic(&store).resume(7_u32, before).await.unwrap();
        assert_eq!(recovered, Recovered::Complete(600));
        assert!(switch.operations() <= 4, "{} operations", switch.operations());
        publish(&topic, 601..=601).await;
        for value in 1..=100 {
            assert_eq!(*message(&mut subscriber).await.value, value);
        }
        // What cannot be read is told, with its number, and what is new follows.
        for value in 101..=128 {
            assert_eq!(*message(&mut subscriber).await.value, value);
        }
        switch.set_on(Operations::Programs, Trouble::Fail(ErrorKind::NotSent));
        let told = soon(subscriber.next()).await;
        assert!(matches!(told, Some(Received::Lagged(472))), "{told:?}");
        assert_eq!(*message(&mut subscriber).await.value, 601);
    }
}

#[test]
fn subscribers_end_with_the_runtime_that_served_them_and_new_ones_begin_anew() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let topic = first.block_on(async { topic(&World::memory().await.store) });
    let mut subscriber = first.block_on(topic.subscribe(7_u32)).unwrap();
    drop(first);
    runtime().block_on(async {
        assert!(soon(subscriber.next()).await.is_none());
        let mut subscriber = topic.subscribe(7_u32).await.unwrap();
        publish(&topic, 1..=1).await;
        assert_eq!(*message(&mut subscriber).await.value, 1);
    });
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_a_look_does_not_end_the_subscription() {
    let world = World::memory().await;
    let (store, switch) = world.faulty();
    let looking = topic(&store).with_check_interval(Duration::from_secs(1));
    let mut subscriber = looking.subscribe(7_u32).await.unwrap();
    switch.set_on(Operations::Programs, Trouble::Hang);
    tokio::time::sleep(Duration::from_secs(5)).await;
    switch.clear();
    publish(&topic(&world.store), 1..=1).await;
    assert_eq!(*message(&mut subscriber).await.value, 1);
}
